"""Documents for tests, as the JSON that a mapping would give; figures come from the builder or are worked by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

PARTY = {
    "customer": {"kind": "customer", "number": "17100001"},
    "name": "Acme Solar GmbH",
    "address": {"lines": ["Hauptstraße 1"], "city": "Hamburg", "postal_code": "20095", "country": "DE"},
}
SELLER = {
    "name": "Sonnwerk Europe",
    "tax_registrations": [{"scheme": "VAT", "number": "DE123456789", "country": "DE"}],
}


def money(amount: str, currency: str = "EUR") -> dict[str, str]:
    """Money in JSON."""
    return {"amount": amount, "currency": currency}


def line(
    number: int = 1, quantity: str = "3", price: str = "12.34", amount: str = "37.02", **more: Any
) -> dict[str, Any]:
    """An item in EUR."""
    return {
        "id": str(number),
        "position": number * 10,
        "product": {"kind": "product", "number": f"X-{number}"},
        "name": f"Panel {number}",
        "quantity": {"value": quantity, "unit": "C62"},
        "unit_price": {"amount": price, "currency": "EUR"},
        "line_extension_amount": money(amount),
        "tax": {"code": "S", "percent": "19"},
        **more,
    }


def quote(**more: Any) -> dict[str, Any]:
    """An accepted quote of one line: 3 × 12.34, 19 % tax."""
    return {
        "business_unit": "emea",
        "number": "OPP-1001",
        "issue_date": "2026-11-23",
        "currency": "EUR",
        "partners": {"sold_to": PARTY},
        "lines": [line()],
        "status": "accepted",
        "accepted_at": "2026-11-23T10:02:11Z",
        **more,
    }


def order(**more: Any) -> dict[str, Any]:
    """A draft order of one line."""
    return {
        "business_unit": "emea",
        "request_number": "OPP-1001",
        "kind": "standard",
        "issue_date": "2026-11-23",
        "currency": "EUR",
        "partners": {"sold_to": PARTY},
        "lines": [line()],
        **more,
    }


def order_line(**counts: str) -> dict[str, Any]:
    """Ten ordered, and what became of them."""
    return line(quantity="10", price="1.00", amount="10.00", **counts)


def confirmed(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An order with the seller's number."""
    nothing = {"shipped": "0", "cancelled": "0", "invoiced": "0"}
    return order(number="4500001", lines=[{**nothing, **each} for each in lines], **more)


TOTALS = {
    "line_extension_amount": money("37.02"),
    "tax_exclusive_amount": money("37.02"),
    "tax_amount": money("7.03"),
    "tax_inclusive_amount": money("44.05"),
    "payable_amount": money("44.05"),
}
SUBTOTAL = {"taxable_amount": money("37.02"), "tax": {"code": "S", "percent": "19"}, "tax_amount": money("7.03")}


def invoice(**more: Any) -> dict[str, Any]:
    """An issued invoice of one line, worked by hand: 37.02 × 19 % = 7.0338."""
    return {
        "business_unit": "emea",
        "number": "RE-1",
        "kind": "invoice",
        "issue_date": "2026-11-23",
        "due_date": "2026-12-23",
        "currency": "EUR",
        "seller": SELLER,
        "partners": {"bill_to": PARTY},
        "lines": [line()],
        "tax_subtotals": [SUBTOTAL],
        "totals": TOTALS,
        "status": "issued",
        **more,
    }


def credit_note(**more: Any) -> dict[str, Any]:
    """A credit note over the whole invoice."""
    found = invoice(number="GS-1", corrects=[{"invoice": {"kind": "invoice", "number": "RE-1"}}], reason="return")
    return {name: value for name, value in found.items() if name not in ("kind", "due_date")} | more


def payment(**more: Any) -> dict[str, Any]:
    """A receipt of 44.05 EUR."""
    return {
        "business_unit": "emea",
        "kind": "receipt",
        "amount": money("44.05"),
        "means": "48",
        "status": "succeeded",
        "source": {"connection": "stripe-eu", "type": "payment_intent", "id": "pi_1"},
        **more,
    }


def customer(**more: Any) -> dict[str, Any]:
    """An active organization."""
    return {
        "business_unit": "emea",
        "number": "17100001",
        "kind": "organization",
        "name": "Acme",
        "status": "active",
        **more,
    }


def decimal(text: str) -> Decimal:
    """A Decimal, spelled short."""
    return Decimal(text)
