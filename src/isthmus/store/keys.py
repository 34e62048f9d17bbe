"""API keys (hashed, with a named holder) and answers kept for ``Idempotency-Key``."""

from __future__ import annotations

from datetime import timedelta

from isthmus.store.transaction import Row, Transaction

#: how long an answer can be asked for again under its Idempotency-Key
ANSWERS_KEPT = timedelta(days=1)


def put_key(tx: Transaction, *, hash_: str, holder: str, scopes: str, now: str) -> None:
    """Store a key's hash with its holder and scopes (space separated)."""
    tx.insert_new("api_key", {"hash": hash_, "holder": holder, "scopes": scopes, "created_at": now})


def find_key(tx: Transaction, hash_: str) -> Row | None:
    """The living key with this hash."""
    return tx.row("SELECT * FROM api_key WHERE hash = :hash AND revoked_at IS NULL", {"hash": hash_})


def list_keys(tx: Transaction) -> list[Row]:
    """All keys with holder, scopes and dates, oldest first."""
    return tx.rows("SELECT hash, holder, scopes, created_at, revoked_at FROM api_key ORDER BY created_at, hash")


def revoke_keys(tx: Transaction, holder: str, now: str) -> int:
    """Revoke every living key of a holder; how many."""
    return tx.run(
        "UPDATE api_key SET revoked_at = :now WHERE holder = :holder AND revoked_at IS NULL",
        {"holder": holder, "now": now},
    )


def hold_answer(tx: Transaction, *, holder: str, key: str, request_hash: str, now: str, before: str) -> Row | None:
    """Take an Idempotency-Key for a request that is answered now; None where it is ours, else the row that stands.

    Who took it ``before`` and has not answered since has died.
    """
    row = {"holder": holder, "key": key, "request_hash": request_hash, "status": 0, "body": "", "at": now}
    if tx.insert_new("answered", row):
        return None
    taken = tx.run(
        "UPDATE answered SET at = :at WHERE holder = :holder AND key = :key AND request_hash = :request_hash"
        " AND status = 0 AND at < :before",
        {**row, "before": before},
    )
    return None if taken else kept_answer(tx, holder, key)


def kept_answer(tx: Transaction, holder: str, key: str) -> Row | None:
    """The answer that was given under this Idempotency-Key; its status is 0 while it is not there yet."""
    return tx.row("SELECT * FROM answered WHERE holder = :holder AND key = :key", {"holder": holder, "key": key})


def keep_answer(tx: Transaction, *, holder: str, key: str, status: int, body: str) -> None:
    """Keep the answer under its Idempotency-Key."""
    tx.run(
        "UPDATE answered SET status = :status, body = :body WHERE holder = :holder AND key = :key AND status = 0",
        {"holder": holder, "key": key, "status": status, "body": body},
    )


def let_go(tx: Transaction, *, holder: str, key: str) -> None:
    """Give an Idempotency-Key back: nothing was done under it."""
    tx.run("DELETE FROM answered WHERE holder = :holder AND key = :key AND status = 0", {"holder": holder, "key": key})


def forget_answers(tx: Transaction, before: str, most: int) -> int:
    """Forget up to ``most`` answers kept before an instant; how many."""
    return tx.run(
        "DELETE FROM answered WHERE (holder, key) IN"
        " (SELECT holder, key FROM answered WHERE at < :before ORDER BY at LIMIT :most)",
        {"before": before, "most": most},
    )
