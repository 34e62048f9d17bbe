"""What is sold: products, whose id may be one's own, and their prices, which never change in amount.

docs.stripe.com/api/products, /prices. A price made in passing (``price_data``) is there but not active.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .account import Account, Body
from .errors import ParameterError, StripeError, exclusive_parameters, missing_parameter
from .lists import PAGING, objects, page
from .money import checked_amount, checked_currency, rounded
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval
from .search import searching
from .words import words

_PRODUCT = """
    active:bool description images[] marketing_features[]{name!} metadata:metadata
    package_dimensions{height!:decimal length!:decimal weight!:decimal width!:decimal} shippable:bool
    statement_descriptor tax_code tax_details{performance_location tax_code} unit_label url"""
_RECURRING = "recurring{interval!:day|week|month|year interval_count:int"
PRICE_DATA = """
    currency! product tax_behavior:exclusive|inclusive|unspecified unit_amount:int unit_amount_decimal:decimal"""
_KEPT = words("active description images marketing_features package_dimensions shippable statement_descriptor")
_KEPT += words("tax_code tax_details unit_label url")


def create_product(account: Account, ask: Ask) -> Body:
    """A new product, and its first price where ``default_price_data`` asks for one."""
    product = add_product(account, dict(ask.given))
    if data := ask.get("default_price_data"):
        price = add_price(account, {**data, "product": product["id"]})
        product["default_price"] = price["id"]
        account.save(product)
    return product


def add_product(account: Account, data: dict[str, Any], *, active: bool = True) -> Body:
    """Keep a new product. Raises StripeError ``resource_already_exists`` for an id that is taken."""
    identity = data.get("id") or account.new_id("prod")
    if account.find("product", identity) is not None:
        raise StripeError("Product already exists.", code="resource_already_exists", param="id")
    product: Body = {
        "id": identity,
        "object": "product",
        "active": active,
        "created": account.now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": new_metadata(data),
        "name": data["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": data.get("type", "service"),
        "unit_label": None,
        "updated": account.now,
        "url": None,
    }
    product.update({name: data[name] for name in _KEPT if name in data})
    return account.add(product, "product.created")


def _modify_product(account: Account, ask: Ask) -> Body:
    product = account.get("product", ask.id)
    merge(product, ask, "name", "default_price", *_KEPT)
    if ask.get("default_price"):
        price = account.get("price", ask["default_price"], "default_price")
        refuse_unless(price["product"] == product["id"], "The price belongs to another product.", None, "default_price")
    merge_metadata(product, ask)
    product["updated"] = account.now
    return account.save(product, "product.updated")


def _delete_product(account: Account, ask: Ask) -> Body:
    product = account.get("product", ask.id)
    refuse_unless(
        not account.having("price", "product", product["id"]),
        "This product cannot be deleted because it has one or more user-created prices.",
    )
    return account.remove(product, "product.deleted")


def create_price(account: Account, ask: Ask) -> Body:
    """A new price of a product, or of one made with it (``product_data``)."""
    data = dict(ask.given)
    if "product" in data and "product_data" in data:
        raise exclusive_parameters("product", "product_data")
    if "product_data" in data:
        data["product"] = add_product(account, data.pop("product_data"))["id"]
    if "product" not in data:
        raise missing_parameter("product")
    return add_price(account, data)


def add_price(account: Account, data: dict[str, Any], where: str = "", *, active: bool = True) -> Body:
    """Keep a new price. ``where`` is the hash that its parameters stand in, for errors."""
    currency = checked_currency(data["currency"], _named(where, "currency"))
    product = account.get("product", data["product"], _named(where, "product"))
    amount, exact = _unit_amount(data, currency, where)
    recurring = data.get("recurring")
    price: Body = {
        "id": account.new_id("price"),
        "object": "price",
        "active": data.get("active", active),
        "billing_scheme": "per_unit",
        "created": account.now,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": _lookup_key(account, data),
        "metadata": new_metadata(data),
        "nickname": data.get("nickname"),
        "product": product["id"],
        "recurring": _recurring(recurring) if recurring else None,
        "tax_behavior": data.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": exact,
    }
    return account.add(price, "price.created")


def _recurring(data: dict[str, Any]) -> Body:
    return {
        "interval": data["interval"],
        "interval_count": data.get("interval_count", 1),
        "meter": None,
        "trial_period_days": data.get("trial_period_days"),
        "usage_type": "licensed",
    }


def _named(where: str, name: str) -> str:
    return f"{where}[{name}]" if where else name


def _unit_amount(data: dict[str, Any], currency: str, where: str) -> tuple[int | None, str]:
    if ("unit_amount" in data) is ("unit_amount_decimal" in data):
        if "unit_amount" in data:
            raise exclusive_parameters(_named(where, "unit_amount"), _named(where, "unit_amount_decimal"))
        raise ParameterError(
            "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.",
            code="parameter_missing",
            param=_named(where, "unit_amount"),
        )
    if "unit_amount" in data:
        amount = checked_amount(data["unit_amount"], currency, _named(where, "unit_amount"))
        if amount < 0:
            raise ParameterError("Invalid non-negative integer", param=_named(where, "unit_amount"))
        return amount, str(amount)
    exact: Decimal = data["unit_amount_decimal"]
    whole = exact == exact.to_integral_value()
    return (rounded(exact, currency) if whole else None), f"{exact.normalize():f}"


def _lookup_key(account: Account, data: dict[str, Any]) -> str | None:
    key: str | None = data.get("lookup_key")
    for other in account.having("price", "lookup_key", key) if key else []:
        if not data.get("transfer_lookup_key"):
            raise StripeError(
                f"A price (`{other['id']}`) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        other["lookup_key"] = None
        account.save(other, "price.updated")
    return key


def _modify_price(account: Account, ask: Ask) -> Body:
    price = account.get("price", ask.id)
    merge(price, ask, "active", "nickname", "tax_behavior")
    if "lookup_key" in ask:
        price["lookup_key"] = _lookup_key(account, dict(ask.given))
    merge_metadata(price, ask)
    return account.save(price, "price.updated")


def _list_products(account: Account, ask: Ask) -> str:
    selection = objects(account, "product")
    for name in ("active", "shippable", "url"):
        if name in ask:
            selection.having(account, "product", name, ask[name])
    if "created" in ask:
        selection.within("created", ask["created"])
    if ids := ask.get("ids"):
        selection.where(f"id IN ({', '.join('?' for _ in ids)})", *ids)
    return page(account, ask, "product", selection, "/v1/products")


def _list_prices(account: Account, ask: Ask) -> str:
    selection = objects(account, "price")
    for name in ("active", "currency", "product", "type"):
        if name in ask:
            selection.having(account, "price", name, ask[name])
    if "created" in ask:
        selection.within("created", ask["created"])
    if keys := ask.get("lookup_keys"):
        marks = ", ".join("?" for _ in keys)
        terms = "SELECT number FROM term WHERE account = ? AND kind = 'price' AND field = 'lookup_key' AND value IN"
        selection.where(f"number IN ({terms} ({marks}))", account.id, *keys)
    return page(account, ask, "price", selection, "/v1/prices")


OPERATIONS = (
    operation(
        "POST",
        "/v1/products",
        create_product,
        f"id name! type:good|service {_PRODUCT} default_price_data{{{PRICE_DATA} metadata:metadata {_RECURRING}}}}}",
    ),
    searching("/v1/products", "product"),
    operation("GET", "/v1/products", _list_products, f"active:bool created:range ids[] shippable:bool url {PAGING}"),
    retrieval("/v1/products/{id}", "product"),
    operation("POST", "/v1/products/{id}", _modify_product, f"name default_price {_PRODUCT}"),
    operation("DELETE", "/v1/products/{id}", _delete_product),
    operation(
        "POST",
        "/v1/prices",
        create_price,
        f"active:bool billing_scheme:per_unit lookup_key transfer_lookup_key:bool nickname metadata:metadata {PRICE_DATA} "
        f"{_RECURRING} trial_period_days:int usage_type:licensed}} "
        "product_data{active:bool id metadata:metadata name! statement_descriptor tax_code unit_label}",
    ),
    searching("/v1/prices", "price"),
    operation(
        "GET",
        "/v1/prices",
        _list_prices,
        f"active:bool created:range currency lookup_keys[] product type:one_time|recurring {PAGING}",
    ),
    retrieval("/v1/prices/{id}", "price"),
    operation(
        "POST",
        "/v1/prices/{id}",
        _modify_price,
        "active:bool lookup_key transfer_lookup_key:bool nickname metadata:metadata "
        "tax_behavior:exclusive|inclusive|unspecified",
    ),
)
