"""Billing documents (API_BILLING_DOCUMENT_SRV) once they exist: written, cancelled, printed, paid.

Nobody creates one by the API. Types: F2 invoice (category M), S1 its cancellation (N), G2 credit memo (O), S2 its
cancellation (S). The function import Cancel makes the cancellation document; GetPDF answers base64.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox import taxes
from isthmus.connectors.erp.sap_s4hana.sandbox.credit import Credit
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import moment, scaled
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.pdf import write_pdf
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import amount_text
from isthmus.connectors.erp.sap_s4hana.sandbox.progress import open_value, renew
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, minor_units
from isthmus.sandkit.world import Row

FIRST_DOCUMENT, FIRST_JOURNAL_ENTRY = 90000001, 9400000001
_CANCELLATIONS = {"M": ("S1", "N"), "O": ("S2", "S")}
_TITLES = {"M": "Invoice", "N": "Invoice cancellation", "O": "Credit memo", "S": "Credit memo cancellation"}


@dataclass(slots=True)
class BillItem:
    """An item to be billed: its columns, its net amount, and the price conditions it comes with."""

    columns: Row
    net: Decimal
    prices: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bill:
    """What a billing document is made from: an order or credit memo request, its items and its tax."""

    kind: str
    category: str
    source: Row
    payer: str
    items: Sequence[BillItem]
    tax: taxes.Tax


class BillingDocuments:
    """Writes billing documents and does what can be done to them."""

    def __init__(self, system: System, credit: Credit) -> None:
        self._system, self._credit = system, credit

    def document(self, number: str) -> Row:
        """A billing document's row. Raises ODataError (404) where there is none."""
        row = self._system.row("A_BillingDocument", BillingDocument=number)
        if row is None:
            raise no_entity("A_BillingDocumentType")
        return row

    def write(self, bill: Bill) -> str:
        """Write a billing document; its number. Tax is spread over the items, items are numbered in tens."""
        system, currency = self._system, bill.source["TransactionCurrency"]
        number = system.number("billing_document", FIRST_DOCUMENT)
        nets = [item.net for item in bill.items]
        shares = taxes.spread(nets, bill.tax.percent, minor_units(currency))
        net, tax = sum(nets, Decimal(0)), sum(shares, Decimal(0))
        system.insert("A_BillingDocument", [self._header(bill, number, net, tax)])
        items, prices = [], []
        for place, (item, share) in enumerate(zip(bill.items, shares, strict=True), 1):
            key = {"BillingDocument": number, "BillingDocumentItem": str(place * 10)}
            amounts = {
                "NetAmount": item.net,
                "TaxAmount": share,
                "GrossAmount": item.net + share,
                "CostAmount": Decimal(0),
            }
            written = {name: amount_text(amount, currency) for name, amount in amounts.items()}
            made = {name: value for name, value in system.created().items() if name != "LastChangeDateTime"}
            items.append({**made, **item.columns, **key, **written, "TransactionCurrency": currency})
            conditions = [*item.prices, _tax_condition(item.net, share, bill.tax, currency)]
            prices += [{**row, **key, "TransactionCurrency": currency} for row in conditions]
        system.insert("A_BillingDocumentItem", items)
        system.insert("A_BillingDocumentItemPrcgElmnt", prices)
        self._write_partners(number, bill)
        if bill.category == "M":
            self._credit.note(f"invoice {number}", "receivables", bill.source["SoldToParty"], currency, net + tax)
        return number

    def _write_partners(self, number: str, bill: Bill) -> None:
        customer = bill.source["SoldToParty"]
        functions = {"SP": customer, "SH": customer, "BP": customer, "PY": bill.payer}
        rows = [
            {"BillingDocument": number, "PartnerFunction": name, "Customer": one} for name, one in functions.items()
        ]
        self._system.insert("A_BillingDocumentPartner", rows)

    def _header(self, bill: Bill, number: str, net: Decimal, tax: Decimal) -> Row:
        system, source, currency = self._system, bill.source, bill.source["TransactionCurrency"]
        organization = system.world.row(
            "SELECT * FROM _organization WHERE sales_organization = ?", (source["SalesOrganization"],)
        )
        assert organization is not None
        customer = system.row("A_Customer", Customer=source["SoldToParty"]) or {}
        address = system.row("A_BusinessPartnerAddress", BusinessPartner=bill.payer) or {}
        return {
            **system.created(),
            "CreationTime": system.time_of_day(),
            "BillingDocument": number,
            "BillingDocumentType": bill.kind,
            "SDDocumentCategory": bill.category,
            "BillingDocumentDate": system.today(),
            "SalesOrganization": source["SalesOrganization"],
            "DistributionChannel": source["DistributionChannel"],
            "Division": source["OrganizationDivision"],
            "TransactionCurrency": currency,
            "TotalNetAmount": amount_text(net, currency),
            "TaxAmount": amount_text(tax, currency),
            "TotalGrossAmount": amount_text(net + tax, currency),
            "TaxDepartureCountry": organization["country"],
            "VATRegistration": customer.get("VATRegistration", ""),
            "PayerParty": bill.payer,
            "SoldToParty": source["SoldToParty"],
            "CustomerPaymentTerms": source["CustomerPaymentTerms"],
            "PurchaseOrderByCustomer": source["PurchaseOrderByCustomer"],
            "Country": address.get("Country", ""),
            "Region": address.get("Region", ""),
            "CompanyCode": organization["company_code"],
            "FiscalYear": str(moment(system.today()).year),
            "AccountingDocument": system.number("journal_entry", FIRST_JOURNAL_ENTRY),
            "DocumentReferenceID": number,
            "PaymentReference": number,
            "OverallSDProcessStatus": "C",
            "OverallBillingStatus": "C",
            "AccountingPostingStatus": "C",
            "AccountingTransferStatus": "C",
            "InvoiceClearingStatus": "A",
        }

    # Cancellation -----------------------------------------------------------------------------------------------

    def cancel(self, asked: Mapping[str, Any]) -> list[Row]:
        """Cancel an invoice or credit memo: its counter-document is made, what it billed is due again."""
        row = self.document(asked["BillingDocument"])
        number = row["BillingDocument"]
        if row["SDDocumentCategory"] not in _CANCELLATIONS:
            raise business("VF/076", f"Billing document {number} is a cancellation itself")
        if row["BillingDocumentIsCancelled"]:
            raise business("VF/068", f"Billing document {number} has already been cancelled")
        if row["InvoiceClearingStatus"] == "C":
            raise business("VF/071", f"Billing document {number} has been cleared: reset the clearing first")
        counter = self._counter_document(row)
        changes = {"BillingDocumentIsCancelled": 1, **self._system.touched(row["LastChangeDateTime"])}
        self._system.update("A_BillingDocument", row, changes)
        self._due_again(row)
        result = {
            "BillingDocument": number,
            "CancellationBillingDocument": counter,
            "SystemMessageType": "S",
            "SystemMessageIdentification": "VF",
            "SystemMessageNumber": "311",
            "SystemMessageText": f"Document {counter} has been saved",
            "SystemMessageVariable1": counter,
        }
        return [result]

    def _counter_document(self, row: Row) -> str:
        system, number = self._system, row["BillingDocument"]
        counter = system.number("billing_document", FIRST_DOCUMENT)
        kind, category = _CANCELLATIONS[row["SDDocumentCategory"]]
        header = {
            **row,
            **system.created(),
            "BillingDocument": counter,
            "BillingDocumentType": kind,
            "SDDocumentCategory": category,
            "CancelledBillingDocument": number,
            "BillingDocumentDate": system.today(),
            "AccountingDocument": system.number("journal_entry", FIRST_JOURNAL_ENTRY),
            "InvoiceClearingStatus": "C",
        }
        system.insert("A_BillingDocument", [header])
        for entity in ("A_BillingDocumentItem", "A_BillingDocumentItemPrcgElmnt", "A_BillingDocumentPartner"):
            rows = system.rows(entity, BillingDocument=number)
            system.insert(entity, [{**one, "BillingDocument": counter} for one in rows])
        return counter

    def _due_again(self, row: Row) -> None:
        system, number = self._system, row["BillingDocument"]
        items = system.rows("A_BillingDocumentItem", BillingDocument=number)
        if row["SDDocumentCategory"] == "O":
            for request in {item["ReferenceSDDocument"] for item in items}:
                system.world.update(
                    "A_CreditMemoRequest", {"OverallOrdReltdBillgStatus": "A"}, {"CreditMemoRequest": request}
                )
                system.touch("A_CreditMemoRequest", CreditMemoRequest=request)
            return
        for item in items:
            if item["ReferenceSDDocumentCategory"] == "J":
                key = {"DeliveryDocument": item["ReferenceSDDocument"]}
                item_key = {**key, "DeliveryDocumentItem": item["ReferenceSDDocumentItem"]}
                system.world.update("A_OutbDeliveryItem", {"DeliveryRelatedBillingStatus": "A"}, item_key)
                changes = {"OverallDelivReltdBillgStatus": "A", "OverallSDProcessStatus": "B"}
                system.world.update("A_OutbDeliveryHeader", changes, key)
        self._credit.note(
            f"invoice {number}", "receivables", row["SoldToParty"], row["TransactionCurrency"], Decimal(0)
        )
        for order in {item["SalesDocument"] for item in items}:
            renew(system, order)
            still = open_value(system, order)
            self._credit.note(f"order {order}", "orders", row["SoldToParty"], row["TransactionCurrency"], still)

    # Payment and print ------------------------------------------------------------------------------------------

    def clear(self, number: str) -> Row:
        """Post the payment of an invoice: its open item is cleared. Raises ODataError where it is none or is cleared."""
        row = self.document(number)
        if row["BillingDocumentIsCancelled"] or row["SDDocumentCategory"] != "M":
            raise business("F5/201", f"Billing document {number} has no open item")
        if row["InvoiceClearingStatus"] == "C":
            raise business("F5/202", f"Billing document {number} has already been cleared")
        changes = {"InvoiceClearingStatus": "C", **self._system.touched(row["LastChangeDateTime"])}
        self._system.update("A_BillingDocument", row, changes)
        self._credit.note(
            f"invoice {number}", "receivables", row["SoldToParty"], row["TransactionCurrency"], Decimal(0)
        )
        return self.document(number)

    def pdf(self, asked: Mapping[str, Any]) -> list[Row]:
        """The printed document, base64."""
        row = self.document(asked["BillingDocument"])
        currency = row["TransactionCurrency"]
        customer = self._system.row("A_Customer", Customer=row["PayerParty"]) or {}
        lines = [
            f"{_TITLES[row['SDDocumentCategory']]} {row['BillingDocument']}",
            f"{customer.get('CustomerName', '')} ({row['PayerParty']})",
            f"Date {moment(row['BillingDocumentDate']):%Y-%m-%d}   Your reference {row['PurchaseOrderByCustomer']}",
            "",
        ]
        for item in self._system.rows("A_BillingDocumentItem", BillingDocument=row["BillingDocument"]):
            quantity = f"{item['BillingQuantity']} {item['BillingQuantityUnit']}"
            lines.append(
                f"{item['Material']}  {item['BillingDocumentItemText']}  {quantity}  {item['NetAmount']} {currency}"
            )
        lines += [
            "",
            f"Net {row['TotalNetAmount']} {currency}",
            f"Tax {row['TaxAmount']} {currency}",
            f"Total {row['TotalGrossAmount']} {currency}",
        ]
        return [{"BillingDocumentBinary": base64.b64encode(write_pdf(lines)).decode()}]


def _tax_condition(net: Decimal, amount: Decimal, tax: taxes.Tax, currency: str) -> Row:
    return {
        "PricingProcedureStep": "851",
        "PricingProcedureCounter": "1",
        "ConditionType": taxes.CONDITION,
        "ConditionCalculationType": "A",
        "ConditionBaseValue": scaled(net, 9),
        "ConditionRateValue": scaled(tax.percent, 9),
        "ConditionCurrency": "",
        "ConditionQuantity": "0",
        "ConditionQuantityUnit": "",
        "ConditionClass": "D",
        "ConditionIsManuallyChanged": 0,
        "ConditionAmount": amount_text(amount, currency),
        "TaxCode": tax.code,
    }
