"""Coupons and the discounts that they become on invoices and lines.

docs.stripe.com/api/coupons, /discounts. Line discounts come before invoice discounts; promotion codes there are none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from .account import Account, Body
from .errors import ParameterError, StripeError, missing_parameter
from .lists import listing
from .money import checked_amount, checked_currency, rounded
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval

DISCOUNTS = "discounts[]{coupon discount}"


def redeem(account: Account, entries: list[dict[str, Any]] | None, **about: Any) -> list[str]:
    """The ids of the discounts that these entries become, or already are."""
    found = []
    for entry in entries or []:
        if "discount" in entry:
            found.append(account.get("discount", entry["discount"], "discounts")["id"])
        else:
            found.append(_redeemed(account, entry, about)["id"])
    return found


def discount_of(account: Account, identity: str, base: int, currency: str) -> int:
    """What a discount takes from ``base``, never more than all of it."""
    coupon = account.get("coupon", account.get("discount", identity)["source"]["coupon"])
    if coupon["percent_off"] is not None:
        return rounded(Decimal(base) * Decimal(str(coupon["percent_off"])) / 100, currency)
    if coupon["currency"] != currency:
        raise StripeError(
            f"The coupon {coupon['id']} is in {coupon['currency']} and cannot be applied in {currency}.",
            param="discounts",
        )
    return min(int(coupon["amount_off"]), max(base, 0))


def _redeemed(account: Account, entry: dict[str, Any], about: dict[str, Any]) -> Body:
    if "coupon" not in entry:
        raise missing_parameter("discounts[0][coupon]")
    coupon = account.get("coupon", entry["coupon"], "discounts[0][coupon]")
    refuse_unless(coupon["valid"], f"Coupon expired: {coupon['id']}", "coupon_expired", "discounts")
    coupon["times_redeemed"] += 1
    coupon["valid"] = coupon["max_redemptions"] is None or coupon["times_redeemed"] < coupon["max_redemptions"]
    account.save(coupon)
    discount: Body = {
        "id": account.new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": None,
        "customer_account": None,
        "end": None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": account.now,
        "subscription": None,
        "subscription_item": None,
        **about,
    }
    return account.add(discount)


def _create(account: Account, ask: Ask) -> Body:
    if ("percent_off" in ask) is ("amount_off" in ask):
        raise ParameterError("Must pass exactly one of percent_off or amount_off.", param="percent_off")
    identity = ask.get("id") or account.new_id("cpn").removeprefix("cpn_1")[:8]
    if account.find("coupon", identity) is not None:
        raise StripeError("Coupon already exists.", code="resource_already_exists", param="id")
    currency = None
    if "amount_off" in ask:
        if "currency" not in ask:
            raise missing_parameter("currency")
        currency = checked_currency(ask["currency"])
        checked_amount(ask["amount_off"], currency, "amount_off")
    duration = ask.get("duration", "once")
    if (duration == "repeating") is not ("duration_in_months" in ask):
        raise ParameterError("duration_in_months goes with duration=repeating, and only with it.", param="duration")
    percent = ask.get("percent_off")
    coupon: Body = {
        "id": identity,
        "object": "coupon",
        "amount_off": ask.get("amount_off"),
        "created": account.now,
        "currency": currency,
        "duration": duration,
        "duration_in_months": ask.get("duration_in_months"),
        "livemode": False,
        "max_redemptions": ask.get("max_redemptions"),
        "metadata": new_metadata(ask.given),
        "name": ask.get("name"),
        "percent_off": None if percent is None else float(percent),
        "redeem_by": ask.get("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    hidden = {"applies_to": ask["applies_to"]} if ask.get("applies_to") else None
    return account.add(coupon, "coupon.created", hidden=hidden)


def _modify(account: Account, ask: Ask) -> Body:
    coupon = account.get("coupon", ask.id)
    merge(coupon, ask, "name")
    merge_metadata(coupon, ask)
    return account.save(coupon, "coupon.updated")


def _delete(account: Account, ask: Ask) -> Body:
    return account.remove(account.get("coupon", ask.id), "coupon.deleted")


OPERATIONS = (
    operation(
        "POST",
        "/v1/coupons",
        _create,
        "id name percent_off:decimal amount_off:int currency duration:once|repeating|forever duration_in_months:int "
        "max_redemptions:int redeem_by:time metadata:metadata applies_to{products[]}",
    ),
    listing("/v1/coupons", "coupon", "created:range"),
    retrieval("/v1/coupons/{id}", "coupon"),
    operation("POST", "/v1/coupons/{id}", _modify, "name metadata:metadata"),
    operation("DELETE", "/v1/coupons/{id}", _delete),
)
