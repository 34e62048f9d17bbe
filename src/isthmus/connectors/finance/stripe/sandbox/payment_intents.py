"""Payment intents and charges as callers handle them: create, confirm, capture, cancel, list, search.

docs.stripe.com/api/payment_intents, /charges.
"""

from __future__ import annotations

from .account import Account, Body
from .errors import StripeError, missing_parameter
from .invoice_payments import settled_by
from .lists import listing
from .money import checked_charge, checked_currency
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval
from .payment_methods import attach_to, resolved
from .payments import attempt, cancel, capture, new_intent
from .search import searching
from .words import words

_SHIPPING = "shipping{address!{city country line1 line2 postal_code state} carrier name! phone tracking_number}"
_PARAMETERS = f"""
    customer description metadata:metadata payment_method payment_method_types[] receipt_email
    setup_future_usage:on_session|off_session {_SHIPPING} statement_descriptor statement_descriptor_suffix
    transfer_group payment_method_options:any automatic_payment_methods{{enabled!:bool allow_redirects:always|never}}"""
_CONFIRMING = "off_session return_url error_on_requires_action:bool mandate use_stripe_sdk:bool"
_PLAIN = words("customer description receipt_email setup_future_usage shipping statement_descriptor")
_PLAIN += words("statement_descriptor_suffix transfer_group automatic_payment_methods")


def create(account: Account, ask: Ask) -> Body:
    """A new payment intent; with ``confirm`` it is paid at once."""
    currency = checked_currency(ask["currency"])
    amount = checked_charge(ask["amount"], currency)
    about = {name: ask[name] for name in _PLAIN if name in ask}
    about |= {
        name: ask[name] for name in ("payment_method_types", "capture_method", "confirmation_method") if name in ask
    }
    if "customer" in about:
        account.get("customer", about["customer"], "customer")
    method = _method(account, ask, about.get("customer"))
    if method is not None:
        about |= {"payment_method": method["id"], "status": "requires_confirmation"}
    intent = new_intent(account, amount, currency, metadata=new_metadata(ask.given), **about)
    return _confirmed(account, intent, method) if ask.get("confirm") else intent


def confirm(account: Account, ask: Ask) -> Body:
    """Pay an intent with the payment method given now, or kept before."""
    intent = account.get("payment_intent", ask.id)
    waiting = ("requires_payment_method", "requires_confirmation", "requires_action")
    _expect(intent, waiting, "confirm")
    method = _method(account, ask, intent["customer"])
    if method is None and intent["payment_method"]:
        method = account.get("payment_method", intent["payment_method"])
    return _confirmed(account, intent, method)


def _confirmed(account: Account, intent: Body, method: Body | None) -> Body:
    if method is None:
        raise StripeError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method.",
            code="payment_intent_unexpected_state",
        )
    declined = attempt(account, intent, method)
    if declined is not None and intent["status"] != "requires_action":
        raise declined
    if intent["status"] == "succeeded":
        settled_by(account, intent)
    if intent["setup_future_usage"] and intent["customer"] and declined is None:
        attach_to(account, method, account.get("customer", intent["customer"]))
    return intent


def _method(account: Account, ask: Ask, customer: str | None) -> Body | None:
    if not ask.get("payment_method"):
        return None
    method = resolved(account, ask["payment_method"], "payment_method")
    refuse_unless(
        method["customer"] in (None, customer),
        f"The provided PaymentMethod cannot be used: it belongs to the customer {method['customer']}. Pass that "
        "customer too.",
        param="payment_method",
    )
    return method


def _modify(account: Account, ask: Ask) -> Body:
    intent = account.get("payment_intent", ask.id)
    monetary = {"amount", "currency", "payment_method", "customer"} & set(ask.given)
    if monetary:
        _expect(intent, ("requires_payment_method", "requires_confirmation", "requires_action"), "update")
    if "currency" in ask:
        intent["currency"] = checked_currency(ask["currency"])
    if "amount" in ask:
        intent["amount"] = checked_charge(ask["amount"], intent["currency"])
    merge(intent, ask, *_PLAIN)
    method = _method(account, ask, intent["customer"])
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    merge_metadata(intent, ask)
    return account.save(intent)


