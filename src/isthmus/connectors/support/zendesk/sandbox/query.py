"""The vendor's search language: ``type:ticket status<solved requester:ann@x.example "solar panel" -tags:vip``.

Source: support.zendesk.com, "Searching by field", "Zendesk Support search reference". Words are looked for in the
row's own texts; several ``:`` conditions on one key mean any of them; a key the row has not makes it miss.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import iso
from isthmus.sandkit.world import Row

_TERM = re.compile(r'(-?)(?:([\w.]+)(<=|>=|<|>|:))?(?:"([^"]*)"|(\S+))')
_AGO = re.compile(r"(\d+)(minute|hour|day|week|month|year)s?")
_SPAN_S = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000}
_ORDERED = {
    "status": ("new", "open", "pending", "hold", "solved", "closed"),
    "priority": ("low", "normal", "high", "urgent"),
}
_DATES = ("created", "updated", "solved", "due_date")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``key`` is empty for plain words."""

    key: str
    operator: str
    value: str
    negated: bool


def parsed(text: str) -> list[Term]:
    """The conditions of a query, in order."""
    found = []
    for minus, key, operator, quoted, bare in _TERM.findall(text):
        found.append(Term(key.lower(), operator or ":", quoted or bare.strip('"'), bool(minus)))
    return [term for term in found if term.value or term.key]


def matches(terms: Sequence[Term], values: Callable[[str], list[Any] | None], now: float) -> bool:
    """Whether a row meets all conditions. ``values`` gives what the row has under a key (None: no such key)."""
    wanted: dict[str, list[Term]] = {}
    for number, term in enumerate(terms):
        together = term.key if term.key and term.operator == ":" and not term.negated else f"#{number}"
        wanted.setdefault(together, []).append(term)
    return all(any(_meets(term, values, now) is not term.negated for term in group) for group in wanted.values())


def _meets(term: Term, values: Callable[[str], list[Any] | None], now: float) -> bool:
    held = values(term.key)
    if held is None:
        return False
    present = [value for value in held if value not in (None, "")]
    if term.value.lower() == "none":
        return not present
    return any(_compares(term, value, now) for value in present)


def _compares(term: Term, value: Any, now: float) -> bool:
    if term.key in _DATES:
        return _dated(term, str(value), now)
    text, wanted = str(value).lower(), term.value.lower()
    if term.operator == ":":
        if not term.key:
            return text == wanted if isinstance(value, int) else wanted in text
        return fnmatchcase(text, wanted) if "*" in wanted else text == wanted
    order = _ORDERED.get(term.key)
    if order:
        return wanted in order and text in order and _holds(term.operator, order.index(text), order.index(wanted))
    if re.fullmatch(r"-?\d+", text) and re.fullmatch(r"-?\d+", wanted):
        return _holds(term.operator, int(text), int(wanted))
    return _holds(term.operator, text, wanted)


def _dated(term: Term, value: str, now: float) -> bool:
    ago = _AGO.fullmatch(term.value.lower())
    if ago:
        wanted = iso(now - int(ago.group(1)) * _SPAN_S[ago.group(2)])
        return _holds({"<": "<", ">": ">"}.get(term.operator, term.operator), value, wanted)
    if len(term.value) <= 10:  # a day: all of it
        return _holds(term.operator, value[:10], term.value)
    try:
        moment = datetime.fromisoformat(term.value.replace("Z", "+00:00"))
    except ValueError:
        return False
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _holds(term.operator, value, iso(moment.timestamp()))


def _holds(operator: str, one: Any, other: Any) -> bool:
    match operator:
        case "<":
            return bool(one < other)
        case ">":
            return bool(one > other)
        case "<=":
            return bool(one <= other)
        case ">=":
            return bool(one >= other)
    return bool(one == other)


def held_by(kind: str, row: Row, key: str, people: Callable[[int | None], Row]) -> list[Any] | None:
    """What a row has under a search key: the texts for plain words (key ""), None for a key it has not."""
    if key == "":
        return [row.get(name) for name in _TEXTS[kind]]
    if key in ("requester", "assignee", "submitter") and kind == "ticket":
        who = people(row[f"{key}_id"])
        return [who.get("id"), who.get("email"), who.get("name")]
    if key.startswith("custom_field_"):
        return [row.get("custom_fields", {}).get(key.removeprefix("custom_field_"))]
    if key == "fieldvalue":
        return list(row.get("custom_fields", {}).values())
    if key == "tags":
        return list(row["tags"])
    name = _NAMES[kind].get(key, key)
    if name in row and not isinstance(row[name], dict | list):
        return [row[name]]
    own = row.get(f"{kind}_fields", {})
    return [str(own[key])[:10] if str(own[key]).endswith("T00:00:00+00:00") else own[key]] if key in own else None


_TEXTS = {
    "ticket": ("id", "subject", "description", "external_id"),
    "user": ("name", "email", "external_id", "notes", "details"),
    "organization": ("name", "external_id", "notes", "details"),
}
_NAMES = {
    "ticket": {
        "created": "created_at",
        "updated": "updated_at",
        "solved": "solved_at",
        "due_date": "due_at",
        "ticket_type": "type",
        "form": "ticket_form_id",
        "organization": "organization_id",
        "group": "group_id",
        "brand": "brand_id",
    },
    "user": {"created": "created_at", "updated": "updated_at", "organization": "organization_id"},
    "organization": {"created": "created_at", "updated": "updated_at"},
}
