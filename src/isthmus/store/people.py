"""People who sign in to the console, and their sessions."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def put_person(tx: Transaction, row: Row) -> None:
    """Add a person, or change password and roles of one; an ended one begins again."""
    tx.run(
        "INSERT INTO person (name, password, roles, created_at) VALUES (:name, :password, :roles, :now)"
        " ON CONFLICT (name) DO UPDATE SET password = :password, roles = :roles, ended_at = NULL, failures = 0,"
        " blocked_until = NULL",
        row,
    )


def get_person(tx: Transaction, name: str) -> Row | None:
    """A person who may sign in."""
    return tx.row("SELECT * FROM person WHERE name = :name AND ended_at IS NULL", {"name": name})


def list_people(tx: Transaction) -> list[Row]:
    """Everybody, by name."""
    return tx.rows("SELECT name, roles, created_at, ended_at FROM person ORDER BY name")


def end_person(tx: Transaction, name: str, now: str) -> bool:
    """Let a person in no more, from now on; False where there was none."""
    tx.run("DELETE FROM session WHERE name = :name", {"name": name})
    return (
        tx.run("UPDATE person SET ended_at = :now WHERE name = :name AND ended_at IS NULL", {"name": name, "now": now})
        > 0
    )


def count_failure(tx: Transaction, name: str, failures: int, blocked_until: str | None) -> None:
    """Remember a wrong password, or (0) that it was right."""
    tx.run(
        "UPDATE person SET failures = :failures, blocked_until = :until WHERE name = :name",
        {"name": name, "failures": failures, "until": blocked_until},
    )


def put_session(tx: Transaction, row: Row) -> None:
    """Begin a session; those that are over are forgotten."""
    tx.run("DELETE FROM session WHERE expires_at < :now", {"now": row["created_at"]})
    tx.insert("session", row)


def get_session(tx: Transaction, hash_: str, now: str) -> Row | None:
    """A session that is not over."""
    return tx.row("SELECT * FROM session WHERE hash = :hash AND expires_at > :now", {"hash": hash_, "now": now})


def end_session(tx: Transaction, hash_: str) -> None:
    """Sign out."""
    tx.run("DELETE FROM session WHERE hash = :hash", {"hash": hash_})
