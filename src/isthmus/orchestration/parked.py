"""Exceptions for people: what waits for a mend, and how it goes on: retry, edit, skip, cancel. All audited.

Each is one transaction that makes the run due; whoever plays it next takes it like any other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from isthmus.connectivity.outbound.outcome import ParkedWork
from isthmus.connectivity.system_api.roles import operation
from isthmus.model import Reference
from isthmus.store import audit, effects, exceptions, history, journal, releases, runs
from isthmus.store.actors import CLOCK, checked
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction


def exception_row(run: Row, work: ParkedWork, now: datetime) -> dict[str, Any]:
    """The row of an exception, and the problem as the run keeps it."""
    row = {
        "run_id": run["id"],
        "group_key": work.group,
        "title": work.title,
        "error_class": work.error_class,
        "operation": work.operation,
        "code": work.code,
        "field": work.field,
        "step": work.step,
        "connection": work.connection,
        "unit": run["unit"],
        "business_key": run["business_key"] or run["subject"],
        "customer": run["customer"],
        "amount": run["amount"],
        "currency": run["currency"],
        "said": work.said,
        "mend": work.mend,
        "retry_at": instant(now + timedelta(seconds=work.retry_s)) if work.retry_s else None,
        "opened_at": instant(now),
    }
    return {
        "row": row,
        "problem": json.dumps({"title": work.title, "mend": work.mend, "said": work.said, "step": work.step}),
    }


async def retry(store: Store, number: int, *, who: str, release: str | None = None) -> Row:
    """Mend and replay: raise the round, so that refusals are asked again; on the present release if one is given.

    A retry by the clock leaves the exception open and counts; it ends when the run ends, and stays the same
    exception where it parks again.
    """

    def work(tx: Transaction) -> Row:
        return _replay(tx, store, _open(tx, number), who, release, store.clock())

    return await store.write(work)


async def retry_group(store: Store, group: str, *, who: str, release: str | None = None) -> list[Row]:
    """Replay every open exception of a group in the order in which they were opened; the exceptions.

    Raises LookupError where the group has none that is open.
    """

    def work(tx: Transaction) -> list[Row]:
        began = store.clock()
        return [
            _replay(tx, store, entry, who, release, began + timedelta(microseconds=place))
            for place, entry in enumerate(_open_group(tx, group))
        ]

    return await store.write(work)


async def edit_group(store: Store, group: str, *, who: str, changes: dict[str, Any]) -> list[Row]:
    """Change the input of every open exception of a group, all or none; replayed by ``retry_group``.

    Raises LookupError for a group with nothing open, ValueError that names a path which leads nowhere, and where.
    """

    def work(tx: Transaction) -> list[Row]:
        return [_edited(tx, store, entry, who, changes) for entry in _open_group(tx, group)]

    return await store.write(work)


async def assign(store: Store, number: int, *, who: str, values: dict[str, Any]) -> Row:
    """Say who looks after it (``assignee``) and by when (``due_at``, an instant as text); None takes either away.

    Raises ValueError for a name that nobody can have.
    """
    if values.get("assignee"):
        checked(values["assignee"])

    def work(tx: Transaction) -> Row:
        entry = _open(tx, number)
        exceptions.change_exception(tx, number, values)
        _note(tx, store, who, "exception.assign", number, {name: entry[name] for name in values}, values)
        return {**entry, **values}

    return await store.write(work)


async def comment(store: Store, number: int, *, who: str, text: str) -> Row:
    """Say something about an exception, open or ended. It stands in the audit beside all else that was done to it."""

    def work(tx: Transaction) -> Row:
        entry = exceptions.get_exception(tx, number)
        if entry is None:
            raise LookupError(f"there is no exception EX-{number}; see: isthmus exceptions list")
        _note(tx, store, who, "exception.comment", number, None, text)
        return entry

    return await store.write(work)


async def edit(store: Store, number: int, *, who: str, changes: dict[str, Any]) -> Row:
    """Change the run's input by dotted paths (``lines.0.product.number``), as a row of its own; replayed by ``retry``.

    Raises ValueError that names a path which leads nowhere.
    """

    return await store.write(lambda tx: _edited(tx, store, _open(tx, number), who, changes))


async def preview(store: Store, numbers: Sequence[int], changes: dict[str, Any]) -> list[Row]:
    """What an edit would change and what a replay would then ask again, without changing anything.

    For each exception ``entry``, ``input`` as it would be, ``changes`` (path → before and after), ``stands`` (effects
    that are done) and ``again`` (those that are not). Raises as ``edit`` does.
    """

    def work(tx: Transaction) -> list[Row]:
        return [_previewed(tx, _open(tx, number), changes) for number in numbers]

    return await store.read(work)


async def skip(store: Store, number: int, *, who: str, result: dict[str, Any] | None = None) -> Row:
    """Go on without the parked step: it counts as done by hand. ``result`` is its answer where the process needs one.

    Raises ValueError where the step has no operation, or an answer is needed.
    """

    def work(tx: Transaction) -> Row:
        entry = _open(tx, number)
        run = runs.get_run(tx, entry["run_id"])
        row = _parked_effect(tx, entry)
        assert run is not None
        what = operation(row["role"], row["operation"])
        answer = result
        if answer is None and what.answers is Reference:
            answer = {"connection": row["connection"], "type": "skipped", "id": "skipped"}
        if answer is None and what.answers is what.takes:
            answer = json.loads(row["arguments"])
        if answer is None:
            raise ValueError(f"{what} answers {what.answers.__name__}: give what was done by hand as the result")
        now = instant(store.clock())
        text = what.answers.model_validate(answer).model_dump_json(exclude_none=True)
        effects.update(
            tx, row["key"], {"state": "done", "doubt": 0, "rule": "skipped", "ended_at": now, "result": text}
        )
        _again(tx, entry["run_id"], store, None)
        _note(tx, store, who, "exception.skip", number, row["state"], answer)
        exceptions.end_exception(tx, entry["run_id"], who=who, now=now)
        return entry

    return await store.write(work)


async def cancel(store: Store, run_id: str, *, who: str, why: str = "") -> Row:
    """Cancel a run: what it did is undone in reverse; a call that is under way is never interrupted.

    Raises LookupError for an unknown run, ValueError where nothing is left to cancel.
    """

    def work(tx: Transaction) -> Row:
        run = runs.get_run(tx, run_id)
        if run is None:
            raise LookupError(f"no run is called {run_id!r}; see: isthmus runs list")
        if run["state"] in ("undone", "undoing", "ignored"):
            raise ValueError(f"run {run_id} is {run['state']} already; there is nothing to cancel")
        if run["state"] == "done" and run["input"] is None:
            raise ValueError(f"the contents of run {run_id} were forgotten; reverse by hand what it did")
        now = instant(store.clock())
        state = run["state"] if run["owner"] else "undoing"
        tx.run(
            "UPDATE run SET cancel = 1, state = :state, wake = wake + 1, round = round + 1, ended_at = NULL, updated_at = :now,"
            " due_at = CASE WHEN owner IS NULL THEN :now ELSE due_at END WHERE id = :id",
            {"id": run_id, "state": state, "now": now},
        )
        exceptions.end_exception(tx, run_id, who=who, now=now)
        audit.note(tx, at=now, who=who, did="run.cancel", about=run_id, before=run["state"], after=why or "cancelled")
        journal.append(tx, at=now, type_="isthmus.run.cancelled.v1", data={"who": who, "why": why}, run=run)
        return run

    return await store.write(work)


def _replay(tx: Transaction, store: Store, entry: Row, who: str, release: str | None, due: datetime) -> Row:
    values = _again(tx, entry["run_id"], store, release, due)
    _note(tx, store, who, "exception.retry", entry["number"], entry, values)
    if who == CLOCK:
        exceptions.change_exception(tx, entry["number"], {"retry_at": None, "retries": entry["retries"] + 1})
    else:
        exceptions.end_exception(tx, entry["run_id"], who=who, now=instant(store.clock()))
    return entry


def _edited(tx: Transaction, store: Store, entry: Row, who: str, changes: dict[str, Any]) -> Row:
    run, before, after = _changed(tx, entry, changes)
    now = instant(store.clock())
    tx.run(
        "UPDATE run SET input = :input, updated_at = :now WHERE id = :id",
        {"id": run["id"], "input": json.dumps(after), "now": now},
    )
    history.edit(
        tx,
        run["id"],
        name="input",
        key=str(run["round"]),
        result=json.dumps(changes),
        who=who,
        now=now,
        round_=run["round"],
    )
    _note(tx, store, who, "exception.edit", entry["number"], {p: _get(before, p) for p in changes}, changes)
    return entry


def _changed(tx: Transaction, entry: Row, changes: dict[str, Any]) -> tuple[Row, Any, Any]:
    """The run of an exception, its input now and as it would be."""
    run = runs.get_run(tx, entry["run_id"])
    assert run is not None
    if run["input"] is None:
        raise ValueError(
            f"EX-{entry['number']} has no input yet: its message could not be read; correct it at its source and retry"
        )
    before, after = json.loads(run["input"]), json.loads(run["input"])
    for path, value in changes.items():
        try:
            _set(after, path, value)
        except ValueError as error:
            raise ValueError(f"EX-{entry['number']}: {error}") from None
    return run, before, after


def _previewed(tx: Transaction, entry: Row, changes: dict[str, Any]) -> Row:
    _, before, after = _changed(tx, entry, changes)
    whole = [row for row in effects.effects_of(tx, entry["run_id"]) if row["part"] == ""]
    return {
        "entry": entry,
        "input": after,
        "changes": {path: (_get(before, path), _get(after, path)) for path in changes},
        "stands": [row for row in whole if row["state"] == "done"],
        "again": [row for row in whole if row["state"] in ("intended", "refused")],
    }


def _open(tx: Transaction, number: int) -> Row:
    entry = exceptions.get_exception(tx, number)
    if entry is None:
        raise LookupError(f"there is no exception EX-{number}; see: isthmus exceptions list")
    if entry["state"] != "open":
        raise ValueError(f"EX-{number} ended already, by {entry['ended_by']} at {entry['ended_at']}")
    return entry


def _open_group(tx: Transaction, group: str) -> list[Row]:
    found = exceptions.list_exceptions(tx, group=group, limit=1_000_000)
    if not found:
        raise LookupError(f"no open exception is of the group {group!r}; see: isthmus exceptions groups")
    return found


def _again(tx: Transaction, run_id: str, store: Store, release: str | None, due: datetime | None = None) -> Row:
    now = instant(store.clock())
    # what was told of a run that is undone is mended at its vendor: there is nothing to play
    tx.run(
        "UPDATE run SET state = CASE WHEN state IN ('undoing', 'undone') THEN state ELSE 'ready' END, round = round + 1,"
        " deaths = 0, due_at = CASE WHEN state = 'undone' THEN due_at ELSE :due END, wake = wake + 1,"
        " release = coalesce(:release, release), updated_at = :now WHERE id = :id",
        {"id": run_id, "now": now, "due": instant(due) if due else now, "release": release},
    )
    run = runs.get_run(tx, run_id)
    assert run is not None
    if release is not None and (version := releases.version_of(tx, release, run["process"])) is not None:
        tx.run("UPDATE run SET version = :version WHERE id = :id", {"version": version, "id": run_id})
    return {"round": run["round"], "release": run["release"]}


def _parked_effect(tx: Transaction, entry: Row) -> Row:
    rows = [r for r in effects.effects_of(tx, entry["run_id"]) if r["part"] == "" and r["state"] != "done"]
    found = next((r for r in rows if f"{r['role']}.{r['operation']}" == entry["operation"]), None)
    if found is None:
        raise ValueError(
            f"EX-{entry['number']} is not parked at a step that writes; mend it and retry, edit it or cancel"
        )
    return found


def _note(tx: Transaction, store: Store, who: str, did: str, number: int, before: Any, after: Any) -> None:
    shown = before["title"] if isinstance(before, dict) and "title" in before else before
    audit.note(tx, at=instant(store.clock()), who=who, did=did, about=f"EX-{number}", before=shown, after=after)


def _steps(path: str) -> list[str]:
    return path.replace("[", ".").replace("]", "").split(".")


def _get(value: Any, path: str) -> Any:
    for step in _steps(path):
        value = value[int(step)] if isinstance(value, list) else (value or {}).get(step)
    return value


def _set(value: Any, path: str, to: Any) -> None:
    steps = _steps(path)
    for step in steps[:-1]:
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"{path} leads nowhere: there is no {step!r}") from None
    if isinstance(value, list):
        value[int(steps[-1])] = to
    elif isinstance(value, dict):
        value[steps[-1]] = to
    else:
        raise ValueError(f"{path} leads nowhere: {steps[-2] if len(steps) > 1 else path!r} holds a plain value")
