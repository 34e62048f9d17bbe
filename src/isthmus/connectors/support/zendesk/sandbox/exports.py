"""Incremental exports: what changed since a moment, deleted rows included, the last minute left out.

Tickets and users by cursor, all three kinds by time. A page of the time form holds all rows of its last second, and
the next page begins with that second again: rows come twice, as the vendor says they may. Source:
developer.zendesk.com, "Incremental exports"; the minute: support.zendesk.com article 8143500919322.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On
from isthmus.connectors.support.zendesk.sandbox.answers import ok, refusal
from isthmus.connectors.support.zendesk.sandbox.pages import link, read_cursor, written_cursor
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

PAGE_MAX = 1000
SETTLES_S = 60.0


class Exports:
    """Endpoints below ``/incremental``."""

    def __init__(self, account: Account, shows: Mapping[str, Callable[[Row, str], Row]]) -> None:
        """``shows`` turns a stored body into what goes out, by kind of row."""
        self._account, self._shows = account, shows

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        for kind in ("ticket", "user"):
            on("GET", f"/incremental/{kind}s/cursor", self._by_cursor, admin=True)
        for kind in ("ticket", "user", "organization"):
            on("GET", f"/incremental/{kind}s", self._by_time, admin=True)

    def _by_cursor(self, request: Request, caller: Caller) -> Answer:
        kind, size = _kind(request), _size(request)
        cursor = request.argument("cursor")
        place = read_cursor(cursor, 2) if cursor else [self._start(request), 0]
        sql = f"SELECT id, generated, body FROM {kind} WHERE (generated, id) > (?, ?) AND generated <= ?"  # noqa: S608
        rows = self._account.world.rows(f"{sql} ORDER BY generated, id LIMIT ?", [*place, self._settled(), size + 1])
        more, rows = len(rows) > size, rows[:size]
        after = written_cursor([rows[-1]["generated"], rows[-1]["id"]] if rows else place)
        before = written_cursor(place) if cursor else None
        return ok(
            {
                f"{kind}s": [self._show(request, kind, row) for row in rows],
                "after_url": _turned(request, after),
                "after_cursor": after,
                "before_url": _turned(request, before) if before else None,
                "before_cursor": before,
                "end_of_stream": not more,
            }
        )

    def _by_time(self, request: Request, caller: Caller) -> Answer:
        kind, size, start = _kind(request), _size(request), self._start(request)
        sql = f"SELECT id, generated, body FROM {kind} WHERE generated >= ? AND generated < ? AND generated <= ?"  # noqa: S608
        ordered, settled, world = " ORDER BY generated, id", self._settled(), self._account.world
        rows = world.rows(f"{sql}{ordered} LIMIT ?", [start, settled + 1, settled, size])
        full = len(rows) == size
        end = int(rows[-1]["generated"]) if rows else int(start)
        if full:  # the whole of the last second belongs to this page
            rows = world.rows(f"{sql}{ordered}", [start, end + 1, settled])
        more = world.value(f"SELECT count(*) FROM {kind} WHERE generated >= ? AND generated <= ?", [end + 1, settled])  # noqa: S608
        return ok(
            {
                f"{kind}s": [self._show(request, kind, row) for row in rows],
                "count": len(rows),
                "end_of_stream": not more,
                "end_time": end,
                "next_page": link(request, {"start_time": str(end)}),
            }
        )

    def _show(self, request: Request, kind: str, row: Row) -> Row:
        shown = self._shows[kind](json.loads(row["body"]), request.root)
        return {**shown, "generated_timestamp": int(row["generated"])} if kind == "ticket" else shown

    def _settled(self) -> float:
        return self._account.clock.timestamp() - SETTLES_S

    def _start(self, request: Request) -> float:
        text: Any = request.argument("start_time")
        if text is None or not str(text).isdigit():
            raise refusal(400, "InvalidValue", "start_time is required and must be a Unix time")
        if int(text) > self._settled():
            raise refusal(400, "InvalidValue", "Too recent start_time. Use a start_time older than 1 minute")
        return float(text)


def _kind(request: Request) -> str:
    return request.raw_path.split("/")[4].removesuffix("s")


def _size(request: Request) -> int:
    text = request.argument("per_page") or str(PAGE_MAX)
    if not text.isdigit() or not 1 <= int(text) <= PAGE_MAX:
        raise refusal(400, "InvalidValue", f"per_page must be a number from 1 to {PAGE_MAX}")
    return int(text)


def _turned(request: Request, cursor: str) -> str:
    kept = {name: value for name, value in request.query if name in ("per_page", "include")}
    plain = Request("GET", request.path, request.raw_path, "", request.headers, b"", request.root)
    return link(plain, {"cursor": cursor, **kept})
