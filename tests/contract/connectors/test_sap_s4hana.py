"""The SAP S/4HANA connector through the runtime, against its stand-in over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import customer_of, id_of, order_of
from tests.support.sap_caller import ORDERS, PARTNERS, SapCaller

from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api import erp
from isthmus.connectivity.system_api.operation import Search
from isthmus.model import Customer, Invoice, Link, Order, Product, Reference
from isthmus.orchestration.poll import Poller
from isthmus.sandkit.company import Account

GERMAN, JAPANESE, UNKNOWN, BLOCKED, EXEMPT, SWISS = 0, 1, 6, 9, 11, 4


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    running.desk("faults", {"rules": []})
    async with asking(tmp_path, running, {"erp": "sap_s4hana"}) as asker:
        yield asker
    running.desk("faults", {"rules": []})


@pytest.fixture(scope="module")
def sap(running: RunningSandbox) -> SapCaller:
    return SapCaller(running)


def trouble(running: RunningSandbox, kind: str, operation: str, **more: Any) -> None:
    rule = {"kind": kind, "vendor": "sap_s4hana", "operation": operation, "times": 1, "delay_s": 0.2, **more}
    running.desk("faults", {"rules": [rule]})


async def known(ask: Asker, account: Account, key: str = "K") -> Reference:
    """The account as a customer of SAP's."""
    found: Reference = await ask.change(erp.ensure_customer, customer_of(account), key=key, unit=account.unit)
    return found


async def ordered(ask: Asker, running: RunningSandbox, key: str, customer: int = GERMAN, **more: Any) -> Order:
    """An order made as the blueprint does."""
    account = running.company.accounts[customer]
    await known(ask, account, key)
    asked = order_of(running.company, account, key, **more)
    made: Order = await ask.change(erp.create_order, asked, key=key, unit=account.unit)
    return made


def living(sap: SapCaller, key: str) -> list[dict[str, Any]]:
    """SAP's orders under our key."""
    found: list[dict[str, Any]] = sap.read(f"{ORDERS}/A_SalesOrder", filter=f"ExternalDocumentID eq '{key}'")["results"]
    return found


# Customers ----------------------------------------------------------------------------------------------------


async def test_a_customer_is_found_by_number_or_tax_number_or_made_once(
    ask: Asker, running: RunningSandbox, sap: SapCaller
) -> None:
    account = running.company.accounts[GERMAN]
    assert (await known(ask, account)).id == account.number
    numberless = customer_of(account, id=id_of("customer", "numberless"), number=None, status="prospect")
    assert (await ask.change(erp.ensure_customer, numberless, key="C-1")).id == account.number
    new = running.company.accounts[UNKNOWN]
    made, again = await known(ask, new, "C-2"), await known(ask, new, "C-3")
    assert made == again
    partner = sap.read(f"{PARTNERS}/A_BusinessPartner('{made.id}')", expand="to_Customer/to_CustomerSalesArea")
    assert partner["OrganizationBPName1"] == new.name
    (area,) = partner["to_Customer"]["to_CustomerSalesArea"]["results"]
    assert (area["SalesOrganization"], area["Currency"]) == ("1710", new.currency)


async def test_a_customer_is_read_with_blocks_terms_and_tax_numbers(ask: Asker, running: RunningSandbox) -> None:
    blocked = running.company.accounts[BLOCKED]
    await known(ask, blocked)
    link = Link(kind="customer", id=id_of("customer", blocked.key))
    read: Customer = await ask.read(erp.read_customer, link, unit=blocked.unit)
    assert read.name == "Blocked AG"
    assert read.id == id_of("customer", blocked.key)
    assert [(block.kind, block.reason) for block in read.blocks] == [("order", "credit")]
    assert [one.number for one in read.tax_registrations] == [blocked.vat_number]
    assert read.payment_terms is not None and read.payment_terms.net_days == 30
    (address,) = read.addresses
    assert (address.address.lines, address.address.country) == ((blocked.street,), blocked.country)


