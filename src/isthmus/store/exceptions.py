"""Exceptions for people: what waits for a mend, why, how much money hangs on it, and who looks after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction

#: how often an exception is retried by itself before it is worth a person's time, and the longest pause between
RETRIES_MAX, PAUSE_MAX = 8, timedelta(hours=1)


def open_exception(tx: Transaction, row: Row) -> int:
    """Open an exception for a run (or bring the open one up to date); its number.

    ``retry_at``, where there is one, is the first automatic retry; each later pause is twice the one before.
    """
    standing = tx.row(
        "SELECT number, retries FROM exception WHERE run_id = :run_id AND state = 'open'", {"run_id": row["run_id"]}
    )
    if standing:
        values = {k: v for k, v in row.items() if k not in ("run_id", "opened_at")}
        values["retry_at"] = _next_retry(row, standing["retries"])
        sets = ", ".join(f"{name} = :{name}" for name in values)
        tx.run(f"UPDATE exception SET {sets} WHERE number = :number", {**values, "number": standing["number"]})
        return int(standing["number"])
    tx.insert("exception", {**row, "state": "open"})
    return int(
        tx.value("SELECT number FROM exception WHERE run_id = :run_id AND state = 'open'", {"run_id": row["run_id"]})
    )


def _next_retry(row: Row, retries: int) -> str | None:
    """When to try again by itself after ``retries`` in vain; None where it is a person's turn."""
    if row.get("retry_at") is None or retries >= RETRIES_MAX:
        return None
    parked_at = datetime.fromisoformat(row["opened_at"])
    pause = (datetime.fromisoformat(row["retry_at"]) - parked_at) * 2**retries
    return instant(parked_at + min(pause, PAUSE_MAX))


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
    tx: Transaction, *, state: str = "open", group: str | None = None, assignee: str | None = None,
    unit: str | None = None, connection: str | None = None, error_class: str | None = None, limit: int = 200,
) -> list[Row]:  # fmt: skip
    """Exceptions that are open, oldest first; or that have ended, newest first."""
    conditions, values = ["state = :state"], {"state": state, "limit": limit}
    wanted = {
        "group_key": group, "assignee": assignee, "unit": unit, "connection": connection, "error_class": error_class,
    }  # fmt: skip
    for column, value in wanted.items():
        if value:
            conditions.append(f"{column} = :{column}")
            values[column] = value
    order = "number" if state == "open" else "number DESC"
    return tx.rows(f"SELECT * FROM exception WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT :limit", values)


def count_open(tx: Transaction, group: str) -> int:
    """How many are open for one reason."""
    sql = "SELECT count(*) AS n FROM exception WHERE state = 'open' AND group_key = :group"
    return int(tx.value(sql, {"group": group}))


def open_groups(tx: Transaction) -> list[dict[str, Any]]:
    """Equal failures that are open, the largest group first: what, how many, and the money at risk by currency.

    The words are those of the oldest of each; ``at_risk`` is currency → exact sum as text.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in tx.rows(
        "SELECT number, group_key, amount, currency FROM exception WHERE state = 'open' ORDER BY number"
    ):
        group = found.setdefault(row["group_key"], {"first": row["number"], "at_risk": {}, "exceptions": []})
        group["exceptions"].append(f"EX-{row['number']}")
        if row["amount"] and row["currency"]:
            risk = group["at_risk"]
            risk[row["currency"]] = str(Decimal(risk.get(row["currency"], "0")) + Decimal(row["amount"]))
    return sorted((_told(tx, group) for group in found.values()), key=lambda group: (-group["count"], group["since"]))


def _told(tx: Transaction, group: dict[str, Any]) -> dict[str, Any]:
    first = get_exception(tx, group["first"])
    assert first is not None
    words = ("title", "mend", "operation", "error_class", "code", "field")
    return {
        "group": first["group_key"],
        **{name: first[name] for name in words},
        "count": len(group["exceptions"]),
        "at_risk": group["at_risk"],
        "since": first["opened_at"],
        "exceptions": group["exceptions"],
    }


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
