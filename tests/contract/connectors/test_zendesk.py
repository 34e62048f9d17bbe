"""The Zendesk connector through the runtime, against its stand-in over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import customer_of, id_of
from tests.support.ways_in import events, gateway, poll, told
from tests.support.zendesk_desk import Desk, ticket_field

from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.system_api import support
from isthmus.connectivity.system_api.operation import Search
from isthmus.model import Case, Customer, Entitlement, Link, Reference

KNOWN, NEW = 0, 1  # every second account of the company is at the desk already
ORGANIZATION, USER = "POST */organizations/create_or_update*", "POST */users/create_or_update*"
TICKET, CHANGED_TICKET, REVOKED = "POST */tickets.json", "PUT */tickets/*", "PUT */organizations/*"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["zendesk"]) as started:
        yield started


@pytest.fixture
def desk(running: RunningSandbox) -> Desk:
    return Desk(running)


@pytest.fixture
async def ask(running: RunningSandbox, desk: Desk, tmp_path: Path) -> AsyncIterator[Asker]:
    running.desk("faults", {"rules": []})
    titles = {"invoice": "Invoice number", "order": "Order number", "dispute": "Dispute reason"}
    fields = {f"{name}_field": str(ticket_field(desk, title)) for name, title in titles.items()}
    async with asking(tmp_path, running, {"support": "zendesk"}, settings={"zendesk": fields}) as asker:
        yield asker
    running.desk("faults", {"rules": []})


def trouble(running: RunningSandbox, kind: str, operation: str, **more: Any) -> None:
    rule = {"kind": kind, "vendor": "zendesk", "operation": operation, "times": 1, "delay_s": 0.2, **more}
    running.desk("faults", {"rules": [rule]})


def grant(customer: Customer, order: str, plan: str = "gold", until: date = date(2027, 11, 29)) -> Any:
    entitlement = Entitlement.model_validate(
        {
            "id": id_of("entitlement", order),
            "business_unit": customer.business_unit,
            "customer": Link(kind="customer", id=customer.id, number=customer.number),
            "plan": plan,
            "order": Link(kind="order", number=order),
            "order_line": "10",
            "period": {"start_date": "2026-11-30", "end_date": until},
            "status": "active",
        }
    )
    return support.EntitlementGrant(
        entitlement=entitlement, customer=customer, request_number=f"OPP-{order}", order_number=order
    )


def case_of(key: str, **more: Any) -> Case:
    return Case.model_validate(
        {
            "id": id_of("case", key),
            "business_unit": "emea",
            "number": key,
            "subject": f"About {key}",
            "description": "Panels are broken.\nPlease help.",
            "contact": {"name": "Eva New", "email": f"eva.{key.lower()}@new.example", "phone": "+4940555999"},
            "kind": "incident",
            "priority": "high",
            "status": "new",
            **more,
        }
    )


def organization(desk: Desk, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get("/organizations/search", external_id=key)["organizations"]
    return found


def tickets(desk: Desk, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.get("/tickets", external_id=key)["tickets"]
    return found


# Entitlements ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [KNOWN, NEW])
async def test_a_grant_makes_the_customer_known_at_the_desk(
    ask: Asker, running: RunningSandbox, desk: Desk, at: int
) -> None:
    account = running.company.accounts[at]
    customer = customer_of(account)
    made: Entitlement = await ask.change(support.grant_entitlement, grant(customer, f"47{at}"), key=f"G-{at}")
    (theirs,) = organization(desk, account.key)
    own = theirs["organization_fields"]
    assert (own["plan"], own["plan_until"][:10], own["erp_order"]) == ("gold", "2027-11-29", f"47{at}")
    assert (theirs["name"], own["erp_customer"]) == (account.name, account.number)
    assert (made.plan, made.period.end_date, made.status) == ("gold", date(2027, 11, 29), "active")
    assert made.source is not None and made.source.id == str(theirs["id"])
    users = {user["email"]: user for user in desk.get(f"/organizations/{theirs['id']}/users")["users"]}
    assert {person.email for person in account.people} <= set(users)
    back: Customer = await ask.read(support.read_customer, Link(kind="customer", id=customer.id))
    assert (back.id, back.number, back.extensions["plan"]) == (customer.id, account.number, "gold")
    assert {person.email for person in account.people} <= {contact.email for contact in back.contacts}


async def test_a_company_field_of_organizations_is_read_along(
    running: RunningSandbox, desk: Desk, tmp_path: Path
) -> None:
    field = {"key": "segment", "type": "text", "title": "Segment"}
    assert desk.ask("POST", "/organization_fields", {"organization_field": field}).status == 201
    fields = {"customer.extensions.segment": {"zendesk": "Organization.organization_fields.segment"}}
    async with asking(tmp_path, running, {"support": "zendesk"}, fields=fields) as ask:
        customer = customer_of(running.company.accounts[13])
        await ask.change(support.grant_entitlement, grant(customer, "486"), key="F-1")
        (theirs,) = organization(desk, "C-1014")
        told = {"organization": {"organization_fields": {"segment": "Farms"}}}
        desk.ask("PUT", f"/organizations/{theirs['id']}", told)
        link = Link(kind="customer", id=customer.id)
        back: Customer = await ask.read(support.read_customer, link)
        assert back.extensions["segment"] == "Farms"
        desk.ask("DELETE", f"/organizations/{theirs['id']}")
        assert await ask.read(support.read_customer, link) is None


async def test_a_customer_that_the_desk_does_not_know_cannot_be_read(ask: Asker) -> None:
    with pytest.raises(Park) as parked:
        await ask.read(support.read_customer, Link(kind="customer", id=id_of("customer", "nobody")))
    assert parked.value.work.title == "The customer is not known in Zendesk yet"


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
@pytest.mark.parametrize("operation", [ORGANIZATION, USER])
async def test_a_grant_in_doubt_makes_one_of_each(
    ask: Asker, running: RunningSandbox, desk: Desk, kind: str, operation: str
) -> None:
    key = f"D-{kind}-{operation[7:10]}"
    person = {"name": "Ida Doubt", "email": f"ida.{key.lower()}@doubt.example"}
    account = running.company.accounts[NEW]
    customer = customer_of(
        account, id=id_of("customer", key), name=f"Doubtful {key}", extensions={"account_key": key}, contacts=[person]
    )
    trouble(running, kind, operation)
    made: Entitlement = await ask.change(support.grant_entitlement, grant(customer, key), key=key)
    await asyncio.sleep(0.3)
    (theirs,) = organization(desk, key)
    assert made.source is not None and made.source.id == str(theirs["id"])
    assert [user["email"] for user in desk.get(f"/organizations/{theirs['id']}/users")["users"]] == [person["email"]]
    part = await ask.effect(f"support.grant_entitlement/{key}/{'organization' if 'organ' in operation else 'users/0'}")
    assert (part["rule"], part["sends"]) == ("upsert", 2)


async def test_a_revocation_takes_only_what_its_order_granted(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    customer = customer_of(running.company.accounts[3])
    first: Entitlement = await ask.change(support.grant_entitlement, grant(customer, "481", "gold"), key="R-1")
    second: Entitlement = await ask.change(support.grant_entitlement, grant(customer, "482", "silver"), key="R-2")
    revoked: Entitlement = await ask.change(support.revoke_entitlement, first, key="R-1")
    assert revoked.status == "revoked" and revoked.id == first.id
    (theirs,) = organization(desk, "C-1004")
    assert theirs["organization_fields"]["plan"] == "silver", "the plan of the other order stands"
    await ask.change(support.revoke_entitlement, second, key="R-2")
    (theirs,) = organization(desk, "C-1004")
    own = theirs["organization_fields"]
    assert (own["plan"], own["plan_until"], own["erp_order"]) == (None, None, None)
    assert own["erp_customer"] == "17100004", "who the customer is stays known"


async def test_what_is_gone_is_revoked(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    customer = customer_of(running.company.accounts[5])
    made: Entitlement = await ask.change(support.grant_entitlement, grant(customer, "483"), key="R-3")
    assert made.source is not None
    desk.ask("DELETE", f"/organizations/{made.source.id}")
    revoked: Entitlement = await ask.change(support.revoke_entitlement, made, key="R-3")
    assert revoked.status == "revoked"


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
async def test_a_revocation_in_doubt_is_done(ask: Asker, running: RunningSandbox, desk: Desk, kind: str) -> None:
    customer = customer_of(running.company.accounts[7])
    made: Entitlement = await ask.change(support.grant_entitlement, grant(customer, f"49-{kind}"), key=f"R-{kind}")
    trouble(running, kind, REVOKED)
    await ask.change(support.revoke_entitlement, made, key=f"R-{kind}")
    await asyncio.sleep(0.3)
    (theirs,) = organization(desk, "C-1008")
    assert theirs["organization_fields"]["plan"] is None


async def test_a_taken_name_is_refused_in_words(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    desk.post("/organizations", "organization", name="Made by hand")
    customer = customer_of(running.company.accounts[9], name="Made by hand", extensions={"account_key": "H-1"})
    with pytest.raises(Park) as parked:
        await ask.change(support.grant_entitlement, grant(customer, "484"), key="N-1")
    work = parked.value.work
    assert work.title == "Zendesk does not take a value: Name: Made by hand has already been taken"
    assert (work.error_class, work.field) == ("business", "name")


@pytest.mark.parametrize("kind", ["limited", "down", "locked", "cut_before"])
async def test_trouble_that_passes_is_waited_out(ask: Asker, running: RunningSandbox, desk: Desk, kind: str) -> None:
    customer = customer_of(running.company.accounts[11], name=f"Patient {kind}", extensions={"account_key": kind})
    trouble(running, kind, ORGANIZATION)
    for _ in range(20):
        try:
            await ask.change(support.grant_entitlement, grant(customer, kind), key=f"W-{kind}")
            break
        except Later:
            ask.clock.advance(timedelta(seconds=61))
    assert len(organization(desk, kind)) == 1


async def test_a_wrong_token_parks(running: RunningSandbox, tmp_path: Path) -> None:
    wrong = {"zendesk": {"api_token": "wrong"}}
    async with asking(tmp_path, running, {"support": "zendesk"}, settings=wrong) as ask:
        with pytest.raises(Park) as parked:
            await ask.read(support.search_cases, Search(limit=1))
    assert parked.value.work.error_class == "access"
    assert "wrong" not in str(parked.value.work)


# Cases ----------------------------------------------------------------------------------------------------------------


async def test_a_case_is_opened_read_changed_and_found(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    customer = customer_of(running.company.accounts[2])
    await ask.change(support.grant_entitlement, grant(customer, "485"), key="C-1")
    links = [{"kind": "order", "number": "485"}, {"kind": "invoice", "number": "90485"}]
    asked = case_of("CASE-1", customer={"kind": "customer", "id": customer.id}, links=links, tags=["solar"])
    made: Case = await ask.change(support.create_case, asked, key="CASE-1")
    (theirs,) = tickets(desk, "CASE-1")
    assert made.source is not None and made.number == made.source.id == str(theirs["id"])
    assert made.id == asked.id
    assert (made.customer.id, made.contact) == (customer.id, None)  # type: ignore[union-attr]

    read: Case = await ask.read(support.read_case, made.source)
    assert (read.id, read.subject, read.kind, read.priority, read.status) == (
        asked.id,
        "About CASE-1",
        "incident",
        "high",
        "new",
    )
    assert read.contact is not None and read.contact.email == "eva.case-1@new.example"
    assert {(link.kind, link.number) for link in read.links} == {("order", "485"), ("invoice", "90485")}
    assert (read.description, read.channel) == (asked.description, "api")
    assert set(read.tags) >= {"solar", "isthmus"}

    for asked_for in ({"number": made.number}, {"request_number": "CASE-1"}, {"name": "About CASE-1"}):
        found = await ask.read(support.search_cases, Search.model_validate(asked_for))
        assert [one.number for one in found] == [made.number], asked_for
    latest = await ask.read(support.search_cases, Search.model_validate({"changed_since": "2020-01-01T00:00:00Z"}))
    assert len(latest) > 10 and latest[0].number == made.number
    with pytest.raises(Park, match="cannot look for tickets by customer number"):
        await ask.read(support.search_cases, Search(customer_number="1"))

    change = read.model_copy(update={"status": "waiting_customer", "priority": "urgent"})
    changed: Case = await ask.change(support.update_case, change, key="CASE-1")
    running.desk("zendesk/play/comment", {"ticket": made.number, "body": "Any news?", "by": "customer"})
    said = (await ask.read(support.read_case, made.source)).messages
    assert [(one.author, one.public, one.text) for one in said][-1] == ("Eva New", True, "Any news?")
    assert said[0].text == asked.description
    assert (changed.status, changed.priority, set(changed.tags)) == ("waiting_customer", "urgent", set(read.tags))


async def test_a_dispute_says_why_in_the_companys_field(ask: Asker, desk: Desk) -> None:
    dispute = {"kind": "billing", "amount": {"amount": "100.00", "currency": "EUR"}, "reason": "price"}
    asked = case_of("CASE-2", kind="dispute", dispute=dispute, links=[{"kind": "invoice", "number": "90001"}])
    made: Case = await ask.change(support.create_case, asked, key="CASE-2")
    assert (made.category, made.kind, made.links[0].number) == ("wrong_price", "problem", "90001")


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
async def test_a_case_in_doubt_is_opened_once(ask: Asker, running: RunningSandbox, desk: Desk, kind: str) -> None:
    trouble(running, kind, TICKET)
    made: Case = await ask.change(support.create_case, case_of(f"CASE-{kind}"), key=f"CASE-{kind}")
    await asyncio.sleep(0.3)
    (theirs,) = tickets(desk, f"CASE-{kind}")
    assert made.number == str(theirs["id"])
    effect = await ask.effect(f"support.create_case/CASE-{kind}/ticket")
    assert effect["rule"] == "native"
    assert effect["state"] == "done"


async def test_a_case_that_the_vendor_no_longer_remembers_is_found_by_our_key(
    ask: Asker, running: RunningSandbox, desk: Desk
) -> None:
    rules = [("broken", TICKET, 2), ("down", "GET */tickets.json", 99)]
    told_off = [{"kind": kind, "vendor": "zendesk", "operation": on, "times": times} for kind, on, times in rules]
    running.desk("faults", {"rules": told_off})
    asked = case_of("CASE-3")
    with pytest.raises(Later):
        await ask.change(support.create_case, asked, key="CASE-3")
    running.desk("faults", {"rules": []})
    ask.clock.advance(timedelta(hours=3))
    made: Case = await ask.change(support.create_case, asked, key="CASE-3")
    (theirs,) = tickets(desk, "CASE-3")
    assert made.number == str(theirs["id"])
    assert (await ask.effect("support.create_case/CASE-3/ticket"))["rule"] == "probe"


@pytest.mark.parametrize("kind", ["cut_after", "late", "broken"])
async def test_a_change_in_doubt_is_made(ask: Asker, running: RunningSandbox, desk: Desk, kind: str) -> None:
    made: Case = await ask.change(support.create_case, case_of(f"CH-{kind}"), key=f"CH-{kind}")
    trouble(running, kind, CHANGED_TICKET)
    await ask.change(support.update_case, made.model_copy(update={"status": "open"}), key=f"CH-{kind}")
    await asyncio.sleep(0.3)
    assert tickets(desk, f"CH-{kind}")[0]["status"] == "open"


async def test_a_closed_ticket_refuses_in_words(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    made: Case = await ask.change(support.create_case, case_of("CASE-4"), key="CASE-4")
    running.desk("zendesk/play/solve", {"ticket": made.number})
    running.desk("zendesk/play/close_solved", {"days": "0"})
    with pytest.raises(Park) as parked:
        await ask.change(support.update_case, made.model_copy(update={"status": "open"}), key="CASE-4")
    assert parked.value.work.title.startswith("Zendesk does not take a value: Status")
    assert parked.value.work.error_class == "business"


async def test_there_is_no_such_case(ask: Asker) -> None:
    assert await ask.read(support.read_case, Reference(connection="zendesk", type="Ticket", id="99999999")) is None


# Ways in --------------------------------------------------------------------------------------------------------------


async def test_signed_ticket_events_are_taken_and_our_own_tickets_are_not(
    running: RunningSandbox, desk: Desk, tmp_path: Path
) -> None:
    names = ("ticket.created", "ticket.status_changed", "ticket.comment_added", "ticket.subject_changed")
    async with asking(tmp_path, running, {"support": "zendesk"}) as first, gateway(first) as address:
        hook = {"name": "isthmus", "http_method": "POST", "request_format": "json", "status": "active"}
        hook |= {"endpoint": f"{address}/webhooks/zendesk"}
        made = desk.post("/webhooks", "webhook", **hook, subscriptions=[f"zen:event-type:{name}" for name in names])
    secret = made["signing_secret"]["secret"]
    (tmp_path / "second").mkdir()
    settings = {"zendesk": {"webhook_secret": secret}}
    async with asking(tmp_path / "second", running, {"support": "zendesk"}, settings=settings) as ask:
        async with gateway(ask) as address:
            desk.ask("PATCH", f"/webhooks/{made['id']}", {"webhook": {"endpoint": f"{address}/webhooks/zendesk"}})
            trouble(running, "push_twice", "*")
            opened = running.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "Help"})
            running.desk("zendesk/play/solve", {"ticket": str(opened["ticket"])})
            await ask.change(support.create_case, case_of("CASE-5"), key="CASE-5")
            rows = await told(ask, 4)
            await asyncio.sleep(0.2)
            desk.ask("DELETE", f"/webhooks/{made['id']}")
            running.desk("faults", {"rules": []})
        rows = await told(ask, 4)
        mine = [row for row in rows if row["subject"] == f"zendesk/Ticket/{opened['ticket']}"]
        assert [row["type"] for row in mine].count("zen:event-type:ticket.created") == 1, "a repeat is no news"
        assert sorted(filter(None, events(ask, mine))) == [
            "isthmus.case.changed.v1",
            "isthmus.case.changed.v1",
            "isthmus.case.opened.v1",
        ]
        others = [row for row in rows if row not in mine and "created" in str(row["type"])]
        assert others and events(ask, others) == [None], "we opened it ourselves"


async def test_an_event_with_another_signature_is_not_believed(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    async with gateway(ask) as address:
        hook = {"name": "other", "http_method": "POST", "request_format": "json", "status": "active"}
        hook |= {"endpoint": f"{address}/webhooks/zendesk"}
        made = desk.post("/webhooks", "webhook", **hook, subscriptions=["zen:event-type:ticket.created"])
        running.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "Forged"})
        await asyncio.sleep(0.4)
        desk.ask("DELETE", f"/webhooks/{made['id']}")
    assert not await ask.store.read(lambda tx: tx.rows("SELECT * FROM message"))


async def test_the_poll_finds_tickets_whose_event_was_lost(ask: Asker, running: RunningSandbox) -> None:
    opened = running.desk("zendesk/play/open_ticket", {"customer": "C-1003", "subject": "Lost"})
    await ask.change(support.create_case, case_of("CASE-6"), key="CASE-6")
    running.clock.advance(timedelta(seconds=61))  # an export leaves the last minute out
    await poll(ask, "zendesk", "new_tickets")
    rows = await told(ask, 2)
    known = {row["subject"]: event for row, event in zip(rows, events(ask, rows), strict=True)}
    assert known[f"zendesk/Ticket/{opened['ticket']}"] == "isthmus.case.opened.v1"
    assert None in known.values(), "our own ticket is none of theirs"
    ask.clock.advance(timedelta(minutes=6))
    assert await poll(ask, "zendesk", "new_tickets") == 0
    case: Case = await ask.read(
        support.read_case, Reference(connection="zendesk", type="Ticket", id=str(opened["ticket"]))
    )
    assert (case.subject, case.status) == ("Lost", "new") and case.contact is not None


async def test_the_poll_goes_on_where_it_was(ask: Asker, running: RunningSandbox, desk: Desk) -> None:
    for number in range(105):
        desk.post("/tickets", "ticket", subject=f"Many {number}", comment={"body": "one of many"})
        if number == 52:
            running.clock.advance(timedelta(seconds=61))
            assert await poll(ask, "zendesk", "new_tickets") >= 53
            ask.clock.advance(timedelta(minutes=6))
    running.clock.advance(timedelta(seconds=61))
    assert await poll(ask, "zendesk", "new_tickets") == 52
    rows = await told(ask, 105)
    assert len({row["subject"] for row in rows}) == len(rows)
