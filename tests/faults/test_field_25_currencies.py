"""Field test 25: yen without decimals, dinars with three, dollars with two: through every connector and back, the same.

Amount and currency are one type, floats are refused, and what a vendor cannot hold exactly is refused, not rounded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import SELLER
from tests.support.stripe_caller import Caller

from isthmus.blueprints.quote_to_cash.documents import invoice_for, order_for
from isthmus.connectivity.outbound.effect import RefusedThere
from isthmus.connectivity.system_api import billing, crm, erp
from isthmus.mapping.errors import MappingError
from isthmus.mapping.expression import compile_expression
from isthmus.model import Customer, Invoice, Link, Money, Order, Quote, Reference

#: price of one, what eight cost, and that in the smallest unit, of which billing counts
CURRENCIES = {
    "JPY": ("51234", "409872", 409872),
    "KWD": ("512.125", "4097.000", 4097000),
    "USD": ("512.34", "4098.72", 409872),
}
ROLES = {"crm": "salesforce", "erp": "sap_s4hana", "billing": "stripe"}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox() as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    async with asking(tmp_path, running, ROLES) as asker:
        yield asker


def won(running: RunningSandbox, currency: str, price: str) -> str:
    """The id of an opportunity of eight of a thing at this price."""
    account = running.company.accounts[list(CURRENCIES).index(currency)]
    running.desk(f"salesforce/set/customer/{account.key}", {"CurrencyIsoCode": currency})
    (product,) = running.desk("salesforce/show/product/X-100")
    book = running.desk("salesforce/show/price")[0]["Pricebook2Id"]
    entry = {"object": "PricebookEntry", "Pricebook2Id": book, "Product2Id": product["Id"], "IsActive": "true"}
    if not any(
        one["Product2Id"] == product["Id"] and one["CurrencyIsoCode"] == currency
        for one in running.desk("salesforce/show/price")
    ):
        running.desk("salesforce/play/create", entry | {"CurrencyIsoCode": currency, "UnitPrice": price})
    deal = {"account": account.key, "product": "X-100", "unit_price": price, "quantity": "8"}
    number = running.desk("salesforce/play/create_opportunity", deal)["number"]
    running.desk("salesforce/play/win", {"opportunity": number})
    return str(running.desk(f"salesforce/show/opportunity/{number}")[0]["Id"])


async def ordered(ask: Asker, running: RunningSandbox, currency: str, price: str, key: str) -> Order:
    """The order in the ledger of a deal that was won, read again; its customer is known to billing."""
    source = Reference(connection="salesforce", type="Opportunity", id=won(running, currency, price))
    quote: Quote = await ask.read(crm.read_quote, source)
    (line,) = quote.lines
    assert line.unit_price.amount == Decimal(price)
    unit = quote.business_unit or ""
    customer: Customer = await ask.read(crm.read_customer, quote.partners.sold_to.customer or Link(kind="customer"))
    await ask.change(erp.ensure_customer, customer, key=key, unit=unit)
    made: Order = await ask.change(erp.create_order, order_for(quote), key=key, unit=unit)
    assert made.source is not None
    await ask.change(billing.ensure_customer, customer, key=key, unit=unit)
    order: Order = await ask.read(erp.read_order, made.source, unit=unit)
    assert order.lines[0].line_extension_amount == line.line_extension_amount
    return order


@pytest.mark.parametrize("currency", CURRENCIES)
async def test_from_the_quote_to_the_invoice_and_back(currency: str, ask: Asker, running: RunningSandbox) -> None:
    price, net, units = CURRENCIES[currency]
    key = f"MONEY-{currency}"
    order = await ordered(ask, running, currency, price, key)
    assert order.totals is not None and order.totals.tax_exclusive_amount == Money(
        amount=Decimal(net), currency=currency
    )
    (book,) = [row for row in running.desk("sap_s4hana/books") if row["kind"] == "order" and row["key"] == key]
    assert book["net_amount"] == net, "with the decimals of its currency"

    asked = invoice_for(order, SELLER, order.issue_date)
    invoice: Invoice = await ask.change(billing.create_invoice, asked, key=key, unit=order.business_unit)
    assert invoice.source is not None
    read: Invoice = await ask.read(billing.read_invoice, invoice.source, unit=order.business_unit)
    assert read.totals.tax_exclusive_amount == order.totals.tax_exclusive_amount
    assert read.totals.payable_amount == order.totals.payable_amount == invoice.totals.payable_amount
    account = "api_key_apac" if order.business_unit == "apac" else "api_key"
    assert Caller(running, account).get(f"/invoices/{invoice.source.id}")["subtotal"] == units


async def test_what_the_vendor_cannot_hold_exactly_is_refused_not_rounded(ask: Asker, running: RunningSandbox) -> None:
    order = await ordered(ask, running, "KWD", "512.124", "ODD")
    with pytest.raises(RefusedThere, match="must have 0 as their last digit"):
        asked = invoice_for(order, SELLER, order.issue_date)
        await ask.change(billing.create_invoice, asked, key="ODD", unit=order.business_unit)
    (left,) = [row for row in running.desk("stripe/books") if row["kind"] == "invoice" and row["key"] == "ODD"]
    account = "api_key_apac" if order.business_unit == "apac" else "api_key"
    stands = Caller(running, account).get(f"/invoices/{left['id']}")
    assert (stands["status"], stands["total"]) == ("draft", 0), "it asks for nothing until somebody has decided"


@pytest.mark.parametrize("amount", [0.1, 1e3, float("nan"), True])
def test_a_float_is_no_amount(amount: float) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "USD"})
    with pytest.raises(MappingError):
        compile_expression("$money(a, 'USD')")({"a": amount})


@pytest.mark.parametrize(("amount", "currency"), [("1.5", "JPY"), ("1.0001", "KWD"), ("1.001", "USD"), ("1", "usd")])
def test_more_decimals_than_the_currency_has_are_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": currency})
    with pytest.raises(MappingError):
        compile_expression("$money(a, c)")({"a": amount, "c": currency})


def test_amounts_of_two_currencies_do_not_add() -> None:
    with pytest.raises(TypeError):
        Money(amount=Decimal(1), currency="JPY") + Money(amount=Decimal(1), currency="KWD")
