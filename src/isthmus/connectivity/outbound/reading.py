"""Asks a role for something that changes nothing: reads are repeated freely, and followed to the last page."""

from __future__ import annotations

import random
from typing import Any

from pydantic import BaseModel, ValidationError

from isthmus.catalogue.connector import Request
from isthmus.connectivity.identity import Identities
from isthmus.connectivity.outbound.binding import Asking, Bindings, Bound
from isthmus.connectivity.outbound.calling import Caller, Outcome
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.outbound.trouble import attempts_ended, following, parked
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.transport.answer import Answer
from isthmus.mapping.errors import MappingError
from isthmus.model.problems import InvalidObject, Rejected
from isthmus.store.store import Store
from isthmus.visibility.read_model import ReadModel

TRIES_MAX = 4


class Reader:
    """Reads through a role's operations, whatever the vendor."""

    def __init__(self, store: Store, bindings: Bindings, caller: Caller, known: ReadModel) -> None:
        self._store, self._bindings, self._caller, self.known = store, bindings, caller, known

    @property
    def _identities(self) -> Identities:
        return self._bindings.identities

    async def read(
        self, asking: Asking, operation: Operation[Any, Any], argument: BaseModel, *, at: str | None = None
    ) -> Any:
        """The canonical object(s), or None where there is none; ``at`` names a connection. Raises Park or Later."""
        written, asked_at = asking.writings.of(argument), self._store.clock()
        bound = await self._bindings.bind(asking, operation, written, asking.key, asked_at, at)
        objects = _items(await self._found(asking, bound)) if operation.many else (await self._found(asking, bound))[:1]
        made = [await self.canonical(bound, item) for item in objects if item is not None]
        found = tuple([each for each in made if each is not None])
        self.known.saw(bound.plan.name, found, asked_at)
        return found if operation.many else found[0] if found else None

    async def _found(self, asking: Asking, bound: Bound) -> list[Any]:
        """What the operation's request finds; of a sequence its ``result``, the others' objects are ``parts``."""
        if not bound.requests.sequence:
            return await self.objects(asking, bound, bound.requests.single, pages=bound.requests.pages)
        found: dict[str, list[Any]] = {}
        last = ""
        for part in bound.requests.sequence:
            if part.when is not None and not bound.evaluate(part.when, bound.context):
                continue
            last = part.part
            found[last] = await self.objects(asking, bound, part, pages=bound.requests.pages)
            bound.context["parts"][last] = found[last][0] if found[last] else None
        return found.get(bound.requests.result or last, [])

    async def objects(self, asking: Asking, bound: Bound, request: Request, *, pages: bool = False) -> list[Any]:
        """What ``found`` picks from each page; empty where the vendor says there is none."""
        call = rendered(bound, request)
        picked: list[Any] = []
        while call is not None:
            outcome = await self._patiently(asking, bound, call, request.missing)
            if outcome.answer is None or outcome.failure is not None:
                return picked
            found = bound.found(request.found, outcome.answer.body)
            if found is not None:
                picked.append(found)
            call = following(bound.connection, outcome.answer, str(bound.operation), asking.step) if pages else None
        return picked

    async def _patiently(self, asking: Asking, bound: Bound, call: Any, missing: list[int]) -> Outcome:
        for attempt in range(1, TRIES_MAX + 1):
            outcome = await self._caller.call(asking, bound, call, looks=True)
            if outcome.succeeded or (outcome.failure is not None and outcome.failure.status in missing):
                return outcome
            if outcome.failure is not None and outcome.failure.verdict != "retry":
                raise Park(parked(bound, outcome, asking.step))
            if attempt < TRIES_MAX:
                await self._store.sleep(random.uniform(0.02, 0.1) * 2**attempt)  # noqa: S311 - jitter
        raise attempts_ended(bound, outcome, asking, self._store.clock())

    async def canonical(self, bound: Bound, found: Any) -> Any:
        """Translate a vendor's object, give it its identity and hold it against the canonical contract."""
        return await canonical(bound, found, self._identities)


def rendered(bound: Bound, request: Request, idempotency: tuple[str, str] | None = None) -> Any:
    """The call of a request in the bound context. Raises Park where a value is missing or a mapping fails."""
    try:
        return bound.connection.render(request, bound.context, idempotency=idempotency)
    except (MappingError, Rejected) as error:
        raise Park(_unmappable(bound, error)) from error


async def canonical(bound: Bound, found: Any, identities: Identities) -> Any:
    """The canonical object of what a vendor answered. Raises Park where mapping or contract fail."""
    if bound.requests.answer is None:
        return found
    try:
        mapped = bound.release.mapping(bound.plan.name, bound.requests.answer)({**bound.context, "body": found})
        if not isinstance(mapped, dict):
            return None
        kind = getattr(bound.operation.answers, "object_word", bound.operation.answers.__name__.lower())
        mapped = await identities.identify(mapped, kind, bound.plan.name)
        if "business_unit" in bound.operation.answers.model_fields:
            mapped.setdefault("business_unit", bound.context["unit"])
        return bound.operation.answers.model_validate(mapped)
    except ValidationError as error:
        raise Park(_unmappable(bound, InvalidObject(error, bound.operation.answers.__name__))) from error
    except MappingError as error:
        raise Park(_unmappable(bound, error)) from error


def _unmappable(bound: Bound, error: Exception) -> Any:
    field = error.problem.field if isinstance(error, Rejected) else None
    return ParkedWork(
        title=f"{bound.plan.connector.title} and Isthmus do not understand each other at {bound.operation}: {error}"[
            :300
        ],
        error_class="format",
        mend="correct the value at its source, or the mapping, then replay",
        operation=str(bound.operation),
        connection=bound.plan.name,
        field=field,
        said=str(error),
    )


def _items(pages: list[Any]) -> list[Any]:
    items: list[Any] = []
    for page in pages:
        items.extend(page if isinstance(page, list) else [page])
    return items


__all__ = ["Answer", "Later", "Reader", "canonical", "rendered"]
