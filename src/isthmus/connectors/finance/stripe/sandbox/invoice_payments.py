"""How invoices are paid: the payment intent that waits for it, attempts with a card, transfers, money outside Stripe.

docs.stripe.com/api/invoice-payment: an invoice has one default payment and, when it is paid in parts, further ones.
"""

from __future__ import annotations

from .account import Account, Body
from .customer_balance import change_balance
from .errors import Declined, StripeError
from .lists import PAGING, objects, page
from .operation import Ask, operation, refuse_unless, retrieval
from .payment_methods import add_transfer_method, resolved
from .payments import attempt, cancel, new_intent


def open_payment(account: Account, invoice: Body) -> Body:
    """What waits for the invoice's money from its finalization on: a payment intent and an invoice payment."""
    intent = new_intent(
        account,
        invoice["amount_remaining"],
        invoice["currency"],
        customer=invoice["customer"],
        description=f"Payment for Invoice {invoice['number']}",
        payment_method_types=["card", "customer_balance"],
    )
    return _add_payment(account, invoice, intent, is_default=True)


def pay_with(account: Account, invoice: Body, method: Body) -> Declined | None:
    """Charge what remains of an open invoice. None when it is paid now, else the 402; both are announced."""
    payment = default_payment(account, invoice)
    intent = account.get("payment_intent", payment["payment"]["payment_intent"])
    invoice["attempted"] = True
    invoice["attempt_count"] += 1 if not invoice["attempt_count"] else 0
    invoice["next_payment_attempt"] = None
    declined = attempt(account, intent, method)
    if declined is None:
        _paid(account, payment, intent["amount_received"])
        settle(account, invoice, intent["amount_received"])
        return None
    event = "invoice.payment_failed"
    if intent["status"] == "requires_action":
        declined.error["code"] = "invoice_payment_intent_requires_action"
        event = "invoice.payment_action_required"
    account.save(invoice, "invoice.updated", event)
    return declined


def pay_by_transfer(account: Account, invoice: Body, amount: int) -> Body:
    """The customer's bank transfer arrives; it may be a part of what is due, or more. The payment intent of it."""
    payment = default_payment(account, invoice)
    intent = account.get("payment_intent", payment["payment"]["payment_intent"])
    if amount < invoice["amount_remaining"]:
        intent["amount"] -= amount
        account.save(intent)
        payment["amount_requested"] -= amount
        account.save(payment)
        about = {"customer": invoice["customer"], "description": f"Part of Invoice {invoice['number']}"}
        intent = new_intent(account, amount, invoice["currency"], **about)
        payment = _add_payment(account, invoice, intent, is_default=False)
    intent["amount"] = min(amount, invoice["amount_remaining"])
    attempt(account, intent, add_transfer_method(account, invoice["customer"]))
    _paid(account, payment, intent["amount"])
    settle(account, invoice, amount)
    return intent


def pay_outside(account: Account, invoice: Body) -> None:
    """The money came outside Stripe: nothing is charged, and the intent is let go."""
    close_payment(account, invoice, None)
    invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    settle(account, invoice, invoice["amount_remaining"])


def close_payment(account: Account, invoice: Body, reason: str | None) -> None:
    """Nobody waits for the invoice's money any more."""
    for payment in account.having("invoice_payment", "invoice", invoice["id"]):
        if payment["status"] != "open":
            continue
        intent = account.get("payment_intent", payment["payment"]["payment_intent"])
        cancel(account, intent, reason)
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = account.now
        account.save(payment)


def expect_less(account: Account, invoice: Body) -> None:
    """What remains of the invoice has changed (a credit note): its payment asks for that."""
    payment = default_payment(account, invoice)
    intent = account.get("payment_intent", payment["payment"]["payment_intent"])
    intent["amount"] = payment["amount_requested"] = invoice["amount_remaining"]
    account.save(intent)
    account.save(payment)


