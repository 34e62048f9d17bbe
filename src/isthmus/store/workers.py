"""Leased worker slots with their heartbeat, on the database's clock; what a dead worker held is given back.

While the database is away nobody can beat, and every lease runs out. So a worker says of another that it is dead only
after it has itself beaten for a while without a break: by then whoever lives has beaten too.
"""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction

EXPIRY_MS = 6000
#: how long a worker must have beaten without a break before it may say of another that it is dead
SURE_MS = 5000


def now_ms(tx: Transaction) -> int:
    """The database's clock in milliseconds: leases are compared by one clock only."""
    if tx.dialect == "postgresql":
        return int(tx.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now"))
    return int(tx.value("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) AS now"))


def lease(tx: Transaction, *, holder: str, name: str) -> int:
    """Lease the lowest free slot; its number."""
    now = now_ms(tx)
    if tx.dialect == "postgresql":
        tx.run("SELECT pg_advisory_xact_lock(4721)")
    free = tx.value("SELECT min(slot) AS slot FROM worker WHERE expires_at < :now", {"now": now})
    if free is None:
        free = int(tx.value("SELECT coalesce(max(slot), 0) + 1 AS slot FROM worker"))
        tx.insert("worker", {"slot": free})
    tx.run(
        "UPDATE worker SET holder = :holder, name = :name, expires_at = :expires, since = :now, progress = NULL"
        " WHERE slot = :slot",
        {"slot": free, "holder": holder, "name": name, "expires": now + EXPIRY_MS, "now": now},
    )
    return int(free)


def beat(tx: Transaction, *, holder: str, progress: str) -> bool:
    """Renew a lease, late too, if nobody has taken the slot; False where it was lost, and another must be leased."""
    now = now_ms(tx)
    touched = tx.run(
        "UPDATE worker SET since = CASE WHEN expires_at >= :now THEN since ELSE :now END, expires_at = :expires,"
        " progress = :progress WHERE holder = :holder AND expires_at > 0",
        {"expires": now + EXPIRY_MS, "progress": progress, "holder": holder, "now": now},
    )
    return touched > 0


def release(tx: Transaction, holder: str) -> None:
    """Give a slot back."""
    tx.run("UPDATE worker SET expires_at = 0, holder = NULL WHERE holder = :holder", {"holder": holder})


def abandoned(tx: Transaction, judge: str) -> list[Row]:
    """Runs whose holder is dead, as the worker ``judge`` may say: its lease has run out, or nobody leases under it."""
    now = now_ms(tx)
    sure = tx.value(
        "SELECT 1 AS sure FROM worker WHERE holder = :judge AND expires_at >= :now AND since <= :now - :sure",
        {"judge": judge, "now": now, "sure": SURE_MS},
    )
    return tx.rows(
        "SELECT id, owner, deaths FROM run WHERE owner IS NOT NULL"
        " AND owner NOT IN (SELECT holder FROM worker WHERE holder IS NOT NULL AND expires_at >= :alive)",
        {"alive": now if sure else 1},
    )


def living(tx: Transaction) -> list[Row]:
    """The workers that live."""
    return tx.rows("SELECT * FROM worker WHERE expires_at >= :now ORDER BY slot", {"now": now_ms(tx)})
