"""What administrators see and change in Stripe's dashboard, over both accounts.

A key is an object's id, its number or name, or a value of its metadata (such as the ERP's number of a customer).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.sandkit.world import Row, World

from . import catalogue, customers, disputes, invoices, webhook_endpoints
from .account import Account, Body
from .door import Door
from .errors import StripeError
from .money import in_major_units
from .operation import Ask, Operation
from .parameters import read, tree

_KINDS = {
    "customer": "customer",
    "invoice": "invoice",
    "payment": "payment_intent",
    "dispute": "dispute",
    "webhook_endpoint": "webhook_endpoint",
    "product": "product",
}
_ROOMS: dict[str, Any] = {
    "customer": customers,
    "invoice": invoices,
    "dispute": disputes,
    "webhook_endpoint": webhook_endpoints,
    "product": catalogue,
}


def show(world: World, door: Door, kind: str, key: str | None) -> list[Row]:
    """Rows of one kind for people, newest first."""
    wanted = _kind(kind)
    rows = []
    for row in found(world, wanted, key):
        account = door.open(account_row(world, row["account"]), door.root)
        rows.append({**_COLUMNS[kind](account, json.loads(row["body"])), "account": account.row["unit"]})
    return rows


def change(world: World, door: Door, kind: str, key: str, values: Mapping[str, str]) -> Row:
    """Change one row; ``metadata.order`` and ``metadata[order]`` are the same."""
    if kind in ("account", "api_key"):
        return _settings(world, kind, key, values)
    one = _modifying(kind)
    rows = found(world, _kind(kind), key)
    if not rows:
        raise ValueError(f"no {kind} has the id, number, name or metadata {key!r}")
    account = door.open(account_row(world, rows[0]["account"]), door.root)
    try:
        given = read(one.wanted, tree((_bracketed(name), value) for name, value in values.items()))
        one.act(account, Ask({"id": rows[0]["id"]}, given))
    except StripeError as error:
        raise ValueError(str(error)) from error
    body = account.get(_kind(kind), rows[0]["id"])
    return {**_COLUMNS[kind](account, body), "account": account.row["unit"]}


def found(world: World, kind: str, key: str | None) -> list[Row]:
    """The objects of a kind that have this key, in any account, newest first."""
    if key is None:
        return world.rows("SELECT account, id, body FROM object WHERE kind = ? ORDER BY number DESC", (kind,))
    return world.rows(
        "SELECT account, id, body FROM object WHERE kind = ? AND (id = ? OR number IN (SELECT t.number FROM term t "
        "WHERE t.kind = ? AND t.value = ? AND (t.field IN ('number', 'name', 'email') OR t.field LIKE 'metadata.%'))) "
        "ORDER BY number DESC",
        (kind, key, kind, key),
    )


def account_row(world: World, identity: str) -> Row:
    """The row of an account."""
    row = world.row("SELECT * FROM account WHERE id = ?", (identity,))
    assert row is not None
    return row


def _kind(kind: str) -> str:
    if kind not in _KINDS:
        raise ValueError(f"Stripe has no kind {kind!r} here; there are {', '.join(_KINDS)}")
    return _KINDS[kind]


def _modifying(kind: str) -> Operation:
    path = f"/v1/{_kind(kind)}s/{{id}}"
    for one in _ROOMS[kind].OPERATIONS if kind in _ROOMS else ():
        if one.method == "POST" and one.path == path:
            found_one: Operation = one
            return found_one
    raise ValueError(f"a {kind} cannot be changed here; use a verb")


def _bracketed(name: str) -> str:
    first, *rest = name.split(".")
    return first + "".join(f"[{part}]" for part in rest)


def _settings(world: World, kind: str, key: str, values: Mapping[str, str]) -> Row:
    table, column = ("account", "unit") if kind == "account" else ("api_key", "key")
    allowed = ("name", "search_delay_s") if kind == "account" else ("expired",)
    for name, value in values.items():
        if name not in allowed:
            raise ValueError(f"{kind} has no {name!r} to set; there are {', '.join(allowed)}")
        stored: str | int = {"true": 1, "false": 0}.get(value, value)
        if not world.update(table, {name: stored}, {column: key}):
            raise ValueError(f"no {kind} {key!r}")
    row = world.row(f"SELECT * FROM {table} WHERE {column} = ?", (key,))  # noqa: S608 - our own words
    if row is None:
        raise ValueError(f"no {kind} {key!r}")
    return row


def _business_key(body: Body) -> str:
    return next(iter(body.get("metadata", {}).values()), "")


def _customer(account: Account, body: Body) -> Row:
    method = body["invoice_settings"]["default_payment_method"]
    card = account.find("payment_method", method)["card"] if method else None  # type: ignore[index]
    return {
        "id": body["id"],
        "key": body["metadata"].get("erp_customer", _business_key(body)),
        "name": body["name"],
        "email": body["email"],
        "card": f"{card['brand']} …{card['last4']}" if card else "",
        "metadata": body["metadata"],
    }


def _invoice(account: Account, body: Body) -> Row:
    currency = body["currency"]
    return {
        "id": body["id"],
        "number": body["number"],
        "customer": body["customer_name"],
        "status": body["status"],
        "total": str(in_major_units(body["total"], currency)),
        "due": str(in_major_units(body["amount_remaining"], currency)),
        "currency": currency.upper(),
        "metadata": body["metadata"],
    }


def _payment(account: Account, body: Body) -> Row:
    error = body["last_payment_error"] or {}
    return {
        "id": body["id"],
        "customer": body["customer"],
        "amount": str(in_major_units(body["amount"], body["currency"])),
        "currency": body["currency"].upper(),
        "status": body["status"],
        "description": body["description"],
        "declined": error.get("decline_code") or error.get("code") or "",
    }


def _dispute(account: Account, body: Body) -> Row:
    return {
        "id": body["id"],
        "charge": body["charge"],
        "amount": str(in_major_units(body["amount"], body["currency"])),
        "currency": body["currency"].upper(),
        "reason": body["reason"],
        "status": body["status"],
    }


def _endpoint(account: Account, body: Body) -> Row:
    return {name: body[name] for name in ("id", "url", "status", "enabled_events")}


def _product(account: Account, body: Body) -> Row:
    return {name: body[name] for name in ("id", "name", "active", "metadata")}


_COLUMNS: dict[str, Callable[[Account, Body], Row]] = {
    "customer": _customer,
    "invoice": _invoice,
    "payment": _payment,
    "dispute": _dispute,
    "webhook_endpoint": _endpoint,
    "product": _product,
}
