"""What SAP holds, as neutral rows, read by its own OData services with basic authentication, page by page.

Kinds: order, delivery, invoice (cancelled ones too), cancellation, credit_note, credit_request, customer.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote

_ATTEMPTS_MAX, _PAUSE_S, _TIMEOUT_S = 40, 0.05, 10.0
_KINDS = {"M": "invoice", "N": "cancellation", "O": "credit_note", "S": "cancellation"}
#: kind -> (service and entity set, navigations to expand)
_ORDERS = ("API_SALES_ORDER_SRV/A_SalesOrder", "to_Item")
_DELIVERIES = ("API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryHeader", "to_DeliveryDocumentItem")
_INVOICES = ("API_BILLING_DOCUMENT_SRV/A_BillingDocument", "to_Item")
_REQUESTS = ("API_CREDIT_MEMO_REQUEST_SRV/A_CreditMemoRequest", "to_Item")
_PARTNERS = ("API_BUSINESS_PARTNER/A_BusinessPartner", "to_BuPaIdentification,to_Customer")


def read(base_url: str, credentials: dict[str, str]) -> list[dict[str, Any]]:
    """Everything that reconciliation looks at. Raises OSError where the system does not answer for long."""
    reader = _Reader(base_url, credentials)
    return [
        *map(_order, reader.rows(*_ORDERS)),
        *map(_delivery, reader.rows(*_DELIVERIES)),
        *map(_invoice, reader.rows(*_INVOICES)),
        *map(_request, reader.rows(*_REQUESTS)),
        *map(_customer, reader.rows(*_PARTNERS)),
    ]


class _Reader:
    def __init__(self, base_url: str, credentials: dict[str, str]) -> None:
        self._root = f"{base_url}/sap/opu/odata/sap"
        pair = f"{credentials['user']}:{credentials['password']}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"}

    def rows(self, path: str, expand: str) -> Iterator[dict[str, Any]]:
        """All rows of an entity set, page by page."""
        address: str | None = f"{self._root}/{quote(path, safe='/;=')}?$expand={expand}"
        while address:
            answer = self._get(address)["d"]
            yield from answer["results"]
            address = answer.get("__next")

    def _get(self, address: str) -> Any:
        last: Exception = OSError(f"no attempt was made to read {address}")
        for _ in range(_ATTEMPTS_MAX):
            try:
                asked = urllib.request.Request(address, headers=self._headers)  # noqa: S310 - our own sandbox
                with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                    return json.loads(answer.read(), parse_float=str)
            except (OSError, http.client.HTTPException, ValueError) as error:
                last = error
                time.sleep(_PAUSE_S)
        raise OSError(f"{address} could not be read in {_ATTEMPTS_MAX} attempts: {last}")


def _order(row: dict[str, Any]) -> dict[str, Any]:
    items = row["to_Item"]["results"]
    living = [item for item in items if not item["SalesDocumentRjcnReason"]]
    return {
        "kind": "order",
        "id": row["SalesOrder"],
        "key": row["ExternalDocumentID"],
        "sender": row["SenderBusinessSystemName"],
        "customer": row["SoldToParty"],
        "purchase_order": row["PurchaseOrderByCustomer"],
        "unit": row["SalesOrganization"],
        "currency": row["TransactionCurrency"],
        "net_amount": row["TotalNetAmount"],
        "tax_amount": _sum(living, "TaxAmount"),
        "living": bool(living),
        "lines": [
            {
                "product": item["Material"],
                "quantity": item["RequestedQuantity"],
                "unit": item["RequestedQuantityUnit"],
                "net_amount": item["NetAmount"],
                "tax_amount": item["TaxAmount"],
                "confirmed": item["ConfdDelivQtyInOrderQtyUnit"],
                "living": not item["SalesDocumentRjcnReason"],
            }
            for item in items
        ],
    }


def _delivery(row: dict[str, Any]) -> dict[str, Any]:
    items = row["to_DeliveryDocumentItem"]["results"]
    return {
        "kind": "delivery",
        "id": row["DeliveryDocument"],
        "key": "",
        "order": items[0]["ReferenceSDDocument"] if items else "",
        "customer": row["ShipToParty"],
        "issued": row["OverallGoodsMovementStatus"] == "C",
        "proved": row["OverallProofOfDeliveryStatus"] == "C",
        "lines": [{"product": item["Material"], "quantity": item["ActualDeliveryQuantity"]} for item in items],
    }


def _invoice(row: dict[str, Any]) -> dict[str, Any]:
    items = row["to_Item"]["results"]
    return {
        "kind": _KINDS[row["SDDocumentCategory"]],
        "id": row["BillingDocument"],
        "key": "",
        "order": items[0]["SalesDocument"] if items else "",
        "customer": row["SoldToParty"],
        "currency": row["TransactionCurrency"],
        "net_amount": row["TotalNetAmount"],
        "tax_amount": row["TaxAmount"],
        "gross_amount": row["TotalGrossAmount"],
        "cancelled": row["BillingDocumentIsCancelled"],
        "cancels": row["CancelledBillingDocument"],
        "paid": row["InvoiceClearingStatus"] == "C",
        "lines": [
            {"product": item["Material"], "quantity": item["BillingQuantity"], "net_amount": item["NetAmount"]}
            for item in items
        ],
    }


def _request(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "credit_request",
        "id": row["CreditMemoRequest"],
        "key": row["PurchaseOrderByCustomer"],
        "invoice": row["ReferenceSDDocument"],
        "customer": row["SoldToParty"],
        "currency": row["TransactionCurrency"],
        "net_amount": row["TotalNetAmount"],
        "blocked": bool(row["HeaderBillingBlockReason"]),
        "living": row["OverallSDDocumentRejectionSts"] != "C",
    }


def _customer(row: dict[str, Any]) -> dict[str, Any]:
    own = [
        one["BPIdentificationNumber"]
        for one in row["to_BuPaIdentification"]["results"]
        if one["BPIdentificationType"] == "ISTHMS"
    ]
    return {
        "kind": "customer",
        "id": row["BusinessPartner"],
        "key": own[0] if own else "",
        "name": row["BusinessPartnerName"],
        "blocked": bool((row["to_Customer"] or {}).get("OrderIsBlockedForCustomer")),
        "living": not row["IsMarkedForArchiving"],
    }


def _sum(items: list[dict[str, Any]], name: str) -> str:
    if not items:
        return "0"
    return f"{sum((Decimal(item[name]) for item in items), Decimal(0)):f}"
