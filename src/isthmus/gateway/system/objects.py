"""``/api/system/{role}/{object}``: made from the roles' operations that the landscape's connectors really offer."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, create_model

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.connectivity.system_api.roles import ROLES
from isthmus.gateway.access import Access
from isthmus.gateway.idempotency import HEADER
from isthmus.gateway.problems import not_found, problem
from isthmus.gateway.process.runs import VENDOR_ID, type_at, underway
from isthmus.gateway.shapes import Underway
from isthmus.gateway.system.bodies import CanonicalBody
from isthmus.gateway.tracing import traceparent
from isthmus.governance.access import Caller
from isthmus.model import Link, Reference
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.system_call import ask_system
from isthmus.store import references, runs

#: how long a change may take before its answer is "under way"
WAIT_S = 10.0
#: a vendor's trouble → the status of our answer; the rest is the caller's to mend
_STATUS = {"down": 502, "access": 502, "limit": 503, "locked": 503, "missing": 404}
_UNIT = "business unit; may be left out where the body names it, or there is one only"
#: how our own ids look; a vendor's do not
_OURS = re.compile(r"[a-z]+(_[a-z]+)*_[0-7][0-9A-HJKMNP-TV-Z]{25}")
Id = Annotated[
    str, Path(pattern=VENDOR_ID, max_length=200, description="the vendor's id, or ours", examples=["4500002"])
]
_TROUBLE: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is none"},
    502: {"description": "The system behind the role is down, or does not let us in"},
}


def add_system(routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None]) -> None:
    """A route for each read, search, create and update that some unit's connection answers."""
    in_unit: Any = _units(engine)
    for role, operations in ROLES.items():
        for name, operation in operations.items():
            verb, _, word = name.partition("_")
            if not _offered(engine, role, name):
                continue
            path = f"/api/system/{role}/{word if word.endswith('s') else word + 's'}"
            if verb == "search" and issubclass(operation.takes, Search):
                _add_search(routes, engine, access, operation, path)
            elif verb == "read" and operation.takes in (Reference, Link):
                _add_read(routes, engine, access, operation, f"{path}/{{id}}", in_unit)
            elif verb == "create":
                _add_create(routes, engine, access, wake, operation, path, in_unit)
            elif verb == "update":
                _add_update(routes, engine, access, wake, operation, f"{path}/{{id}}", in_unit)


def _offered(engine: Engine, role: str, name: str) -> bool:
    filled = {unit.roles.get(role) for unit in engine.release.units.values()} - {None}
    return any(name in engine.release.connections[each].connector.operations for each in filled if each)


# Reading ------------------------------------------------------------------------------------------


def _add_search(routes: APIRouter, engine: Engine, access: Access, operation: Operation[Any, Any], path: str) -> None:
    item: Any = operation.answers
    made: Any = create_model
    asked = made("Asked", __base__=operation.takes, unit=(_units(engine), None))
    found_model = made(f"Found{item.__name__}s", items=(list[item], ...), __config__=ConfigDict(defer_build=True))

    @routes.get(
        path,
        dependencies=[Depends(access.needs("system:read"))],
        operation_id=_id_of(operation),
        summary=f"Search ({operation})",
        responses={200: {"model": found_model}, 502: _TROUBLE[502]},
    )
    async def search(query: Annotated[asked, Query()]) -> Response:  # type: ignore[valid-type]
        """What matches all that is given."""
        given = cast(BaseModel, query).model_dump()
        code = _unit(engine, given.pop("unit"))
        found = await _asked(engine, operation, operation.takes.model_validate(given), code)
        return JSONResponse({"items": [each.model_dump(mode="json", exclude_none=True) for each in found]})


def _add_read(
    routes: APIRouter, engine: Engine, access: Access, operation: Operation[Any, Any], path: str, in_unit: Any
) -> None:
    word = operation.answers.__name__.lower()

    @routes.get(
        path,
        dependencies=[Depends(access.needs("system:read"))],
        operation_id=_id_of(operation),
        summary=f"Read one {word} ({operation})",
        responses={200: {"model": operation.answers}, **_TROUBLE},
    )
    async def read(id: Id, unit: in_unit = None) -> Response:
        """One object by the vendor's id (or ours, where we link it)."""
        code = _unit(engine, unit)
        plan, _ = engine.release.operation(code, operation.role, operation.name)
        type_ = type_at(plan, operation.name)
        if operation.takes is Reference:
            found = await _asked(engine, operation, Reference(connection=plan.name, type=type_, id=id), code)
        else:
            ours = id if _OURS.fullmatch(id) else await engine.identities.assumed(word, plan.name, type_, id)
            found = await _asked(engine, operation, Link.model_validate({"kind": word, "id": ours}), code)
        if found is None:
            raise not_found(f"{operation.role} has no {word} {id!r}", "see the search")
        return Response(found.model_dump_json(exclude_none=True), media_type="application/json")


async def _asked(engine: Engine, operation: Operation[Any, Any], argument: BaseModel, unit: str) -> Any:
    """What the system behind the role answers; its trouble as a problem."""
    try:
        return await engine.reader.read(Asking(engine.release, unit), operation, argument)
    except Park as parked:
        work = parked.work
        raise problem(
            _STATUS.get(work.error_class, 422), work.error_class, work.title, detail=work.said, field=work.field,
            mend=work.mend,
        ) from None  # fmt: skip
    except Later as later:
        raise problem(503, "busy", str(later), mend="ask again in a moment") from None


