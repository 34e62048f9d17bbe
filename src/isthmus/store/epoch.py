"""Epochs: a restored backup opens one, because the store has never heard of what was sent in the time it has lost.

A backup carries a mark, or gets one in the transaction in which it is restored; the first worker on it takes the mark away
and opens the epoch. So there is no moment, whatever dies, in which a worker plays on a copy and does not know it. While an
epoch is open, the first send of any key looks first; reconciliation closes it when it has closed the gap.
"""

from __future__ import annotations

import json

from isthmus.store import polls
from isthmus.store.runs import hand_back
from isthmus.store.transaction import Row, Transaction

#: the mark: when the copy was made, in a row of its own
MARK = "copied_at"


def mark(tx: Transaction, copied_at: str) -> None:
    """Say of a database that it is a copy."""
    _put(tx, MARK, copied_at)


def is_copy(tx: Transaction) -> bool:
    """Whether nobody has worked on this copy yet."""
    return bool(tx.value("SELECT 1 AS found FROM setting WHERE name = :name", {"name": MARK}))


def begin_in_copy(tx: Transaction, now: str) -> int | None:
    """Open an epoch if this is a copy, once for all workers; its number. Whoever held something then, holds it no more."""
    if not tx.run("DELETE FROM setting WHERE name = :name", {"name": MARK}):
        return None
    for row in tx.rows("SELECT DISTINCT owner FROM run WHERE owner IS NOT NULL"):
        hand_back(tx, row["owner"], now)
    polls.free_all(tx)
    tx.run("UPDATE worker SET expires_at = 0, holder = NULL")
    return begin(tx, now)


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
    _put(tx, "epoch", json.dumps(value))


def _put(tx: Transaction, name: str, value: str) -> None:
    tx.run(
        "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value",
        {"name": name, "value": value},
    )
