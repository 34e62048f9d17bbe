"""Refunds: money back for a charge, whole or in parts, never more than is left of it.

docs.stripe.com/api/refunds; test cards whose refunds wait or fail: docs.stripe.com/testing#refunds.
"""

from __future__ import annotations

from typing import Any

from .account import Account, Body
from .balance import book
from .cards import ending_in
from .errors import ParameterError, StripeError
from .lists import listing
from .money import checked_amount, spoken
from .operation import Ask, merge_metadata, new_metadata, operation, refuse_unless, retrieval


def create(account: Account, ask: Ask) -> Body:
    """Refund a charge, or the charge of a payment intent."""
    if "charge" not in ask and "payment_intent" not in ask:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise ParameterError(message, code="parameter_missing", param="charge")
    if "charge" in ask:
        charge = account.get("charge", ask["charge"], "charge")
    else:
        intent = account.get("payment_intent", ask["payment_intent"], "payment_intent")
        refuse_unless(
            intent["status"] == "succeeded",
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            "payment_intent_unexpected_state",
            "payment_intent",
        )
        charge = account.get("charge", intent["latest_charge"])
    return give_back(account, charge, ask.get("amount"), reason=ask.get("reason"), metadata=new_metadata(ask.given))


def give_back(account: Account, charge: Body, amount: int | None, **about: Any) -> Body:
    """Refund ``amount`` of a charge, or all that is left. Raises StripeError where there is not as much."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    identity = charge["id"]
    refuse_unless(charge["status"] == "succeeded", f"Charge {identity} was not successful and cannot be refunded.")
    refuse_unless(not _lost(account, charge), f"Charge {identity} has been charged back.", "charge_disputed")
    refuse_unless(left > 0, f"Charge {identity} has already been refunded.", "charge_already_refunded")
    amount = left if amount is None else checked_amount(amount, charge["currency"])
    refuse_unless(amount > 0, "Invalid positive integer", "parameter_invalid_integer", "amount")
    if amount > left:
        raise StripeError(
            f"Refund amount ({spoken(amount, charge['currency'])}) is greater than unrefunded amount on charge "
            f"({spoken(left, charge['currency'])})",
            param="amount",
        )
    refund = _kept(account, charge, amount, about)
    if refund["status"] != "failed":
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        account.save(charge, "charge.refunded")
    return refund


def _kept(account: Account, charge: Body, amount: int, about: dict[str, Any]) -> Body:
    card = charge["payment_method_details"].get("card")
    status = ending_in(card["last4"]).refund if card else "succeeded"
    refund: Body = {
        "id": account.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": account.now,
        "currency": charge["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"} if card else None,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
        **about,
    }
    if status != "failed":
        kind = "refund" if card else "payment_refund"
        booked = book(account, kind, -amount, charge["currency"], refund["id"], category="refund")
        refund["balance_transaction"] = booked["id"]
        return account.add(refund, "refund.created")
    refund["failure_reason"] = "expired_or_canceled_card"
    account.add(refund, "refund.created")
    return account.save(refund, "refund.failed")


def _lost(account: Account, charge: Body) -> bool:
    return charge["disputed"] and any(
        not dispute["status"].startswith("warning") and dispute["status"] != "won"
        for dispute in account.having("dispute", "charge", charge["id"])
    )


def _modify(account: Account, ask: Ask) -> Body:
    refund = account.get("refund", ask.id)
    merge_metadata(refund, ask)
    return account.save(refund, "refund.updated", "charge.refund.updated")


def _cancel(account: Account, ask: Ask) -> Body:
    refund = account.get("refund", ask.id)
    refuse_unless(refund["status"] == "requires_action", f"Refund {ask.id} cannot be canceled.")
    refund["status"] = "canceled"
    return account.save(refund, "refund.updated")


OPERATIONS = (
    operation(
        "POST",
        "/v1/refunds",
        create,
        "amount:int charge payment_intent instructions_email metadata:metadata "
        "reason:duplicate|fraudulent|requested_by_customer",
    ),
    listing("/v1/refunds", "refund", "charge created:range payment_intent"),
    retrieval("/v1/refunds/{id}", "refund"),
    operation("POST", "/v1/refunds/{id}", _modify, "metadata:metadata"),
    operation("POST", "/v1/refunds/{id}/cancel", _cancel),
    listing("/v1/charges/{id}/refunds", "refund", charge="id"),
)