# Changing -----------------------------------------------------------------------------------------


def _add_create(
    routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None], operation: Operation[Any, Any],
    path: str, in_unit: Any,
) -> None:  # fmt: skip
    @routes.post(path, status_code=201, **_described(operation, 201))
    async def create(
        request: Request,
        body: Annotated[Any, Depends(CanonicalBody(operation.takes))],
        caller: Annotated[Caller, Depends(access.needs("system:write"))],
        unit: in_unit = None,
    ) -> Response:
        """Create it, durably: it ends in the vendor's system or among the exceptions."""
        code = _unit(engine, unit, body)
        run_id = await _ask(engine, operation, body, code, caller, request)
        wake()
        return await _ended(engine, run_id, 201)


def _add_update(
    routes: APIRouter, engine: Engine, access: Access, wake: Callable[[], None], operation: Operation[Any, Any],
    path: str, in_unit: Any,
) -> None:  # fmt: skip
    word = operation.takes.__name__.lower()

    @routes.put(path, status_code=200, **_described(operation, 200, _TROUBLE))
    async def update(
        id: Id,
        request: Request,
        body: Annotated[Any, Depends(CanonicalBody(operation.takes))],
        caller: Annotated[Caller, Depends(access.needs("system:write"))],
        unit: in_unit = None,
    ) -> Response:
        """Change it, durably: it ends in the vendor's system or among the exceptions."""
        code = _unit(engine, unit, body)
        ours = id if _OURS.fullmatch(id) else await _known(engine, operation, id, code)
        if body.id not in (None, ours):
            title = f"The body is about another {word} than the address"
            raise problem(422, "invalid-field", title, field="id", value=body.id, expected=ours)
        run_id = await _ask(engine, operation, body.model_copy(update={"id": ours}), code, caller, request)
        wake()
        return await _ended(engine, run_id, 200)


async def _known(engine: Engine, operation: Operation[Any, Any], id_: str, unit: str) -> str:
    """What we call the vendor's object, which is read if we have never seen it. Raises 404."""
    word = operation.takes.__name__.lower()
    plan, _ = engine.release.operation(unit, operation.role, operation.name)
    type_ = type_at(plan, operation.name)
    row = await engine.store.read(lambda tx: references.canonical(tx, plan.name, type_, id_))
    if row is not None:
        return str(row["canonical_id"])
    found = await _asked(
        engine, ROLES[operation.role][f"read_{word}"], Reference(connection=plan.name, type=type_, id=id_), unit
    )
    if found is None or found.id is None:
        raise not_found(f"{operation.role} has no {word} {id_!r}", "see the search")
    return str(found.id)


def _described(operation: Operation[Any, Any], status: int, more: dict[int | str, Any] | None = None) -> dict[str, Any]:
    return {
        "operation_id": _id_of(operation),
        "summary": f"{operation.name.partition('_')[0].title()} ({operation})",
        "responses": {
            status: {"model": operation.answers},
            202: {"model": Underway, "description": "Under way, or parked; follow the run"},
            **(more or {}),
        },
    }


async def _ask(
    engine: Engine, operation: Operation[Any, Any], body: BaseModel, unit: str, caller: Caller, request: Request
) -> str:
    key = request.headers.get(HEADER)
    return await ask_system(
        engine.store, operation, body, unit=unit, key=f"{caller.name}.{key}" if key else None,
        release=engine.release.id, who=caller.name, traceparent=traceparent(),
    )  # fmt: skip


async def _ended(engine: Engine, run_id: str, status: int) -> Response:
    """Wait a while for the run; 202 with its address where it takes longer or needs a person."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_S
    while True:
        run = await engine.store.read(lambda tx: runs.get_run(tx, run_id))
        assert run is not None
        if run["state"] == "done":
            return Response(run["result"], status, media_type="application/json")
        if run["state"] == "parked" or loop.time() > until:
            waits_for = json.loads(run["problem"] or "{}").get("title") if run["state"] == "parked" else None
            return JSONResponse(underway(run_id, run["state"], waits_for), 202)
        await asyncio.sleep(0.02)


# For whom -----------------------------------------------------------------------------------------


def _units(engine: Engine) -> Any:
    """The type of the parameter that names a unit: one of those that the landscape has."""
    return Annotated[Literal[tuple(engine.release.units)] | None, Query(description=_UNIT)]


def _unit(engine: Engine, unit: str | None, body: Any = None) -> str:
    """The business unit that is meant. Raises 422."""
    units = tuple(engine.release.units)
    named = unit or (body.business_unit if body is not None else units[0] if len(units) == 1 else None)
    if named not in units:
        title = f"No business unit is called {named!r}" if named else "Say for which business unit"
        raise problem(422, "invalid-field", title, field="unit", value=named, expected=" or ".join(units))
    if body is not None and body.business_unit != named:
        title = "The body is for another business unit than the address"
        raise problem(422, "invalid-field", title, field="business_unit", value=body.business_unit, expected=named)
    return str(named)


def _id_of(operation: Operation[Any, Any]) -> str:
    return f"{operation.role}_{operation.name}"
