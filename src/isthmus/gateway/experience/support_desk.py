"""``/api/experience/support-desk``: one customer in one call, for whoever answers him.

Orders with deliveries by quantity, invoices with what is open, credit, entitlements, cases and disputes. Warm answers
come from the read model and make no call to any vendor; cold ones ask side by side under a deadline, and say of each
part how fresh it is. ``Cache-Control: max-age=…`` or ``no-cache`` asks for fresher parts (RFC 9111), ``Prefer: wait=…``
for more patience (RFC 7240).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel

from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.gateway.access import Access
from isthmus.gateway.experience.desk_examples import EXAMPLE, EXAMPLE_V1
from isthmus.gateway.experience.desk_finding import By, DeskFinder
from isthmus.gateway.experience.desk_reading import DeskReader
from isthmus.gateway.experience.desk_shapes import CustomerView, CustomerViewV1
from isthmus.gateway.experience.desk_view import first_version, view
from isthmus.gateway.experience.field_access import as_seen
from isthmus.gateway.experience.versions import Deprecated
from isthmus.gateway.problems import not_found, problem
from isthmus.governance.access import Caller
from isthmus.model import Customer
from isthmus.orchestration.engine import Engine

SCOPE = "support-desk:read"
PATH = "/api/experience/support-desk/customers"
PATH_V1 = "/api/experience/support-desk/v1/customers"
#: how old a part may be that is not asked again, and how long all questions may take, unless the caller says otherwise
MAX_AGE = timedelta(minutes=2)
WITHIN = timedelta(milliseconds=800)
WAIT_MOST_S = 10
V1 = Deprecated(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 6, 30, tzinfo=UTC), PATH)

#: one line that is not blank
_LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
Id = Annotated[
    str,
    Path(
        pattern=_LINE, max_length=200, description="our id, the business number or the CRM's id", examples=["17100001"]
    ),
]
Text = Annotated[str | None, Query(pattern=_LINE, max_length=200)]
Fresh = Annotated[str | None, Header(alias="Cache-Control", description="`no-cache`, or `max-age=` seconds")]
Patience = Annotated[str | None, Header(alias="Prefer", description="`wait=` seconds, at most 10")]
_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"description": "No customer is known so"},
    409: {"description": "Several customers are meant; the problem names them"},
    502: {"description": "The CRM is down, and the customer was never read before"},
}


def add_support_desk(routes: APIRouter, engine: Engine, access: Access) -> "SupportDesk":
    """Both versions of the support desk's API; what answers them."""
    desk = SupportDesk(engine)
    caller = Depends(access.needs(SCOPE))
    new = {200: _example(CustomerView, EXAMPLE), **_RESPONSES}
    old = {200: _example(CustomerViewV1, EXAMPLE_V1, V1.headers()), **_RESPONSES}

    @routes.get(PATH + "/{id}", responses=new, summary="One customer, by id", operation_id="support_desk_customer")
    async def one(id: Id, caller: Annotated[Caller, caller], fresh: Fresh = None, wait: Patience = None) -> Response:
        """Everything about one customer."""
        return await desk.answer(caller, "id", id, fresh, wait)

    @routes.get(PATH, responses=new, summary="One customer, by what is at hand", operation_id="support_desk_find")
    async def found(
        caller: Annotated[Caller, caller], email: Text = None, domain: Text = None, ticket: Text = None,
        order: Text = None, fresh: Fresh = None, wait: Patience = None,
    ) -> Response:  # fmt: skip
        """Everything about the customer with this e-mail address, domain, ticket or order."""
        by, text = _one_of({"email": email, "domain": domain, "ticket": ticket, "order": order})
        return await desk.answer(caller, by, text, fresh, wait)

    @routes.get(
        PATH_V1 + "/{id}", responses=old, deprecated=True, summary="One customer, in one word a document",
        operation_id="support_desk_customer_v1",
    )  # fmt: skip
    async def one_v1(id: Id, caller: Annotated[Caller, caller], fresh: Fresh = None, wait: Patience = None) -> Response:
        """Version 1, until its sunset."""
        return await desk.answer(caller, "id", id, fresh, wait, old=True)

    return desk


