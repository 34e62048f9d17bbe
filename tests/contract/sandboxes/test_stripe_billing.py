"""The Stripe stand-in: invoices through their life, sums and taxes, credit notes, balances, currencies, subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.stripe_caller import Caller

from isthmus.connectors.finance.stripe.sandbox.subscription_billing import next_date

DAY_S = 24 * 3600


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["stripe"]) as started:
        yield started


@pytest.fixture
def caller(running: RunningSandbox) -> Caller:
    return Caller(running)


def types(caller: Caller, limit: int) -> list[str]:
    """The newest events' types, oldest first."""
    return [event["type"] for event in caller.get("/events", {"limit": limit})["data"]][::-1]


def test_numbers_follow_the_customers_prefix(caller: Caller) -> None:
    customer = caller.customer(invoice_prefix="SOLAR1")
    numbers = [caller.open_invoice(100, customer=customer)["number"] for _ in range(2)]
    assert numbers == ["SOLAR1-0001", "SOLAR1-0002"]
    own = caller.open_invoice(100, customer=customer, number="90000001")
    assert own["number"] == "90000001"
    other = caller.draft(100, customer=customer)["id"]
    assert caller.refused(f"/invoices/{other}", number="90000001")["param"] == "number"


def test_only_drafts_change_and_only_open_ones_are_voided(caller: Caller) -> None:
    draft = caller.draft(1000)["id"]
    assert "only void" in caller.refused(f"/invoices/{draft}/void")["message"]
    caller.post(f"/invoices/{draft}/finalize")
    refused = caller.refused(f"/invoices/{draft}", collection_method="send_invoice", days_until_due=3)
    assert (refused["code"], refused["message"]) == (
        "invoice_not_editable",
        "Finalized invoices can't be updated in this way",
    )
    assert caller.refused(f"/invoices/{draft}/add_lines", lines=[{"amount": 1}])["code"] == "invoice_not_editable"
    assert caller.post(f"/invoices/{draft}", metadata={"note": "1"}, description="d")["metadata"] == {"note": "1"}
    assert caller.ask("DELETE", f"/invoices/{draft}").error["code"] == "invoice_not_editable"
    voided = caller.post(f"/invoices/{draft}/void")
    assert voided["status"] == "void" and voided["status_transitions"]["voided_at"]
    payment = caller.get("/invoice_payments", {"invoice": draft})["data"][0]
    assert payment["status"] == "canceled"
    intent = caller.get(f"/payment_intents/{payment['payment']['payment_intent']}")
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "void_invoice")
    assert "already finalized" in caller.refused(f"/invoices/{draft}/finalize")["message"]


def test_paid_invoices_cannot_be_paid_again_and_empty_ones_are_paid_at_once(caller: Caller) -> None:
    paid = caller.post(f"/invoices/{caller.draft(700)['id']}/pay", payment_method="pm_card_visa")
    assert paid["status"] == "paid"
    assert types(caller, 3) == ["invoice.updated", "invoice.paid", "invoice.payment_succeeded"]
    assert "already paid" in caller.refused(f"/invoices/{paid['id']}/pay")["message"]
    empty = caller.open_invoice()
    assert (empty["status"], empty["total"]) == ("paid", 0)
    assert caller.refused(f"/invoices/{caller.open_invoice(700)['id']}/pay")["param"] == "payment_method"


def test_uncollectible_can_still_be_paid(caller: Caller) -> None:
    invoice = caller.open_invoice(800)["id"]
    assert caller.post(f"/invoices/{invoice}/mark_uncollectible")["status"] == "uncollectible"
    assert caller.post(f"/invoices/{invoice}/pay", payment_method="pm_card_visa")["status"] == "paid"


def test_sending_needs_a_mail_address(caller: Caller) -> None:
    terms = {"collection_method": "send_invoice", "days_until_due": 14}
    sent = caller.post(f"/invoices/{caller.draft(900, **terms)['id']}/send")
    assert (sent["status"], sent["due_date"]) == ("open", sent["created"] + 14 * DAY_S)
    silent = caller.draft(900, customer=caller.customer(email=""), **terms)["id"]
    assert "Missing email" in caller.refused(f"/invoices/{silent}/send")["message"]
    automatic = caller.draft(900)["id"]
    assert "collection method" in caller.refused(f"/invoices/{automatic}/send")["message"]


