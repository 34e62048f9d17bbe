"""Does in the systems, behind everybody's back, what an audit must find: doubles, loses, shaves, adds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

_ORDERS = "/sap/opu/odata/sap/API_SALES_ORDER_SRV"


def tamper(vendors: Mapping[str, Mapping[str, str]], books: Mapping[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Tamper through the vendors' own doors; what was done → the id by which it must be found.

    ``vendors``: the sandboxes' addresses and credentials; ``books``: what they hold, by role.
    """
    erp, billing = vendors["sap_s4hana"], vendors["stripe"]
    orders = [row for row in books["erp"] if row["kind"] == "order" and row["living"] and row["sender"]]
    invoices = {row["order"]: row for row in books["billing"] if row["kind"] == "invoice" and row["living"]}
    lost = next(row for row in orders if invoices.get(row["id"], {}).get("status") == "open")
    doubled, shaved = [row for row in orders if row["id"] in invoices and row is not lost][:2]
    double(erp, doubled["id"])
    _shave(erp, shaved["id"])
    invoice = invoices[lost["id"]]
    key = (billing["api_key" if invoice["account"] == "emea" else "api_key_apac"], "")
    _done(requests.post(f"{billing['base_url']}/v1/invoices/{invoice['id']}/void", auth=key, timeout=10))
    stranger = requests.post(f"{billing['base_url']}/v1/customers", data={"name": "Nobody"}, auth=key, timeout=10)
    return {
        "doubled": doubled["key"], "lost": lost["key"], "shaved": shaved["key"], "unasked": _done(stranger)["id"],
    }  # fmt: skip


def double(erp: Mapping[str, str], order: str) -> str:
    """Make a second order under the same key; its number."""
    with _signed_in(erp) as sap:
        found = _done(sap.get(f"{sap.root}/A_SalesOrder('{order}')?$expand=to_Item", timeout=10))["d"]
        same = ("SalesOrderType", "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty")
        body = {name: found[name] for name in (*same, "ExternalDocumentID", "SenderBusinessSystemName")}
        body["to_Item"] = [{"Material": found["to_Item"]["results"][0]["Material"], "RequestedQuantity": "1"}]
        return str(_done(sap.post(f"{sap.root}/A_SalesOrder", json=body, timeout=10))["d"]["SalesOrder"])


def reject(erp: Mapping[str, str], order: str) -> None:
    """Reject all lines of an order: it is cancelled by that."""
    _change_lines(erp, order, {"SalesDocumentRjcnReason": "61"})


def _shave(erp: Mapping[str, str], order: str) -> None:
    _change_lines(erp, order, {"RequestedQuantity": "1"})


def _change_lines(erp: Mapping[str, str], order: str, change: Mapping[str, str]) -> None:
    with _signed_in(erp) as sap:
        for item in _done(sap.get(f"{sap.root}/A_SalesOrder('{order}')/to_Item", timeout=10))["d"]["results"]:
            line = f"A_SalesOrderItem(SalesOrder='{order}',SalesOrderItem='{item['SalesOrderItem']}')"
            _done(sap.patch(f"{sap.root}/{line}", json=change, headers={"If-Match": "*"}, timeout=10))


class _Ledger(requests.Session):
    root: str


def _signed_in(erp: Mapping[str, str]) -> _Ledger:
    sap = _Ledger()
    sap.root = erp["base_url"] + _ORDERS
    sap.auth, sap.headers["Accept"] = (erp["user"], erp["password"]), "application/json"
    token = sap.get(f"{sap.root}/", headers={"x-csrf-token": "Fetch"}, timeout=10)
    sap.headers["x-csrf-token"] = token.headers["x-csrf-token"]
    return sap


def _done(answer: requests.Response) -> Any:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}"
    return answer.json() if answer.content else None
