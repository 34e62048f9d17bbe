"""How many business events there were in each hour, and how much money they were about: what charts are drawn from."""

from __future__ import annotations

from decimal import Decimal

from isthmus.store.transaction import Row, Transaction


def add(tx: Transaction, *, hour: str, type_: str, unit: str, currency: str, amount: Decimal) -> None:
    """Count one event. Amounts are exact: they are added here, not by the database."""
    key = {"hour": hour, "type": type_, "unit": unit, "currency": currency}
    where = "hour = :hour AND type = :type AND unit = :unit AND currency = :currency"
    held = tx.value(f"SELECT amount FROM tally WHERE {where}", key)
    if held is None:
        tx.insert("tally", {**key, "n": 1, "amount": str(amount)})
    else:
        tx.run(f"UPDATE tally SET n = n + 1, amount = :sum WHERE {where}", {**key, "sum": str(Decimal(held) + amount)})


def since(tx: Transaction, hour: str) -> list[Row]:
    """The counts from an hour (``2026-11-23T10``) on."""
    return tx.rows("SELECT * FROM tally WHERE hour >= :hour ORDER BY hour, type", {"hour": hour})