async def test_customers_are_found_by_what_is_asked(ask: Asker, running: RunningSandbox) -> None:
    account = running.company.accounts[GERMAN]
    for search in (Search(number=account.number), Search(name=account.name), Search(customer_number=account.number)):
        (found,) = await ask.read(erp.search_customers, search)
        assert (found.number, found.name) == (account.number, account.name)
    assert len(await ask.read(erp.search_customers, Search(name="Solar", limit=3))) == 3
    assert await ask.read(erp.search_customers, Search(name="O'Nobody")) == ()


# Products -----------------------------------------------------------------------------------------------------


async def test_products_are_read_and_found(ask: Asker, running: RunningSandbox) -> None:
    product: Product = await ask.read(erp.read_product, Reference(connection="sap", type="A_Product", id="S-108"))
    facts = running.company.product("S-108")
    assert (product.number, product.name, product.kind, product.base_unit) == ("S-108", facts.name, "service", "DAY")
    assert await ask.read(erp.read_product, Reference(connection="sap", type="A_Product", id="NONE")) is None
    (found,) = await ask.read(erp.search_products, Search(name="Panel 100"))
    assert (found.number, found.kind, found.base_unit) == ("X-100", "goods", "C62")
    assert len(await ask.read(erp.search_products, Search(name="Panel", limit=3))) == 3
    assert await ask.read(erp.search_products, Search(name="Nothing like it")) == ()


# Orders -------------------------------------------------------------------------------------------------------


async def test_simulation_gives_price_tax_stock_and_credit_and_keeps_nothing(
    ask: Asker, running: RunningSandbox, sap: SapCaller
) -> None:
    account = running.company.accounts[GERMAN]
    await known(ask, account)
    before = sap.read(f"{ORDERS}/A_SalesOrder", inlinecount="allpages", top="0")["__count"]
    asked = order_of(running.company, account, lines=(("X-105", "2"), ("X-113", "5")))
    said: Order = await ask.read(erp.simulate_order, asked)
    assert [line.id for line in said.lines] == ["10", "20"]
    dearer, missing = said.lines
    assert (
        dearer.unit_price.amount
        == running.company.product("X-105").erp_price("EUR")
        != asked.lines[0].unit_price.amount
    )
    assert (dearer.confirmed, missing.confirmed) == (Decimal(2), Decimal(0))
    assert said.totals is not None and said.totals.tax_amount.amount > 0
    assert said.holds == ()
    huge = order_of(running.company, account, lines=(("X-100", "40000"),))
    held: Order = await ask.read(erp.simulate_order, huge)
    assert [hold.kind for hold in held.holds] == ["credit"]
    assert sap.read(f"{ORDERS}/A_SalesOrder", inlinecount="allpages", top="0")["__count"] == before


async def test_an_order_has_the_agreed_prices_and_the_erps_tax_and_number(
    ask: Asker, running: RunningSandbox, sap: SapCaller
) -> None:
    made = await ordered(ask, running, "O-1", lines=(("X-105", "3"), ("S-109", "2")))
    asked = order_of(running.company, running.company.accounts[GERMAN], "O-1", lines=(("X-105", "3"), ("S-109", "2")))
    assert asked.totals is not None and made.totals is not None
    assert made.totals.tax_exclusive_amount == asked.totals.tax_exclusive_amount, "the agreed price, not the list price"
    assert [line.unit_price.amount for line in made.lines] == [line.unit_price.amount for line in asked.lines]
    assert [line.id for line in made.lines] == ["10", "20"]
    assert made.totals.tax_amount.amount == sum(line.tax_amount.amount for line in made.lines if line.tax_amount)
    assert {(line.tax.code, line.tax.percent) for line in made.lines if line.tax} == {("S", Decimal(19))}
    assert (made.status, made.request_number, made.id) == ("confirmed", "O-1", asked.id)
    assert made.partners == asked.partners
    (theirs,) = living(sap, "O-1")
    assert theirs["SalesOrder"] == made.number
    assert theirs["SenderBusinessSystemName"] == "ISTHMUS"
    assert theirs["PurchaseOrderByCustomer"] == "PO-77"


