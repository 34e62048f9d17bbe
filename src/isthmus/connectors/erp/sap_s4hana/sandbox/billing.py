"""The billing run: what is due becomes invoices and credit memos.

Due are delivery items whose goods have left, and service items once all goods of their order have left; and the
items of credit memo requests without a billing block that were not rejected.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from isthmus.connectors.erp.sap_s4hana.sandbox.billing_documents import Bill, BillingDocuments, BillItem
from isthmus.connectors.erp.sap_s4hana.sandbox.credit import Credit
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import scaled
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import amount_text, rounded
from isthmus.connectors.erp.sap_s4hana.sandbox.progress import delivered_quantities, open_value, renew
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, quantity_text, thousandths
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION, Tax
from isthmus.sandkit.world import Row

_PRICE_COLUMNS = (
    "PricingProcedureStep",
    "PricingProcedureCounter",
    "ConditionType",
    "ConditionCalculationType",
    "ConditionRateValue",
    "ConditionCurrency",
    "ConditionQuantity",
    "ConditionQuantityUnit",
    "ConditionClass",
    "ConditionIsManuallyChanged",
)


@dataclass(frozen=True, slots=True)
class Due:
    """A part of an order item that can be billed: the item, how much (thousandths), and what it refers to."""

    item: Row
    quantity: int
    reference: str
    reference_item: str
    category: str


class Billing:
    """Finds what is due and bills it."""

    def __init__(self, system: System, credit: Credit, documents: BillingDocuments) -> None:
        self._system, self._credit, self._documents = system, credit, documents

    def run(self) -> list[str]:
        """Bill all that is due; the numbers of what was made."""
        rows = self._system.world.rows(
            "SELECT DISTINCT i.ReferenceSDDocument AS due FROM A_OutbDeliveryItem i JOIN A_OutbDeliveryHeader h"
            " ON h.DeliveryDocument = i.DeliveryDocument WHERE h.OverallDelivReltdBillgStatus = 'A'"
            " AND h.OverallGoodsMovementStatus = 'C' UNION SELECT SalesOrder FROM A_SalesOrder"
            " WHERE OverallOrdReltdBillgStatus IN ('A', 'B') ORDER BY 1"
        )
        made = []
        for row in rows:
            header = self._order(row["due"])
            due = self._due(header)
            if due and not self._block(header):
                made.append(self._invoice(header, due))
        for request in self._system.rows("A_CreditMemoRequest", OverallOrdReltdBillgStatus="A"):
            if not self._request_block(request):
                made.append(self._credit_memo(request))
        return made

    def run_one(self, number: str) -> str:
        """Bill one order or credit memo request. Raises ODataError where it is blocked or nothing of it is due."""
        request = self._system.row("A_CreditMemoRequest", CreditMemoRequest=number)
        if request is not None:
            block = self._request_block(request)
            if block or request["OverallOrdReltdBillgStatus"] != "A":
                raise business("VF/045", f"Credit memo request {number} cannot be billed: {block or 'nothing is due'}")
            return self._credit_memo(request)
        header = self._order(number)
        block, due = self._block(header), self._due(header)
        if block:
            raise business("VF/045", f"Order {number} is blocked for billing: {block}")
        if not due:
            raise business("VF/017", f"Order {number}: nothing is due for billing (goods issue not posted?)")
        return self._invoice(header, due)

    def _order(self, number: str) -> Row:
        header = self._system.row("A_SalesOrder", SalesOrder=number)
        if header is None:
            raise no_entity("A_SalesOrderType")
        return header

    def _block(self, header: Row) -> str:
        customer = self._system.row("A_Customer", Customer=header["SoldToParty"]) or {}
        return str(header["HeaderBillingBlockReason"] or customer.get("BillingIsBlockedForCustomer", ""))

    def _due(self, header: Row) -> list[Due]:
        order = header["SalesOrder"]
        rows = self._system.rows("A_SalesOrderItem", SalesOrder=order, SalesDocumentRjcnReason="")
        living = {item["SalesOrderItem"]: item for item in rows}
        moved = self._system.rows(
            "A_OutbDeliveryItem", ReferenceSDDocument=order, GoodsMovementStatus="C", DeliveryRelatedBillingStatus="A"
        )
        due = [
            Due(
                living[row["ReferenceSDDocumentItem"]],
                thousandths(row["ActualDeliveryQuantity"]),
                row["DeliveryDocument"],
                row["DeliveryDocumentItem"],
                "J",
            )
            for row in moved
            if row["ReferenceSDDocumentItem"] in living
        ]
        issued = delivered_quantities(self._system, order, issued=True)
        goods = [item for item in rows if item["SalesOrderItemCategory"] == "TAN"]
        if all(issued.get(item["SalesOrderItem"], 0) >= thousandths(item["RequestedQuantity"]) for item in goods):
            due += [
                Due(item, thousandths(item["RequestedQuantity"]), order, number, "C")
                for number, item in living.items()
                if item["OrderRelatedBillingStatus"] == "A"
            ]
        return [one for one in due if not one.item["ItemBillingBlockReason"]]

    # Invoices -----------------------------------------------------------------------------------------------

    def _invoice(self, header: Row, due: Sequence[Due]) -> str:
        system, order, currency = self._system, header["SalesOrder"], header["TransactionCurrency"]
        kept = system.row("A_SalesOrderHeaderPrElement", SalesOrder=order, ConditionType=CONDITION)
        payer = system.row("A_SalesOrderHeaderPartner", SalesOrder=order, PartnerFunction="PY")
        assert kept is not None
        items = []
        for one in due:
            net = self._net(one, currency)
            items.append(BillItem(_invoice_columns(one), net, self._prices(one, net, currency)))
        tax = Tax(kept["TaxCode"], Decimal(kept["ConditionRateValue"]))
        paying = payer["Customer"] if payer else header["SoldToParty"]
        number = self._documents.write(Bill("F2", "M", header, paying, items, tax))
        for one in due:
            if one.category == "J":
                key = {"DeliveryDocument": one.reference, "DeliveryDocumentItem": one.reference_item}
                system.world.update("A_OutbDeliveryItem", {"DeliveryRelatedBillingStatus": "C"}, key)
        for delivery in {one.reference for one in due if one.category == "J"}:
            changes = {"OverallDelivReltdBillgStatus": "C", "OverallSDProcessStatus": "C"}
            system.world.update("A_OutbDeliveryHeader", changes, {"DeliveryDocument": delivery})
        follows = {
            "SalesOrder": order,
            "DocRelationshipUUID": str(uuid.uuid4()),
            "SubsequentDocument": number,
            "SubsequentDocumentCategory": "M",
            "CreationDate": system.today(),
        }
        system.insert("A_SalesOrderSubsqntProcFlow", [follows])
        renew(system, order)
        still = open_value(system, order)
        self._credit.note(f"order {order}", "orders", header["SoldToParty"], currency, still)
        return number

    def _net(self, due: Due, currency: str) -> Decimal:
        """The net amount of a part: its share, or for the last part what is left of the item."""
        ordered, net = thousandths(due.item["RequestedQuantity"]), Decimal(due.item["NetAmount"])
        rows = self._system.world.rows(
            "SELECT i.BillingQuantity, i.NetAmount FROM A_BillingDocumentItem i JOIN A_BillingDocument d"
            " ON d.BillingDocument = i.BillingDocument WHERE i.SalesDocument = ? AND i.SalesDocumentItem = ?"
            " AND d.SDDocumentCategory = 'M' AND d.BillingDocumentIsCancelled = 0",
            (due.item["SalesOrder"], due.item["SalesOrderItem"]),
        )
        before = sum(thousandths(row["BillingQuantity"]) for row in rows)
        if before + due.quantity >= ordered:
            return net - sum((Decimal(row["NetAmount"]) for row in rows), Decimal(0))
        return rounded(net * due.quantity / ordered, currency)

    def _prices(self, due: Due, net: Decimal, currency: str) -> list[Row]:
        active = self._system.rows(
            "A_SalesOrderItemPrElement",
            SalesOrder=due.item["SalesOrder"],
            SalesOrderItem=due.item["SalesOrderItem"],
            ConditionClass="B",
            ConditionInactiveReason="",
        )
        amounts = {
            "ConditionBaseValue": scaled(Decimal(due.quantity) / 1000, 9),
            "ConditionAmount": amount_text(net, currency),
            "TaxCode": "",
        }
        return [{**{name: row[name] for name in _PRICE_COLUMNS}, **amounts} for row in active]

    # Credit memos -------------------------------------------------------------------------------------------

    def _request_block(self, request: Row) -> str:
        if request["SalesDocApprovalStatus"] == "C":
            return "rejected"
        return str(request["HeaderBillingBlockReason"])

    def _credit_memo(self, request: Row) -> str:
        system, number = self._system, request["CreditMemoRequest"]
        key = {"CreditMemoRequest": number}
        items, tax = [], Tax("A0", Decimal(0))
        for row in system.rows("A_CreditMemoRequestItem", **key, SalesDocumentRjcnReason=""):
            conditions = system.rows(
                "A_CreditMemoReqItemPrcgElmnt", **key, CreditMemoRequestItem=row["CreditMemoRequestItem"]
            )
            taxed = next(one for one in conditions if one["ConditionType"] == CONDITION)
            tax = Tax(taxed["TaxCode"], Decimal(taxed["ConditionRateValue"]))
            names = {*_PRICE_COLUMNS, "ConditionBaseValue", "ConditionAmount", "TaxCode"}
            prices = [{name: one[name] for name in names} for one in conditions if one["ConditionClass"] == "B"]
            items.append(BillItem(_credit_columns(row, request), Decimal(row["NetAmount"]), prices))
        made = self._documents.write(Bill("G2", "O", request, request["SoldToParty"], items, tax))
        changes = {"OverallOrdReltdBillgStatus": "C", "OverallSDProcessStatus": "C"}
        system.update("A_CreditMemoRequest", request, {**changes, **system.touched(request["LastChangeDateTime"])})
        done = {"OrderRelatedBillingStatus": "C", "SDProcessStatus": "C"}
        system.world.update("A_CreditMemoRequestItem", done, {**key, "SalesDocumentRjcnReason": ""})
        return made


def _invoice_columns(due: Due) -> Row:
    item, quantity = due.item, quantity_text(due.quantity)
    return {
        "SalesDocumentItemCategory": item["SalesOrderItemCategory"],
        "Material": item["Material"],
        "MaterialGroup": item["MaterialGroup"],
        "Plant": item["ProductionPlant"],
        "BillingDocumentItemText": item["SalesOrderItemText"],
        "BillingQuantity": quantity,
        "BillingQuantityUnit": item["OrderQuantityUnit"],
        "BillingQuantityInBaseUnit": quantity,
        "BaseUnit": item["OrderQuantityUnit"],
        "PricingDate": item["PricingDate"],
        "ReferenceSDDocument": due.reference,
        "ReferenceSDDocumentItem": due.reference_item,
        "ReferenceSDDocumentCategory": due.category,
        "SalesDocument": item["SalesOrder"],
        "SalesDocumentItem": item["SalesOrderItem"],
        "SalesSDDocumentCategory": "C",
    }


def _credit_columns(item: Row, request: Row) -> Row:
    return {
        "SalesDocumentItemCategory": item["CreditMemoRequestItemCategory"],
        "Material": item["Material"],
        "MaterialGroup": item["MaterialGroup"],
        "Plant": item["Plant"],
        "BillingDocumentItemText": item["CreditMemoRequestItemText"],
        "BillingQuantity": item["RequestedQuantity"],
        "BillingQuantityUnit": item["RequestedQuantityUnit"],
        "BillingQuantityInBaseUnit": item["RequestedQuantity"],
        "BaseUnit": item["RequestedQuantityUnit"],
        "PricingDate": item["PricingDate"],
        "ReferenceSDDocument": item["CreditMemoRequest"],
        "ReferenceSDDocumentItem": item["CreditMemoRequestItem"],
        "ReferenceSDDocumentCategory": "K",
        "SalesDocument": item["CreditMemoRequest"],
        "SalesDocumentItem": item["CreditMemoRequestItem"],
        "SalesSDDocumentCategory": "K",
        "SDDocumentReason": request["SDDocumentReason"],
    }
