"""``/api/system/{role}/{object}``: made from the roles' operations that the landscape's connectors really offer."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, Field

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.connectivity.system_api.roles import ROLES
from isthmus.gateway.access import Access, Caller
from isthmus.gateway.idempotency import replayed
from isthmus.gateway.problems import not_found
from isthmus.model import Link, Reference
from isthmus.model.problems import PROBLEMS_AT, IsthmusError, Problem
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.system_call import ask_system, result_of
from isthmus.store import runs

WAIT_S = 10.0
Unit = Annotated[str | None, Query(max_length=50, description="business unit; may be left out where there is one only")]


class Asked(Search):
    """A search, for one business unit."""

    unit: str | None = Field(None, max_length=50, description="business unit; may be left out where there is one only")


def router(engine: Engine, access: Access, wake: Callable[[], None]) -> APIRouter:
    """A route for each read, search, create and update that some unit's connection answers."""
    routes = APIRouter(tags=["system"])
    for role, operations in ROLES.items():
        for name, operation in operations.items():
            verb, _, word = name.partition("_")
            if not _offered(engine, role, name):
                continue
            plural = word if word.endswith("s") else word + "s"
            if verb == "search":
                _add_search(routes, engine, access, operation, f"/api/system/{role}/{plural}")
            elif verb == "read" and operation.takes in (Reference, Link):
                _add_read(routes, engine, access, operation, f"/api/system/{role}/{plural}/{{id}}", word)
            elif verb == "create":
                _add_write(routes, engine, access, wake, operation, f"/api/system/{role}/{plural}", "POST")
            elif verb == "update":
                _add_write(routes, engine, access, wake, operation, f"/api/system/{role}/{plural}/{{id}}", "PUT")
    return routes


def _offered(engine: Engine, role: str, name: str) -> bool:
    for unit in engine.release.units.values():
        connection = unit.roles.get(role)
        if connection and name in engine.release.connections[connection].connector.operations:
            return True
    return False


def _unit(engine: Engine, unit: str | None) -> str:
    units = engine.release.units
    if unit is None and len(units) == 1:
        return next(iter(units))
    if unit is None or unit not in units:
        title = f"No business unit is called {unit!r}" if unit else "Say for which business unit"
        problem = Problem(
            type=PROBLEMS_AT + "invalid-field",
            title=title,
            status=422,
            field="unit",
            value=unit,
            expected=" or ".join(units),
        )
        raise IsthmusError(problem)
    return unit


async def _asked(engine: Engine, operation: Operation[Any, Any], argument: BaseModel, unit: str) -> Any:
    try:
        return await engine.reader.read(Asking(engine.release, unit), operation, argument)
    except Park as parked:
        work = parked.work
        status = 502 if work.error_class in ("down", "access") else 422
        raise IsthmusError(
            Problem(
                type=PROBLEMS_AT + work.error_class,
                title=work.title,
                status=status,
                detail=work.said,
                field=work.field,
                mend=work.mend,
            )
        ) from None
    except Later as later:
        raise IsthmusError(
            Problem(type=PROBLEMS_AT + "busy", title=str(later), status=503, mend="ask again in a moment")
        ) from None


def _add_search(routes: APIRouter, engine: Engine, access: Access, operation: Operation[Any, Any], path: str) -> None:
    @routes.get(
        path,
        dependencies=[Depends(access.needs("system:read"))],
        operation_id=str(operation),
        summary=f"Search ({operation})",
    )
    async def search(query: Annotated[Asked, Query()]) -> dict[str, Any]:
        wanted = Search.model_validate(query.model_dump(exclude={"unit"}))
        found = await _asked(engine, operation, wanted, _unit(engine, query.unit))
        return {"items": [item.model_dump(mode="json", exclude_none=True) for item in found]}


def _add_read(
    routes: APIRouter, engine: Engine, access: Access, operation: Operation[Any, Any], path: str, word: str
) -> None:
    @routes.get(
        path,
        dependencies=[Depends(access.needs("system:read"))],
        response_model=operation.answers,
        response_model_exclude_none=True,
        operation_id=str(operation),
        summary=f"Read one {word} by the vendor's id ({operation})",
        responses={404: {"description": "There is none"}},
    )
    async def read(id: str, unit: Unit = None) -> Any:
        code = _unit(engine, unit)
        plan, requests = engine.release.operation(code, operation.role, operation.name)
        type_ = requests.reference.type.strip("'\"") if requests.reference else word
        if operation.takes is Link:
            canonical = (
                id if id.startswith(f"{word}_") else await engine.identities.canonical(word, plan.name, type_, id)
            )
            argument: BaseModel = Link.model_validate({"kind": word, "id": canonical})
        else:
            argument = Reference(connection=plan.name, type=type_, id=id)
        found = await _asked(engine, operation, argument, code)
        if found is None:
            raise not_found(f"{operation.role} has no {word} {id!r}", "see the search")
        return found


def _add_write(
    routes: APIRouter,
    engine: Engine,
    access: Access,
    wake: Callable[[], None],
    operation: Operation[Any, Any],
    path: str,
    method: str,
) -> None:
    takes: Any = operation.takes

    @routes.api_route(
        path,
        methods=[method],
        operation_id=str(operation),
        summary=f"{method.title()} ({operation}); durable: it ends in the vendor or among the exceptions",
        status_code=201,
        responses={202: {"description": "Under way; follow the run"}},
    )
    async def write(
        body: takes,
        response: Response,
        caller: Annotated[Caller, Depends(access.needs("system:write"))],
        unit: Unit = None,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Any:
        code = _unit(engine, unit)

        async def answer() -> tuple[int, Any]:
            key = f"{caller.name}.{idempotency_key}" if idempotency_key else None
            run_id = await ask_system(engine.store, operation, body, unit=code, key=key, release=engine.release.id)
            wake()
            return await _ended(engine, run_id)

        request = {"operation": str(operation), "unit": code, "body": body.model_dump(mode="json")}
        return await replayed(engine.store, caller.name, idempotency_key, request, response, answer)


async def _ended(engine: Engine, run_id: str) -> tuple[int, Any]:
    """Wait a while for the run; 202 with its address where it takes longer or needs a person."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_S
    while loop.time() < until:
        run = await engine.store.read(lambda tx: runs.get_run(tx, run_id))
        if run is not None and run["state"] == "done":
            return 201, result_of(run)
        if run is not None and run["state"] == "parked":
            break
        await asyncio.sleep(0.02)
    return 202, {"run": run_id, "links": {"self": f"/api/runs/{run_id}"}}
