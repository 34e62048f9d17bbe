"""Who did what, when, before and after: a chain of hashes, so that a changed line is seen.

The hash covers hashes of ``before`` and ``after``, not their text: contents may be erased and the chain still holds.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from isthmus.store.transaction import Row, Transaction

_GENESIS = "0" * 64


def note(tx: Transaction, *, at: str, who: str, did: str, about: str, before: Any = None, after: Any = None) -> None:
    """Append one line to the chain."""
    if tx.dialect == "postgresql":
        tx.run("SELECT pg_advisory_xact_lock(4720)")
    previous = tx.value("SELECT hash FROM audit ORDER BY id DESC LIMIT 1") or _GENESIS
    row = {
        "at": at,
        "who": who,
        "did": did,
        "about": about,
        "before": _text(before),
        "after": _text(after),
        "previous": previous,
    }
    tx.insert("audit", {**row, "hash": line_hash(row)})


def line_hash(row: Row) -> str:
    """The hash of one line: SHA-256 over the previous hash, the plain columns and the hashes of the contents."""
    parts = [
        row["previous"],
        row["at"],
        row["who"],
        row["did"],
        row["about"],
        _digest(row["before"]),
        _digest(row["after"]),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def first_break(tx: Transaction) -> Row | None:
    """The first line whose hash does not follow from the one before, or None where the chain holds."""
    previous = _GENESIS
    for row in tx.rows("SELECT * FROM audit ORDER BY id"):
        if row["previous"] != previous or row["hash"] != line_hash(row):
            return row
        previous = row["hash"]
    return None


def lines(tx: Transaction, about: str | None = None, limit: int = 200) -> list[Row]:
    """Lines, newest first; about one thing or all."""
    if about is None:
        return tx.rows("SELECT * FROM audit ORDER BY id DESC LIMIT :limit", {"limit": limit})
    return tx.rows(
        "SELECT * FROM audit WHERE about = :about ORDER BY id DESC LIMIT :limit", {"about": about, "limit": limit}
    )


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _digest(text: str | None) -> str:
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()
