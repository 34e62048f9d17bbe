"""A stand-in's world: one SQLite database of its own, whose schema can change while it lives."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def _as_dict(cursor: sqlite3.Cursor, values: Sequence[Any]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}


def quoted(name: str) -> str:
    """An SQL identifier, safely quoted."""
    return '"' + name.replace('"', '""') + '"'


class World:
    """Rows as plain dicts, transactions that nest, columns that can be added or taken away.

    Store decimals as TEXT: SQLite has no exact decimal type.
    """

    def __init__(self, path: Path | None = None) -> None:
        """``path`` is a file that survives; without it the world lives in memory."""
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._connection.row_factory = _as_dict
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._depth = 0

    def script(self, sql: str) -> None:
        """Run several statements, outside a transaction (for CREATE TABLE)."""
        self._connection.executescript(sql)

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Run one statement; the number of rows it changed."""
        return self._connection.execute(sql, values).rowcount

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Row | None:
        """The first row of a query, or None."""
        found: Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def value(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, values)
        return None if found is None else next(iter(found.values()))

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert one row."""
        columns = ", ".join(quoted(c) for c in row)
        marks = ", ".join("?" for _ in row)
        sql = f"INSERT INTO {quoted(table)} ({columns}) VALUES ({marks})"  # noqa: S608 - identifiers are quoted
        self._connection.execute(sql, list(row.values()))

    def update(self, table: str, row: Mapping[str, Any], where: Mapping[str, Any]) -> int:
        """Update the rows whose columns equal ``where``; the number of rows changed."""
        sets = ", ".join(f"{quoted(c)} = ?" for c in row)
        conditions = " AND ".join(f"{quoted(c)} = ?" for c in where)
        sql = f"UPDATE {quoted(table)} SET {sets} WHERE {conditions}"  # noqa: S608 - identifiers are quoted
        return self._connection.execute(sql, [*row.values(), *where.values()]).rowcount

    def columns(self, table: str) -> list[str]:
        """The columns of a table, in order."""
        return [row["name"] for row in self.rows(f"PRAGMA table_info({quoted(table)})")]

    def add_column(self, table: str, column: str, kind: str = "TEXT") -> None:
        """Add a column to a living table: a custom field."""
        self._connection.execute(f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(column)} {kind}")

    def drop_column(self, table: str, column: str) -> None:
        """Take a column away from a living table: a field that is gone."""
        self._connection.execute(f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(column)}")

    def next_number(self, sequence: str, start: int = 1) -> int:
        """The next value of a named number range; rolled back with its transaction."""
        self.execute("CREATE TABLE IF NOT EXISTS _number (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
        found = self.value(
            "INSERT INTO _number VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (sequence, start),
        )
        return int(found)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Inner transactions are savepoints: they can fail alone."""
        name = f"level_{self._depth}"
        self._connection.execute("BEGIN IMMEDIATE" if self._depth == 0 else f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            self._connection.execute("ROLLBACK" if self._depth == 0 else f"ROLLBACK TO {name}")
            if self._depth:
                self._connection.execute(f"RELEASE {name}")
            raise
        self._depth -= 1
        self._connection.execute("COMMIT" if self._depth == 0 else f"RELEASE {name}")

    def insert_many(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert many rows in one transaction."""
        with self.transaction():
            for row in rows:
                self.insert(table, row)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
