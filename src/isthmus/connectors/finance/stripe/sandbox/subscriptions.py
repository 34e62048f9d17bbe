"""Subscriptions in their plain life: started, changed, paused, renewed by the clock, cancelled.

docs.stripe.com/api/subscriptions. No schedules, no metered prices, no thresholds.
"""

from __future__ import annotations

from typing import Any

from .account import Account, Body
from .discounts import DISCOUNTS, redeem
from .errors import Declined, ParameterError, StripeError
from .invoice_payments import default_method
from .lists import PAGING, objects, page
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval
from .payment_methods import checked_default
from .search import searching
from .subscription_billing import bill, collected, prorate, start_period
from .subscription_items import ITEM, change_items, found_item, new_item_of
from .subscription_periods import cancel_now, end_trial
from .tax_rates import usable_rates
from .words import words

_PARAMETERS = f"""
    automatic_tax{{enabled!:bool liability:any}} cancel_at:time cancel_at_period_end:bool
    collection_method:charge_automatically|send_invoice days_until_due:int default_payment_method default_tax_rates[]
    description {DISCOUNTS} metadata:metadata off_session:bool
    payment_settings{{payment_method_types[] save_default_payment_method:off|on_subscription}}
    payment_behavior:allow_incomplete|default_incomplete|error_if_incomplete|pending_if_incomplete
    proration_behavior:always_invoice|create_prorations|none trial_end
    trial_settings{{end_behavior!{{missing_payment_method!:cancel|create_invoice|pause}}}}"""
_PLAIN = words("collection_method days_until_due default_payment_method description")
_DAY_S = 24 * 3600


def create(account: Account, ask: Ask) -> Body:
    """Start a subscription and bill its first period."""
    customer = account.get("customer", ask["customer"], "customer")
    subscription = _blank(account, customer, ask)
    items = [new_item_of(account, subscription, data, f"items[{at}]") for at, data in enumerate(ask["items"])]
    refuse_unless(bool(items), "A subscription needs at least one item.", None, "items")
    currencies = {item["price"]["currency"] for item in items}
    refuse_unless(len(currencies) == 1, "All prices of a subscription must be in one currency.", None, "items")
    subscription["currency"] = currencies.pop()
    subscription["items"]["data"] = items
    _take_over(account, subscription, ask)
    _start_trial(account, subscription, ask)
    if subscription["status"] != "trialing":
        start_period(subscription, account.now)
    _checked_cancellation(account, subscription, ask)
    account.add(subscription)
    if customer["currency"] is None:
        customer["currency"] = subscription["currency"]
        account.save(customer)
    invoice = bill(account, subscription, "subscription_create")
    _first_payment(account, subscription, invoice, ask.get("payment_behavior", "allow_incomplete"))
    return account.save(subscription, "customer.subscription.created")


def modify(account: Account, ask: Ask) -> Body:
    """Change a subscription; changed items are prorated onto the next invoice, or invoiced at once."""
    subscription = account.get("subscription", ask.id)
    refuse_unless(
        subscription["status"] not in ("canceled", "incomplete_expired"),
        "A canceled subscription can only update its cancellation_details and metadata.",
        "invalid_canceled_subscription_fields",
    )
    _take_over(account, subscription, ask)
    if "pause_collection" in ask:
        paused = ask["pause_collection"]
        subscription["pause_collection"] = paused and {"resumes_at": None, **paused}
    merge_metadata(subscription, ask)
    _checked_cancellation(account, subscription, ask)
    if ask.get("trial_end"):
        _move_trial(account, subscription, ask["trial_end"])
    if "items" in ask:
        change(account, subscription, ask["items"] or [], ask.get("proration_behavior", "create_prorations"))
    return account.save(subscription, "customer.subscription.updated")


def change(account: Account, subscription: Body, items: list[dict[str, Any]], proration: str) -> None:
    """Change, add and take away items, with prorations as asked; saves no subscription."""
    for before, after in change_items(account, subscription, items):
        if proration != "none" and subscription["status"] != "trialing" and before is not None:
            prorate(account, subscription, before, after)
    if proration == "always_invoice":
        collected(account, bill(account, subscription, "subscription_update", items=[]))


def cancel(account: Account, ask: Ask) -> Body:
    """Cancel at once; ``prorate`` credits unused time, ``invoice_now`` bills what waits."""
    subscription = account.get("subscription", ask.id)
    refuse_unless(subscription["status"] != "canceled", f"No such subscription: {ask.id}", "resource_missing", "id")
    if ask.get("prorate"):
        for item in subscription["items"]["data"]:
            prorate(account, subscription, item, None)
    if ask.get("invoice_now"):
        collected(account, bill(account, subscription, "subscription_update", items=[]))
    subscription["cancellation_details"] |= ask.get("cancellation_details") or {}
    return cancel_now(account, subscription)


