"""Credits through the runtime against the stand-ins: asked for, released, given back, taken back; each once, in doubt too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import customer_of, id_of, invoice_of
from tests.support.salesforce_caller import Caller as Crm
from tests.support.sap_caller import SapCaller
from tests.support.stripe_caller import Caller as Till
from tests.support.zendesk_desk import Desk

from isthmus.blueprints.case_to_credit.documents import credit_for, for_billing
from isthmus.blueprints.case_to_credit.evidence import Evidence
from isthmus.blueprints.case_to_credit.judging import Judged
from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api import billing, crm, erp, support
from isthmus.connectivity.system_api.operation import Search
from isthmus.model import Case, CreditNote, Invoice, Link, Money, Reference

ROLES = {"crm": "salesforce", "erp": "sap_s4hana", "billing": "stripe", "support": "zendesk"}
CARD, TRANSFER = 0, 3
IN_DOUBT = ("cut_before", "cut_after", "broken", "late", "down")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox() as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    running.desk("faults", {"rules": []})
    async with asking(tmp_path, running, ROLES) as asker:
        yield asker
    running.desk("faults", {"rules": []})


@pytest.fixture(scope="module")
def sap(running: RunningSandbox) -> SapCaller:
    return SapCaller(running)


def trouble(running: RunningSandbox, vendor: str, kind: str, operation: str) -> None:
    rule = {"kind": kind, "vendor": vendor, "operation": operation, "times": 1, "delay_s": 0.2}
    running.desk("faults", {"rules": [rule]})


async def surely(ask: Asker, operation: Any, argument: Any, key: str) -> Any:
    """What a write answers, however often it has to be asked again."""
    for _ in range(20):
        try:
            return await ask.change(operation, argument, key=key)
        except Later as later:
            wait = later.at - ask.clock()
            if wait.total_seconds() > 0:
                await ask.store.sleep(min(wait.total_seconds(), 3))
    raise AssertionError(f"{operation} does not come to an end")


async def billed(ask: Asker, sap: SapCaller, key: str) -> Invoice:
    """An invoice of the ledger."""
    order = sap.order(key, ("X-100", "4"), ("X-101", "1"))["SalesOrder"]
    sap.play("deliver", order=order)
    sap.play("goods_issue", order=order)
    number = sap.play("billing_run", order=order)["billing_documents"][0]
    (found,) = await ask.read(erp.search_invoices, Search(number=number))
    return found  # type: ignore[no-any-return]


def asked_credit(invoice: Invoice, amount: str, key: str) -> CreditNote:
    """A credit over an amount with tax, as the blueprint asks for it."""
    case = Case.model_validate(
        {"id": id_of("case", key), "business_unit": "emea", "number": key, "subject": "Wrong", "priority": "normal",
         "status": "open", "kind": "dispute", "dispute": {"kind": "billing", "reason": "price"}}
    )  # fmt: skip
    money = Money.of(amount, invoice.currency)
    judged = Judged(finding="none", reason="price", unit="emea", amount=money, left=money, part="amount")
    return credit_for(case, Evidence(references=(), invoices=(invoice,)), judged, money, date(2026, 11, 24))


def requests(running: RunningSandbox, key: str) -> list[dict[str, Any]]:
    rows = [r for r in running.desk("sap_s4hana/books") if r["kind"] == "credit_request" and r["living"]]
    return [row for row in rows if row["key"] == f"ISTHMUS-{key}"]


@pytest.mark.parametrize("kind", IN_DOUBT)
async def test_in_doubt_one_credit_is_asked_for_and_released(
    ask: Asker, running: RunningSandbox, sap: SapCaller, kind: str
) -> None:
    key = f"REQ-{kind}"
    asked = asked_credit(await billed(ask, sap, key), "59.50", key)
    trouble(running, "sap_s4hana", kind, "POST *A_CreditMemoRequest")
    held = await surely(ask, erp.request_credit, asked, key)
    (request,) = requests(running, key)
    assert (request["blocked"], Decimal(request["net_amount"])) == (True, 50)
    assert held.totals.payable_amount == Money.of("59.50", "EUR")
    assert (held.status, held.request.status) == ("requested", "requested")
    trouble(running, "sap_s4hana", kind, "PATCH *A_CreditMemoRequest*")
    released = await surely(ask, erp.release_credit, held, key)
    assert (released.status, requests(running, key)[0]["blocked"]) == ("draft", False)
    invoice = Reference(connection="sap", type="invoice", id=asked.corrects[0].invoice.number or "")
    (found,) = await ask.read(erp.search_credit_notes, invoice)
    assert (found.totals, found.extensions["request_number"]) == (released.totals, key)


@pytest.mark.parametrize("kind", IN_DOUBT)
async def test_a_draft_is_deleted_and_what_is_posted_is_reversed(
    ask: Asker, running: RunningSandbox, sap: SapCaller, kind: str
) -> None:
    invoice = await billed(ask, sap, f"UNDO-{kind}")
    held = [
        await ask.change(erp.request_credit, asked_credit(invoice, "11.90", f"U{n}-{kind}"), key=f"U{n}-{kind}")
        for n in (1, 2)
    ]
    await ask.change(erp.release_credit, held[1], key=f"U2-{kind}")
    memo = sap.play("billing_run", request=held[1].source.id)["billing_documents"][0]
    posted = await ask.read(erp.read_credit_note, Reference(connection="sap", type="A_BillingDocument", id=memo))
    assert (posted.status, posted.totals.payable_amount) == ("issued", Money.of("11.90", "EUR"))
    assert (posted.extensions["request_number"], posted.corrects[0].invoice.number) == (f"U2-{kind}", invoice.number)
    for note, operation in ((held[0], "DELETE *"), (held[1], "POST *Cancel*")):
        trouble(running, "sap_s4hana", kind, operation)
        taken = await surely(ask, erp.cancel_credit_request, note, f"{note.source.id}-{kind}")
        assert taken.status == "rejected"
    assert sap.call("GET", f"API_CREDIT_MEMO_REQUEST_SRV/A_CreditMemoRequest('{held[0].source.id}')").status_code == 404
    again = await ask.read(erp.read_credit_note, Reference(connection="sap", type="A_BillingDocument", id=memo))
    assert again.status == "void"
    reference = Reference(connection="sap", type="invoice", id=invoice.number or "")
    assert await ask.read(erp.search_credit_notes, reference) == ()
    await ask.change(erp.cancel_credit_request, held[0], key=f"again-{kind}")


async def test_more_than_was_billed_is_refused_in_words(ask: Asker, sap: SapCaller) -> None:
    invoice = await billed(ask, sap, "MORE")
    whole = str(invoice.totals.payable_amount.amount)
    await ask.change(erp.request_credit, asked_credit(invoice, whole, "M1"), key="M1")
    with pytest.raises(Park) as parked:
        await ask.change(erp.request_credit, asked_credit(invoice, "11.90", "M2"), key="M2")
    assert parked.value.work.code == "V1/429"


async def owed(ask: Asker, running: RunningSandbox, key: str, customer: int) -> tuple[Invoice, CreditNote]:
    """Billing's invoice, and a credit of its first line."""
    account = running.company.accounts[customer]
    await ask.change(billing.ensure_customer, customer_of(account), key=key, unit=account.unit)
    asked = invoice_of(running.company, account, key)
    made = await ask.change(billing.create_invoice, asked, key=key, unit=account.unit)
    first = asked.model_copy(update={"lines": asked.lines})
    note = asked_credit(first, "119.00" if first.currency == "EUR" else "11.90", key)
    return made, for_billing(note, made)


