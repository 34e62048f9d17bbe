"""What the clock brings to subscriptions: renewals, ends of trials and of subscriptions.

docs.stripe.com/billing/subscriptions/overview, /trials. Failed renewals leave a subscription past due; nothing retries
them, and only paying the invoice makes it active again.
"""

from __future__ import annotations

from .account import Account, Body
from .invoice_life import void
from .invoice_payments import subscription_method
from .operation import Ask
from .subscription_billing import INCOMPLETE_S, bill, collected, start_period


def cancel_now(account: Account, subscription: Body) -> Body:
    """End a subscription."""
    subscription |= {"status": "canceled", "canceled_at": subscription["canceled_at"] or account.now}
    subscription |= {"ended_at": account.now}
    subscription["cancellation_details"]["reason"] = "cancellation_requested"
    return account.save(subscription, "customer.subscription.deleted")


def roll(account: Account, subscription: Body) -> list[str]:
    """Play the periods that have ended by now: end the subscription, or bill the next one. The invoices made."""
    if subscription["status"] == "incomplete" and subscription["created"] + INCOMPLETE_S <= account.now:
        void(account, Ask({"id": subscription["latest_invoice"]}))
        subscription["status"] = "incomplete_expired"
        account.save(subscription, "customer.subscription.updated")
    made: list[str] = []
    while subscription["status"] in ("active", "trialing", "past_due"):
        end = subscription["items"]["data"][0]["current_period_end"]
        ends_at = subscription["cancel_at"] or (end if subscription["cancel_at_period_end"] else None)
        if ends_at is not None and ends_at <= min(end, account.now):
            cancel_now(account, subscription)
        elif end > account.now:
            break
        elif subscription["status"] == "trialing":
            made += end_trial(account, subscription, end)
        else:
            made.append(_renew(account, subscription, end)["id"])
    return made


def end_trial(account: Account, subscription: Body, at: int) -> list[str]:
    """The trial is over: bill the first paid period, or do what was asked where there is nothing to charge."""
    subscription |= {"status": "active", "billing_cycle_anchor": at, "trial_end": at}
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    automatic = subscription["collection_method"] == "charge_automatically"
    if missing == "create_invoice" or not automatic or subscription_method(account, subscription) is not None:
        return [_renew(account, subscription, at)["id"]]
    if missing == "cancel":
        cancel_now(account, subscription)
    else:
        subscription["status"] = "paused"
        account.save(subscription, "customer.subscription.updated", "customer.subscription.paused")
    return []


def _renew(account: Account, subscription: Body, start: int) -> Body:
    start_period(subscription, start)
    account.save(subscription, "customer.subscription.updated")
    invoice = bill(account, subscription, "subscription_cycle")
    if collected(account, invoice) is not None:
        subscription["status"] = "past_due"
    account.save(subscription, "customer.subscription.updated")
    return invoice