def test_taxes_are_rounded_once_a_rate_and_lose_nothing(caller: Caller) -> None:
    rate = caller.post("/tax_rates", display_name="MwSt", percentage="19", inclusive=False)["id"]
    invoice = caller.draft(105, 105, 105, default_tax_rates=[rate])
    taxes = [line["taxes"][0]["amount"] for line in invoice["lines"]["data"]]
    assert invoice["total_taxes"][0]["amount"] == sum(taxes) == 60  # 19 % of 3.15 is 0.5985
    assert sorted(taxes) == [20, 20, 20] and invoice["total"] == 375
    inclusive = caller.post("/tax_rates", display_name="VAT", percentage="7.7", inclusive=True)["id"]
    invoice = caller.draft(1077, default_tax_rates=[inclusive])
    assert (invoice["total"], invoice["total_excluding_tax"], invoice["subtotal_excluding_tax"]) == (1077, 1000, 1000)


def test_tax_by_hand_stands_and_reuses_its_archived_rate(caller: Caller) -> None:
    invoice = caller.draft()["id"]
    data = {"display_name": "VAT", "percentage": "20", "inclusive": False, "country": "AT"}
    lines = [
        {"amount": 333, "tax_amounts": [{"amount": 66, "taxable_amount": 333, "tax_rate_data": data}]},
        {"amount": 333, "tax_amounts": [{"amount": 67, "taxable_amount": 333, "tax_rate_data": data}]},
    ]
    made = caller.post(f"/invoices/{invoice}/add_lines", lines=lines)
    assert (made["total"], [tax["amount"] for tax in made["total_taxes"]]) == (799, [133])
    rate = caller.get(f"/tax_rates/{made['total_taxes'][0]['tax_rate_details']['tax_rate']}")
    assert rate["active"] is False
    refused = caller.refused(f"/invoices/{invoice}/add_lines", lines=[{"amount": 1, "tax_rates": [rate["id"]]}])
    assert "archived" in refused["message"]
    usable = caller.post("/tax_rates", display_name="x", percentage=1, inclusive=False)["id"]
    other = caller.draft(default_tax_rates=[usable])["id"]
    assert "default_tax_rates" in caller.refused(f"/invoices/{other}/add_lines", lines=lines)["message"]


def test_automatic_tax_goes_by_country(caller: Caller) -> None:
    abroad = caller.customer(address={"country": "FR"}, tax_id_data=[{"type": "eu_vat", "value": "FR40100000000"}])
    invoice = caller.draft(1000, customer=abroad, automatic_tax={"enabled": True})
    assert (invoice["total"], invoice["total_taxes"][0]["taxability_reason"]) == (1000, "reverse_charge")
    home = caller.customer(address={"country": "DE"})
    assert caller.draft(1000, customer=home, automatic_tax={"enabled": True})["total"] == 1190


def test_discounts_come_before_tax_and_lines_before_the_whole(caller: Caller) -> None:
    tenth = caller.post("/coupons", percent_off=10, duration="once")["id"]
    five = caller.post("/coupons", id=f"FIVE{tenth}", amount_off=500, currency="eur")["id"]
    rate = caller.post("/tax_rates", display_name="MwSt", percentage="19", inclusive=False)["id"]
    invoice = caller.draft(discounts=[{"coupon": five}], default_tax_rates=[rate])["id"]
    lines = [{"amount": 1000, "discounts": [{"coupon": tenth}]}, {"amount": 1100}]
    made = caller.post(f"/invoices/{invoice}/add_lines", lines=lines)
    assert made["subtotal"] == 2000
    assert sorted(one["amount"] for one in made["total_discount_amounts"]) == [100, 500]
    assert (made["total_excluding_tax"], made["total"]) == (1500, 1785)
    yen = caller.draft(100, currency="jpy")["id"]
    assert caller.refused(f"/invoices/{yen}", discounts=[{"coupon": five}])["param"] == "discounts"