class SupportDesk:
    """Answers the support desk over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._finder, self._reader = engine, DeskFinder(engine), DeskReader(engine)

    async def answer(
        self, caller: Caller, by: By, text: str, fresh: str | None, wait: str | None, *, old: bool = False
    ) -> Response:
        """The HTTP answer for a caller, with the fields that they may see."""
        found = await self.customer(by, text, _seconds("max-age", fresh), _seconds("wait", wait))
        shown: BaseModel = first_version(found) if old else found
        seen = as_seen(shown.model_dump(mode="json", exclude_none=True), type(shown), caller.scopes)
        headers = {
            "Vary": "Authorization, X-API-Key",
            "Cache-Control": "private, no-store",
            **(V1.headers() if old else {}),
        }
        return Response(orjson.dumps(seen), media_type="application/json", headers=headers)

    async def customer(
        self, by: By, text: str, max_age_s: int | None = None, wait_s: int | None = None
    ) -> CustomerView:
        """What is to be seen of a customer. Raises IsthmusError: 404, 409 or 502."""
        try:
            customers = await self._finder.find(by, text)
        except (Park, Later) as trouble:
            raise _unavailable(trouble) from None
        meant = _the_one(customers, by, text)
        read = await self._reader.read(
            str(meant.id),
            meant.business_unit,
            within=WITHIN if wait_s is None else timedelta(seconds=min(wait_s, WAIT_MOST_S)),
            max_age=MAX_AGE if max_age_s is None else timedelta(seconds=max_age_s),
        )
        if read.customer is None and read.parts["customer"].unavailable is None:
            raise not_found(f"The customer {text!r} is there no more", "search by e-mail, domain, ticket or order")
        zone = ZoneInfo(self._engine.release.units[meant.business_unit].business_unit.time_zone)
        today = self._engine.store.clock().astimezone(zone).date()
        return view(read.customer or meant, read.parts, read.roles, read.more, today)


def _the_one(customers: list[Customer], by: str, text: str) -> Customer:
    if not customers:
        raise not_found(f"No customer is known by {by} {text!r}", "search by e-mail, domain, ticket or order")
    if len(customers) > 1:
        names = "; ".join(f"{each.name} ({each.number or each.id})" for each in customers[:10])
        title = f"{len(customers)} customers have the {by} {text!r}"
        raise problem(409, "several", title, detail=names, field=by, value=text, mend=f"ask for one of them: {PATH}/ID")
    return customers[0]


def _one_of(given: dict[str, str | None]) -> tuple[Any, str]:
    """The one condition that is given. Raises 422."""
    named = [(by, text) for by, text in given.items() if text]
    if len(named) != 1:
        expected = "one of " + ", ".join(given)
        raise problem(422, "invalid-field", "Say by what the customer is to be found", field="query", expected=expected)
    return named[0]


def _seconds(name: str, header: str | None) -> int | None:
    """``max-age=30`` in a header is 30; ``no-cache`` is a max-age of 0."""
    if name == "max-age" and header and "no-cache" in header.lower():
        return 0
    found = re.search(rf"\b{name}\s*=\s*(\d{{1,9}})", header or "", re.IGNORECASE)
    return int(found[1]) if found else None


def _unavailable(trouble: Park | Later) -> Exception:
    if isinstance(trouble, Later):
        return problem(503, "busy", trouble.why, mend="ask again in a moment")
    return problem(502, trouble.work.error_class, trouble.work.title, detail=trouble.work.said, mend=trouble.work.mend)


def _example(model: type[BaseModel], example: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    """A response with an example, and the headers that it carries."""
    described = {name: {"schema": {"type": "string"}, "example": value} for name, value in (headers or {}).items()}
    content = {"application/json": {"example": example}}
    return {"model": model, "content": content, **({"headers": described} if headers else {})}
