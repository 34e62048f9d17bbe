"""What a connection may still call: one row for all workers (rate, Retry-After, the calls that are left, circuit breaker)."""

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


def few(tx: Transaction, connection: str, *, left: int, full_at: str, now: str) -> None:
    """So many calls are left until ``full_at``. What stands there for the same time already is only lowered: others
    have taken of it what the vendor has not counted yet.
    """
    tx.insert_new("permit", {"connection": connection, "free_at": now})
    tx.run(
        "UPDATE permit SET remaining = CASE WHEN full_at > :now AND remaining < :left THEN remaining ELSE :left END,"
        " full_at = CASE WHEN full_at > :now AND remaining IS NOT NULL THEN full_at ELSE :full_at END"
        " WHERE connection = :connection",
        {"connection": connection, "left": left, "full_at": full_at, "now": now},
    )


def plenty(tx: Transaction, connection: str) -> None:
    """The vendor says that there are calls enough."""
    tx.run("UPDATE permit SET remaining = NULL WHERE connection = :connection", {"connection": connection})


def take(tx: Transaction, connection: str, now: str) -> Row | None:
    """Take one of the calls that are left: the row as it stands then; None where there was none, or nobody counts now."""
    rows = tx.rows(
        "UPDATE permit SET remaining = remaining - 1 WHERE connection = :connection AND remaining > 0 AND full_at > :now"
        " RETURNING *",
        {"connection": connection, "now": now},
    )
    return rows[0] if rows else None


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
