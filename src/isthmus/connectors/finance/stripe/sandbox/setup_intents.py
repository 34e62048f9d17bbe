"""Setup intents: a payment method is saved to a customer for later.

docs.stripe.com/api/setup_intents, in its plain life: created, confirmed, cancelled.
"""

from __future__ import annotations

from .account import Account, Body
from .errors import Declined, StripeError
from .lists import listing
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval
from .payment_methods import attach_to, card_of, resolved

_PARAMETERS = """
    customer description metadata:metadata payment_method payment_method_types[] usage:off_session|on_session
    automatic_payment_methods{enabled!:bool allow_redirects:always|never} payment_method_options:any"""


def create(account: Account, ask: Ask) -> Body:
    """A new setup intent; with ``confirm`` its payment method is saved at once."""
    identity = account.new_id("seti")
    if ask.get("customer"):
        account.get("customer", ask["customer"], "customer")
    method = resolved(account, ask["payment_method"], "payment_method") if ask.get("payment_method") else None
    intent: Body = {
        "id": identity,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": ask.get("automatic_payment_methods"),
        "cancellation_reason": None,
        "client_secret": f"{identity}_secret_{account.new_id('x')[3:]}",
        "created": account.now,
        "customer": ask.get("customer"),
        "customer_account": None,
        "description": ask.get("description"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": new_metadata(ask.given),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_options": {},
        "payment_method_types": ask.get("payment_method_types") or ["card"],
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": ask.get("usage", "off_session"),
    }
    account.add(intent, "setup_intent.created")
    return _confirmed(account, intent, method) if ask.get("confirm") else intent


def _confirm(account: Account, ask: Ask) -> Body:
    intent = account.get("setup_intent", ask.id)
    identity = ask.get("payment_method") or intent["payment_method"]
    return _confirmed(account, intent, resolved(account, identity, "payment_method") if identity else None)


def _confirmed(account: Account, intent: Body, method: Body | None) -> Body:
    refuse_unless(
        intent["status"] in ("requires_payment_method", "requires_confirmation", "requires_action"),
        f"You cannot confirm this SetupIntent because it has a status of {intent['status']}.",
        "setup_intent_unexpected_state",
    )
    if method is None:
        raise StripeError(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
        )
    intent["payment_method"] = method["id"]
    card = card_of(method)
    if card is not None and card.authenticates:
        intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
        return account.save(intent, "setup_intent.requires_action")
    if card is not None and not card.attaches:
        declined = Declined(card.message, code=card.code, decline_code=card.decline_code)
        intent |= {"status": "requires_payment_method", "payment_method": None}
        intent["last_setup_error"] = {**declined.error, "payment_method": method}
        account.save(intent, "setup_intent.setup_failed")
        declined.error["setup_intent"] = intent
        raise declined
    if intent["customer"]:
        attach_to(account, method, account.get("customer", intent["customer"]))
    intent["status"] = "succeeded"
    return account.save(intent, "setup_intent.succeeded")


def _modify(account: Account, ask: Ask) -> Body:
    intent = account.get("setup_intent", ask.id)
    merge(intent, ask, "customer", "description", "payment_method", "payment_method_types", "usage")
    merge_metadata(intent, ask)
    return account.save(intent)


def _cancel(account: Account, ask: Ask) -> Body:
    intent = account.get("setup_intent", ask.id)
    refuse_unless(
        intent["status"] not in ("succeeded", "canceled"),
        f"You cannot cancel this SetupIntent because it has a status of {intent['status']}.",
        "setup_intent_unexpected_state",
    )
    intent |= {"status": "canceled", "cancellation_reason": ask.get("cancellation_reason")}
    return account.save(intent, "setup_intent.canceled")


OPERATIONS = (
    operation("POST", "/v1/setup_intents", create, f"{_PARAMETERS} confirm:bool return_url"),
    listing("/v1/setup_intents", "setup_intent", "created:range customer payment_method"),
    retrieval("/v1/setup_intents/{id}", "setup_intent"),
    operation("POST", "/v1/setup_intents/{id}", _modify, _PARAMETERS),
    operation("POST", "/v1/setup_intents/{id}/confirm", _confirm, "payment_method return_url"),
    operation(
        "POST",
        "/v1/setup_intents/{id}/cancel",
        _cancel,
        "cancellation_reason:abandoned|duplicate|requested_by_customer",
    ),
)
