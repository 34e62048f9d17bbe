"""Disputes: the customer's bank takes the money back until the dispute is won.

docs.stripe.com/disputes/api; docs.stripe.com/testing#disputes: evidence ``winning_evidence`` wins, ``losing_evidence``
loses. The evidence's text fields are kept; files there are none.
"""

from __future__ import annotations

from .account import Account, Body
from .balance import DISPUTE_FEE, book
from .lists import listing
from .operation import Ask, merge_metadata, operation, refuse_unless, retrieval
from .words import words

REASONS = words(
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized duplicate "
    "fraudulent general incorrect_account_details insufficient_funds product_not_received product_unacceptable "
    "subscription_canceled unrecognized"
)
_EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal "
    "customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt "
    "refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number "
    "uncategorized_file uncategorized_text"
)
_ANSWER_WITHIN_S = 9 * 24 * 3600
_OPEN = ("needs_response", "warning_needs_response")


def open_dispute(account: Account, charge: Body, reason: str, amount: int | None = None) -> Body:
    """The bank disputes a charge: the money leaves the balance, with a fee (not for an inquiry)."""
    inquiry = reason == "inquiry"
    dispute = _blank(account, charge, "general" if inquiry else reason, amount or charge["amount"])
    charge["disputed"] = True
    events = ["charge.dispute.created"]
    if inquiry:
        dispute["status"] = "warning_needs_response"
    else:
        dispute["balance_transactions"] = [_moved(account, dispute, -dispute["amount"], DISPUTE_FEE)]
        events.append("charge.dispute.funds_withdrawn")
    account.add(dispute)
    account.save(charge, "charge.updated")
    account.save(dispute, *events)
    return dispute


def decide(account: Account, dispute: Body, *, won: bool) -> Body:
    """The bank decides; won, the money comes back."""
    events = ["charge.dispute.closed"]
    if dispute["status"].startswith("warning"):
        dispute["status"] = "warning_closed"
    else:
        dispute["status"] = "won" if won else "lost"
        if won:
            dispute["balance_transactions"].append(_moved(account, dispute, dispute["amount"], -DISPUTE_FEE))
            events.append("charge.dispute.funds_reinstated")
    return account.save(dispute, "charge.dispute.updated", *events)


def _moved(account: Account, dispute: Body, amount: int, fee: int) -> Body:
    category = "dispute" if amount < 0 else "dispute_reversal"
    return book(account, "adjustment", amount, dispute["currency"], dispute["id"], fee=fee, category=category)


def _modify(account: Account, ask: Ask) -> Body:
    dispute = account.get("dispute", ask.id)
    merge_metadata(dispute, ask)
    evidence = ask.get("evidence")
    if evidence:
        refuse_unless(dispute["status"] in _OPEN, "This dispute is already closed.", None, "evidence")
        dispute["evidence"].update(evidence)
        dispute["evidence_details"]["has_evidence"] = True
    if not evidence or ask.get("submit") is False:
        return account.save(dispute, "charge.dispute.updated")
    dispute["evidence_details"]["submission_count"] += 1
    dispute["evidence_details"]["submission_method"] = "manual"
    text = dispute["evidence"]["uncategorized_text"]
    if text in ("winning_evidence", "losing_evidence"):
        return decide(account, dispute, won=text == "winning_evidence")
    dispute["status"] = "warning_under_review" if dispute["status"].startswith("warning") else "under_review"
    return account.save(dispute, "charge.dispute.updated")


def _close(account: Account, ask: Ask) -> Body:
    dispute = account.get("dispute", ask.id)
    refuse_unless(dispute["status"] in _OPEN, "This dispute is already closed.")
    return decide(account, dispute, won=False)


def _blank(account: Account, charge: Body, reason: str, amount: int) -> Body:
    brand = (charge["payment_method_details"].get("card") or {}).get("brand", "visa")
    return {
        "id": account.new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": account.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE.split()), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": account.now + _ANSWER_WITHIN_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": brand, "case_type": "chargeback", "network": brand, "network_reason_code": "10"},
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }


OPERATIONS = (
    listing("/v1/disputes", "dispute", "charge created:range payment_intent"),
    retrieval("/v1/disputes/{id}", "dispute"),
    operation(
        "POST",
        "/v1/disputes/{id}",
        _modify,
        f"evidence{{{_EVIDENCE}}} metadata:metadata submit:bool "
        "intended_submission_method:manual|prefer_manual|prefer_smart_disputes|smart_disputes",
    ),
    operation("POST", "/v1/disputes/{id}/close", _close),
)
