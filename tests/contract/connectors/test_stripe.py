"""The Stripe connector through the runtime, against its stand-in over HTTP."""

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
from tests.support.sales import customer_of, id_of, invoice_of
from tests.support.stripe_caller import Caller, Hook

from isthmus.catalogue.connector import Inbound
from isthmus.connectivity.inbound.split import Splitter
from isthmus.connectivity.inbound.verify import NotBelieved, verify
from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api import billing
from isthmus.connectivity.system_api.operation import Search
from isthmus.model import Invoice, Payment, Reference

CARD, TRANSFER, DECLINED, UNKNOWN = 0, 3, 14, 6


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["stripe"]) as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    running.desk("faults", {"rules": []})
    async with asking(tmp_path, running, {"billing": "stripe"}) as asker:
        yield asker
    running.desk("faults", {"rules": []})


@pytest.fixture
def stripe(running: RunningSandbox) -> Caller:
    return Caller(running)


def trouble(running: RunningSandbox, kind: str, operation: str, **more: Any) -> None:
    rule = {"kind": kind, "vendor": "stripe", "operation": operation, "times": 1, "delay_s": 0.2, **more}
    running.desk("faults", {"rules": [rule]})


async def billed(ask: Asker, key: str, customer: int = TRANSFER, **more: Any) -> Invoice:
    """An invoice for an account of the company, asked for as the blueprint does."""
    company = more.pop("company")
    account = company.accounts[customer]
    await ask.change(billing.ensure_customer, customer_of(account), key=key, unit=account.unit)
    asked = invoice_of(company, account, key, **more)
    made: Invoice = await ask.change(billing.create_invoice, asked, key=key, unit=account.unit)
    assert made.totals.payable_amount == asked.totals.payable_amount, "equal to the cent"
    return made


def living(stripe: Caller, key: str) -> list[dict[str, Any]]:
    """Stripe's invoices under our key that are not void."""
    found = stripe.get("/invoices/search", {"query": f"metadata['request_number']:'{key}'", "limit": 100})["data"]
    return [one for one in found if one["status"] != "void"]


# Customers ----------------------------------------------------------------------------------------------------


