"""API keys (hashed, with a named holder) and answers kept for ``Idempotency-Key``."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def put_key(tx: Transaction, *, hash_: str, holder: str, scopes: str, now: str) -> None:
    """Store a key's hash with its holder and scopes (space separated)."""
    tx.insert_new("api_key", {"hash": hash_, "holder": holder, "scopes": scopes, "created_at": now})


def find_key(tx: Transaction, hash_: str) -> Row | None:
    """The living key with this hash."""
    return tx.row("SELECT * FROM api_key WHERE hash = :hash AND revoked_at IS NULL", {"hash": hash_})


def kept_answer(tx: Transaction, holder: str, key: str) -> Row | None:
    """The answer that was given under this Idempotency-Key."""
    return tx.row("SELECT * FROM answered WHERE holder = :holder AND key = :key", {"holder": holder, "key": key})


def keep_answer(tx: Transaction, row: Row) -> bool:
    """Keep an answer under its Idempotency-Key; False where one stands."""
    return tx.insert_new("answered", row)
