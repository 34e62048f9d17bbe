"""Whose invoice is the legal one: the ledger's, billing's, or the ledger's alone. Never two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.polling import poll_now
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import ORDERS, SapCaller
from tests.support.whole import Whole


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with RunningSandbox() as sandbox:
        yield lambda owner: Whole(sandbox, tmp_path, monkeypatch, change=owned_by(owner))


def owned_by(owner: str) -> Any:
    """A change of the sample landscape: the European unit says who owns the invoice."""

    def change(text: str) -> str:
        assert "    invoice_owner: erp     " in text
        return text.replace("    invoice_owner: erp     ", f"    invoice_owner: {owner} ", 1)

    return change


async def _shipped(w: Whole) -> str:
    """OPP-1001 ordered and its goods sent; the order's number in SAP."""
    await w.win("OPP-1001")
    await w.until("OPP-1001", "done")
    (order,) = await w.books("sap_s4hana", "order", "OPP-1001")
    for verb in ("deliver", "goods_issue"):
        await w.desk(f"sap_s4hana/play/{verb}", {"order": order["id"]})
    return str(order["id"])


async def test_billings_number_is_the_legal_one_and_the_ledger_makes_none(whole: Any) -> None:
    async with whole("billing") as w:
        order = await _shipped(w)
        (asked,) = await w.books("stripe", "invoice", "OPP-1001")
        (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
        assert won["legal_invoice_number"] == asked["number"], "the CRM knows it at once"
        assert won["integration_status"] == "invoiced"
        (shown,) = await w.desk(f"sap_s4hana/show/order/{order}")
        assert shown["billing_block"] == "01"
        made = await w.desk("sap_s4hana/play/billing_run", {})
        assert made["billing_documents"] == []
        assert not await w.books("sap_s4hana", "invoice")


async def test_a_second_legal_invoice_parks_until_it_is_cancelled(whole: Any) -> None:
    async with whole("billing") as w:
        order = await _shipped(w)
        sap = SapCaller(w.sandbox)
        sap.call(
            "PATCH", f"{ORDERS}/A_SalesOrder('{order}')", {"HeaderBillingBlockReason": ""}, headers={"If-Match": "*"}
        )
        (second,) = (await w.desk("sap_s4hana/play/billing_run", {}))["billing_documents"]
        await poll_now(w, "sap", "billing_documents")
        run = await w.until(second, "parked", process="invoice-numbering", timeout_s=40)
        parked = await w.exception_of(run["business_key"])
        (asked,) = await w.books("stripe", "invoice", "OPP-1001")
        assert parked["title"] == (
            f"Order OPP-1001 would have two legal invoices: {asked['number']} of billing, and {second} of the ledger"
        )
        assert parked["mend"].startswith(f"cancel invoice {second} in the ERP and block the order for billing again")
        await w.desk("sap_s4hana/play/cancel_invoice", {"invoice": second})
        await w.call("POST", f"/api/exceptions/EX-{parked['number']}/retry")
        await w.until(second, "done", process="invoice-numbering")
        effects = [row["operation"] for row in await w.effects(run["id"])]
        assert "number_invoice" not in effects
        (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
        assert won["legal_invoice_number"] == asked["number"], "the ledger's number never reaches the CRM"
        assert not (await w.books("stripe", "invoice", "OPP-1001"))[0]["legal_number"]


async def test_the_ledger_alone_asks_for_the_money(whole: Any) -> None:
    async with whole("erp_only") as w:
        order = await _shipped(w)
        assert not await w.books("stripe", "invoice", "OPP-1001")
        (legal,) = (await w.desk("sap_s4hana/play/billing_run", {"order": order}))["billing_documents"]
        await poll_now(w, "sap", "billing_documents")
        await w.until(legal, "done", process="invoice-numbering", timeout_s=40)
        (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
        assert won["legal_invoice_number"] == legal
        assert won["integration_status"] == "invoiced"
