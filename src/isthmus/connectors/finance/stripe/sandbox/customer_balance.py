"""What a customer owes or has to their credit, applied to their next invoices.

docs.stripe.com/billing/customer/balance: negative is credit; every change is a customer balance transaction.
"""

from __future__ import annotations

from typing import Any

from .account import Account, Body
from .errors import StripeError


def change_balance(account: Account, customer: Body, amount: int, kind: str, **about: Any) -> Body:
    """Book ``amount`` (negative is to the customer's credit) on the customer's balance; saves no customer."""
    currency = about.pop("currency", None) or customer["currency"] or account.row["currency"]
    if customer["currency"] not in (None, currency) and customer["balance"]:
        raise StripeError(
            f"The customer's balance is in {customer['currency']}; a transaction in {currency} cannot be booked.",
            param="currency",
        )
    customer["currency"] = customer["currency"] or currency
    customer["balance"] += amount
    transaction = {
        "id": account.new_id("cbtxn"),
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": None,
        "created": account.now,
        "credit_note": None,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "description": None,
        "ending_balance": customer["balance"],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        **about,
    }
    return account.add(transaction)
