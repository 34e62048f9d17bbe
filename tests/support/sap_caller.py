"""A plain HTTP caller of the SAP S/4HANA stand-in, for what client libraries cannot reach."""

from __future__ import annotations

from typing import Any

import requests

from tests.support.running_sandbox import RunningSandbox

ROOT = "/sap/opu/odata/sap"
ORDERS, SIMULATION = "API_SALES_ORDER_SRV", "API_SALES_ORDER_SIMULATION_SRV"
PARTNERS, PRODUCTS = "API_BUSINESS_PARTNER", "API_PRODUCT_SRV"
BILLING, CREDITS = "API_BILLING_DOCUMENT_SRV", "API_CREDIT_MEMO_REQUEST_SRV"
DELIVERIES = "API_OUTBOUND_DELIVERY_SRV;v=0002"
AREA = {"SalesOrganization": "1710", "DistributionChannel": "10", "OrganizationDivision": "00"}


class SapCaller:
    """``call("GET", "API_PRODUCT_SRV/A_Product")``: signs in, keeps cookies and token; ``.json()`` as usual."""

    def __init__(self, running: RunningSandbox) -> None:
        self.running, self.base = running, running.base_url("sap_s4hana")
        credentials = running.credentials("sap_s4hana")
        self.session = requests.Session()
        self.session.auth = (credentials["user"], credentials["password"])
        self.session.headers["Accept"] = "application/json"
        self.fetch()

    def fetch(self) -> None:
        """Get a session and its CSRF token."""
        answer = self.call("GET", f"{ORDERS}/", headers={"x-csrf-token": "Fetch"})
        self.session.headers["x-csrf-token"] = answer.headers["x-csrf-token"]

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """One request below the OData root."""
        address = path if path.startswith("http") else f"{self.base}{ROOT}/{path}"
        return self.session.request(method, address, json=body, timeout=10, **more)

    def read(self, path: str, **options: str) -> Any:
        """What stands in ``d`` of a read; query options without their dollar sign."""
        query = {f"${name}": value for name, value in options.items()}
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["d"]

    def create(self, path: str, body: Any) -> Any:
        """What stands in ``d`` after creating."""
        answer = self.call("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()["d"]

    def refusal(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, str]:
        """Status, code and text of a refusal."""
        answer = self.call(method, path, body, **more)
        assert answer.status_code >= 400, answer.text
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["message"]["value"]

    def play(self, verb: str, **arguments: str) -> Any:
        """What people do there."""
        return self.running.desk(f"sap_s4hana/play/{verb}", arguments)

    def order(self, key: str, *lines: tuple[str, str], **more: Any) -> Any:
        """Create an order of materials and quantities, with prices and schedule lines in the answer."""
        return self.create(f"{ORDERS}/A_SalesOrder", order_body(key, *lines, **more))

    def simulate(self, *lines: tuple[str, str], **more: Any) -> Any:
        """Simulate an order of materials and quantities."""
        body = order_body("", *lines, **more)
        for name in ("ExternalDocumentID", "SenderBusinessSystemName"):
            body.pop(name)
        return self.create(f"{SIMULATION}/A_SalesOrderSimulation", {**body, "to_Pricing": {}, "to_Credit": {}})


def order_body(key: str, *lines: tuple[str, str], **more: Any) -> dict[str, Any]:
    """The body of a new order."""
    return {
        "SalesOrderType": "OR",
        **AREA,
        "SoldToParty": "17100001",
        "ExternalDocumentID": key,
        "SenderBusinessSystemName": "ISTHMUS",
        "to_Item": [
            {"Material": material, "RequestedQuantity": quantity, "to_PricingElement": [], "to_ScheduleLine": []}
            for material, quantity in lines
        ],
        **more,
    }


def items(order: Any) -> list[Any]:
    """The items of an order as it was answered."""
    return list(order["to_Item"]["results"])
