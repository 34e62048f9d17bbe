"""Long and scheduled work behind a small port: enqueue, schedule, progress, cancel, list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one recorded step did: about 500 records. ``cursor`` is where the next step goes on; None: it is over."""

    done: int
    cursor: Any = None


#: one step of a kind of work: (arguments, cursor) → what it did; may run again after a death, so it must be harmless twice
Work = Callable[[Mapping[str, Any], Any], Awaitable[Batch]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. ``done`` counts records."""

    id: str
    kind: str
    state: JobState
    done: int
    error: str | None = None


class Jobs(Protocol):
    """What the rest of Isthmus knows of the engine."""

    async def enqueue(self, kind: str, arguments: Mapping[str, Any], *, key: str) -> str:
        """Queue a job, once for each ``key``; its id."""

    async def schedule(self, name: str, kind: str, arguments: Mapping[str, Any], cron: str) -> None:
        """Have a job queued by a cron expression (UTC); the same name replaces its earlier schedule."""

    async def progress(self, job_id: str) -> Progress | None:
        """How far it is; None where there is no such job."""

    async def cancel(self, job_id: str) -> None:
        """Stop at the next step."""

    async def list(self, limit: int = 100) -> list[Progress]:
        """Jobs, newest first."""

    async def hand_on(self, living: set[str]) -> int:
        """Give the pending jobs of workers that are not ``living`` to the queue again; how many."""
