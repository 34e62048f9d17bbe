"""Credit memo requests (API_CREDIT_MEMO_REQUEST_SRV), created with reference to an invoice.

A request starts with billing block 08 and waits for approval; releasing it takes the block away, rejecting it
rejects its items. The billing run makes the credit memo. Not more can be credited than was invoiced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import scaled
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.materials import unit_columns
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import MANUAL_TYPES, amount_text, rounded
from isthmus.connectors.erp.sap_s4hana.sandbox.salesdoc import manual_price
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, minor_units, quantity_text, thousandths
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION, spread
from isthmus.sandkit.world import Row

FIRST_REQUEST = 60000001
REQUEST_BLOCK, REJECTION = "08", "51"


class CreditMemoRequests:
    """Creates and changes credit memo requests."""

    def __init__(self, system: System) -> None:
        self._system = system

    def create(self, draft: Draft) -> Row:
        """Create a request for an invoice: for all of it, or for the items that are nested."""
        values, system = draft.values, self._system
        if values.get("CreditMemoRequestType", "") != "CR":
            text = (
                f"Sales document type {values.get('CreditMemoRequestType', '')} is not defined for credit memo requests"
            )
            raise business("V1/301", text, "CreditMemoRequestType")
        invoice = self._invoice(values)
        request = system.number("credit_memo_request", FIRST_REQUEST)
        items = self._items(request, invoice, draft.nested("to_Item"))
        currency = invoice["TransactionCurrency"]
        total = sum((Decimal(item["NetAmount"]) for item in items), Decimal(0))
        given = {name: value for name, value in values.items() if value not in (None, "")}
        row = {
            "HeaderBillingBlockReason": REQUEST_BLOCK,
            "PurchaseOrderByCustomer": invoice["PurchaseOrderByCustomer"],
            "CustomerPaymentTerms": invoice["CustomerPaymentTerms"],
            "CreditMemoRequestDate": system.today(),
            "PricingDate": system.today(),
            **given,
            **system.created(),
            "CreditMemoRequest": request,
            "SoldToParty": invoice["SoldToParty"],
            "SalesOrganization": invoice["SalesOrganization"],
            "DistributionChannel": invoice["DistributionChannel"],
            "OrganizationDivision": invoice["Division"],
            "TransactionCurrency": currency,
            "TotalNetAmount": amount_text(total, currency),
            "ReferenceSDDocument": invoice["BillingDocument"],
            "ReferenceSDDocumentCategory": "M",
            "SalesDocApprovalStatus": "A",
            "OverallSDProcessStatus": "A",
            "OverallOrdReltdBillgStatus": "A",
            "OverallSDDocumentRejectionSts": "A",
        }
        system.insert("A_CreditMemoRequest", [row])
        system.insert("A_CreditMemoRequestItem", items)
        partners = [
            {"CreditMemoRequest": request, "PartnerFunction": name, "Customer": invoice["SoldToParty"]}
            for name in ("SP", "BP", "PY")
        ]
        system.insert("A_CreditMemoReqPartner", partners)
        texts = [{"Language": "EN", **text.values, "CreditMemoRequest": request} for text in draft.nested("to_Text")]
        system.insert("A_CreditMemoReqText", texts)
        return self._request(request)

    def _invoice(self, values: Row) -> Row:
        number = values.get("ReferenceSDDocument", "")
        if not number:
            raise business("V1/423", "Enter a billing document as reference", "ReferenceSDDocument")
        row = self._system.row("A_BillingDocument", BillingDocument=number)
        if row is None or row["SDDocumentCategory"] != "M":
            raise business("VF/024", f"Billing document {number} is not in the database", "ReferenceSDDocument")
        if row["BillingDocumentIsCancelled"]:
            raise business("VF/068", f"Billing document {number} has been cancelled", "ReferenceSDDocument")
        if values.get("SoldToParty", row["SoldToParty"]) != row["SoldToParty"]:
            raise business(
                "V1/435", f"Billing document {number} belongs to customer {row['SoldToParty']}", "SoldToParty"
            )
        return row

    def _request(self, number: str) -> Row:
        row = self._system.row("A_CreditMemoRequest", CreditMemoRequest=number)
        if row is None:
            raise no_entity("A_CreditMemoRequestType")
        return row

    # Items ------------------------------------------------------------------------------------------------------

    def _items(self, request: str, invoice: Row, drafts: Sequence[Draft]) -> list[Row]:
        billed = self._system.rows("A_BillingDocumentItem", BillingDocument=invoice["BillingDocument"])
        wanted: list[tuple[Row, Row, Sequence[Draft]]] = [(item, {}, ()) for item in billed]
        if drafts:
            wanted = [(_referred(billed, one.values), one.values, one.nested("to_PricingElement")) for one in drafts]
        rows, prices = [], []
        for place, (item, values, entered) in enumerate(wanted, 1):
            number = values.get("CreditMemoRequestItem") or str(place * 10)
            row = self._item(request, number, item, values, entered)
            rows.append(row)
            prices += self._prices(row, item)
        shares = _tax_shares(rows, prices, invoice["TransactionCurrency"])
        for tax_row, share in zip((p for p in prices if p["ConditionClass"] == "D"), shares, strict=True):
            tax_row["ConditionAmount"] = amount_text(share, invoice["TransactionCurrency"])
        self._system.insert("A_CreditMemoReqItemPrcgElmnt", prices)
        return rows

    def _item(self, request: str, number: str, item: Row, values: Row, entered: Sequence[Draft]) -> Row:
        currency, billed = item["TransactionCurrency"], Decimal(item["BillingQuantity"])
        quantity = Decimal(values.get("RequestedQuantity") or billed)
        prices = [manual_price(one.values) for one in entered if one.values.get("ConditionType")]
        if prices and prices[0].condition_type not in MANUAL_TYPES:
            raise business(
                "V1/217", f"Condition {prices[0].condition_type} cannot be entered manually", "to_PricingElement"
            )
        if prices:
            net = rounded(prices[0].rate * quantity / prices[0].quantity, currency)
        else:
            net = rounded(Decimal(item["NetAmount"]) * quantity / billed, currency)
        self._check(number, item, quantity, net)
        return {
            **{name: value for name, value in values.items() if value not in (None, "")},
            "CreditMemoRequest": request,
            "CreditMemoRequestItem": number,
            "HigherLevelItem": "0",
            "CreditMemoRequestItemCategory": "G2N",
            "CreditMemoRequestItemText": item["BillingDocumentItemText"],
            "Material": item["Material"],
            "MaterialGroup": item["MaterialGroup"],
            "Plant": item["Plant"],
            "PricingDate": self._system.today(),
            "RequestedQuantity": quantity_text(thousandths(quantity)),
            **unit_columns("RequestedQuantity", item["BillingQuantityUnit"]),
            "TransactionCurrency": currency,
            "NetAmount": amount_text(net, currency),
            "ReferenceSDDocument": item["BillingDocument"],
            "ReferenceSDDocumentItem": item["BillingDocumentItem"],
            "SDProcessStatus": "A",
            "OrderRelatedBillingStatus": "A",
        }

    def _check(self, number: str, item: Row, quantity: Decimal, net: Decimal) -> None:
        """Not more than was invoiced, together with the requests that live already."""
        rows = self._system.rows(
            "A_CreditMemoRequestItem",
            ReferenceSDDocument=item["BillingDocument"],
            ReferenceSDDocumentItem=item["BillingDocumentItem"],
            SalesDocumentRjcnReason="",
        )
        before = sum((Decimal(row["NetAmount"]) for row in rows), Decimal(0))
        target = f"to_Item('{number}')"
        if quantity <= 0 or quantity > Decimal(item["BillingQuantity"]):
            text = (
                f"Item {number.zfill(6)}: quantity {quantity:f} exceeds the billed quantity {item['BillingQuantity']}"
            )
            raise business("V1/428", text, f"{target}/RequestedQuantity")
        if before + net > Decimal(item["NetAmount"]):
            left = Decimal(item["NetAmount"]) - before
            text = f"Item {number.zfill(6)}: credit of {net:f} exceeds the {left:f} {item['TransactionCurrency']} not yet credited"
            raise business("V1/429", text, f"{target}/NetAmount")

    def _prices(self, row: Row, item: Row) -> list[Row]:
        billed = self._system.rows(
            "A_BillingDocumentItemPrcgElmnt",
            BillingDocument=item["BillingDocument"],
            BillingDocumentItem=item["BillingDocumentItem"],
        )
        key = {"CreditMemoRequest": row["CreditMemoRequest"], "CreditMemoRequestItem": row["CreditMemoRequestItem"]}
        made = []
        for one in billed:
            kept = {name: value for name, value in one.items() if not name.startswith("BillingDocument")}
            quantity = Decimal(row["RequestedQuantity"])
            if one["ConditionClass"] == "B":
                rate = Decimal(row["NetAmount"]) / quantity * Decimal(one["ConditionQuantity"] or 1)
                kept.update(
                    ConditionBaseValue=scaled(quantity, 9),
                    ConditionRateValue=scaled(rate, 9),
                    ConditionAmount=row["NetAmount"],
                )
            else:
                kept["ConditionBaseValue"] = scaled(Decimal(row["NetAmount"]), 9)
            made.append({**kept, **key})
        return made

    # Changes ----------------------------------------------------------------------------------------------------

    def update(self, row: Row, changes: Row) -> None:
        """Change header columns; taking the billing block away makes the request due."""
        touched = self._system.touched(row["LastChangeDateTime"])
        self._system.update("A_CreditMemoRequest", row, {**changes, **touched})

    def update_item(self, row: Row, changes: Row) -> None:
        """Change an item: reject it, or what has no consequences."""
        changes = {name: value for name, value in changes.items() if not name.startswith("RequestedQuantity")}
        self._system.update("A_CreditMemoRequestItem", row, changes)
        self._recount(self._request(row["CreditMemoRequest"]))

    def delete(self, row: Row) -> None:
        """Delete a request that was not billed."""
        number = row["CreditMemoRequest"]
        if row["OverallOrdReltdBillgStatus"] == "C":
            raise business("V1/497", f"Sales document {number} cannot be deleted: subsequent documents exist")
        for entity in self._system.dictionary.services["API_CREDIT_MEMO_REQUEST_SRV"].entities:
            self._system.delete(entity, CreditMemoRequest=number)

    def _recount(self, request: Row) -> None:
        key = {"CreditMemoRequest": request["CreditMemoRequest"]}
        items = self._system.rows("A_CreditMemoRequestItem", **key)
        living = [item for item in items if not item["SalesDocumentRjcnReason"]]
        total = sum((Decimal(item["NetAmount"]) for item in living), Decimal(0))
        changes = {
            "TotalNetAmount": amount_text(total, request["TransactionCurrency"]),
            "OverallSDDocumentRejectionSts": "A" if len(living) == len(items) else "B" if living else "C",
            **({} if living else {"OverallOrdReltdBillgStatus": "", "OverallSDProcessStatus": "C"}),
        }
        self.update(request, changes)

    def release(self, asked: Mapping[str, Any]) -> list[Row]:
        """Release a request: its billing block goes."""
        row = self._waiting(asked)
        self.update(row, {"SalesDocApprovalStatus": "B", "HeaderBillingBlockReason": ""})
        return [{"Boolean": 1}]

    def reject(self, asked: Mapping[str, Any]) -> list[Row]:
        """Reject a request: its items are rejected."""
        row = self._waiting(asked)
        key = {"CreditMemoRequest": row["CreditMemoRequest"]}
        changes = {"SalesDocumentRjcnReason": REJECTION, "SDProcessStatus": "C", "OrderRelatedBillingStatus": ""}
        self._system.world.update("A_CreditMemoRequestItem", changes, key)
        self.update(row, {"SalesDocApprovalStatus": "C"})
        self._recount(self._request(row["CreditMemoRequest"]))
        return [{"Boolean": 1}]

    def _waiting(self, asked: Mapping[str, Any]) -> Row:
        row = self._request(asked["CreditMemoRequest"])
        if row["SalesDocApprovalStatus"] != "A":
            text = f"Credit memo request {row['CreditMemoRequest']} is not in the approval process"
            raise business("APM_SD/010", text, "CreditMemoRequest")
        return row


def _referred(billed: Sequence[Row], values: Row) -> Row:
    """The invoice item that a nested item means: by its number, else by its material."""
    number = values.get("ReferenceSDDocumentItem", "")
    for item in billed:
        if item["BillingDocumentItem"] == number or (not number and item["Material"] == values.get("Material")):
            return item
    raise business("V1/424", f"Item {number or values.get('Material', '')} is not in the billing document", "to_Item")


def _tax_shares(rows: Sequence[Row], prices: Sequence[Row], currency: str) -> list[Decimal]:
    percent = next((Decimal(p["ConditionRateValue"]) for p in prices if p["ConditionType"] == CONDITION), Decimal(0))
    return spread([Decimal(row["NetAmount"]) for row in rows], percent, minor_units(currency))