def _first_payment(account: Account, subscription: Body, invoice: Body, behavior: str) -> None:
    if invoice["status"] != "open" or subscription["collection_method"] == "send_invoice":
        return
    if behavior == "default_incomplete":
        subscription["status"] = "incomplete"
        return
    if default_method(account, invoice) is None:
        raise StripeError(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
            param="default_payment_method",
        )
    declined = collected(account, invoice)
    if declined is None:
        return
    if behavior == "error_if_incomplete":
        raise StripeError(str(declined), status=402, **_said(declined))
    subscription["status"] = "incomplete"


def _said(declined: Declined) -> dict[str, Any]:
    return {"kind": "card_error", "code": declined.error["code"], "decline_code": declined.error.get("decline_code")}


def _take_over(account: Account, subscription: Body, ask: Ask) -> None:
    merge(subscription, ask, *_PLAIN)
    if "default_payment_method" in ask:
        checked_default(account, subscription["customer"], ask["default_payment_method"])
    if "default_tax_rates" in ask:
        subscription["default_tax_rates"] = usable_rates(account, ask["default_tax_rates"], "default_tax_rates")
    if "discounts" in ask:
        about = {"subscription": subscription["id"], "customer": subscription["customer"]}
        subscription["discounts"] = redeem(account, ask["discounts"], **about)
    if "automatic_tax" in ask:
        subscription["automatic_tax"]["enabled"] = ask["automatic_tax"]["enabled"]
    if ask.get("trial_settings"):
        subscription["trial_settings"] = ask["trial_settings"]
    if ask.get("payment_settings"):
        subscription["payment_settings"] |= ask["payment_settings"]
    if subscription["collection_method"] == "send_invoice" and subscription["days_until_due"] is None:
        message = "If subscription `collection_method` is `send_invoice`, you must specify `days_until_due`."
        raise ParameterError(message, code="parameter_missing", param="days_until_due")


def _start_trial(account: Account, subscription: Body, ask: Ask) -> None:
    if "trial_period_days" in ask and "trial_end" in ask:
        message = "You may only specify one of these parameters: trial_period_days, trial_end."
        raise ParameterError(message, code="parameters_exclusive", param="trial_end")
    end = account.now + ask.get("trial_period_days", 0) * _DAY_S
    if ask.get("trial_end") not in (None, "now"):
        end = _instant(account, ask["trial_end"])
    if end > account.now:
        subscription |= {"status": "trialing", "trial_start": account.now, "trial_end": end}
        subscription["billing_cycle_anchor"] = end
        start_period(subscription, account.now, end)


def _move_trial(account: Account, subscription: Body, end: str) -> None:
    if end != "now":
        at = _instant(account, end)
        start = subscription["trial_start"] or account.now
        subscription |= {"status": "trialing", "trial_start": start, "trial_end": at, "billing_cycle_anchor": at}
        start_period(subscription, account.now, at)
    elif subscription["status"] == "trialing":
        end_trial(account, subscription, account.now)


def _instant(account: Account, text: str) -> int:
    if not text.isdecimal() or int(text) <= account.now:
        raise ParameterError(f"Invalid timestamp: {text}; it must lie in the future, or be `now`.", param="trial_end")
    return int(text)


def _checked_cancellation(account: Account, subscription: Body, ask: Ask) -> None:
    if "cancel_at" in ask and ask.get("cancel_at_period_end"):
        message = "You may only specify one of these parameters: cancel_at, cancel_at_period_end."
        raise ParameterError(message, code="parameters_exclusive", param="cancel_at")
    if "cancel_at_period_end" in ask:
        wanted = ask["cancel_at_period_end"]
        end = subscription["items"]["data"][0]["current_period_end"]
        subscription |= {"cancel_at_period_end": wanted, "cancel_at": end if wanted else None}
        subscription["canceled_at"] = account.now if wanted else None
        subscription["cancellation_details"]["reason"] = "cancellation_requested" if wanted else None
    if "cancel_at" in ask:
        subscription |= {"cancel_at": ask["cancel_at"], "canceled_at": account.now if ask["cancel_at"] else None}
    if "cancellation_details" in ask:
        subscription["cancellation_details"] |= ask["cancellation_details"] or {}


def _blank(account: Account, customer: Body, ask: Ask) -> Body:
    identity = account.new_id("sub")
    nothing = (
        "application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at canceled_at "
    )
    nothing += "customer_account days_until_due default_payment_method default_source description ended_at "
    nothing += "latest_invoice next_pending_invoice_item_invoice on_behalf_of pause_collection "
    nothing += "pending_invoice_item_interval pending_setup_intent pending_update schedule test_clock transfer_data "
    nothing += "trial_end trial_start"
    url = f"/v1/subscription_items?subscription={identity}"
    return {
        "id": identity,
        "object": "subscription",
        **dict.fromkeys(nothing.split()),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": account.now,
        "billing_mode": {"type": "flexible", "updated_at": account.now},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": account.now,
        "currency": None,
        "customer": customer["id"],
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {"object": "list", "data": [], "has_more": False, "url": url},
        "livemode": False,
        "metadata": new_metadata(ask.given),
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "start_date": account.now,
        "status": "active",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    }


