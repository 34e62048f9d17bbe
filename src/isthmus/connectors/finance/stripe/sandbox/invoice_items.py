"""Invoice items: what is to be billed, waiting for an invoice or put on a draft.

docs.stripe.com/api/invoiceitems (of the pinned version: ``pricing[price]``, ``price_data``, ``unit_amount_decimal`` or a
plain ``amount``; no ``price``, no ``unit_amount``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .account import Account, Body
from .catalogue import PRICE_DATA, add_price, add_product
from .discounts import DISCOUNTS, redeem
from .errors import ParameterError, StripeError, exclusive_parameters, missing_parameter
from .money import checked_amount, checked_currency, rounded
from .operation import Ask, merge_metadata, new_metadata, refuse_unless
from .tax_rates import usable_rates

ITEM = f"""
    amount:int description discountable:bool {DISCOUNTS} metadata:metadata period{{start!:time end!:time}}
    pricing{{price}} quantity:int quantity_decimal:decimal tax_rates[]"""
ITEM_PRICE_DATA = f"price_data{{{PRICE_DATA}}}"
_SOURCES = ("amount", "pricing", "price_data", "unit_amount_decimal")


def new_item(account: Account, data: dict[str, Any], customer: str, currency: str | None, invoice: str | None) -> Body:
    """A new invoice item in ``currency`` (None: that of its price), not kept yet."""
    priced = price(account, data, currency)
    item: Body = {
        "id": account.new_id("ii"),
        "object": "invoiceitem",
        "amount": priced["amount"],
        "currency": priced["currency"],
        "customer": customer,
        "customer_account": None,
        "date": account.now,
        "description": data.get("description") or priced["description"],
        "discountable": data.get("discountable", True),
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": new_metadata(data),
        "net_amount": None,
        "parent": None,
        "period": _period(account, data),
        "pricing": priced["pricing"],
        "proration": False,
        "quantity": int(priced["quantity"]),
        "quantity_decimal": f"{priced['quantity']:f}",
        "tax_rates": usable_rates(account, data.get("tax_rates"), "tax_rates"),
        "test_clock": None,
    }
    item["discounts"] = redeem(account, data.get("discounts"), invoice_item=item["id"], customer=customer)
    return item


def change_item(account: Account, item: Body, ask: Ask) -> Body:
    """Change an invoice item as the parameters say; saves nothing."""
    if any(name in ask for name in (*_SOURCES, "quantity", "quantity_decimal")):
        priced = price(account, _completed(item, dict(ask.given)), item["currency"])
        item |= {"amount": priced["amount"], "pricing": priced["pricing"], "quantity": int(priced["quantity"])}
        item["quantity_decimal"] = f"{priced['quantity']:f}"
    for name in ("description", "discountable", "period"):
        if name in ask:
            item[name] = ask[name]
    if "tax_rates" in ask:
        item["tax_rates"] = usable_rates(account, ask["tax_rates"], "tax_rates")
    if "discounts" in ask:
        about = {"invoice_item": item["id"], "customer": item["customer"]}
        item["discounts"] = redeem(account, ask["discounts"], **about)
    merge_metadata(item, ask)
    return item


def price(account: Account, data: dict[str, Any], currency: str | None) -> dict[str, Any]:
    """Amount, currency, quantity, pricing and description of something to bill.

    Raises StripeError where its currency is not ``currency`` or its price cannot be used.
    """
    given = [name for name in _SOURCES if data.get(name) is not None]
    if len(given) > 1:
        raise exclusive_parameters(*given)
    if not given:
        message = "You must specify one of `amount`, `pricing`, `price_data` or `unit_amount_decimal`."
        raise ParameterError(message, code="parameter_missing", param="amount")
    if given == ["amount"]:
        return _by_amount(data, currency)
    quantity = _quantity(data)
    if given == ["unit_amount_decimal"]:
        code = _currency(data, currency)
        unit, details, description = data["unit_amount_decimal"], None, None
    else:
        found = _price(account, data)
        code, unit = found["currency"], Decimal(found["unit_amount_decimal"])
        details = {"price": found["id"], "product": found["product"]}
        description = account.get("product", found["product"])["name"]
    if currency not in (None, code):
        raise StripeError(
            f"The price's currency ({code}) does not match the invoice's currency ({currency}): all lines of an "
            "invoice are in one currency.",
            param="currency",
        )
    return {
        "amount": rounded(unit * quantity, code),
        "currency": code,
        "quantity": quantity,
        "pricing": _pricing(details, f"{unit.normalize():f}"),
        "description": description,
    }


def _by_amount(data: dict[str, Any], currency: str | None) -> dict[str, Any]:
    for name in ("quantity", "quantity_decimal"):
        if name in data:
            raise exclusive_parameters("amount", name)
    code = _currency(data, currency)
    amount = checked_amount(data["amount"], code)
    pricing = _pricing(None, str(amount))
    return {"amount": amount, "currency": code, "quantity": Decimal(1), "pricing": pricing, "description": None}


def _currency(data: dict[str, Any], currency: str | None) -> str:
    given = checked_currency(data["currency"]) if data.get("currency") else currency
    if given is None:
        raise missing_parameter("currency")
    if currency not in (None, given):
        raise StripeError(
            f"The currency of the invoice item ({given}) does not match the invoice's currency ({currency}).",
            param="currency",
        )
    return given


def _quantity(data: dict[str, Any]) -> Decimal:
    if "quantity" in data and "quantity_decimal" in data:
        raise exclusive_parameters("quantity", "quantity_decimal")
    quantity = Decimal(data.get("quantity", data.get("quantity_decimal", 1)))
    if quantity < 0:
        raise ParameterError("Invalid non-negative integer", param="quantity")
    return quantity


def _price(account: Account, data: dict[str, Any]) -> Body:
    if made := data.get("price_data"):
        if "product_data" in made and "product" not in made:
            product = add_product(account, made["product_data"], active=False)
            made = {**made, "product": product["id"]}
        if "product" not in made:
            raise missing_parameter("price_data[product]")
        return add_price(account, made, "price_data", active=False)
    if "price" not in data["pricing"]:
        raise missing_parameter("pricing[price]")
    found = account.get("price", data["pricing"]["price"], "pricing[price]")
    refuse_unless(found["active"], "The price specified is inactive. This field only accepts active prices.")
    refuse_unless(
        found["type"] == "one_time",
        "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
        None,
        "pricing[price]",
    )
    return found


def _pricing(details: Body | None, unit: str) -> Body:
    return {"price_details": details, "type": "price_details", "unit_amount_decimal": unit}


def _completed(item: Body, data: dict[str, Any]) -> dict[str, Any]:
    """A changed quantity keeps the price, a changed price keeps the quantity."""
    if not any(name in data for name in _SOURCES):
        details = item["pricing"]["price_details"]
        if details:
            data["pricing"] = {"price": details["price"]}
        else:
            data["unit_amount_decimal"] = Decimal(item["pricing"]["unit_amount_decimal"])
    elif "amount" not in data and "quantity" not in data and "quantity_decimal" not in data:
        data["quantity_decimal"] = Decimal(item["quantity_decimal"])
    return data


def _period(account: Account, data: dict[str, Any]) -> Body:
    period = data.get("period") or {"start": account.now, "end": account.now}
    if period["end"] < period["start"]:
        raise ParameterError("The period's end must not be before its start.", param="period[end]")
    return {"start": period["start"], "end": period["end"]}
