"""A mock enterprise: CRM, ERP, billing and support of one company, in one fast process that only benchmarks use.

It answers the requests of quote to cash with small logic that is right (prices, tax, an order number for each external
id, an invoice total), remembers native keys, and counts what it made, so that doubles are seen. Nothing here tries to
be faithful: the stand-ins under ``connectors/*/sandbox`` are. ``python -m benchmarks.enterprise`` prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

import httptools
import orjson
import uvloop

CUSTOMERS = 40
PRODUCTS = 60
LINES = 3
TAX = 19
AT = "2026-03-02T09:30:00"
_ODATA = "/sap/opu/odata/sap/"
_STATUS = {200: b"200 OK", 201: b"201 Created", 204: b"204 No Content", 400: b"400 Bad Request"}
_STATUS |= {401: b"401 Unauthorized", 403: b"403 Forbidden", 404: b"404 Not Found"}


def price_cents(product: int) -> int:
    """What a product costs, in cents, in every system."""
    return 990 + product * 137 % 50_000


def money(cents: int) -> str:
    """Cents as a decimal."""
    return f"{cents // 100}.{cents % 100:02d}"


class Books:
    """What the four systems hold. Every maker counts under our key, so that a double would be seen."""

    def __init__(self) -> None:
        self.partners: dict[str, str] = {}
        self.orders: dict[str, list[dict[str, Any]]] = {}
        self.made = 0
        self.stripe_customers: dict[str, dict[str, Any]] = {}
        self.invoices: dict[str, dict[str, Any]] = {}
        self.remembered: dict[str, tuple[int, Any]] = {}
        self.organizations: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.reported: dict[str, dict[str, Any]] = {}
        self.calls = 0

    def audit(self) -> dict[str, Any]:
        """Counts, and how many more there are than there should be."""
        keys = [invoice["metadata"]["request_number"] for invoice in self.invoices.values()]
        finished = [invoice for invoice in self.invoices.values() if invoice["status"] != "draft"]
        orders = sum(len(found) for found in self.orders.values())
        wrong = 0
        for invoice in finished:
            order = self.orders[invoice["metadata"]["request_number"]][0]
            wrong += (
                sum(_cents(i["NetAmount"]) + _cents(i["TaxAmount"]) for i in order["to_Item"]["results"])
                != invoice["total"]
            )
        return {
            "calls": self.calls,
            "orders": orders,
            "doubled_orders": orders - len(self.orders),
            "invoices": len(finished),
            "doubled_invoices": len(keys) - len(set(keys)),
            "cents_off": wrong,
            "reported": len(self.reported),
            "organizations": len(self.organizations),
            "partners": len(self.partners),
        }


class Enterprise:
    """The four systems' answers: ``answer`` gives status and body."""

    def __init__(self) -> None:
        self.books = Books()
        self.latency_s = 0.0
        self._posts: dict[str, Callable[[str, bytes, dict[bytes, bytes]], tuple[int, Any]]] = {
            "API_SALES_ORDER_SRV/A_SalesOrder": self._create_order,
            "API_SALES_ORDER_SIMULATION_SRV/A_SalesOrderSimulation": self._simulate,
            "API_BUSINESS_PARTNER/A_BusinessPartner": self._create_partner,
        }

    def answer(self, method: str, path: str, query: str, headers: dict[bytes, bytes], body: bytes) -> tuple[int, Any]:
        """What the system at ``path`` says."""
        self.books.calls += 1
        if path.startswith("/crm/"):
            return self._crm(method, path[4:], query, body)
        if path.startswith("/erp/"):
            return self._erp(method, path[4:].removeprefix(_ODATA), query, headers, body)
        if path.startswith("/billing/"):
            return self._billing(method, path[len("/billing/v1/") :], query, headers, body)
        if path.startswith("/support/"):
            return self._support(path[len("/support/api/v2/") :], body)
        return 404, {"error": "there is no such system"}

    # CRM ------------------------------------------------------------------------------------------

    def _crm(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        if path == "/services/oauth2/token":
            return 200, {"access_token": "t", "token_type": "Bearer", "instance_url": self.crm_url, "issued_at": "1"}
        if method == "PATCH":
            self.books.reported[path.rpartition("/")[2]] = orjson.loads(body)
            return 204, None
        text = unquote_plus(query)
        if "WHERE Id = '" not in text:  # a poll: nothing is new
            return 200, {"totalSize": 0, "done": True, "records": []}
        id_ = text.rpartition("WHERE Id = '")[2].partition("'")[0]
        record = opportunity(int(id_[4:])) if id_.startswith("006") else account(int(id_[4:]))
        return 200, {"totalSize": 1, "done": True, "records": [record]}

    crm_url = ""

    # ERP ------------------------------------------------------------------------------------------

    def _erp(self, method: str, path: str, query: str, headers: dict[bytes, bytes], body: bytes) -> tuple[int, Any]:
        if method == "POST":
            if headers.get(b"x-csrf-token") != b"token":
                return 403, {"error": {"code": "CSRF", "message": {"value": "CSRF token validation failed"}}}
            return self._posts[path](path, body, headers)
        entity = path.partition("/")[2]
        if not entity:
            return 200, {"d": {"EntitySets": []}}
        if entity.startswith("A_BusinessPartner('"):
            return 200, {"d": partner(entity.split("'")[1])}
        if entity == "A_SalesOrder":
            key = unquote(query).partition("ExternalDocumentID eq '")[2].partition("'")[0]
            return 200, {"d": {"results": self.books.orders.get(key, [])}}
        if entity == "A_BuPaIdentification":
            key = unquote(query).partition("BPIdentificationNumber eq '")[2].partition("'")[0]
            found = self.books.partners.get(key)
            return 200, {"d": {"results": [{"BusinessPartner": found}] if found else []}}
        if entity.startswith("A_Customer("):
            return 404, {"error": {"code": "ERP/404", "message": {"value": "not found"}}}
        return 200, {"d": {"results": []}}

    def _create_partner(self, _path: str, body: bytes, _headers: dict[bytes, bytes]) -> tuple[int, Any]:
        asked = orjson.loads(body)
        key = asked["to_BuPaIdentification"][0]["BPIdentificationNumber"]
        number = self.books.partners.setdefault(key, f"{17_100_000 + len(self.books.partners)}")
        return 201, {"d": {"BusinessPartner": number, "Customer": number, **partner(number)}}

    def _simulate(self, _path: str, body: bytes, _headers: dict[bytes, bytes]) -> tuple[int, Any]:
        asked = orjson.loads(body)
        items = [sold(item) for item in asked["to_Item"]]
        head = {
            name: asked[name] for name in ("SalesOrderType", "SalesOrganization", "SoldToParty", "TransactionCurrency")
        }
        return 201, {"d": {**head, "to_Credit": {"TotalCreditCheckStatus": "A"}, "to_Item": {"results": items}}}

    def _create_order(self, _path: str, body: bytes, _headers: dict[bytes, bytes]) -> tuple[int, Any]:
        asked = orjson.loads(body)
        books = self.books
        books.made += 1
        key, items = asked["ExternalDocumentID"], [sold(item) for item in asked["to_Item"]]
        order = {
            "SalesOrder": str(4_500_000 + books.made),
            **{name: value for name, value in asked.items() if not name.startswith("to_")},
            "SalesOrderDate": "/Date(1772409600000)/",
            "LastChangeDateTime": "/Date(1772443800000+0000)/",
            "CustomerPaymentTerms": "NT30",
            "RequestedDeliveryDate": "/Date(1773014400000)/",
            "TotalNetAmount": money(sum(_cents(item["NetAmount"]) for item in items)),
            "OverallSDProcessStatus": "A",
            "TotalCreditCheckStatus": "A",
            "HeaderBillingBlockReason": "",
            "DeliveryBlockReason": "",
            "to_Item": {"results": items},
        }
        books.orders.setdefault(key, []).append(order)
        return 201, {"d": order}

    # Billing --------------------------------------------------------------------------------------

    def _billing(self, method: str, path: str, query: str, headers: dict[bytes, bytes], body: bytes) -> tuple[int, Any]:
        kind, _, rest = path.partition("/")
        books = self.books
        if method == "GET":
            if rest == "search":
                key = unquote_plus(query).rpartition("':'")[2].partition("'")[0]
                there = [books.stripe_customers[key]] if kind == "customers" and key in books.stripe_customers else []
                if kind == "invoices":
                    there = [i for i in books.invoices.values() if i["metadata"]["request_number"] == key]
                return 200, {"object": "search_result", "data": there, "has_more": False}
            if kind == "customers":
                return 200, next(c for c in books.stripe_customers.values() if c["id"] == rest)
            return 200, books.invoices[rest]
        native = headers.get(b"idempotency-key", b"").decode()
        if native in books.remembered:
            return books.remembered[native]
        answer = self._bill(kind, rest, dict(parse_qsl(body.decode(), keep_blank_values=True)))
        books.remembered[native] = answer
        return answer

    def _bill(self, kind: str, rest: str, asked: dict[str, str]) -> tuple[int, Any]:
        books = self.books
        if kind == "customers":
            key = asked["metadata[customer]"]
            made = {"id": f"cus_{len(books.stripe_customers):08d}", "object": "customer", "name": asked["name"]}
            made |= {"email": asked.get("email"), "invoice_settings": {"default_payment_method": None}}
            made |= {"default_source": None, "metadata": {"customer": key}, "created": 1_772_409_600, "balance": 0}
            books.stripe_customers[key] = made
            return 200, made
        if not rest:
            return 200, self._draft(asked)
        id_, _, verb = rest.partition("/")
        invoice = books.invoices[id_]
        if verb == "add_lines":
            lines = _lines(asked)
            tax = sum(line["taxes"][0]["amount"] for line in lines)
            invoice["lines"]["data"] = lines
            invoice |= {"total": sum(line["amount"] for line in lines) + tax, "total_taxes": [{"amount": tax}]}
        else:
            invoice |= {"status": "open", "number": f"INV-{id_[3:]}", "due_date": 1_775_001_600}
            invoice |= {"amount_remaining": invoice["total"], "invoice_pdf": f"https://billing.example/{id_}/pdf"}
        return 200, invoice

    def _draft(self, asked: dict[str, str]) -> dict[str, Any]:
        id_ = f"in_{len(self.books.invoices):08d}"
        metadata = {name[9:-1]: value for name, value in asked.items() if name.startswith("metadata[")}
        draft: dict[str, Any] = {
            "id": id_, "object": "invoice", "status": "draft", "number": None, "customer": asked["customer"],
            "currency": asked["currency"], "collection_method": asked["collection_method"], "total": 0,
            "total_taxes": [], "amount_paid": 0, "amount_remaining": 0, "created": 1_772_409_600, "due_date": None,
            "invoice_pdf": None, "metadata": metadata, "lines": {"object": "list", "data": [], "has_more": False},
        }  # fmt: skip
        self.books.invoices[id_] = draft
        return draft

    # Support --------------------------------------------------------------------------------------

    def _support(self, path: str, body: bytes) -> tuple[int, Any]:
        if not body:  # a poll: nothing is new
            return 200, {"tickets": [], "results": [], "after_cursor": "1", "end_of_stream": True}
        if path.startswith("organizations/"):
            asked = orjson.loads(body)["organization"]
            made = self.books.organizations.setdefault(
                asked["external_id"], {"id": 900_000 + len(self.books.organizations)}
            )
            fields = {
                **asked["organization_fields"],
                "plan_until": asked["organization_fields"]["plan_until"] + "T00:00:00+00:00",
            }
            made |= {
                **asked,
                "organization_fields": fields,
                "updated_at": AT + "Z",
                "url": "",
                "tags": [],
                "notes": None,
            }
            return 200, {"organization": made}
        asked = orjson.loads(body)["user"]
        user = self.books.users.setdefault(asked["email"], {"id": 500_000 + len(self.books.users)})
        user |= {**asked, "role": "end-user", "active": True, "updated_at": AT + "Z"}
        return 200, {"user": user}


def opportunity(number: int) -> dict[str, Any]:
    """An opportunity that was won, with its account and lines."""
    buyer = account(number % CUSTOMERS)
    return {
        "attributes": {"type": "Opportunity", "url": f"/services/data/v62.0/sobjects/Opportunity/{opportunity_id(number)}"},
        "Id": opportunity_id(number), "Name": f"Deal {number}", "Opportunity_Number__c": f"OPP-{number:05d}",
        "Business_Unit__c": "EMEA", "PO_Number__c": f"PO-{number}", "CurrencyIsoCode": "EUR", "StageName": "Closed Won",
        "CloseDate": AT[:10], "IsWon": True, "IsClosed": True, "LastStageChangeDate": AT + ".000+0000",
        "CreatedDate": "2026-02-02T09:30:00.000+0000", "SystemModstamp": AT + ".000+0000", "AccountId": buyer["Id"],
        "Account": buyer,
        "OpportunityLineItems": {"totalSize": LINES, "done": True, "records": [_bought(number, n) for n in range(LINES)]},
    }  # fmt: skip


def opportunity_id(number: int) -> str:
    """The CRM's id of an opportunity."""
    return f"006B{number:014d}"


def account(number: int) -> dict[str, Any]:
    """A customer in the CRM, with one contact."""
    id_ = f"001B{number:014d}"
    return {
        "attributes": {"type": "Account", "url": f"/services/data/v62.0/sobjects/Account/{id_}"}, "Id": id_,
        "Name": f"Customer {number} GmbH", "AccountNumber": None, "External_Id__c": f"ACC-{number:04d}",
        "Business_Unit__c": "EMEA", "CurrencyIsoCode": "EUR", "Website": f"https://c{number}.example", "Industry": "Energy",
        "Tax_Number__c": f"DE{811_000_000 + number}", "Tax_Exempt__c": False, "BillingStreet": f"Weg {number}",
        "BillingCity": "Hamburg", "BillingPostalCode": "20457", "BillingStateCode": "HH", "BillingCountryCode": "DE",
        "CreatedDate": "2026-01-02T09:30:00.000+0000", "SystemModstamp": AT + ".000+0000",
        "Contacts": {"totalSize": 1, "done": True, "records": [{
            "attributes": {"type": "Contact"}, "Id": f"003B{number:014d}", "Name": f"Ada {number}", "FirstName": "Ada",
            "LastName": str(number), "Email": f"ada@c{number}.example", "Phone": "+49 40 1234", "Title": "Buyer",
        }]},
    }  # fmt: skip


def _bought(number: int, line: int) -> dict[str, Any]:
    product = (number * 7 + line * 13) % PRODUCTS
    quantity, cents = 1 + (number + line) % 9, price_cents(product)
    return {
        "attributes": {"type": "OpportunityLineItem"}, "Id": f"00kB{number:010d}{line:04d}", "SortOrder": line + 1,
        "Product2Id": f"01tB{product:014d}",
        "Product2": {"Name": f"Product {product}", "ProductCode": f"X-{product:03d}", "QuantityUnitOfMeasure": "Each",
                     "Support_Plan__c": "Gold" if line == 0 else None},
        "Description": None, "Quantity": float(quantity), "UnitPrice": cents / 100, "Discount": None,
        "TotalPrice": cents * quantity / 100, "ServiceDate": AT[:10] if line == 0 else None,
        "End_Date__c": "2027-03-01" if line == 0 else None,
    }  # fmt: skip


def partner(number: str) -> dict[str, Any]:
    """A customer in the ERP, expanded."""
    return {
        "BusinessPartner": number, "Customer": number, "BusinessPartnerCategory": "2", "BusinessPartnerFullName": "Customer",
        "BusinessPartnerIsBlocked": False, "IsMarkedForArchiving": False, "ETag": "1", "CreationDate": "/Date(1772409600000)/",
        "to_Customer": {
            "Customer": number, "OrderIsBlockedForCustomer": "", "DeliveryIsBlocked": "", "BillingIsBlockedForCustomer": "",
            "PostingIsBlocked": False,
            "to_CustomerSalesArea": {"results": [{
                "SalesOrganization": "1710", "DistributionChannel": "10", "Division": "00", "Currency": "EUR",
                "CustomerPaymentTerms": "NT30", "CustomerPriceGroup": "", "OrderIsBlockedForCustomer": "",
                "DeliveryIsBlockedForCustomer": "", "BillingIsBlockedForCustomer": "",
            }]},
        },
        "to_BusinessPartnerAddress": {"results": [{
            "AddressID": "1", "StreetName": "Weg", "HouseNumber": "1", "CityName": "Hamburg", "PostalCode": "20457",
            "Region": "HH", "Country": "DE",
        }]},
        "to_BusinessPartnerTax": {"results": [{"BPTaxType": "DE0", "BPTaxNumber": "DE811000000"}]},
    }  # fmt: skip


def sold(asked: dict[str, Any]) -> dict[str, Any]:
    """An item as the ERP prices, taxes and confirms it: the agreed price where one is sent."""
    agreed = asked.get("to_PricingElement")
    cents = _cents(agreed[0]["ConditionRateValue"]) if agreed else price_cents(int(asked["Material"][2:]))
    quantity = float(asked["RequestedQuantity"])
    net = round(cents * quantity)
    number, text = asked["SalesOrderItem"], f"{quantity:.3f}"
    return {
        "SalesOrderItem": number, "ExternalItemID": asked.get("ExternalItemID", ""), "Material": asked["Material"],
        "MaterialByCustomer": "", "SalesOrderItemText": asked.get("SalesOrderItemText", ""), "RequestedQuantity": text,
        "RequestedQuantityUnit": asked["RequestedQuantityUnit"], "ConfdDelivQtyInOrderQtyUnit": text,
        "NetAmount": money(net), "TaxAmount": money(tax_of(net)), "TransactionCurrency": "EUR", "ProductionPlant": "1710",
        "SalesDocumentRjcnReason": "", "OrderRelatedBillingStatus": "A", "SDProcessStatus": "A",
        "to_PricingElement": {"results": [
            {"ConditionType": "PMP0", "ConditionClass": "B", "ConditionRateValue": money(cents), "ConditionQuantity": "1",
             "ConditionCurrency": "EUR", "ConditionInactiveReason": "", "TaxCode": "", "ConditionAmount": money(net)},
            {"ConditionType": "TTX1", "ConditionClass": "D", "ConditionRateValue": f"{TAX}.000000000", "ConditionQuantity": "0",
             "ConditionCurrency": "", "ConditionInactiveReason": "", "TaxCode": "A1", "ConditionAmount": money(tax_of(net))},
        ]},
        "to_ScheduleLine": {"results": [{
            "ScheduleLine": "1", "RequestedDeliveryDate": "/Date(1773014400000)/", "ConfirmedDeliveryDate": "/Date(1773014400000)/",
            "ConfdOrderQtyByMatlAvailCheck": text, "DeliveredQtyInOrderQtyUnit": "0",
        }]},
    }  # fmt: skip


def tax_of(net: int) -> int:
    """The tax of a net amount in cents, rounded half up."""
    return (net * TAX + 50) // 100


def _lines(asked: dict[str, str]) -> list[dict[str, Any]]:
    lines, number = [], 0
    while (amount := asked.get(f"lines[{number}][amount]")) is not None:
        prefix = f"lines[{number}]"
        tax = int(asked[f"{prefix}[tax_amounts][0][amount]"])
        lines.append({
            "id": f"il_{number}", "amount": int(amount), "subtotal": int(amount),
            "description": asked[f"{prefix}[description]"], "taxes": [{"amount": tax, "taxable_amount": int(amount)}],
            "metadata": {"line": asked[f"{prefix}[metadata][line]"]}, "period": {"start": 1_772_409_600, "end": 1_772_409_600},
        })  # fmt: skip
        number += 1
    return lines


def _cents(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 100 + int((fraction + "00")[:2])


class Door(asyncio.Protocol):
    """One connection: HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self, enterprise: Enterprise) -> None:
        self._enterprise = enterprise
        self._parser: Any = httptools.HttpRequestParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._url, self._body = b"", b""

    def connection_made(self, transport: Any) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Parse on."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer, after the latency that was asked for."""
        path, _, query = self._url.decode().partition("?")
        method, headers, body = self._parser.get_method().decode(), self._headers, self._body
        self._headers, self._url, self._body = {}, b"", b""
        if path.startswith("/desk/"):
            self._write(*self._desk(path[6:], body), b"")
            return
        if b"authorization" not in headers and not path.endswith("/token"):
            status, found = 401, {"error": "who are you"}
        else:
            status, found = self._enterprise.answer(method, path, query, headers, body)
        latency = self._enterprise.latency_s
        extra = b"x-csrf-token: token\r\n" if headers.get(b"x-csrf-token") == b"Fetch" else b""
        if latency:
            asyncio.get_running_loop().call_later(latency, self._write, status, found, extra)
        else:
            self._write(status, found, extra)

    def _write(self, status: int, found: Any, extra: bytes) -> None:
        body = b"" if found is None else orjson.dumps(found)
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.write(head % (_STATUS[status], extra, len(body)) + body)

    def _desk(self, verb: str, body: bytes) -> tuple[int, Any]:
        enterprise = self._enterprise
        if verb == "reset":
            enterprise.books = Books()
            enterprise.latency_s = float(orjson.loads(body)["latency_s"])
        return 200, enterprise.books.audit()


async def serve() -> None:
    """Listen until the one who started us goes away."""
    loop = asyncio.get_running_loop()
    enterprise = Enterprise()
    server = await loop.create_server(lambda: Door(enterprise), "127.0.0.1", 0, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    enterprise.crm_url = f"http://127.0.0.1:{port}/crm"
    print(port, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