def test_lines_are_in_the_invoices_currency_and_priced_one_way(caller: Caller) -> None:
    invoice = caller.draft(currency="jpy")["id"]
    path = f"/invoices/{invoice}/add_lines"
    product = caller.post("/products", name="Panel")["id"]
    price = caller.post("/prices", product=product, currency="eur", unit_amount=5)["id"]
    assert caller.refused(path, lines=[{"pricing": {"price": price}}])["param"] == "currency"
    monthly = caller.post("/prices", product=product, currency="jpy", unit_amount=5, recurring={"interval": "month"})[
        "id"
    ]
    assert "type=recurring" in caller.refused(path, lines=[{"pricing": {"price": monthly}}])["message"]
    assert caller.refused(path, lines=[{"amount": 5, "quantity": 2}])["code"] == "parameters_exclusive"
    assert caller.refused(path, lines=[{"description": "free"}])["code"] == "parameter_missing"
    data = {"currency": "jpy", "product": product, "unit_amount_decimal": "33.5"}
    made = caller.post(path, lines=[{"price_data": data, "quantity": 3}, {"amount": 12_040_00}])
    assert made["total"] == 101 + 1_204_000


def test_three_decimal_amounts_end_in_zero(caller: Caller) -> None:
    invoice = caller.draft(currency="kwd")["id"]
    refused = caller.refused(f"/invoices/{invoice}/add_lines", lines=[{"amount": 5124}])
    assert refused["code"] == "invalid_charge_amount"
    rate = caller.post("/tax_rates", display_name="VAT", percentage="5", inclusive=False)["id"]
    made = caller.draft(5130, currency="kwd", default_tax_rates=[rate])
    assert made["total_taxes"][0]["amount"] == 260 and made["total"] == 5390  # 256.5, to the nearest ten


def test_credit_notes_lessen_open_invoices_and_can_be_voided(caller: Caller) -> None:
    invoice = caller.open_invoice(1000, 500)["id"]
    assert "must equal" in caller.refused("/credit_notes", invoice=invoice, amount=400, refund_amount=400)["message"]
    note = caller.post("/credit_notes", invoice=invoice, amount=400, memo="late", metadata={"case": "7"})
    assert (note["type"], note["number"][-6:], note["pre_payment_amount"]) == ("pre_payment", "-CN-01", 400)
    assert caller.get(f"/invoices/{invoice}")["amount_due"] == 1100
    intent = caller.get("/invoice_payments", {"invoice": invoice})["data"][0]["payment"]["payment_intent"]
    assert caller.get(f"/payment_intents/{intent}")["amount"] == 1100
    assert caller.post(f"/credit_notes/{note['id']}/void")["status"] == "void"
    assert caller.get(f"/invoices/{invoice}")["amount_due"] == 1500
    caller.post("/credit_notes", invoice=invoice, amount=1500)
    assert caller.get(f"/invoices/{invoice}")["status"] == "paid"
    assert "more than what is left" in caller.refused("/credit_notes", invoice=invoice, amount=1)["message"]
    assert "open or paid" in caller.refused("/credit_notes", invoice=caller.draft(5)["id"], amount=1)["message"]


def test_credit_note_lines_take_their_share_of_tax_and_discount(caller: Caller) -> None:
    rate = caller.post("/tax_rates", display_name="MwSt", percentage="19", inclusive=False)["id"]
    product = caller.post("/products", name="Panel")["id"]
    draft = caller.draft(default_tax_rates=[rate])["id"]
    data = {"currency": "eur", "product": product, "unit_amount": 1000}
    line = caller.post(f"/invoices/{draft}/add_lines", lines=[{"price_data": data, "quantity": 4}])["lines"]["data"][0]
    caller.post(f"/invoices/{draft}/pay", payment_method="pm_card_visa")
    lines = [{"type": "invoice_line_item", "invoice_line_item": line["id"], "quantity": 1}]
    note = caller.post("/credit_notes", invoice=draft, lines=lines, out_of_band_amount=1190)
    assert (note["subtotal"], note["total"], note["total_taxes"][0]["amount"]) == (1000, 1190, 190)
    assert caller.get(f"/credit_notes/{note['id']}/lines")["data"][0]["invoice_line_item"] == line["id"]
    too_many = [{**lines[0], "quantity": 5}]
    assert "not more than" in caller.refused("/credit_notes", invoice=draft, lines=too_many)["message"]
    custom = [{"type": "custom_line_item", "unit_amount": 100, "quantity": 2, "tax_rates": [rate]}]
    shown = caller.get("/credit_notes/preview", {"invoice": draft, "lines": custom})
    assert (shown["total"], caller.get("/credit_notes", {"invoice": draft})["data"][0]["id"]) == (238, note["id"])


