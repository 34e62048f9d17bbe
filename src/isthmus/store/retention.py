"""What may be forgotten, and what stays: contents go; numbers, states and hashes remain, so that every count still holds.

Nothing that is still in work is touched: a run must have ended before anything of it is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from isthmus.store.transaction import Row, Transaction

_RUN_ENDED = "EXISTS (SELECT 1 FROM run WHERE run.id = {0}.run_id AND run.ended_at < :before)"


class Contents(NamedTuple):
    """The contents that one table holds: ``columns`` by what stands there when they are forgotten, ``over`` when they
    may be. ``whole``: the row itself goes, because it is nothing but a copy."""

    table: str
    key: tuple[str, ...]
    columns: Mapping[str, Any]
    over: str
    whole: bool = False

    @property
    def held(self) -> str:
        """The condition that a row still holds something."""
        tests = (
            f"{name} IS NOT NULL" if gone is None else f"{name} <> '{gone}'" for name, gone in self.columns.items()
        )
        return "(" + " OR ".join(tests) + ")"


#: kind of data, as a landscape names it → what is forgotten of it
KINDS: dict[str, tuple[Contents, ...]] = {
    "calls": (
        Contents("call", ("id",), {"body": None, "headers": "{}"}, "received_at < :before"),
        Contents(
            "message",
            ("id",),
            {"body": ""},
            "state <> 'new' AND received_at < :before AND (run_id IS NULL OR " + _RUN_ENDED.format("message") + ")",
        ),
    ),
    "runs": (
        Contents("run", ("id",), dict.fromkeys(("input", "result", "hint", "title", "customer")), "ended_at < :before"),
        Contents("history", ("run_id", "name", "key"), {"result": None}, _RUN_ENDED.format("history")),
        Contents(
            "effect",
            ("key",),
            {"arguments": "", "request": None, "result": None, "problem": None},
            _RUN_ENDED.format("effect"),
        ),
        Contents("late_answer", ("id",), {"body": ""}, "compared_at < :before"),
        Contents(
            "exception",
            ("number",),
            {"customer": None, "said": None, "title": ""},
            "state = 'ended' AND ended_at < :before",
        ),
        Contents("approval", ("id",), {"about": "", "comment": None}, "decided_at < :before"),
    ),
    "attempts": (Contents("attempt", ("id",), {"path": "", "detail": None}, "at < :before"),),
    "events": (
        Contents("journal", ("id",), {"data": "{}"}, "at < :before AND position IS NOT NULL"),
        Contents("service_level", ("level", "about", "run_id"), {"customer": None}, "ended_at < :before"),
        Contents("alert", ("number",), {"data": "{}"}, "state = 'ended' AND ended_at < :before"),
    ),
    "known": (
        Contents("known", ("id", "connection"), {"body": None}, "asked_at < :before", whole=True),
        Contents(
            "known_address",
            ("customer_id", "connection", "address"),
            {"address": None},
            "NOT EXISTS (SELECT 1 FROM known WHERE known.customer_id = known_address.customer_id AND known.asked_at >= :before)",
            whole=True,
        ),
    ),
    "audit": (Contents("audit", ("id",), {"before": None, "after": None, "salt": None}, "at < :before"),),
}


def due(tx: Transaction, kind: str, before: str) -> int:
    """How many rows of a kind hold contents older than an instant and may forget them."""
    return sum(
        int(tx.value(f"SELECT count(*) AS due FROM {part.table} WHERE {part.held} AND {part.over}", {"before": before}))
        for part in KINDS[kind]
    )


def forget(tx: Transaction, kind: str, before: str, most: int) -> int:
    """Forget the contents of up to ``most`` rows of each of a kind's tables; how many."""
    done = 0
    for part in KINDS[kind]:
        keys = ", ".join(part.key)
        found = f"SELECT {keys} FROM {part.table} WHERE {part.held} AND {part.over} LIMIT :most"
        done += tx.run(f"{_emptying(part)} WHERE ({keys}) IN ({found})", {"before": before, "most": most})
    return done


def mentions(tx: Transaction, part: Contents, words: Sequence[str], page: int = 500) -> Iterator[Row]:
    """The keys of all rows of a table whose contents hold one of the casefolded ``words``."""
    keys, columns = ", ".join(part.key), ", ".join(part.columns)
    last: Row | None = None
    while True:
        after = f"AND ({keys}) > ({', '.join(':' + name for name in part.key)})" if last else ""
        rows = tx.rows(
            f"SELECT {keys}, {columns} FROM {part.table} WHERE {part.held} {after} ORDER BY {keys} LIMIT :page",
            {"page": page, **(last or {})},
        )
        for row in rows:
            if any(word in _as_text(row[name]).casefold() for name in part.columns for word in words):
                yield {name: row[name] for name in part.key}
        if len(rows) < page:
            return
        last = {name: rows[-1][name] for name in part.key}


def is_over(tx: Transaction, part: Contents, key: Row, before: str) -> bool:
    """Whether a row's contents may be forgotten: nothing is in work with them."""
    sql = f"SELECT 1 AS over FROM {part.table} WHERE {_is(part)} AND {part.over}"
    return tx.value(sql, {**key, "before": before}) is not None


def forget_row(tx: Transaction, part: Contents, key: Row) -> int:
    """Forget the contents of one row."""
    return tx.run(f"{_emptying(part)} WHERE {_is(part)}", key)


def overwrite_deleted(tx: Transaction) -> None:
    """From now on this connection overwrites with zeros what it empties; PostgreSQL's vacuum does it its own way."""
    if tx.dialect == "sqlite":
        tx.run("PRAGMA secure_delete=ON")


def _emptying(part: Contents) -> str:
    if part.whole:
        return f"DELETE FROM {part.table}"
    sets = (f"{name} = NULL" if gone is None else f"{name} = '{gone}'" for name, gone in part.columns.items())
    return f"UPDATE {part.table} SET {', '.join(sets)}"


def _is(part: Contents) -> str:
    return " AND ".join(f"{name} = :{name}" for name in part.key)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode(errors="replace")
    return value or ""
