"""The kinds of long work: forget old contents, publish the audit's head, read a channel's past again, write in bulk.

Each step may run twice and does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from isthmus.catalogue.durations import parse_duration
from isthmus.connectivity.transport.answer import Call
from isthmus.governance import audit_heads, retention
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.jobs.asking import Again, ask
from isthmus.orchestration.jobs.bulk import BulkWrite
from isthmus.orchestration.jobs.port import Batch, Work
from isthmus.orchestration.paging import Mark, Paging
from isthmus.store import calls, keys, messages
from isthmus.store.clock import instant
from isthmus.store.retention import KINDS

PAGE = 500


def works(engine: Engine, wake: Callable[[], None]) -> dict[str, Work]:
    """Kind → its step, over one engine."""
    return {
        "retention": Retention(engine).step,
        "answers": KeptAnswers(engine).step,
        "audit-head": AuditHead(engine).step,
        "backfill": Backfill(engine, wake).step,
        "bulk": BulkWrite(engine, wake).step,
    }


class Retention:
    """Forgets contents that are kept no longer: as the landscape says, or as ``keep`` does (kind → duration)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Forget a page of one kind; the cursor is the kind that it is the turn of."""
        asked = arguments.get("keep")
        keep = (
            self._engine.release.retention if asked is None else {kind: parse_duration(asked[kind]) for kind in asked}
        )
        left = [kind for kind in KINDS if kind in keep]
        left = left[left.index(cursor) :] if cursor in left else left
        if not left:
            return Batch(0, cursor=None)
        done = await retention.forget_page(self._engine.store, left[0], keep[left[0]])
        following = left if done else left[1:]
        return Batch(done, cursor=following[0] if following else None)


class KeptAnswers:
    """Forgets answers of our own API that were kept for a repeat under their Idempotency-Key."""

    def __init__(self, engine: Engine) -> None:
        self._store = engine.store

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Forget a page of them."""
        before = instant(self._store.clock() - keys.ANSWERS_KEPT)
        done = await self._store.write(lambda tx: keys.forget_answers(tx, before, PAGE))
        return Batch(done, cursor="more" if done == PAGE else None)


class AuditHead:
    """Signs the end of the audit's chain and publishes it outside, where the landscape says where."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Publish once."""
        release, store = self._engine.release, self._engine.store
        if release.audit is None:
            return Batch(0, cursor=None)
        now = store.clock()
        head = await store.read(lambda tx: audit_heads.head_now(tx, release.name, release.environment.name, now))
        places = await asyncio.to_thread(audit_heads.publish, head, release.audit, release.folder)
        return Batch(len(places), cursor=None)


class Backfill:
    """Reads a polled channel again from ``since`` (ISO 8601), page by page; what is known already is dropped by its id."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine, self._wake = engine, wake

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Read one page and store its messages."""
        name, channel_name = arguments["connection"], arguments["channel"]
        release, wire = self._engine.release, self._engine.connections[name]
        channel = release.connections[name].connector.inbound[channel_name]
        paging = Paging(release, wire, name, channel_name, channel)
        first = paging.first(None, datetime.fromisoformat(arguments["since"]))
        call = first if cursor is None else Call("GET", cursor["path"], first.headers, None)
        try:
            answer = await ask(self._engine, name, call)
        except Again:
            return Batch(0, cursor={"path": call.path, "asked": cursor and cursor["asked"]})
        page = paging.page(answer, Mark(*cursor["asked"]) if cursor and cursor["asked"] else None)
        row = calls.call_row(name, channel_name, answer.raw, self._engine.store.clock())
        await self._engine.store.write(lambda tx: messages.store_call(tx, row, page.messages) if page.messages else 0)
        self._wake()
        asked = [page.mark.value, page.mark.tie] if page.mark else None
        goes_on = {"path": page.following.path, "asked": asked} if page.following else None
        return Batch(len(page.messages), cursor=goes_on)
