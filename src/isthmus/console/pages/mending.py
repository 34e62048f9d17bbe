"""The editor of what an exception is about: every field beside its new value, with what the schema says of it.

Nothing is changed before it was shown: what was sent comes back as a comparison, with what will be played again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.model.schemas import OBJECTS, schema
from isthmus.orchestration import parked
from isthmus.store import exceptions, runs
from isthmus.store.transaction import Row, Transaction

#: what the names of inputs begin with: ``to.lines[0].quantity``
_PREFIX, _SHOWN = "to.", 20


async def edit(request: Request, desk: Desk) -> Response:
    """Change the payload of one exception, or show what that would do."""
    number = request.path_params["number"]
    entry, run = await desk.store.read(lambda tx: _of(tx, number))
    return await _edit(request, desk, [entry], run, None)


async def edit_group(request: Request, desk: Desk) -> Response:
    """Change the payloads of all of a group, all or none, or show what that would do."""
    key = str((await desk.form(request)).get("group", ""))
    rows = await desk.store.read(lambda tx: exceptions.list_exceptions(tx, group=key, limit=100_000))
    if not rows:
        raise LookupError("Nothing of this group is open any more.")
    _, run = await desk.store.read(lambda tx: _of(tx, rows[0]["number"]))
    return await _edit(request, desk, rows, run, key)


async def _edit(request: Request, desk: Desk, rows: list[Row], run: Row, key: str | None) -> Response:
    form, who = await desk.form(request), desk.who(request).name
    changes = _changes(form, json.loads(run["input"] or "null"))
    if not changes:
        raise ValueError("Nothing was changed: write a new value beside at least one field.")
    place = "/exceptions/group" if key else f"/exceptions/{rows[0]['number']}"
    if not form.get("confirmed"):
        found = await parked.preview(desk.store, [row["number"] for row in rows], changes)
        wrong = [(each["entry"]["number"], _wrong(run, each["input"])) for each in found]
        facts = {"found": found[:_SHOWN], "count": len(found), "wrong": [each for each in wrong if each[1]][:_SHOWN],
                 "sent": [(_PREFIX + path, form[_PREFIX + path]) for path in changes], "group": key,
                 "place": place, "title": rows[0]["title"]}  # fmt: skip
        return desk.page(request, "preview.html", facts)
    fields, release = ", ".join(changes), desk.engine.release.id
    if key is None:
        await parked.edit(desk.store, rows[0]["number"], who=who, changes=changes)
    else:
        await parked.edit_group(desk.store, key, who=who, changes=changes)
    said = f"{fields} is changed"
    if form.get("confirmed") == "replay":
        if key is None:
            await parked.retry(desk.store, rows[0]["number"], who=who, release=release)
        else:
            await parked.retry_group(desk.store, key, who=who, release=release)
        desk.wake()
        said += f"; {f'{len(rows)} are' if key else 'it is'} played again"
    return desk.done("/exceptions" if key and form.get("confirmed") == "replay" else place, said, group=key)


def editor(run: Row | None) -> list[dict[str, Any]]:
    """The fields of a run's payload by part (``lines[0]``): path, value and what the schema says of each."""
    payload = json.loads(run["input"]) if run and run["input"] else None
    told, parts = _help(_word(run or {})), defaultdict(list)
    for path, value in _leaves(payload):
        head, _, rest = path.partition(".")
        about = told.get("".join("[]" if each.isdigit() else each for each in _split(path)))
        parts[head if rest else ""].append({"path": path, "value": value, "help": about})
    return [{"part": part, "fields": found} for part, found in sorted(parts.items(), key=lambda item: item[0] != "")]


def _of(tx: Transaction, number: int) -> tuple[Row, Row]:
    entry = exceptions.get_exception(tx, number)
    run = runs.get_run(tx, entry["run_id"]) if entry else None
    if entry is None or run is None:
        raise LookupError(f"No exception is called EX-{number}.")
    return entry, run


def _changes(form: Mapping[str, Any], payload: Any) -> dict[str, Any]:
    was = dict(_leaves(payload))
    asked = {name.removeprefix(_PREFIX): str(text).strip() for name, text in form.items() if name.startswith(_PREFIX)}
    return {path: _value(text, was.get(path)) for path, text in asked.items() if text}


def _value(text: str, was: Any) -> Any:
    """What was typed: JSON where it is a list, an object or a bare word of JSON, or where a number stood; else text."""
    if text[0] in "[{" or text in ("true", "false", "null") or (isinstance(was, int) and text.lstrip("-").isdigit()):
        return json.loads(text)
    return text


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of everything in a payload that a person could change, in order."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    elif path:
        yield path, value


def _split(path: str) -> list[str]:
    return path.replace("[", "\0").replace("]", "\0").split("\0")


def _word(run: Mapping[str, Any]) -> str:
    """``quote`` of a run that ``isthmus.quote.accepted.v1`` started."""
    parts = (run.get("event") or "").split(".")
    return parts[1] if len(parts) > 2 and parts[1] in OBJECTS else ""


def _wrong(run: Row, payload: Any) -> str | None:
    """What the canonical object's own rules would say of the changed payload."""
    model = OBJECTS.get(_word(run))
    try:
        if model is not None:
            model.model_validate_json(json.dumps(payload))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(str(step) for step in first['loc']) or _word(run)}: {first['msg']}"
    return None


@cache
def _help(word: str) -> dict[str, str]:
    """What the schema of a canonical object says of each field, by its path without places."""
    if not word:
        return {}
    found = schema(word)
    return dict(_described(found, found, "", 0))


def _described(whole: dict[str, Any], part: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
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
