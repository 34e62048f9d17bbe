"""What a connection may still call: one row for all workers (rate, Retry-After, circuit breaker)."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def read(tx: Transaction, connection: str) -> Row | None:
    """The row of one connection."""
    return tx.row("SELECT * FROM permit WHERE connection = :connection", {"connection": connection})


def all_permits(tx: Transaction) -> list[Row]:
    """The rows of all connections."""
    return tx.rows("SELECT * FROM permit ORDER BY connection")


def reserve(tx: Transaction, connection: str, *, now: str, starts: str, free_at: str) -> Row:
    """Take a share of the rate from ``starts`` to ``free_at`` if nobody took it meanwhile; the row that stands then."""
    tx.insert_new("permit", {"connection": connection, "free_at": now})
    return tx.rows(
        "UPDATE permit SET free_at = CASE WHEN free_at <= :starts THEN :free_at ELSE free_at END WHERE connection = :connection RETURNING *",
        {"connection": connection, "starts": starts, "free_at": free_at},
    )[0]


def block(tx: Transaction, connection: str, until: str, now: str) -> None:
    """Nobody calls this connection before ``until`` (Retry-After, for all workers)."""
    tx.insert_new("permit", {"connection": connection, "free_at": now})
    tx.run(
        "UPDATE permit SET blocked_until = CASE WHEN blocked_until IS NULL OR blocked_until < :until THEN :until ELSE blocked_until END"
        " WHERE connection = :connection",
        {"connection": connection, "until": until},
    )


def failed(tx: Transaction, connection: str, *, now: str, threshold: int, open_until: str) -> None:
    """Count a failure in a row; from ``threshold`` on the breaker is open until ``open_until``."""
    tx.insert_new("permit", {"connection": connection, "free_at": now})
    tx.run(
        "UPDATE permit SET failures = failures + 1, open_until = CASE WHEN failures + 1 >= :threshold THEN :until ELSE open_until END"
        " WHERE connection = :connection",
        {"connection": connection, "threshold": threshold, "until": open_until},
    )


def try_again(tx: Transaction, connection: str, *, was: str, until: str) -> bool:
    """Win the one call that tries whether a vendor is up again: open for the others ``until``; False where one tries."""
    return (
        tx.run(
            "UPDATE permit SET open_until = :until WHERE connection = :connection AND open_until = :was",
            {"connection": connection, "was": was, "until": until},
        )
        > 0
    )


def succeeded(tx: Transaction, connection: str) -> None:
    """A call went through: failures start again at 0 and the breaker closes."""
    tx.run(
        "UPDATE permit SET failures = 0, open_until = NULL WHERE connection = :connection",
        {"connection": connection},
    )
