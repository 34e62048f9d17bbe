"""The journal of business events. Who follows it reads ``position``, given after the commit by one sealer."""

from __future__ import annotations

import json
from typing import Any

from isthmus.store.transaction import Row, Transaction


def append(
    tx: Transaction, *, at: str, type_: str, data: dict[str, Any], run: Row | None = None, connection: str | None = None
) -> None:
    """Append one business event; it has no position yet."""
    run = run or {}
    traceparent = run.get("traceparent") or ""
    tx.insert(
        "journal",
        {
            "at": at,
            "type": type_,
            "run_id": run.get("id"),
            "process": run.get("process"),
            "business_key": run.get("business_key"),
            "unit": run.get("unit"),
            "connection": connection or run.get("connection"),
            "data": json.dumps(data, ensure_ascii=False),
            "trace_id": traceparent.split("-")[1] if traceparent.count("-") >= 2 else None,
        },
    )


def seal(tx: Transaction, most: int = 1000) -> int:
    """Give positions to what is committed, in order; one sealer at a time. How many were sealed."""
    if tx.dialect == "postgresql" and not tx.value("SELECT pg_try_advisory_xact_lock(4719) AS got"):
        return 0
    rows = tx.rows("SELECT id FROM journal WHERE position IS NULL ORDER BY id LIMIT :most", {"most": most})
    if not rows:
        return 0
    last = int(tx.value("SELECT coalesce(max(position), 0) AS last FROM journal WHERE position IS NOT NULL"))
    for offset, row in enumerate(rows, start=1):
        tx.run("UPDATE journal SET position = :position WHERE id = :id", {"position": last + offset, "id": row["id"]})
    return len(rows)


def follow(tx: Transaction, after: int, most: int = 500) -> list[Row]:
    """Sealed events after a position, in order."""
    return tx.rows(
        "SELECT * FROM journal WHERE position > :after ORDER BY position LIMIT :most", {"after": after, "most": most}
    )


def events_of(tx: Transaction, run_id: str) -> list[Row]:
    """The business events of a run, in order."""
    return tx.rows("SELECT * FROM journal WHERE run_id = :run ORDER BY id", {"run": run_id})
