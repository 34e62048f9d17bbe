"""What the sample company sells, as canonical documents: a customer, an order with agreed prices, its invoice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from isthmus.blueprints.quote_to_cash.documents import invoice_for
from isthmus.model import Customer, Invoice, Order, PartySnapshot, TaxRegistration
from isthmus.sandkit.company import Account, Company, rounded

_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GST = frozenset({"JP", "AU", "SG"})
SELLER = PartySnapshot(
    name="Sonnwerk Europe GmbH", tax_registrations=(TaxRegistration(scheme="VAT", number="DE811907980", country="DE"),)
)


def id_of(word: str, key: str) -> str:
    """The same canonical id for the same key, in the shape of one."""
    digest = hashlib.sha256(key.encode()).digest()
    return f"{word}_0{''.join(_BASE32[byte % 32] for byte in digest[:25])}"


def customer_of(account: Account, **changes: Any) -> Customer:
    """An account of the company as the CRM knows it."""
    scheme = "GST" if account.country in _GST else "VAT"
    registration = {"scheme": scheme, "number": account.vat_number, "country": account.country}
    address = {"lines": [account.street], "city": account.city, "postal_code": account.postal_code}
    return Customer.model_validate(
        {
            "id": id_of("customer", account.key),
            "business_unit": account.unit,
            "number": account.number if account.in_erp else None,
            "kind": "organization",
            "name": account.name,
            "status": "active" if account.in_erp else "prospect",
            "currency": account.currency,
            "addresses": [
                {
                    "id": "billing",
                    "uses": ["sold_to", "bill_to"],
                    "address": address | {"region": account.region or None, "country": account.country},
                }
            ],
            "contacts": [
                {"name": f"{one.given_name} {one.family_name}", "email": one.email, "phone": one.phone}
                for one in account.people
            ],
            "tax_registrations": [registration] if account.vat_number else [],
            "extensions": {"account_key": account.key},
            **changes,
        }
    )


def order_of(
    company: Company,
    account: Account,
    key: str = "OPP-1",
    lines: Sequence[tuple[str, str]] = (("X-100", "3"), ("S-109", "2")),
    *,
    percent: str | None = None,
    **changes: Any,
) -> Order:
    """An order for these products and quantities at list prices; with ``percent`` it is taxed as the ERP would."""
    made = [_line(company, account, at, *line, percent) for at, line in enumerate(lines, start=1)]
    net = sum((Decimal(line["line_extension_amount"]["amount"]) for line in made), Decimal(0))
    tax = sum((Decimal(line["tax_amount"]["amount"]) for line in made if "tax_amount" in line), net * 0)
    sums = {
        "line_extension_amount": net,
        "tax_exclusive_amount": net,
        "tax_amount": tax,
        "tax_inclusive_amount": net + tax,
        "payable_amount": net + tax,
    }
    buyer = {"kind": "customer", "id": id_of("customer", account.key), "number": account.number}
    return Order.model_validate(
        {
            "id": id_of("order", key),
            "business_unit": account.unit,
            "request_number": key,
            "number": "4711" if percent is not None else None,
            "kind": "standard",
            "issue_date": "2026-11-23",
            "currency": account.currency,
            "purchase_order_number": "PO-77",
            "price_source": "crm",
            "partners": {"sold_to": {"customer": buyer, "name": account.name}},
            "lines": made,
            "totals": {name: _money(amount, account.currency) for name, amount in sums.items()},
            **changes,
        }
    )


def invoice_of(company: Company, account: Account, key: str = "OPP-1", *, percent: str = "19", **more: Any) -> Invoice:
    """The invoice that asks for an order's money."""
    return invoice_for(order_of(company, account, key, percent=percent, **more), SELLER, date(2026, 11, 23))


def _line(
    company: Company, account: Account, at: int, number: str, quantity: str, percent: str | None
) -> dict[str, Any]:
    product, currency = company.product(number), account.currency
    net = rounded(product.prices[currency] * Decimal(quantity), currency)
    line: dict[str, Any] = {
        "id": str(at * 10),
        "position": at * 10,
        "product": {"kind": "product", "number": number},
        "name": product.name,
        "quantity": {"value": quantity, "unit": product.unit},
        "unit_price": {"amount": str(product.prices[currency]), "currency": currency},
        "line_extension_amount": _money(net, currency),
    }
    if product.months:
        line["period"] = {"start_date": "2026-12-01", "end_date": "2027-11-30"}
    if percent is not None:
        scheme = "GST" if account.country in _GST else "VAT"
        line["tax"] = {"code": "S", "percent": percent, "scheme": scheme}
        line["tax_amount"] = _money(rounded(net * Decimal(percent) / 100, currency), currency)
        line |= {"shipped": "0", "cancelled": "0", "invoiced": "0"}
    return line


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"amount": f"{amount:f}", "currency": currency}
