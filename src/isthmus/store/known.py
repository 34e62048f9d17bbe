"""The read model's rows: canonical objects as they were last read, and which parts of a customer are there in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.store.transaction import Row, Transaction

_COLUMNS = (
    "id", "connection", "kind", "unit", "number", "request_number", "customer_id", "customer_number", "changed_at",
    "asked_at", "body",
)  # fmt: skip
#: what its source says is newer wins; where that is equal or unknown, what was asked for later
_PUT = (
    f"INSERT INTO known ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + name for name in _COLUMNS)})"
    " ON CONFLICT (id, connection) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[2:])}"
    " WHERE coalesce(excluded.changed_at, '') > coalesce(known.changed_at, '')"
    " OR (coalesce(excluded.changed_at, '') = coalesce(known.changed_at, '') AND excluded.asked_at >= known.asked_at)"
)


def put(tx: Transaction, row: Row) -> bool:
    """Keep an object as it was read, unless a newer one is kept; whether it is kept now."""
    return tx.run(_PUT, row) > 0


def put_addresses(tx: Transaction, customer_id: str, connection: str, addresses: Mapping[str, bool]) -> None:
    """The addresses by which a connection finds a customer, and whether each is exact; they take the place of others."""
    of = {"customer_id": customer_id, "connection": connection}
    tx.run("DELETE FROM known_address WHERE customer_id = :customer_id AND connection = :connection", of)
    for address, exact in addresses.items():
        tx.insert_new("known_address", {**of, "address": address, "exact": int(exact)})


def complete(
    tx: Transaction, *, customer_id: str, part: str, kind: str, connection: str, asked_at: str, ids: Sequence[str],
    among: Sequence[Row], before: str,
) -> None:  # fmt: skip
    """Say that a part of a customer was read in full: what of ``among`` was read ``before`` and is not among ``ids`` is
    there no more."""
    tx.run(
        "INSERT INTO known_part (customer_id, part, asked_at) VALUES (:customer_id, :part, :asked_at)"
        " ON CONFLICT (customer_id, part) DO UPDATE SET asked_at = excluded.asked_at"
        " WHERE excluded.asked_at > known_part.asked_at",
        {"customer_id": customer_id, "part": part, "asked_at": asked_at},
    )
    for row in among:
        if row["connection"] == connection and row["kind"] == kind and row["id"] not in ids:
            tx.run(
                "DELETE FROM known WHERE id = :id AND connection = :connection AND asked_at < :before",
                {"id": row["id"], "connection": connection, "before": before},
            )


def same_as(tx: Transaction, customer_id: str) -> list[str]:
    """Our ids of a customer: the one that is given, and those under which other systems have the same one."""
    rows = tx.rows(
        "SELECT DISTINCT other.customer_id AS id FROM known_address AS own JOIN known_address AS other"
        " ON other.address = own.address AND other.exact = 1 WHERE own.customer_id = :id AND own.exact = 1",
        {"id": customer_id},
    )
    return [customer_id, *(row["id"] for row in rows if row["id"] != customer_id)]


def of_customer(tx: Transaction, ids: Sequence[str], number: str | None) -> list[Row]:
    """All that is known of a customer, by our ids of it or by its number, whichever an object names."""
    marks = {f"id_{at}": id_ for at, id_ in enumerate(ids)}
    sql = f"SELECT * FROM known WHERE customer_id IN ({', '.join(':' + name for name in marks)})"
    if number:
        sql += " UNION SELECT * FROM known WHERE customer_number = :number"
    return tx.rows(sql, {**marks, "number": number})


def parts_of(tx: Transaction, customer_id: str) -> dict[str, str]:
    """When each part of a customer was last read in full."""
    rows = tx.rows("SELECT part, asked_at FROM known_part WHERE customer_id = :id", {"id": customer_id})
    return {row["part"]: row["asked_at"] for row in rows}


def by_id(tx: Transaction, id_: str) -> list[Row]:
    """What is known of one object, from each connection, the last read first."""
    return tx.rows("SELECT * FROM known WHERE id = :id ORDER BY asked_at DESC", {"id": id_})


def by_number(tx: Transaction, kind: str, number: str) -> list[Row]:
    """Objects of a kind with this number, or this number of ours."""
    return tx.rows(
        "SELECT * FROM known WHERE number = :number AND kind = :kind"
        " UNION SELECT * FROM known WHERE request_number = :number AND kind = :kind",
        {"number": number, "kind": kind},
    )


def by_address(tx: Transaction, address: str) -> list[str]:
    """The customers with this e-mail address, domain or key."""
    rows = tx.rows(
        "SELECT DISTINCT customer_id FROM known_address WHERE address = :address ORDER BY customer_id",
        {"address": address},
    )
    return [str(row["customer_id"]) for row in rows]


def followed_until(tx: Transaction, connection: str, channel: str) -> str | None:
    """Until when a polled channel has seen everything and has it in hand; None where it never ran."""
    seen: str | None = tx.value(
        "SELECT seen_at FROM cursor WHERE connection = :connection AND channel = :channel",
        {"connection": connection, "channel": channel},
    )
    waiting: str | None = tx.value(
        "SELECT received_at FROM message WHERE state = 'new' AND connection = :connection AND channel = :channel"
        " ORDER BY id LIMIT 1",
        {"connection": connection, "channel": channel},
    )
    return min(seen, waiting) if seen and waiting else seen