async def test_a_customer_is_found_by_the_account_key_or_made_once(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    known = await ask.change(billing.ensure_customer, customer_of(running.company.accounts[CARD]), key="C-1")
    assert stripe.get(f"/customers/{known.id}")["metadata"]["account_key"] == "C-1001"
    account = running.company.accounts[UNKNOWN]
    made = await ask.change(billing.ensure_customer, customer_of(account), key="C-2")
    again = await ask.change(billing.ensure_customer, customer_of(account), key="C-3")
    assert made == again
    customer = stripe.get(f"/customers/{made.id}")
    assert customer["name"] == account.name
    assert customer["address"]["country"] == account.country
    assert customer["metadata"] == {"customer": id_of("customer", account.key), "account_key": account.key}
    tax_ids = stripe.get(f"/customers/{made.id}/tax_ids")["data"]
    assert [(one["type"], one["value"]) for one in tax_ids] == [("no_vat", account.vat_number)]


async def test_a_wrong_tax_number_is_refused_in_words(ask: Asker, running: RunningSandbox) -> None:
    registration = {"scheme": "VAT", "number": "DE1", "country": "DE"}
    wrong = customer_of(
        running.company.accounts[UNKNOWN], id=id_of("customer", "wrong"), extensions={"account_key": "W"}
    )
    wrong = wrong.model_validate({**wrong.model_dump(mode="json"), "tax_registrations": [registration]})
    with pytest.raises(Park) as parked:
        await ask.change(billing.ensure_customer, wrong, key="C-4")
    work = parked.value.work
    assert (work.error_class, work.code) == ("business", "tax_id_invalid")
    assert work.title.startswith("Stripe does not take the customer's tax number")
    assert "in the CRM" in work.mend


# Invoices -----------------------------------------------------------------------------------------------------


async def test_an_invoice_equals_the_order_to_the_cent_and_is_charged_where_there_is_a_card(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    made = await billed(ask, "I-1", CARD, company=running.company)
    theirs = stripe.get(f"/invoices/{made.source.id}")  # type: ignore[union-attr]
    assert theirs["amount_due"] == theirs["amount_paid"] == int(made.totals.payable_amount.amount * 100)
    assert theirs["collection_method"] == "charge_automatically"
    assert theirs["metadata"]["request_number"] == "I-1"
    assert theirs["metadata"]["order_number"] == "4711"
    assert theirs["metadata"]["business_unit"] == "emea"
    assert sum(tax["amount"] for tax in theirs["total_taxes"]) == int(made.totals.tax_amount.amount * 100)
    assert (made.status, made.number) == ("paid", theirs["number"])


async def test_without_a_card_the_invoice_is_sent_and_due_by_the_terms(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    made = await billed(ask, "I-2", TRANSFER, company=running.company, payment_terms={"net_days": 14})
    theirs = stripe.get(f"/invoices/{made.source.id}")  # type: ignore[union-attr]
    assert theirs["collection_method"] == "send_invoice"
    assert theirs["due_date"] - theirs["created"] == 14 * 86400
    assert made.status == "issued"
    assert made.due_date is not None and made.due_date > date(2026, 1, 1)


async def test_yen_have_no_decimals(ask: Asker, running: RunningSandbox) -> None:
    japanese = next(at for at, one in enumerate(running.company.accounts) if one.currency == "JPY")
    yen = await billed(ask, "I-4", japanese, company=running.company, percent="10")
    apac = Caller(running, "api_key_apac")
    assert apac.get(f"/invoices/{yen.source.id}")["total"] == int(yen.totals.payable_amount.amount)  # type: ignore[union-attr]


async def test_tax_that_is_said_only_for_the_whole_document_stands_in_a_line_of_its_own(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    account = running.company.accounts[TRANSFER]
    await ask.change(billing.ensure_customer, customer_of(account), key="I-5")
    whole = invoice_of(running.company, account, "I-5").model_dump(mode="json", exclude_none=True)
    for line in whole["lines"]:
        del line["tax_amount"]
    asked = Invoice.model_validate(whole)
    made = await ask.change(billing.create_invoice, asked, key="I-5")
    assert made.totals == asked.totals
    lines = stripe.get(f"/invoices/{made.source.id}")["lines"]["data"]
    assert [line["amount"] for line in lines if line["taxes"]] == [0]
    read: Invoice = await ask.read(billing.read_invoice, made.source)
    assert read.totals == asked.totals
    assert [sub.tax.percent for sub in read.tax_subtotals] == [Decimal(19)]


async def test_an_invoice_of_many_lines_is_read_with_all_of_them(ask: Asker, running: RunningSandbox) -> None:
    lines = [(f"X-{number}", "2") for number in range(100, 130) if number % 10 < 8]
    made = await billed(ask, "I-6", company=running.company, lines=lines)
    read: Invoice = await ask.read(billing.read_invoice, made.source)
    assert [line.id for line in read.lines] == [str(at * 10) for at in range(1, len(lines) + 1)]
    assert [line.quantity for line in read.lines] == [line.quantity for line in made.lines]
    assert [line.line_extension_amount for line in read.lines] == [line.line_extension_amount for line in made.lines]
    assert read.totals == made.totals
    (found,) = await ask.read(billing.search_invoices, Search(request_number="I-6"))
    assert found.lines[-1].name == "Further lines"
    assert found.totals == made.totals


async def test_invoices_are_found_by_what_is_asked(ask: Asker, running: RunningSandbox) -> None:
    made = await billed(ask, "I-7", company=running.company)
    account = running.company.accounts[TRANSFER]
    for search in (
        Search(request_number="I-7"),
        Search(number=made.number),
        Search(request_number="I-7", customer_number=account.number, name=account.name[:5].lower()),
    ):
        assert [one.source for one in await ask.read(billing.search_invoices, search)] == [made.source]
    assert await ask.read(billing.search_invoices, Search(request_number="I-7", name="Nobody")) == ()
    assert await ask.read(billing.search_invoices, Search(request_number="it's \\ nobody's")) == ()


async def test_the_legal_number_is_noted(ask: Asker, running: RunningSandbox) -> None:
    made = await billed(ask, "I-8", CARD, company=running.company)
    numbering = billing.InvoiceNumbering(invoice=made.source, request_number="I-8", legal_number="90000012")
    reference = await ask.change(billing.number_invoice, numbering, key="I-8")
    assert reference == made.source
    assert (await ask.read(billing.read_invoice, made.source)).extensions["legal_invoice_number"] == "90000012"


async def test_an_own_field_goes_along_in_the_metadata(running: RunningSandbox, stripe: Caller, tmp_path: Path) -> None:
    fields = {"invoice.extensions.promo_code": {"stripe": "Invoice.metadata.promo_code"}}
    account = running.company.accounts[TRANSFER]
    asked = invoice_of(running.company, account, "CF-1")
    asked = asked.model_copy(update={"extensions": {"promo_code": "SUN26"}})
    async with asking(tmp_path, running, {"billing": "stripe"}, fields=fields) as ask:
        await ask.change(billing.ensure_customer, customer_of(account), key="CF-1")
        made = await ask.change(billing.create_invoice, asked, key="CF-1")
        assert stripe.get(f"/invoices/{made.source.id}")["metadata"]["promo_code"] == "SUN26"
        assert (await ask.read(billing.read_invoice, made.source)).extensions["promo_code"] == "SUN26"


# Undoing ------------------------------------------------------------------------------------------------------


async def test_an_open_invoice_is_voided(ask: Asker, running: RunningSandbox, stripe: Caller) -> None:
    made = await billed(ask, "V-1", TRANSFER, company=running.company)
    undone = await ask.change(billing.void_invoice, made, key="V-1")
    assert undone.status == "void"
    assert stripe.get(f"/invoices/{made.source.id}")["status"] == "void"  # type: ignore[union-attr]


async def test_a_paid_invoice_is_credited_with_its_tax_and_the_money_goes_back(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    made = await billed(ask, "V-2", CARD, company=running.company)
    assert made.source is not None
    undone = await ask.change(billing.void_invoice, made, key="V-2")
    assert undone.status == "void"
    (note,) = stripe.get("/credit_notes", {"invoice": made.source.id})["data"]
    assert note["total"] == int(made.totals.payable_amount.amount * 100)
    assert sum(tax["amount"] for tax in note["total_taxes"]) == int(made.totals.tax_amount.amount * 100)
    assert [refund["amount_refunded"] for refund in note["refunds"]] == [note["total"]]
    payment: Payment = await ask.read(billing.read_payment, made.source)
    assert payment.status == "refunded"


async def test_a_draft_is_deleted_and_one_that_is_gone_is_no_trouble(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    made = await billed(ask, "V-3", company=running.company)
    draft = stripe.post("/invoices", customer=stripe.get(f"/invoices/{made.source.id}")["customer"])  # type: ignore[union-attr]
    source = Reference(connection="stripe-emea", type="Invoice", id=draft["id"])
    for key in ("V-3 draft", "V-3 gone"):
        asked = made.model_copy(update={"source": source, "id": id_of("invoice", key)})
        undone = await ask.change(billing.void_invoice, asked, key=key)
        assert undone.status == "void"
    assert stripe.ask("GET", f"/invoices/{draft['id']}").status == 404


# Payments -----------------------------------------------------------------------------------------------------


async def test_what_became_of_the_money(ask: Asker, running: RunningSandbox, stripe: Caller) -> None:
    paid = await billed(ask, "P-1", CARD, company=running.company)
    declined = await billed(ask, "P-2", DECLINED, company=running.company)
    waiting = await billed(ask, "P-3", TRANSFER, company=running.company)
    found = [await ask.read(billing.read_payment, one.source) for one in (paid, declined, waiting)]
    assert [payment.status for payment in found] == ["succeeded", "failed", "pending"]
    assert [payment.means for payment in found] == ["48", "48", "30"]
    assert [payment.remittance[0].invoice for payment in found] == ["P-1", "P-2", "P-3"]
    assert found[0].amount == paid.totals.payable_amount
    assert found[1].failure.code
    running.desk("stripe/play/pay_invoice", {"invoice": waiting.source.id})  # type: ignore[union-attr]
    assert (await ask.read(billing.read_payment, waiting.source)).status == "succeeded"


async def test_a_refund_is_read_by_its_payment_intent(ask: Asker, running: RunningSandbox, stripe: Caller) -> None:
    paid = await billed(ask, "P-4", CARD, company=running.company)
    assert paid.source is not None
    running.desk("stripe/play/refund", {"invoice": paid.source.id, "amount": "1.00"})
    (charge,) = [one for one in stripe.get("/charges", {"limit": 100})["data"] if one["amount_refunded"] == 100]
    intent = Reference(connection="stripe-emea", type="PaymentIntent", id=charge["payment_intent"])
    payment: Payment = await ask.read(billing.read_payment, intent)
    assert payment.status == "partly_refunded"
    assert payment.remittance[0].invoice == "P-4"
    assert payment.source == Reference(connection="stripe-emea", type="Payment", id=paid.source.id, number=paid.number)


async def test_events_are_believed_by_their_signature_and_say_whose_money_it_is(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    channel = ask.release.connections["stripe-emea"].connector.inbound["events"]
    hook = Hook(stripe, "invoice.paid", "invoice.voided", "charge.refunded", "credit_note.created", "customer.updated")
    try:
        made = await billed(ask, "W-1", CARD, company=running.company)
        assert made.source is not None
        await ask.change(billing.void_invoice, made, key="W-1")
        hook.wait(3)
    finally:
        hook.close()
    subjects = {}
    for headers, body in hook.heard:
        assert channel.verify is not None
        verify(channel.verify, headers=headers, body=body, settings={"webhook_secret": hook.secret}, now=ask.clock())
        with pytest.raises(NotBelieved):
            other = {"webhook_secret": "whsec_other"}
            verify(channel.verify, headers=headers, body=body, settings=other, now=ask.clock())
        splitter = Splitter(channel)
        (part,) = splitter.split(splitter.parse(body))
        assert takes(ask, channel, part.body)
        subjects[part.type] = part.subject
    assert subjects["invoice.paid"] == subjects["credit_note.created"] == f"Invoice/{made.source.id}"
    type_, _, id_ = subjects["charge.refunded"].partition("/")
    refunded: Payment = await ask.read(
        billing.read_payment, Reference(connection="stripe-emea", type=type_, id=id_), at="stripe-emea"
    )
    assert (refunded.status, refunded.remittance[0].invoice) == ("refunded", "W-1")
    assert not takes(ask, channel, {"type": "customer.updated", "data": {"object": {"object": "customer"}}})


def takes(ask: Asker, channel: Inbound, message: Any) -> bool:
    """Whether a message means something to us."""
    return any(take.when is None or ask.release.expression(take.when)(message) for take in channel.takes)


# Doubt --------------------------------------------------------------------------------------------------------

_WRITES = {
    "draft": "POST */v1/invoices",
    "lines": "POST */add_lines",
    "finalize": "POST */finalize",
}


@pytest.mark.parametrize("kind", ["cut_after", "cut_before", "late", "broken", "down", "locked", "limited"])
@pytest.mark.parametrize("part", _WRITES)
async def test_in_doubt_one_invoice_is_made(
    ask: Asker, running: RunningSandbox, stripe: Caller, part: str, kind: str
) -> None:
    key = f"D-{part}-{kind}"
    account = running.company.accounts[TRANSFER]
    await ask.change(billing.ensure_customer, customer_of(account), key=key)
    asked = invoice_of(running.company, account, key)
    trouble(running, kind, _WRITES[part])
    made = await _patiently(ask, asked, key)
    await asyncio.sleep(0.3 if kind == "late" else 0)
    (one,) = living(stripe, key)
    assert one["total"] == int(asked.totals.payable_amount.amount * 100)
    assert (one["status"], made.number) == ("open", one["number"])


async def _patiently(ask: Asker, asked: Invoice, key: str) -> Invoice:
    """As a run that is due again: what has to wait is asked again later."""
    for _ in range(10):
        try:
            made: Invoice = await ask.change(billing.create_invoice, asked, key=key)
        except Later:
            ask.clock.advance(timedelta(seconds=10))
            await asyncio.sleep(0.05)
        else:
            return made
    raise AssertionError("it never came to an end")


async def test_after_the_vendor_has_forgotten_the_key_it_looks_before_it_sends_again(
    ask: Asker, running: RunningSandbox, stripe: Caller
) -> None:
    account = running.company.accounts[TRANSFER]
    await ask.change(billing.ensure_customer, customer_of(account), key="F-1")
    asked = invoice_of(running.company, account, "F-1")
    rules = [
        {"kind": "cut_after", "vendor": "stripe", "operation": "POST */v1/invoices", "times": 1},
        {"kind": "down", "vendor": "stripe", "operation": "*/v1/invoices*", "times": 50},
    ]
    running.desk("faults", {"rules": rules})
    with pytest.raises((Later, Park)):
        await ask.change(billing.create_invoice, asked, key="F-1")
    running.desk("faults", {"rules": []})
    ask.clock.advance(timedelta(days=2))
    made = await _patiently(ask, asked, "F-1")
    assert [one["id"] for one in living(stripe, "F-1")] == [made.source.id]  # type: ignore[union-attr]
    looks = [attempt for attempt in await ask.attempts("F-1") if "/v1/invoices?customer=" in attempt["path"]]
    assert looks, "it looked among the customer's invoices"


async def test_a_search_that_lags_makes_no_second_invoice(ask: Asker, running: RunningSandbox, stripe: Caller) -> None:
    account = running.company.accounts[TRANSFER]
    await ask.change(billing.ensure_customer, customer_of(account), key="L-1")
    running.desk("stripe/set/account/emea", {"search_delay_s": "60"})
    try:
        trouble(running, "broken", "POST */v1/invoices")
        made = await _patiently(ask, invoice_of(running.company, account, "L-1"), "L-1")
    finally:
        running.desk("stripe/set/account/emea", {"search_delay_s": "0"})
    assert [one["id"] for one in living(stripe, "L-1")] == [made.source.id]  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
async def test_in_doubt_one_customer_is_made(ask: Asker, running: RunningSandbox, stripe: Caller, kind: str) -> None:
    account = running.company.accounts[UNKNOWN]
    asked = customer_of(account, id=id_of("customer", kind), extensions={"account_key": kind}, tax_registrations=[])
    trouble(running, kind, "POST */v1/customers")
    made = await ask.change(billing.ensure_customer, asked, key=f"DC-{kind}")
    await asyncio.sleep(0.3 if kind == "late" else 0)
    found = stripe.get("/customers/search", {"query": f"metadata['customer']:'{asked.id}'"})["data"]
    assert [one["id"] for one in found] == [made.id]


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
@pytest.mark.parametrize("customer", [CARD, TRANSFER])
async def test_in_doubt_an_invoice_is_undone_once(
    ask: Asker, running: RunningSandbox, stripe: Caller, customer: int, kind: str
) -> None:
    key = f"U-{customer}-{kind}"
    made = await billed(ask, key, customer, company=running.company)
    assert made.source is not None
    trouble(running, kind, "POST */credit_notes" if customer == CARD else "POST */void")
    await ask.change(billing.void_invoice, made, key=key)
    await asyncio.sleep(0.3 if kind == "late" else 0)
    notes = stripe.get("/credit_notes", {"invoice": made.source.id})["data"]
    invoice = stripe.get(f"/invoices/{made.source.id}")
    assert (len(notes), invoice["status"]) == ((1, "paid") if customer == CARD else (0, "void"))


async def test_an_expired_key_parks_in_words(ask: Asker, running: RunningSandbox) -> None:
    trouble(running, "expired", "GET */customers/search")
    with pytest.raises(Park) as parked:
        await ask.change(billing.ensure_customer, customer_of(running.company.accounts[1]), key="E-1")
    assert parked.value.work.error_class == "access"
