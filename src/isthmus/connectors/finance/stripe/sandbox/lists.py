"""Lists, page by page: newest first, ``starting_after`` and ``ending_before`` an id, filters by term and by time.

docs.stripe.com/api/pagination: ``limit`` 1 to 100, 10 where it is not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.sandkit.world import Row

from .account import Account, Body, as_json, term
from .errors import ParameterError, missing_object
from .events import KEPT_S, event_text
from .operation import Ask, Operation, operation

PAGING = "limit:int starting_after ending_before"
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


_OBJECTS = "object"
_EVENTS = "event JOIN snapshot s ON s.number = snapshot"
#: the term leads, in order, so that a customer's ten newest invoices are ten rows read
_BY_TERM = (
    "(SELECT number AS at FROM term WHERE account = ? AND kind = ? AND field = ? AND value = ?) "
    "CROSS JOIN object ON object.number = at"
)


@dataclass(slots=True)
class Selection:
    """Which rows of ``source`` a list shows; every condition stands with its values, the source's come first."""

    source: str = _OBJECTS
    number: str = "object.number"
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def where(self, condition: str, *values: Any) -> None:
        """Narrow the list."""
        self.conditions.append(condition)
        self.values.extend(values)

    def within(self, column: str, limits: dict[str, int]) -> None:
        """Narrow by a range such as ``{"gte": …}``."""
        for name, value in limits.items():
            self.where(f"{column} {_COMPARISONS[name]} ?", value)

    def having(self, account: Account, kind: str, name: str, value: Any) -> None:
        """Narrow to objects of which this term is true."""
        wanted = [account.id, kind, name, term(value)]
        if self.source == _OBJECTS:
            self.source, self.number, self.values = _BY_TERM, "at", [*wanted, *self.values]
            return
        exists = "SELECT number FROM term WHERE account = ? AND kind = ? AND field = ? AND value = ?"
        self.where(f"{self.number} IN ({exists})", *wanted)

    def rows(self, account: Account, upwards: bool, limit: int) -> list[Row]:
        """The first ``limit`` rows, oldest or newest first."""
        return account.world.rows(
            f"SELECT * FROM {self.source} WHERE {' AND '.join(self.conditions)} "  # noqa: S608 - our own words
            f"ORDER BY {self.number} {'ASC' if upwards else 'DESC'} LIMIT ?",
            [*self.values, limit],
        )


def objects(account: Account, kind: str) -> Selection:
    """All objects of a kind."""
    selection = Selection()
    selection.where("object.account = ? AND object.kind = ?", account.id, kind)
    return selection


def listing(path: str, kind: str, filters: str = "", **of: str) -> Operation:
    """``GET path`` lists objects of ``kind``. ``filters`` are parameters as words; a range filters on the column of
    its name, others on the term of their name; ``of`` are terms that take their value from the address."""

    def act(account: Account, ask: Ask) -> str:
        selection = objects(account, kind)
        for name, identity in of.items():
            selection.having(account, kind, name, ask.ids[identity])
        for name, value in ask.given.items():
            if isinstance(value, dict):
                selection.within(name, value)
            elif name not in _NOT_FILTERS and value is not None:
                selection.having(account, kind, name, value)
        return page(account, ask, kind, selection, path.format(**ask.ids))

    return operation("GET", path, act, f"{filters} {PAGING}")


_NOT_FILTERS = frozenset({"limit", "starting_after", "ending_before", "expand"})


def page(account: Account, ask: Ask, kind: str, selection: Selection, url: str) -> str:
    """One page of a selection as a list object in JSON."""
    limit, name, mark = _paging(ask)
    backwards = name == "ending_before"
    if mark is not None:
        number = _number(account, kind, mark, name)
        selection.where(f"{selection.number} {'>' if backwards else '<'} ?", number)
    rows = selection.rows(account, backwards, limit + 1)
    found = rows[:limit][::-1] if backwards else rows[:limit]
    return list_text(
        [event_text(row) if kind == "event" else str(row["body"]) for row in found], url, has_more=len(rows) > limit
    )


def part(ask: Ask, kind: str, whole: list[Body], url: str) -> str:
    """One page of objects that lie inside another, in their order, as a list object in JSON."""
    limit, name, mark = _paging(ask)
    ids = [one["id"] for one in whole]
    if mark is not None and mark not in ids:
        raise missing_object(kind, mark, name)
    if name == "ending_before":
        end = ids.index(mark) if mark else len(ids)
        first, has_more = max(end - limit, 0), end > limit
    else:
        first = ids.index(mark) + 1 if mark else 0
        end, has_more = first + limit, len(ids) > first + limit
    return list_text([as_json(one) for one in whole[first:end]], url, has_more=has_more)


def _paging(ask: Ask) -> tuple[int, str, str | None]:
    """The page's size, and after (or before) which id it begins."""
    if "starting_after" in ask and "ending_before" in ask:
        raise ParameterError("You may not specify both starting_after and ending_before.", param="starting_after")
    name = "ending_before" if "ending_before" in ask else "starting_after"
    return checked_limit(ask), name, ask.get(name)


def list_text(texts: Sequence[str], url: str, *, has_more: bool, kind: str = "list", more: str = "") -> str:
    """A list object of objects that are JSON already."""
    truth = "true" if has_more else "false"
    return f'{{"object":"{kind}","data":[{",".join(texts)}],"has_more":{truth},{more}"url":{as_json(url)}}}'


def checked_limit(ask: Ask) -> int:
    """The page's size. Raises ParameterError outside 1 to 100."""
    limit: int = ask.get("limit", 10)
    if not 1 <= limit <= 100:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise ParameterError(
            f"This value must be {bound} (it currently is '{limit}').", code="parameter_invalid_integer", param="limit"
        )
    return limit


def _number(account: Account, kind: str, identity: str, param: str) -> int:
    if kind == "event":
        sql, values = "SELECT number FROM event WHERE account = ? AND id = ?", (account.id, identity)
    else:
        sql = "SELECT number FROM object WHERE account = ? AND id = ? AND kind = ?"
        values = (account.id, identity, kind)  # type: ignore[assignment]
    number = account.world.value(sql, values)
    if number is None:
        raise missing_object(kind, identity, param)
    return int(number)


def _list_events(account: Account, ask: Ask) -> str:
    if "type" in ask and "types" in ask:
        raise ParameterError("You may not specify both type and types.", param="type")
    selection = Selection(_EVENTS, "event.number")
    selection.where("account = ? AND created >= ?", account.id, account.now - KEPT_S)
    if "created" in ask:
        selection.within("created", ask["created"])
    kinds: list[str] = ask.get("types") or ([ask["type"]] if ask.get("type") else [])
    if len(kinds) > 20:
        raise ParameterError("You may list at most 20 types.", param="types")
    if kinds:
        patterns = " OR ".join("type GLOB ?" if "*" in kind else "type = ?" for kind in kinds)
        selection.where(f"({patterns})", *kinds)
    if "delivery_success" in ask:
        selection.where(f"pending {'=' if ask['delivery_success'] else '>'} 0")
    return page(account, ask, "event", selection, "/v1/events")


EVENT_LIST = operation("GET", "/v1/events", _list_events, f"created:range delivery_success:bool type types[] {PAGING}")
