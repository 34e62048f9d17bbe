"""Reads what the support desk wants to know of a customer: from the read model where it is fresh, else side by side.

Questions that are late go on in the background, so that the next answer is complete; equal ones are asked once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.system_api import billing, crm, erp, support
from isthmus.connectivity.system_api.operation import CustomerSearch, Operation, Search
from isthmus.connectivity.system_api.support import CaseSearch
from isthmus.landscape.release import UnitPlan
from isthmus.model import Customer, Link
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.enrich import Found, Known, Part, ReadPlan, enrich
from isthmus.store.transaction import Row
from isthmus.visibility.read_model import KINDS, CustomerKnown, followed

#: how many documents of a kind are asked for
MOST = 50
#: parts that are all there is of a kind; the others are one object
_LISTS = frozenset({"orders", "deliveries", "invoices", "cases"})
#: deliveries are read with the orders that they belong to
_READ_WITH = {"delivery": "order"}
_CLASSES = {word: each for each, word in KINDS.items()}


def _by_number(known: Known) -> Search | None:
    number = known["customer"].number if known["customer"] else None
    return Search(customer_number=number, limit=MOST) if number else None


def _by_own_number(known: Known) -> Search | None:
    number = known["customer"].number if known["customer"] else None
    return Search(number=number, limit=1) if number else None


def _by_account(known: Known) -> CustomerSearch | None:
    key = known["customer"].extensions.get("account_key") if known["customer"] else None
    return CustomerSearch(account_key=str(key), limit=1) if key else None


def _of_desk(known: Known) -> CaseSearch | None:
    return CaseSearch(customer=Link(kind="customer", id=known["desk"][0].id), limit=MOST) if known["desk"] else None


def plan_for(customer_id: str, unit: UnitPlan) -> ReadPlan:
    """What is asked about a customer: seven questions, three steps deep; invoices where the money is asked for."""
    asks_for_money = erp if unit.values.get("invoice_owner") == "erp_only" else billing
    after = ("customer",)
    return ReadPlan(
        Part("customer", crm.read_customer, Link(kind="customer", id=customer_id)),
        Part("account", erp.search_customers, _by_own_number, after),
        Part("orders", erp.search_orders, _by_number, after),
        Part("deliveries", erp.search_customer_deliveries, _by_number, after),
        Part("invoices", asks_for_money.search_invoices, _by_number, after),
        Part("desk", support.search_customers, _by_account, after),
        Part("cases", support.search_cases, _of_desk, ("desk",)),
    )


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a customer: its parts with the role of each, and all else that is known."""

    parts: Mapping[str, Found]
    roles: Mapping[str, str]
    more: tuple[Any, ...]

    @property
    def customer(self) -> Customer | None:
        """The customer itself; None where it could not be had, or is gone."""
        found: Customer | None = self.parts["customer"].value
        return found


class DeskReader:
    """Reads for the support desk over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._known = engine, engine.known
        self._followed = followed(engine.release)
        self._under_way: dict[tuple[str, str, str], asyncio.Task[Any]] = {}

    async def read(self, customer_id: str, unit: str, *, within: timedelta, max_age: timedelta) -> Read:
        """A customer as a unit's systems have it: no part older than ``max_age``, if it can be had ``within`` that."""
        units, plan = self._engine.release.units[unit], plan_for(customer_id, self._engine.release.units[unit])
        at = {part.name: units.roles.get(part.operation.role, "") for part in plan.parts}
        words = {part.name: part.operation.answers.object_word for part in plan.parts}  # type: ignore[attr-defined]
        follows = {
            name: [
                (each, channel) for channel in self._followed.get((each, _READ_WITH.get(words[name], words[name])), ())
            ]
            for name, each in at.items()
        }
        known = await self._known.customer(customer_id, follows)
        before = {
            name: Found(_last(known, name, words[name], each), known.parts.get(name)) for name, each in at.items()
        }

        async def ask(operation: Operation[Any, Any], argument: Any) -> Any:
            part = next(part.name for part in plan.parts if part.operation is operation)
            return await self._once(part, operation, argument, unit, known)

        found = await enrich(ask, plan, within=within, before=before, max_age=max_age, clock=self._engine.store.clock)
        more = tuple(_object(row) for row in known.rows if row["kind"] in ("payment", "entitlement"))
        return Read(found, {part.name: part.operation.role for part in plan.parts}, more)

    async def _once(
        self, part: str, operation: Operation[Any, Any], argument: BaseModel, unit: str, known: CustomerKnown
    ) -> Any:
        """The answer to a question that is asked once, however many wait for it; it goes on when they leave."""
        key = (unit, str(operation), argument.model_dump_json())
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._asked(part, operation, argument, unit, known))
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    def _ended(self, key: tuple[str, str, str], task: asyncio.Task[Any]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever waited has heard of it

    async def _asked(
        self, part: str, operation: Operation[Any, Any], argument: BaseModel, unit: str, known: CustomerKnown
    ) -> Any:
        """Ask, and keep that this part of the customer is there in full."""
        asked_at = self._engine.store.clock()
        answer = await self._engine.reader.read(Asking(self._engine.release, unit), operation, argument)
        if answer is not None:
            objects = answer if operation.many else (answer,)
            cut = part not in _LISTS or len(objects) >= MOST
            at = self._engine.release.units[unit].roles[operation.role]
            word = operation.answers.object_word  # type: ignore[attr-defined]
            await self._known.completed(known, part, word, at, objects, asked_at, cut=cut)
        return answer


def _last(known: CustomerKnown, part: str, word: str, connection: str) -> Any:
    """What was last known of a part; None where nothing was, and it was never read in full."""
    found = tuple(_object(row) for row in known.rows if row["kind"] == word and row["connection"] == connection)
    if part == "customer":
        return found[0] if found else None
    return found if found or part in known.parts else None


def _object(row: Row) -> Any:
    return _read(row["kind"], row["body"])


@lru_cache(maxsize=4096)
def _read(kind: str, body: str) -> Any:
    """Canonical objects are frozen, so those that are asked for again and again are read once."""
    return _CLASSES[kind].model_validate_json(body)
