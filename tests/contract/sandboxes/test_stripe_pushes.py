"""The Stripe stand-in: webhooks, what people do there, what administrators see and change, its books."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.stripe_caller import Caller, Hook

from isthmus.sandbox.worlds import open_sandboxes
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import build
from isthmus.sandkit.faults import Faults

DAY_S = 24 * 3600


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["stripe"]) as started:
        yield started


@pytest.fixture
def caller(running: RunningSandbox) -> Iterator[Caller]:
    yield Caller(running)
    running.desk("faults", {"rules": []})


def signed(hook: Hook, headers: dict[str, str], body: bytes) -> bool:
    at, _, signature = headers["stripe-signature"].partition(",v1=")
    wanted = hmac.new(hook.secret.encode(), at.removeprefix("t=").encode() + b"." + body, hashlib.sha256)
    return hmac.compare_digest(signature, wanted.hexdigest()) and abs(int(at[2:]) - time.time()) < 60


# Webhooks -------------------------------------------------------------------------------------------


def test_an_endpoint_hears_what_it_asked_for_signed_by_its_own_secret(caller: Caller) -> None:
    paid, everything = Hook(caller, "invoice.paid"), Hook(caller, "*")
    invoice = caller.open_invoice(500, metadata={"order": "77"})["id"]
    caller.play("pay_invoice", invoice="77", method="card")
    event = paid.wait(1)[0]
    assert (event["type"], event["data"]["object"]["id"]) == ("invoice.paid", invoice)
    assert event["pending_webhooks"] == 2 and event["api_version"] == "2026-10-28.endive"
    assert all(signed(paid, headers, body) for headers, body in paid.heard)
    heard = {one["type"] for one in everything.wait(10)}
    assert {"invoice.created", "invoice.finalized", "charge.succeeded", "invoice_payment.paid"} <= heard
    assert not any(signed(everything, headers, body) for headers, body in paid.heard)
    paid.close()
    everything.close()


def test_refused_deliveries_come_again_with_a_new_signature(caller: Caller) -> None:
    hook = Hook(caller, "customer.updated", refusals=1)
    identity = caller.customer()
    caller.post(f"/customers/{identity}", phone="1")
    hook.wait(1)
    time.sleep(0.1)
    assert len(hook.heard) == 1
    caller.running.desk("clock", {"advance_s": 2})
    first, second = hook.wait(2)
    assert first == second
    assert hook.heard[0][0]["stripe-signature"] != hook.heard[1][0]["stripe-signature"]
    hook.close()


def test_pushes_can_come_twice_and_out_of_order(caller: Caller) -> None:
    hook = Hook(caller, "customer.updated")
    identity = caller.customer()
    caller.faults({"kind": "push_twice", "times": 1})
    caller.post(f"/customers/{identity}", phone="1")
    assert len({event["id"] for event in hook.wait(2)}) == 1
    caller.faults({"kind": "push_reordered", "times": 1, "delay_s": 0.3})
    for phone in ("2", "3"):
        caller.post(f"/customers/{identity}", phone=phone)
    assert [event["data"]["object"]["phone"] for event in hook.wait(4)[2:]] == ["3", "2"]
    hook.close()


def test_a_request_that_is_undone_announces_nothing(caller: Caller) -> None:
    newest = caller.get("/events", {"limit": 1})["data"][0]["id"]
    refused = caller.refused(
        "/customers", tax_id_data=[{"type": "eu_vat", "value": "DE123456789"}, {"type": "x", "value": "1"}]
    )
    assert refused["param"] == "type"
    assert caller.get("/events", {"limit": 1})["data"][0]["id"] == newest


def test_events_are_listed_for_thirty_days(running: RunningSandbox) -> None:
    with RunningSandbox(only=["stripe"]) as fresh:
        caller = Caller(fresh)
        assert caller.get("/events")["data"] == []  # the seed's customers are older
        caller.customer()
        event = caller.get("/events", {"type": "customer.*"})["data"][0]
        assert caller.get("/events", {"types": ["invoice.paid"]})["data"] == []
        fresh.desk("clock", {"advance_s": 31 * DAY_S})
        assert caller.get("/events")["data"] == []
        assert caller.ask("GET", f"/events/{event['id']}").status == 404


# What people do there -------------------------------------------------------------------------------


def test_transfers_pay_in_parts_and_too_much_becomes_credit(caller: Caller) -> None:
    customer = caller.customer()
    invoice = caller.open_invoice(10_000, customer=customer, metadata={"order": "PART-1"})["id"]
    told = caller.play("pay_invoice", invoice="PART-1", amount="40.00")
    assert told == {"invoice": invoice, "status": "open", "paid": "40.00", "remaining": "60.00"}
    assert caller.play("pay_invoice", invoice=invoice, amount="65")["status"] == "paid"
    whole = caller.get(f"/invoices/{invoice}")
    assert (whole["amount_paid"], whole["amount_overpaid"]) == (10_000, 500)
    assert caller.get(f"/customers/{customer}")["balance"] == -500


def test_failed_payment_is_announced_and_the_invoice_stays_open(caller: Caller) -> None:
    invoice = caller.open_invoice(10_000)["id"]
    told = caller.play("fail_payment", invoice=invoice)
    assert (told["status"], told["declined"]) == ("open", "generic_decline")
    event = caller.get("/events", {"type": "invoice.payment_failed", "limit": 1})["data"][0]
    assert event["data"]["object"]["id"] == invoice
    with pytest.raises(ValueError, match="does not decline"):
        caller.play("fail_payment", invoice=invoice, card="visa")


def test_dispute_takes_the_money_and_a_won_one_brings_it_back(caller: Caller) -> None:
    invoice = caller.open_invoice(10_000)["id"]
    with pytest.raises(ValueError, match="nothing was charged"):
        caller.play("dispute_charge", invoice=invoice)
    caller.play("pay_invoice", invoice=invoice, method="card")
    dispute = caller.play("dispute_charge", invoice=invoice, reason="product_not_received")["dispute"]
    booked = caller.get("/balance_transactions", {"source": dispute})["data"]
    assert [(one["amount"], one["reporting_category"]) for one in booked] == [(-10_000, "dispute")]
    assert caller.play("resolve_dispute", dispute=dispute, outcome="won")["status"] == "won"
    assert sum(one["net"] for one in caller.get("/balance_transactions", {"source": dispute})["data"]) == 0
    kinds = {one["type"] for one in caller.get("/events", {"type": "charge.dispute.*"})["data"]}
    assert {"charge.dispute.created", "charge.dispute.closed", "charge.dispute.funds_reinstated"} <= kinds


def test_refund_in_the_dashboard(caller: Caller) -> None:
    invoice = caller.open_invoice(10_000)["id"]
    caller.play("pay_invoice", invoice=invoice, method="card")
    assert caller.play("refund", invoice=invoice, amount="25.50")["status"] == "succeeded"
    charge = caller.get("/refunds", {"limit": 1})["data"][0]["charge"]
    assert caller.get(f"/charges/{charge}")["amount_refunded"] == 2550


def test_time_finalizes_drafts_that_advance_and_passes_due_dates(running: RunningSandbox) -> None:
    with RunningSandbox(only=["stripe"]) as fresh:
        caller = Caller(fresh)
        waiting = caller.draft(500, customer=caller.customer("pm_card_visa"), auto_advance=True)["id"]
        manual = caller.draft(500)["id"]
        due = caller.open_invoice(500, collection_method="send_invoice", days_until_due=1)["id"]
        fresh.desk("clock", {"advance_s": 2 * DAY_S})
        told = caller.play("roll_subscriptions")
        assert told == {"invoices": [], "finalized": [waiting], "overdue": [due]}
        statuses = [caller.get(f"/invoices/{one}")["status"] for one in (waiting, manual, due)]
        assert statuses == ["paid", "draft", "open"]
        assert caller.play("roll_subscriptions")["overdue"] == []


# What administrators see and change -------------------------------------------------------------------


def test_rows_are_shown_by_business_key(running: RunningSandbox, caller: Caller) -> None:
    known = next(one for one in running.desk("stripe/show/customer") if one["card"])
    account = next(one for one in running.company.accounts if one.number == known["key"])
    assert (known["name"], known["account"]) == (account.name, account.unit)
    assert running.desk(f"stripe/show/customer/{account.key}") == [known]
    caller.open_invoice(123_456, metadata={"order": "SHOW-1"})
    row = running.desk("stripe/show/invoice/SHOW-1")[0]
    assert (row["total"], row["currency"], row["status"]) == ("1234.56", "EUR", "open")
    with pytest.raises(ValueError, match="no kind"):
        running.desk("stripe/show/opportunity")


def test_changes_go_through_the_api_and_are_announced(running: RunningSandbox, caller: Caller) -> None:
    identity = caller.customer(metadata={"erp_customer": "999"})
    changed = running.desk("stripe/set/customer/999", {"name": "Renamed AG", "metadata.tier": "gold"})
    assert (changed["name"], changed["metadata"]) == ("Renamed AG", {"erp_customer": "999", "tier": "gold"})
    event = caller.get("/events", {"limit": 1})["data"][0]
    assert (event["type"], event["data"]["object"]["id"]) == ("customer.updated", identity)
    with pytest.raises(ValueError, match="unknown parameter"):
        running.desk("stripe/set/customer/999", {"colour": "red"})
    with pytest.raises(ValueError, match="use a verb"):
        running.desk("stripe/set/payment/pi_1", {"amount": "1"})


def test_a_declined_card_is_in_the_seed(running: RunningSandbox, caller: Caller) -> None:
    fated = next(one for one in running.company.accounts if one.card == "declined")
    row = running.desk(f"stripe/show/customer/{fated.key}")[0]
    invoice = caller.draft(5000, customer=row["id"], auto_advance=True, currency=fated.currency.lower())["id"]
    assert caller.post(f"/invoices/{invoice}/finalize")["status"] == "open"
    assert caller.get(f"/invoices/{invoice}")["attempt_count"] == 1


# The books --------------------------------------------------------------------------------------------


def test_books_survive_faults_and_hold_both_accounts_in_major_units(running: RunningSandbox) -> None:
    with RunningSandbox(only=["stripe"]) as fresh:
        europe, asia = Caller(fresh), Caller(fresh, "api_key_apac")
        invoice = europe.open_invoice(*range(1000, 1012), metadata={"order": "EU-1"})["id"]
        europe.play("pay_invoice", invoice=invoice)
        yen = asia.draft(1_204_000, currency="jpy", metadata={"order": "JP-1"})["id"]
        asia.post(f"/invoices/{yen}/finalize")
        asia.post(f"/invoices/{yen}/void")
        europe.faults(
            {"kind": "limited", "rate": 0.3}, {"kind": "cut_before", "rate": 0.2}, {"kind": "down", "rate": 0.1}
        )
        rows = fresh.desk("stripe/books")
        europe.faults()
    invoices = {row["order"]: row for row in rows if row["kind"] == "invoice"}
    assert invoices["EU-1"]["total"] == str(Decimal(sum(range(1000, 1012))) / 100)
    assert len(invoices["EU-1"]["lines"]) == 12 and invoices["EU-1"]["account"] == "emea"
    japanese = invoices["JP-1"]
    assert (japanese["total"], japanese["living"], japanese["account"]) == ("1204000", False, "apac")
    payments = [
        row for row in rows if row["kind"] == "payment" and row["invoice"] == invoice and row["status"] == "paid"
    ]
    assert [row["amount"] for row in payments] == [invoices["EU-1"]["total"]]
    customers = [row for row in rows if row["kind"] == "customer" and row["key"]]
    assert {row["account"] for row in customers} == {"emea", "apac"}
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_world_in_a_file_is_opened_as_it_was_left(tmp_path: Path) -> None:
    def opened() -> Any:
        return open_sandboxes(build(1), Clock(), Faults(), only=["stripe"], folder=tmp_path)["stripe"]

    first = opened()
    with first.world.transaction():
        key = first.verbs()["roll_key"].act({"unit": "emea"})["api_key"]
    shown = first.show("customer", None)
    first.world.close()
    again = opened()
    assert again.credentials()["api_key"] == key
    assert again.show("customer", None) == shown
