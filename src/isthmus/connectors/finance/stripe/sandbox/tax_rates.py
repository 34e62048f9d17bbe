"""Tax rates: percentages that lines and invoices refer to; changed never in percentage, only set aside.

docs.stripe.com/api/tax_rates. Amounts of tax given by hand (``tax_amounts``) find or make a rate of their own, which
is not active (docs: billing/taxes/manual-tax-amounts).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .account import Account, Body, as_json
from .errors import ParameterError
from .lists import listing
from .operation import Ask, merge, merge_metadata, new_metadata, operation, retrieval
from .words import words

_TEXTS = "country description jurisdiction state"
_TAX_TYPE = (
    "tax_type:admissions_tax|amusement_tax|attendance_tax|communications_tax|digital_excise_tax|entertainment_tax|"
    "get_fund|gross_receipts_tax|gst|hospitality_tax|hst|igst|jct|lease_tax|luxury_tax|mass_transit_parking_tax|nhil|"
    "parking_tax|pst|qst|resort_tax|retail_delivery_fee|rst|sales_tax|service_tax|tourism_tax|utility_users_tax|vat"
)
REASONS = (
    "customer_exempt|not_collecting|not_subject_to_tax|not_supported|portion_product_exempt|portion_reduced_rated|"
    "portion_standard_rated|product_exempt|product_exempt_holiday|proportionally_rated|reduced_rated|reverse_charge|"
    "standard_rated|taxable_basis_reduced|zero_rated"
)
_KEPT = (*words(_TEXTS), "tax_type")
_RATE = f"{_TEXTS} {_TAX_TYPE} display_name! inclusive!:bool percentage!:decimal"
RATE_DATA = f"{_RATE} jurisdiction_level:city|country|county|district|multiple|state"


def add_rate(account: Account, data: dict[str, Any], *, active: bool = True, hidden: Body | None = None) -> Body:
    """Keep a new tax rate. Percentages are JSON numbers; nothing is computed from their float."""
    percentage: Decimal = data["percentage"]
    if not 0 <= percentage <= 100 or percentage != round(percentage, 4):
        message = "Invalid percentage: must be from 0 to 100 with at most four decimals."
        raise ParameterError(message, param="percentage")
    rate: Body = {
        "id": account.new_id("txr"),
        "object": "tax_rate",
        "active": data.get("active", active),
        "country": None,
        "created": account.now,
        "description": None,
        "display_name": data["display_name"],
        "effective_percentage": float(percentage),
        "flat_amount": None,
        "inclusive": data["inclusive"],
        "jurisdiction": None,
        "jurisdiction_level": data.get("jurisdiction_level"),
        "livemode": False,
        "metadata": new_metadata(data),
        "percentage": float(percentage),
        "rate_type": "percentage",
        "state": None,
        "tax_type": None,
    }
    rate.update({name: data[name] for name in _KEPT if name in data})
    return account.add(rate, "tax_rate.created", hidden=hidden)


def percentage_of(rate: Body) -> Decimal:
    """The rate's percentage as it was written."""
    return Decimal(str(rate["percentage"]))


def rate_of_data(account: Account, data: dict[str, Any]) -> Body:
    """The archived rate that fits ``tax_rate_data`` exactly, made where there is none yet."""
    made_of = {name: str(value) for name, value in sorted(data.items())}
    mark = as_json(made_of)
    if mark not in account.rates_of_data:
        sql = "SELECT id FROM object WHERE account = ? AND kind = 'tax_rate' AND hidden = ?"
        found = account.world.value(sql, (account.id, mark))
        made = found is None
        rate = add_rate(account, data, active=False, hidden=made_of) if made else account.get("tax_rate", found)
        account.rates_of_data[mark] = rate
    return account.rates_of_data[mark]


def usable_rates(account: Account, ids: list[str] | None, param: str) -> list[Body]:
    """The active rates of these ids. Raises StripeError where one is not there, ParameterError where it is archived."""
    rates = [account.get("tax_rate", identity, param) for identity in ids or []]
    for rate in rates:
        if not rate["active"]:
            raise ParameterError(f"The tax rate {rate['id']} is archived and cannot be used.", param=param)
    return rates


def _create(account: Account, ask: Ask) -> Body:
    return add_rate(account, dict(ask.given))


def _modify(account: Account, ask: Ask) -> Body:
    rate = account.get("tax_rate", ask.id)
    merge(rate, ask, "active", "display_name", *_KEPT)
    merge_metadata(rate, ask)
    return account.save(rate, "tax_rate.updated")


OPERATIONS = (
    operation("POST", "/v1/tax_rates", _create, f"active:bool metadata:metadata {_RATE}"),
    listing("/v1/tax_rates", "tax_rate", "active:bool created:range inclusive:bool"),
    retrieval("/v1/tax_rates/{id}", "tax_rate"),
    operation(
        "POST", "/v1/tax_rates/{id}", _modify, f"active:bool display_name metadata:metadata {_TEXTS} {_TAX_TYPE}"
    ),
)
