"""The Salesforce connector through the runtime, against its stand-in over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.ways_in import events, gateway, poll, told

from isthmus.connectivity.outbound.outcome import Park
from isthmus.connectivity.system_api import crm
from isthmus.connectivity.system_api.operation import Search
from isthmus.model import Customer, Link, Quote, Reference

OPPORTUNITY = "PATCH */sobjects/Opportunity/*"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["salesforce"]) as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    running.desk("faults", {"rules": []})
    async with asking(tmp_path, running, {"crm": "salesforce"}) as asker:
        yield asker
    running.desk("faults", {"rules": []})


def trouble(running: RunningSandbox, kind: str, operation: str, **more: Any) -> None:
    rule = {"kind": kind, "vendor": "salesforce", "operation": operation, "times": 1, "delay_s": 0.2, **more}
    running.desk("faults", {"rules": [rule]})


def book(running: RunningSandbox, number: str) -> dict[str, Any]:
    """One opportunity, as the stand-in's own row."""
    found: dict[str, Any] = running.desk(f"salesforce/show/opportunity/{number}")[0]
    return found


def reference(running: RunningSandbox, number: str) -> Reference:
    return Reference(connection="salesforce", type="Opportunity", id=book(running, number)["Id"], number=number)


async def quoted(ask: Asker, running: RunningSandbox, number: str) -> Quote:
    found: Quote = await ask.read(crm.read_quote, reference(running, number))
    return found


def progress(running: RunningSandbox, number: str, **said: Any) -> crm.QuoteProgress:
    return crm.QuoteProgress(quote=reference(running, number), quote_number=number, **said)


# Quotes ---------------------------------------------------------------------------------------------------------------


async def test_an_opportunity_is_a_quote_with_all_that_an_order_needs(ask: Asker, running: RunningSandbox) -> None:
    deal = running.company.opportunities[3]
    quote = await quoted(ask, running, deal.number)
    account = running.company.account(deal.account)
    assert (quote.number, quote.status, quote.business_unit) == (deal.number, "draft", deal.unit)
    assert quote.purchase_order_number == deal.purchase_order
    assert quote.opportunity is not None and quote.opportunity.close_date == deal.close_date
    buyer = quote.partners.sold_to
    assert (buyer.name, buyer.customer.number) == (account.name, account.number)  # type: ignore[union-attr]
    assert buyer.address is not None and buyer.address.lines == (account.street,)
    assert buyer.tax_registrations[0].number == account.vat_number
    assert [line.position for line in quote.lines] == [10 * n for n in range(1, len(deal.lines) + 1)]
    for line, sold in zip(quote.lines, deal.lines, strict=True):
        product = running.company.product(sold.product)
        assert (line.product.number, line.quantity.value, line.quantity.unit) == (  # type: ignore[union-attr]
            product.number,
            sold.quantity,
            product.unit,
        )
        assert line.unit_price.amount == sold.unit_price
        assert line.line_extension_amount.amount == sold.quantity * sold.unit_price
    subscription = next(line for line in quote.lines if line.period)
    assert quote.extensions["support_plans"] == f"{subscription.id}=bronze"
    assert subscription.period.end_date == next(one.end_date for one in deal.lines if one.end_date)  # type: ignore[union-attr]


async def test_a_won_opportunity_is_accepted_at_its_change_of_stage(ask: Asker, running: RunningSandbox) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    running.desk("salesforce/play/win", {"opportunity": "OPP-1006"})
    quote = await quoted(ask, running, "OPP-1006")
    assert quote.status == "accepted" and quote.accepted_at is not None
    assert before < quote.accepted_at < datetime.now(UTC) + timedelta(seconds=2)
    await ask.change(crm.report_progress, progress(running, "OPP-1006", note="seen"), key="OPP-1006")
    assert (await quoted(ask, running, "OPP-1006")).accepted_at == quote.accepted_at, "our own write is no new win"
    running.desk("salesforce/play/lose", {"opportunity": "OPP-1009"})
    assert (await quoted(ask, running, "OPP-1009")).status == "rejected"


