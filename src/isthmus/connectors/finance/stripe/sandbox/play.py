"""What people do around Stripe: customers pay, cards fail, banks dispute, time goes by, keys are rolled.

``invoice`` is an id, a number or a value of its metadata; amounts are in major units, as people write them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from isthmus.sandkit.standin import Verb
from isthmus.sandkit.world import World

from . import cards
from .account import Account, Body
from .disputes import REASONS, decide, open_dispute
from .door import Door
from .errors import StripeError
from .invoice_life import collect, finalized
from .invoice_payments import charges_of, default_method, pay_by_transfer, pay_outside, pay_with
from .money import decimals, in_major_units
from .payment_methods import add_card_method
from .refunds import give_back
from .subscription_periods import roll
from .view import account_row, found

Arguments = Mapping[str, str]


class Play:
    """The verbs over both accounts."""

    def __init__(self, world: World, door: Door) -> None:
        self._world, self._door = world, door

    def pay_invoice(self, arguments: Arguments) -> dict[str, Any]:
        """The customer pays: ``method`` card (their default card, or a new visa), transfer or outside."""
        account, invoice = self._open_invoice(arguments)
        method = arguments.get("method", "transfer")
        remaining = invoice["amount_remaining"]
        amount = _minor(arguments["amount"], invoice["currency"]) if arguments.get("amount") else remaining
        if method == "transfer":
            pay_by_transfer(account, invoice, amount)
        elif method == "outside":
            pay_outside(account, invoice)
        elif method == "card":
            card = default_method(account, invoice) or add_card_method(account, cards.NAMED["visa"])
            declined = pay_with(account, invoice, card)
            if declined is not None:
                return {**_told(invoice), "declined": declined.error.get("decline_code") or declined.error["code"]}
        else:
            raise ValueError(f"method {method!r} is unknown; expected card, transfer or outside")
        return _told(invoice)

    def fail_payment(self, arguments: Arguments) -> dict[str, Any]:
        """A card of the customer is tried and declines."""
        account, invoice = self._open_invoice(arguments)
        name = arguments.get("card", "chargeCustomerFail")
        if name not in cards.NAMED or not cards.NAMED[name].decline:
            failing = ", ".join(known for known, card in cards.NAMED.items() if card.decline)
            raise ValueError(f"card {name!r} does not decline; expected one of {failing}")
        declined = pay_with(account, invoice, add_card_method(account, cards.NAMED[name]))
        assert declined is not None
        return {**_told(invoice), "declined": declined.error.get("decline_code") or declined.error["code"]}

    def dispute_charge(self, arguments: Arguments) -> dict[str, Any]:
        """The customer's bank takes the money of a charge back."""
        account, charge = self._charge(arguments)
        reason = arguments.get("reason", "fraudulent")
        if reason not in (*REASONS, "inquiry"):
            raise ValueError(f"reason {reason!r} is unknown; expected one of {', '.join(REASONS)}, inquiry")
        amount = _minor(arguments["amount"], charge["currency"]) if arguments.get("amount") else charge["amount"]
        if not 0 < amount <= charge["amount"]:
            raise ValueError(f"amount {arguments.get('amount')!r} is not within the charge's amount")
        dispute = open_dispute(account, charge, reason, amount)
        return {"dispute": dispute["id"], "charge": charge["id"], "status": dispute["status"]}

    def resolve_dispute(self, arguments: Arguments) -> dict[str, Any]:
        """The bank decides: ``outcome`` won or lost."""
        outcome = arguments.get("outcome", "won")
        if outcome not in ("won", "lost"):
            raise ValueError(f"outcome {outcome!r} is unknown; expected won or lost")
        rows = found(self._world, "dispute", arguments.get("dispute"))
        for row in rows:
            account = self._account(row["account"])
            dispute = account.get("dispute", row["id"])
            if dispute["status"] not in ("won", "lost", "warning_closed"):
                decide(account, dispute, won=outcome == "won")
                return {"dispute": dispute["id"], "status": dispute["status"]}
        raise ValueError("there is no open dispute" + (f" {arguments['dispute']}" if "dispute" in arguments else ""))

    def roll_subscriptions(self, arguments: Arguments) -> dict[str, Any]:
        """Play what the clock has brought: ended periods, drafts that advance by themselves, due dates."""
        invoices: list[str] = []
        for row in found(self._world, "subscription", None)[::-1]:
            account = self._account(row["account"])
            invoices += roll(account, account.get("subscription", row["id"]))
        finalized_ids, overdue = [], []
        for row in found(self._world, "invoice", None)[::-1]:
            account = self._account(row["account"])
            invoice = account.get("invoice", row["id"])
            if (
                invoice["status"] == "draft"
                and (invoice["automatically_finalizes_at"] or account.now + 1) <= account.now
            ):
                finalized(account, invoice)
                collect(account, invoice)
                finalized_ids.append(invoice["id"])
            elif invoice["status"] == "open" and (invoice["due_date"] or account.now) < account.now:
                overdue += _overdue(account, invoice)
        return {"invoices": invoices, "finalized": finalized_ids, "overdue": overdue}

    def refund(self, arguments: Arguments) -> dict[str, Any]:
        """Somebody refunds a charge in the dashboard, whole or in part."""
        account, charge = self._charge(arguments)
        amount = _minor(arguments["amount"], charge["currency"]) if arguments.get("amount") else None
        try:
            refund = give_back(account, charge, amount, reason="requested_by_customer")
        except StripeError as error:
            raise ValueError(str(error)) from error
        return {"refund": refund["id"], "charge": charge["id"], "status": refund["status"]}

    def roll_key(self, arguments: Arguments) -> dict[str, Any]:
        """An administrator rolls an account's secret key: the old one has expired."""
        unit = arguments.get("unit", "emea")
        row = self._world.row("SELECT * FROM account WHERE unit = ?", (unit,))
        if row is None:
            raise ValueError(f"unit {unit!r} has no account; expected emea or apac")
        self._world.execute("UPDATE api_key SET expired = 1 WHERE account = ?", (row["id"],))
        key = f"sk_test_{unit}_{secrets.token_hex(8)}"
        self._world.insert("api_key", {"key": key, "account": row["id"]})
        return {"unit": unit, "api_key": key}

    def _account(self, identity: str) -> Account:
        return self._door.open(account_row(self._world, identity), self._door.root)

    def _open_invoice(self, arguments: Arguments) -> tuple[Account, Body]:
        account, invoice = self._invoice(arguments)
        if invoice["status"] not in ("open", "uncollectible"):
            raise ValueError(f"invoice {invoice['id']} is {invoice['status']}; only an open one is paid")
        return account, invoice

    def _invoice(self, arguments: Arguments) -> tuple[Account, Body]:
        if not arguments.get("invoice"):
            raise ValueError("invoice= is missing: an id, a number or a value of its metadata")
        rows = found(self._world, "invoice", arguments["invoice"])
        if not rows:
            raise ValueError(f"no invoice has the id, number or metadata {arguments['invoice']!r}")
        account = self._account(rows[0]["account"])
        return account, account.get("invoice", rows[0]["id"])

    def _charge(self, arguments: Arguments) -> tuple[Account, Body]:
        if arguments.get("charge"):
            for row in found(self._world, "charge", arguments["charge"]):
                return self._account(row["account"]), json.loads(row["body"])
            raise ValueError(f"no charge {arguments['charge']!r}")
        account, invoice = self._invoice(arguments)
        charges = charges_of(account, invoice)
        if not charges:
            raise ValueError(f"invoice {invoice['id']} is {invoice['status']}: nothing was charged for it")
        return account, charges[-1]


