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


def change_unless_cancelled(tx: Transaction, fence: Fence, key: str, values: dict[str, Any]) -> bool:
    """Change an effect before it is sent, unless a cancel is asked; whether it is. Raises FenceLost."""
    if hold(tx, fence):
        return True
    update(tx, key, values)
    return False


def update(tx: Transaction, key: str, values: dict[str, Any]) -> None:
    """Change an effect without a fence (the sweeper's second look, undo of a second one)."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE effect SET {sets} WHERE key = :key", {**values, "key": key})


def end_parts(tx: Transaction, key: str, values: dict[str, Any]) -> None:
    """Change the parts of a sequence that are still open, because the whole has ended."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(
        f"UPDATE effect SET {sets} WHERE part <> '' AND state = 'intended' AND (run_id, role, operation, business_key) ="
        " (SELECT run_id, role, operation, business_key FROM effect WHERE key = :whole)",
        {**values, "whole": key},
    )


def end_passed_over(tx: Transaction, run_id: str, key: str, now: str) -> None:
    """End the parts that are still open though the whole is done: their condition holds no more, for they have landed."""
    tx.run(
        "UPDATE effect SET state = 'done', doubt = 0, rule = 'passed over', result = 'null', ended_at = :now"
        " WHERE run_id = :run AND part <> '' AND state = 'intended' AND substr(key, 1, length(:whole)) = :whole",
        {"run": run_id, "whole": f"{key}/", "now": now},
    )


def adopt(tx: Transaction, fence: Fence, key: str, was: str) -> bool:
    """Take over an intention, with its parts, from a run that nobody holds; whether it is ours now. Raises FenceLost.

    The other run's row stays share-locked to the commit, so that it cannot be taken meanwhile.
    """
    hold(tx, fence)
    if tx.value("SELECT owner FROM run WHERE id = :was" + tx.share, {"was": was}) is not None:
        return False
    values = {"run": fence.run_id, "key": key, "was": was}
    taken = tx.run("UPDATE effect SET run_id = :run WHERE key = :key AND run_id = :was AND state = 'intended'", values)
    if taken:
        tx.run(
            "UPDATE effect SET run_id = :run WHERE run_id = :was AND part <> '' AND (role, operation, business_key) ="
            " (SELECT role, operation, business_key FROM effect WHERE key = :key)",
            values,
        )
    return taken > 0


def effects_of(tx: Transaction, run_id: str) -> list[Row]:
    """The effects of a run in the order in which they ended; those that have not ended last."""
    return tx.rows(
        "SELECT * FROM effect WHERE run_id = :run ORDER BY ended_at IS NULL, ended_at, intended_at", {"run": run_id}
    )


def to_look_at(tx: Transaction, now: str, most: int) -> list[Row]:
    """Effects that have ended after a repeat in doubt, or have a late answer, and are due for another look."""
    return tx.rows(
        "SELECT * FROM effect WHERE look_at IS NOT NULL AND look_at <= :now AND state <> 'intended'"
        " ORDER BY look_at LIMIT :most",
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
    tx.run("UPDATE effect SET look_at = :at, looks = 0 WHERE key = :key", {"key": key, "at": at})


def late_answers_of(tx: Transaction, key: str) -> list[Row]:
    """The late answers of an effect, oldest first."""
    return tx.rows("SELECT * FROM late_answer WHERE effect_key = :key ORDER BY id", {"key": key})


def compared(tx: Transaction, key: str, at: str) -> None:
    """The late answers of an effect have been compared with what stands."""
    tx.run(
        "UPDATE late_answer SET compared_at = :at WHERE effect_key = :key AND compared_at IS NULL",
        {"key": key, "at": at},
    )


def attempts_of(tx: Transaction, run_id: str) -> list[Row]:
    """The calls of a run, in order."""
    return tx.rows("SELECT * FROM attempt WHERE run_id = :run ORDER BY id", {"run": run_id})
