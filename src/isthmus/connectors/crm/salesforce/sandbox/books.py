"""What this vendor holds, read by its own API and told as neutral rows: the proof after a day of faults.

Shares nothing with the connector. It signs in with client credentials, pages through SOQL, and tries again whenever
an answer is refused, broken or cut.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

_VERSION = "60.0"
_ATTEMPTS_MAX = 400
_PAUSE_S = 0.02
_TIMEOUT_S = 30.0

_OPPORTUNITIES = (
    "SELECT Id, Opportunity_Number__c, Name, StageName, IsWon, IsClosed, CurrencyIsoCode, Amount, Business_Unit__c, "
    "Account.External_Id__c, Account.AccountNumber, PO_Number__c, ERP_Order_Number__c, ERP_Order_Status__c, "
    "Invoice_Number__c, Legal_Invoice_Number__c, Payment_Status__c, Entitlement_Until__c, Integration_Status__c, "
    "Integration_Note__c, (SELECT ProductCode, Quantity, UnitPrice, TotalPrice FROM OpportunityLineItems ORDER BY Id) "
    "FROM Opportunity ORDER BY Id"
)
_CUSTOMERS = (
    "SELECT Id, AccountNumber, External_Id__c, Name, Business_Unit__c, CurrencyIsoCode FROM Account ORDER BY Id"
)
_PRODUCTS = "SELECT Id, ProductCode, Name, Family, Support_Plan__c FROM Product2 ORDER BY Id"
_PEOPLE = "SELECT Id, External_Id__c, Name, Email, Account.External_Id__c FROM Contact ORDER BY Id"


def read(base_url: str, credentials: dict[str, str]) -> list[dict[str, Any]]:
    """All opportunities, customers, products and contacts; decimals as text.

    Raises RuntimeError when an answer stays away for some hundred attempts.
    """
    reader = _Reader(base_url, credentials)
    rows = [_opportunity(row) for row in reader.query(_OPPORTUNITIES)]
    for row in reader.query(_CUSTOMERS):
        rows.append(
            {
                "kind": "customer",
                "id": row["Id"],
                "key": row["AccountNumber"] or "",
                "external_id": row["External_Id__c"] or "",
                "name": row["Name"],
                "unit": row["Business_Unit__c"] or "",
                "currency": row["CurrencyIsoCode"],
            }
        )
    for row in reader.query(_PRODUCTS):
        about = {"kind": "product", "id": row["Id"], "key": row["ProductCode"] or "", "name": row["Name"]}
        rows.append({**about, "family": row["Family"] or "", "plan": row["Support_Plan__c"] or ""})
    for row in reader.query(_PEOPLE):
        about = {"kind": "contact", "id": row["Id"], "key": row["External_Id__c"] or "", "name": row["Name"]}
        rows.append(
            {**about, "email": row["Email"] or "", "customer": (row["Account"] or {}).get("External_Id__c") or ""}
        )
    return rows


def _opportunity(row: dict[str, Any]) -> dict[str, Any]:
    account = row["Account"] or {}
    lines = (row["OpportunityLineItems"] or {}).get("records", [])
    return {
        "kind": "opportunity",
        "id": row["Id"],
        "key": row["Opportunity_Number__c"] or "",
        "name": row["Name"],
        "stage": row["StageName"],
        "won": row["IsWon"],
        "closed": row["IsClosed"],
        "customer": account.get("External_Id__c") or "",
        "customer_number": account.get("AccountNumber") or "",
        "currency": row["CurrencyIsoCode"],
        "amount": row["Amount"] or "0",
        "lines": [
            {
                "product": line["ProductCode"],
                "quantity": line["Quantity"],
                "unit_price": line["UnitPrice"],
                "net_amount": line["TotalPrice"],
            }
            for line in lines
        ],
        "unit": row["Business_Unit__c"] or "",
        "purchase_order": row["PO_Number__c"] or "",
        "order_number": row["ERP_Order_Number__c"] or "",
        "order_status": row["ERP_Order_Status__c"] or "",
        "invoice_number": row["Invoice_Number__c"] or "",
        "legal_invoice_number": row["Legal_Invoice_Number__c"] or "",
        "payment_status": row["Payment_Status__c"] or "",
        "entitlement_until": row["Entitlement_Until__c"] or "",
        "integration_status": row["Integration_Status__c"] or "",
        "integration_note": row["Integration_Note__c"] or "",
    }


class _Reader:
    def __init__(self, base_url: str, credentials: dict[str, str]) -> None:
        self._root, self._credentials = base_url.rstrip("/"), credentials
        self._token = ""

    def query(self, text: str) -> Iterator[dict[str, Any]]:
        """All rows of a query, page by page; from the start again where a locator was lost."""
        page = self._get(f"/services/data/v{_VERSION}/query?{urllib.parse.urlencode({'q': text})}")
        while True:
            yield from page["records"]
            if page["done"]:
                return
            page = self._get(page["nextRecordsUrl"])

    def _get(self, path: str) -> Any:
        last = ""
        for _ in range(_ATTEMPTS_MAX):
            headers = {"Authorization": f"Bearer {self._token}", "Sforce-Query-Options": "batchSize=200"}
            try:
                if not self._token:
                    self._sign_in()
                    continue
                return self._asked(urllib.request.Request(self._root + path, headers=headers))  # noqa: S310 - http
            except urllib.error.HTTPError as error:
                last = f"{error.code} {error.read()[:200].decode(errors='replace')}"
                self._token = "" if error.code == 401 else self._token
            except (OSError, http.client.HTTPException, ValueError) as error:
                last = f"{type(error).__name__}: {error}"
            time.sleep(_PAUSE_S)
        raise RuntimeError(f"GET {path.partition('?')[0]} had no good answer in {_ATTEMPTS_MAX} attempts: {last}")

    def _sign_in(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._credentials["client_id"],
            "client_secret": self._credentials["client_secret"],
        }
        url = f"{self._root}/services/oauth2/token"
        request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())  # noqa: S310 - http
        self._token = self._asked(request)["access_token"]

    def _asked(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http
            return json.loads(answer.read(), parse_float=str, parse_int=str)
