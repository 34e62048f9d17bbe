"""Quote to cash by hand: the same calls to the same four systems, the same checks, money in Decimal."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urlencode

import orjson

from benchmarks.by_hand.ledger import Ledger
from benchmarks.by_hand.vendors import Effects, Refused, Vendor

_CENT = Decimal("0.01")
_EXPAND = "to_Item,to_Item/to_PricingElement,to_Item/to_ScheduleLine"
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_QUOTE = (
    "SELECT Id, Name, Opportunity_Number__c, Business_Unit__c, PO_Number__c, CurrencyIsoCode, StageName, CloseDate, IsWon,"
    " AccountId, Account.Name, (SELECT Id, Product2Id, Product2.Name, Product2.ProductCode, Product2.QuantityUnitOfMeasure,"
    " Product2.Support_Plan__c, Quantity, UnitPrice, TotalPrice, ServiceDate, End_Date__c FROM OpportunityLineItems)"
    " FROM Opportunity WHERE Id = '{}'"
)
_ACCOUNT = (
    "SELECT Id, Name, AccountNumber, External_Id__c, Tax_Number__c, BillingStreet, BillingCity, BillingPostalCode,"
    " BillingCountryCode, (SELECT Id, Name, Email, Phone, Title FROM Contacts) FROM Account WHERE Id = '{}'"
)


class Company:
    """The four systems and the memory."""

    def __init__(self, url: str, ledger: Ledger) -> None:
        self.ledger, self.effects = ledger, Effects(ledger)
        basic = "Basic " + b64encode(b"bench:benchmark").decode()
        self.crm = Vendor(url + "/crm", {**_JSON, "Authorization": "Bearer t"})
        self.erp = Vendor(url + "/erp/sap/opu/odata/sap", {**_JSON, "Authorization": basic})
        self.billing = Vendor(url + "/billing", {**_FORM, "Authorization": "Bearer benchmark"})
        self.support = Vendor(url + "/support", {**_JSON, "Authorization": basic})
        self.links: dict[tuple[str, str], str] = {}

    async def open(self) -> None:
        """Sign in, fetch the CSRF token, remember which ids are the same thing."""
        async with self.crm.session.post(
            self.crm.base + "/services/oauth2/token", data={"grant_type": "client_credentials"}
        ) as answer:
            token = orjson.loads(await answer.read())["access_token"]
        self.crm.headers["Authorization"] = f"Bearer {token}"
        await self.erp.fetch_csrf("/API_SALES_ORDER_SRV/A_SalesOrder")
        self.links = {
            (ours, system): theirs for ours, system, theirs in self.ledger.read("SELECT ours, system, theirs FROM link")
        }

    async def close(self) -> None:
        """Let go of the sessions."""
        for vendor in (self.crm, self.erp, self.billing, self.support):
            await vendor.close()

    async def quote_to_cash(self, message_id: str, opportunity_id: str) -> None:
        """One accepted quote: order, invoice, entitlement, report. A refusal is noted for a person."""
        try:
            await self._play(opportunity_id)
            await self.ledger.write("UPDATE inbox SET state = 'done' WHERE id = ?", message_id)
        except Refused as refused:
            await self.ledger.write(
                "UPDATE inbox SET state = 'parked', problem = ? WHERE id = ?", str(refused), message_id
            )

    async def _play(self, opportunity_id: str) -> None:
        quote = (await self.crm.get("/services/data/v62.0/query", q=_QUOTE.format(opportunity_id)))["records"][0]
        if not quote["IsWon"]:
            return
        account = (await self.crm.get("/services/data/v62.0/query", q=_ACCOUNT.format(quote["AccountId"])))["records"][
            0
        ]
        key, lines = quote["Opportunity_Number__c"], quote["OpportunityLineItems"]["records"]
        buyer = await self._partner(account)
        await self._check(quote, lines, buyer)
        order = await self._order(key, quote, lines, buyer)
        payable = totals(order)[2]
        customer = await self._billing_customer(account, buyer)
        invoice = await self._invoice(key, quote, order, customer)
        if invoice["total"] != int(payable * 100):
            raise Refused(f"the invoice of {key} asks for {invoice['total']} cents, the order says {payable}")
        until = await self._entitle(key, account, lines, order)
        report = {
            "ERP_Order_Number__c": order["SalesOrder"], "ERP_Order_Status__c": "confirmed",
            "Entitlement_Until__c": until, "Integration_Status__c": "ordered",
        }  # fmt: skip
        await self.effects.once(
            f"report/{key}",
            self.crm,
            "PATCH",
            f"/services/data/v62.0/sobjects/Opportunity/{opportunity_id}",
            data=orjson.dumps(report),
        )

    # ERP ------------------------------------------------------------------------------------------

    async def _partner(self, account: dict[str, Any]) -> str:
        if known := self.links.get((account["Id"], "erp")):
            return known
        found = await self._look_for_partner(account["Id"])
        if found is None:
            body = {
                "BusinessPartnerCategory": "2", "BusinessPartnerGrouping": "BP02", "OrganizationBPName1": account["Name"][:40],
                "to_BusinessPartnerAddress": [{"StreetName": account["BillingStreet"], "CityName": account["BillingCity"],
                                               "PostalCode": account["BillingPostalCode"], "Country": account["BillingCountryCode"]}],
                "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
                "to_BusinessPartnerTax": [{"BPTaxType": "DE0", "BPTaxNumber": account["Tax_Number__c"]}],
                "to_BuPaIdentification": [{"BPIdentificationType": "ISTHMS", "BPIdentificationNumber": account["Id"]}],
                "to_Customer": {"to_CustomerCompany": [{"CompanyCode": "1710", "PaymentTerms": "NT30"}],
                                "to_CustomerSalesArea": [{"SalesOrganization": "1710", "DistributionChannel": "10", "Division": "00"}]},
            }  # fmt: skip
            made = await self.effects.once(
                f"partner/{account['Id']}", self.erp, "POST", "/API_BUSINESS_PARTNER/A_BusinessPartner",
                look=lambda: self._look_for_partner(account["Id"]), data=orjson.dumps(body),
            )  # fmt: skip
            found = made.get("d", made)
        return self._link(account["Id"], "erp", found["BusinessPartner"])

    async def _look_for_partner(self, id_: str) -> Any:
        filter_ = f"BPIdentificationType eq 'ISTHMS' and BPIdentificationNumber eq '{id_}'"
        body = await self.erp.get("/API_BUSINESS_PARTNER/A_BuPaIdentification", **{"$filter": filter_})
        return next(iter(body["d"]["results"]), None)

    async def _check(self, quote: dict[str, Any], lines: list[dict[str, Any]], buyer: str) -> None:
        asked = {
            "SalesOrderType": "OR", "SalesOrganization": "1710", "DistributionChannel": "10", "OrganizationDivision": "00",
            "SoldToParty": buyer, "TransactionCurrency": quote["CurrencyIsoCode"], "to_Pricing": {}, "to_Credit": {},
            "to_Item": [{
                "SalesOrderItem": str(10 * number), "Material": line["Product2"]["ProductCode"],
                "RequestedQuantity": number_text(line["Quantity"]), "RequestedQuantityUnit": "PC",
                "to_PricingElement": [], "to_ScheduleLine": [],
            } for number, line in enumerate(lines, 1)],
        }  # fmt: skip
        expand = "to_Customer,to_Customer/to_CustomerSalesArea,to_BusinessPartnerAddress,to_BusinessPartnerTax"
        debtor, (status, simulated) = await asyncio.gather(
            self.erp.get(f"/API_BUSINESS_PARTNER/A_BusinessPartner('{buyer}')", **{"$expand": expand}),
            self.erp.call("POST", "/API_SALES_ORDER_SIMULATION_SRV/A_SalesOrderSimulation", data=orjson.dumps(asked)),
        )
        if debtor["d"]["BusinessPartnerIsBlocked"] or debtor["d"]["to_Customer"]["OrderIsBlockedForCustomer"]:
            raise Refused(f"customer {buyer} is blocked")
        if status >= 300:
            raise Refused(f"the ERP does not take it: {simulated}")
        if simulated["d"]["to_Credit"]["TotalCreditCheckStatus"] in ("B", "C"):
            raise Refused("the credit limit does not cover it")
        for line, item in zip(lines, simulated["d"]["to_Item"]["results"], strict=True):
            confirmed = sum(Decimal(s["ConfdOrderQtyByMatlAvailCheck"]) for s in item["to_ScheduleLine"]["results"])
            if confirmed < Decimal(number_text(line["Quantity"])):
                raise Refused(f"only {confirmed} of {line['Quantity']} {item['Material']} are there")
            price = next(
                c
                for c in item["to_PricingElement"]["results"]
                if c["ConditionClass"] == "B" and not c["ConditionInactiveReason"]
            )
            quoted = Decimal(number_text(line["UnitPrice"]))
            if abs(
                Decimal(price["ConditionRateValue"]) / Decimal(price["ConditionQuantity"]) - quoted
            ) / quoted > Decimal("0.005"):
                raise Refused(f"{item['Material']} was quoted at {quoted}")

    async def _order(self, key: str, quote: dict[str, Any], lines: list[dict[str, Any]], buyer: str) -> dict[str, Any]:
        body = {
            "SalesOrderType": "OR", "SalesOrganization": "1710", "DistributionChannel": "10", "OrganizationDivision": "00",
            "SoldToParty": buyer, "TransactionCurrency": quote["CurrencyIsoCode"], "PurchaseOrderByCustomer": quote["PO_Number__c"],
            "ExternalDocumentID": key, "SenderBusinessSystemName": "ISTHMUS",
            "to_Item": [{
                "SalesOrderItem": str(10 * number), "ExternalItemID": line["Id"], "Material": line["Product2"]["ProductCode"],
                "SalesOrderItemText": line["Product2"]["Name"][:40], "RequestedQuantity": number_text(line["Quantity"]),
                "RequestedQuantityUnit": "PC",
                "to_PricingElement": [{
                    "ConditionType": "PMP0", "ConditionRateValue": number_text(line["UnitPrice"]),
                    "ConditionCurrency": quote["CurrencyIsoCode"], "ConditionQuantity": "1", "ConditionQuantityUnit": "PC",
                }],
            } for number, line in enumerate(lines, 1)],
        }  # fmt: skip
        return await self.create_order(key, body)

    async def create_order(self, key: str, body: dict[str, Any]) -> dict[str, Any]:
        """One order in the ERP under our key, once."""

        async def look() -> Any:
            filter_ = f"ExternalDocumentID eq '{key}' and SenderBusinessSystemName eq 'ISTHMUS'"
            found = await self.erp.get("/API_SALES_ORDER_SRV/A_SalesOrder", **{"$filter": filter_, "$expand": _EXPAND})
            return next(iter(found["d"]["results"]), None)

        made = await self.effects.once(
            f"order/{key}", self.erp, "POST", "/API_SALES_ORDER_SRV/A_SalesOrder", look=look, data=orjson.dumps(body)
        )
        order: dict[str, Any] = made.get("d", made)
        return order

    # Billing --------------------------------------------------------------------------------------

    async def _billing_customer(self, account: dict[str, Any], buyer: str) -> str:
        if known := self.links.get((account["Id"], "billing")):
            return known
        contact = next((c for c in account["Contacts"]["records"] if c["Email"]), {})
        fields = {
            "name": account["Name"], "email": contact.get("Email", ""), "address[line1]": account["BillingStreet"],
            "address[city]": account["BillingCity"], "address[postal_code]": account["BillingPostalCode"],
            "address[country]": account["BillingCountryCode"], "metadata[customer]": account["Id"], "metadata[erp_customer]": buyer,
        }  # fmt: skip

        async def look() -> Any:
            body = await self.billing.get("/v1/customers/search", query=f"metadata['customer']:'{account['Id']}'")
            return next(iter(body["data"]), None)

        found = await look() or await self.effects.once(
            f"billing-customer/{account['Id']}",
            self.billing,
            "POST",
            "/v1/customers",
            look=look,
            native=True,
            data=urlencode(fields),
        )
        return self._link(account["Id"], "billing", found["id"])

    async def _invoice(self, key: str, quote: dict[str, Any], order: dict[str, Any], customer: str) -> dict[str, Any]:
        who = await self.billing.get(f"/v1/customers/{customer}")
        if who.get("deleted"):
            raise Refused(f"the customer {customer} was deleted in billing")
        card = who["invoice_settings"]["default_payment_method"] or who["default_source"]
        draft_fields = {
            "customer": customer, "currency": order["TransactionCurrency"].lower(), "auto_advance": "false",
            "pending_invoice_items_behavior": "exclude", "collection_method": "charge_automatically" if card else "send_invoice",
            **({} if card else {"days_until_due": "30"}),
            "custom_fields[0][name]": "Order", "custom_fields[0][value]": order["SalesOrder"],
            "metadata[request_number]": key, "metadata[order_number]": order["SalesOrder"],
        }  # fmt: skip

        async def look() -> Any:
            body = await self.billing.get("/v1/invoices/search", query=f"metadata['request_number']:'{key}'")
            return next(iter(body["data"]), None)

        post = self.effects.once
        draft = await post(
            f"invoice/{key}", self.billing, "POST", "/v1/invoices", look=look, native=True, data=urlencode(draft_fields)
        )
        fields: dict[str, str] = {}
        for number, item in enumerate(order["to_Item"]["results"]):
            at, net, tax = f"lines[{number}]", cents(item["NetAmount"]), cents(item["TaxAmount"])
            fields[f"{at}[amount]"] = net
            fields[f"{at}[description]"] = item["SalesOrderItemText"]
            fields[f"{at}[discountable]"] = "false"
            fields[f"{at}[tax_amounts][0][amount]"] = tax
            fields[f"{at}[tax_amounts][0][taxable_amount]"] = net
            fields[f"{at}[tax_amounts][0][taxability_reason]"] = "standard_rated"
            fields[f"{at}[tax_amounts][0][tax_rate_data][display_name]"] = "VAT"
            fields[f"{at}[tax_amounts][0][tax_rate_data][percentage]"] = "19.0000"
            fields[f"{at}[tax_amounts][0][tax_rate_data][inclusive]"] = "false"
            fields[f"{at}[metadata][line]"] = item["ExternalItemID"]
            fields[f"{at}[metadata][product]"] = item["Material"]
        path = f"/v1/invoices/{draft['id']}"
        await post(
            f"invoice-lines/{key}", self.billing, "POST", f"{path}/add_lines", native=True, data=urlencode(fields)
        )
        final: dict[str, Any] = await post(
            f"invoice-final/{key}", self.billing, "POST", f"{path}/finalize", native=True, data="auto_advance=true"
        )
        return final

    # Support --------------------------------------------------------------------------------------

    async def _entitle(
        self, key: str, account: dict[str, Any], lines: list[dict[str, Any]], order: dict[str, Any]
    ) -> str | None:
        planned = [line for line in lines if line["Product2"]["Support_Plan__c"]]
        if not planned:
            return None
        best = max(planned, key=lambda line: ("Bronze", "Silver", "Gold").index(line["Product2"]["Support_Plan__c"]))
        fields = {
            "plan": best["Product2"]["Support_Plan__c"].lower(), "plan_until": best["End_Date__c"],
            "erp_order": order["SalesOrder"], "crm_account": account["Id"],
        }  # fmt: skip
        body = {
            "organization": {
                "external_id": account["External_Id__c"],
                "name": account["Name"],
                "organization_fields": fields,
            }
        }
        made = await self.effects.once(
            f"entitlement/{key}",
            self.support,
            "POST",
            "/api/v2/organizations/create_or_update.json",
            data=orjson.dumps(body),
        )
        for number, contact in enumerate(account["Contacts"]["records"]):
            user = {
                "name": contact["Name"], "email": contact["Email"], "phone": contact["Phone"],
                "organization_id": made["organization"]["id"], "skip_verify_email": True,
                "user_fields": {"role_at_customer": contact["Title"]},
            }  # fmt: skip
            await self.effects.once(
                f"user/{key}/{number}",
                self.support,
                "POST",
                "/api/v2/users/create_or_update.json",
                data=orjson.dumps({"user": user}),
            )
        until: str = best["End_Date__c"]
        return until

    def _link(self, ours: str, system: str, theirs: str) -> str:
        self.links[ours, system] = theirs
        self.ledger.write("INSERT INTO link VALUES (?, ?, ?) ON CONFLICT DO NOTHING", ours, system, theirs)
        return theirs


def totals(order: dict[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
    """Net, tax and gross of an order."""
    items = order["to_Item"]["results"]
    net = sum((Decimal(item["NetAmount"]) for item in items), Decimal(0))
    tax = sum((Decimal(item["TaxAmount"]) for item in items), Decimal(0))
    return net, tax, net + tax


def cents(amount: str) -> str:
    """An amount in cents."""
    return str(int((Decimal(amount) * 100).quantize(Decimal(1), ROUND_HALF_UP)))


def number_text(number: float) -> str:
    """A JSON number as exact text."""
    return str(Decimal(repr(number)).normalize().quantize(_CENT)) if number % 1 else str(int(number))
