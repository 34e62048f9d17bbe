"""Approvals asked of people: what is decided, who may, by when, and how it went."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def request(tx: Transaction, row: Row) -> None:
    """Ask, unless it is asked already."""
    tx.insert_new("approval", {**row, "state": "requested"})


def decide(tx: Transaction, approval_id: str, *, state: str, who: str, comment: str | None, now: str) -> bool:
    """Decide once; False where it was decided before."""
    return (
        tx.run(
            "UPDATE approval SET state = :state, decided_by = :who, comment = :comment, decided_at = :now WHERE id = :id AND state = 'requested'",
            {"id": approval_id, "state": state, "who": who, "comment": comment, "now": now},
        )
        > 0
    )


def expire(tx: Transaction, run_id: str, name: str, now: str) -> None:
    """Nobody decided in time."""
    tx.run(
        "UPDATE approval SET state = 'expired', decided_by = 'clock', decided_at = :now"
        " WHERE run_id = :run AND name = :name AND state = 'requested'",
        {"run": run_id, "name": name, "now": now},
    )


def get_approval(tx: Transaction, approval_id: str) -> Row | None:
    """One approval."""
    return tx.row("SELECT * FROM approval WHERE id = :id", {"id": approval_id})


def approvals_of(tx: Transaction, run_id: str) -> list[Row]:
    """What was asked of people for a run, oldest first."""
    return tx.rows("SELECT * FROM approval WHERE run_id = :run ORDER BY requested_at", {"run": run_id})


def list_approvals(tx: Transaction, state: str | None = "requested", limit: int = 200) -> list[Row]:
    """Approvals, oldest first."""
    if state is None:
        return tx.rows("SELECT * FROM approval ORDER BY requested_at DESC LIMIT :limit", {"limit": limit})
    return tx.rows(
        "SELECT * FROM approval WHERE state = :state ORDER BY requested_at LIMIT :limit",
        {"state": state, "limit": limit},
    )


def withdraw(tx: Transaction, run_id: str, now: str) -> None:
    """Withdraw what a run still asks (it was cancelled)."""
    tx.run(
        "UPDATE approval SET state = 'withdrawn', decided_at = :now WHERE run_id = :run AND state = 'requested'",
        {"run": run_id, "now": now},
    )
