"""What both accounts hold, read through the API as any outsider would, as neutral rows.

Amounts are decimals in major units as text. ``key`` is the business key that the writer put in the metadata.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPException
from typing import Any

Row = dict[str, Any]

_ATTEMPTS = 60
_ZERO_DECIMAL = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)
_THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_KEYS = ("request_number", "key", "isthmus_key", "order", "order_number", "erp_order", "erp_customer", "account_key")
_ORDERS = ("order", "order_number", "erp_order")


def read(base_url: str, credentials: dict[str, str]) -> list[Row]:
    """Customers, invoices with their lines, payments, refunds, credit notes and disputes of both accounts.

    Faults and rate limits are waited out. Raises OSError when an address does not answer after many attempts.
    """
    rows: list[Row] = []
    for name, key in sorted(credentials.items()):
        if not name.startswith("api_key"):
            continue
        account = name.removeprefix("api_key").removeprefix("_") or "emea"
        reader = _Reader(base_url, key)
        for row in _rows(reader):
            rows.append({**row, "account": account})
    return rows


def _rows(reader: _Reader) -> Iterator[Row]:
    yield from (_customer(one) for one in reader.all("/v1/customers"))
    yield from (_invoice(reader, one) for one in reader.all("/v1/invoices"))
    yield from (_payment(one) for one in reader.all("/v1/invoice_payments"))
    yield from (_credit_note(one) for one in reader.all("/v1/credit_notes"))
    for kind, path in (("refund", "/v1/refunds"), ("dispute", "/v1/disputes"), ("charge", "/v1/charges")):
        yield from (_movement(kind, one) for one in reader.all(path))


class _Reader:
    def __init__(self, base_url: str, key: str) -> None:
        self._base_url, self._key = base_url.rstrip("/"), key

    def all(self, path: str) -> Iterator[dict[str, Any]]:
        """All objects of a list, newest first, page by page."""
        after: dict[str, str] = {}
        while True:
            page = self._get(path, {"limit": "100", **after})
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}

    def _get(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        address = f"{self._base_url}{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {self._key}"})  # noqa: S310
        failure: Exception | None = None
        for attempt in range(_ATTEMPTS):
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - an address we were given
                    found: dict[str, Any] = json.loads(answer.read())
                    return found
            except (OSError, HTTPException, ValueError) as error:
                failure = error
                time.sleep(min(0.01 * 2**attempt, 0.5))
        raise OSError(f"{path} did not answer after {_ATTEMPTS} attempts: {failure}")


def _customer(one: dict[str, Any]) -> Row:
    return {
        "kind": "customer",
        "id": one["id"],
        "key": _first(one["metadata"], ("erp_customer", *_KEYS)),
        "name": one["name"],
        "email": one["email"],
        "metadata": one["metadata"],
    }


def _invoice(reader: _Reader, one: dict[str, Any]) -> Row:
    lines = one["lines"]["data"]
    if one["lines"]["has_more"]:
        lines = list(reader.all(f"/v1/invoices/{one['id']}/lines"))
    currency = one["currency"]
    return {
        "kind": "invoice",
        "id": one["id"],
        "key": _first(one["metadata"], _KEYS),
        "order": _first(one["metadata"], _ORDERS),
        "legal_number": one["metadata"].get("legal_invoice_number", ""),
        "number": one["number"] or "",
        "customer": one["customer"],
        "currency": currency.upper(),
        "total": _major(one["total"], currency),
        "net": _major(one["total_excluding_tax"], currency),
        "due": _major(one["amount_remaining"], currency),
        "status": one["status"],
        "living": one["status"] != "void",
        "metadata": one["metadata"],
        "lines": [_line(line) for line in lines],
    }


def _line(line: dict[str, Any]) -> Row:
    details = (line["pricing"] or {}).get("price_details") or {}
    return {
        "product": _first(line["metadata"], ("product",)) or details.get("product") or "",
        "description": line["description"],
        "quantity": line["quantity_decimal"],
        "net_amount": _major(line["subtotal"], line["currency"]),
        "tax_amount": _major(sum(tax["amount"] for tax in line["taxes"]), line["currency"]),
    }


def _payment(one: dict[str, Any]) -> Row:
    return {
        "kind": "payment",
        "id": one["id"],
        "key": "",
        "invoice": one["invoice"],
        "currency": one["currency"].upper(),
        "amount": _major(one["amount_paid"] or 0, one["currency"]),
        "status": one["status"],
    }


def _credit_note(one: dict[str, Any]) -> Row:
    return {
        "kind": "credit_note",
        "id": one["id"],
        "key": _first(one["metadata"], _KEYS),
        "number": one["number"],
        "invoice": one["invoice"],
        "currency": one["currency"].upper(),
        "total": _major(one["total"], one["currency"]),
        "net": _major(one["total_excluding_tax"], one["currency"]),
        "refunded": _major(sum(refund["amount_refunded"] for refund in one["refunds"]), one["currency"]),
        "status": one["status"],
        "living": one["status"] != "void",
        "metadata": one["metadata"],
    }


def _movement(kind: str, one: dict[str, Any]) -> Row:
    return {
        "kind": kind,
        "id": one["id"],
        "key": _first(one["metadata"], _KEYS),
        "charge": one.get("charge") or "",
        "currency": one["currency"].upper(),
        "amount": _major(one["amount"], one["currency"]),
        "status": one["status"],
        "metadata": one["metadata"],
    }


def _first(metadata: dict[str, str], names: tuple[str, ...]) -> str:
    return next((metadata[name] for name in names if metadata.get(name)), "")


def _major(amount: int, currency: str) -> str:
    places = 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2
    return str(Decimal(amount).scaleb(-places))
