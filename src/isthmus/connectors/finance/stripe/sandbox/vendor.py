"""Stripe as one sandbox: its addresses, its troubles, and requests that come twice at a time.

Answers have the shapes of version 2026-10-28.endive, whatever ``Stripe-Version`` asks for. Left out: Connect, quotes,
checkout, metered prices, promotion codes, schedules, files; parameters of these are unknown here and refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.push import Push
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.standin import Cut, Sandbox, Verb
from isthmus.sandkit.world import Row, World

from . import account as accounts
from . import (
    balance,
    catalogue,
    credit_notes,
    customers,
    discounts,
    disputes,
    door,
    events,
    invoice_life,
    invoice_lines,
    invoice_payments,
    invoices,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
    subscription_items,
    subscriptions,
    tax_calculations,
    tax_ids,
    tax_rates,
    webhook_endpoints,
)
from .account import Account, Body
from .door import Door
from .errors import StripeError, missing_object
from .events import Events, policy
from .operation import Ask, Operation, operation
from .play import verbs
from .seeds import seed
from .view import change, show

#: in the order in which addresses are tried: the busiest first
_ROOMS = (
    invoices, invoice_lines, invoice_life, customers, invoice_payments, payment_intents, webhook_endpoints, catalogue,
    tax_rates, tax_ids, payment_methods, credit_notes, refunds, discounts, setup_intents, disputes, balance,
    subscriptions, subscription_items, tax_calculations,
)  # fmt: skip


class VendorSandbox(Sandbox):
    """Stripe's stand-in."""

    name = "stripe"
    title = "Stripe"

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        super().__init__(world, clock, faults)
        for tables in (door.TABLES, accounts.TABLES, events.TABLES):
            world.script(tables)
        announcer = Events(world)
        announcer.push = Push(self.name, world, clock, faults, policy())
        self.pushes = [announcer.push]
        self.door = Door(world, clock, announcer)
        self._at_work: set[tuple[str, str]] = set()
        for one in operations():
            self.routes.add(one.method, one.path, self.door.handler(one))

    def seed(self, company: Company) -> None:
        """Both accounts, and the customers that each has."""
        seed(self.world, self.door, company)

    def credentials(self) -> dict[str, str]:
        """The living secret keys of both accounts."""
        keys = self.world.rows(
            "SELECT a.unit, k.key FROM api_key k JOIN account a ON a.id = k.account WHERE NOT k.expired"
        )
        return {("api_key" if row["unit"] == "emea" else f"api_key_{row['unit']}"): row["key"] for row in keys}

    def verbs(self) -> Mapping[str, Verb]:
        """What people do at Stripe."""
        return verbs(self.world, self.door)

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of both accounts."""
        return show(self.world, self.door, kind, key)

    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """Change one row, through the API's own operations where it has one."""
        return change(self.world, self.door, kind, key, values)

    def summary(self) -> str:
        """How much there is."""
        count = "SELECT count(*) FROM object WHERE kind = ?"
        customers, bills = (self.world.value(count, (kind,)) for kind in ("customer", "invoice"))
        return f"2 accounts, {customers} customers, {bills} invoices"

    # Troubles ----------------------------------------------------------------------------------------

    def trouble(self, kind: str, request: Request) -> Answer:
        """Stripe's own words for a fault. An expired key is one whose refusal passes: roll_key ends one for good."""
        request_id = self.door.new_request_id()
        error, headers = _TROUBLES[kind](request)
        return self.door.refused(error, request_id, **headers)

    async def answer(self, request: Request) -> Answer:
        """Play one request; while one with the same idempotency key is at work, answer 409."""
        self.door.root = request.root
        at_work = self._key(request)
        if at_work is None:
            return await super().answer(request)
        if at_work in self._at_work:
            again = {"Stripe-Should-Retry": "true"}
            return self.door.refused(door.key_in_use(at_work[1]), self.door.new_request_id(), **again)
        self._at_work.add(at_work)
        try:
            answer = await super().answer(request)
        except Cut as cut:
            if cut.later is None:
                self._at_work.discard(at_work)
                raise
            raise Cut(later=self._released(cut.later, at_work)) from None
        except BaseException:
            self._at_work.discard(at_work)
            raise
        self._at_work.discard(at_work)
        return answer

    def _broken(self, request: Request) -> Answer:
        """The work is done, and the 500 is what is kept under the key (docs: idempotent_requests)."""
        try:
            caller = self.door.caller(request, self.door.new_request_id())
        except StripeError:
            return self.play(request)
        known = self.door.is_stored(caller)
        answer = self.play(request)
        if known or answer.status >= 400:
            return answer
        with self.world.transaction():
            return self.door.store_instead(caller, _unknown_error())

    def _key(self, request: Request) -> tuple[str, str] | None:
        key = request.headers.get("idempotency-key")
        return (request.headers.get("authorization", ""), key) if request.method == "POST" and key else None

    def _released(
        self, later: Callable[[], Awaitable[None]], at_work: tuple[str, str]
    ) -> Callable[[], Awaitable[None]]:
        async def happen() -> None:
            try:
                await later()
            finally:
                self._at_work.discard(at_work)

        return happen


def operations() -> list[Operation]:
    """Everything that the API can be asked."""
    own = [operation("GET", "/v1/account", _own_account), operation("GET", "/v1/accounts/{id}", _named_account)]
    rooms: list[Any] = list(_ROOMS)
    return [one for room in rooms for one in room.OPERATIONS] + own


def _own_account(account: Account, ask: Ask) -> Body:
    row = account.row
    return {
        "id": row["id"],
        "object": "account",
        "business_profile": {"name": row["name"]},
        "charges_enabled": True,
        "country": row["country"],
        "default_currency": row["currency"],
        "details_submitted": True,
        "email": f"finance@{row['unit']}.sonnwerk.example",
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": row["name"], "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def _named_account(account: Account, ask: Ask) -> Body:
    if ask.id != account.id:
        raise missing_object("account", ask.id, "id")
    return _own_account(account, ask)


def _unknown_error() -> StripeError:
    return StripeError(
        "An unknown error occurred. Please try again, or contact support with the request's id.",
        status=500,
        kind="api_error",
    )


def _limited(request: Request) -> tuple[StripeError, dict[str, str]]:
    message = "Request rate limit exceeded. Learn more about rate limits at https://stripe.com/docs/rate-limits."
    return StripeError(message, status=429, code="rate_limit"), {"Stripe-Rate-Limited-Reason": "global-rate"}


def _locked(request: Request) -> tuple[StripeError, dict[str, str]]:
    message = "This object cannot be accessed right now because another API request is currently accessing it."
    return StripeError(message, status=429, code="lock_timeout"), {"Stripe-Should-Retry": "true"}


def _down(request: Request) -> tuple[StripeError, dict[str, str]]:
    error = StripeError("Service temporarily unavailable.", status=503, kind="api_error")
    return error, {"Stripe-Should-Retry": "true"}


def _expired(request: Request) -> tuple[StripeError, dict[str, str]]:
    return door.expired_key(request.headers.get("authorization", "").partition(" ")[2]), {}


def _not_found(request: Request) -> tuple[StripeError, dict[str, str]]:
    message = f"Unrecognized request URL ({request.method}: {request.raw_path}). Please see https://stripe.com/docs."
    return StripeError(message, status=404), {}


_TROUBLES: dict[str, Callable[[Request], tuple[StripeError, dict[str, str]]]] = {
    "limited": _limited,
    "locked": _locked,
    "down": _down,
    "broken": lambda request: (_unknown_error(), {}),
    "expired": _expired,
    "not_found": _not_found,
}