async def test_a_discount_is_in_the_price_and_yen_have_no_decimals(ask: Asker, running: RunningSandbox) -> None:
    deal = next(one for one in running.company.opportunities if one.currency == "JPY")
    line_id = (await quoted(ask, running, deal.number)).lines[0].id
    running.desk(
        "salesforce/play/edit", {"object": "OpportunityLineItem", "key": line_id, "Discount": "12.5", "Quantity": "8"}
    )
    line = (await quoted(ask, running, deal.number)).lines[0]
    listed = deal.lines[0].unit_price
    assert line.unit_price.gross_amount == listed
    assert line.unit_price.amount == listed * Decimal("0.875")
    assert line.line_extension_amount.amount == listed * 7
    assert line.line_extension_amount.amount == line.line_extension_amount.amount.to_integral_value()


async def test_what_is_not_there_is_none(ask: Asker, running: RunningSandbox) -> None:
    made = running.desk("salesforce/play/create_opportunity", {"n": "700"})
    running.desk("salesforce/play/delete", {"object": "Opportunity", "key": made["number"]})
    gone = Reference(connection="salesforce", type="Opportunity", id=made["id"])
    assert await ask.read(crm.read_quote, gone) is None
    with pytest.raises(Park) as parked:
        await ask.read(crm.read_quote, gone.model_copy(update={"id": "x' OR Name != '"}))
    assert "invalid ID field: x' OR Name != '" in parked.value.work.title, "an id stays a text"


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"number": "OPP-1002"}, ["OPP-1002"]),
        ({"request_number": "OPP-1003"}, ["OPP-1003"]),
        ({"name": "array 5"}, ["OPP-1005"]),
        ({"name": "a_ray 5"}, []),
        ({"name": "%"}, []),
        ({"name": "O'Neil\\"}, []),
        ({"customer_number": "17100002", "name": "array 2"}, ["OPP-1002"]),
        ({"changed_since": "2020-01-01T00:00:00Z", "number": "OPP-1002"}, ["OPP-1002"]),
        ({"changed_since": "2120-01-01T00:00:00+02:00"}, []),
    ],
)
async def test_quotes_are_found_by_every_condition(
    ask: Asker, running: RunningSandbox, asked: dict[str, Any], numbers: list[str]
) -> None:
    found = await ask.read(crm.search_quotes, Search.model_validate(asked))
    assert [quote.number for quote in found] == numbers
    assert len(await ask.read(crm.search_quotes, Search(limit=7))) == 7


# Customers ------------------------------------------------------------------------------------------------------------


async def test_a_customer_is_the_account_with_its_people(ask: Asker, running: RunningSandbox) -> None:
    quote = await quoted(ask, running, "OPP-1001")
    account = running.company.accounts[0]
    customer: Customer = await ask.read(crm.read_customer, quote.partners.sold_to.customer)  # type: ignore[arg-type]
    assert customer.id == quote.partners.sold_to.customer.id  # type: ignore[union-attr]
    assert (customer.number, customer.status, customer.name) == (account.number, "active", account.name)
    assert customer.extensions == {"account_key": account.key}
    assert [person.email for person in customer.contacts] == [person.email for person in account.people]
    assert customer.tax_exemption is None


async def test_customers_are_found_by_every_condition(ask: Asker, running: RunningSandbox) -> None:
    accounts = running.company.accounts
    conditions: list[tuple[dict[str, Any], str]] = [
        ({"number": accounts[3].number}, accounts[3].name),
        ({"customer_number": accounts[4].number}, accounts[4].name),
        ({"name": accounts[5].name[2:-2]}, accounts[5].name),
        ({"request_number": "OPP-1002"}, running.company.account(running.company.opportunities[1].account).name),
    ]
    for asked, name in conditions:
        found = await ask.read(crm.search_customers, Search.model_validate(asked))
        assert [customer.name for customer in found] == [name], asked
    everyone = await ask.read(crm.search_customers, Search(changed_since=datetime(2020, 1, 1, tzinfo=UTC), limit=200))
    everyone = [one for one in everyone if str(one.extensions.get("account_key")).startswith("C-")]
    assert len(everyone) == len(accounts)
    assert [one.name for one in everyone if one.tax_exemption] == [a.name for a in accounts if a.tax_exempt]
    assert {one.status for one in everyone if one.number is None} == {"prospect"}


