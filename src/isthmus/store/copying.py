"""Copies of a SQLite database while it is written, by SQLite's online backup, and such a copy put in its place.

(https://www.sqlite.org/backup.html) What is beside it, the engine of jobs' own file, is copied the same way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from isthmus.store import epoch
from isthmus.store.store import open_sqlite, sqlite_row
from isthmus.store.transaction import StoreUnavailable, Transaction

T = TypeVar("T")
Progress = Callable[[int, int], None]
MAGIC = b"SQLite format 3\x00"
_PAGES = 256


def copy(source: Path, target: Path, told: Progress, *, copied_at: str | None = None) -> None:
    """Copy a database as it is at one moment, whoever writes meanwhile; ``copied_at`` marks the copy as one.

    ``told(done, of)`` hears of the progress in pages. Raises StoreUnavailable where the source cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as reading:
            # one read transaction over the whole copy: else every write of others begins it again
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(target)) as writing:
                reading.backup(writing, pages=_PAGES, progress=lambda _, left, of: told(of - left, of))
                if copied_at is not None:
                    epoch.mark(Transaction(writing, "sqlite"), copied_at)
                writing.commit()
                writing.execute("PRAGMA journal_mode=DELETE")
                if (found := writing.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
                    raise StoreUnavailable(f"{source} is damaged: {found}")
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(f"{source} cannot be copied to {target}: {error}") from error
    _to_disk(target)


def asked(file: Path, work: Callable[[Transaction], T]) -> T:
    """Ask a copy, and leave it as it is."""
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite_row
        return work(Transaction(connection, "sqlite"))


def is_open(file: Path) -> bool:
    """Whether somebody has the database open. What is in its write-ahead log is brought into the file otherwise."""
    with closing(open_sqlite(file)) as connection:
        connection.execute("PRAGMA busy_timeout=0")
        try:
            # leaving WAL needs the file for oneself
            return bool(connection.execute("PRAGMA journal_mode=DELETE").fetchone()["journal_mode"] != "delete")
        except sqlite3.OperationalError:
            return True


def put_in_place(copied: Path, target: Path, aside: Path) -> None:
    """Put a copy where the database is, in one step; what was there is kept as ``aside``."""
    if target.exists():
        os.link(target, aside)
    for left in (target.with_name(f"{target.name}-wal"), target.with_name(f"{target.name}-shm")):
        left.unlink(missing_ok=True)
    copied.replace(target)
    _to_disk(target.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
