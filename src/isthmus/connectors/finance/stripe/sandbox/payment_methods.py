"""Payment methods: cards (test cards only) and bank transfers, attached to customers.

docs.stripe.com/api/payment_methods. ``pm_card_visa`` and its kin become a payment method of their own whenever they
are used; what was detached cannot be used again.
"""

from __future__ import annotations

import hashlib
from typing import Any

from . import cards
from .account import Account, Body
from .errors import Declined, ParameterError, StripeError, missing_object, missing_parameter
from .lists import listing
from .operation import Ask, merge_metadata, new_metadata, operation, refuse_unless

_BILLING = "billing_details{address{city country line1 line2 postal_code state} email name phone tax_id}"
_REDISPLAY = "allow_redisplay:always|limited|unspecified"


def create(account: Account, ask: Ask) -> Body:
    """A payment method of a card (by token or test number) or of a bank transfer."""
    kind = ask["type"]
    if kind == "customer_balance":
        return add_transfer_method(account, None)
    if kind != "card":
        message = f"The payment method type `{kind}` is invalid: this account takes card and customer_balance."
        raise ParameterError(message, param="type")
    if not ask.get("card"):
        raise missing_parameter("card")
    method = add_card_method(account, _card_of(ask["card"]), ask.get("billing_details"))
    method["metadata"] = new_metadata(ask.given)
    return account.save(method)


def attach(account: Account, ask: Ask) -> Body:
    """Attach to a customer; some test cards decline already here."""
    customer = account.get("customer", ask["customer"], "customer")
    return attach_to(account, resolved(account, ask.id, "id"), customer)


def attach_to(account: Account, method: Body, customer: Body) -> Body:
    """Attach a payment method. Raises Declined, or StripeError where it belongs to somebody or is used up."""
    if method["customer"] == customer["id"]:
        return method
    refuse_unless(
        method["customer"] is None,
        "The payment method you provided has already been attached to a customer.",
        param="payment_method",
    )
    if account.hidden("payment_method", method["id"]).get("detached"):
        raise StripeError(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again.",
            param="payment_method",
        )
    card = card_of(method)
    if card is not None and not card.attaches:
        raise Declined(card.message, code=card.code, decline_code=card.decline_code)
    method["customer"] = customer["id"]
    return account.save(method, "payment_method.attached")


def detach(account: Account, ask: Ask) -> Body:
    """Take a payment method from its customer, for good."""
    method = account.get("payment_method", ask.id)
    refuse_unless(
        method["customer"] is not None,
        "The payment method you provided is not attached to a customer so detachment is impossible.",
        "payment_method_not_attached",
    )
    customer = account.get("customer", method["customer"])
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
        account.save(customer, "customer.updated")
    method["customer"] = None
    account.keep_hidden("payment_method", method["id"], {"detached": True})
    return account.save(method, "payment_method.detached")


def resolved(account: Account, identity: str, param: str) -> Body:
    """The payment method of an id; a test card's name becomes a new one."""
    card = cards.named(identity)
    if card is not None:
        return add_card_method(account, card)
    found = account.find("payment_method", identity)
    if found is None:
        raise missing_object("payment_method", identity, param)
    return found


def checked_default(account: Account, customer: str, method: str | None) -> str | None:
    """The payment method to charge by default, if it is the customer's."""
    if method is not None:
        owner = account.get("payment_method", method, "default_payment_method")["customer"]
        message = "The default payment method must be attached to the customer."
        refuse_unless(owner == customer, message, param="default_payment_method")
    return method


def card_of(method: Body) -> cards.Card | None:
    """The test card that a payment method is of; None for a bank transfer."""
    return cards.ending_in(method["card"]["last4"]) if method["type"] == "card" else None


def add_card_method(account: Account, card: cards.Card, billing: dict[str, Any] | None = None) -> Body:
    """Keep a payment method of a test card."""
    last4 = card.number[-4:]
    fingerprint = hashlib.blake2b(f"{account.id}/{card.number}".encode(), digest_size=8).hexdigest()
    return account.add(
        {
            **_blank(account, "card", billing),
            "card": {
                "brand": card.brand,
                "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
                "country": card.country,
                "display_brand": card.brand,
                "exp_month": 12,
                "exp_year": 2034,
                "fingerprint": fingerprint,
                "funding": card.funding,
                "generated_from": None,
                "last4": last4,
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
        }
    )


def add_transfer_method(account: Account, customer: str | None) -> Body:
    """Keep the payment method that stands for a customer's bank transfers."""
    return account.add({**_blank(account, "customer_balance", None), "customer": customer, "customer_balance": {}})


def _blank(account: Account, kind: str, billing: dict[str, Any] | None) -> Body:
    given = billing or {}
    address = given.get("address") or {}
    parts = ("city", "country", "line1", "line2", "postal_code", "state")
    return {
        "id": account.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": {part: address.get(part) for part in parts},
            **{name: given.get(name) for name in ("email", "name", "phone", "tax_id")},
        },
        "created": account.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }


def _card_of(data: dict[str, Any]) -> cards.Card:
    if "token" in data:
        card = cards.named(data["token"])
        if card is None:
            raise missing_object("token", data["token"], "card[token]")
        return card
    if "number" not in data:
        raise missing_parameter("card[number]")
    card = cards.numbered(data["number"])
    if card is None:
        raise Declined("Your card number is incorrect.", code="incorrect_number", param="number")
    return card


def _retrieve(account: Account, ask: Ask) -> Body:
    return resolved(account, ask.id, "id")


def _retrieve_of_customer(account: Account, ask: Ask) -> Body:
    method = account.find("payment_method", ask.ids["method"])
    if method is None or method["customer"] != ask.id:
        raise missing_object("payment_method", ask.ids["method"], "id")
    return method


def _modify(account: Account, ask: Ask) -> Body:
    method = account.get("payment_method", ask.id)
    refuse_unless(
        method["customer"] is not None,
        "You must save this PaymentMethod to a customer before you can update it.",
    )
    method["card"].update(ask.get("card") or {})
    if "billing_details" in ask:
        method["billing_details"].update(ask["billing_details"] or {})
    if "allow_redisplay" in ask:
        method["allow_redisplay"] = ask["allow_redisplay"]
    merge_metadata(method, ask)
    return account.save(method, "payment_method.updated")


OPERATIONS = (
    operation(
        "POST",
        "/v1/payment_methods",
        create,
        f"type! {_REDISPLAY} {_BILLING} metadata:metadata customer_balance:any "
        "card{cvc exp_month:int exp_year:int number token networks:any}",
    ),
    listing("/v1/payment_methods", "payment_method", f"customer type {_REDISPLAY}"),
    operation("GET", "/v1/payment_methods/{id}", _retrieve),
    operation(
        "POST",
        "/v1/payment_methods/{id}",
        _modify,
        f"{_REDISPLAY} {_BILLING} metadata:metadata card{{exp_month:int exp_year:int}}",
    ),
    operation("POST", "/v1/payment_methods/{id}/attach", attach, "customer!"),
    operation("POST", "/v1/payment_methods/{id}/detach", detach),
    listing("/v1/customers/{id}/payment_methods", "payment_method", f"type {_REDISPLAY}", customer="id"),
    operation("GET", "/v1/customers/{id}/payment_methods/{method}", _retrieve_of_customer),
)