async def test_a_merged_account_is_read_as_the_one_that_stays(ask: Asker, running: RunningSandbox) -> None:
    for key in ("M-1", "M-2"):
        account = {"object": "Account", "Name": f"Merging {key}", "External_Id__c": key, "CurrencyIsoCode": "EUR"}
        running.desk("salesforce/play/create", account)
    deal = {"account": "M-2", "product": "X-100", "number": "OPP-9002"}
    running.desk("salesforce/play/create_opportunity", deal)
    before = (await quoted(ask, running, "OPP-9002")).partners.sold_to.customer
    running.desk("salesforce/play/merge", {"object": "customer", "master": "M-1", "loser": "M-2"})
    after = (await quoted(ask, running, "OPP-9002")).partners.sold_to.customer
    assert before is not None and after is not None and before.id != after.id
    assert (await ask.read(crm.read_customer, after)).name == "Merging M-1"
    assert await ask.read(crm.read_customer, before) is None


async def test_a_customer_that_was_never_seen_cannot_be_read(ask: Asker) -> None:
    with pytest.raises(Park) as parked:
        await ask.read(crm.read_customer, Link(kind="customer", number="17100001"))
    assert parked.value.work.title == "The customer is not known in Salesforce yet"


async def test_a_company_field_flows_by_one_line_of_the_landscape(running: RunningSandbox, tmp_path: Path) -> None:
    running.desk("salesforce/set/field/Opportunity.Promo_Code__c", {"type": "text", "length": "20"})
    running.desk("salesforce/set/field/Account.Segment__c", {"type": "text", "length": "20"})
    running.desk("salesforce/set/opportunity/OPP-1002", {"Promo_Code__c": "SUMMER-26"})
    running.desk("salesforce/set/customer/C-1001", {"Segment__c": "Farms"})
    fields = {
        "order.extensions.promo_code": {"salesforce": "Opportunity.Promo_Code__c"},
        "customer.extensions.segment": {"salesforce": "Segment__c"},
    }
    async with asking(tmp_path, running, {"crm": "salesforce"}, fields=fields) as ask:
        assert (await quoted(ask, running, "OPP-1002")).extensions["promo_code"] == "SUMMER-26"
        other = await quoted(ask, running, "OPP-1001")
        assert "promo_code" not in other.extensions or other.extensions["promo_code"] is None
        customer = await ask.read(crm.read_customer, other.partners.sold_to.customer)  # type: ignore[arg-type]
        assert customer.extensions == {"account_key": "C-1001", "segment": "Farms"}


# Progress -------------------------------------------------------------------------------------------------------------