def settle(account: Account, invoice: Body, amount: int, *more: str) -> None:
    """Count money towards an invoice; with the last of it the invoice is paid. What is too much becomes credit."""
    over = max(amount - invoice["amount_remaining"], 0)
    invoice["amount_paid"] += amount - over
    invoice["amount_remaining"] -= amount - over
    events = ["invoice.updated", *more]
    if over:
        invoice["amount_overpaid"] += over
        customer = account.get("customer", invoice["customer"])
        change_balance(
            account, customer, -over, "invoice_overpaid", invoice=invoice["id"], currency=invoice["currency"]
        )
        account.save(customer, "customer.updated")
        events.append("invoice.overpaid")
    if invoice["amount_remaining"] == 0:
        invoice |= {"status": "paid", "attempted": True, "next_payment_attempt": None, "auto_advance": False}
        invoice["status_transitions"]["paid_at"] = account.now
        events += ["invoice.paid", "invoice.payment_succeeded"]
    account.save(invoice, *events)
    if invoice["status"] == "paid":
        _revive(account, invoice)


def settled_by(account: Account, intent: Body) -> None:
    """An intent succeeded by itself: if an invoice waited for it, the invoice is paid."""
    for payment in account.having("invoice_payment", "payment_intent", intent["id"]):
        if payment["status"] == "open":
            _paid(account, payment, intent["amount_received"])
            settle(account, account.get("invoice", payment["invoice"]), intent["amount_received"])


def default_payment(account: Account, invoice: Body) -> Body:
    """The open default payment of an invoice. Raises StripeError where nothing is open."""
    for payment in account.having("invoice_payment", "invoice", invoice["id"]):
        if payment["is_default"] and payment["status"] == "open":
            return payment
    raise StripeError(f"Invoice {invoice['id']} has no payment that is open.")


def charges_of(account: Account, invoice: Body) -> list[Body]:
    """The successful charges that paid an invoice, oldest first."""
    payments = account.having("invoice_payment", "invoice", invoice["id"])
    intents = [account.get("payment_intent", p["payment"]["payment_intent"]) for p in payments if p["status"] == "paid"]
    return [account.get("charge", intent["latest_charge"]) for intent in intents]


def default_method(account: Account, invoice: Body) -> Body | None:
    """The payment method that an invoice is charged to: its own, its subscription's, or its customer's."""
    parent = (invoice["parent"] or {}).get("subscription_details")
    subscription = account.find("subscription", parent["subscription"]) if parent else None
    if invoice["default_payment_method"]:
        return resolved(account, invoice["default_payment_method"], "payment_method")
    return subscription_method(account, subscription or invoice)


def subscription_method(account: Account, payer: Body) -> Body | None:
    """The payment method of a subscription or an invoice: its own, or its customer's."""
    customer = account.get("customer", payer["customer"])
    identity = payer["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return resolved(account, identity, "payment_method") if identity else None


def _revive(account: Account, invoice: Body) -> None:
    parent = (invoice["parent"] or {}).get("subscription_details")
    subscription = account.find("subscription", parent["subscription"]) if parent else None
    if subscription and subscription["status"] in ("incomplete", "past_due", "unpaid"):
        subscription["status"] = "active"
        account.save(subscription, "customer.subscription.updated")


def _add_payment(account: Account, invoice: Body, intent: Body, *, is_default: bool) -> Body:
    return account.add(
        {
            "id": account.new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": intent["amount"],
            "created": account.now,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": is_default,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def _paid(account: Account, payment: Body, amount: int) -> None:
    payment |= {"status": "paid", "amount_paid": amount}
    payment["status_transitions"]["paid_at"] = account.now
    account.save(payment, "invoice_payment.paid")


def _list(account: Account, ask: Ask) -> str:
    selection = objects(account, "invoice_payment")
    for name in ("invoice", "status"):
        if name in ask:
            selection.having(account, "invoice_payment", name, ask[name])
    if "created" in ask:
        selection.within("created", ask["created"])
    payment = ask.get("payment")
    if payment:
        refuse_unless("payment_intent" in payment, "Missing required param: payment[payment_intent].")
        selection.having(account, "invoice_payment", "payment_intent", payment["payment_intent"])
    return page(account, ask, "invoice_payment", selection, "/v1/invoice_payments")


OPERATIONS = (
    operation(
        "GET",
        "/v1/invoice_payments",
        _list,
        f"invoice status:open|paid|canceled created:range payment{{payment_intent type!:payment_intent}} {PAGING}",
    ),
    retrieval("/v1/invoice_payments/{id}", "invoice_payment"),
)
