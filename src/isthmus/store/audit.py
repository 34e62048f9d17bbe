"""Who did what, when, before and after: a chain of hashes, so that a changed, removed or inserted line is seen.

A line's hash covers salted digests of ``before`` and ``after``, not their text: contents may be erased together with
their salt, and the chain still holds. That lines were cut off at its end only a head shows that was published outside.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any, NamedTuple

from isthmus.store.transaction import Row, Transaction

_GENESIS = "0" * 64
_PAGE = 2_000


class Head(NamedTuple):
    """The end of the chain: its last line, how many lines there are, and the hash that stands for all of them."""

    line: int
    lines: int
    hash: str


class Break(NamedTuple):
    """Where the chain does not hold, and how that is seen."""

    line: int
    why: str


class Chain(NamedTuple):
    """What a walk along the chain has found."""

    head: Head
    first_break: Break | None
    erased: int


def note(tx: Transaction, *, at: str, who: str, did: str, about: str, before: Any = None, after: Any = None) -> None:
    """Append one line to the chain."""
    if tx.dialect == "postgresql":
        tx.run("SELECT pg_advisory_xact_lock(4720)")
    previous = tx.value("SELECT hash FROM audit ORDER BY id DESC LIMIT 1") or _GENESIS
    salt, texts = secrets.token_hex(16), {"before": _text(before), "after": _text(after)}
    row: Row = {"at": at, "who": who, "did": did, "about": about, **texts, "salt": salt, "previous": previous}
    row |= {f"{name}_digest": digest(salt, text) for name, text in texts.items()}
    tx.insert("audit", {**row, "hash": line_hash(row)})


def line_hash(row: Row) -> str:
    """The hash of one line: SHA-256 over the previous hash, the plain columns and the digests of the contents."""
    parts = ("previous", "at", "who", "did", "about", "before_digest", "after_digest")
    return hashlib.sha256("\n".join(row[part] for part in parts).encode()).hexdigest()


def digest(salt: str, text: str | None) -> str:
    """What stands for a content in the chain; empty where there was none."""
    return "" if text is None else hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def walk(tx: Transaction) -> Chain:
    """Recompute the whole chain, and stop where it does not hold."""
    head, erased = Head(0, 0, _GENESIS), 0
    while rows := tx.rows(
        "SELECT * FROM audit WHERE id > :last ORDER BY id LIMIT :most", {"last": head.line, "most": _PAGE}
    ):
        for row in rows:
            if why := _broken(row, head.hash):
                return Chain(head, Break(row["id"], why), erased)
            erased += row["salt"] is None
            head = Head(row["id"], head.lines + 1, row["hash"])
    return Chain(head, None, erased)


def hash_at(tx: Transaction, line: int) -> Head | None:
    """The chain as it was when ``line`` was its last one; None where that line is gone."""
    found = tx.value("SELECT hash FROM audit WHERE id = :line", {"line": line})
    lines = tx.value("SELECT count(*) AS lines FROM audit WHERE id <= :line", {"line": line})
    return None if found is None else Head(line, int(lines), found)


def lines(tx: Transaction, about: str | None = None, limit: int = 200) -> list[Row]:
    """Lines, newest first; about one thing or all."""
    where = "" if about is None else "WHERE about = :about"
    return tx.rows(f"SELECT * FROM audit {where} ORDER BY id DESC LIMIT :limit", {"about": about, "limit": limit})


def _broken(row: Row, previous: str) -> str | None:
    if row["previous"] != previous:
        return "it does not follow from the line before: one was removed, inserted or moved here"
    if row["hash"] != line_hash(row):
        return "it was changed after it was written"
    if row["salt"] is None:
        contents = [name for name in ("before", "after") if row[name] is not None]
        return f"its {contents[0]} was written after it had been erased" if contents else None
    wrong = [name for name in ("before", "after") if digest(row["salt"], row[name]) != row[f"{name}_digest"]]
    return f"its {wrong[0]} was changed after it was written" if wrong else None


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
