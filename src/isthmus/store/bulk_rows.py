"""Rows of a bulk write: what was asked, and what became of each of them."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.store.transaction import Row, Transaction


def put(tx: Transaction, load_id: str, rows: Sequence[tuple[int, str, str]]) -> None:
    """Add rows: (number, key, input as JSON). Rows that are there already stay as they are."""
    for number, key, text in rows:
        tx.insert_new("bulk_row", {"load_id": load_id, "number": number, "key": key, "input": text, "state": "new"})


def new_rows(tx: Transaction, load_id: str, most: int) -> list[Row]:
    """Rows of which nothing is known yet, in their order."""
    return tx.rows(
        "SELECT * FROM bulk_row WHERE load_id = :load AND state = 'new' ORDER BY number LIMIT :most",
        {"load": load_id, "most": most},
    )


def done(tx: Transaction, load_id: str, key: str, reference_id: str) -> Row | None:
    """The vendor took a row; the row as it was, or None where that was known."""
    return _ended(tx, load_id, key, "done", reference_id, None)


def refused(tx: Transaction, load_id: str, key: str, run_id: str) -> Row | None:
    """The vendor refused a row; the row as it was, or None where that was known."""
    return _ended(tx, load_id, key, "refused", None, run_id)


def _ended(
    tx: Transaction, load_id: str, key: str, state: str, reference_id: str | None, run_id: str | None
) -> Row | None:
    """The input goes: what was taken stands at the vendor, what was refused in its run."""
    row = tx.row(
        "SELECT * FROM bulk_row WHERE load_id = :load AND key = :key AND state = 'new'" + tx.lock,
        {"load": load_id, "key": key},
    )
    if row is not None:
        tx.run(
            "UPDATE bulk_row SET state = :state, input = '', reference_id = :id, run_id = :run"
            " WHERE load_id = :load AND key = :key",
            {"load": load_id, "key": key, "state": state, "id": reference_id, "run": run_id},
        )
    return row


def is_known(tx: Transaction, load_id: str, key: str) -> bool:
    """Whether a bulk write has such a row."""
    sql = "SELECT 1 AS found FROM bulk_row WHERE load_id = :load AND key = :key"
    return bool(tx.value(sql, {"load": load_id, "key": key}))


def counts(tx: Transaction, load_id: str) -> dict[str, int]:
    """State → how many rows."""
    found = tx.rows("SELECT state, count(*) AS n FROM bulk_row WHERE load_id = :load GROUP BY state", {"load": load_id})
    return {row["state"]: int(row["n"]) for row in found}
