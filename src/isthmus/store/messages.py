"""Calls and messages: stored before they are acknowledged, claimed as runs, one subject at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isthmus.store import exceptions, journal, waits
from isthmus.store.actors import NEWER_MESSAGE
from isthmus.store.runs import NewRun, hint_newer, insert_run, latest, reopen, wake
from isthmus.store.transaction import Row, Transaction


@dataclass(frozen=True, slots=True)
class NewMessage:
    """One part of a call. ``source_id`` deduplicates, ``subject`` is the object at its source.

    ``newest_wins``: it takes the place of a parked run's message instead of waiting for it.
    """

    source_id: str
    subject: str
    type: str | None
    version: str | None
    body: Any
    newest_wins: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """A process that a message starts, and whether it plays ``again`` after it is done."""

    process: str
    version: int
    event: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Wake:
    """An event about something: runs that wait for it look again."""

    event: str
    about: str


Plan = Callable[[Row], Sequence[Start | Wake]]

_CLAIMABLE = """
SELECT m.* FROM message m
WHERE m.state = 'new'
  AND NOT EXISTS (SELECT 1 FROM permit p WHERE p.connection = m.connection
                  AND (p.blocked_until > :now OR p.open_until > :now))
  AND NOT EXISTS (SELECT 1 FROM message e WHERE e.state = 'new' AND e.subject = m.subject AND e.id < m.id)
  AND NOT EXISTS (SELECT 1 FROM run r WHERE r.subject = m.subject
                  AND (r.owner IS NOT NULL OR r.state = 'undoing' OR (r.state = 'parked' AND m.newest_wins = 0)))
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
                "newest_wins": int(part.newest_wins),
                "run_id": None,
            },
        )
    return new


def claim_messages(tx: Transaction, *, most: int, plan: Plan, release: str, now: str) -> int:
    """Turn up to ``most`` new messages into runs that are due now (or join the runs they find); how many.

    Messages of a connection that is blocked or broken wait.
    """
    found = tx.rows(_CLAIMABLE + tx.skip, {"most": most, "now": now})
    for row in found:
        state, run_id = "ignored", None
        for meant in _meant(tx, row, plan, now):
            if isinstance(meant, Wake):
                woken = waits.tell(tx, meant.event, meant.about, now)
                outcome, run_id = ("joined", woken[0]) if woken else (state, run_id)
            else:
                outcome, run_id = start_run(tx, row, meant, release, now)
            state = outcome if state in ("ignored", "seen", "superseded") else state
        if row["state"] == "unreadable":
            state = "unreadable"
        tx.run(
            "UPDATE message SET state = :state, run_id = :run_id WHERE id = :id",
            {"state": state, "run_id": run_id, "id": row["id"]},
        )
    return len(found)


def _meant(tx: Transaction, row: Row, plan: Plan, now: str) -> Sequence[Start | Wake]:
    """What a message starts and wakes. One that cannot be read must not keep others from being claimed: it is told."""
    try:
        return plan(row)
    except Exception as error:
        row["state"] = "unreadable"
        data = {"message": row["id"], "source_id": row["source_id"], "said": str(error)[:500]}
        journal.append(tx, at=now, type_="isthmus.message.unreadable.v1", data=data, connection=row["connection"])
        return []


def start_run(tx: Transaction, message: Row, start: Start, release: str, now: str) -> tuple[str, str]:
    """Start a run for a message-shaped row (subject, connection, body, traceparent), or find the one that stands.

    (claimed | seen | joined | superseded, the run's id). A message whose version is older than the one that the run
    was started with is superseded: what is older never overwrites what is newer.
    """
    run = latest(tx, message["subject"], start.process)
    if run is None:
        new = _new_run(message, start, 1, release)
        if insert_run(tx, new, now):
            return "claimed", new.id
        run = latest(tx, message["subject"], start.process)  # another worker was quicker
        assert run is not None
    version = message.get("version")
    if older(version, run["source_version"]):
        return "superseded", run["id"]
    if run["state"] == "ignored" or (run["state"] == "parked" and message.get("newest_wins")):
        exceptions.end_exception(tx, run["id"], who=NEWER_MESSAGE, now=now)
        reopen(tx, run["id"], message["body"], version, now)
        return "claimed", run["id"]
    if run["state"] == "done" and not start.again:
        return "seen", run["id"]
    if run["state"] in ("done", "undone"):
        return "claimed", _next(tx, message, start, run, release, now, due=True)
    if run["input"] is None and run["owner"] is None:
        hint_newer(tx, run["id"], message["body"], version, now)
    elif start.again:
        return "claimed", _next(tx, message, start, run, release, now, due=False)
    if run["due_at"] is not None or run["owner"] is not None or run["state"] == "waiting":
        wake(tx, run["id"], now)
    return "joined", run["id"]


def _next(tx: Transaction, message: Row, start: Start, run: Row, release: str, now: str, *, due: bool) -> str:
    """The next generation; not ``due``: it waits until this one has ended."""
    new = _new_run(message, start, run["generation"] + 1, release)
    insert_run(tx, new, now, due=due)
    return new.id


def older(version: str | None, than: str | None) -> bool:
    """Whether a source's version is older than another. Versions have an order if both are numbers or both instants."""
    if not version or not than:
        return False
    if version.isdecimal() and than.isdecimal():
        return int(version) < int(than)
    try:
        return datetime.fromisoformat(version) < datetime.fromisoformat(than)
    except (ValueError, TypeError):
        return False


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
        source_version=message.get("version"),
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
