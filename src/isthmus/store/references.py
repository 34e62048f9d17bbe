"""Cross-references: which ids are the same thing where, with the version last seen."""

from __future__ import annotations

from isthmus.store.transaction import Row, Transaction


def link(
    tx: Transaction,
    *,
    connection: str,
    type_: str,
    id_: str,
    kind: str,
    canonical_id: str,
    number: str | None,
    version: str | None,
    at: str,
) -> None:
    """Remember that ``id_`` at ``connection`` is our ``canonical_id``; the newest version wins."""
    tx.run(
        "INSERT INTO cross_reference (connection, type, id, kind, canonical_id, number, version, at)"
        " VALUES (:connection, :type, :id, :kind, :canonical_id, :number, :version, :at)"
        " ON CONFLICT (connection, type, id) DO UPDATE SET canonical_id = excluded.canonical_id,"
        " number = coalesce(excluded.number, cross_reference.number), version = coalesce(excluded.version, cross_reference.version), at = excluded.at",
        {
            "connection": connection,
            "type": type_,
            "id": id_,
            "kind": kind,
            "canonical_id": canonical_id,
            "number": number,
            "version": version,
            "at": at,
        },
    )


def canonical(tx: Transaction, connection: str, type_: str, id_: str) -> Row | None:
    """What we call this id of that connection."""
    return tx.row(
        "SELECT * FROM cross_reference WHERE connection = :connection AND type = :type AND id = :id",
        {"connection": connection, "type": type_, "id": id_},
    )


def elsewhere(tx: Transaction, canonical_id: str, connection: str | None = None) -> list[Row]:
    """Where else this object is; at one connection, or at all."""
    if connection is None:
        return tx.rows(
            "SELECT * FROM cross_reference WHERE canonical_id = :id ORDER BY connection", {"id": canonical_id}
        )
    return tx.rows(
        "SELECT * FROM cross_reference WHERE canonical_id = :id AND connection = :connection ORDER BY at",
        {"id": canonical_id, "connection": connection},
    )


def find_anywhere(tx: Transaction, text: str) -> list[Row]:
    """Cross-references whose vendor id, number or canonical id is ``text``."""
    return tx.rows(
        "SELECT * FROM cross_reference WHERE canonical_id = :text"
        " UNION SELECT * FROM cross_reference WHERE number = :text"
        " UNION SELECT * FROM cross_reference WHERE id = :text",
        {"text": text},
    )
