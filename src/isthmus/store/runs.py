"""Runs: one execution of a process for one subject. Whoever holds the fence may write for it; nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isthmus.store.transaction import Row, Transaction

OPEN = ("ready", "waiting", "parked", "undoing")


class FenceLost(Exception):
    """Somebody else has taken the run: stop at once and say nothing."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run begins with. Its id is process, subject and generation."""

    process: str
    version: int
    subject: str
    connection: str
    event: str | None
    hint: str
    release: str
    traceparent: str | None
    generation: int = 1

    @property
    def id(self) -> str:
        """``quote-to-cash.crm.006…``, with ``~2`` for the second generation: safe in an address."""
        suffix = "" if self.generation == 1 else f"~{self.generation}"
        return f"{self.process}.{self.subject.replace('/', '.')}{suffix}"


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a run, as taken."""

    run_id: str
    number: int


def insert_run(tx: Transaction, new: NewRun, now: str) -> str:
    """Insert a run that is due at once, unless it is there; its id."""
    row = {
        "id": new.id,
        "process": new.process,
        "version": new.version,
        "subject": new.subject,
        "connection": new.connection,
        "generation": new.generation,
        "event": new.event,
        "hint": new.hint,
        "release": new.release,
        "state": "ready",
        "due_at": now,
        "traceparent": new.traceparent,
        "created_at": now,
        "updated_at": now,
    }
    tx.insert_new("run", row)
    return new.id


def latest(tx: Transaction, subject: str, process: str) -> Row | None:
    """The newest generation of a subject's run of a process."""
    return tx.row(
        "SELECT * FROM run WHERE subject = :subject AND process = :process ORDER BY generation DESC LIMIT 1",
        {"subject": subject, "process": process},
    )


def input_before(tx: Transaction, run: Row) -> str | None:
    """The input of the newest earlier generation that came to have one, as JSON."""
    found = tx.value(
        "SELECT input FROM run WHERE subject = :subject AND process = :process AND generation < :generation"
        " AND input IS NOT NULL ORDER BY generation DESC LIMIT 1",
        {name: run[name] for name in ("subject", "process", "generation")},
    )
    return None if found is None else str(found)


def reopen(tx: Transaction, run_id: str, hint: str, now: str) -> None:
    """Give an ignored run another look, with a newer message."""
    tx.run(
        "UPDATE run SET state = 'ready', hint = :hint, input = NULL, due_at = :now, ended_at = NULL, updated_at = :now WHERE id = :id",
        {"id": run_id, "hint": hint, "now": now},
    )


def wake(tx: Transaction, run_id: str, now: str) -> None:
    """An answer came: a run that waits is due now, one that is being played will look again before it waits."""
    tx.run(
        "UPDATE run SET wake = wake + 1, due_at = CASE WHEN state IN ('ready', 'waiting', 'undoing') THEN :now ELSE due_at END WHERE id = :id",
        {"id": run_id, "now": now},
    )


def take_due(tx: Transaction, *, holder: str, most: int, now: str, suspects: bool) -> list[Row]:
    """Take up to ``most`` due runs whose subjects nobody holds: owner set, fence raised.

    ``suspects`` includes runs whose holder has died before; those are to be played alone.
    """
    found = tx.rows(
        "SELECT id, subject FROM run r WHERE r.owner IS NULL AND r.due_at IS NOT NULL AND r.due_at <= :now AND r.deaths <= :deaths"
        " AND NOT EXISTS (SELECT 1 FROM run o WHERE o.subject = r.subject AND o.owner IS NOT NULL)"
        " ORDER BY r.due_at LIMIT :most" + tx.skip,
        {"now": now, "deaths": 99 if suspects else 0, "most": most},
    )
    taken, subjects = [], set()
    for row in found:
        if row["subject"] not in subjects and (run := take(tx, row["id"], holder, now)):
            subjects.add(row["subject"])
            taken.append(run)
    return taken


def take(tx: Transaction, run_id: str, holder: str, now: str) -> Row | None:
    """Take one run that nobody holds; the row as taken, or None. Replay, skip, cancel, take-over: all are this."""
    return tx.row(
        "UPDATE run SET owner = :holder, fence = fence + 1, due_at = NULL, updated_at = :now"
        " WHERE id = :id AND owner IS NULL RETURNING *",
        {"id": run_id, "holder": holder, "now": now},
    )