async def test_other_parties_and_dates_go_along(ask: Asker, running: RunningSandbox, sap: SapCaller) -> None:
    buyer, receiver = running.company.accounts[GERMAN], running.company.accounts[11]
    await known(ask, buyer)
    await known(ask, receiver)
    asked = order_of(
        running.company,
        buyer,
        "O-2",
        requested_delivery={"start_date": "2027-01-15"},
        delivery_terms={"incoterm": "DAP", "place": "Hamburg"},
    )
    ship_to = {"customer": Link(kind="customer", id=id_of("customer", receiver.key)), "name": receiver.name}
    partners = asked.partners.model_copy(update={"ship_to": asked.partners.sold_to.model_copy(update=ship_to)})
    made = await ask.change(erp.create_order, asked.model_copy(update={"partners": partners}), key="O-2")
    theirs = sap.read(f"{ORDERS}/A_SalesOrder('{made.number}')", expand="to_Partner")
    parties = {one["PartnerFunction"]: one["Customer"] for one in theirs["to_Partner"]["results"]}
    assert parties["SH"] == receiver.number
    assert (theirs["IncotermsClassification"], made.requested_delivery.start_date) == ("DAP", date(2027, 1, 15))
    nobody = {"customer": Link(kind="customer", id=id_of("customer", "nobody")), "name": "Nobody Ltd"}
    strange = asked.partners.model_copy(update={"ship_to": asked.partners.sold_to.model_copy(update=nobody)})
    with pytest.raises(Park) as parked:
        await ask.change(erp.create_order, asked.model_copy(update={"partners": strange}), key="O-3")
    assert "Nobody Ltd has no customer in SAP yet" in parked.value.work.title
    assert living(sap, "O-3") == []


@pytest.mark.parametrize(
    ("number", "customer", "words"),
    [("X-122", GERMAN, "is not sold in this sales area"), ("X-100", BLOCKED, "SAP has blocked this customer")],
)
async def test_refusals_say_what_to_mend(
    ask: Asker, running: RunningSandbox, sap: SapCaller, number: str, customer: int, words: str
) -> None:
    key, lines = f"R-{number}", [(number, "1")]
    with pytest.raises(Park) as parked:
        await ordered(ask, running, key, customer, lines=lines)
    work = parked.value.work
    assert work.error_class == "business"
    assert words in work.title
    assert "replay" in work.mend
    assert living(sap, key) == []
    with pytest.raises(Park):
        await ordered(ask, running, key, customer, lines=lines)
    assert [one["outcome"] for one in await ask.attempts(key) if one["method"] == "POST"] == ["refused"], (
        "a refusal is the answer for its round"
    )


async def test_an_order_is_cancelled_by_rejecting_its_items_twice_if_need_be(
    ask: Asker, running: RunningSandbox, sap: SapCaller
) -> None:
    made = await ordered(ask, running, "X-1")
    gone: Order = await ask.change(erp.cancel_order, made, key="X-1")
    assert (gone.status, gone.number, [line.cancelled for line in gone.lines]) == (
        "cancelled",
        made.number,
        [line.ordered for line in made.lines],
    )
    again: Order = await ask.change(erp.cancel_order, made, key="X-1 again")
    assert again.status == "cancelled"
    assert living(sap, "X-1")[0]["OverallSDDocumentRejectionSts"] == "C"


async def test_orders_are_found_by_what_is_asked(ask: Asker, running: RunningSandbox) -> None:
    made = await ordered(ask, running, "S-1")
    account = running.company.accounts[GERMAN]
    for search in (
        Search(number=made.number),
        Search(request_number="S-1"),
        Search(customer_number=account.number, request_number="S-1", name="PO-77"),
    ):
        assert [one.number for one in await ask.read(erp.search_orders, search)] == [made.number]
    assert await ask.read(erp.search_orders, Search(request_number="it's none")) == ()
    assert made.source is not None
    read: Order = await ask.read(erp.read_order, made.source)
    # the answer to the order does not say yet when what is promised
    assert [line.model_copy(update={"schedule": ()}) for line in read.lines] == list(made.lines)
    assert read.partners.sold_to.customer == Link(
        kind="customer", id=id_of("customer", account.key), number=account.number
    )


