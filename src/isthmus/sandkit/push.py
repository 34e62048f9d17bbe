"""What a vendor pushes: queued in the world with the change itself, delivered until acknowledged.

At least once, and not in order: exactly what vendors promise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.world import Row, World

_TABLE = """
CREATE TABLE IF NOT EXISTS _push (
  number INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL, about TEXT NOT NULL, context TEXT NOT NULL,
  body BLOB NOT NULL, due_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'queued',
  answer TEXT);
CREATE INDEX IF NOT EXISTS _push_due ON _push (state, due_at);
"""


@dataclass(frozen=True, slots=True)
class PushPolicy:
    """How a vendor delivers.

    ``prepare(row, timestamp)`` gives the headers of one attempt (signatures carry the time of the attempt);
    ``acknowledged(status, body)`` says whether the receiver took it; ``pauses_s`` are the pauses between
    attempts, after the last of which the delivery is given up.
    """

    prepare: Callable[[Row, float], Mapping[str, str]]
    acknowledged: Callable[[int, bytes], bool]
    pauses_s: tuple[float, ...] = (1, 5, 30, 300, 3600)
    timeout_s: float = 10.0


class Push:
    """The queue and its delivery. ``enqueue`` belongs inside the handler, ``run`` is a task of the host."""

    def __init__(self, vendor: str, world: World, clock: Clock, faults: Faults, policy: PushPolicy) -> None:
        self._vendor, self._world, self._clock, self._faults, self._policy = vendor, world, clock, faults, policy
        self._woken = asyncio.Event()
        world.script(_TABLE)

    def enqueue(self, url: str, body: bytes, *, about: str, context: Mapping[str, Any] | None = None) -> None:
        """Queue one delivery in the current transaction. ``about`` names the event (for fault rules)."""
        fault = self._faults.pick(self._vendor, f"PUSH {about}", push=True)
        later = fault.delay_s if fault and fault.kind == "push_reordered" else 0.0
        for _ in range(2 if fault and fault.kind == "push_twice" else 1):
            row = {"url": url, "about": about, "context": json.dumps(context or {}), "body": body}
            self._world.insert("_push", {**row, "due_at": self._clock.timestamp() + later})
        self._woken.set()

    def waiting(self) -> int:
        """How many deliveries are not acknowledged yet."""
        return int(self._world.value("SELECT count(*) FROM _push WHERE state = 'queued'"))

    def redeliver(self) -> int:
        """Try everything again now that waits for another attempt, as the vendor's resend button does; how many."""
        now = self._clock.timestamp()
        late = int(self._world.value("SELECT count(*) FROM _push WHERE state = 'queued' AND due_at > ?", (now,)))
        self._world.update("_push", {"due_at": now}, {"state": "queued"})
        self._woken.set()
        return late

    async def run(self) -> None:
        """Deliver what is due, for ever; up to 32 deliveries side by side."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._policy.timeout_s)) as session:
            while True:
                self._woken.clear()
                due = self._world.rows(
                    "SELECT * FROM _push WHERE state = 'queued' AND due_at <= ? ORDER BY due_at, number LIMIT 32",
                    (self._clock.timestamp(),),
                )
                await asyncio.gather(*(self._deliver(session, row) for row in due))
                if not due:
                    await self._pause()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), 0.1)
        except TimeoutError:
            return

    async def _deliver(self, session: aiohttp.ClientSession, row: Row) -> None:
        status, answer = 0, b""
        try:
            headers = self._policy.prepare(row, self._clock.timestamp())
            async with session.post(row["url"], data=row["body"], headers=headers, allow_redirects=False) as response:
                status, answer = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            answer = type(error).__name__.encode()
        taken = self._policy.acknowledged(status, answer)
        pauses, attempts = self._policy.pauses_s, row["attempts"]
        given_up = not taken and attempts >= len(pauses)
        pause = 0.0 if taken or given_up else pauses[attempts]
        self._world.update(
            "_push",
            {
                "attempts": attempts + 1,
                "state": "taken" if taken else "given up" if given_up else "queued",
                "due_at": self._clock.timestamp() + pause,
                "answer": f"{status} {answer[:200].decode(errors='replace')}",
            },
            {"number": row["number"]},
        )
