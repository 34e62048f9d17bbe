"""Releases that runs were started with: their files, and the versions of their processes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from isthmus.store.transaction import Row, Transaction


def keep(
    tx: Transaction, *, id_: str, environment: str, files: Mapping[str, str], processes: Mapping[str, int], now: str
) -> bool:
    """Keep a release unless it is kept already; whether it was new."""
    row = {"id": id_, "environment": environment, "kept_at": now}
    texts = {"files": json.dumps(files, ensure_ascii=False), "processes": json.dumps(processes)}
    return tx.insert_new("release", {**row, **texts})


def is_kept(tx: Transaction, id_: str) -> bool:
    """Whether a release is kept."""
    return tx.value("SELECT 1 AS found FROM release WHERE id = :id", {"id": id_}) is not None


def get_release(tx: Transaction, id_: str) -> Row | None:
    """A kept release, ``files`` and ``processes`` as dicts."""
    row = tx.row("SELECT * FROM release WHERE id = :id", {"id": id_})
    return row and {**row, "files": json.loads(row["files"]), "processes": json.loads(row["processes"])}


def newest(tx: Transaction) -> str | None:
    """The release that was kept last; None where none is."""
    found = tx.value("SELECT id FROM release ORDER BY kept_at DESC LIMIT 1")
    return None if found is None else str(found)


def version_of(tx: Transaction, id_: str, process: str) -> int | None:
    """The version of a process in a kept release."""
    row = tx.row("SELECT processes FROM release WHERE id = :id", {"id": id_})
    found: int | None = json.loads(row["processes"]).get(process) if row else None
    return found