@pytest.mark.parametrize(
    ("customer", "code", "scheme"),
    [(GERMAN, "S", "VAT"), (JAPANESE, "S", "GST"), (EXEMPT, "E", "VAT"), (SWISS, "G", "VAT")],
)
async def test_legal_invoices_are_read_with_their_tax(
    ask: Asker, running: RunningSandbox, customer: int, code: str, scheme: str
) -> None:
    key = f"B-{customer}"
    order = await ordered(ask, running, key, customer)
    for verb, about in (
        ("deliver", {"order": order.number}),
        ("goods_issue", {"order": order.number}),
        ("billing_run", {}),
    ):
        running.desk(f"sap_s4hana/play/{verb}", about)
    (invoice,) = await ask.read(erp.search_invoices, Search(request_number=key))
    assert order.totals is not None
    assert invoice.totals.payable_amount == order.totals.payable_amount
    assert [(one.tax.code, one.tax.scheme) for one in invoice.tax_subtotals] == [(code, scheme)]
    assert [link.number for link in invoice.orders] == [order.number]
    assert invoice.business_unit == running.company.accounts[customer].unit
    assert (invoice.status, invoice.payment_terms.code) == ("issued", "NT30")
    read: Invoice = await ask.read(erp.read_invoice, invoice.source)
    assert read == invoice
    assert (await ask.read(erp.read_order, order.source)).billing_status == "complete"
    verb, status = ("clear_invoice", "paid") if code == "S" else ("cancel_invoice", "void")
    running.desk(f"sap_s4hana/play/{verb}", {"invoice": invoice.number})
    assert (await ask.read(erp.read_invoice, invoice.source)).status == status
    billing = (await ask.read(erp.read_order, order.source)).billing_status
    assert billing == ("complete" if status == "paid" else "none"), "a cancelled invoice bills nothing"


async def test_invoices_and_orders_are_polled_once_each(ask: Asker, running: RunningSandbox) -> None:
    order = await ordered(ask, running, "PO-1", lines=(("S-108", "1"),))
    running.desk("sap_s4hana/play/billing_run", {"order": order.number})
    (invoice,) = await ask.read(erp.search_invoices, Search(request_number="PO-1"))
    poller = Poller(ask.engine, _Worker())
    inbound = ask.release.connections["sap"].connector.inbound
    for channel, subject in (
        ("billing_documents", f"sap/A_BillingDocument/{invoice.number}"),
        ("orders", f"sap/A_SalesOrder/{order.number}"),
    ):
        assert await poller.poll("sap", channel, inbound[channel]) > 0
        ask.clock.advance(timedelta(minutes=1))
        assert await poller.poll("sap", channel, inbound[channel]) == 0, "the overlap brings nothing twice"
        ask.clock.advance(timedelta(minutes=1))
        rows = await ask.store.read(
            lambda tx, s=subject: tx.rows("SELECT subject FROM message WHERE subject = :subject", {"subject": s})  # type: ignore[misc]
        )
        assert len(rows) == 1


async def test_a_poll_and_a_search_follow_the_pages(ask: Asker, running: RunningSandbox, sap: SapCaller) -> None:
    numbers = {sap.order(f"PG-{at}", ("S-108", "1"))["SalesOrder"] for at in range(105)}
    channel = ask.release.connections["sap"].connector.inbound["orders"]
    assert await Poller(ask.engine, _Worker()).poll("sap", "orders", channel) >= len(numbers)
    polled = await ask.store.read(lambda tx: tx.rows("SELECT subject FROM message"))
    assert numbers <= {row["subject"].rpartition("/")[2] for row in polled}
    found = await ask.read(erp.search_orders, Search(limit=105))
    assert len({order.number for order in found}) == len(found) == 105
    assert [order.number for order in found] == sorted((order.number for order in found), reverse=True)


async def test_an_own_field_goes_from_end_to_end_by_one_line(
    running: RunningSandbox, sap: SapCaller, tmp_path: Path
) -> None:
    running.desk("sap_s4hana/set/field/A_SalesOrder.YY1_PromoCode_SDH", {"length": "20"})
    fields = {"order.extensions.promo_code": {"sap": "YY1_PromoCode_SDH"}}
    async with asking(tmp_path, running, {"erp": "sap_s4hana"}, fields=fields) as ask:
        made = await ordered(ask, running, "CF-1", extensions={"promo_code": "SUN26"})
        assert living(sap, "CF-1")[0]["YY1_PromoCode_SDH"] == "SUN26"
        assert made.extensions["promo_code"] == "SUN26"
        assert (await ask.read(erp.read_order, made.source)).extensions["promo_code"] == "SUN26"


