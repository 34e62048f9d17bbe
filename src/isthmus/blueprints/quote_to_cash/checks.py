"""What is asked before anything is made: may this customer buy, is it there, is the price right, what is the tax."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from isthmus import Ask, erp, park
from isthmus.blueprints.quote_to_cash.documents import order_for
from isthmus.model import Customer, Link, Order, Quote

_HUNDRED = Decimal(100)


class Shortage(BaseModel):
    """A line that cannot be confirmed in full."""

    model_config = ConfigDict(frozen=True)

    line: str
    product: str
    ordered: Decimal
    confirmed: Decimal

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.confirmed:f} of {self.ordered:f} {self.product} (line {self.line})"


class Checked(BaseModel):
    """The order to be made, and what people may have to decide about it."""

    model_config = ConfigDict(frozen=True)

    order: Order
    shortages: tuple[Shortage, ...] = ()
    price_difference: str | None = None


async def check(ask: Ask, quote: Quote, customer: Customer, settings: Mapping[str, Any]) -> Checked:
    """Ask the ERP about customer, price, tax, stock and credit together; park what a person must mend."""
    order = order_for(quote)
    simulation = asyncio.ensure_future(ask(erp.simulate_order, order))
    try:
        _may_buy(await ask(erp.read_customer, Link(kind="customer", id=customer.id)))
    finally:
        # a blocked customer is the better reason than what the simulation says of him
        await asyncio.gather(simulation, return_exceptions=True)
    simulated = simulation.result()
    _has_credit(simulated)
    return Checked(
        order=order,
        shortages=_shortages(order, simulated),
        price_difference=_price_difference(quote, simulated, settings["price_tolerance"]),
    )


def _may_buy(debtor: Customer) -> None:
    for block in debtor.blocks:
        if block.kind in ("order", "all"):
            why = block.reason or block.reason_code or "no reason given"
            park(
                f"The ERP has blocked this customer for new orders ({why})",
                mend=f"have customer {debtor.number} released in the ERP, then replay; or cancel",
                code="order-block",
                field="customer",
            )


def _has_credit(simulated: Order) -> None:
    for hold in simulated.holds:
        if hold.kind == "credit":
            park(
                f"The customer's credit limit does not cover this order ({hold.reason or 'credit check not passed'})",
                mend="raise the limit or take payments in the ERP, then replay; or cancel",
                code="credit-limit",
                field="customer",
            )


def _shortages(order: Order, simulated: Order) -> tuple[Shortage, ...]:
    confirmed = {line.id: line.confirmed for line in simulated.lines}
    return tuple(
        Shortage(
            line=line.id,
            product=_number(line.product),
            ordered=line.ordered,
            confirmed=confirmed.get(line.id) or Decimal(0),
        )
        for line in order.lines
        if confirmed.get(line.id) is not None and (confirmed[line.id] or Decimal(0)) < line.ordered
    )


def _price_difference(quote: Quote, simulated: Order, tolerance: Decimal) -> str | None:
    ours = {line.id: line for line in simulated.lines}
    for line in quote.lines:
        theirs = ours.get(line.id)
        if theirs is None or line.product is None:
            continue
        quoted, own = line.unit_price.amount, theirs.unit_price.amount
        if own == quoted:
            continue
        percent = abs(own - quoted) / quoted * _HUNDRED if quoted else _HUNDRED
        if percent > tolerance:
            return (
                f"{_number(line.product)} was quoted at {quoted:f} {quote.currency}, the ERP's price is {_plain(own)} "
                f"({percent:.1f} % off, {tolerance:f} % is allowed)"
            )
    return None


def _plain(amount: Decimal) -> str:
    """Without zeros that say nothing: 205.1100000000 as 205.11."""
    return f"{amount.normalize():f}"


def _number(product: Link | None) -> str:
    return (product.number or product.id or "?") if product else "?"
