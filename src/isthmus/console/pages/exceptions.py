"""Exceptions: grouped with money and due time, and one with everything known of it; replay, skip, cancel, assign, comment."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.console.pages.mending import editor
from isthmus.orchestration import parked
from isthmus.store import audit, exceptions, runs
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, Transaction

PAGE = 50
_FILTERS = ("unit", "connection", "assignee")


async def listed(request: Request, desk: Desk) -> Response:
    """Groups of equal failures, and the exceptions one by one."""
    query = request.query_params
    wanted = {name: query.get(name, "").strip() or None for name in _FILTERS}
    which = "ended" if query.get("state") == "ended" else "open"

    def work(tx: Transaction) -> tuple[list[dict[str, Any]], list[Row]]:
        groups = exceptions.open_groups(tx) if which == "open" and not any(wanted.values()) else []
        return groups, exceptions.list_exceptions(tx, state=which, **wanted, limit=PAGE + 1)

    groups, rows = await desk.store.read(work)
    facts = {"groups": groups, "rows": rows[:PAGE], "more": len(rows) > PAGE, "which": which, "wanted": wanted,
             "now": instant(desk.store.clock())}  # fmt: skip
    return desk.page(request, "exceptions.html", facts)


async def group(request: Request, desk: Desk) -> Response:
    """All exceptions of one group. Raises LookupError where nothing of it is open."""
    key = request.query_params.get("group", "")

    def work(tx: Transaction) -> tuple[dict[str, Any] | None, list[Row], Row | None]:
        found = next((each for each in exceptions.open_groups(tx) if each["group"] == key), None)
        rows = exceptions.list_exceptions(tx, group=key, limit=PAGE + 1)
        return found, rows, runs.get_run(tx, rows[0]["run_id"]) if rows else None

    found, rows, first = await desk.store.read(work)
    if found is None:
        raise LookupError("Nothing of this group is open any more.")
    facts = {"group": found, "rows": rows[:PAGE], "more": len(rows) > PAGE, "now": instant(desk.store.clock())}
    return desk.page(request, "group.html", {**facts, "editor": _editor(request, desk, first), "near": None})


async def retry_group(request: Request, desk: Desk) -> Response:
    """Replay all of a group, in order of opening."""
    key = str((await desk.form(request)).get("group", ""))
    rows = await parked.retry_group(desk.store, key, who=desk.who(request).name, release=desk.engine.release.id)
    desk.wake()
    return desk.done("/exceptions", f"{len(rows)} are played again")


async def one(request: Request, desk: Desk) -> Response:
    """One exception with its payload. Raises LookupError."""
    number = request.path_params["number"]
    facts = await desk.store.read(lambda tx: _facts(tx, number))
    return desk.page(request, "exception.html", {**facts, "editor": _editor(request, desk, facts["run"])})


async def change(request: Request, desk: Desk) -> Response:
    """What a person does about an exception."""
    number, verb = request.path_params["number"], request.path_params["verb"]
    deed = _DEEDS.get(verb)
    if deed is None:
        raise LookupError(f"An exception has no {verb}.")
    said = await deed(request, desk, number)
    return desk.done(f"/exceptions/{number}", said)


async def _retry(request: Request, desk: Desk, number: int) -> str:
    await parked.retry(desk.store, number, who=desk.who(request).name, release=desk.engine.release.id)
    desk.wake()
    return "It is played again"


async def _skip(request: Request, desk: Desk, number: int) -> str:
    text = str((await desk.form(request)).get("result", "")).strip()
    result = json.loads(text) if text else None
    await parked.skip(desk.store, number, who=desk.who(request).name, result=result)
    desk.wake()
    return "The step is skipped"


async def _cancel(request: Request, desk: Desk, number: int) -> str:
    row = await desk.store.read(lambda tx: exceptions.get_exception(tx, number))
    if row is None:
        raise LookupError(f"No exception is called EX-{number}.")
    why = str((await desk.form(request)).get("why", ""))
    await parked.cancel(desk.store, row["run_id"], who=desk.who(request).name, why=f"EX-{number} {why}".strip())
    desk.wake()
    return "It is cancelled; what was made is reversed"


async def _assign(request: Request, desk: Desk, number: int) -> str:
    form = await desk.form(request)
    values: Row = {"assignee": str(form.get("assignee", "")).strip() or None}
    if due := str(form.get("due_at", "")).strip():
        values["due_at"] = instant(moment(f"{due}:00+00:00" if len(due) == 16 else due))
    await parked.assign(desk.store, number, who=desk.who(request).name, values=values)
    return f"{values['assignee'] or 'Nobody'} looks after it"


async def _comment(request: Request, desk: Desk, number: int) -> str:
    text = str((await desk.form(request)).get("text", "")).strip()
    if not text:
        raise ValueError("Say something.")
    await parked.comment(desk.store, number, who=desk.who(request).name, text=text)
    return "It is noted"


_DEEDS = {"retry": _retry, "skip": _skip, "cancel": _cancel, "assign": _assign, "comment": _comment}


def _facts(tx: Transaction, number: int) -> dict[str, Any]:
    row = exceptions.get_exception(tx, number)
    if row is None:
        raise LookupError(f"No exception is called EX-{number}.")
    run = runs.get_run(tx, row["run_id"])
    assert run is not None
    equal = exceptions.count_open(tx, row["group_key"]) if row["state"] == "open" else 0
    return {
        "exception": row, "run": run, "equal": equal, "near": row["field"],
        "history": audit.lines(tx, about=f"EX-{number}", limit=200)[::-1],
    }  # fmt: skip


def _editor(request: Request, desk: Desk, run: Row | None) -> list[dict[str, Any]]:
    """The editor's fields, in clear: only for who may write them. Everybody else sees the masked payload."""
    return editor(run) if desk.who(request).may("exceptions:write") else []