def verbs(world: World, door: Door) -> dict[str, Verb]:
    """The verbs by name."""
    play = Play(world, door)
    arguments = {
        "pay_invoice": ("invoice", "method", "amount"),
        "fail_payment": ("invoice", "card"),
        "dispute_charge": ("invoice", "charge", "reason", "amount"),
        "resolve_dispute": ("dispute", "outcome"),
        "roll_subscriptions": (),
        "refund": ("invoice", "charge", "amount"),
        "roll_key": ("unit",),
    }
    return {name: Verb(_summary(getattr(play, name)), names, getattr(play, name)) for name, names in arguments.items()}


def _summary(act: Any) -> str:
    return str(act.__doc__).split("\n")[0]


def _overdue(account: Account, invoice: Body) -> list[str]:
    hidden = account.hidden("invoice", invoice["id"])
    if hidden.get("overdue"):
        return []
    account.keep_hidden("invoice", invoice["id"], {**hidden, "overdue": True})
    account.save(invoice, "invoice.overdue")
    return [invoice["id"]]


def _told(invoice: Body) -> dict[str, Any]:
    currency = invoice["currency"]
    paid, left = (str(in_major_units(invoice[name], currency)) for name in ("amount_paid", "amount_remaining"))
    return {"invoice": invoice["id"], "status": invoice["status"], "paid": paid, "remaining": left}


def _minor(text: str, currency: str) -> int:
    try:
        amount = Decimal(text).scaleb(decimals(currency))
    except InvalidOperation:
        raise ValueError(f"amount {text!r} is not a number") from None
    if amount != amount.to_integral_value():
        raise ValueError(f"amount {text!r} has more decimals than {currency.upper()}")
    return int(amount)