async def test_only_what_is_said_is_written(ask: Asker, running: RunningSandbox) -> None:
    first = progress(running, "OPP-1010", status="ordered", order_number="4711", entitlement_until="2027-11-29")
    done: Reference = await ask.change(crm.report_progress, first, key="OPP-1010")
    assert (done.type, done.number) == ("Opportunity", "OPP-1010")
    later = progress(running, "OPP-1010", status="paid", payment_status="paid", note="ü" * 300)
    await ask.change(crm.report_progress, later, key="OPP-1010/paid")
    row = book(running, "OPP-1010")
    assert (row["ERP_Order_Number__c"], row["Entitlement_Until__c"]) == ("4711", "2027-11-29")
    assert (row["Integration_Status__c"], row["Payment_Status__c"]) == ("paid", "paid")
    assert row["Integration_Note__c"] == "ü" * 255


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken", "cut_before", "down", "locked", "limited", "expired"])
async def test_one_report_stands_whatever_happens_to_its_answer(ask: Asker, running: RunningSandbox, kind: str) -> None:
    key = f"OPP-1011/{kind}"
    trouble(running, kind, OPPORTUNITY)
    said = progress(running, "OPP-1011", status="ordered", note=kind)
    for _ in range(20):
        try:
            await ask.change(crm.report_progress, said, key=key)
            break
        except Exception as later:  # a limit pauses the whole connection, and the run comes back
            assert type(later).__name__ == "Later", later
            ask.clock.advance(timedelta(seconds=6))
    await asyncio.sleep(0.25)
    assert book(running, "OPP-1011")["Integration_Note__c"] == kind
    effect = await ask.effect(f"crm.report_progress/{key}")
    assert effect["state"] == "done"
    if kind in ("cut_after", "late", "broken"):
        assert (effect["rule"], effect["sends"]) == ("upsert", 2)


