"""What a run is about, in the words that people search by: number, title, customer, amount."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from isthmus.model import sum_money
from isthmus.store.transaction import Row


def business_key(found: BaseModel, subject: str) -> str:
    """The number by which people know the object; its subject where it has none."""
    for name in ("request_number", "number"):
        value = getattr(found, name, None)
        if value:
            return str(value)
    return subject


def about(found: BaseModel, subject: str) -> Row:
    """Columns of a run for a canonical object."""
    partners = getattr(found, "partners", None)
    party = getattr(partners, "sold_to", None) or getattr(partners, "bill_to", None)
    totals = getattr(found, "totals", None)
    money = _first(
        totals, "payable_amount", "tax_inclusive_amount", "tax_exclusive_amount", "line_extension_amount"
    ) or _net(found)
    opportunity = getattr(found, "opportunity", None)
    return {
        "business_key": business_key(found, subject),
        "title": getattr(opportunity, "name", None) or getattr(found, "name", None) or type(found).__name__,
        "customer": getattr(party, "name", None),
        "amount": str(money.amount) if money is not None else None,
        "currency": money.currency if money is not None else getattr(found, "currency", None),
        "unit": getattr(found, "business_unit", None),
    }


def _net(found: BaseModel) -> Any:
    """The net of a document that states no totals, or the amount of what has no lines."""
    lines = getattr(found, "lines", None)
    if lines:
        return sum_money((line.line_extension_amount for line in lines), lines[0].line_extension_amount.currency)
    return getattr(found, "amount", None)


def _first(value: Any, *names: str) -> Any:
    return next((getattr(value, name) for name in names if getattr(value, name, None) is not None), None)