def test_customer_balance_pays_first_and_comes_back_when_voided(caller: Caller) -> None:
    customer = caller.customer()
    caller.post(f"/customers/{customer}/balance_transactions", amount=-500, currency="eur")
    invoice = caller.open_invoice(800, customer=customer)
    assert (invoice["amount_due"], invoice["starting_balance"], invoice["ending_balance"]) == (300, -500, 0)
    assert caller.get(f"/customers/{customer}")["balance"] == 0
    caller.post(f"/invoices/{invoice['id']}/void")
    assert caller.get(f"/customers/{customer}")["balance"] == -500
    listed = caller.get(f"/customers/{customer}/balance_transactions")["data"]
    assert [one["type"] for one in listed] == ["unapplied_from_invoice", "applied_to_invoice", "adjustment"]
    covered = caller.open_invoice(200, customer=customer)
    assert (covered["status"], covered["amount_due"]) == ("paid", 0)


def test_refunds_stop_at_what_is_left(caller: Caller) -> None:
    intent = caller.post("/payment_intents", amount=1000, currency="eur", confirm=True, payment_method="pm_card_visa")
    first = caller.post("/refunds", payment_intent=intent["id"], amount=400)
    assert (first["status"], caller.get(f"/balance_transactions/{first['balance_transaction']}")["amount"]) == (
        "succeeded",
        -400,
    )
    assert caller.refused("/refunds", charge=intent["latest_charge"], amount=700)["param"] == "amount"
    caller.post("/refunds", charge=intent["latest_charge"])
    assert caller.refused("/refunds", charge=intent["latest_charge"])["code"] == "charge_already_refunded"
    failing = caller.post(
        "/payment_intents", amount=900, currency="eur", confirm=True, payment_method="pm_card_refundFail"
    )
    assert caller.post("/refunds", payment_intent=failing["id"])["status"] == "failed"
    assert types(caller, 2) == ["refund.created", "refund.failed"]


def test_payment_methods_belong_to_one_customer(caller: Caller) -> None:
    mine, other = caller.customer(), caller.customer()
    method = caller.post("/payment_methods/pm_card_visa/attach", customer=mine)["id"]
    assert "already been attached" in caller.refused(f"/payment_methods/{method}/attach", customer=other)["message"]
    settings = {"default_payment_method": method}
    assert caller.refused(f"/customers/{other}", invoice_settings=settings)["code"] == "resource_missing"
    caller.post(f"/payment_methods/{method}/detach")
    assert "may not be used again" in caller.refused(f"/payment_methods/{method}/attach", customer=mine)["message"]
    declined = caller.refused("/payment_methods/pm_card_chargeDeclined/attach", customer=mine)
    assert (declined["type"], declined["code"]) == ("card_error", "card_declined")
    token = caller.post("/payment_methods", type="card", card={"token": "tok_mastercard"})
    assert token["card"]["brand"] == "mastercard"
    setup = caller.post("/setup_intents", customer=mine, payment_method=token["id"], confirm=True)
    assert setup["status"] == "succeeded"
    assert caller.get(f"/customers/{mine}/payment_methods")["data"][0]["id"] == token["id"]


def test_card_that_wants_its_holder_leaves_the_invoice_open(caller: Caller) -> None:
    customer = caller.customer("pm_card_threeDSecure2Required")
    refused = caller.refused(f"/invoices/{caller.draft(2000, customer=customer)['id']}/pay")
    assert refused["code"] == "invoice_payment_intent_requires_action"
    assert types(caller, 1) == ["invoice.payment_action_required"]


def subscribed(caller: Caller, customer: str, **values: Any) -> Any:
    product = caller.post("/products", name="Care plan Gold")["id"]
    price = {"currency": "eur", "product": product, "unit_amount": 3000, "recurring": {"interval": "month"}}
    return caller.post("/subscriptions", customer=customer, items=[{"price_data": price, "quantity": 1}], **values)