def hold(tx: Transaction, fence: Fence) -> bool:
    """Hold the fence for this transaction; whether somebody asked to cancel.

    On PostgreSQL the row stays share-locked to the commit, so that a take waits for the writes before it.
    Raises FenceLost.
    """
    row = tx.row("SELECT fence, owner, cancel FROM run WHERE id = :id" + tx.share, {"id": fence.run_id})
    if row is None or row["fence"] != fence.number or row["owner"] is None:
        raise FenceLost(fence.run_id)
    return bool(row["cancel"])


def describe(tx: Transaction, fence: Fence, values: dict[str, Any], now: str) -> bool:
    """Write what a run is about (input, business key, title, customer, amount …); whether to cancel."""
    cancel = hold(tx, fence)
    sets = ", ".join(f"{name} = :{name}" for name in values)
    tx.run(f"UPDATE run SET {sets}, updated_at = :now WHERE id = :id", {**values, "now": now, "id": fence.run_id})
    return cancel


def end_play(
    tx: Transaction,
    fence: Fence,
    *,
    state: str,
    now: str,
    due_at: str | None = None,
    wake_seen: int | None = None,
    **values: Any,
) -> bool:
    """Let go of a run in ``state``. With ``wake_seen``: only if no answer came meanwhile; whether it was let go.

    Raises FenceLost.
    """
    hold(tx, fence)
    ended = now if state in ("done", "undone", "ignored") else None
    # a run that was taken for another look keeps the time at which it ended
    over = "coalesce(ended_at, :ended)" if ended else "NULL"
    sets = "".join(f", {name} = :{name}" for name in values)
    guard = "" if wake_seen is None else " AND wake = :wake_seen"
    touched = tx.run(
        f"UPDATE run SET state = :state, owner = NULL, due_at = :due_at, ended_at = {over}, updated_at = :now{sets}"
        f" WHERE id = :id{guard}",
        {
            **values,
            "state": state,
            "due_at": due_at,
            "ended": ended,
            "now": now,
            "id": fence.run_id,
            "wake_seen": wake_seen,
        },
    )
    return touched > 0


def hand_back(tx: Transaction, holder: str, now: str) -> int:
    """Give back every run of a worker that stops in order; they are due at once and no death is counted."""
    return tx.run("UPDATE run SET owner = NULL, due_at = :now WHERE owner = :holder", {"holder": holder, "now": now})


def get_run(tx: Transaction, run_id: str) -> Row | None:
    """One run by its id."""
    return tx.row("SELECT * FROM run WHERE id = :id", {"id": run_id})


def wake_of(tx: Transaction, run_id: str) -> int:
    """The run's wake counter now."""
    return int(tx.value("SELECT wake FROM run WHERE id = :id", {"id": run_id}) or 0)


def list_runs(
    tx: Transaction, *, state: str | None, process: str | None, text: str | None, limit: int, before: str | None
) -> list[Row]:
    """Runs, newest first; ``text`` is searched in key, title, customer and id; ``before`` is an updated_at to page on."""
    conditions, values = ["1 = 1"], {"limit": limit}
    for column, value in (("state", state), ("process", process)):
        if value:
            conditions.append(f"{column} = :{column}")
            values[column] = value  # type: ignore[assignment]
    if text:
        conditions.append(
            "(business_key = :text OR id = :text OR lower(title) LIKE :like OR lower(customer) LIKE :like)"
        )
        values |= {"text": text, "like": f"%{text.lower()}%"}  # type: ignore[dict-item]
    if before:
        conditions.append("updated_at < :before")
        values["before"] = before  # type: ignore[assignment]
    return tx.rows(f"SELECT * FROM run WHERE {' AND '.join(conditions)} ORDER BY updated_at DESC LIMIT :limit", values)


def counts(tx: Transaction) -> dict[str, int]:
    """How many runs are in each state."""
    return {row["state"]: row["n"] for row in tx.rows("SELECT state, count(*) AS n FROM run GROUP BY state")}