def _pause(account: Account, ask: Ask) -> Body:
    subscription = account.get("subscription", ask.id)
    refuse_unless(subscription["status"] in ("active", "trialing"), "Only active subscriptions can be paused.")
    subscription["status"] = "paused"
    return account.save(subscription, "customer.subscription.updated", "customer.subscription.paused")


def _resume(account: Account, ask: Ask) -> Body:
    subscription = account.get("subscription", ask.id)
    refuse_unless(subscription["status"] == "paused", "Only paused subscriptions can be resumed.")
    subscription |= {"status": "active", "billing_cycle_anchor": account.now}
    start_period(subscription, account.now)
    invoice = bill(account, subscription, "subscription_update")
    if collected(account, invoice) is not None:
        subscription["status"] = "past_due"
    return account.save(subscription, "customer.subscription.updated", "customer.subscription.resumed")


def _list(account: Account, ask: Ask) -> str:
    selection = objects(account, "subscription")
    for name in ("customer", "collection_method", "price"):
        if name in ask:
            selection.having(account, "subscription", name, ask[name])
    if "created" in ask:
        selection.within("created", ask["created"])
    status = ask.get("status")
    if status is None:
        ended = "SELECT number FROM term WHERE account = ? AND kind = 'subscription' AND field = 'status' AND value = ?"
        selection.where(f"number NOT IN ({ended})", account.id, "canceled")
    elif status == "ended":
        ended = "SELECT number FROM term WHERE account = ? AND kind = 'subscription' AND field = 'status' AND value IN"
        selection.where(f"number IN ({ended} ('canceled', 'incomplete_expired'))", account.id)
    elif status != "all":
        selection.having(account, "subscription", "status", status)
    return page(account, ask, "subscription", selection, "/v1/subscriptions")


def _add_item(account: Account, ask: Ask) -> Body:
    subscription = account.get("subscription", ask["subscription"], "subscription")
    change(account, subscription, [dict(ask.given)], ask.get("proration_behavior", "create_prorations"))
    account.save(subscription, "customer.subscription.updated")
    item: Body = subscription["items"]["data"][-1]
    return item


def _change_item(account: Account, ask: Ask) -> Body:
    subscription, item = found_item(account, ask.id)
    wanted = [{**ask.given, "id": ask.id}]
    change(account, subscription, wanted, ask.get("proration_behavior", "create_prorations"))
    account.save(subscription, "customer.subscription.updated")
    return item


def _delete_item(account: Account, ask: Ask) -> Body:
    subscription, _ = found_item(account, ask.id)
    wanted = [{"id": ask.id, "deleted": True}]
    change(account, subscription, wanted, ask.get("proration_behavior", "create_prorations"))
    account.save(subscription, "customer.subscription.updated")
    return {"id": ask.id, "object": "subscription_item", "deleted": True}


_STATUSES = "active|all|canceled|ended|incomplete|incomplete_expired|past_due|paused|trialing|unpaid"
_PRORATION = "proration_behavior:always_invoice|create_prorations|none"
_DETAILS = "cancellation_details{comment feedback}"
OPERATIONS = (
    operation(
        "POST",
        "/v1/subscriptions",
        create,
        f"customer! items![]{{{ITEM}}} trial_period_days:int {_PARAMETERS}",
    ),
    searching("/v1/subscriptions", "subscription"),
    operation(
        "GET",
        "/v1/subscriptions",
        _list,
        f"collection_method:charge_automatically|send_invoice created:range customer price status:{_STATUSES} {PAGING}",
    ),
    retrieval("/v1/subscriptions/{id}", "subscription"),
    operation(
        "POST",
        "/v1/subscriptions/{id}",
        modify,
        f"items[]{{id deleted:bool {ITEM}}} pause_collection{{behavior!:keep_as_draft|mark_uncollectible|void "
        f"resumes_at:time}} {_DETAILS} {_PARAMETERS}",
    ),
    operation("DELETE", "/v1/subscriptions/{id}", cancel, f"{_DETAILS} invoice_now:bool prorate:bool"),
    operation("POST", "/v1/subscriptions/{id}/pause", _pause, "type:subscription"),
    operation(
        "POST",
        "/v1/subscriptions/{id}/resume",
        _resume,
        f"billing_cycle_anchor:any {_PRORATION} payment_behavior",
    ),
    operation("POST", "/v1/subscription_items", _add_item, f"subscription! {ITEM} {_PRORATION}"),
    operation("POST", "/v1/subscription_items/{id}", _change_item, f"{ITEM} {_PRORATION}"),
    operation("DELETE", "/v1/subscription_items/{id}", _delete_item, _PRORATION),
)