def test_subscription_waits_for_its_first_payment(caller: Caller) -> None:
    failing = subscribed(caller, caller.customer("pm_card_chargeCustomerFail"))
    assert failing["status"] == "incomplete"
    caller.post(f"/invoices/{failing['latest_invoice']}/pay", payment_method="pm_card_visa")
    assert caller.get(f"/subscriptions/{failing['id']}")["status"] == "active"
    product = caller.post("/products", name="Plan")["id"]
    price = caller.post("/prices", product=product, currency="eur", unit_amount=1000, recurring={"interval": "year"})[
        "id"
    ]
    nobody = caller.refused("/subscriptions", customer=caller.customer(), items=[{"price": price}])
    assert "no attached payment source" in nobody["message"]
    strict = {"items": [{"price": price}], "payment_behavior": "error_if_incomplete"}
    customer = caller.customer("pm_card_chargeCustomerFail")
    assert caller.refused("/subscriptions", customer=customer, **strict)["code"] == "card_declined"
    assert caller.get("/subscriptions", {"customer": customer, "status": "all"})["data"] == []


def test_subscription_is_prorated_paused_and_ended(running: RunningSandbox) -> None:
    with RunningSandbox(only=["stripe"]) as fresh:
        caller = Caller(fresh)
        customer = caller.customer("pm_card_visa")
        subscription = subscribed(caller, customer)
        item = subscription["items"]["data"][0]
        month_s = item["current_period_end"] - item["current_period_start"]
        fresh.desk("clock", {"advance_s": month_s // 2})
        path = f"/subscriptions/{subscription['id']}"
        caller.post(path, items=[{"id": item["id"], "quantity": 2}], proration_behavior="always_invoice")
        invoice = caller.get("/invoices", {"customer": customer, "limit": 1})["data"][0]
        assert (invoice["billing_reason"], invoice["total"]) == ("subscription_update", 1500)
        assert sorted(line["amount"] for line in invoice["lines"]["data"]) == [-1500, 3000]
        caller.post(path, pause_collection={"behavior": "void"})
        fresh.desk("clock", {"advance_s": month_s})
        made = caller.play("roll_subscriptions")["invoices"]
        assert [caller.get(f"/invoices/{one}")["status"] for one in made] == ["void"]
        caller.post(path, pause_collection="")
        method = caller.post("/payment_methods/pm_card_chargeCustomerFail/attach", customer=customer)["id"]
        caller.post(path, default_payment_method=method)
        fresh.desk("clock", {"advance_s": month_s})
        caller.play("roll_subscriptions")
        assert caller.get(path)["status"] == "past_due"
        ended = caller.ask("DELETE", path, {"cancellation_details": {"comment": "moved"}})
        assert (ended.body["status"], ended.body["cancellation_details"]["comment"]) == ("canceled", "moved")
        assert caller.refused(path, quantity=1)["code"] == "parameter_unknown"


@pytest.mark.parametrize(
    ("missing", "status"), [("pause", "paused"), ("cancel", "canceled"), ("create_invoice", "past_due")]
)
def test_trial_ends_as_agreed_where_there_is_nothing_to_charge(caller: Caller, missing: str, status: str) -> None:
    settings = {"end_behavior": {"missing_payment_method": missing}}
    trial = subscribed(caller, caller.customer(), trial_period_days=7, trial_settings=settings)
    assert trial["status"] == "trialing" and trial["trial_end"] == trial["trial_start"] + 7 * DAY_S
    assert caller.get(f"/invoices/{trial['latest_invoice']}")["total"] == 0
    assert caller.post(f"/subscriptions/{trial['id']}", trial_end="now")["status"] == status


def test_periods_keep_their_day_of_the_month() -> None:
    anchor = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
    dates, after = [], anchor
    for _ in range(3):
        after = next_date(anchor, {"interval": "month", "interval_count": 1}, after)
        dates.append(datetime.fromtimestamp(after, UTC).date().isoformat())
    assert dates == ["2026-02-28", "2026-03-31", "2026-04-30"]