class _Worker:
    holder = "tester"

    def wake(self) -> None:
        """Nobody sleeps here."""


# Doubt --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", "late", "broken", "down", "locked", "limited"])
async def test_in_doubt_one_order_is_made(ask: Asker, running: RunningSandbox, sap: SapCaller, kind: str) -> None:
    key, account = f"D-{kind}", running.company.accounts[GERMAN]
    await known(ask, account, key)
    asked = order_of(running.company, account, key)
    trouble(running, kind, "POST */A_SalesOrder")
    made = await _patiently(ask, asked, key)
    await asyncio.sleep(0.3 if kind == "late" else 0)
    assert [one["SalesOrder"] for one in living(sap, key)] == [made.number]
    assert asked.totals is not None and made.totals is not None
    assert made.totals.tax_exclusive_amount == asked.totals.tax_exclusive_amount


async def _patiently(ask: Asker, asked: Order, key: str) -> Order:
    """As a run that is due again: what has to wait is asked again later."""
    for _ in range(10):
        try:
            made: Order = await ask.change(erp.create_order, asked, key=key)
        except Later:
            ask.clock.advance(timedelta(seconds=10))
            await asyncio.sleep(0.05)
        else:
            return made
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
async def test_in_doubt_one_customer_is_made(ask: Asker, running: RunningSandbox, sap: SapCaller, kind: str) -> None:
    account = running.company.accounts[UNKNOWN]
    asked = customer_of(account, id=id_of("customer", kind), tax_registrations=[])
    trouble(running, kind, "POST */A_BusinessPartner")
    made = await ask.change(erp.ensure_customer, asked, key=f"DC-{kind}")
    await asyncio.sleep(0.3 if kind == "late" else 0)
    filter_ = f"BPIdentificationNumber eq '{asked.id}'"
    found = sap.read(f"{PARTNERS}/A_BuPaIdentification", filter=filter_)["results"]
    assert [one["BusinessPartner"] for one in found] == [made.id]


async def test_a_customer_that_was_made_twice_is_retired(ask: Asker, running: RunningSandbox, sap: SapCaller) -> None:
    asked = customer_of(running.company.accounts[UNKNOWN], id=id_of("customer", "twice"), tax_registrations=[])
    made = await ask.change(erp.ensure_customer, asked, key="TW-1")
    for _ in range(2):
        gone = await ask.change(erp.retire_customer, made, key="TW-1:second")
        assert gone.id == made.id
    row = sap.read(f"{PARTNERS}/A_BusinessPartner('{made.id}')")
    assert row["BusinessPartnerIsBlocked"] and row["IsMarkedForArchiving"]
    assert not sap.read(f"{PARTNERS}/A_BuPaIdentification", filter=f"BusinessPartner eq '{made.id}'")["results"]
    (book,) = [r for r in running.desk("sap_s4hana/books") if r["kind"] == "customer" and r["id"] == made.id]
    assert book["key"] == "" and not book["living"]


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken", "locked"])
async def test_in_doubt_an_order_is_cancelled_all_the_same(
    ask: Asker, running: RunningSandbox, sap: SapCaller, kind: str
) -> None:
    made = await ordered(ask, running, f"DX-{kind}")
    trouble(running, kind, "PATCH */A_SalesOrderItem*")
    gone = await ask.change(erp.cancel_order, made, key=f"DX-{kind}")
    await asyncio.sleep(0.3 if kind == "late" else 0)
    assert gone.status == "cancelled"
    assert living(sap, f"DX-{kind}")[0]["OverallSDDocumentRejectionSts"] == "C"


async def test_a_lost_token_is_no_trouble(ask: Asker, running: RunningSandbox, sap: SapCaller) -> None:
    await known(ask, running.company.accounts[GERMAN], "T-1")
    trouble(running, "expired", "POST */A_SalesOrder")
    made = await ordered(ask, running, "T-1")
    assert [one["SalesOrder"] for one in living(sap, "T-1")] == [made.number]
