"""Sales orders (API_SALES_ORDER_SRV): create with deep insert, change, reject, delete.

Creating an order reserves stock. An item with deliveries cannot be deleted; a reason for rejection cancels what is
open of it. Every change moves the order's LastChangeDateTime, and with it the order's ETag.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.customers import SoldTo, find_sold_to
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, business_all, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import amount_text, header_tax
from isthmus.connectors.erp.sap_s4hana.sandbox.progress import delivered_quantities
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import Node
from isthmus.connectors.erp.sap_s4hana.sandbox.salesdoc import Item, SalesDesk, SalesDocument, item_columns
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.world import Row

FIRST_ORDER = 4500001


class Orders:
    """Creates and deletes orders, and reads what changing them needs."""

    def __init__(self, system: System, desk: SalesDesk) -> None:
        self.system, self.desk = system, desk

    def create(self, draft: Draft) -> Node:
        """Create an order with everything nested in it; the order as a tree. Raises ODataError where SAP refuses."""
        if draft.nested("to_PricingElement"):
            raise business("V1/217", "Header conditions cannot be entered manually", "to_PricingElement")
        document = self.desk.document(dict(draft.values), draft.nested("to_Item"), draft.nested("to_Partner"))
        order = self.system.number("sales_order", FIRST_ORDER)
        row = self._header(order, document)
        tax = {"SalesOrder": order, **header_tax(document.setting, document.net, document.tax)}
        node = self._written("A_SalesOrder", [row])[0]
        node.children = {
            "to_Partner": self._write_partners(order, document),
            "to_Text": self._write_texts("A_SalesOrderText", {"SalesOrder": order}, draft.nested("to_Text")),
            "to_Item": self.write_items(order, document, draft.nested("to_Item")),
            "to_PricingElement": self._written("A_SalesOrderHeaderPrElement", [tax]),
        }
        self._note_credit(document, order)
        return node

    def _written(self, entity: str, rows: Sequence[Row]) -> list[Node]:
        """Write rows; the nodes that reading them back would give."""
        self.system.insert(entity, rows)
        found = self.system.entity(entity)
        return [Node(found, {**found.initial, **row}) for row in rows]

    def _header(self, order: str, document: SalesDocument) -> Row:
        area, setting, today = document.sold_to.area, document.setting, self.system.today()
        goods = any(item.line.material.delivered for item in document.items)
        services = any(not item.line.material.delivered for item in document.items)
        given = {name: value for name, value in document.header.items() if value not in (None, "")}
        return {
            "SalesOrderDate": today,
            "RequestedDeliveryDate": today,
            "PricingDate": setting.date,
            "PriceDetnExchangeRate": "1.00000",
            "IncotermsClassification": area["IncotermsClassification"],
            "IncotermsLocation1": area["IncotermsLocation1"],
            "ShippingCondition": area["ShippingCondition"],
            "CustomerPriceGroup": area["CustomerPriceGroup"],
            "CustomerPaymentTerms": area["CustomerPaymentTerms"],
            "CustomerGroup": area["CustomerGroup"],
            "CustomerAccountAssignmentGroup": area["CustomerAccountAssignmentGroup"],
            "TaxDepartureCountry": document.sold_to.organization["country"],
            **given,
            **self.system.created(),
            "SalesOrder": order,
            "SoldToParty": setting.customer,
            "TransactionCurrency": setting.currency,
            "TotalNetAmount": amount_text(document.net, setting.currency),
            "OverallSDProcessStatus": "A",
            "OverallDeliveryStatus": "A" if goods else "",
            "OverallTotalDeliveryStatus": "A" if goods else "",
            "OverallOrdReltdBillgStatus": "A" if services else "",
            "OverallSDDocumentRejectionSts": "A",
            "TotalCreditCheckStatus": document.credit_status,
        }

    def _write_partners(self, order: str, document: SalesDocument) -> list[Node]:
        numbers = list(dict.fromkeys(document.sold_to.partners.values()))
        marks = ", ".join("?" * len(numbers))
        sql = f"SELECT BusinessPartner, AddressID FROM A_BusinessPartnerAddress WHERE BusinessPartner IN ({marks})"  # noqa: S608
        addresses = {row["BusinessPartner"]: row["AddressID"] for row in self.system.world.rows(sql, numbers)}
        rows = [
            {
                "SalesOrder": order,
                "PartnerFunction": function,
                "Customer": number,
                "AddressID": addresses.get(number, ""),
            }
            for function, number in sorted(document.sold_to.partners.items())
        ]
        return self._written("A_SalesOrderHeaderPartner", rows)

    def _write_texts(self, entity: str, key: Mapping[str, str], drafts: Sequence[Draft]) -> list[Node]:
        texts = [{"Language": "EN", **draft.values, **key} for draft in drafts]
        if any(not text.get("LongTextID") for text in texts):
            raise business("TD/600", "Enter a text ID", "to_Text")
        return self._written(entity, texts)

    def write_items(self, order: str, document: SalesDocument, drafts: Sequence[Draft]) -> list[Node]:
        """Write items with their prices, schedule lines and texts, and reserve what was promised for them."""
        items = self._written("A_SalesOrderItem", [self._item(order, document, item) for item in document.items])
        prices = [{"SalesOrder": order, **row} for item in document.items for row in item.line.conditions]
        lines = [{"SalesOrder": order, **row} for item in document.items for row in item.schedule]
        priced = _by_item(self._written("A_SalesOrderItemPrElement", prices))
        scheduled = _by_item(self._written("A_SalesOrderScheduleLine", lines))
        self.desk.availability.reserve(order, [promise for item in document.items for promise in item.promises])
        for node, item, draft in zip(items, document.items, drafts, strict=True):
            key = {"SalesOrder": order, "SalesOrderItem": item.number}
            node.children = {
                "to_PricingElement": priced[item.number],
                "to_ScheduleLine": scheduled[item.number],
                "to_Text": self._write_texts("A_SalesOrderItemText", key, draft.nested("to_Text")),
            }
        return items

    def _item(self, order: str, document: SalesDocument, item: Item) -> Row:
        goods = item.line.material.delivered
        known = item_columns(document, item)
        given = {name: value for name, value in item.values.items() if value not in (None, "")}
        return {
            **given,
            **known,
            "SalesOrder": order,
            "ProductionPlant": item.wish.plant,
            "DeliveryStatus": "A" if goods else "",
            "OrderRelatedBillingStatus": "" if goods else "A",
            "SDProcessStatus": "A",
        }

    def _note_credit(self, document: SalesDocument, order: str) -> None:
        setting = document.setting
        amount = document.net + document.tax
        self.desk.credit.note(f"order {order}", "orders", setting.customer, setting.currency, amount)

    # Reading back ---------------------------------------------------------------------------------------

    def header(self, order: str) -> Row:
        """An order's row. Raises ODataError (404) where there is none."""
        row = self.system.row("A_SalesOrder", SalesOrder=order)
        if row is None:
            raise no_entity("A_SalesOrderType")
        return row

    def sold_to(self, header: Row) -> SoldTo:
        """The customer of an order as it is today. Raises ODataError where the customer is blocked by now."""
        rows = self.system.rows("A_SalesOrderHeaderPartner", SalesOrder=header["SalesOrder"])
        partners = {row["PartnerFunction"]: row["Customer"] for row in rows}
        found, messages = find_sold_to(self.system, header, partners)
        if found is None or messages:
            raise business_all(messages)
        return found

    # Deleting -------------------------------------------------------------------------------------------

    def delete(self, row: Row) -> None:
        """Delete an order that nothing follows."""
        order = row["SalesOrder"]
        if delivered_quantities(self.system, order) or self._billed(order):
            raise business("V1/497", f"Sales document {order} cannot be deleted: subsequent documents exist")
        for item in self.system.rows("A_SalesOrderItem", SalesOrder=order):
            self.desk.availability.release(order, item["SalesOrderItem"])
        for entity in self.system.dictionary.services["API_SALES_ORDER_SRV"].entities:
            self.system.delete(entity, SalesOrder=order)
        self.desk.credit.note(f"order {order}", "orders", row["SoldToParty"], row["TransactionCurrency"], Decimal(0))

    def _billed(self, order: str) -> bool:
        sql = "SELECT 1 AS found FROM A_BillingDocumentItem WHERE SalesDocument = ?"
        return self.system.world.value(sql, (order,)) is not None

    # Function imports -----------------------------------------------------------------------------------

    def release_approval(self, asked: Mapping[str, Any]) -> list[Row]:
        """Release an order that waits for approval."""
        return self._decide(asked["SalesOrder"], "B")

    def reject_approval(self, asked: Mapping[str, Any]) -> list[Row]:
        """Reject an order that waits for approval."""
        return self._decide(asked["SalesOrder"], "C")

    def _decide(self, order: str, status: str) -> list[Row]:
        header = self.header(order)
        if header["SalesDocApprovalStatus"] != "A":
            raise business("APM_SD/010", f"Sales order {order} is not in the approval process", "SalesOrder")
        changes = {"SalesDocApprovalStatus": status, **self.system.touched(header["LastChangeDateTime"])}
        self.system.update("A_SalesOrder", header, changes)
        return [{"Boolean": 1}]


def _by_item(nodes: Sequence[Node]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        found[node.row["SalesOrderItem"]].append(node)
    return found
