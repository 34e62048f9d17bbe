"""Effects: one intended change outside, under its business key, and what became of it."""

from __future__ import annotations

from typing import Any

from isthmus.store.runs import Fence, hold
from isthmus.store.transaction import Row, Transaction


def intend(tx: Transaction, fence: Fence, row: Row) -> tuple[bool, Row, bool]:
    """Write an intention unless one stands under its key. (was it new, the row that stands, is a cancel asked).

    Raises FenceLost.
    """
    cancel = hold(tx, fence)
    if cancel:
        standing = find(tx, row["key"])
        return False, standing or row, True
    if tx.insert_new("effect", row):
        return True, row, False
    standing = find(tx, row["key"])
    assert standing is not None
    return False, standing, False


def find(tx: Transaction, key: str) -> Row | None:
    """One effect."""
    return tx.row("SELECT * FROM effect WHERE key = :key", {"key": key})


def change(tx: Transaction, fence: Fence, key: str, values: dict[str, Any]) -> bool:
    """Change an effect for the holder of the fence; whether a cancel is asked. Raises FenceLost."""
    cancel = hold(tx, fence)
    update(tx, key, values)
    return cancel


def update(tx: Transaction, key: str, values: dict[str, Any]) -> None:
    """Change an effect without a fence (the sweeper's second look, undo of a second one)."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE effect SET {sets} WHERE key = :key", {**values, "key": key})


def adopt(tx: Transaction, fence: Fence, key: str, was: str) -> bool:
    """Take over an intention from a run that nobody holds; whether it is ours now. Raises FenceLost."""
    hold(tx, fence)
    return (
        tx.run(
            "UPDATE effect SET run_id = :run WHERE key = :key AND run_id = :was AND state = 'intended'"
            " AND NOT EXISTS (SELECT 1 FROM run r WHERE r.id = :was AND r.owner IS NOT NULL)",
            {"run": fence.run_id, "key": key, "was": was},
        )
        > 0
    )


def effects_of(tx: Transaction, run_id: str) -> list[Row]:
    """The effects of a run in the order in which they ended; those that have not ended last."""
    return tx.rows(
        "SELECT * FROM effect WHERE run_id = :run ORDER BY ended_at IS NULL, ended_at, intended_at", {"run": run_id}
    )


def to_look_at(tx: Transaction, now: str, most: int) -> list[Row]:
    """Effects that were repeated in doubt and are due for another look."""
    return tx.rows(
        "SELECT * FROM effect WHERE look_at IS NOT NULL AND look_at <= :now ORDER BY look_at LIMIT :most",
        {"now": now, "most": most},
    )


def by_reference(tx: Transaction, text: str) -> list[Row]:
    """Effects whose vendor's id or number is ``text``."""
    return tx.rows(
        "SELECT * FROM effect WHERE reference_id = :text UNION SELECT * FROM effect WHERE reference_number = :text",
        {"text": text},
    )


def file_late_answer(tx: Transaction, *, key: str, at: str, status: int, body: str) -> None:
    """File an answer that came to somebody without the fence, and have the effect looked at once more."""
    tx.run(
        "INSERT INTO late_answer (effect_key, at, status, body) VALUES (:key, :at, :status, :body)",
        {"key": key, "at": at, "status": status, "body": body},
    )
    tx.run("UPDATE effect SET look_at = :at WHERE key = :key", {"key": key, "at": at})


def put_attempt(tx: Transaction, row: Row) -> None:
    """Note one call to a vendor for the timeline."""
    tx.insert("attempt", row)


def attempts_of(tx: Transaction, run_id: str) -> list[Row]:
    """The calls of a run, in order."""
    return tx.rows("SELECT * FROM attempt WHERE run_id = :run ORDER BY id", {"run": run_id})