async def test_a_refusal_is_said_in_words(ask: Asker, running: RunningSandbox) -> None:
    rule = {"object": "Opportunity", "when": "Integration_Note__c = 'forbidden'", "message": "Not this word"}
    running.desk("salesforce/set/validation_rule/words", rule)
    with pytest.raises(Park) as parked:
        await ask.change(crm.report_progress, progress(running, "OPP-1012", note="forbidden"), key="R-1")
    work = parked.value.work
    assert work.title == "A validation rule in Salesforce refused it: Not this word"
    assert (work.error_class, work.code) == ("business", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    gone = running.desk("salesforce/play/create_opportunity", {"n": "701"})
    said = progress(running, gone["number"], note="hello")
    running.desk("salesforce/play/delete", {"object": "Opportunity", "key": gone["number"]})
    with pytest.raises(Park) as parked:
        await ask.change(crm.report_progress, said, key="R-2")
    assert parked.value.work.title == "The record was deleted in Salesforce"
    assert "recycle bin" in parked.value.work.mend


async def test_a_field_that_was_taken_away_is_named(ask: Asker, running: RunningSandbox) -> None:
    running.desk("salesforce/set/field/Opportunity.Payment_Status__c", {"gone": "true"})
    try:
        with pytest.raises(Park) as parked:
            await ask.change(crm.report_progress, progress(running, "OPP-1013", payment_status="paid"), key="F-1")
    finally:
        running.desk("salesforce/set/field/Opportunity.Payment_Status__c", {"type": "text", "length": "40"})
    work = parked.value.work
    assert work.code == "INVALID_FIELD" and "Payment_Status__c" in work.title
    assert "bring the field back there" in work.mend


async def test_a_wrong_secret_parks_and_names_the_connection(running: RunningSandbox, tmp_path: Path) -> None:
    wrong = {"salesforce": {"client_secret": "wrong"}}
    async with asking(tmp_path, running, {"crm": "salesforce"}, settings=wrong) as ask:
        with pytest.raises(Park) as parked:
            await ask.read(crm.search_quotes, Search(limit=1))
    assert parked.value.work.error_class == "access"
    assert "credentials" in parked.value.work.mend and "wrong" not in str(parked.value.work)


# Ways in --------------------------------------------------------------------------------------------------------------


async def test_an_outbound_message_is_taken_once_however_often_it_comes(ask: Asker, running: RunningSandbox) -> None:
    async with gateway(ask) as address:
        values = {"fields": "Id,LastStageChangeDate", "when": "IsWon = true", "every": "true"}
        values["url"] = f"{address}/webhooks/salesforce/made-up-webhook_secret"
        running.desk("salesforce/set/outbound_message/isthmus", values)
        trouble(running, "push_twice", "*")
        try:
            running.desk("salesforce/play/win_many", {"opportunities": "OPP-1014,OPP-1015"})
            await told(ask, 2)
            running.desk("salesforce/play/edit", {"object": "Opportunity", "key": "OPP-1014", "NextStep": "call"})
            await asyncio.sleep(0.3)
        finally:
            running.desk("salesforce/set/outbound_message/isthmus", {"gone": "true"})
            running.desk("faults", {"rules": []})
        rows = await told(ask, 2)
        assert [row["subject"] for row in rows] == [
            f"salesforce/Opportunity/{book(running, number)['Id']}" for number in ("OPP-1014", "OPP-1015")
        ]
        assert events(ask, rows) == ["isthmus.quote.accepted.v1"] * 2
        assert running.desk("salesforce")["pushes_waiting"] == 0, "it was acknowledged"


@pytest.mark.parametrize("wrong", ["secret", "organization"])
async def test_a_message_from_somebody_else_is_not_believed(
    running: RunningSandbox, tmp_path: Path, wrong: str
) -> None:
    settings = {"salesforce": {"organization_id": "00D000000000000AAA"}} if wrong == "organization" else {}
    secret = "guessed" if wrong == "secret" else "made-up-webhook_secret"
    async with asking(tmp_path, running, {"crm": "salesforce"}, settings=settings) as ask, gateway(ask) as address:
        values = {"fields": "Id", "when": "IsWon = true", "url": f"{address}/webhooks/salesforce/{secret}"}
        running.desk("salesforce/set/outbound_message/other", values)
        try:
            running.desk("salesforce/play/win", {"opportunity": "OPP-1016" if wrong == "secret" else "OPP-1018"})
            await asyncio.sleep(0.3)
            assert not await ask.store.read(lambda tx: tx.rows("SELECT * FROM message"))
            assert running.desk("salesforce")["pushes_waiting"] >= 1
        finally:
            running.desk("salesforce/set/outbound_message/other", {"gone": "true"})


async def test_the_poll_sees_each_win_once_and_late_ones_too(ask: Asker, running: RunningSandbox) -> None:
    number = running.desk("salesforce/play/create_opportunity", {"n": "702"})["number"]
    running.desk("salesforce/play/win", {"opportunity": number})
    await poll(ask, "salesforce", "opportunities")
    subject = f"salesforce/Opportunity/{book(running, number)['Id']}"

    async def wins() -> list[dict[str, Any]]:
        return [row for row in await told(ask) if row["subject"] == subject]

    assert len(await wins()) == 1 and events(ask, await wins()) == ["isthmus.quote.accepted.v1"]
    await ask.change(crm.report_progress, progress(running, number, note="touched"), key="P-1")
    ask.clock.advance(timedelta(seconds=21))
    assert await poll(ask, "salesforce", "opportunities") == 0, "what we wrote ourselves is no news"

    late = running.desk("salesforce/play/create_opportunity", {"n": "703"})["number"]
    edit = {"object": "Opportunity", "key": late, "StageName": "Closed Won", "visible_late_s": "300"}
    running.desk("salesforce/play/edit", edit)
    ask.clock.advance(timedelta(seconds=21))
    assert await poll(ask, "salesforce", "opportunities") == 1, "the overlap finds what became visible late"

    running.desk("salesforce/play/reopen", {"opportunity": number})
    running.desk("salesforce/play/win", {"opportunity": number})
    ask.clock.advance(timedelta(seconds=21))
    assert await poll(ask, "salesforce", "opportunities") == 1, "won again is news"
    assert len({json.dumps(row["version"]) for row in await wins()}) == 2


async def test_the_poll_follows_the_pages(ask: Asker, running: RunningSandbox) -> None:
    running.desk("salesforce/play/create_opportunities", {"first": "1000", "count": "2001"})
    running.desk("salesforce/play/win_many", {"opportunities": "OPP-2001..OPP-4001"})
    assert await poll(ask, "salesforce", "opportunities") > 2000
    rows = await ask.store.read(lambda tx: tx.rows("SELECT DISTINCT subject FROM message"))
    assert len(rows) > 2000
