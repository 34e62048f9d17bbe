"""History: what a run read, waited for, was answered, or had edited. Steps are found by name and key, never by place."""

from __future__ import annotations

from isthmus.store.runs import Fence, hold, wake
from isthmus.store.transaction import Row, Transaction


def remember(tx: Transaction, fence: Fence, row: Row) -> None:
    """Write (or write again, after its arguments changed) what a step read. Raises FenceLost."""
    hold(tx, fence)
    _put(tx, {**row, "run_id": fence.run_id})


def await_answer(
    tx: Transaction, fence: Fence, *, name: str, key: str, due_at: str | None, now: str, round_: int
) -> None:
    """Write that the run waits for an answer under ``name``; a wait that is there already stays."""
    hold(tx, fence)
    tx.insert_new(
        "history",
        {
            "run_id": fence.run_id,
            "name": name,
            "key": key,
            "kind": "wait",
            "due_at": due_at,
            "at": now,
            "round": round_,
        },
    )


def answer(tx: Transaction, run_id: str, *, name: str, key: str, result: str, who: str | None, now: str) -> bool:
    """Answer a wait and wake its run, in one transaction; False where nobody waits under that name or it is answered."""
    touched = tx.run(
        "UPDATE history SET result = :result, who = :who, at = :now"
        " WHERE run_id = :run AND name = :name AND key = :key AND kind = 'wait' AND result IS NULL",
        {"run": run_id, "name": name, "key": key, "result": result, "who": who, "now": now},
    )
    if touched:
        wake(tx, run_id, now)
    return touched > 0


def edit(tx: Transaction, run_id: str, *, name: str, key: str, result: str, who: str, now: str, round_: int) -> None:
    """Write an edit of the run's input or of a step's arguments, as a row of its own for each round."""
    row = {
        "run_id": run_id,
        "name": name,
        "key": key,
        "kind": "edit",
        "result": result,
        "at": now,
        "who": who,
        "round": round_,
    }
    _put(tx, row)


def memories(tx: Transaction, run_id: str) -> list[Row]:
    """Everything a run remembers."""
    return tx.rows("SELECT * FROM history WHERE run_id = :run ORDER BY at", {"run": run_id})


def _put(tx: Transaction, row: Row) -> None:
    row = {"arguments_hash": None, "due_at": None, "who": None, "round": 1, **row}
    tx.run(
        "INSERT INTO history (run_id, name, key, kind, arguments_hash, result, due_at, round, at, who)"
        " VALUES (:run_id, :name, :key, :kind, :arguments_hash, :result, :due_at, :round, :at, :who)"
        " ON CONFLICT (run_id, name, key) DO UPDATE SET kind = excluded.kind, arguments_hash = excluded.arguments_hash,"
        " result = excluded.result, due_at = excluded.due_at, round = excluded.round, at = excluded.at, who = excluded.who",
        row,
    )
