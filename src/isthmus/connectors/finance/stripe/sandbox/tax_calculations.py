"""Tax calculations: what tax a sale would bear, by the simple rule of ``tax_rule``.

docs.stripe.com/api/tax/calculations. A calculation expires after 90 days.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .account import Account, Body
from .errors import ParameterError, StripeError, missing_object, missing_parameter
from .lists import PAGING, part
from .money import checked_currency, rounded
from .operation import Ask, operation
from .tax_rule import Tax, tax_for

_ADDRESS = "city country! line1 line2 postal_code state"
_PARAMETERS = f"""
    currency! customer customer_details{{address{{{_ADDRESS}}} address_source:billing|shipping ip_address
        tax_ids[]{{type! value!}} taxability_override:customer_exempt|none|reverse_charge}}
    line_items![]{{amount!:int metadata:metadata product quantity:int reference tax_behavior:exclusive|inclusive tax_code}}
    ship_from_details{{address!{{{_ADDRESS}}}}}
    shipping_cost{{amount:int tax_behavior:exclusive|inclusive tax_code}} tax_date:time"""
_LIFETIME_S = 90 * 24 * 3600
_EXEMPT = {"customer_exempt": "exempt", "reverse_charge": "reverse", "none": "none"}


def create(account: Account, ask: Ask) -> Body:
    """Calculate. Raises StripeError ``customer_tax_location_invalid`` where no country is known."""
    currency = checked_currency(ask["currency"])
    buyer, exempt = _buyer(account, ask)
    country = (buyer["address"] or {}).get("country")
    if not country:
        raise StripeError(
            "The customer's location isn't recognized. Set a valid customer address in order to calculate tax.",
            code="customer_tax_location_invalid",
            param="customer_details[address]",
        )
    seller = (ask.get("ship_from_details") or {}).get("address", {}).get("country") or account.row["country"]
    tax = tax_for(seller, country, has_tax_id=bool(buyer["tax_ids"]), exempt=exempt)
    lines = [_line(account, data, at, tax, currency) for at, data in enumerate(ask["line_items"])]
    _checked_references(lines)
    shipping = _shipping(ask.get("shipping_cost"), tax, currency)
    exclusive, inclusive, breakdown = _summed(lines, shipping, tax)
    amounts = sum(line["amount"] for line in lines) + (shipping["amount"] if shipping else 0)
    calculation: Body = {
        "id": account.new_id("taxcalc"),
        "object": "tax.calculation",
        "amount_total": amounts + exclusive,
        "currency": currency,
        "customer": ask.get("customer"),
        "customer_details": buyer,
        "expires_at": account.now + _LIFETIME_S,
        "livemode": False,
        "ship_from_details": ask.get("ship_from_details"),
        "shipping_cost": shipping,
        "tax_amount_exclusive": exclusive,
        "tax_amount_inclusive": inclusive,
        "tax_breakdown": breakdown,
        "tax_date": ask.get("tax_date") or account.now,
    }
    return account.add(calculation, hidden={"line_items": lines})


def _buyer(account: Account, ask: Ask) -> tuple[Body, str]:
    if ("customer" in ask) is ("customer_details" in ask):
        if "customer" not in ask:
            raise missing_parameter("customer_details")
        raise ParameterError(
            "You may only specify one of these parameters: customer, customer_details.", param="customer"
        )
    if "customer" in ask:
        customer = account.get("customer", ask["customer"], "customer")
        tax_ids = account.having("tax_id", "customer", customer["id"])
        given: Body = {
            "address": customer["address"] or (customer["shipping"] or {}).get("address"),
            "tax_ids": [{"type": tax_id["type"], "value": tax_id["value"]} for tax_id in tax_ids],
            "address_source": "billing",
        }
        exempt = customer["tax_exempt"]
        override = {"exempt": "customer_exempt", "reverse": "reverse_charge"}.get(exempt, "none")
    else:
        given = ask["customer_details"]
        override = given.get("taxability_override", "none")
        exempt = _EXEMPT[override]
    buyer = {
        "address": given.get("address"),
        "address_source": given.get("address_source"),
        "ip_address": given.get("ip_address"),
        "tax_ids": given.get("tax_ids") or [],
        "taxability_override": override,
    }
    return buyer, exempt


def _amounts(amount: int, behavior: str, tax: Tax, currency: str) -> tuple[int, int]:
    """The tax on an amount, and what is taxed."""
    if behavior == "inclusive":
        part = rounded(Decimal(amount) * tax.percentage / (100 + tax.percentage), currency)
        return part, amount - part
    return rounded(Decimal(amount) * tax.percentage / 100, currency), amount


def _line(account: Account, data: dict[str, Any], at: int, tax: Tax, currency: str) -> Body:
    behavior = data.get("tax_behavior", "exclusive")
    amount, taxable = _amounts(data["amount"], behavior, tax, currency)
    reference = data.get("reference") or f"L{at + 1}"
    return {
        "id": account.new_id("tax_li"),
        "object": "tax.calculation_line_item",
        "amount": data["amount"],
        "amount_tax": amount,
        "livemode": False,
        "metadata": data.get("metadata"),
        "product": data.get("product"),
        "quantity": data.get("quantity", 1),
        "reference": reference,
        "tax_behavior": behavior,
        "tax_breakdown": [_breakdown(tax, amount, taxable)],
        "tax_code": data.get("tax_code") or "txcd_99999999",
    }


def _breakdown(tax: Tax, amount: int, taxable: int) -> Body:
    details = {"display_name": tax.name, "percentage_decimal": f"{tax.percentage:f}", "tax_type": tax.kind}
    return {
        "amount": amount,
        "jurisdiction": {"country": tax.country, "display_name": tax.country, "level": "country", "state": None},
        "sourcing": "destination",
        "tax_rate_details": details if tax.percentage else None,
        "taxability_reason": tax.reason,
        "taxable_amount": taxable if tax.percentage else 0,
    }


def _checked_references(lines: list[Body]) -> None:
    seen: set[str] = set()
    for line in lines:
        if line["reference"] in seen:
            message = f"The reference '{line['reference']}' is used by several line items; references are unique."
            raise ParameterError(message, param="line_items")
        seen.add(line["reference"])


def _shipping(data: dict[str, Any] | None, tax: Tax, currency: str) -> Body | None:
    if data is None:
        return None
    behavior = data.get("tax_behavior", "exclusive")
    amount, taxable = _amounts(data.get("amount", 0), behavior, tax, currency)
    return {
        "amount": data.get("amount", 0),
        "amount_tax": amount,
        "tax_behavior": behavior,
        "tax_breakdown": [_breakdown(tax, amount, taxable)],
        "tax_code": data.get("tax_code") or "txcd_92010001",
    }


def _summed(lines: list[Body], shipping: Body | None, tax: Tax) -> tuple[int, int, list[Body]]:
    everything = lines + ([shipping] if shipping else [])
    totals, breakdown = {"exclusive": 0, "inclusive": 0}, []
    for behavior in totals:
        taxed = [one for one in everything if one["tax_behavior"] == behavior]
        if not taxed:
            continue
        totals[behavior] = sum(one["amount_tax"] for one in taxed)
        breakdown.append(
            {
                "amount": totals[behavior],
                "inclusive": behavior == "inclusive",
                "tax_rate_details": {
                    "country": tax.country,
                    "flat_amount": None,
                    "percentage_decimal": f"{tax.percentage:f}",
                    "rate_type": "percentage",
                    "state": None,
                    "tax_type": tax.kind,
                },
                "taxability_reason": tax.reason,
                "taxable_amount": sum(one["tax_breakdown"][0]["taxable_amount"] for one in taxed),
            }
        )
    return totals["exclusive"], totals["inclusive"], breakdown


def _retrieve(account: Account, ask: Ask) -> Body:
    calculation = account.get("tax.calculation", ask.id)
    if calculation["expires_at"] < account.now:
        raise missing_object("tax.calculation", ask.id, "id")
    return calculation


def _lines(account: Account, ask: Ask) -> str:
    _retrieve(account, ask)
    lines = account.hidden("tax.calculation", ask.id)["line_items"]
    return part(ask, "tax.calculation_line_item", lines, f"/v1/tax/calculations/{ask.id}/line_items")


OPERATIONS = (
    operation("POST", "/v1/tax/calculations", create, _PARAMETERS),
    operation("GET", "/v1/tax/calculations/{id}", _retrieve),
    operation("GET", "/v1/tax/calculations/{id}/line_items", _lines, PAGING),
)