def _capture(account: Account, ask: Ask) -> Body:
    intent = account.get("payment_intent", ask.id)
    _expect(intent, ("requires_capture",), "capture")
    amount = ask.get("amount_to_capture", intent["amount_capturable"])
    refuse_unless(
        0 < amount <= intent["amount_capturable"],
        "The amount to capture must be more than 0 and not more than what can be captured.",
        "amount_too_large",
        "amount_to_capture",
    )
    capture(account, intent, amount)
    settled_by(account, intent)
    return intent


def _cancel(account: Account, ask: Ask) -> Body:
    intent = account.get("payment_intent", ask.id)
    cancelable = (
        "requires_payment_method",
        "requires_capture",
        "requires_confirmation",
        "requires_action",
        "processing",
    )
    _expect(intent, cancelable, "cancel")
    refuse_unless(
        not account.having("invoice_payment", "payment_intent", intent["id"]),
        "You cannot cancel a PaymentIntent created by an invoice. Instead, you should void the invoice.",
        "payment_intent_unexpected_state",
    )
    return cancel(account, intent, ask.get("cancellation_reason"))


def _expect(intent: Body, statuses: tuple[str, ...], act: str) -> None:
    if intent["status"] in statuses:
        return
    listed = ", ".join(statuses)
    raise StripeError(
        f"You cannot {act} this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent with "
        f"one of the following statuses may be {act}{'d' if act.endswith('e') else 'ed'}: {listed}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )


def _modify_charge(account: Account, ask: Ask) -> Body:
    charge = account.get("charge", ask.id)
    merge(charge, ask, "description", "receipt_email", "shipping", "transfer_group")
    merge_metadata(charge, ask)
    return account.save(charge, "charge.updated")


def _create_charge(account: Account, ask: Ask) -> Body:
    """The older way to charge: a token at once, with no intent that the caller sees."""
    if not ask.get("source"):
        raise missing_parameter("source")
    currency = checked_currency(ask["currency"])
    amount = checked_charge(ask["amount"], currency)
    method = resolved(account, ask["source"], "source")
    about = {name: ask.get(name) for name in ("customer", "description", "receipt_email")}
    intent = new_intent(account, amount, currency, metadata=new_metadata(ask.given), **about)
    declined = attempt(account, intent, method)
    if declined is not None:
        raise declined
    return account.get("charge", intent["latest_charge"])


OPERATIONS = (
    operation(
        "POST",
        "/v1/payment_intents",
        create,
        f"amount!:int currency! confirm:bool capture_method:automatic|automatic_async|manual "
        f"confirmation_method:automatic|manual {_PARAMETERS} {_CONFIRMING}",
    ),
    searching("/v1/payment_intents", "payment_intent"),
    listing("/v1/payment_intents", "payment_intent", "created:range customer"),
    retrieval("/v1/payment_intents/{id}", "payment_intent"),
    operation("POST", "/v1/payment_intents/{id}", _modify, f"amount:int currency {_PARAMETERS}"),
    operation(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        confirm,
        f"payment_method payment_method_types[] receipt_email {_SHIPPING} {_CONFIRMING} payment_method_options:any",
    ),
    operation(
        "POST",
        "/v1/payment_intents/{id}/capture",
        _capture,
        "amount_to_capture:int final_capture:bool metadata:metadata statement_descriptor statement_descriptor_suffix",
    ),
    operation(
        "POST",
        "/v1/payment_intents/{id}/cancel",
        _cancel,
        "cancellation_reason:abandoned|duplicate|fraudulent|requested_by_customer",
    ),
    searching("/v1/charges", "charge"),
    listing("/v1/charges", "charge", "created:range customer payment_intent"),
    retrieval("/v1/charges/{id}", "charge"),
    operation(
        "POST",
        "/v1/charges",
        _create_charge,
        "amount!:int currency! customer description metadata:metadata receipt_email source",
    ),
    operation(
        "POST",
        "/v1/charges/{id}",
        _modify_charge,
        f"description metadata:metadata receipt_email {_SHIPPING} transfer_group",
    ),
)
