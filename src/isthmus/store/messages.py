"""Calls and messages: stored before they are acknowledged, claimed as runs, one subject at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.store.runs import NewRun, insert_run, latest, reopen, wake
from isthmus.store.transaction import Row, Transaction


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One part of a call. ``source_id`` deduplicates, ``subject`` is the object at its source."""

    source_id: str
    subject: str
    type: str | None
    version: str | None
    body: Any


@dataclass(frozen=True, slots=True)
class Start:
    """A process that a message starts, and whether it plays ``again`` after it is done."""

    process: str
    version: int
    event: str
    again: bool = False


Plan = Callable[[Row], Sequence[Start]]

_BLOCKED = "'parked', 'undoing'"
_CLAIMABLE = f"""
SELECT m.* FROM message m
WHERE m.state = 'new'
  AND NOT EXISTS (SELECT 1 FROM message e WHERE e.state = 'new' AND e.subject = m.subject AND e.id < m.id)
  AND NOT EXISTS (SELECT 1 FROM run r WHERE r.subject = m.subject AND (r.owner IS NOT NULL OR r.state IN ({_BLOCKED})))
ORDER BY m.id LIMIT :most
"""


def store_call(tx: Transaction, call: Row, messages: Sequence[NewMessage]) -> int:
    """Store a raw call with its messages; how many of them were new. Repeats are dropped by their source id."""
    tx.insert("call", call)
    new = 0
    for part in messages:
        new += tx.insert_new(
            "message",
            {
                "call_id": call["id"],
                "connection": call["connection"],
                "channel": call["channel"],
                "source_id": part.source_id,
                "subject": f"{call['connection']}/{part.subject}",
                "type": part.type,
                "version": part.version,
                "body": json.dumps(part.body, ensure_ascii=False),
                "traceparent": call["traceparent"],
                "received_at": call["received_at"],
                "state": "new",
                "run_id": None,
            },
        )
    return new


def claim_messages(tx: Transaction, *, most: int, plan: Plan, release: str, now: str) -> int:
    """Turn up to ``most`` new messages into runs that are due now (or join the runs they find); how many."""
    found = tx.rows(_CLAIMABLE + tx.skip, {"most": most})
    for row in found:
        state, run_id = "ignored", None
        for start in plan(row):
            outcome, run_id = start_run(tx, row, start, release, now)
            state = outcome if state in ("ignored", "seen") else state
        tx.run(
            "UPDATE message SET state = :state, run_id = :run_id WHERE id = :id",
            {"state": state, "run_id": run_id, "id": row["id"]},
        )
    return len(found)


def start_run(tx: Transaction, message: Row, start: Start, release: str, now: str) -> tuple[str, str]:
    """Start a run for a message-shaped row (subject, connection, body, traceparent), or find the one that stands.

    (claimed | seen | joined, the run's id).
    """
    run = latest(tx, message["subject"], start.process)
    if run is None:
        return "claimed", insert_run(tx, _new_run(message, start, 1, release), now)
    if run["state"] == "ignored":
        reopen(tx, run["id"], message["body"], now)
        return "claimed", run["id"]
    if run["state"] == "undone" or (run["state"] == "done" and start.again):
        return "claimed", insert_run(tx, _new_run(message, start, run["generation"] + 1, release), now)
    if run["state"] == "done":
        return "seen", run["id"]
    wake(tx, run["id"], now)
    return "joined", run["id"]


def _new_run(message: Row, start: Start, generation: int, release: str) -> NewRun:
    return NewRun(
        process=start.process,
        version=start.version,
        subject=message["subject"],
        connection=message["connection"],
        generation=generation,
        event=start.event,
        hint=message["body"],
        release=release,
        traceparent=message["traceparent"],
    )


def oldest_new(tx: Transaction) -> Row | None:
    """The oldest message that nobody has claimed, and how many there are."""
    return tx.row("SELECT min(received_at) AS received_at, count(*) AS waiting FROM message WHERE state = 'new'")


def messages_of(tx: Transaction, run_id: str) -> list[Row]:
    """The messages that belong to a run, oldest first."""
    return tx.rows(
        "SELECT id, source_id, type, version, received_at, state FROM message WHERE run_id = :run ORDER BY id",
        {"run": run_id},
    )
