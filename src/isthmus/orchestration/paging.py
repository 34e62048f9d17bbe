"""The pages of a polled channel: which call comes first, what a page holds, which call follows it.

Where the next poll goes on is a ``Mark``, and a mark is made here alone, of what a page of the source holds: neither our
clock nor the time of the call moves a cursor, so that what becomes visible late, or while pages are read, is not passed
over. Pages by offset shift when a row is changed between two of them; so the next page is asked for anew, after the
last row (keyset), except where the vendor keeps the rows of the first page's moment for us (locator).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isthmus.catalogue.connector import Inbound, Request
from isthmus.connectivity.inbound.split import Part, Splitter
from isthmus.connectivity.outbound.trouble import following as next_call
from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.connectivity.transport.connection import Connection
from isthmus.landscape.release import Release
from isthmus.store.messages import NewMessage

#: a tie that stands before every other
_BEFORE_ALL = "0"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a source was read, in its own words: the last row's time and tie, or the source's position."""

    value: str
    tie: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What came: messages, how far that is (None: no news of it), and the call for the page that follows.

    ``in_order``: nothing older can follow, so that the cursor may move to ``mark`` before the last page is read.
    """

    messages: Sequence[NewMessage]
    mark: Mark | None
    in_order: bool
    following: Call | None


class StandingStill(Exception):
    """The source says that more follows, and leads to the same page again."""


class Paging:
    """Pages of one channel of one connection."""

    def __init__(self, release: Release, wire: Connection, connection: str, name: str, channel: Inbound) -> None:
        assert channel.cursor is not None
        self._release, self._wire, self._connection, self._name = release, wire, connection, name
        self._channel, self._cursor = channel, channel.cursor
        self._splitter = Splitter(channel, file=f"{connection} {name}")

    def first(self, mark: Mark | None, start: datetime) -> Call:
        """The first page's call: from ``mark`` on (by value: from the overlap before it), else from ``start`` on."""
        if mark is not None and self._cursor.position:
            return self._from_position(mark)
        since = start if mark is None else time_of(mark.value) - self._cursor.overlap
        return self._from_value(since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), _BEFORE_ALL)

    def page(self, answer: Answer, asked: Mark | None) -> Page:
        """What an answer holds; ``asked`` is the mark of the page before it in this poll. Raises StandingStill."""
        parts = self._splitter.split(answer.body)
        mark, in_order = self._mark(answer.body, parts)
        messages = [NewMessage(part.id, part.subject, part.type, part.version, part.body) for part in parts]
        following = self._following(answer, mark if in_order else None, asked)
        return Page(messages, mark, in_order, following)

    def further(self, mark: Mark | None, than: Mark | None) -> bool:
        """Whether ``mark`` is further than another: a cursor never goes back."""
        if mark is None or than is None or self._cursor.position:
            return mark is not None
        return time_of(mark.value) >= time_of(than.value)

    def _mark(self, body: Any, parts: Sequence[Part]) -> tuple[Mark | None, bool]:
        if self._cursor.position:
            position = self._applied(self._cursor.position, body)
            return (Mark(str(position)) if position else None), True
        rows = [(self._applied(self._cursor.field, p.body), self._applied(self._cursor.tie, p.body)) for p in parts]
        marks = [Mark(str(value), str(tie)) for value, tie in rows if value is not None]
        times = [time_of(mark.value) for mark in marks]
        if not marks:
            return None, True
        newest = max(range(len(marks)), key=lambda at: (times[at], at))
        return marks[newest], self._cursor.sorted and times == sorted(times)

    def _following(self, answer: Answer, mark: Mark | None, asked: Mark | None) -> Call | None:
        if self._cursor.position:
            if mark is None or not self._applied(self._cursor.more, answer.body):
                return None
            following: Call | None = self._from_position(mark)
        else:
            following = next_call(self._wire, answer, f"poll of {self._name}", None)
            # a source whose times are finer than it shows them answers the same again: then its own link leads on
            if following is not None and self._cursor.pages == "keyset" and mark is not None and mark != asked:
                following = self._from_value(mark.value, mark.tie or "")
        if following is not None and answer.call is not None and following.path == answer.call.path:
            raise StandingStill(f"{self._connection} leads from {following.path} to the same again")
        return following

    def _from_value(self, value: str, tie: str) -> Call:
        at = time_of(value)
        context = {
            "cursor": value,
            "cursor_tie": tie,
            "cursor_unix": str(int(at.timestamp())),
            "cursor_day": at.strftime("%Y-%m-%d"),
            "cursor_time": at.strftime("PT%HH%MM%SS"),
        }
        return self._rendered(Request(request=self._channel.request or "", query=self._channel.query), context)

    def _from_position(self, mark: Mark) -> Call:
        request = Request(request=self._cursor.request or "", query=self._cursor.query)
        return self._rendered(request, {"position": mark.value})

    def _rendered(self, request: Request, context: dict[str, Any]) -> Call:
        settings = self._release.public_settings(self._connection)
        return self._wire.render(request, {**context, "settings": settings})

    def _applied(self, expression: str | None, value: Any) -> Any:
        return self._release.expression(expression)(value) if expression else None


def time_of(value: Any) -> datetime:
    """A source's time: ISO 8601 with any offset (none is UTC), a date, or Unix seconds."""
    text = str(value)
    if text.replace(".", "", 1).isdigit():
        return datetime.fromtimestamp(float(text), UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
