"""Makes the canonical object of the message that started a run: reads it in full where the message is only a hint.

(EIP: content enricher, message translator.)
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError

from isthmus.catalogue.connector import Take
from isthmus.connectivity.identity import Identities
from isthmus.connectivity.outbound.binding import Asking, release_units
from isthmus.connectivity.outbound.outcome import Park, ParkedWork
from isthmus.connectivity.outbound.reading import Reader
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.system_api.roles import ROLES
from isthmus.landscape.release import ConnectionPlan
from isthmus.mapping.errors import MappingError
from isthmus.model import Reference
from isthmus.model.problems import InvalidObject
from isthmus.store import runs
from isthmus.store.store import Store
from isthmus.store.transaction import Row

#: the hint of a run that no message started
ASKED_BY_PEOPLE = "{}"


class TakeIn:
    """From a run's hint to its input."""

    def __init__(self, store: Store, reader: Reader, identities: Identities) -> None:
        self._store, self._reader, self._identities = store, reader, identities

    async def object_of(self, asking: Asking, takes: type[BaseModel]) -> BaseModel | None:
        """The canonical object that the run is about; None where the message turns out to be about nothing of ours.

        Raises Park or Later.
        """
        run = asking.run
        assert run is not None
        plan = asking.release.connections[run["connection"]]
        take = take_of(plan, run["event"])
        if take is None:
            raise Park(_unknown_event(plan, run))
        asking.step = "take in"
        if take.read is not None:
            found = await self._read(asking, plan, take.read, run)
        else:
            found = await self._translate(asking, plan, take, takes, json.loads(run["hint"]))
        if found is None or not _wanted(asking, take, found) or await self._old_news(asking, take, found):
            return None
        if not isinstance(found, takes):
            raise TypeError(
                f"{run['process']} takes {takes.__name__}, {take.read or take.mapping} gives {type(found).__name__}"
            )
        return found

    async def _old_news(self, asking: Asking, take: Take, found: BaseModel) -> bool:
        """Whether this is what an earlier generation was about, told again after it was undone; people may ask again."""
        run = asking.run
        assert run is not None
        if take.anew is None or run["generation"] == 1 or run["hint"] == ASKED_BY_PEOPLE:
            return False
        before = await self._store.read(lambda tx: runs.input_before(tx, run))
        anew = asking.release.expression(take.anew)
        now = anew(asking.writings.of(found).value())
        return before is not None and anew(json.loads(before)) == now

    async def _read(self, asking: Asking, plan: ConnectionPlan, name: str, run: Row) -> Any:
        operation = read_operation(plan, name)
        return await self._reader.read(asking, operation, subject_reference(run["subject"]), at=plan.name)

    async def _translate(
        self, asking: Asking, plan: ConnectionPlan, take: Take, takes: type[BaseModel], body: Any
    ) -> BaseModel:
        assert take.mapping is not None
        context = {
            "body": body,
            "settings": asking.release.public_settings(plan.name),
            "units": release_units(asking.release),
        }
        try:
            mapped = asking.release.mapping(plan.name, take.mapping)(context)
            return takes.model_validate(await self._identities.identify(mapped, take.object, plan.name))
        except (MappingError, ValidationError) as error:
            said = str(InvalidObject(error, take.object)) if isinstance(error, ValidationError) else str(error)
            raise Park(
                ParkedWork(
                    title=f"A message of {plan.connector.title} could not be understood: {said}"[:300],
                    error_class="format",
                    mend="correct the value at its source, or the mapping, then replay",
                    connection=plan.name,
                    said=said,
                    step="take in",
                )
            ) from error


def take_of(plan: ConnectionPlan, event: str | None) -> Take | None:
    """The descriptor's rule for an event type."""
    return next((t for channel in plan.connector.inbound.values() for t in channel.takes if t.event == event), None)


def read_operation(plan: ConnectionPlan, name: str) -> Operation[Any, Any]:
    """The role's operation that a connector's read names."""
    for role in plan.connector.roles:
        if name in ROLES.get(role, {}):
            return ROLES[role][name]
    raise KeyError(f"{plan.connector.connector} reads by {name!r}, which none of its roles {plan.connector.roles} has")


def subject_reference(subject: str) -> Reference:
    """``crm/Opportunity/006…`` as the reference of an object at its source."""
    connection, _, rest = subject.partition("/")
    type_, _, id_ = rest.rpartition("/")
    return Reference(connection=connection, type=type_ or "object", id=id_)


def _wanted(asking: Asking, take: Take, found: BaseModel) -> bool:
    return take.only is None or bool(asking.release.expression(take.only)(asking.writings.of(found).value()))


def _unknown_event(plan: ConnectionPlan, run: Row) -> ParkedWork:
    return ParkedWork(
        title=f"{plan.connector.title} says nothing about {run['event']} any more",
        error_class="missing",
        mend="give a channel of the connector a take with this event, then replay",
        connection=plan.name,
        step="take in",
    )