@pytest.mark.parametrize("kind", IN_DOUBT)
async def test_in_doubt_one_credit_note_is_made_with_its_refund(ask: Asker, running: RunningSandbox, kind: str) -> None:
    key = f"CN-{kind}"
    made, asked = await owed(ask, running, key, CARD)
    assert made.status == "paid"
    trouble(running, "stripe", kind, "POST */credit_notes")
    given = await surely(ask, billing.create_credit_note, asked, key)
    assert given.totals.payable_amount == asked.totals.payable_amount == Money.of("119.00", "EUR")
    assert given.totals.tax_amount == Money.of("19.00", "EUR")
    assert [(use.kind, use.amount) for use in given.use] == [("refund", Money.of("119.00", "EUR"))]
    notes = Till(running).get("/credit_notes", {"invoice": made.source.id})["data"]  # type: ignore[union-attr]
    assert [note["metadata"]["request_number"] for note in notes] == [key]
    (found,) = await ask.read(billing.search_credit_notes, made.source)
    assert (found.totals.payable_amount, found.extensions["request_number"]) == (given.totals.payable_amount, key)
    with pytest.raises(Park):  # the money has gone back: nobody can void that
        await ask.change(billing.void_credit_note, given, key=f"{key}-void")
    numbering = billing.CreditNumbering(credit_note=given.source, request_number=key, legal_number="90000077")
    await ask.change(billing.number_credit_note, numbering, key=key)
    assert Till(running).get(f"/credit_notes/{given.source.id}")["metadata"]["legal_invoice_number"] == "90000077"


