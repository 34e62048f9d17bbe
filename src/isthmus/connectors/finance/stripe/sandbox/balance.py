"""The account's balance: one transaction for every movement of money, with Stripe's fee.

docs.stripe.com/api/balance_transactions. Here money is available at once, and a balance is kept in each currency
charged (nothing is converted). The fee is 1.5 % and 25 smallest units (3.6 % in yen), as in Europe and Japan.
"""

from __future__ import annotations

from decimal import Decimal

from .account import Account, Body
from .lists import listing
from .money import rounded
from .operation import Ask, operation, retrieval

DISPUTE_FEE = 1500


def fee_of(amount: int, currency: str) -> int:
    """What Stripe keeps of a card payment."""
    if currency == "jpy":
        return rounded(Decimal(amount) * Decimal("0.036"), currency)
    return rounded(Decimal(amount) * Decimal("0.015") + 25, currency)


def book(
    account: Account, kind: str, amount: int, currency: str, source: str, *, fee: int = 0, category: str | None = None
) -> Body:
    """Keep a balance transaction of ``kind`` (charge, refund, adjustment …) about ``source``."""
    details = [
        {"amount": fee, "application": None, "currency": currency, "description": "Stripe fees", "type": "stripe_fee"}
    ]
    return account.add(
        {
            "id": account.new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": account.now,
            "balance_type": "payments",
            "created": account.now,
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": details if fee else [],
            "net": amount - fee,
            "reporting_category": category or kind,
            "source": source,
            "status": "available",
            "type": kind,
        }
    )


def _balance(account: Account, ask: Ask) -> Body:
    rows = account.world.rows(
        "SELECT json_extract(body, '$.currency') AS currency, sum(json_extract(body, '$.net')) AS amount FROM object "
        "WHERE account = ? AND kind = 'balance_transaction' GROUP BY 1 ORDER BY 1",
        (account.id,),
    )
    available = [{**row, "source_types": {"card": row["amount"]}} for row in rows]
    if not available:
        available = [{"currency": account.row["currency"], "amount": 0, "source_types": {"card": 0}}]
    pending = [{"currency": one["currency"], "amount": 0, "source_types": {"card": 0}} for one in available]
    return {"object": "balance", "available": available, "livemode": False, "pending": pending}


OPERATIONS = (
    operation("GET", "/v1/balance", _balance),
    listing("/v1/balance_transactions", "balance_transaction", "created:range currency source type"),
    retrieval("/v1/balance_transactions/{id}", "balance_transaction"),
)
