"""What a vendor's error means: the descriptor's rules, in order, over status, code and message."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from isthmus.catalogue.connector import Connector, ErrorClass, ErrorRule, Verdict
from isthmus.connectivity.transport.answer import Answer, Budget, Failure
from isthmus.connectivity.transport.template import fill
from isthmus.mapping.expression import Expression, MappingError, compile_expression

_SHOWN = 200
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
#: where no rule of the descriptor speaks; the rest is "reject, format" below 500 and "retry, down" from there
_BY_STATUS: dict[int, tuple[Verdict, ErrorClass]] = {
    401: ("reauthenticate", "access"),
    403: ("reject", "access"),
    404: ("reject", "missing"),
    408: ("retry", "down"),
    409: ("reject", "conflict"),
    410: ("reject", "missing"),
    412: ("reject", "conflict"),
    422: ("reject", "business"),
    423: ("retry", "locked"),
    428: ("reject", "conflict"),
    429: ("retry", "limit"),
}

_FIELD_GONE = "bring the field back there (or let our user see it), or take it out of the mapping; then replay all"


class Failures:
    """One connector's way of saying no. ``redacted`` takes secrets out of a text."""

    def __init__(self, connector: Connector, redacted: Callable[[str], str]) -> None:
        self._connector, self._redacted = connector, redacted

    def judge(self, answer: Answer, context: Mapping[str, Any], now: datetime) -> Failure | None:
        """The failure that ``answer`` is, or None for any 2xx."""
        status = answer.status
        if 200 <= status < 300:
            return None
        code, message, field = self._told(answer)
        gone = self._part("gone", answer.body) if isinstance(answer.body, dict | list) else ""
        failure = self._named(status, code, message, field, context, retry_after(answer.headers, now))
        if gone:
            # what a schema change says is told alike for every vendor, so that all it parks is one group
            means = f"Field {gone} is gone in {self._connector.title}, or hidden from us"
            return replace(failure, field=gone, means=means, mend=_FIELD_GONE)
        return failure

    def refusal(self, code: str, message: str, field: str | None) -> Failure:
        """The failure of one record among many, of which an answer tells in its body."""
        failure = self._named(400, code, self._redacted(message), field, {}, None)
        return failure if failure.verdict != "reauthenticate" else replace(failure, verdict="reject")

    def _named(
        self, status: int, code: str, message: str, field: str | None, context: Mapping[str, Any], pause: float | None
    ) -> Failure:
        rule = next((each for each in self._connector.errors if _matches(each, status, code, message)), None)
        verdict, error_class = (rule.verdict, rule.error_class) if rule else _default(status)
        if pause is None and rule and rule.pause:
            pause = rule.pause.total_seconds()
        problem = self._connector.problems.get(code) or self._connector.problems.get(str(status))
        told = {**context, "message": message, "field": field}
        means = _words(problem.means, told) if problem else None
        mend = _words(problem.mend, told) if problem else None
        return Failure(verdict, error_class, status, code, message, field, pause, means, mend)

    def budget(self, answer: Answer, now: datetime) -> Budget | None:
        """What the headers say about the calls that are left; None where they say nothing."""
        limits = self._connector.limits
        pause = retry_after(answer.headers, now) if answer.status in (429, 503) else None
        remaining = self._limit("remaining", limits.remaining, answer.headers)
        reset = self._limit("reset_s", limits.reset_s, answer.headers)
        if remaining is None and reset is None and pause is None:
            return None
        return Budget(None if remaining is None else int(remaining), reset, pause)

    def _limit(self, name: str, said: str | None, headers: Mapping[str, str]) -> float | None:
        """A number by the header of that name, or by an expression over ``{headers}``; None where there is none."""
        if said is None:
            return None
        if _HEADER_NAME.fullmatch(said):
            return _number(headers.get(said.lower()))
        try:
            return _number(self._compiled(f"limits.{name}", said)({"headers": dict(headers)}))
        except MappingError:
            return None

    def _told(self, answer: Answer) -> tuple[str, str, str | None]:
        """Code, message and field of the error, as far as it has them."""
        status, body = answer.status, answer.body
        if 300 <= status < 400 and (location := answer.headers.get("location")):
            return str(status), f"it redirects to {location.partition('?')[0]}; redirects are not followed", None
        if not isinstance(body, dict | list):
            text = _visible(body) if isinstance(body, str) else ""
            return str(status), self._redacted(text) or f"status {status}, and not a word", None
        code, message, field = (self._part(part, body) for part in ("code", "message", "field"))
        return code or str(status), self._redacted(message) or f"status {status}, and no message", field or None

    def _part(self, part: str, body: Any) -> str:
        """One part of the error's body; empty where its expression finds nothing, or does not fit this body."""
        text = getattr(self._connector.error, part)
        if text is None:
            return ""
        try:
            return _text(self._compiled(f"error.{part}", text)(body))
        except MappingError:
            return ""

    def _compiled(self, where: str, text: str) -> Expression:
        if where not in self._expressions:
            file = f"{self._connector.connector}/connector.yaml {where}"
            self._expressions[where] = compile_expression(text, file=file)
        return self._expressions[where]

    @cached_property
    def _expressions(self) -> dict[str, Expression]:
        return {}


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that ``Retry-After`` asks for (RFC 9110 10.2.3: seconds or an HTTP date), or None."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _matches(rule: ErrorRule, status: int, code: str, message: str) -> bool:
    if rule.status is not None and status not in _several(rule.status):
        return False
    if rule.code is not None and code not in _several(rule.code):
        return False
    return rule.says is None or re.search(rule.says, message) is not None


def _several(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _default(status: int) -> tuple[Verdict, ErrorClass]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ("retry", "down") if status >= 500 else ("reject", "format")


def _words(template: str, told: Mapping[str, Any]) -> str:
    """A problem's sentence; what it names and we do not have is shown as an ellipsis, since a sentence beats none."""
    return fill(template, told, what="problem", missing="…")


def _text(found: Any) -> str:
    """The first of several, as text."""
    while isinstance(found, list) and found:
        found = found[0]
    return "" if found is None or isinstance(found, list | dict) else str(found).strip()


def _visible(text: str) -> str:
    """The first words of a text or of an HTML page."""
    return " ".join(_TAG.sub(" ", text[:20_000]).split())[:_SHOWN]


def _number(found: Any) -> float | None:
    """A number that is one, and not below zero; else None."""
    try:
        number = float(found)
    except (TypeError, ValueError):
        return None
    return max(0.0, number) if number == number and number != float("inf") else None
