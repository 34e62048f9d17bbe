"""One transaction's hands: plain SQL with named marks, the same text on both databases.

The queries are few and known, so they are written as SQL; SQLAlchemy owns schema, migrations and connections.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]
Dialect = Literal["sqlite", "postgresql"]
_MARK = re.compile(r"(?<![:\w]):([a-z_]\w*)")
#: how long a write waits for another process that holds the SQLite file
PATIENCE_MS = 10_000


class StoreUnavailable(Exception):
    """The database cannot take writes now (gone, full, locked for too long). Nothing was acknowledged."""


@lru_cache(maxsize=1024)
def _for_postgresql(sql: str) -> str:
    return _MARK.sub(r"%(\1)s", sql.replace("%", "%%"))


class Transaction:
    """Runs SQL on one open connection. ``:name`` marks values; ``share`` and ``skip`` are the dialect's row locks."""

    def __init__(self, connection: Any, dialect: Dialect, file: Path | None = None) -> None:
        """``file``: the SQLite file, which must stay the one that was opened."""
        self._connection, self._patient = connection, True
        self._file = os.fspath(file) if file else None
        self._identity = _identity(self._file) if self._file else None
        self.dialect = dialect
        self.share = " FOR SHARE" if dialect == "postgresql" else ""
        self.lock = " FOR UPDATE" if dialect == "postgresql" else ""
        self.skip = " FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""

    def _execute(self, sql: str, values: Mapping[str, Any]) -> Any:
        if self.dialect == "postgresql":
            return self._connection.execute(_for_postgresql(sql), values, prepare=True)
        return self._connection.execute(sql, values)

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> int:
        """Run one statement; the number of rows it touched."""
        count: int = self._execute(sql, values or {}).rowcount
        return count

    def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows, as dicts."""
        found: list[Row] = self._execute(sql, values or {}).fetchall()
        return found

    def row(self, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
        """The first row, or None."""
        found: Row | None = self._execute(sql, values or {}).fetchone()
        return found

    def value(self, sql: str, values: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, values)
        return None if found is None else next(iter(found.values()))

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert one row."""
        self._execute(_insert(table, tuple(row)), row)

    def insert_many(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that have the same columns."""
        sql = _insert(table, tuple(rows[0]))
        if self.dialect == "postgresql":
            with self._connection.cursor() as cursor:
                cursor.executemany(_for_postgresql(sql), rows)
        else:
            self._connection.executemany(sql, rows)

    def insert_new(self, table: str, row: Mapping[str, Any]) -> bool:
        """Insert one row unless it is there; whether it was new."""
        return self.run(_insert(table, tuple(row)) + " ON CONFLICT DO NOTHING", row) > 0

    def begin(self, *, patient: bool = True) -> None:
        """Begin; on SQLite with the write lock, so that nobody comes between. Not ``patient``: fail if it is taken."""
        if self.dialect != "sqlite":
            return
        self.same_file()
        if patient is not self._patient:
            self._connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS if patient else 0}")
            self._patient = patient
        self._connection.execute("BEGIN IMMEDIATE")

    def same_file(self) -> None:
        """Raise sqlite3.OperationalError where the file was removed or replaced: what is written is found by nobody."""
        if self._file is not None and _identity(self._file) != self._identity:
            raise sqlite3.OperationalError(f"{self._file} was removed or replaced while it was open")

    def commit(self) -> None:
        """Commit."""
        if self.dialect == "sqlite":
            self._connection.execute("COMMIT")
        else:
            self._connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        if self.dialect == "postgresql" or self._connection.in_transaction:
            self._connection.rollback()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def _identity(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - asked at every read
    except OSError:
        return None
    return found.st_dev, found.st_ino


@lru_cache(maxsize=256)
def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + c for c in columns)})"
