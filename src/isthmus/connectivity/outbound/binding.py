"""Binds a role's operation to one connection, and makes the context in which its mappings speak.

(EIP: message router by business unit and role.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from isthmus.catalogue.connector import Operation as Requests
from isthmus.connectivity.identity import Identities
from isthmus.connectivity.outbound.connections import Connections
from isthmus.connectivity.outbound.outcome import Park, ParkedWork
from isthmus.connectivity.outbound.written import Writings, Written
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.transport.connection import Connection
from isthmus.landscape.release import ConnectionPlan, Release
from isthmus.store.runs import Fence
from isthmus.store.transaction import Row


@dataclass(slots=True)
class Asking:
    """Who asks: a run with its fence, or (``run`` None) a system API on behalf of nobody but its caller."""

    release: Release
    unit: str
    run: Row | None = None
    fence: Fence | None = None
    round: int = 1
    step: str = ""
    zone: str = "UTC"
    writings: Writings = field(default_factory=Writings)

    @property
    def key(self) -> str:
        """The business key with its generation: ``OPP-1002~2``."""
        if self.run is None:
            return ""
        base = str(self.run["business_key"] or self.run["subject"])
        return base if self.run["generation"] == 1 else f"{base}~{self.run['generation']}"


@dataclass(slots=True)
class Bound:
    """One operation at one connection, with the context of its mappings."""

    operation: Operation[Any, Any]
    plan: ConnectionPlan
    requests: Requests
    connection: Connection
    release: Release
    written: Written
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def deadline_s(self) -> float:
        """How long the vendor may work on a call, in seconds."""
        return self.plan.deadline_s or self.requests.deadline.total_seconds()

    def evaluate(self, expression: str, context: Mapping[str, Any] | Any) -> Any:
        """Evaluate one of the descriptor's expressions."""
        return self.release.expression(expression)(context)

    def found(self, expression: str | None, body: Any) -> Any:
        """The object that an expression picks from an answer; nothing and an empty list are None."""
        if expression is None:
            return body
        picked = self.evaluate(expression, body)
        return None if picked in (None, [], "") else picked


#: what is needed and not known yet may come by itself: first look after so many seconds, then after growing pauses
_PAUSE_S = 60.0


class Bindings:
    """Finds the connection that fills a role for a unit, and the vendor ids that an operation needs."""

    def __init__(self, connections: Connections, identities: Identities) -> None:
        self.connections, self.identities = connections, identities
        self._same: dict[tuple[str, str], dict[str, Any]] = {}

    async def bind(
        self,
        asking: Asking,
        operation: Operation[Any, Any],
        written: Written,
        key: str,
        now: datetime,
        at: str | None = None,
    ) -> Bound:
        """Bind an operation for whoever asks, at the connection that fills the role (or ``at`` a named one).

        Raises Park where the landscape or a needed id is missing.
        """
        try:
            if at is None:
                plan, requests = asking.release.operation(asking.unit, operation.role, operation.name)
            else:
                plan = asking.release.connections[at]
                requests = plan.connector.operations[operation.name]
        except KeyError as error:
            raise Park(
                ParkedWork(
                    title=f"Nothing in the landscape answers {operation} for unit {asking.unit or '(none)'}",
                    error_class="missing",
                    mend=f"give the unit a connection whose connector offers {operation} ({error.args[0]})",
                    operation=str(operation),
                )
            ) from None
        bound = Bound(
            operation, plan, requests, self.connections.of(asking.release, plan.name), asking.release, written
        )
        unit = asking.release.units.get(asking.unit)
        zone = unit.business_unit.time_zone if unit else "UTC"
        bound.context = {
            "input": written.value(),
            "key": key,
            "values": unit.values if unit else {},
            "unit": asking.unit,
            **self._fixed(asking.release, plan),
            "ids": {},
            "parts": {},
            "today": now.astimezone(ZoneInfo(zone)).date().isoformat(),
        }
        bound.context["ids"] = await self._ids(bound)
        return bound

    def _fixed(self, release: Release, plan: ConnectionPlan) -> dict[str, Any]:
        """What contexts of one connection have in common."""
        key = (release.id, plan.name)
        if key not in self._same:
            settings, units = release.public_settings(plan.name), release_units(release)
            self._same[key] = {"settings": settings, "units": units, "texts": texts_of(plan)}
        return self._same[key]

    async def _ids(self, bound: Bound) -> dict[str, str]:
        ids: dict[str, str] = {}
        for name, expression in bound.requests.needs.items():
            optional = name.endswith("?")
            link = bound.evaluate(expression, bound.context["input"])
            canonical = link.get("id") if isinstance(link, dict) else link
            found = await self.identities.at(canonical, bound.plan.name) if canonical else None
            if found is not None:
                ids[name.rstrip("?")] = found
            elif not optional:
                raise Park(
                    ParkedWork(
                        title=f"The {name} is not known in {bound.plan.connector.title} yet",
                        error_class="missing",
                        mend=f"create or link the {name} there; it goes on by itself then",
                        operation=str(bound.operation),
                        connection=bound.plan.name,
                        field=name,
                        said=f"no cross-reference from {canonical or expression} to {bound.plan.name}",
                        retry_s=_PAUSE_S,
                    )
                )
        return ids


@lru_cache(maxsize=8)
def release_units(release: Release) -> list[dict[str, Any]]:
    """The business units as mappings see them: code, values, and the seller as printed on documents."""
    return [
        {
            "code": unit.code,
            "values": unit.values,
            "seller": {
                "name": unit.business_unit.legal_name,
                "address": unit.business_unit.address.model_dump(mode="json", exclude_none=True),
                "tax_registrations": [
                    t.model_dump(mode="json", exclude_none=True) for t in unit.business_unit.tax_registrations
                ],
            },
        }
        for unit in release.units.values()
    ]


def texts_of(plan: ConnectionPlan) -> dict[str, str]:
    """The descriptor's texts, with the company's own fields put in where they are read along."""
    texts = {}
    for name, text in plan.connector.texts.items():
        for word in set(plan.connector.extensions.values()) | set(plan.extra_fields):
            text = text.replace(f"{{extra.{word}}}", "".join(f", {own}" for own in plan.extra_fields.get(word, ())))
        texts[name] = text
    return texts
