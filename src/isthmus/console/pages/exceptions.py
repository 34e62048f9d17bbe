"""Exceptions: grouped with money and due time; one with its payload to mend; mend one or all, replay, skip, cancel."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.model.schemas import schema
from isthmus.orchestration import parked
from isthmus.store import audit, exceptions, runs
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, Transaction


async def listed(request: Request, desk: Desk) -> Response:
    """Groups of equal failures, and the exceptions one by one."""
    query = request.query_params
    wanted = {name: query.get(name) or None for name in ("assignee", "unit", "connection")}
    state = "ended" if query.get("state") == "ended" else "open"
    groups = await desk.store.read(exceptions.open_groups)
    rows = await desk.store.read(lambda tx: exceptions.list_exceptions(tx, state=state, **wanted, limit=100))
    facts = {"groups": groups, "rows": rows, "state": state, "wanted": wanted, "now": instant(desk.store.clock())}
    return desk.page(request, "exceptions.html", facts)


async def group(request: Request, desk: Desk) -> Response:
    """All exceptions of one group. Raises LookupError where nothing of it is open."""
    key = request.query_params.get("group", "")
    found = next((each for each in await desk.store.read(exceptions.open_groups) if each["group"] == key), None)
    if found is None:
        raise LookupError("Nothing of this group is open any more.")
    rows = await desk.store.read(lambda tx: exceptions.list_exceptions(tx, group=key, limit=200))
    return desk.page(request, "group.html", {"group": found, "rows": rows, "now": instant(desk.store.clock())})


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
    edited = request.query_params.get("changes", "")
    return desk.page(request, "exception.html", {**facts, "changes": edited, "help": _help(desk, facts["run"])})


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


async def _edit(request: Request, desk: Desk, number: int) -> str:
    form = await desk.form(request)
    path, value = str(form.get("path", "")).strip(), str(form.get("value", ""))
    if not path:
        raise ValueError("Say which field is to be changed, such as lines[0].quantity.")
    await parked.edit(desk.store, number, who=desk.who(request).name, changes={path: _value(value)})
    if form.get("then") == "retry":
        return f"{path} is changed. {await _retry(request, desk, number)}"
    return f"{path} is changed; replay it when all is mended"


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


_DEEDS = {"retry": _retry, "edit": _edit, "skip": _skip, "cancel": _cancel, "assign": _assign, "comment": _comment}


def _facts(tx: Transaction, number: int) -> dict[str, Any]:
    row = exceptions.get_exception(tx, number)
    if row is None:
        raise LookupError(f"No exception is called EX-{number}.")
    run = runs.get_run(tx, row["run_id"])
    assert run is not None
    payload = json.loads(run["input"]) if run["input"] else None
    equal = exceptions.list_exceptions(tx, group=row["group_key"], limit=200) if row["state"] == "open" else []
    return {
        "exception": row, "run": run, "about": payload, "fields": list(_leaves(payload)), "equal": len(equal),
        "history": audit.lines(tx, about=f"EX-{number}", limit=200)[::-1],
    }  # fmt: skip


def _leaves(value: Any, path: str = "") -> Any:
    """Path and value of everything in a payload that a person could change, in order."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    else:
        yield path, value


def _help(desk: Desk, run: Row) -> dict[str, str]:
    """What the schema says of each field of the payload, by its path without places."""
    word = next((start.split(".")[1] for start in [run["event"] or ""] if start.count(".") >= 2), "")
    try:
        found = schema(word)
    except (KeyError, LookupError, ValueError):
        return {}
    return dict(_described(found, found, "", 0))


def _described(whole: dict[str, Any], part: dict[str, Any], path: str, depth: int) -> Any:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        part = {**whole.get("$defs", {}).get(name, {}), **{key: value for key, value in part.items() if key != "$ref"}}
    if path and part.get("description"):
        yield path, part["description"]
    if depth > 5:
        return
    for branch in (part, *part.get("anyOf", ())):
        for name, inner in branch.get("properties", {}).items():
            yield from _described(whole, inner, f"{path}.{name}" if path else name, depth + 1)
        if isinstance(branch.get("items"), dict):
            yield from _described(whole, branch["items"], f"{path}[]", depth + 1)
        if branch is not part and "$ref" in branch:
            yield from _described(whole, branch, path, depth + 1)


def _value(text: str) -> Any:
    """What was typed: JSON where it is a list, an object, true, false or null; else text, so that amounts stay exact."""
    if text[:1] in "[{" or text in ("true", "false", "null"):
        return json.loads(text)
    return text
