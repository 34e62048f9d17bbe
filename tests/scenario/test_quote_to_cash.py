"""Quote to cash through the front door: four systems, one order, one invoice, one entitlement, and every way it can go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole, setting


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def whole(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(**options: Any) -> Whole:
        return Whole(sandbox, tmp_path, monkeypatch, **options)

    return make


async def _one_order(w: Whole, key: str) -> dict[str, Any]:
    orders = [o for o in await w.books("sap_s4hana", "order", key) if o["living"]]
    assert len(orders) == 1, f"{key} has {len(orders)} living orders"
    return orders[0]


async def _one_invoice(w: Whole, key: str) -> dict[str, Any]:
    invoices = [i for i in await w.books("stripe", "invoice", key) if i["living"]]
    assert len(invoices) == 1, f"{key} has {len(invoices)} living invoices"
    return invoices[0]


async def test_a_won_opportunity_becomes_order_invoice_and_entitlement(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1001")
        run = await w.until("OPP-1001", "done")
        order, invoice = await _one_order(w, "OPP-1001"), await _one_invoice(w, "OPP-1001")
        gross = Decimal(order["net_amount"]) + Decimal(order["tax_amount"])
        assert Decimal(invoice["total"]) == gross
        assert Decimal(order["tax_amount"]) == (Decimal(order["net_amount"]) * 19 / 100).quantize(Decimal("0.01"))
        assert invoice["order"] == order["id"]
        (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
        assert won["order_number"] == order["id"]
        assert Decimal(won["amount"]) == Decimal(order["net_amount"])
        assert order["purchase_order"] == won["purchase_order"], "the customer's own number stays the customer's"
        (entitlement,) = await w.books("zendesk", "entitlement", won["customer"])
        assert entitlement["plan"] in ("bronze", "silver", "gold")
        assert entitlement["until"] == won["entitlement_until"] == "2027-11-29"
        emails = {user["email"] for user in await w.books("zendesk", "user")}
        assert {person.email for person in w.sandbox.company.account(won["customer"]).people} <= emails
        events = await w.events(run["id"])
        assert {"isthmus.quote.accepted.v1", "isthmus.order.created.v1", "isthmus.invoice.created.v1"} <= set(events)


async def test_the_second_unit_sells_elsewhere_by_configuration_alone(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1001", "OPP-1002")
        await w.until("OPP-1001", "done")
        await w.until("OPP-1002", "done")
        europe, asia = await _one_order(w, "OPP-1001"), await _one_order(w, "OPP-1002")
        assert (europe["unit"], asia["unit"]) == ("1710", "3010")
        assert (europe["currency"], asia["currency"]) == ("EUR", "JPY")
        first, second = await _one_invoice(w, "OPP-1001"), await _one_invoice(w, "OPP-1002")
        assert first["account"] != second["account"]
        assert Decimal(second["total"]) == Decimal(asia["net_amount"]) + Decimal(asia["tax_amount"])
        assert Decimal(asia["tax_amount"]) == round(Decimal(asia["net_amount"]) / 10), "Japan taxes 10 %"


async def test_a_blocked_customer_parks_until_released(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1017")
        await w.until("OPP-1017", "parked")
        parked = await w.exception_of("OPP-1017")
        assert parked["title"] == "The ERP has blocked this customer for new orders (credit)"
        assert parked["customer"] == "Blocked AG"
        assert not await w.books("sap_s4hana", "order", "OPP-1017")
        await w.call("POST", f"/api/exceptions/EX-{parked['number']}/retry")
        await asyncio.sleep(0.3)
        await w.until("OPP-1017", "parked")
        again = await w.exception_of("OPP-1017")
        assert again["number"] != parked["number"], "without the mend it parks again"
        await w.desk("sap_s4hana/set/customer/17100010", {"order_block": "none"})
        await w.call("POST", f"/api/exceptions/EX-{again['number']}/retry")
        await w.until("OPP-1017", "done")
        await _one_order(w, "OPP-1017")


async def test_a_price_beyond_the_tolerance_parks_and_an_agreed_one_passes(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1004")
        await w.until("OPP-1004", "parked")
        parked = await w.exception_of("OPP-1004")
        assert "X-105 was quoted at 195.34 CHF, the ERP's price is 205.11" in parked["title"]
        await w.desk(
            "sap_s4hana/play/change_price",
            {"material": "X-105", "currency": "CHF", "price": "195.34", "organization": "1710"},
        )
        await w.call("POST", f"/api/exceptions/EX-{parked['number']}/retry")
        await w.until("OPP-1004", "done")
        (won,) = await w.books("salesforce", "opportunity", "OPP-1004")
        assert Decimal((await _one_order(w, "OPP-1004"))["net_amount"]) == Decimal(won["amount"])


async def test_a_price_beyond_the_tolerance_can_be_approved(whole: Any) -> None:
    async with whole(change=setting("price_above_tolerance", "approval")) as w:
        await w.win("OPP-1004")
        await w.until("OPP-1004", "waiting")
        _, found = await w.call("GET", "/api/approvals")
        (asked,) = found["approvals"]
        assert asked["policy"] == "deal-desk"
        assert "X-105" in asked["about"]
        status, decided = await w.call(
            "POST", f"/api/approvals/{asked['id']}/approve", {"comment": "agreed on the phone"}
        )
        assert (status, decided["decided_by"]) == (200, "visitor")
        run = await w.until("OPP-1004", "done")
        (won,) = await w.books("salesforce", "opportunity", "OPP-1004")
        assert Decimal((await _one_order(w, "OPP-1004"))["net_amount"]) == Decimal(won["amount"]), (
            "the agreed price stands"
        )
        status, again = await w.call("POST", f"/api/approvals/{asked['id']}/reject", {})
        assert status == 409, again
        assert run["round"] == 1


async def test_a_rejected_order_is_undone_and_the_salesperson_told(whole: Any) -> None:
    async with whole(change=setting("approval", "{above: 100 EUR, by: deal-desk, within: 2 days}")) as w:
        await w.win("OPP-1001")
        await w.until("OPP-1001", "waiting")
        _, found = await w.call("GET", "/api/approvals")
        await w.call("POST", f"/api/approvals/{found['approvals'][0]['id']}/reject", {"comment": "too risky"})
        await w.until("OPP-1001", "undone")
        assert not await w.books("sap_s4hana", "order", "OPP-1001")
        (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
        assert won["integration_status"] == "cancelled"


async def test_shortage_parks_by_default(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1013")
        await w.until("OPP-1013", "parked")
        parked = await w.exception_of("OPP-1013")
        assert parked["title"].startswith("Not everything can be delivered: 0 of 11 X-113")
        await w.desk("sap_s4hana/play/receive_stock", {"material": "X-113", "plant": "1710", "quantity": "500"})
        await w.call("POST", f"/api/exceptions/EX-{parked['number']}/retry")
        await w.until("OPP-1013", "done")
        await _one_order(w, "OPP-1013")


async def test_shortage_waits_and_is_asked_again(whole: Any) -> None:
    def change(text: str) -> str:
        return setting("shortage", "wait")(text).replace(
            "      shortage: wait", "      shortage_ask_every: 1s\n      shortage: wait"
        )

    async with whole(change=change) as w:
        await w.win("OPP-1013")
        run = await w.until("OPP-1013", "waiting")
        assert run["due_at"] is not None, "a wait is a row and holds nothing"
        await w.desk("sap_s4hana/play/receive_stock", {"material": "X-113", "plant": "1710", "quantity": "500"})
        await w.until("OPP-1013", "done")
        order = await _one_order(w, "OPP-1013")
        assert all(Decimal(line["confirmed"]) > 0 for line in order["lines"])


async def test_shortage_splits_into_deliveries_of_one_order(whole: Any) -> None:
    async with whole(change=setting("shortage", "split")) as w:
        await w.desk("sap_s4hana/play/receive_stock", {"material": "X-113", "plant": "1710", "quantity": "4"})
        await w.win("OPP-1013")
        await w.until("OPP-1013", "done")
        order = await _one_order(w, "OPP-1013")
        short = next(line for line in order["lines"] if line["product"] == "X-113")
        assert (Decimal(short["quantity"]), Decimal(short["confirmed"])) == (11, 4)


async def test_an_unknown_product_is_told_with_its_remedy(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1008")
        await w.until("OPP-1008", "parked")
        parked = await w.exception_of("OPP-1008")
        assert "X-122" in parked["title"]
        assert parked["code"] == "V1/302"
        await w.desk("sap_s4hana/play/extend_material", {"material": "X-122"})
        await w.call("POST", f"/api/exceptions/EX-{parked['number']}/retry")
        await w.until("OPP-1008", "done")


async def test_an_exempt_customer_pays_no_tax(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1020")
        await w.until("OPP-1020", "done")
        order = await _one_order(w, "OPP-1020")
        assert Decimal(order["tax_amount"]) == 0
        assert Decimal((await _one_invoice(w, "OPP-1020"))["total"]) == Decimal(order["net_amount"])


async def test_cancelled_and_won_again_is_the_next_generation(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1001")
        run = await w.until("OPP-1001", "done")
        status, _ = await w.call("POST", f"/api/runs/{run['id']}/cancel", {"why": "the customer changed his mind"})
        assert status == 202
        await w.until("OPP-1001", "undone")
        assert [o["living"] for o in await w.books("sap_s4hana", "order", "OPP-1001")] == [False]
        assert not [i for i in await w.books("stripe", "invoice", "OPP-1001") if i["living"] and i["status"] != "paid"]
        await w.desk("salesforce/play/reopen", {"opportunity": "OPP-1001"})
        await w.win("OPP-1001")
        again = await w.until("OPP-1001", "done", generation=2)
        assert again["id"].endswith("~2")
        await _one_order(w, "OPP-1001~2")
        await _one_invoice(w, "OPP-1001~2")


async def test_a_customer_whom_only_the_crm_knows_is_created_once(whole: Any) -> None:
    async with whole() as w:
        fresh = next(a for a in w.sandbox.company.accounts if not a.in_erp)
        deals = [o.number for o in w.sandbox.company.opportunities if o.account == fresh.key]
        made = [
            await w.desk(
                "salesforce/play/create_opportunity", {"account": fresh.key, "product": "X-101", "quantity": str(n)}
            )
            for n in range(1, 9)
        ]
        numbers = [*deals, *(m.get("number") or m["opportunity"] for m in made)]
        await w.win(*numbers)
        for number in numbers:
            await w.until(number, "done", "parked", timeout_s=40)
        names = [c for c in await w.books("sap_s4hana", "customer") if c["name"] == fresh.name]
        assert len(names) == 1, names
        assert len([c for c in await w.books("stripe", "customer") if c["name"] == fresh.name]) == 1


async def test_the_legal_invoice_meets_the_one_that_asks_for_the_money(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1001")
        await w.until("OPP-1001", "done")
        order = await _one_order(w, "OPP-1001")
        for verb in ("deliver", "goods_issue"):
            await w.desk(f"sap_s4hana/play/{verb}", {"order": order["id"]})
        await w.desk("sap_s4hana/play/billing_run", {})
        (legal,) = await w.books("sap_s4hana", "invoice")
        await w.until(legal["id"], "done", process="invoice-numbering", timeout_s=40)
        (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
        assert won["legal_invoice_number"] == legal["id"]
        invoice = await _one_invoice(w, "OPP-1001")
        assert invoice["legal_number"] == legal["id"]
        assert Decimal(invoice["total"]) == Decimal(legal["gross_amount"])


async def test_five_deliveries_of_one_event_make_one_order(whole: Any) -> None:
    async with whole() as w:
        address = f"http://127.0.0.1:{w.port}/webhooks/salesforce/sf-path-secret-1f3a"
        values = {
            "url": address,
            "object": "Opportunity",
            "fields": "Id,Opportunity_Number__c,SystemModstamp",
            "when": "IsWon = true",
            "every": "true",
        }
        await w.desk("salesforce/set/outbound_message/isthmus", values)
        await w.win("OPP-1003")
        await w.until("OPP-1003", "done")
        for n in range(4):
            await w.desk("salesforce/play/edit", {"object": "Opportunity", "key": "OPP-1003", "NextStep": f"call {n}"})
        await asyncio.sleep(1.5)
        await _one_order(w, "OPP-1003")
        await _one_invoice(w, "OPP-1003")
        seen = await w.store.read(
            lambda tx: tx.value("SELECT count(*) AS n FROM message WHERE state IN ('seen', 'joined')")
        )
        assert seen >= 1
