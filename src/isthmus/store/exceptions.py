"""Exceptions for people: what waits for a mend, why, how much money hangs on it, and who looks after it."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def open_exception(tx: Transaction, row: Row) -> int:
    """Open an exception for a run (or bring the open one up to date); its number."""
    standing = tx.row(
        "SELECT number FROM exception WHERE run_id = :run_id AND state = 'open'", {"run_id": row["run_id"]}
    )
    if standing:
        values = {k: v for k, v in row.items() if k not in ("run_id", "opened_at")}
        sets = ", ".join(f"{name} = :{name}" for name in values)
        tx.run(f"UPDATE exception SET {sets} WHERE number = :number", {**values, "number": standing["number"]})
        return int(standing["number"])
    tx.insert("exception", {**row, "state": "open"})
    return int(
        tx.value("SELECT number FROM exception WHERE run_id = :run_id AND state = 'open'", {"run_id": row["run_id"]})
    )


def end_exception(tx: Transaction, run_id: str, *, who: str, now: str) -> None:
    """End the open exception of a run, if there is one."""
    tx.run(
        "UPDATE exception SET state = 'ended', ended_at = :now, ended_by = :who, retry_at = NULL WHERE run_id = :run AND state = 'open'",
        {"run": run_id, "who": who, "now": now},
    )


def get_exception(tx: Transaction, number: int) -> Row | None:
    """One exception."""
    return tx.row("SELECT * FROM exception WHERE number = :number", {"number": number})


def change_exception(tx: Transaction, number: int, values: Row) -> None:
    """Change columns of one exception (assignee, due_at, retry_at)."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE exception SET {sets} WHERE number = :number", {**values, "number": number})


def list_exceptions(
    tx: Transaction, *, state: str = "open", group: str | None = None, assignee: str | None = None, limit: int = 200
) -> list[Row]:
    """Exceptions, oldest first."""
    conditions, values = ["state = :state"], {"state": state, "limit": limit}
    for column, value in (("group_key", group), ("assignee", assignee)):
        if value:
            conditions.append(f"{column} = :{column}")
            values[column] = value
    return tx.rows(f"SELECT * FROM exception WHERE {' AND '.join(conditions)} ORDER BY number LIMIT :limit", values)


def groups(tx: Transaction) -> list[Row]:
    """Open exceptions grouped by what failed: count, and the amounts by currency as one text per row."""
    return tx.rows(
        "SELECT group_key, min(title) AS title, min(operation) AS operation, min(code) AS code, min(field) AS field, currency,"
        " count(*) AS n, min(opened_at) AS since FROM exception WHERE state = 'open' GROUP BY group_key, currency ORDER BY n DESC"
    )


def due_retries(tx: Transaction, now: str, most: int = 50) -> list[Row]:
    """Open exceptions whose automatic retry is due."""
    return tx.rows(
        "SELECT * FROM exception WHERE state = 'open' AND retry_at IS NOT NULL AND retry_at <= :now ORDER BY retry_at LIMIT :most",
        {"now": now, "most": most},
    )


def exceptions_of(tx: Transaction, run_id: str) -> list[Row]:
    """All exceptions of a run, oldest first."""
    return tx.rows("SELECT * FROM exception WHERE run_id = :run ORDER BY number", {"run": run_id})
