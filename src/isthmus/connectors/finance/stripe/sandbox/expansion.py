"""``expand[]``: ids in an answer become the objects they name, and what is only shown on request is shown.

docs.stripe.com/expand: up to four levels; on lists the path begins with ``data``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .account import Account, Body
from .errors import ParameterError
from .words import pairs, words

_DEEPEST = 4
#: fields that hold an id (or a list of ids) which can be expanded, with the kind where the id's prefix does not say it
_REFERENCES = {
    **dict.fromkeys(
        words(
            "account_tax_ids balance_transaction charge credit_note customer customer_balance_transaction "
            "default_payment_method discounts failure_balance_transaction from_invoice invoice latest_charge latest_invoice "
            "latest_revision payment_intent payment_method pending_setup_intent refund source subscription"
        ),
        "",
    ),
    "coupon": "coupon",
    "default_price": "price",
    "price": "price",
    "product": "product",
}
_NEVER = {
    ("charge", "payment_method"),
    ("discount", "invoice"),
    ("line_item", "invoice"),
    ("subscription_item", "subscription"),
}
_PREFIXES = pairs(
    "cbtxn=customer_balance_transaction ch=charge cn=credit_note cus=customer di=discount du=dispute ii=invoiceitem "
    "in=invoice inpay=invoice_payment pi=payment_intent pm=payment_method price=price re=refund "
    "seti=setup_intent sub=subscription txi=tax_id txn=balance_transaction txr=tax_rate"
)


def expand(account: Account, answer: Any, paths: list[str]) -> Any:
    """The answer with every path expanded. Raises ParameterError for a path that leads nowhere."""
    for path in paths:
        steps = path.split(".")
        if len([step for step in steps if step != "data"]) > _DEEPEST:
            raise ParameterError(
                f"You cannot expand more than 4 levels of a property. Property: {path}", param="expand"
            )
        answer = _expanded(account, answer, steps, path)
    return answer


def _expanded(account: Account, node: Any, steps: list[str], path: str) -> Any:
    if isinstance(node, list):
        return [_expanded(account, one, steps, path) for one in node]
    if not steps or node is None:
        return node
    step, rest = steps[0], steps[1:]
    kind = node.get("object", "")
    shown = _SHOWN_ON_REQUEST.get((kind, step))
    if step not in node and shown is not None:
        node = {**node, step: shown(account, node)}
    if step not in node or not _can(kind, step, node[step]):
        raise ParameterError(f"This property cannot be expanded ({path}).", param="expand")
    return {**node, step: _expanded(account, _loaded(account, step, node[step]), rest, path)}


def _can(kind: str, step: str, value: Any) -> bool:
    if (kind, step) in _NEVER:
        return False
    return step in _REFERENCES or isinstance(value, dict | list) or value is None


def _loaded(account: Account, step: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_loaded(account, step, one) for one in value]
    if not isinstance(value, str) or step not in _REFERENCES:
        return value
    kind = _REFERENCES[step] or _PREFIXES.get(value.split("_")[0], "")
    found = account.find(kind, value) or account.find(f"deleted_{kind}", value)
    return value if found is None else json.loads(json.dumps(found))


def list_of(account: Account, kind: str, field: str, value: str, url: str) -> Body:
    """The objects of which a term is true, newest first, as the list object inside another object."""
    found = account.having(kind, field, value)[::-1]
    return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "url": url}


def _payments(account: Account, invoice: Body) -> Body:
    return list_of(account, "invoice_payment", "invoice", invoice["id"], "/v1/invoice_payments")


def _subscriptions(account: Account, customer: Body) -> Body:
    listed = list_of(account, "subscription", "customer", customer["id"], _under(customer, "subscriptions"))
    return {**listed, "data": [one for one in listed["data"] if one["status"] != "canceled"]}


def _tax_ids(account: Account, customer: Body) -> Body:
    return list_of(account, "tax_id", "customer", customer["id"], _under(customer, "tax_ids"))


def _sources(account: Account, customer: Body) -> Body:
    return {"object": "list", "data": [], "has_more": False, "url": _under(customer, "sources")}


def _credit_balance(account: Account, customer: Body) -> Body:
    return {customer["currency"]: customer["balance"]} if customer["currency"] else {}


def _refunds(account: Account, charge: Body) -> Body:
    return list_of(account, "refund", "charge", charge["id"], f"/v1/charges/{charge['id']}/refunds")


def _applies_to(account: Account, coupon: Body) -> Body | None:
    return account.hidden("coupon", coupon["id"]).get("applies_to")


def _calculated_lines(account: Account, calculation: Body) -> Body:
    lines = account.hidden("tax.calculation", calculation["id"])["line_items"]
    url = f"/v1/tax/calculations/{calculation['id']}/line_items"
    return {"object": "list", "data": lines[:10], "has_more": len(lines) > 10, "url": url}


def _under(customer: Body, what: str) -> str:
    return f"/v1/customers/{customer['id']}/{what}"


_SHOWN_ON_REQUEST: dict[tuple[str, str], Callable[[Account, Body], Any]] = {
    ("charge", "refunds"): _refunds,
    ("coupon", "applies_to"): _applies_to,
    ("customer", "invoice_credit_balance"): _credit_balance,
    ("customer", "sources"): _sources,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax_ids"): _tax_ids,
    ("invoice", "payments"): _payments,
    ("tax.calculation", "line_items"): _calculated_lines,
}
