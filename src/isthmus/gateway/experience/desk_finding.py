"""Finds the customer that the support desk means: by id or number, e-mail, domain, ticket or order.

What is known answers first; else the systems are asked, each once. A customer is what the CRM has; what other systems
call it leads there by its number or the key of its account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api import crm, erp, support
from isthmus.connectivity.system_api.operation import CustomerSearch, Operation, Search
from isthmus.gateway.process.runs import type_at
from isthmus.model import Case, Customer, Link, Order, Reference
from isthmus.orchestration.engine import Engine

By: TypeAlias = Literal["id", "email", "domain", "ticket", "order"]
#: an argument, or what makes it for a connection
_Argument: TypeAlias = BaseModel | Callable[[str], BaseModel]

#: what keeps a system from saying whether there is such a customer
_TROUBLE = ("down", "limit", "locked", "access", "format", "program")


class DeskFinder:
    """Finds customers over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._known = engine, engine.known

    async def find(self, by: By, text: str) -> list[Customer]:
        """The customers that are meant, as the CRM has them. Raises Park or Later where no system can be asked."""
        ids = await self._known_ids(by, text)
        if not ids:
            customers = await self._asked_for(by, text)
        else:
            customers = [each for id_ in ids for each in await self._in_crm(id_)]
        return list({each.id: each for each in customers}.values())

    async def _known_ids(self, by: By, text: str) -> list[str]:
        if by in ("email", "domain"):
            return await self._known.customers_at(text)
        kind = {"id": "customer", "ticket": "case", "order": "order"}[by]
        if by == "id" and any(row["kind"] == "customer" for row in await self._known.objects(text)):
            return [text]
        found = await self._known.customer_of(kind, text)
        return [found] if found else []

    async def _in_crm(self, id_: str) -> list[Customer]:
        """The CRM's customer that is the same as one of another system, or that one itself."""
        known = await self._known.customer(id_, {})
        fillers = set(self._fillers("crm"))
        customers = [Customer.model_validate_json(row["body"]) for row in known.rows if row["kind"] == "customer"]
        at_crm = [each for each in customers if each.source and each.source.connection in fillers]
        return at_crm[:1] or await self._by_other(customers, known.number)

    async def _by_other(self, customers: list[Customer], number: str | None) -> list[Customer]:
        """Ask the CRM for a customer by what other systems say of it."""
        key = next((key for each in customers if (key := each.extensions.get("account_key"))), None)
        if key:
            return [*await self._ask(crm.search_customers, CustomerSearch(account_key=str(key)))]
        return [*await self._ask(crm.search_customers, CustomerSearch(number=number))] if number else []

    async def _asked_for(self, by: By, text: str) -> list[Customer]:
        if by in ("email", "domain"):
            return [*await self._ask(crm.search_customers, CustomerSearch.model_validate({by: text}))]
        if by == "ticket":
            cases: tuple[Case, ...] = await self._ask(support.read_case, self._reference("read_case", text))
            return [each for case in cases for each in await self._of(case.customer)]
        if by == "order":
            search = Search(number=text, limit=1), Search(request_number=text, limit=1)
            orders: tuple[Order, ...] = await self._ask(erp.search_orders, search[0])
            orders = orders or await self._ask(erp.search_orders, search[1])
            return [each for order in orders for each in await self._of(order.partners.sold_to.customer)]
        found = [*await self._ask(crm.search_customers, CustomerSearch(number=text))]
        return found or [*await self._ask(crm.read_customer, await self._links(text))]

    async def _of(self, link: Link | None) -> list[Customer]:
        """The CRM's customer behind the link of a document."""
        if link is None:
            return []
        if link.number:
            return [*await self._ask(crm.search_customers, CustomerSearch(number=link.number))]
        return await self._by_other([*await self._ask(support.read_customer, link)], None)

    def _reference(self, operation: str, id_: str) -> Callable[[str], BaseModel]:
        connections = self._engine.release.connections
        return lambda at: Reference(connection=at, type=type_at(connections[at], operation), id=id_)

    async def _links(self, id_: str) -> Callable[[str], BaseModel]:
        """Links to a customer by our id, or by a vendor's."""
        connections, links = self._engine.release.connections, {}
        for at in self._fillers("crm"):
            type_ = type_at(connections[at], "read_customer")
            ours = (
                id_
                if id_.startswith("customer_")
                else await self._engine.identities.assumed("customer", at, type_, id_)
            )
            links[at] = Link(kind="customer", id=ours)
        return lambda at: links[at]

    def _fillers(self, role: str) -> dict[str, str]:
        """The connections that fill a role, each with one of its units."""
        return {unit.roles[role]: code for code, unit in self._engine.release.units.items() if role in unit.roles}

    async def _ask(self, operation: Operation[Any, Any], argument: _Argument) -> tuple[Any, ...]:
        """What the systems of a role answer, each asked once; the trouble of one counts only where all have some."""
        fillers = self._fillers(operation.role)
        asked = (
            self._engine.reader.read(
                Asking(self._engine.release, unit),
                operation,
                argument if isinstance(argument, BaseModel) else argument(at),
                at=at,
            )
            for at, unit in fillers.items()
        )
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found: list[Any] = []
        troubles: list[Exception] = []
        for answer in answers:
            if isinstance(answer, Park) and answer.work.error_class not in _TROUBLE:
                continue  # the system says that there can be no such thing
            if isinstance(answer, Park | Later):
                troubles.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            elif answer is not None:
                found += answer if isinstance(answer, tuple) else [answer]
        if troubles and len(troubles) == len(answers):
            raise troubles[0]
        return tuple(found)
