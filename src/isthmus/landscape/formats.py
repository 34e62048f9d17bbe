"""Texts with a form: durations, percentages, amounts, dates, zones. Each reader gives the value or says what it takes.

A settings schema (of a connector or a blueprint) names them as ``format``; the value a process gets is the read one.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from isthmus.catalogue.durations import parse_duration
from isthmus.model import Money
from isthmus.model.codes import MINOR_UNITS

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
_MONEY = re.compile(r"(\d{1,15}(?:\.\d{1,4})?)\s+(\S+)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_EVENT = re.compile(r"(?:isthmus\.)?([a-z][a-z_]*(?:\.[a-z][a-z_]*){1,2}?)(?:\.v(\d+))?")
_BLUEPRINT = re.compile(r"([a-z][a-z0-9_]*)@([1-9]\d*)")
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?")


def read_percent(text: str) -> Decimal:
    """``0.5 %`` is Decimal("0.5"): always per cent, never a share of one."""
    if not (found := _PERCENT.fullmatch(text.strip())) or Decimal(found[1]) > 100:
        raise ValueError("a percentage from 0 to 100 with its sign is expected, such as  0.5 %")
    return Decimal(found[1])


def read_money(text: str) -> Money:
    """``250000 EUR``: a plain number with a point, and a currency."""
    found = _MONEY.fullmatch(text.strip())
    if not found:
        raise ValueError("an amount with its currency is expected, such as  250000 EUR")
    amount, currency = Decimal(found[1]), found[2]
    if currency not in MINOR_UNITS:
        raise ValueError(f"{currency!r} is not a currency of ISO 4217; an amount is written  250000 EUR")
    if amount != round(amount, MINOR_UNITS[currency]):
        raise ValueError(f"{currency} has {MINOR_UNITS[currency]} decimals, so there is no {amount} {currency}")
    return Money(amount=round(amount, MINOR_UNITS[currency]), currency=currency)


def read_duration(text: str) -> timedelta:
    """``5 minutes``, ``3s``, ``2 days``, ``PT15M``."""
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError("a number with its unit is expected, such as  3s, 10m, 2 hours or 2 days") from None


def read_date(text: str) -> date:
    """``2026-12-01``."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("a date is expected, such as  2026-12-01")


def read_date_or_duration(text: str) -> date | timedelta:
    """A day, or how long from now."""
    try:
        return read_date(text) if _DATE.fullmatch(text) else parse_duration(text)
    except ValueError:
        raise ValueError("a date or a duration is expected, such as  2026-12-01 or 10 days") from None


def read_time_zone(text: str) -> str:
    """An IANA zone."""
    if text not in _zones():
        raise ValueError("a time zone of the IANA database is expected, such as  Europe/Berlin")
    return text


@cache
def _zones() -> set[str]:
    return zoneinfo.available_timezones()


def read_event(text: str) -> str:
    """``quote.accepted`` or in full ``isthmus.quote.accepted.v1``; gives it in full."""
    found = _EVENT.fullmatch(text)
    if not found:
        raise ValueError("an event is expected, such as  quote.accepted or isthmus.quote.accepted.v1")
    return f"isthmus.{found[1]}.v{found[2] or 1}"


def read_blueprint(text: str) -> tuple[str, int]:
    """``quote_to_cash@1``: name and version."""
    found = _BLUEPRINT.fullmatch(text)
    if not found:
        raise ValueError("a blueprint with its version is expected, such as  quote_to_cash@1")
    return found[1], int(found[2])


def read_url(text: str) -> str:
    """An http or https address without a password in it."""
    if not _URL.fullmatch(text):
        raise ValueError("an address is expected, such as  https://isthmus.example.com, without user or password")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression is expected; {error}") from None
    return text


def _blueprint(text: str) -> str:
    read_blueprint(text)
    return text


READERS: dict[str, Callable[[str], Any]] = {
    "percent": read_percent,
    "money": read_money,
    "duration": read_duration,
    "date": read_date,
    "date-or-duration": read_date_or_duration,
    "time-zone": read_time_zone,
    "event": read_event,
    "blueprint": _blueprint,
    "uri": read_url,
    "regex": _pattern,
}
