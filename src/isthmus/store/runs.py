"""Runs: one execution of a process for one subject. Whoever holds the fence may write for it; nobody else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from isthmus.store.transaction import Row, Transaction

OPEN = ("ready", "waiting", "parked", "undoing")
#: letting go of a run that somebody holds no more: due at once if there is something to play, else as it stands
_FREED = (
    "owner = NULL, due_at = CASE WHEN state IN ('ready', 'waiting', 'undoing') OR cancel = 1 THEN :now ELSE NULL END"
)
#: that nobody holds the subject of ``run``
_FREE_SUBJECT = "NOT EXISTS (SELECT 1 FROM run o WHERE o.subject = run.subject AND o.owner IS NOT NULL)"


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
    source_version: str | None = None

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


def insert_run(tx: Transaction, new: NewRun, now: str, *, due: bool = True, **columns: Any) -> bool:
    """Insert a run, due at once, unless it is there; whether it was new. ``columns`` are what else is known of it."""
    row = {
        "id": new.id,
        "process": new.process,
        "version": new.version,
        "subject": new.subject,
        "connection": new.connection,
        "generation": new.generation,
        "event": new.event,
        "hint": new.hint,
        "source_version": new.source_version,
        "release": new.release,
        "state": "ready",
        "due_at": now if due else None,
        "traceparent": new.traceparent,
        "created_at": now,
        "updated_at": now,
        **columns,
    }
    return tx.insert_new("run", row)


def tell_problem(tx: Transaction, run_id: str, problem: str) -> None:
    """Say of a run that nobody plays why it waits."""
    tx.run("UPDATE run SET problem = :problem WHERE id = :id AND owner IS NULL", {"id": run_id, "problem": problem})


def latest(tx: Transaction, subject: str, process: str) -> Row | None:
    """The newest generation of a subject's run of a process, locked to the end of this transaction."""
    return tx.row(
        "SELECT * FROM run WHERE subject = :subject AND process = :process ORDER BY generation DESC LIMIT 1" + tx.lock,
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


def reopen(tx: Transaction, run_id: str, hint: str, version: str | None, now: str) -> None:
    """Give an ignored or parked run another look, with a newer message."""
    tx.run(
        "UPDATE run SET state = 'ready', hint = :hint, source_version = :version, input = NULL, round = round + 1,"
        " due_at = :now, ended_at = NULL, updated_at = :now WHERE id = :id",
        {"id": run_id, "hint": hint, "version": version, "now": now},
    )


def park(tx: Transaction, run_id: str, problem: str, now: str) -> None:
    """Have a run that nobody plays wait for a person."""
    tx.run(
        "UPDATE run SET state = 'parked', problem = :problem, due_at = NULL, ended_at = NULL, updated_at = :now"
        " WHERE id = :id AND owner IS NULL",
        {"id": run_id, "problem": problem, "now": now},
    )


def hint_newer(tx: Transaction, run_id: str, hint: str, version: str | None, now: str) -> None:
    """A newer message for a run that has not been played yet: it begins with that one."""
    tx.run(
        "UPDATE run SET hint = :hint, source_version = :version, updated_at = :now WHERE id = :id",
        {"id": run_id, "hint": hint, "version": version, "now": now},
    )


def wake(tx: Transaction, run_id: str, now: str) -> None:
    """An answer came: a run that waits is due now, one that is being played will look again before it waits."""
    tx.run(
        "UPDATE run SET wake = wake + 1, due_at = CASE WHEN state IN ('ready', 'waiting', 'undoing') THEN :now ELSE due_at END WHERE id = :id",
        {"id": run_id, "now": now},
    )


def take_due(tx: Transaction, *, holder: str, most: int, now: str) -> list[Row]:
    """Take up to ``most`` due runs whose subjects nobody holds: owner set, fence raised.

    Runs whose holder has died before are not among them: those are played alone (``suspect_due``).
    """
    sql = (
        "SELECT id, subject FROM run WHERE owner IS NULL AND due_at IS NOT NULL AND due_at <= :now AND deaths = 0"
        f" AND {_FREE_SUBJECT} ORDER BY due_at LIMIT :most" + tx.skip
    )
    if tx.dialect == "postgresql":  # of two workers that both see a subject free, one gets its lock
        sql = f"SELECT id, subject FROM ({sql}) AS due WHERE pg_try_advisory_xact_lock(hashtextextended(subject, 0))"
    found = tx.rows(sql, {"now": now, "most": most})
    taken, subjects = [], set()
    for row in found:
        if row["subject"] not in subjects and (run := _take(tx, row["id"], holder, now)):
            subjects.add(row["subject"])
            taken.append(run)
    return taken


def suspect_due(tx: Transaction, now: str) -> str | None:
    """A due run whose holder has died before: it is to be played alone, so that it cannot take others with it."""
    found: str | None = tx.value(
        "SELECT id FROM run WHERE owner IS NULL AND due_at IS NOT NULL AND due_at <= :now AND deaths > 0"
        f" AND {_FREE_SUBJECT} ORDER BY due_at LIMIT 1",
        {"now": now},
    )
    return found


def take(tx: Transaction, run_id: str, holder: str, now: str) -> Row | None:
    """Take one run that nobody holds, nor another of its subject; the row as taken, or None.

    Replay, skip, cancel, take-over: all are this.
    """
    if tx.dialect == "postgresql" and not tx.value(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(subject, 0)) AS got FROM run WHERE id = :id", {"id": run_id}
    ):
        return None
    return _take(tx, run_id, holder, now)


