"""One attempt to take money: a payment intent meets a payment method, and a charge says what became of it.

docs.stripe.com/api/payment_intents, /charges; docs.stripe.com/declines.
"""

from __future__ import annotations

from typing import Any

from .account import Account, Body
from .balance import book, fee_of
from .cards import Card
from .disputes import open_dispute
from .errors import Declined
from .payment_methods import card_of
from .words import words


def new_intent(account: Account, amount: int, currency: str, **about: Any) -> Body:
    """Keep a payment intent that waits for a payment method."""
    identity = account.new_id("pi")
    intent: Body = {
        "id": identity,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{identity}_secret_{account.new_id('x')[3:]}",
        "confirmation_method": "automatic",
        "created": account.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **about,
    }
    return account.add(intent, "payment_intent.created")


def attempt(account: Account, intent: Body, method: Body) -> Declined | None:
    """Charge the intent's amount; everything is kept and announced. None when it worked, else the 402 to answer."""
    card = card_of(method)
    intent["payment_method"] = method["id"]
    intent["payment_method_types"] = [method["type"]]
    intent["last_payment_error"] = None
    if card is not None and card.authenticates:
        return _wants_holder(account, intent, method)
    if card is not None and card.decline:
        return _declined(account, intent, method, card)
    charge = _charge(account, intent, method)
    if intent["capture_method"] == "manual":
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        account.add(charge, "charge.succeeded")
        account.save(intent, "payment_intent.amount_capturable_updated")
        return None
    _take(account, charge, charge["amount"])
    account.add(charge, "charge.succeeded")
    intent |= {"status": "succeeded", "amount_received": charge["amount"]}
    account.save(intent, "payment_intent.succeeded")
    if card is not None and card.disputed:
        open_dispute(account, charge, card.disputed)
    return None


def capture(account: Account, intent: Body, amount: int) -> None:
    """Take what was authorized, or a part of it."""
    charge = account.get("charge", intent["latest_charge"])
    _take(account, charge, amount)
    charge["amount_refunded"] = charge["amount"] - amount
    account.save(charge, "charge.captured", "charge.updated")
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    account.save(intent, "payment_intent.succeeded")


def cancel(account: Account, intent: Body, reason: str | None) -> Body:
    """End an intent; what was authorized is let go."""
    if intent["status"] == "requires_capture":
        charge = account.get("charge", intent["latest_charge"])
        charge |= {"amount_refunded": charge["amount"], "refunded": True}
        account.save(charge, "charge.refunded")
    intent |= {
        "status": "canceled",
        "canceled_at": account.now,
        "cancellation_reason": reason,
        "amount_capturable": 0,
        "next_action": None,
    }
    return account.save(intent, "payment_intent.canceled")


def _take(account: Account, charge: Body, amount: int) -> None:
    fee = fee_of(amount, charge["currency"]) if charge["payment_method_details"]["type"] == "card" else 0
    category = "charge"
    kind = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    booked = book(account, kind, amount, charge["currency"], charge["id"], fee=fee, category=category)
    charge |= {"captured": True, "amount_captured": amount, "balance_transaction": booked["id"]}


def _declined(account: Account, intent: Body, method: Body, card: Card) -> Declined:
    charge = _charge(account, intent, method)
    charge |= {
        "paid": False,
        "status": "failed",
        "captured": False,
        "failure_code": card.code,
        "failure_message": card.message,
        "outcome": {
            **charge["outcome"],
            "advice_code": "try_again_later" if card.decline_code == "insufficient_funds" else "do_not_try_again",
            "network_status": "declined_by_network",
            "reason": card.decline_code or card.code,
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        },
    }
    account.add(charge, "charge.failed")
    more: Body = {"charge": charge["id"], "payment_method": method, "advice_code": charge["outcome"]["advice_code"]}
    declined = Declined(card.message, code=card.code, decline_code=card.decline_code, **more)
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": dict(declined.error)}
    account.save(intent, "payment_intent.payment_failed")
    declined.error["payment_intent"] = intent
    return declined


def _wants_holder(account: Account, intent: Body, method: Body) -> Declined:
    intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
    account.save(intent, "payment_intent.requires_action")
    return Declined(
        "This payment requires additional user action before it can be completed successfully.",
        code="authentication_required",
        payment_intent=intent,
        payment_method=method,
    )


def _charge(account: Account, intent: Body, method: Body) -> Body:
    details = {key: method[method["type"]].get(key) for key in _SHOWN_OF_CARD if key in method[method["type"]]}
    identity = account.new_id("ch")
    intent["latest_charge"] = identity
    return {
        "id": identity,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": account.row["name"].upper()[:22],
        "captured": False,
        "created": account.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 12,
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {method["type"]: details, "type": method["type"]},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


_SHOWN_OF_CARD = words("brand checks country exp_month exp_year fingerprint funding last4 wallet")
