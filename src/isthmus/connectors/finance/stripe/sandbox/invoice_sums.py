"""What an invoice adds up to: discounts of lines, discounts of the invoice, taxes by rate, and what is due.

Tax is rounded once for each rate of an invoice and split over its lines by largest remainder, except amounts of tax
given by hand, which stand as given.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .account import Account, Body
from .discounts import discount_of
from .money import THREE_DECIMAL, rounded, shares
from .tax_rates import percentage_of, rate_of_data
from .tax_rule import tax_for


@dataclass(slots=True)
class Line:
    """A line of an invoice; ``hidden`` says how it is taxed: ``tax_rates`` (ids) or ``by_hand``."""

    body: Body
    hidden: dict[str, Any]


def add_up(account: Account, invoice: Body, lines: list[Line]) -> None:
    """Write all sums into the lines and the invoice."""
    for line in lines:
        _discount_line(account, line.body)
    net = [_after_discounts(line.body) for line in lines]
    invoice["subtotal"] = sum(net)
    _discount_invoice(account, invoice, lines, net)
    net = [_after_discounts(line.body) for line in lines]
    _tax(account, invoice, lines, net)
    _total(invoice, lines, sum(net))


def set_due(invoice: Body) -> None:
    """What is due, after credit notes from before payment and after the customer's balance."""
    due = invoice["total"] - invoice["pre_payment_credit_notes_amount"] + invoice["starting_balance"]
    if invoice["ending_balance"] is not None:
        due -= invoice["ending_balance"]
    invoice["amount_due"] = max(due, 0)
    invoice["amount_remaining"] = max(invoice["amount_due"] - invoice["amount_paid"], 0)


def summed(taxes: list[Body]) -> list[Body]:
    """Taxes of the same rate and reason as one each."""
    found: dict[tuple[str, str], Body] = {}
    for tax in taxes:
        key = (tax["tax_rate_details"]["tax_rate"], tax["taxability_reason"])
        if key in found:
            found[key]["amount"] += tax["amount"]
            found[key]["taxable_amount"] += tax["taxable_amount"]
        else:
            found[key] = dict(tax)
    return list(found.values())


def tax_of(rate: Body, amount: int, taxable: int, reason: str | None = None) -> Body:
    """One amount of tax as a line shows it."""
    standard = "standard_rated" if rate["percentage"] else "zero_rated"
    return {
        "amount": amount,
        "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": reason or standard,
        "taxable_amount": taxable,
        "type": "tax_rate_details",
    }


def _discount_line(account: Account, body: Body) -> None:
    body["discount_amounts"] = []
    left = body["amount"]
    for identity in body["discounts"] if body["discountable"] else []:
        taken = discount_of(account, identity, left, body["currency"])
        body["discount_amounts"].append({"amount": taken, "discount": identity})
        left -= taken


def _after_discounts(body: Body) -> int:
    return int(body["amount"]) - sum(int(one["amount"]) for one in body["discount_amounts"])


def _discount_invoice(account: Account, invoice: Body, lines: list[Line], net: list[int]) -> None:
    weights = [amount if line.body["discountable"] else 0 for line, amount in zip(lines, net, strict=True)]
    for identity in invoice["discounts"]:
        taken = discount_of(account, identity, sum(weights), invoice["currency"])
        parts = shares(taken, weights, _step(invoice["currency"]))
        for at, (line, part) in enumerate(zip(lines, parts, strict=True)):
            if part:
                line.body["discount_amounts"].append({"amount": part, "discount": identity})
                weights[at] -= part


def _step(currency: str) -> int:
    return 10 if currency in THREE_DECIMAL else 1


def _tax(account: Account, invoice: Body, lines: list[Line], net: list[int]) -> None:
    by_rate: dict[tuple[str, str | None], list[tuple[Line, int]]] = defaultdict(list)
    automatic = _automatic_rate(account, invoice) if invoice["automatic_tax"]["enabled"] else None
    defaults = [rate["id"] for rate in invoice["default_tax_rates"]]
    for line, amount in zip(lines, net, strict=True):
        if line.hidden.get("by_hand"):
            continue
        line.body["taxes"] = []
        if automatic is not None:
            by_rate[automatic].append((line, amount))
            continue
        for identity in line.hidden.get("tax_rates") or defaults:
            by_rate[(identity, None)].append((line, amount))
    for (identity, reason), taxed in by_rate.items():
        _tax_by_rate(account.get("tax_rate", identity), reason, taxed, invoice["currency"])


def _tax_by_rate(rate: Body, reason: str | None, taxed: list[tuple[Line, int]], currency: str) -> None:
    percentage = percentage_of(rate)
    whole = sum(amount for _, amount in taxed)
    share = percentage / (100 + percentage) if rate["inclusive"] else percentage / 100
    parts = shares(rounded(whole * Decimal(share), currency), [amount for _, amount in taxed], _step(currency))
    for (line, amount), part in zip(taxed, parts, strict=True):
        taxable = amount - part if rate["inclusive"] else amount
        line.body["taxes"].append(tax_of(rate, part, taxable, reason))


def _automatic_rate(account: Account, invoice: Body) -> tuple[str, str]:
    country = (invoice["customer_address"] or {}).get("country") or account.row["country"]
    exempt = invoice["customer_tax_exempt"] or "none"
    tax = tax_for(account.row["country"], country, has_tax_id=bool(invoice["customer_tax_ids"]), exempt=exempt)
    data = {"display_name": tax.name, "inclusive": False, "percentage": tax.percentage, "country": country}
    return rate_of_data(account, data)["id"], tax.reason


def _total(invoice: Body, lines: list[Line], net: int) -> None:
    taxes = [tax for line in lines for tax in line.body["taxes"]]
    exclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    inclusive = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    taken: dict[str, int] = defaultdict(int)
    for line in lines:
        for one in line.body["discount_amounts"]:
            taken[one["discount"]] += one["amount"]
    invoice["subtotal_excluding_tax"] = invoice["subtotal"] - inclusive
    invoice["total"] = net + exclusive
    invoice["total_excluding_tax"] = net - inclusive
    invoice["total_discount_amounts"] = [{"amount": amount, "discount": one} for one, amount in taken.items()]
    invoice["total_taxes"] = summed(taxes)
    set_due(invoice)