def _take(tx: Transaction, run_id: str, holder: str, now: str) -> Row | None:
    return tx.row(
        "UPDATE run SET owner = :holder, fence = fence + 1, due_at = NULL, updated_at = :now"
        f" WHERE id = :id AND owner IS NULL AND {_FREE_SUBJECT} RETURNING *",
        {"id": run_id, "holder": holder, "now": now},
    )


def borrow(tx: Transaction, run_id: str, holder: str, now: str) -> tuple[Row, str | None] | None:
    """Take a run without playing it; the row, and when it was due, for ``put_back``. None where somebody holds it."""
    before = get_run(tx, run_id)
    taken = take(tx, run_id, holder, now) if before else None
    return (taken, before["due_at"]) if before and taken else None


def put_back(tx: Transaction, fence: Fence, due_at: str | None, now: str) -> None:
    """Give a borrowed run back as it was; what woke, mended or cancelled it meanwhile counts. Raises FenceLost."""
    hold(tx, fence)
    tx.run(
        "UPDATE run SET owner = NULL, due_at = CASE WHEN cancel = 1 THEN :now ELSE coalesce(due_at, :due) END WHERE id = :id",
        {"id": fence.run_id, "due": due_at, "now": now},
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
    """Let go of a run in ``state``; whether it was let go.

    It is not where somebody asked to cancel it meanwhile, nor, with ``wake_seen``, where an answer or a mend came
    meanwhile: then it must be played again. Raises FenceLost.
    """
    if hold(tx, fence) and state in ("done", "waiting", "parked"):
        return False
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
    if touched and ended:
        _next_generation(tx, fence.run_id, now)
    return touched > 0


def _next_generation(tx: Transaction, run_id: str, now: str) -> None:
    """A run of the same subject that waited for this one to end is due."""
    tx.run(
        "UPDATE run SET due_at = :now WHERE state = 'ready' AND owner IS NULL AND due_at IS NULL AND id ="
        " (SELECT n.id FROM run r JOIN run n ON n.subject = r.subject AND n.process = r.process"
        " AND n.generation = r.generation + 1 WHERE r.id = :id)",
        {"id": run_id, "now": now},
    )


def hand_back(tx: Transaction, holder: str, now: str) -> int:
    """Give back every run of a worker that stops in order; they are due at once and no death is counted."""
    return tx.run(f"UPDATE run SET {_FREED} WHERE owner = :holder", {"holder": holder, "now": now})


def free_abandoned(tx: Transaction, run_id: str, owner: str, now: str) -> bool:
    """Free one run of a dead holder and count the death; due at once. Its old plays' writes are refused from now on."""
    return (
        tx.run(
            f"UPDATE run SET {_FREED}, deaths = deaths + 1, fence = fence + 1 WHERE id = :id AND owner = :owner",
            {"id": run_id, "owner": owner, "now": now},
        )
        > 0
    )


def held_by(tx: Transaction, holder: str) -> dict[str, int]:
    """The runs that somebody holds, with their fences."""
    return {
        row["id"]: row["fence"]
        for row in tx.rows("SELECT id, fence FROM run WHERE owner = :holder", {"holder": holder})
    }


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


def by_words(tx: Transaction, text: str, limit: int) -> list[Row]:
    """Runs with this id, business key or amount, newest first; or whose customer's name begins so, by name.

    Each is asked by its own index: an order that another index knows is spoilt, so that no plan walks the whole table.
    """
    low = text.lower()
    asked = {"text": text, "low": low, "high": low + "\uffff", "limit": limit}
    amounts = {f"amount_{place}": amount for place, amount in enumerate(_amounts(text))}
    customer = 'lower(customer) COLLATE "C"' if tx.dialect == "postgresql" else "lower(customer)"
    newest = "ORDER BY updated_at || '' DESC"
    questions = [f"id = :text {newest}", f"business_key = :text {newest}"]
    if amounts:
        questions.append(f"amount IN ({', '.join(':' + name for name in amounts)}) {newest}")
    questions.append(f"{customer} >= :low AND {customer} < :high ORDER BY {customer}")
    found: dict[str, Row] = {}
    for question in questions:
        found |= {
            row["id"]: row for row in tx.rows(f"SELECT * FROM run WHERE {question} LIMIT :limit", asked | amounts)
        }
    return list(found.values())


def _amounts(text: str) -> list[str]:
    """How an amount that somebody typed (``12,480``, ``12480.00 EUR``) may be kept."""
    bare = re.sub(r"[A-Za-z,\s]", "", text)
    if not re.fullmatch(r"-?\d+(\.\d*)?", bare):
        return []
    amount = Decimal(bare)
    return sorted(
        {bare, f"{amount:f}", f"{amount:.2f}", f"{amount.to_integral_value():f}" if amount % 1 == 0 else bare}
    )


def about(tx: Transaction, subject: str) -> list[Row]:
    """All runs about an object at its source: ``crm/Opportunity/006…``."""
    return tx.rows("SELECT * FROM run WHERE subject = :subject", {"subject": subject})


def about_id(tx: Transaction, id_: str) -> list[Row]:
    """Runs about the object that its source calls ``id_``, whatever it has done so far."""
    mask = id_.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return tx.rows(
        "SELECT id FROM run WHERE subject LIKE :tail ESCAPE '\\' ORDER BY created_at DESC LIMIT 20",
        {"tail": f"%/{mask}"},
    )


def counts(tx: Transaction) -> dict[str, int]:
    """How many runs are in each state."""
    return {row["state"]: row["n"] for row in tx.rows("SELECT state, count(*) AS n FROM run GROUP BY state")}


def open_counts(tx: Transaction) -> dict[str, int]:
    """How many runs are in each state that is not an end: costs what is open."""
    marks = {f"state_{at}": state for at, state in enumerate(OPEN)}
    sql = f"SELECT state, count(*) AS n FROM run WHERE state IN ({', '.join(':' + m for m in marks)}) GROUP BY state"
    return {row["state"]: row["n"] for row in tx.rows(sql, marks)}
