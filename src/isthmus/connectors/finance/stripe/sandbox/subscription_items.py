"""The items of a subscription: a recurring price and how many of it.

docs.stripe.com/api/subscription_items. They live inside their subscription and can be asked for by themselves.
"""

from __future__ import annotations

import json
from typing import Any

from .account import Account, Body, as_json
from .catalogue import PRICE_DATA, add_price
from .discounts import DISCOUNTS, redeem
from .errors import StripeError, exclusive_parameters, missing_object, missing_parameter
from .lists import PAGING, part
from .operation import Ask, merge_metadata, new_metadata, operation, refuse_unless
from .subscription_billing import start_period
from .tax_rates import usable_rates

ITEM = f"""
    {DISCOUNTS} metadata:metadata plan price quantity:int tax_rates[]
    price_data{{{PRICE_DATA} recurring!{{interval!:day|week|month|year interval_count:int}}}}"""


def new_item_of(account: Account, subscription: Body, data: dict[str, Any], where: str) -> Body:
    """A new item, not in its subscription yet."""
    price = recurring_price(account, data, where)
    item: Body = {
        "id": account.new_id("si"),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": account.now,
        "current_period_end": 0,
        "current_period_start": 0,
        "discounts": [],
        "metadata": new_metadata(data),
        "plan": _plan(price),
        "price": json.loads(as_json(price)),
        "quantity": data.get("quantity", 1),
        "subscription": subscription["id"],
        "tax_rates": usable_rates(account, data.get("tax_rates"), f"{where}[tax_rates]"),
    }
    about = {"subscription_item": item["id"], "customer": subscription["customer"]}
    item["discounts"] = redeem(account, data.get("discounts"), **about)
    return item


def change_items(
    account: Account, subscription: Body, items: list[dict[str, Any]]
) -> list[tuple[Body | None, Body | None]]:
    """Apply changes to the items; each item before and after, where what it costs has changed."""
    changed: list[tuple[Body | None, Body | None]] = []
    held: list[Body] = subscription["items"]["data"]
    for at, data in enumerate(items):
        where = f"items[{at}]"
        if "id" not in data:
            item = new_item_of(account, subscription, data, where)
            held.append(item)
            _join_period(subscription, item)
            changed.append(({**item, "quantity": 0}, item))
            continue
        item = _held(held, data["id"], where)
        before = dict(item)
        if data.get("deleted"):
            refuse_unless(len(held) > 1, "A subscription must have at least one active item.", None, where)
            held.remove(item)
            changed.append((before, None))
            continue
        _change(account, item, data, where)
        if (before["quantity"], before["price"]["id"]) != (item["quantity"], item["price"]["id"]):
            changed.append((before, item))
    return changed


def recurring_price(account: Account, data: dict[str, Any], where: str) -> Body:
    """The price of an item. Raises StripeError for one that is not recurring."""
    identity = data.get("price") or data.get("plan")
    if identity and "price_data" in data:
        raise exclusive_parameters(f"{where}[price]", f"{where}[price_data]")
    if "price_data" in data:
        if "product" not in data["price_data"]:
            raise missing_parameter(f"{where}[price_data][product]")
        return add_price(account, data["price_data"], f"{where}[price_data]", active=False)
    if not identity:
        raise missing_parameter(f"{where}[price]")
    price = account.get("price", identity, f"{where}[price]")
    if price["type"] != "recurring":
        raise StripeError(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{where}[price]",
        )
    refuse_unless(price["active"], "The price specified is inactive.", None, f"{where}[price]")
    return price


def _change(account: Account, item: Body, data: dict[str, Any], where: str) -> None:
    if data.get("price") or data.get("plan") or "price_data" in data:
        price = recurring_price(account, data, where)
        refuse_unless(
            price["currency"] == item["price"]["currency"],
            "A subscription's currency cannot be changed.",
            None,
            f"{where}[price]",
        )
        item |= {"price": json.loads(as_json(price)), "plan": _plan(price)}
    if "quantity" in data:
        item["quantity"] = data["quantity"]
    if "tax_rates" in data:
        item["tax_rates"] = usable_rates(account, data["tax_rates"], f"{where}[tax_rates]")
    merge_metadata(item, Ask({}, data))


def _join_period(subscription: Body, item: Body) -> None:
    first = subscription["items"]["data"][0]
    if first is item:
        start_period(subscription, item["created"])
    item |= {name: first[name] for name in ("current_period_start", "current_period_end")}


def _held(items: list[Body], identity: str, where: str) -> Body:
    for item in items:
        if item["id"] == identity:
            return item
    raise missing_object("subscription_item", identity, f"{where}[id]")


def _plan(price: Body) -> Body:
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def found_item(account: Account, identity: str) -> tuple[Body, Body]:
    """The subscription that an item is in, and the item."""
    for subscription in account.having("subscription", "item", identity):
        return subscription, _held(subscription["items"]["data"], identity, "id")
    raise missing_object("subscription_item", identity, "id")


def _retrieve(account: Account, ask: Ask) -> Body:
    return found_item(account, ask.id)[1]


def _list(account: Account, ask: Ask) -> str:
    items = account.get("subscription", ask["subscription"], "subscription")["items"]["data"]
    return part(ask, "subscription_item", items, "/v1/subscription_items")


OPERATIONS = (
    operation("GET", "/v1/subscription_items", _list, f"subscription! {PAGING}"),
    operation("GET", "/v1/subscription_items/{id}", _retrieve),
)
