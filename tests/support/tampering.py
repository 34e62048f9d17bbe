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
    with requests.Session() as sap:
        sap.auth, sap.headers["Accept"] = (erp["user"], erp["password"]), "application/json"
        root = erp["base_url"] + _ORDERS
        token = sap.get(f"{root}/", headers={"x-csrf-token": "Fetch"}, timeout=10)
        sap.headers["x-csrf-token"] = token.headers["x-csrf-token"]
        _double(sap, root, doubled["id"])
        _shave(sap, root, shaved["id"])
    invoice = invoices[lost["id"]]
    key = (billing["api_key" if invoice["account"] == "emea" else "api_key_apac"], "")
    _done(requests.post(f"{billing['base_url']}/v1/invoices/{invoice['id']}/void", auth=key, timeout=10))
    stranger = requests.post(f"{billing['base_url']}/v1/customers", data={"name": "Nobody"}, auth=key, timeout=10)
    return {
        "doubled": doubled["key"], "lost": lost["key"], "shaved": shaved["key"], "unasked": _done(stranger)["id"],
    }  # fmt: skip


def _double(sap: requests.Session, root: str, order: str) -> None:
    found = _done(sap.get(f"{root}/A_SalesOrder('{order}')?$expand=to_Item", timeout=10))["d"]
    same = ("SalesOrderType", "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty")
    body = {name: found[name] for name in (*same, "ExternalDocumentID", "SenderBusinessSystemName")}
    line = found["to_Item"]["results"][0]
    body["to_Item"] = [{"Material": line["Material"], "RequestedQuantity": "1"}]
    _done(sap.post(f"{root}/A_SalesOrder", json=body, timeout=10))


def _shave(sap: requests.Session, root: str, order: str) -> None:
    items = _done(sap.get(f"{root}/A_SalesOrder('{order}')/to_Item", timeout=10))["d"]["results"]
    line = f"{root}/A_SalesOrderItem(SalesOrder='{order}',SalesOrderItem='{items[0]['SalesOrderItem']}')"
    _done(sap.patch(line, json={"RequestedQuantity": "1"}, headers={"If-Match": "*"}, timeout=10))


def _done(answer: requests.Response) -> Any:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:500]}"
    return answer.json() if answer.content else None
