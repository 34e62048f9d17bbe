"""Outbound deliveries (API_OUTBOUND_DELIVERY_SRV): made from an order's confirmed stock, picked, issued, proved.

Goods issue takes the goods out of stock and makes the delivery due for billing. Function imports and their results
after SAP's interface description; proof of delivery is posted in SAP only.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.availability import STOCK
from isthmus.connectors.erp.sap_s4hana.sandbox.credit import EXCEEDED
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.materials import Material, find_materials
from isthmus.connectors.erp.sap_s4hana.sandbox.orders import Orders
from isthmus.connectors.erp.sap_s4hana.sandbox.progress import delivered_quantities, renew
from isthmus.connectors.erp.sap_s4hana.sandbox.system import USER, quantity_text, thousandths
from isthmus.sandkit.world import Row

FIRST_DELIVERY = 80000001


class Deliveries:
    """Makes deliveries and moves goods."""

    def __init__(self, orders: Orders) -> None:
        self._orders, self._system = orders, orders.system
        self._availability = orders.desk.availability

    def create(self, draft: Draft) -> Row:
        """Make a delivery for the order items that the nested items refer to."""
        items = draft.nested("to_DeliveryDocumentItem")
        orders = {item.values.get("ReferenceSDDocument", "") for item in items}
        if len(orders) != 1 or "" in orders:
            raise business("VL/250", "Enter the items of one sales order as reference", "to_DeliveryDocumentItem")
        wanted = {
            item.values.get("ReferenceSDDocumentItem", ""): thousandths(item.values.get("ActualDeliveryQuantity", "0"))
            for item in items
        }
        return self.deliver(orders.pop(), wanted)

    def deliver(self, order: str, wanted: Mapping[str, int] | None = None) -> Row:
        """Make a delivery for an order: for all that is confirmed from stock, or for some quantities by item (in
        thousandths of the sales unit; 0 is all). Raises ODataError where nothing can be delivered."""
        header = self._orders.header(order)
        self._check(header)
        open_quantities = self._deliverable(header)
        if wanted is not None:
            for item, quantity in wanted.items():
                if quantity > open_quantities.get(item, 0) or item not in open_quantities:
                    text = f"Item {item.zfill(6)} of order {order}: only {quantity_text(open_quantities.get(item, 0))} open"
                    raise business("VL/363", text)
            open_quantities = {item: wanted[item] or open_quantities[item] for item in wanted}
        if not any(open_quantities.values()):
            raise business("VL/367", f"No delivery created: order {order} has no confirmed quantity to deliver")
        return self._write(header, {item: quantity for item, quantity in open_quantities.items() if quantity})

    def _check(self, header: Row) -> None:
        order = header["SalesOrder"]
        if header["TotalCreditCheckStatus"] == EXCEEDED:
            raise business("VU/010", f"Order {order} is blocked by the credit check: release it first")
        if header["SalesDocApprovalStatus"] in ("A", "C"):
            raise business("VL/461", f"Order {order} is not approved")
        area = self._system.row(
            "A_CustomerSalesArea", Customer=header["SoldToParty"], SalesOrganization=header["SalesOrganization"]
        )
        block = header["DeliveryBlockReason"] or (area or {}).get("DeliveryIsBlockedForCustomer")
        if block:
            raise business("VL/046", f"Order {order} is blocked for delivery: {block}")

    def _deliverable(self, header: Row) -> dict[str, int]:
        """By item, what lies reserved in stock and is in no delivery yet, in thousandths of the sales unit."""
        order = header["SalesOrder"]
        rows = self._system.world.rows(
            "SELECT item, quantity FROM _reservation WHERE sales_order = ? AND receipt = ?", (order, STOCK)
        )
        reserved = {row["item"]: int(row["quantity"]) for row in rows}
        delivered = delivered_quantities(self._system, order)
        issued = delivered_quantities(self._system, order, issued=True)
        found = {}
        for item in self._system.rows("A_SalesOrderItem", SalesOrder=order, SalesDocumentRjcnReason=""):
            number = item["SalesOrderItem"]
            if number in reserved:
                factor = self._material(header, item).units[item["OrderQuantityUnit"]]
                in_sales_unit = int(reserved[number] / factor)
                found[number] = in_sales_unit - (delivered.get(number, 0) - issued.get(number, 0))
        return found

    def _material(self, header: Row, item: Row) -> Material:
        area = (header["SalesOrganization"], header["DistributionChannel"])
        return find_materials(self._system, [item["Material"]], *area)[item["Material"]]

    def _write(self, header: Row, quantities: Mapping[str, int]) -> Row:
        system, order, today = self._system, header["SalesOrder"], self._system.today()
        delivery = system.number("delivery", FIRST_DELIVERY)
        partners = {
            row["PartnerFunction"]: row["Customer"]
            for row in system.rows("A_SalesOrderHeaderPartner", SalesOrder=order)
        }
        items = []
        for number, quantity in quantities.items():
            item = system.row("A_SalesOrderItem", SalesOrder=order, SalesOrderItem=number)
            assert item is not None
            items.append(self._item(header, item, delivery, quantity))
        plant = items[0]["Plant"]
        row = {
            "DeliveryDocument": delivery,
            "DeliveryDocumentType": "LF",
            "SDDocumentCategory": "J",
            "CreationDate": today,
            "CreationTime": system.time_of_day(),
            "CreatedByUser": USER,
            "DocumentDate": today,
            "DeliveryDate": max(today, header["RequestedDeliveryDate"] or today),
            "PlannedGoodsIssueDate": today,
            "SalesOrganization": header["SalesOrganization"],
            "ShippingPoint": plant,
            "SoldToParty": header["SoldToParty"],
            "ShipToParty": partners.get("SH", header["SoldToParty"]),
            "ShippingCondition": header["ShippingCondition"],
            "TransactionCurrency": header["TransactionCurrency"],
            "OverallSDProcessStatus": "A",
            "OverallPickingStatus": "A",
            "OverallGoodsMovementStatus": "A",
            "OverallDelivReltdBillgStatus": "A",
            "OverallProofOfDeliveryStatus": "A",
        }
        system.insert("A_OutbDeliveryHeader", [row])
        system.insert("A_OutbDeliveryItem", items)
        system.insert(
            "A_OutbDeliveryPartner",
            [
                {"SDDocument": delivery, "PartnerFunction": name, "Customer": number}
                for name, number in partners.items()
            ],
        )
        self._follow(order, delivery)
        renew(system, order)
        return self.header(delivery)

    def _item(self, header: Row, item: Row, delivery: str, quantity: int) -> Row:
        material = self._material(header, item)
        text, base = quantity_text(quantity), int(quantity * material.units[item["OrderQuantityUnit"]])
        return {
            "DeliveryDocument": delivery,
            "DeliveryDocumentItem": item["SalesOrderItem"],
            "DeliveryDocumentItemCategory": item["SalesOrderItemCategory"],
            "DeliveryDocumentItemText": item["SalesOrderItemText"],
            "SDDocumentCategory": "J",
            "ActualDeliveryQuantity": text,
            "OriginalDeliveryQuantity": text,
            "ActualDeliveredQtyInBaseUnit": quantity_text(base),
            "DeliveryQuantityUnit": item["OrderQuantityUnit"],
            "BaseUnit": material.base_unit,
            "Material": item["Material"],
            "MaterialGroup": item["MaterialGroup"],
            "Plant": item["ProductionPlant"],
            "CreationDate": self._system.today(),
            "CreatedByUser": USER,
            "ReferenceSDDocument": item["SalesOrder"],
            "ReferenceSDDocumentItem": item["SalesOrderItem"],
            "ReferenceSDDocumentCategory": "C",
            "DistributionChannel": header["DistributionChannel"],
            "Division": header["OrganizationDivision"],
            "PickingStatus": "A",
            "GoodsMovementStatus": "A",
            "GoodsMovementType": "601",
            "DeliveryRelatedBillingStatus": "A",
            "ProofOfDeliveryStatus": "A",
            "SDProcessStatus": "A",
        }

    def _follow(self, order: str, delivery: str) -> None:
        follows = {
            "SalesOrder": order,
            "DocRelationshipUUID": str(uuid.uuid4()),
            "SubsequentDocument": delivery,
            "SubsequentDocumentCategory": "J",
            "CreationDate": self._system.today(),
        }
        self._system.insert("A_SalesOrderSubsqntProcFlow", [follows])

    def header(self, delivery: str) -> Row:
        """A delivery's row. Raises ODataError (404) where there is none."""
        row = self._system.row("A_OutbDeliveryHeader", DeliveryDocument=delivery)
        if row is None:
            raise no_entity("A_OutbDeliveryHeaderType")
        return row

    def update(self, row: Row, changes: Row) -> None:
        """Change header columns of a delivery."""
        self._mark(row, changes)

    def _mark(self, row: Row, changes: Mapping[str, Any]) -> None:
        marks = {"LastChangeDate": self._system.today(), "LastChangedByUser": USER}
        self._system.update("A_OutbDeliveryHeader", row, {**changes, **marks})

    def delete(self, row: Row) -> None:
        """Delete a delivery whose goods have not left."""
        delivery = row["DeliveryDocument"]
        if row["OverallGoodsMovementStatus"] == "C":
            raise business("VL/602", f"Delivery {delivery} cannot be deleted: goods issue has been posted")
        orders = {item["ReferenceSDDocument"] for item in self._items(delivery)}
        self._system.delete("A_OutbDeliveryHeader", DeliveryDocument=delivery)
        self._system.delete("A_OutbDeliveryItem", DeliveryDocument=delivery)
        self._system.delete("A_OutbDeliveryPartner", SDDocument=delivery)
        self._system.delete("A_SalesOrderSubsqntProcFlow", SubsequentDocument=delivery)
        for order in orders:
            renew(self._system, order)

    def _items(self, delivery: str) -> list[Row]:
        return self._system.rows("A_OutbDeliveryItem", DeliveryDocument=delivery)

    # Function imports -------------------------------------------------------------------------------------

    def pick(self, asked: Mapping[str, Any]) -> list[Row]:
        """Pick all items."""
        row = self.header(asked["DeliveryDocument"])
        self._mark(row, {"OverallPickingStatus": "C", "OverallPickingConfStatus": "C"})
        where = {"DeliveryDocument": row["DeliveryDocument"]}
        self._system.world.update("A_OutbDeliveryItem", {"PickingStatus": "C"}, where)
        return [_report("VLPS", "001", item) for item in self._items(row["DeliveryDocument"])]

    def hand_over(self, delivery: str, carrier: str | None, tracking: str | None) -> None:
        """Note who carries a delivery, as its forwarding agent, and under which number, as its bill of lading."""
        if tracking:
            self._mark(self.header(delivery), {"BillOfLading": tracking})
        if carrier:
            partner = {"SDDocument": delivery, "PartnerFunction": "SP", "Supplier": carrier}
            self._system.delete("A_OutbDeliveryPartner", SDDocument=delivery, PartnerFunction="SP")
            self._system.insert("A_OutbDeliveryPartner", [partner])

    def goods_issue(self, asked: Mapping[str, Any]) -> list[Row]:
        """Post the goods issue of a delivery. Raises ODataError where it was posted or the stock is too low."""
        row = self.header(asked["DeliveryDocument"])
        delivery = row["DeliveryDocument"]
        if row["OverallGoodsMovementStatus"] == "C":
            raise business("VL/609", f"Goods issue has already been posted for delivery {delivery}")
        self.pick(asked)
        items = self._items(delivery)
        for item in items:
            base = thousandths(item["ActualDeliveredQtyInBaseUnit"])
            order, number = item["ReferenceSDDocument"], item["ReferenceSDDocumentItem"]
            self._availability.issue(order, number, item["Material"], item["Plant"], base)
            self._count_schedule(order, number, thousandths(item["ActualDeliveryQuantity"]))
        self._moved(row, "C", self._system.today())
        return [_report("VL", "311", item) for item in items]

    def reverse(self, asked: Mapping[str, Any]) -> list[Row]:
        """Reverse the goods issue of a delivery that is not billed."""
        row = self.header(asked["DeliveryDocument"])
        delivery = row["DeliveryDocument"]
        if row["OverallGoodsMovementStatus"] != "C":
            raise business("VL/604", f"No goods issue has been posted for delivery {delivery}")
        if row["OverallDelivReltdBillgStatus"] == "C":
            raise business("VL/605", f"Delivery {delivery} has been billed: cancel the invoice first")
        for item in self._items(delivery):
            base = thousandths(item["ActualDeliveredQtyInBaseUnit"])
            order, number = item["ReferenceSDDocument"], item["ReferenceSDDocumentItem"]
            self._availability.put_back(order, number, item["Material"], item["Plant"], base)
            self._count_schedule(order, number, -thousandths(item["ActualDeliveryQuantity"]))
        self._moved(row, "A", None)
        return [{"DeliveryDocument": delivery, "SystemMessageType": "S", "SystemMessageIdentification": "VL"}]

    def prove(self, delivery: str) -> Row:
        """Confirm that the customer has the goods."""
        row = self.header(delivery)
        if row["OverallGoodsMovementStatus"] != "C":
            raise business("VLPOD/010", f"No goods issue has been posted for delivery {delivery}")
        self._mark(row, {"OverallProofOfDeliveryStatus": "C", "ProofOfDeliveryDate": self._system.today()})
        where = {"DeliveryDocument": delivery}
        self._system.world.update("A_OutbDeliveryItem", {"ProofOfDeliveryStatus": "C"}, where)
        return self.header(delivery)

    def _moved(self, row: Row, status: str, day: int | None) -> None:
        delivery = row["DeliveryDocument"]
        time = self._system.time_of_day() if day else None
        self._mark(
            row,
            {
                "OverallGoodsMovementStatus": status,
                "OverallSDProcessStatus": "B" if status == "C" else "A",
                "ActualGoodsMovementDate": day,
                "ActualGoodsMovementTime": time,
            },
        )
        changes = {"GoodsMovementStatus": status, "SDProcessStatus": "B" if status == "C" else "A"}
        self._system.world.update("A_OutbDeliveryItem", changes, {"DeliveryDocument": delivery})
        for order in {item["ReferenceSDDocument"] for item in self._items(delivery)}:
            renew(self._system, order)

    def _count_schedule(self, order: str, item: str, quantity: int) -> None:
        """Move a quantity between open and delivered on the item's schedule lines."""
        for line in self._system.rows("A_SalesOrderScheduleLine", SalesOrder=order, SalesOrderItem=item):
            opened, delivered = (
                thousandths(line[name]) for name in ("OpenConfdDelivQtyInOrdQtyUnit", "DeliveredQtyInOrderQtyUnit")
            )
            moved = min(quantity, opened) if quantity > 0 else -min(-quantity, delivered)
            quantity -= moved
            changes = {
                "OpenConfdDelivQtyInOrdQtyUnit": quantity_text(opened - moved),
                "DeliveredQtyInOrderQtyUnit": quantity_text(delivered + moved),
            }
            self._system.update("A_SalesOrderScheduleLine", line, changes)


def _report(kind: str, number: str, item: Row) -> Row:
    return {
        "SystemMessageIdentification": kind,
        "SystemMessageNumber": number,
        "SystemMessageType": "S",
        "SystemMessageVariable1": item["DeliveryDocument"],
        "DeliveryQuantityUnit": item["DeliveryQuantityUnit"],
        "ActualDeliveryQuantity": item["ActualDeliveryQuantity"],
        "DeliveryDocumentItemText": item["DeliveryDocumentItemText"],
        "Material": item["Material"],
        "DeliveryDocumentItem": item["DeliveryDocumentItem"],
        "DeliveryDocument": item["DeliveryDocument"],
    }
