"""The store: opens the database, writes through group commit, reads beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from isthmus.store.clock import Clock, Sleep, system_clock
from isthmus.store.commit import GroupCommit
from isthmus.store.commit_in_loop import CommitInLoop
from isthmus.store.transaction import PATIENCE_MS, Dialect, Row, StoreUnavailable, Transaction

T = TypeVar("T")
#: a PostgreSQL that does not answer is noticed, where its address says nothing else (libpq's own words; seconds, ms)
_PATIENCE_THERE: dict[str, str | int] = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000, "application_name": "isthmus",
    # a process that is frozen in the middle of a transaction must not keep its locks for ever
    "options": "-c idle_in_transaction_session_timeout=3000",
}  # fmt: skip


def sqlite_row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    """A row of SQLite as PostgreSQL's driver gives it."""
    return dict(zip([column[0] for column in cursor.description], values, strict=True))


class Store:
    """All truth, in one database: ``sqlite:///path`` (one machine) or ``postgresql://…`` (many workers).

    ``write`` waits for its commit, ``ride`` does not; both keep their order. ``read`` sees what is committed.
    """

    def __init__(self, url: str, clock: Clock = system_clock, sleep: Sleep = asyncio.sleep) -> None:
        """``sleep`` is how pauses pass that are measured by ``clock``: a test's clock moves instead of waiting."""
        self.url, self.clock, self.sleep = url, clock, sleep
        self.dialect: Dialect = "postgresql" if url.startswith("postgres") else "sqlite"
        self._lost = _losses(self.dialect)
        committing = CommitInLoop if self.dialect == "sqlite" else GroupCommit
        self._commit = committing(self._connect, self._lost)
        self._local: Transaction | None = None
        self._threads = (
            ThreadPoolExecutor(4, thread_name_prefix="isthmus-reader") if self.dialect == "postgresql" else None
        )
        self._readers: list[Transaction] = []
        self._notes: dict[str, list[Row]] = {}
        self._noting = threading.Lock()

    async def write(self, work: Callable[[Transaction], T], *, whole: Hashable | None = None) -> T:
        """Run ``work`` in the writer and wait for its commit. Raises StoreUnavailable, or what ``work`` raised.

        ``whole`` names somebody whose rides must all have landed: where one was lost, its error is raised instead.
        """
        result: T = await self._commit.submit(work, whole=whole)
        return result

    def ride(self, work: Callable[[Transaction], T], *, of: Hashable | None = None) -> asyncio.Future[T]:
        """Run ``work`` in order with the other writes; the caller need not wait. A loss is counted, and told ``of``."""
        return self._commit.submit(work, rides=True, of=of)

    def note(self, table: str, row: Row) -> None:
        """Insert a row some time soon, together with others of its table that come meanwhile; nobody waits."""
        with self._noting:
            if (rows := self._notes.get(table)) is None:
                rows = self._notes[table] = []
                riding = self.ride(lambda tx: self._insert_notes(tx, table, rows))
                # also where the database was gone and nothing was run
                riding.add_done_callback(lambda _: self._close_notes(table, rows))
            rows.append(row)

    def _insert_notes(self, tx: Transaction, table: str, rows: list[Row]) -> None:
        self._close_notes(table, rows)
        tx.insert_many(table, rows)

    def _close_notes(self, table: str, rows: list[Row]) -> None:
        """Nothing joins these rows any more."""
        with self._noting:
            if self._notes.get(table) is rows:
                del self._notes[table]

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run a query on what is committed."""
        if self._threads is None:
            return self._read_here(work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read_there, work)

    def close(self) -> None:
        """Write what is queued and let go of the database."""
        self._commit.close()
        if self._threads is not None:
            self._threads.shutdown()
        for reader in [*self._readers, *([self._local] if self._local else [])]:
            reader._connection.close()

    @property
    def batches(self) -> tuple[int, int]:
        """How many batches were committed, and how many members they had."""
        return self._commit.batches, self._commit.members

    def _read_here(self, work: Callable[[Transaction], T]) -> T:
        try:
            if self._local is None:
                self._local = self._connect()
            self._local.same_file()
            return work(self._local)
        except self._lost as error:
            self._local = None
            raise StoreUnavailable(f"the database cannot be read: {error}") from error

    def _read_there(self, work: Callable[[Transaction], T]) -> T:
        with suppress(IndexError, *self._lost):
            return self._read_by(self._readers.pop(), work)
        # none was open, or it was of before a restart of the database, as the others are then
        self._readers.clear()
        try:
            return self._read_by(self._connect(), work)
        except self._lost as error:
            raise StoreUnavailable(f"the database cannot be read: {error}") from error

    def _read_by(self, reader: Transaction, work: Callable[[Transaction], T]) -> T:
        try:
            result = work(reader)
            reader.commit()
        except self._lost:
            raise
        except BaseException:
            reader.rollback()
            self._readers.append(reader)
            raise
        self._readers.append(reader)
        return result

    def _connect(self) -> Transaction:
        return self.open_connection(self.url)

    @staticmethod
    def open_connection(url: str) -> Transaction:
        """A connection of its own, for a thread of its own."""
        if not url.startswith("postgres"):
            path = sqlite_path(url)
            return Transaction(open_sqlite(path), "sqlite", path)
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
        from psycopg.rows import dict_row

        told = conninfo_to_dict(url.replace("postgresql+psycopg", "postgresql"))
        address = make_conninfo("", **{**_PATIENCE_THERE, **told})
        return Transaction(psycopg.connect(address, row_factory=dict_row), "postgresql")


@contextmanager
def connected(url: str) -> Iterator[Transaction]:
    """A connection for a block that asks a little, without a store around it. Raises StoreUnavailable."""
    try:
        transaction = Store.open_connection(url)
        try:
            yield transaction
        finally:
            transaction.close()
    except _losses("postgresql" if url.startswith("postgres") else "sqlite") as error:
        raise StoreUnavailable(f"the database cannot be read: {error}") from error


def _losses(dialect: Dialect) -> tuple[type[BaseException], ...]:
    """The errors of a database that is away, full or locked."""
    if dialect == "sqlite":
        return (sqlite3.OperationalError,)
    import psycopg

    return (psycopg.OperationalError, psycopg.InterfaceError)


def sqlite_path(url: str) -> Path:
    """The file of ``sqlite:///relative`` or ``sqlite:////absolute``."""
    return Path(url.removeprefix("sqlite:///"))


#: a checkpoint syncs file and log: after 16 MB of log instead of 4
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=4000",
    "temp_store=MEMORY",
    "cache_size=-32000",
)


def open_sqlite(path: Path) -> sqlite3.Connection:
    """A connection in autocommit with WAL and full durability. The file must be there: ``migrate`` makes it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True,
        isolation_level=None, check_same_thread=False, timeout=PATIENCE_MS / 1000, cached_statements=512,
    )  # fmt: skip
    connection.row_factory = sqlite_row
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection
