"""One run as people see it: what happened when, in business terms, with every call beneath."""

from __future__ import annotations

import json
from typing import Any

from isthmus.store import approvals, effects, exceptions, history, journal, messages, references, runs
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

#: a run with everything that belongs to it, as ``timeline`` gives it
Timeline = dict[str, Any]


async def timeline(store: Store, run_id: str) -> dict[str, Any] | None:
    """A run with its messages, events, steps, calls and exceptions, oldest first; None where there is no such run."""

    def work(tx: Transaction) -> dict[str, Any] | None:
        run = runs.get_run(tx, run_id)
        if run is None:
            return None
        return {
            **summary(run),
            "problem": json.loads(run["problem"]) if run["problem"] else None,
            "result": json.loads(run["result"]) if run["result"] else None,
            "input": json.loads(run["input"]) if run["input"] else None,
            "messages": messages.messages_of(tx, run_id),
            "events": [_event(row) for row in journal.events_of(tx, run_id)],
            "steps": [_read(row) for row in history.memories(tx, run_id)],
            "effects": [_effect(row) for row in effects.effects_of(tx, run_id)],
            "calls": effects.attempts_of(tx, run_id),
            "due_at": run["due_at"],
            "approvals": approvals.approvals_of(tx, run_id),
            "exceptions": [_exception(row) for row in exceptions.exceptions_of(tx, run_id)],
        }

    return await store.read(work)


def summary(run: Row) -> dict[str, Any]:
    """The line of a run in lists."""
    traceparent = run["traceparent"] or ""
    return {
        "id": run["id"],
        "process": run["process"],
        "connection": run["connection"],
        "state": "running" if run["owner"] else run["state"],
        "key": run["business_key"],
        "generation": run["generation"],
        "title": run["title"],
        "customer": run["customer"],
        "amount": run["amount"],
        "currency": run["currency"],
        "unit": run["unit"],
        "round": run["round"],
        "release": run["release"],
        "created_at": run["created_at"],
        "updated_at": run["updated_at"],
        "ended_at": run["ended_at"],
        "trace_id": traceparent.split("-")[1] if traceparent.count("-") >= 2 else None,
    }


async def find_runs(store: Store, text: str) -> list[Row]:
    """Runs that an id belongs to, whosever id it is: ours, a business key, or any vendor's id or number."""

    def work(tx: Transaction) -> list[Row]:
        found = {
            row["id"]: row for row in runs.list_runs(tx, state=None, process=None, text=text, limit=20, before=None)
        }
        ids = {row["run_id"] for row in effects.by_reference(tx, text)}
        for link in references.find_anywhere(tx, text):
            rows = references.elsewhere(tx, link["canonical_id"])
            ids |= {r["run_id"] for row in rows for r in effects.by_reference(tx, row["id"])}
        ids |= {row["id"] for row in runs.about_id(tx, text)}
        for run_id in ids - set(found):
            run = runs.get_run(tx, run_id)
            if run is not None:
                found[run_id] = run
        return sorted(found.values(), key=lambda run: str(run["created_at"]))

    return await store.read(work)


def found_by(tx: Transaction, text: str, limit: int) -> list[Row]:
    """Runs by any id or number, whosever it is, or by the beginning of a customer's name, or an amount; newest first.

    Every question is answered by an index, so it costs the same however many runs there are.
    """
    found = {row["id"]: row for row in runs.by_words(tx, text, limit)}
    ids = {row["run_id"] for row in effects.by_reference(tx, text)}
    for link in references.find_anywhere(tx, text):
        for other in references.elsewhere(tx, link["canonical_id"]):
            ids |= {row["run_id"] for row in effects.by_reference(tx, other["id"])}
            subject = f"{other['connection']}/{other['type']}/{other['id']}"
            found |= {row["id"]: row for row in runs.about(tx, subject)}
    for run_id in ids - set(found):
        if (run := runs.get_run(tx, run_id)) is not None:
            found[run_id] = run
    return sorted(found.values(), key=lambda run: str(run["updated_at"]), reverse=True)[:limit]


def _event(row: Row) -> dict[str, Any]:
    return {"at": row["at"], "type": row["type"], "position": row["position"], "data": json.loads(row["data"])}


def _read(row: Row) -> dict[str, Any]:
    return {
        "at": row["at"],
        "name": row["name"],
        "key": row["key"],
        "kind": row["kind"],
        "who": row["who"],
        "due_at": row["due_at"],
    }


def _effect(row: Row) -> dict[str, Any]:
    return {
        "key": row["key"],
        "step": row["step"],
        "part": row["part"],
        "operation": f"{row['role']}.{row['operation']}",
        "connection": row["connection"],
        "state": row["state"],
        "in_doubt": bool(row["doubt"]) and row["state"] == "intended",
        "made_harmless_by": row["rule"],
        "sends": row["sends"],
        "intended_at": row["intended_at"],
        "ended_at": row["ended_at"],
        "reference": row["reference_id"],
        "number": row["reference_number"],
        "undone_by": row["undone_by"],
    }


def _exception(row: Row) -> dict[str, Any]:
    return {
        "number": f"EX-{row['number']}",
        **{k: row[k] for k in ("state", "title", "mend", "said", "error_class", "opened_at", "ended_at", "ended_by")},
        **{k: row[k] for k in ("assignee", "due_at", "retry_at", "retries")},
    }
