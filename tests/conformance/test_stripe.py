"""The unmodified stripe-python client against the stand-in: reading, writing, paying, errors, keys, events, webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import stripe
from tests.support.running_sandbox import RunningSandbox


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["stripe"]) as sandbox:
        yield sandbox


def client_of(running: RunningSandbox, key: str, **options: Any) -> stripe.StripeClient:
    base = running.base_url("stripe")
    addresses: Any = {"api": base, "files": base, "connect": base, "meter_events": base}
    return stripe.StripeClient(key, base_addresses=addresses, **options)


@pytest.fixture(scope="module")
def client(running: RunningSandbox) -> stripe.StripeClient:
    return client_of(running, running.credentials("stripe")["api_key"])


@pytest.fixture
def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"name": "Solar Buyer GmbH", "email": "buyer@solar.example"})


def test_the_pinned_version_is_answered(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    headers = customer.last_response.headers
    assert headers["Stripe-Version"] == stripe.api_version == "2026-10-28.endive"
    assert customer.last_response.request_id.startswith("req_")


def test_each_key_opens_its_own_account(running: RunningSandbox, client: stripe.StripeClient) -> None:
    other = client_of(running, running.credentials("stripe")["api_key_apac"])
    own, others = client.v1.accounts.retrieve_current(), other.v1.accounts.retrieve_current()
    assert (own.default_currency, others.default_currency) == ("eur", "jpy")
    first = client.v1.customers.list({"limit": 1}).data[0]
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        other.v1.customers.retrieve(first.id)


def test_reads_seeded_customers_page_by_page(running: RunningSandbox, client: stripe.StripeClient) -> None:
    paged = list(client.v1.customers.list({"limit": 3}).auto_paging_iter())
    seeded = [one for one in paged if "account_key" in one.metadata]
    known = {account.key: account for account in running.company.accounts if account.unit == "emea"}
    assert 0.3 < len(seeded) / len(known) < 0.7
    assert len({one.id for one in paged}) == len(paged) > 9
    for one in seeded:
        account = known[one.metadata["account_key"]]
        assert (one.name, one.metadata["erp_customer"]) == (account.name, account.number)
        assert bool(one.invoice_settings.default_payment_method) is bool(account.card)


def test_pages_backwards(client: stripe.StripeClient) -> None:
    whole = [one.id for one in client.v1.customers.list({"limit": 9}).data]
    page = client.v1.customers.list({"limit": 2, "ending_before": whole[6]})
    assert [one.id for one in page.data] == whole[4:6]
    assert page.has_more


def test_customer_life(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create(
        {
            "name": "Nordlys AS",
            "address": {"country": "NO", "city": "Oslo"},
            "metadata": {"erp_customer": "900", "tier": "gold"},
            "tax_id_data": [{"type": "no_vat", "value": "NO123456789MVA"}],
            "expand": ["tax_ids"],
        }
    )
    assert made.tax_ids is not None and made.tax_ids.data[0].value == "NO123456789MVA"
    changed = client.v1.customers.update(made.id, {"metadata": {"tier": ""}, "phone": "+47"})
    assert changed.metadata.to_dict() == {"erp_customer": "900"}
    assert client.v1.customers.delete(made.id).deleted
    assert client.v1.customers.retrieve(made.id).deleted
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(made.id, {"name": "x"})


def test_searches_by_metadata_and_pages_the_result(client: stripe.StripeClient) -> None:
    made = [client.v1.products.create({"name": f"Panel {n}", "metadata": {"line": "roof"}}).id for n in range(5)]
    found = list(client.v1.products.search({"query": "metadata['line']:'roof'", "limit": 2}).auto_paging_iter())
    assert sorted(one.id for one in found) == sorted(made)
    assert client.v1.products.search({"query": "name~'anel 3' AND metadata['line']:'roof'"}).data[0].name == "Panel 3"
    with pytest.raises(stripe.InvalidRequestError, match="unsupported search field"):
        client.v1.products.search({"query": "colour:'red'"})


def test_invoice_of_many_lines_is_paid_by_transfer(
    running: RunningSandbox, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    invoice = client.v1.invoices.create(
        {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 30, "currency": "eur"}
    )
    rate = {"display_name": "VAT", "percentage": "19", "inclusive": False}
    lines: Any = [
        {
            "description": f"Panel {n}",
            "amount": 1000,
            "metadata": {"product": f"X-{n}"},
            "tax_amounts": [{"amount": 190, "taxable_amount": 1000, "tax_rate_data": rate}],
        }
        for n in range(12)
    ]
    invoice = client.v1.invoices.add_lines(invoice.id, {"lines": lines})
    assert (invoice.total, invoice.total_excluding_tax, invoice.total_taxes[0].amount) == (14280, 12000, 2280)
    assert len(invoice.lines.data) == 10 and invoice.lines.has_more
    listed = list(client.v1.invoices.line_items.list(invoice.id, {"limit": 5}).auto_paging_iter())
    assert [line.description for line in listed] == [f"Panel {n}" for n in range(12)]
    invoice = client.v1.invoices.finalize_invoice(invoice.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert (invoice.status, invoice.amount_due) == ("open", 14280)
    assert invoice.payments.data[0].payment.payment_intent.amount == 14280
    running.desk("stripe/play/pay_invoice", {"invoice": invoice.id, "amount": "100"})
    running.desk("stripe/play/pay_invoice", {"invoice": invoice.id})
    paid = client.v1.invoices.retrieve(invoice.id)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 14280, 0)
    payments = client.v1.invoice_payments.list({"invoice": invoice.id})
    assert sorted(one.amount_paid for one in payments.data) == [4280, 10000]


def test_pending_items_prices_and_tax_rates_make_an_invoice(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    rate = client.v1.tax_rates.create({"display_name": "MwSt", "percentage": 19, "inclusive": False})
    product = client.v1.products.create({"id": f"X-{customer.id}", "name": "Inverter"})
    price = client.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount_decimal": Decimal("33.5")})
    assert price.unit_amount is None and price.unit_amount_decimal == Decimal("33.5")
    client.v1.invoice_items.create(
        {"customer": customer.id, "pricing": {"price": price.id}, "quantity": 3, "tax_rates": [rate.id]}
    )
    invoice = client.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"})
    assert (invoice.currency, invoice.subtotal, invoice.total) == ("eur", 101, 120)
    line = invoice.lines.data[0]
    assert line.pricing.price_details.price == price.id and line.quantity == 3
    changed = client.v1.invoices.update_lines(invoice.id, {"lines": [{"id": line.id, "quantity": 6}]})
    assert changed.subtotal == 201
    emptied = client.v1.invoices.remove_lines(invoice.id, {"lines": [{"id": line.id, "behavior": "delete"}]})
    assert emptied.total == 0
    assert client.v1.invoices.delete(invoice.id).deleted
    with pytest.raises(stripe.InvalidRequestError, match="No such invoice"):
        client.v1.invoices.retrieve(invoice.id)


def test_card_pays_at_finalization_and_a_declined_one_leaves_the_invoice_open(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    def finalized(card: str) -> stripe.Invoice:
        method = client.v1.payment_methods.attach(card, {"customer": customer.id})
        client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
        invoice = client.v1.invoices.create({"customer": customer.id, "auto_advance": True, "currency": "eur"})
        client.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 5000, "description": "Survey"}]})
        return client.v1.invoices.finalize_invoice(invoice.id)

    assert finalized("pm_card_visa").status == "paid"
    invoice = finalized("pm_card_chargeCustomerFail")
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    with pytest.raises(stripe.CardError) as declined:
        client.v1.invoices.pay(invoice.id)
    assert declined.value.code == "card_declined" and declined.value.http_status == 402
    assert client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True}).status == "paid"


def test_credit_note_refunds_a_paid_invoice(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    invoice = client.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    line: Any = {"unit_amount": 1000, "currency": "eur", "product_data": {"name": "Panel"}}
    client.v1.invoices.add_lines(invoice.id, {"lines": [{"price_data": line, "quantity": 4, "description": "Panels"}]})
    invoice = client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
    lines: Any = [
        {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "quantity": 1},
    ]
    preview = client.v1.credit_notes.preview({"invoice": invoice.id, "lines": lines})
    assert (preview.total, preview.post_payment_amount) == (1000, 1000)
    with pytest.raises(stripe.InvalidRequestError, match="must equal"):
        client.v1.credit_notes.create({"invoice": invoice.id, "lines": lines, "refund_amount": 400})
    note = client.v1.credit_notes.create(
        {"invoice": invoice.id, "lines": lines, "refund_amount": 400, "credit_amount": 600, "reason": "order_change"}
    )
    assert note.refunds[0].amount_refunded == 400 and note.type == "post_payment"
    assert client.v1.customers.retrieve(customer.id).balance == -600
    refund = client.v1.refunds.retrieve(str(note.refunds[0].refund))
    charge = client.v1.charges.retrieve(str(refund.charge), {"expand": ["refunds", "balance_transaction"]})
    assert charge.amount_refunded == 400 and charge.balance_transaction.fee == 85
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"charge": charge.id, "amount": 4000})


def test_payment_intents_and_declines(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    assert intent.status == "requires_payment_method"
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge"]})
    assert paid.status == "succeeded" and paid.latest_charge.paid
    with pytest.raises(stripe.CardError) as declined:
        client.v1.payment_intents.create(
            {
                "amount": 2000,
                "currency": "usd",
                "confirm": True,
                "payment_method": "pm_card_chargeDeclinedInsufficientFunds",
            }
        )
    assert declined.value.error.decline_code == "insufficient_funds"
    failed = client.v1.payment_intents.retrieve(declined.value.error.payment_intent.id)
    assert failed.last_payment_error.code == "card_declined"
    held = client.v1.payment_intents.create(
        {
            "amount": 3000,
            "currency": "usd",
            "confirm": True,
            "capture_method": "manual",
            "payment_method": "pm_card_visa",
        }
    )
    assert held.status == "requires_capture"
    assert client.v1.payment_intents.capture(held.id, {"amount_to_capture": 2500}).amount_received == 2500
    with pytest.raises(stripe.InvalidRequestError) as wrong:
        client.v1.payment_intents.cancel(held.id)
    assert wrong.value.code == "payment_intent_unexpected_state"


def test_dispute_is_answered_with_evidence(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 2000, "currency": "eur", "confirm": True, "payment_method": "pm_card_createDispute"}
    )
    dispute = client.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.reason) == ("needs_response", "fraudulent")
    with pytest.raises(stripe.InvalidRequestError) as lost:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert lost.value.code == "charge_disputed"
    won = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert won.status == "won" and len(won.balance_transactions) == 2


def test_subscription_renews_by_the_clock(running: RunningSandbox, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create(
        {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    )
    product = client.v1.products.create({"name": "Care plan"})
    recurring: Any = {"interval": "month"}
    price = client.v1.prices.create(
        {"product": product.id, "currency": "eur", "unit_amount": 1500, "recurring": recurring, "lookup_key": "care"}
    )
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": price.id, "quantity": 2}], "expand": ["latest_invoice"]}
    )
    assert subscription.status == "active" and subscription.latest_invoice.amount_paid == 3000
    item = subscription["items"].data[0]
    changed = client.v1.subscriptions.update(subscription.id, {"items": [{"id": item.id, "quantity": 3}]})
    assert changed["items"].data[0].quantity == 3
    running.desk("clock", {"advance_s": 32 * 24 * 3600})
    running.desk("stripe/play/roll_subscriptions", {})
    invoice = client.v1.invoices.list({"subscription": subscription.id, "limit": 1}).data[0]
    assert invoice.billing_reason == "subscription_cycle"
    assert 5990 <= invoice.total <= 6000  # three for the new month, and one for what was left of the first
    client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    running.desk("clock", {"advance_s": 32 * 24 * 3600})
    running.desk("stripe/play/roll_subscriptions", {})
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"


def test_tax_is_calculated_by_country(client: stripe.StripeClient) -> None:
    def calculated(country: str, **details: Any) -> stripe.tax.Calculation:
        asked: Any = {"address": {"country": country}, "address_source": "billing", **details}
        lines: Any = [{"amount": 1000, "reference": "a"}, {"amount": 599, "reference": "b"}]
        return client.v1.tax.calculations.create({"currency": "eur", "customer_details": asked, "line_items": lines})

    assert calculated("DE").tax_amount_exclusive == 190 + 114
    abroad = calculated("FR", tax_ids=[{"type": "eu_vat", "value": "FR40100000000"}])
    assert (abroad.tax_amount_exclusive, abroad.tax_breakdown[0].taxability_reason) == (0, "reverse_charge")
    lines = client.v1.tax.calculations.line_items.list(abroad.id, {"limit": 1})
    assert lines.data[0].reference == "a" and lines.has_more


def test_parameters_are_checked(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    def refused(**params: Any) -> stripe.InvalidRequestError:
        with pytest.raises(stripe.InvalidRequestError) as error:
            client.v1.invoices.create(params)  # type: ignore[arg-type]
        return error.value

    assert refused(customer=customer.id, colour="red").code == "parameter_unknown"
    assert (refused().code, refused().param) == ("parameter_missing", "customer")
    assert refused(customer="cus_nobody").code == "resource_missing"
    assert refused(customer=customer.id, days_until_due="soon").code == "parameter_invalid_integer"
    assert refused(customer=customer.id, collection_method="send_invoice").code == "parameter_missing"


def test_idempotency_key_replays_and_refuses_other_parameters(client: stripe.StripeClient) -> None:
    key: Any = {"idempotency_key": "order-4711"}
    first = client.v1.customers.create({"name": "Once"}, key)
    again = client.v1.customers.create({"name": "Once"}, key)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        client.v1.customers.create({"name": "Twice"}, key)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        client.v1.products.create({"name": "Once"}, key)


def test_rate_limits_and_outages_are_stripes(running: RunningSandbox) -> None:
    patient = client_of(running, running.credentials("stripe")["api_key"], max_network_retries=2)
    running.desk("faults", {"rules": [{"kind": "down", "operation": "POST /v1/customers", "times": 1}]})
    assert patient.v1.customers.create({"name": "After the outage"}).id
    running.desk("faults", {"rules": [{"kind": "limited", "times": 1}]})
    with pytest.raises(stripe.RateLimitError):
        patient.v1.customers.list()
    running.desk("faults", {"rules": [{"kind": "cut_after", "operation": "POST /v1/customers", "times": 1}]})
    once = patient.v1.customers.create({"name": "Only once", "metadata": {"cut": "after"}})
    found = patient.v1.customers.search({"query": "metadata['cut']:'after'"})
    running.desk("faults", {"rules": []})
    assert [one.id for one in found.data] == [once.id]


def test_events_tell_what_changed(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    client.v1.customers.update(customer.id, {"name": "Renamed GmbH"}, {"idempotency_key": f"rename-{customer.id}"})
    event = client.v1.events.list({"types": ["customer.updated", "customer.deleted"], "limit": 1}).data[0]
    assert event.data.object["name"] == "Renamed GmbH"
    assert event.data.previous_attributes.to_dict() == {"name": "Solar Buyer GmbH"}
    assert event.request.idempotency_key == f"rename-{customer.id}"
    assert client.v1.events.retrieve(event.id).type == "customer.updated"


async def test_webhook_is_signed_for_the_client(
    running: RunningSandbox, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    heard: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        signature = next(line.split(": ", 1)[1] for line in head.split("\r\n") if line.startswith("Stripe-Signature"))
        heard.put_nowait((await reader.readexactly(int(fields["content-length"])), signature))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    create = client.v1.webhook_endpoints.create
    endpoint = await asyncio.to_thread(create, {"url": url, "enabled_events": ["customer.updated"]})
    assert endpoint.secret and endpoint.secret.startswith("whsec_")
    await asyncio.to_thread(client.v1.customers.update, customer.id, {"phone": "+49"})
    body, signature = await asyncio.wait_for(heard.get(), 5)
    tolerance = 365 * 24 * 3600  # another test has moved the sandbox's clock
    event = stripe.Webhook.construct_event(body, signature, endpoint.secret, tolerance)
    assert (event.type, event.data.object["id"]) == ("customer.updated", customer.id)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other", tolerance)
    assert json.loads(body)["pending_webhooks"] == 1
    await asyncio.to_thread(client.v1.webhook_endpoints.delete, endpoint.id)
    server.close()


def test_rolled_key_has_expired(running: RunningSandbox) -> None:
    old = client_of(running, running.credentials("stripe")["api_key_apac"])
    assert old.v1.balance.retrieve().available[0].currency == "jpy"
    running.desk("stripe/play/roll_key", {"unit": "apac"})
    with pytest.raises(stripe.AuthenticationError, match="Expired API Key"):
        old.v1.customers.list()
    new = client_of(running, running.credentials("stripe")["api_key_apac"])
    assert new.v1.customers.list({"limit": 1}).data
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        client_of(running, "sk_test_nobody_at_all").v1.customers.list()
