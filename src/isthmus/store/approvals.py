"""Approvals asked of people: what is decided, who may, by when, and how it went."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def request(tx: Transaction, row: Row) -> None:
    """Ask, unless it is asked already."""
    tx.insert_new("approval", {**row, "state": "requested"})


def consent(tx: Transaction, row: Row) -> bool:
    """Keep what one person said; False where this person has said something before."""
    return tx.insert_new("consent", row)


def consents_of(tx: Transaction, approval_id: str) -> list[Row]:
    """What people said so far, oldest first."""
    return tx.rows("SELECT * FROM consent WHERE approval_id = :id ORDER BY at, who", {"id": approval_id})


def close(tx: Transaction, approval_id: str, values: Row) -> bool:
    """End it: ``state``, ``decided_by``, ``comment``, ``decided_at``, ``decided_amount``; False where it had ended."""
    return (
        tx.run(
            "UPDATE approval SET state = :state, decided_by = :decided_by, comment = :comment, decided_at = :decided_at,"
            " decided_amount = :decided_amount WHERE id = :id AND state = 'requested'",
            {"id": approval_id, **values},
        )
        > 0
    )


def change(tx: Transaction, approval_id: str, values: Row) -> None:
    """Set columns of one that is still open."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE approval SET {sets} WHERE id = :id AND state = 'requested'", {"id": approval_id, **values})


def to_remind(tx: Transaction, now: str) -> list[Row]:
    """Those whose deciders are to be reminded."""
    sql = "SELECT * FROM approval WHERE state = 'requested' AND remind_at IS NOT NULL AND remind_at <= :now LIMIT 100"
    return tx.rows(sql, {"now": now})


def to_escalate(tx: Transaction, now: str) -> list[Row]:
    """Those that a higher desk shall see too."""
    sql = (
        "SELECT * FROM approval WHERE state = 'requested' AND escalate_at IS NOT NULL AND escalate_at <= :now LIMIT 100"
    )
    return tx.rows(sql, {"now": now})


def use_link(tx: Transaction, *, hash_: str, approval_id: str, now: str) -> bool:
    """Use a link; False where it was used before."""
    return tx.insert_new("used_link", {"hash": hash_, "approval_id": approval_id, "at": now})


def link_used(tx: Transaction, hash_: str) -> bool:
    """Whether a link was used."""
    return tx.row("SELECT 1 AS found FROM used_link WHERE hash = :hash", {"hash": hash_}) is not None


def secret(tx: Transaction) -> str | None:
    """What links are signed with."""
    found: str | None = tx.value("SELECT value FROM setting WHERE name = 'approval_links'")
    return found


def keep_secret(tx: Transaction, value: str) -> str:
    """Set what links are signed with, unless there is one; what holds."""
    tx.insert_new("setting", {"name": "approval_links", "value": value})
    found = secret(tx)
    assert found is not None
    return found


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


def list_decided(tx: Transaction, limit: int) -> list[Row]:
    """Approvals that have ended in any way, the newest first."""
    return tx.rows(
        "SELECT * FROM approval WHERE decided_at IS NOT NULL ORDER BY decided_at DESC LIMIT :limit", {"limit": limit}
    )


def withdraw(tx: Transaction, run_id: str, now: str) -> None:
    """Withdraw what a run still asks (it was cancelled)."""
    tx.run(
        "UPDATE approval SET state = 'withdrawn', decided_at = :now WHERE run_id = :run AND state = 'requested'",
        {"run": run_id, "now": now},
    )