async def test_a_chargeback_is_seen(ask: Asker, running: RunningSandbox) -> None:
    made, _ = await owed(ask, running, "CB-1", CARD)
    assert await ask.read(billing.search_disputes, made.source) == ()
    running.desk("stripe/play/dispute_charge", {"invoice": "CB-1", "reason": "product_not_received"})
    (found,) = await ask.read(billing.search_disputes, made.source)
    assert (found.decision, found.reason, found.amount) == ("open", "not_delivered", made.totals.payable_amount)


@pytest.mark.parametrize("kind", IN_DOUBT)
async def test_in_doubt_a_word_is_said_once_in_a_ticket(ask: Asker, running: RunningSandbox, kind: str) -> None:
    desk = Desk(running)
    ticket = desk.post(
        "/tickets",
        "ticket",
        subject="About a credit",
        comment={"body": "Hello"},
        requester={"name": "Eva", "email": "eva@new.example"},
    )
    case = Reference(connection="zendesk", type="Ticket", id=str(ticket["id"]))
    for operation, public, status in ((support.add_note, False, None), (support.reply, True, "solved")):
        trouble(running, "zendesk", kind, "PUT */tickets/*")
        note = support.CaseNote(case=case, text=f"public {public}", public=public, status=status)
        await surely(ask, operation, note, f"T{ticket['id']}-{public}")
    said = desk.get(f"/tickets/{ticket['id']}/comments")["comments"]
    assert [(each["body"], each["public"]) for each in said] == [
        ("Hello", True),
        ("public False", False),
        ("public True", True),
    ]
    assert desk.get(f"/tickets/{ticket['id']}")["ticket"]["status"] == "solved"


@pytest.mark.parametrize("kind", IN_DOUBT)
async def test_in_doubt_one_activity_is_logged(ask: Asker, running: RunningSandbox, kind: str) -> None:
    (account,) = await ask.read(crm.search_customers, Search(customer_number="17100001"))
    activity = crm.CustomerActivity(
        customer=Link(kind="customer", id=account.id), subject="Credit", text="Reason: price", day=date(2026, 11, 24)
    )
    trouble(running, "salesforce", kind, "POST */sobjects/Task")
    await surely(ask, crm.log_activity, activity, f"ACT-{kind}")
    query = f"/services/data/v62.0/query?q=SELECT+Id,WhatId+FROM+Task+WHERE+Subject='Credit+[ACT-{kind}]'"
    (task,) = Crm(running).ask("GET", query).body["records"]
    assert task["WhatId"] == account.source.id
