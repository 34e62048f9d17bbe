"""Whether the engine of jobs is needed: in memory it is a third of a worker, so it is started for work, not for its own sake.

There is work where its tables hold a job that has not ended, whoever asked for it, and shortly before what is done every
night. Its tables are looked at as its documentation describes them (docs.dbos.dev, "System Tables").
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

_OPEN = "SELECT 1 AS one FROM {} WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED') LIMIT 1"
_EARLY = timedelta(minutes=10)


class Nightly(NamedTuple):
    """What is done once a day, at a time in UTC."""

    name: str
    kind: str
    hour: int
    minute: int

    @property
    def cron(self) -> str:
        """The same as a cron expression."""
        return f"{self.minute} {self.hour} * * *"


NIGHTLY = (
    Nightly("publish the audit's head", "audit-head", 0, 7),
    Nightly("forget old contents", "retention", 3, 17),
    Nightly("forget kept answers", "answers", 3, 27),
)


async def needed(store: Store, url: str) -> bool:
    """Whether there is work for the engine now, or will be in a few minutes."""
    if any(soon(each, store.clock()) for each in NIGHTLY):
        return True
    if url.startswith("postgres"):
        return await store.read(_open_there)
    return await asyncio.to_thread(_open_here, Path(system_url(url).removeprefix("sqlite:///")))


def soon(nightly: Nightly, now: datetime) -> bool:
    """Whether it is due within a few minutes."""
    at = now.replace(hour=nightly.hour, minute=nightly.minute, second=0, microsecond=0)
    return timedelta(0) <= (at if at >= now else at + timedelta(days=1)) - now <= _EARLY


def system_url(url: str) -> str:
    """Where the engine keeps its tables: beside a SQLite file, in a schema of its own on PostgreSQL."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return f"sqlite:///{path.with_name(path.stem + '.jobs.sqlite')}"
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _open_here(path: Path) -> bool:
    if not path.exists():
        return False
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute(_OPEN.format("workflow_status")).fetchone() is not None
        except sqlite3.OperationalError:  # somebody is just making the tables
            return False


def _open_there(tx: Transaction) -> bool:
    if tx.value("SELECT to_regclass('dbos.workflow_status') AS found") is None:
        return False
    return tx.value(_OPEN.format("dbos.workflow_status")) is not None
