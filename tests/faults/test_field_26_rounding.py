"""Field test 26: the total of the source counts; a cent that rounding explains stands in a line of its own, named so.

What rounding does not explain is an exception. A discount is taken before tax, as the ledger has taken it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, asking
from tests.support.inside import inside
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import SELLER, customer_of, order_of
from tests.support.stripe_caller import Caller

from isthmus.blueprints.quote_to_cash.documents import equal_to_the_cent, invoice_for
from isthmus.connectivity.outbound.outcome import Park
from isthmus.connectivity.system_api import billing, erp
from isthmus.model import Invoice, Order

ACCOUNT = 3


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(["sap_s4hana", "stripe"]) as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    async with asking(tmp_path, running, {"erp": "sap_s4hana", "billing": "stripe"}) as asker:
        yield asker


async def ordered(ask: Asker, running: RunningSandbox, key: str) -> Order:
    account = running.company.accounts[ACCOUNT]
    for role in (erp, billing):
        await ask.change(role.ensure_customer, customer_of(account), key=key, unit=account.unit)
    asked = order_of(running.company, account, key, (("X-100", "3"), ("X-113", "7")))
    made: Order = await ask.change(erp.create_order, asked, key=key, unit=account.unit)
    assert made.totals is not None and made.totals.payable_rounding_amount is None
    return made


def stated(running: RunningSandbox, order: Order, off: str) -> None:
    """The ledger's total of an order is other than what its items add up to."""
    assert order.totals is not None
    total = order.totals.tax_exclusive_amount.amount + Decimal(off)
    change = {"TotalNetAmount": f"{total:.2f}"}
    inside(running, "sap_s4hana", lambda world: world.update("A_SalesOrder", change, {"SalesOrder": order.number}))


@pytest.mark.parametrize("off", ["0.01", "-0.02"])
async def test_the_ledgers_cent_is_asked_for_too(off: str, ask: Asker, running: RunningSandbox) -> None:
    key, unit = f"CENT{off}", running.company.accounts[ACCOUNT].unit
    made = await ordered(ask, running, key)
    assert made.source is not None and made.totals is not None
    stated(running, made, off)
    order: Order = await ask.read(erp.read_order, made.source, unit=unit)
    assert order.totals is not None and order.totals.payable_rounding_amount is not None
    assert order.totals.payable_rounding_amount.amount == Decimal(off)
    assert order.totals.payable_amount.amount == made.totals.payable_amount.amount + Decimal(off)

    asked = invoice_for(order, SELLER, order.issue_date)
    invoice: Invoice = await ask.change(billing.create_invoice, asked, key=key, unit=unit)
    equal_to_the_cent(order, invoice)
    stands, lines = _stripe(running, invoice)
    assert stands["total"] == int(order.totals.payable_amount.amount * 100)
    assert [(line["description"], line["amount"]) for line in lines if line["metadata"].get("kind") == "rounding"] == [
        ("Rounding", int(Decimal(off) * 100))
    ]


@pytest.mark.parametrize("off", ["0.03", "-1.00"])
async def test_what_rounding_does_not_explain_is_an_exception(off: str, ask: Asker, running: RunningSandbox) -> None:
    made = await ordered(ask, running, f"MORE{off}")
    assert made.source is not None
    stated(running, made, off)
    with pytest.raises(Park) as parked:
        await ask.read(erp.read_order, made.source)
    work = parked.value.work
    assert work.error_class == "format"
    assert "the total is said to be" in str(work.said) and "at most 0.02" in str(work.said)


async def test_an_invoice_of_another_amount_is_an_exception(ask: Asker, running: RunningSandbox) -> None:
    key, unit = "OTHER", running.company.accounts[ACCOUNT].unit
    made = await ordered(ask, running, key)
    invoice: Invoice = await ask.change(
        billing.create_invoice, invoice_for(made, SELLER, made.issue_date), key=key, unit=unit
    )
    assert made.source is not None
    stated(running, made, "0.02")
    order: Order = await ask.read(erp.read_order, made.source, unit=unit)
    with pytest.raises(Park, match="The invoice asks for"):
        equal_to_the_cent(order, invoice)


async def test_a_discount_is_taken_before_tax(ask: Asker, running: RunningSandbox) -> None:
    """Of 100 ten percent off, and then tax: 107.10 at 19 %, neither 109 nor 107.00."""
    key, account = "OFF", running.company.accounts[ACCOUNT]
    for role in (erp, billing):
        await ask.change(role.ensure_customer, customer_of(account), key=key, unit=account.unit)
    price = {"amount": "90.00", "currency": account.currency, "gross_amount": "100.00", "discount_amount": "10.00"}
    plain = order_of(running.company, account, key, (("X-100", "1"),)).model_dump(mode="json", exclude_none=True)
    amount = {"amount": "90.00", "currency": account.currency}
    sums = {name: amount for name in plain["totals"] if name != "tax_amount"}
    line = plain["lines"][0] | {"unit_price": price, "line_extension_amount": amount}
    asked = Order.model_validate(plain | {"lines": [line], "totals": plain["totals"] | sums})
    order: Order = await ask.change(erp.create_order, asked, key=key, unit=account.unit)
    assert order.totals is not None
    tax = order.totals.tax_amount.amount
    assert order.totals.tax_exclusive_amount.amount == Decimal("90.00")
    assert order.lines[0].tax is not None
    assert tax == (Decimal("90.00") * order.lines[0].tax.rate / 100).quantize(Decimal("0.01"))
    invoice: Invoice = await ask.change(
        billing.create_invoice, invoice_for(order, SELLER, order.issue_date), key=key, unit=account.unit
    )
    equal_to_the_cent(order, invoice)
    stands, _ = _stripe(running, invoice)
    assert stands["total"] == 9000 + int(tax * 100)


def _stripe(running: RunningSandbox, invoice: Invoice) -> tuple[Any, list[Any]]:
    assert invoice.source is not None
    caller = Caller(running, "api_key_apac" if invoice.business_unit == "apac" else "api_key")
    stands = caller.get(f"/invoices/{invoice.source.id}")
    return stands, stands["lines"]["data"]
