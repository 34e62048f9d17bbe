"""Case to credit through the front door: a disputed invoice, its evidence, its decision, and credits equal to the cent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support import disputes
from tests.support.disputes import credit_notes, credits_of, disputed, sold, started, ticket_of
from tests.support.running_sandbox import RunningSandbox
from tests.support.salesforce_caller import Caller
from tests.support.whole import Whole
from tests.support.zendesk_desk import Desk

#: paid by card at once, delivered from stock; and one that is paid by transfer, later
PAID, OPEN = "OPP-1001", "OPP-1021"


def soon(text: str) -> str:
    """The sample landscape, looking again every second."""
    return text.replace("      answer_within: 14 days\n", "      answer_within: 14 days\n      ask_every: 1s\n")


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def whole(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(**options: Any) -> Whole:
        return Whole(sandbox, tmp_path, monkeypatch, change=soon, **options)

    return make


async def asked_of_people(w: Whole, ticket: str) -> dict[str, Any]:
    """The approval that a dispute waits for."""
    await disputes.until(w, ticket, "waiting")
    _, found = await w.call("GET", "/api/approvals")
    return next(each for each in found["approvals"] if each["id"].startswith(f"{ticket}."))


def equal(request: dict[str, Any], note: dict[str, Any]) -> None:
    """The ledger's request and billing's note, net; and with it the tax."""
    assert Decimal(note["net"]) == Decimal(request["net_amount"])
    tax = (Decimal(request["net_amount"]) * 19 / 100).quantize(Decimal("0.01"))
    assert abs(Decimal(note["total"]) - Decimal(note["net"]) - tax) <= Decimal("0.03"), "tax is summed up by line"


async def test_a_small_dispute_is_credited_by_rule_to_the_cent(whole: Any) -> None:
    async with whole() as w:
        invoice = await sold(w, PAID, proved=True)
        ticket = await disputed(w, invoice, reason="wrong_price", disputed_amount="119.00 EUR")
        await started(w, ticket)
        await disputes.until(w, ticket, "done")
        (request,), (note,) = await credits_of(w, invoice["id"]), await credit_notes(w)
        assert (request["blocked"], request["key"]) == (False, f"ISTHMUS-{ticket}")
        assert (Decimal(note["net"]), Decimal(note["total"]), Decimal(note["refunded"])) == (100, 119, 119)
        equal(request, note)
        said = await ticket_of(w, ticket)
        assert said["status"] == "solved"
        evidence = said["internal"][0]
        for words in (
            invoice["id"],
            "receipt confirmed",
            "paid: yes",
            "OPP-1001",
            "Support plan",
            "/pdf",
            "119.00 EUR",
        ):
            assert words in evidence, evidence
        assert said["public"][-1].startswith(
            f"We have credited 119.00 EUR (of it tax 19.00 EUR) for invoice {invoice['id']}"
        )
        query = "/services/data/v62.0/query?q=SELECT+Subject,+Description+FROM+Task"
        (task,) = Caller(w.sandbox).ask("GET", query).body["records"]
        assert task["Subject"] == f"Credit of 119.00 EUR for invoice {invoice['id']} [{ticket}]"
        # the billing run posts it: type G2, and its number comes to billing's credit note
        await w.desk("sap_s4hana/play/billing_run", {})
        (memo,) = await w.books("sap_s4hana", "credit_note")
        await w.until(memo["id"], "done", process="credit-posting", timeout_s=40)
        (note,) = await credit_notes(w)
        assert note["metadata"]["legal_invoice_number"] == memo["id"]
        assert (Decimal(memo["net_amount"]), Decimal(memo["gross_amount"])) == (100, 119)
        # a second message about the same ticket starts nothing
        assert (await started(w, ticket)) == f"case-to-credit.zendesk.Ticket.{ticket}"
        await asyncio.sleep(0.5)
        assert len(await credit_notes(w)) == 1


async def test_people_agree_change_and_reject(whole: Any) -> None:
    async with whole() as w:
        invoice = await sold(w, PAID)
        tickets = [
            await disputed(w, invoice, reason="wrong_price", disputed_amount=amount)
            for amount in ("595.00 EUR", "714.00", "1190.00 EUR")
        ]
        for ticket in tickets:
            await started(w, ticket)
        # held back by the billing block until somebody agrees
        asked = [await asked_of_people(w, ticket) for ticket in tickets]
        assert [row["policy"] for row in asked] == ["finance"] * 3
        assert asked[0]["amount"] == "595.00"
        assert {fact["label"] for fact in asked[0]["facts"]} >= {"Invoice", "Order", "Delivery", "Payment"}
        held = await credits_of(w, invoice["id"])
        assert [row["blocked"] for row in held] == [True] * 3
        assert not await credit_notes(w)
        paths = [f"/api/approvals/{row['id']}" for row in asked]
        assert (await w.call("POST", f"{paths[0]}/approve", {}))[0] == 403, "who started it by the API has asked for it"
        for path, verb, body in (
            (paths[0], "approve", {}),
            (paths[1], "approve", {"amount": "357.00", "comment": "half of it"}),
            (paths[2], "reject", {"comment": "the price was agreed in writing"}),
        ):
            await by_somebody_else(w, path, verb, body)
        for ticket in tickets:
            await disputes.until(w, ticket, "done")
        notes = sorted(await credit_notes(w), key=lambda row: Decimal(row["total"]))
        assert [Decimal(row["total"]) for row in notes] == [357, 595]
        requests = sorted(await credits_of(w, invoice["id"]), key=lambda row: Decimal(row["net_amount"]))
        assert [(Decimal(row["net_amount"]), row["blocked"]) for row in requests] == [(300, False), (500, False)]
        for request, note in zip(requests, notes, strict=True):
            equal(request, note)
        said = await ticket_of(w, tickets[2])
        assert "We cannot credit it: the price was agreed in writing." in said["public"][-1]
        assert said["status"] == "solved"


async def by_somebody_else(w: Whole, path: str, verb: str, body: dict[str, Any]) -> None:
    """Decide as another person than the one who started the run."""
    from isthmus.orchestration import approval

    verdict: Any = {"approve": "approved", "reject": "rejected"}[verb]
    await approval.decide(
        w.store,
        path.rpartition("/")[2],
        verdict=verdict,
        who="maria",
        comment=body.get("comment"),
        amount=body.get("amount"),
    )
    w.worker.wake()


async def test_what_speaks_against_a_credit_ends_in_a_defined_way(whole: Any) -> None:
    async with whole() as w:
        invoice = await sold(w, PAID, proved=True)
        other = await buyer_of_another(w)
        cases = {
            "proved": await disputed(w, invoice, reason="not_received", disputed_amount="50.00 EUR"),
            "currency": await disputed(w, invoice, reason="wrong_price", disputed_amount="100.00 USD"),
            "amount": await disputed(w, invoice, reason="wrong_price", disputed_amount="about a hundred"),
            "line": await disputed(w, invoice, reason="wrong_price", disputed_line="77"),
            "unknown": await disputed(w, {**invoice, "id": "12345678"}, reason="wrong_price"),
            "stranger": await w.desk("zendesk/play/open_dispute", {"customer": other, "invoice_number": invoice["id"], "reason": "wrong_price"}),
        }  # fmt: skip
        cases["stranger"] = str(cases["stranger"]["ticket"])
        for ticket in cases.values():
            await started(w, ticket)
        rejected = await disputes.until(w, cases["proved"], "done")
        assert rejected["state"] == "done"
        assert "the receipt of the goods was confirmed to us" in (await ticket_of(w, cases["proved"]))["public"][-1]
        await disputes.until(w, cases["stranger"], "done", "parked")
        assert "not in your company's name" in (await ticket_of(w, cases["stranger"]))["public"][-1]
        for name, words in (
            ("currency", "Your invoice is in EUR"), ("amount", "such as 120.00 EUR"),
            ("line", "It has 10 ("), ("unknown", "the number of the invoice"),
        ):  # fmt: skip
            await disputes.until(w, cases[name], "waiting")
            said = await ticket_of(w, cases[name])
            assert said["status"] == "pending", name
            assert words in said["public"][-1], said["public"]
            assert len(said["public"]) == 2, "asked once"
        assert not await credits_of(w, invoice["id"])
        # the customer answers, the desk puts it into the form, and it goes on by itself
        await w.desk(
            f"zendesk/set/ticket/{cases['unknown']}", {"invoice_number": invoice["id"], "disputed_amount": "59.50"}
        )
        await disputes.until(w, cases["unknown"], "done")
        assert [Decimal(row["total"]) for row in await credit_notes(w)] == [Decimal("59.50")]


async def buyer_of_another(w: Whole) -> str:
    """The key of a customer whom the desk knows, and who bought nothing."""
    mine = await disputes.buyer(w, PAID)
    rows = [row for row in await w.books("zendesk", "customer") if row["erp_customer"] and row["key"] != mine]
    return str(rows[0]["key"])


async def test_nothing_is_paid_back_twice(whole: Any) -> None:
    async with whole() as w:
        invoice = await sold(w, PAID)
        await w.desk("stripe/play/dispute_charge", {"invoice": PAID, "reason": "product_not_received"})
        ticket = await disputed(w, invoice, reason="damaged", disputed_line="10", disputed_quantity="1")
        await started(w, ticket)
        await disputes.until(w, ticket, "waiting")
        said = await ticket_of(w, ticket)
        assert said["status"] == "hold"
        assert "a chargeback is running" in said["internal"][-1]
        assert not await credits_of(w, invoice["id"])
        await w.desk("stripe/play/resolve_dispute", {"outcome": "won"})
        asked = await asked_after(w, ticket)
        await by_somebody_else(w, asked["id"], "approve", {})
        await disputes.until(w, ticket, "done")
        (request,), (note,) = await credits_of(w, invoice["id"]), await credit_notes(w)
        equal(request, note)
        line = invoice["lines"][0]
        assert Decimal(request["net_amount"]) == (Decimal(line["net_amount"]) / Decimal(line["quantity"])).quantize(
            Decimal("0.01")
        )
        # the rest of it, by two people; after that nothing is left
        rest = await disputed(w, invoice, reason="duplicate_invoice")
        await started(w, rest)
        asked = await asked_of_people(w, rest)
        assert (asked["policy"], asked["needed"]) == ("finance-lead", 2)
        from isthmus.orchestration import approval

        for who in ("maria", "carla"):
            await approval.decide(w.store, asked["id"], verdict="approved", who=who, comment=None)
        w.worker.wake()
        await disputes.until(w, rest, "done")
        notes = await credit_notes(w)
        assert abs(disputes.total(notes, "total") - Decimal(invoice["gross_amount"])) <= Decimal("0.01"), (
            "a cent of tax"
        )
        assert disputes.total(notes, "net") == disputes.total(await credits_of(w, invoice["id"]), "net_amount")
        more = await disputed(w, invoice, reason="wrong_price")
        await started(w, more)
        await disputes.until(w, more, "done")
        assert "it was credited to you before (60000001, 60000002)" in (await ticket_of(w, more))["public"][-1]


async def asked_after(w: Whole, ticket: str) -> dict[str, Any]:
    """The approval that comes once what was waited for is over."""
    for _ in range(400):
        _, found = await w.call("GET", "/api/approvals")
        for each in found["approvals"]:
            if each["id"].startswith(f"{ticket}."):
                return dict(each)
        await asyncio.sleep(0.1)
    raise AssertionError(f"nobody was asked about {ticket}")


async def test_an_open_invoice_is_lessened_and_the_undo_knows_accounting(whole: Any) -> None:
    async with whole() as w:
        invoice = await sold(w, OPEN)
        (before,) = [i for i in await w.books("stripe", "invoice", OPEN) if i["living"]]
        assert before["status"] == "open"
        tickets = []
        for _ in range(2):
            ticket = await disputed(w, invoice, reason="wrong_quantity", disputed_amount="119.00")
            await started(w, ticket)
            await disputes.until(w, ticket, "done", "waiting", "parked")
            tickets.append(ticket)
        notes = await credit_notes(w)
        currency = before["currency"]
        assert len(notes) == 2, (currency, await w.call("GET", "/api/exceptions"))
        (after,) = [i for i in await w.books("stripe", "invoice", OPEN) if i["living"]]
        assert Decimal(before["due"]) - Decimal(after["due"]) == disputes.total(notes, "total")
        posted, draft = tickets
        await w.desk("sap_s4hana/play/billing_run", {"request": (await credits_of(w, invoice["id"]))[0]["id"]})
        for ticket in (posted, draft):
            run = await w.run_of(ticket, disputes.PROCESS)
            assert run is not None
            assert (await w.call("POST", f"/api/runs/{run['id']}/cancel", {"why": "wrong"}))[0] == 202
            await disputes.until(w, ticket, "undone")
        assert not await credit_notes(w), "both are void"
        assert not await credits_of(w, invoice["id"])
        (memo,) = [row for row in await w.books("sap_s4hana", "credit_note") if not row["cancels"]]
        assert memo["cancelled"], "what was posted is reversed"
        requests = await w.books("sap_s4hana", "credit_request")
        assert [row["living"] for row in requests] == [False], "the draft is deleted, the posted one's request rejected"
        (again,) = [i for i in await w.books("stripe", "invoice", OPEN) if i["living"]]
        assert again["due"] == before["due"]


async def test_the_desk_starts_it_by_a_signed_webhook(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(sandbox)
    hook = {"name": "Isthmus", "endpoint": "http://127.0.0.1:9/webhooks/zendesk", "http_method": "POST", "request_format": "json",
            "status": "active", "subscriptions": ["zen:event-type:ticket.created", "zen:event-type:ticket.form_changed"]}  # fmt: skip
    made = desk.post("/webhooks", "webhook", **hook)
    secret = desk.get(f"/webhooks/{made['id']}/signing_secret")["signing_secret"]["secret"]
    w = Whole(sandbox, tmp_path, monkeypatch, change=soon)
    monkeypatch.setenv("ISTHMUS_ZENDESK_WEBHOOK_SECRET", secret)
    async with w:
        answer = desk.ask(
            "PUT",
            f"/webhooks/{made['id']}",
            {"webhook": {**hook, "endpoint": f"http://127.0.0.1:{w.port}/webhooks/zendesk"}},
        )
        assert answer.status in (200, 204), answer
        invoice = await sold(w, PAID)
        by_order = {**invoice, "id": "see below"}
        (order,) = await w.books("sap_s4hana", "order", PAID)
        ticket = await disputed(w, by_order, reason="wrong_price", disputed_amount="11.90", order_number=order["id"])
        await disputes.until(w, ticket, "done")
        assert [Decimal(row["total"]) for row in await credit_notes(w)] == [Decimal("11.90")]
        plain = await w.desk("zendesk/play/open_ticket", {"customer": await disputes.buyer(w), "subject": "A question"})
        await asyncio.sleep(1)
        assert await w.run_of(str(plain["ticket"]), disputes.PROCESS) is None, "a plain ticket is no dispute"
        assert json.loads((await w.run_of(ticket, disputes.PROCESS) or {})["input"])["kind"] == "dispute"
