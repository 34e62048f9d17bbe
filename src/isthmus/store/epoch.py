"""Epochs: a restored backup opens one, because the store has never heard of what was sent in the time it has lost.

While it is open, the first send of any key looks first; reconciliation closes it when it has closed the gap.
"""

from __future__ import annotations

import json

from isthmus.store.transaction import Row, Transaction


def begin(tx: Transaction, now: str) -> int:
    """Open an epoch in a database that was just restored, before any worker runs on it; its number."""
    known = _read(tx)
    number = (known["number"] if known else 0) + 1
    _write(tx, {"number": number, "began_at": now, "ended_at": None})
    return number


def current(tx: Transaction) -> Row | None:
    """The open epoch (number, began_at), or None."""
    known = _read(tx)
    return known if known and known["ended_at"] is None else None


def end(tx: Transaction, now: str) -> None:
    """The gap is closed."""
    known = current(tx)
    if known:
        _write(tx, {**known, "ended_at": now})


def _read(tx: Transaction) -> Row | None:
    text = tx.value("SELECT value FROM setting WHERE name = 'epoch'")
    return json.loads(text) if text else None


def _write(tx: Transaction, value: Row) -> None:
    tx.run(
        "INSERT INTO setting (name, value) VALUES ('epoch', :value) ON CONFLICT (name) DO UPDATE SET value = :value",
        {"value": json.dumps(value)},
    )
