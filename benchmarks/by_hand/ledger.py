"""The script's memory: SQLite with full durability, one transaction for whatever came in while the last one was synced.

Statements run in the event loop (microseconds each), the commit with its fsync in a thread. A crash loses nothing that
was awaited.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_SCHEMA = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;
CREATE TABLE IF NOT EXISTS inbox (
  id TEXT PRIMARY KEY, subject TEXT NOT NULL, body BLOB, received_at TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'new',
  problem TEXT);
CREATE INDEX IF NOT EXISTS inbox_new ON inbox (received_at) WHERE state = 'new';
CREATE TABLE IF NOT EXISTS effect (
  key TEXT PRIMARY KEY, request BLOB NOT NULL, state TEXT NOT NULL DEFAULT 'intended', sent_at TEXT NOT NULL, result BLOB);
CREATE TABLE IF NOT EXISTS link (ours TEXT, system TEXT, theirs TEXT NOT NULL, PRIMARY KEY (ours, system));
"""


class Ledger:
    """Group commit. ``write`` gives a future that is done once the statement is durable; FIFO."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN IMMEDIATE")
        self._waiting: list[asyncio.Future[int]] = []
        self._results: list[int] = []
        self._syncing = False
        self._held: list[tuple[str, tuple[Any, ...], asyncio.Future[int]]] = []
        self._thread = ThreadPoolExecutor(1)

    def write(self, sql: str, *values: Any) -> asyncio.Future[int]:
        """Run one statement; the rows it touched, once they are on disk."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._held.append((sql, values, future))
        if not self._syncing:
            self._syncing = True
            asyncio.get_running_loop().call_soon(self._begin)
        return future

    def read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows as they are, those under way included."""
        return self._db.execute(sql, values).fetchall()

    def _begin(self) -> None:
        held, self._held = self._held, []
        done = [(self._db.execute(sql, values).rowcount, future) for sql, values, future in held]
        sync = asyncio.get_running_loop().run_in_executor(self._thread, self._commit)
        sync.add_done_callback(lambda synced: self._synced(synced, done))

    def _commit(self) -> None:
        self._db.execute("COMMIT")
        self._db.execute("BEGIN IMMEDIATE")

    def _synced(self, synced: asyncio.Future[None], done: list[tuple[int, asyncio.Future[int]]]) -> None:
        for touched, future in done:
            if not future.done():
                if error := synced.exception():
                    future.set_exception(error)
                else:
                    future.set_result(touched)
        if self._held:
            self._begin()
        else:
            self._syncing = False
