"""Access tokens, sealed, shared by all workers; one of them refreshes while the others wait."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def read(tx: Transaction, connection: str) -> Row | None:
    """The row of one connection."""
    return tx.row("SELECT * FROM token WHERE connection = :connection", {"connection": connection})


def lease(tx: Transaction, connection: str, holder: str, now: str, until: str) -> bool:
    """Win the right to refresh until ``until``; False where somebody else has it."""
    tx.insert_new("token", {"connection": connection})
    return (
        tx.run(
            "UPDATE token SET holder = :holder, held_until = :until WHERE connection = :connection"
            " AND (holder IS NULL OR held_until < :now OR holder = :holder)",
            {"connection": connection, "holder": holder, "now": now, "until": until},
        )
        > 0
    )


def write(tx: Transaction, connection: str, holder: str, *, sealed: str, expires_at: str, base_url: str | None) -> bool:
    """Store a new token and give the lease back; False where the lease was lost (the newer token stays)."""
    return (
        tx.run(
            "UPDATE token SET sealed = :sealed, expires_at = :expires, base_url = :base_url, generation = generation + 1,"
            " holder = NULL, held_until = NULL WHERE connection = :connection AND holder = :holder",
            {"connection": connection, "holder": holder, "sealed": sealed, "expires": expires_at, "base_url": base_url},
        )
        > 0
    )


def drop(tx: Transaction, connection: str, generation: int) -> None:
    """Forget a token that the vendor refused, unless a newer one stands already."""
    tx.run(
        "UPDATE token SET sealed = NULL WHERE connection = :connection AND generation = :generation",
        {"connection": connection, "generation": generation},
    )
