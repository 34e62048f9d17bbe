"""Lists in pages: by cursor (``page[size]``, ``page[after]``) and, as of old, by number (``page``, ``per_page``).

Source: developer.zendesk.com, "Paginating through lists using cursor pagination" and "using offset pagination".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from isthmus.connectors.support.zendesk.sandbox.answers import bad_attribute, listed_error, refusal
from isthmus.sandkit.routes import Request
from isthmus.sandkit.world import Row, World

PAGE_MAX = 100
#: numbered pages end here
OFFSET_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list shows: the key of the answer, the table, a condition, and what it may be sorted by."""

    name: str
    table: str
    where: str = "1"
    values: Sequence[Any] = ()
    sorts: Mapping[str, str] = field(default_factory=lambda: {"id": "id"})
    sort: str = "id"


def page(
    request: Request, world: World, listing: Listing, show: Callable[[Row], Row], *, by_cursor: bool = False
) -> Row:
    """One page of a list, in the form the caller asked for; ``by_cursor`` where a list has no other.

    ``show`` turns a stored body into what goes out.
    """
    arguments = dict(request.query)
    if by_cursor or any(name.startswith("page[") for name in arguments):
        return _cursor_page(request, arguments, world, listing, show)
    return _numbered_page(request, arguments, world, listing, show)


def numbered(request: Request, name: str, found: Sequence[Any], show: Callable[[Any], Row], *, most: int) -> Row:
    """One numbered page of something already found (search); ``most`` is how deep pages may go."""
    number, size = _number_and_size(dict(request.query))
    if (number - 1) * size >= most and number > 1:
        sentence = "Invalid search: Requested response size was greater than Search Response Limits"
        raise refusal(422, "invalid", sentence)
    rows = [show(row) for row in found[(number - 1) * size : min(number * size, most)]]
    reachable = min(len(found), most)
    return {name: rows, **_numbers(request, number, more=number * size < reachable, count=len(found))}


def all_of(name: str, rows: list[Row]) -> Row:
    """Something short, listed whole in the form of a numbered page."""
    return {name: rows, "next_page": None, "previous_page": None, "count": len(rows)}


def cursor_size(arguments: Mapping[str, str], most: int = PAGE_MAX) -> int:
    """``page[size]``, refused where it is beyond what one page may hold."""
    text = arguments.get("page[size]") or str(PAGE_MAX)
    size = int(text) if text.isdigit() else 0
    if not 1 <= size <= most:
        detail = f"page[size] must be a number from 1 to {most}"
        raise listed_error(400, "InvalidPaginationParameter", "Invalid page size", detail)
    return size


def written_cursor(values: Sequence[Any]) -> str:
    """A cursor: opaque to callers."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode()


def read_cursor(text: str, length: int) -> list[Any]:
    """What a cursor stands for; refuses what we did not write."""
    try:
        values = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, binascii.Error):
        values = None
    if not isinstance(values, list) or len(values) != length:
        raise listed_error(400, "InvalidCursor", "Invalid cursor", "The cursor is not one that this list gave out")
    return values


def link(request: Request, changes: Mapping[str, str]) -> str:
    """This request's own address with some query parameters changed."""
    kept = [(name, value) for name, value in request.query if name not in changes and not name.startswith("page[")]
    return f"{request.root}{request.path}?{urlencode([*kept, *changes.items()])}"


def _cursor_page(
    request: Request, arguments: Mapping[str, str], world: World, listing: Listing, show: Callable[[Row], Row]
) -> Row:
    size = cursor_size(arguments)
    column, falling = _sort(listing, arguments.get("sort") or "")
    before = arguments.get("page[before]")
    cursor = before or arguments.get("page[after]")
    backwards = falling != bool(before)
    where, values = f"({listing.where})", list(listing.values)
    if cursor:
        where += f" AND ({column}, id) {'<' if backwards else '>'} (?, ?)"
        values += read_cursor(cursor, 2)
    way = "DESC" if backwards else "ASC"
    sql = f"SELECT id, {column} AS place, body FROM {listing.table} WHERE {where}"  # noqa: S608
    rows = world.rows(f"{sql} ORDER BY {column} {way}, id {way} LIMIT ?", [*values, size + 1])
    more = len(rows) > size
    rows = rows[:size]
    if before:
        rows.reverse()
    first, last = ([row["place"], row["id"]] for row in (rows[0], rows[-1])) if rows else (None, None)
    after = written_cursor(last) if last else None
    previous = written_cursor(first) if first else None
    turn = {"page[size]": str(size)}
    return {
        listing.name: [show(json.loads(row["body"])) for row in rows],
        "meta": {"has_more": more, "after_cursor": after, "before_cursor": previous},
        "links": {
            "prev": link(request, {"page[before]": previous, **turn}) if previous and cursor else None,
            "next": link(request, {"page[after]": after, **turn}) if after and (more or before) else None,
        },
    }


def _numbered_page(
    request: Request, arguments: Mapping[str, str], world: World, listing: Listing, show: Callable[[Row], Row]
) -> Row:
    number, size = _number_and_size(arguments)
    if number * size > OFFSET_MAX:
        raise refusal(400, "InvalidPaginationDepth", f"Offset pagination ends after {OFFSET_MAX} records")
    column, falling = _sort(listing, arguments.get("sort_by") or "")
    way = "DESC" if falling or arguments.get("sort_order") == "desc" else "ASC"
    count = world.value(f"SELECT count(*) FROM {listing.table} WHERE {listing.where}", listing.values)  # noqa: S608
    sql = f"SELECT body FROM {listing.table} WHERE {listing.where} ORDER BY {column} {way}, id {way}"  # noqa: S608
    rows = world.rows(f"{sql} LIMIT ? OFFSET ?", [*listing.values, size, (number - 1) * size])
    shown = [show(json.loads(row["body"])) for row in rows]
    return {listing.name: shown, **_numbers(request, number, more=number * size < count, count=count)}


def _numbers(request: Request, number: int, *, more: bool, count: int) -> Row:
    return {
        "next_page": link(request, {"page": str(number + 1)}) if more else None,
        "previous_page": link(request, {"page": str(number - 1)}) if number > 1 else None,
        "count": count,
    }


def _number_and_size(arguments: Mapping[str, str]) -> tuple[int, int]:
    texts = arguments.get("page") or "1", arguments.get("per_page") or str(PAGE_MAX)
    if not all(text.isdigit() and int(text) for text in texts):
        raise bad_attribute("page", "an integer of at least 1")
    return int(texts[0]), min(int(texts[1]), PAGE_MAX)


def _sort(listing: Listing, asked: str) -> tuple[str, bool]:
    name = asked.removeprefix("-") or listing.sort
    column = listing.sorts.get(name)
    if column is None:
        raise listed_error(400, "InvalidSort", "Invalid sort", f"sort must be one of {', '.join(listing.sorts)}")
    return column, asked.startswith("-")
