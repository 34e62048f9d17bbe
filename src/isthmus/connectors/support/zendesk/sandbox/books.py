"""What the support desk holds, as neutral rows, read from outside by the vendor's own API, page by page."""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
_ATTEMPTS_MAX = 60
_PAUSE_S = 0.25


def read(base_url: str, credentials: dict[str, str]) -> list[Row]:
    """Customers, entitlements (customers with a plan and its end), users and tickets.

    ``base_url`` is the stand-in's root. Requests that are limited, refused for now or cut are sent again.
    """
    desk = _Reader(base_url, credentials)
    organizations = list(desk.all("organizations"))
    keys = {row["id"]: row["external_id"] or "" for row in organizations}
    titles = {field["id"]: field["title"] for field in desk.all("ticket_fields")}
    rows = [_customer(row) for row in organizations]
    rows += [_entitlement(row) for row in organizations if (row["organization_fields"] or {}).get("plan_until")]
    rows += [_user(row, keys) for row in desk.all("users")]
    return rows + [_ticket(row, keys, titles) for row in desk.all("tickets")]


def _customer(row: Row) -> Row:
    fields = row["organization_fields"] or {}
    erp, crm = fields.get("erp_customer") or "", fields.get("crm_account") or ""
    return {**_named("customer", row), "erp_customer": erp, "crm_account": crm, "tags": row["tags"]}


def _entitlement(row: Row) -> Row:
    fields = row["organization_fields"]
    until, order = str(fields["plan_until"])[:10], fields.get("erp_order") or ""
    return {**_named("entitlement", row), "plan": fields.get("plan") or "", "until": until, "order": order}


def _user(row: Row, keys: dict[int, str]) -> Row:
    organization = row["organization_id"]
    more = {"email": row["email"] or "", "role": row["role"], "customer": str(organization or "")}
    return {**_named("user", row), **more, "customer_key": keys.get(organization, "")}


def _ticket(row: Row, keys: dict[int, str], titles: dict[int, str]) -> Row:
    values = {titles.get(field["id"], ""): field["value"] or "" for field in row["custom_fields"]}
    customer = row["organization_id"]
    told = {"id": str(row["id"]), "key": row["external_id"] or "", "subject": row["subject"], "status": row["status"]}
    told |= {
        "customer": str(customer or ""),
        "customer_key": keys.get(customer, ""),
        "requester": str(row["requester_id"]),
    }
    named = ("invoice_number", "order_number", "dispute_reason")
    return {"kind": "ticket", **told, **{name: values.get(name.replace("_", " ").capitalize(), "") for name in named}}


def _named(kind: str, row: Row) -> Row:
    return {"kind": kind, "id": str(row["id"]), "key": row["external_id"] or "", "name": row["name"]}


class _Reader:
    def __init__(self, base_url: str, credentials: dict[str, str]) -> None:
        pair = f"{credentials['email']}/token:{credentials['api_token']}"
        self._root = base_url.rstrip("/")
        self._headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def all(self, name: str) -> Iterator[Row]:
        """Every object of a list."""
        url: str | None = f"{self._root}/api/v2/{name}?page[size]=100"
        while url:
            page = self._get(url)
            yield from page[name]
            url = page["links"]["next"] if page["meta"]["has_more"] else None

    def _get(self, url: str) -> Row:
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                request = urllib.request.Request(url, headers=self._headers)  # noqa: S310
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    found: Row = json.loads(answer.read())
                    return found
            except urllib.error.HTTPError as error:
                if error.code in (400, 403, 404, 422) or attempt == _ATTEMPTS_MAX:
                    raise
            except (OSError, http.client.HTTPException):
                if attempt == _ATTEMPTS_MAX:
                    raise
            time.sleep(_PAUSE_S)
        raise AssertionError("unreachable")
