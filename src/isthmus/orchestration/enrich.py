"""One read plan over several roles: its parts are asked side by side under a deadline, and none fails the others.

(EIP: content enricher over scatter-gather.) What is late or down is told of its part, with what was last known of it.

    PLAN = ReadPlan(
        Part("order", erp.read_order, about_order),
        Part("invoices", erp.search_invoices, lambda known: Search(request_number=known["order"].request_number), after=("order",)),
    )
    found = await enrich(ask, PLAN, within=timedelta(milliseconds=800))
    found["invoices"].value, found["invoices"].unavailable
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel

from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api.operation import Operation
from isthmus.store.clock import Clock, system_clock

#: the values of earlier parts, by name; None where there is nothing
Known: TypeAlias = Mapping[str, Any]
#: what to ask for: one argument, several (asked side by side, answered as one tuple), or None: nothing is asked
Argument: TypeAlias = BaseModel | Sequence[BaseModel] | None
#: when what is needed is asked again
_PAUSE = timedelta(seconds=2)


class Asks(Protocol):
    """Whoever can read through a role: ``await ask(erp.read_order, reference)``. Raises Park or Later."""

    def __call__(self, operation: Operation[Any, Any], argument: Any, /) -> Awaitable[Any]:
        """The answer; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to ask: a reading operation with its argument, or a function of what earlier parts found.

    ``after`` names those earlier parts. A part that is ``needed`` fails the whole when it cannot be had.
    """

    name: str
    operation: Operation[Any, Any]
    argument: BaseModel | Callable[[Known], Argument]
    after: tuple[str, ...] = ()
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a part. ``value`` was true at ``as_of``; both None where it never was had.

    ``unavailable`` says why it could not be asked now; then ``value`` is the last known one, stale since ``as_of``.
    """

    value: Any = None
    as_of: datetime | None = None
    unavailable: str | None = None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Parts in an order in which each stands after those it needs. Raises ValueError where one does not, or writes."""

    parts: tuple[Part, ...] = field(default=())

    def __init__(self, *parts: Part) -> None:
        seen: set[str] = set()
        for part in parts:
            if part.name in seen:
                raise ValueError(f"two parts are called {part.name!r}")
            if part.operation.writes:
                raise ValueError(f"{part.name}: {part.operation} writes; a read plan only reads")
            if missing := [name for name in part.after if name not in seen]:
                raise ValueError(f"{part.name} comes after {', '.join(missing)}, which does not stand before it")
            seen.add(part.name)
        object.__setattr__(self, "parts", parts)


async def enrich(
    ask: Asks, plan: ReadPlan, *, within: timedelta, before: Mapping[str, Found] | None = None,
    max_age: timedelta = timedelta(0), clock: Clock = system_clock,
) -> dict[str, Found]:  # fmt: skip
    """Ask a plan's parts, each as soon as what it needs is there; every part is answered ``within`` that time.

    ``before`` is what is known already: not asked again while it is no older than ``max_age``, and given as last known
    where its part cannot be had. Raises Park or Later for a part that is needed.
    """
    known, begun = dict(before or {}), clock()
    fresh = {name for name, each in known.items() if each.as_of is not None and begun - each.as_of <= max_age}
    until = asyncio.get_running_loop().time() + within.total_seconds()
    under_way: dict[str, asyncio.Task[Found]] = {}

    async def had(part: Part) -> Found:
        if part.name in fresh:
            return known[part.name]
        earlier = {name: await asyncio.shield(under_way[name]) for name in part.after}
        for name, each in earlier.items():
            if each.unavailable and each.value is None:
                return _last_known(known, part.name, f"it needs {name}: {each.unavailable}")
        argument, asked_at = _argument(part, earlier), clock()
        try:
            async with asyncio.timeout_at(until):
                return Found(await _answer(ask, part.operation, argument), asked_at)
        except (Park, Later) as trouble:
            if part.needed:
                raise
            return _last_known(known, part.name, trouble.work.title if isinstance(trouble, Park) else trouble.why)
        except TimeoutError:
            why = f"no answer within {within / timedelta(milliseconds=1):.0f} ms"
            if part.needed:
                raise Later(clock() + _PAUSE, f"{part.operation}: {why}") from None
            return _last_known(known, part.name, why)

    try:
        for part in plan.parts:
            under_way[part.name] = asyncio.create_task(had(part), name=part.name)
        await asyncio.gather(*under_way.values())
    finally:
        for each in under_way.values():
            each.cancel()
        await asyncio.gather(*under_way.values(), return_exceptions=True)
    return {name: each.result() for name, each in under_way.items()}


def _argument(part: Part, earlier: Mapping[str, Found]) -> Argument:
    if isinstance(part.argument, BaseModel):
        return part.argument
    return part.argument({name: each.value for name, each in earlier.items()})


async def _answer(ask: Asks, operation: Operation[Any, Any], argument: Argument) -> Any:
    """The answer of one question, or of several as one tuple."""
    if argument is None:
        return None
    if isinstance(argument, BaseModel):
        return await ask(operation, argument)
    answers = await asyncio.gather(*(ask(operation, each) for each in argument))
    if operation.many:
        return tuple(each for answer in answers for each in answer)
    return tuple(each for each in answers if each is not None)


def _last_known(known: Mapping[str, Found], name: str, why: str) -> Found:
    return replace(known.get(name, Found()), unavailable=why)
