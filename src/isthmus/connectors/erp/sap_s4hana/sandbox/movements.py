"""Goods movements: whatever changes a stock is posted as a material document, read by API_MATERIAL_DOCUMENT_SRV.

Movement types as in every SAP system: 501 receipt without purchase order, 601 goods issue for a delivery and 602 its
reversal, 701 and 702 more or less found by counting. Documents are never changed.
"""

from __future__ import annotations

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import moment
from isthmus.connectors.erp.sap_s4hana.sandbox.system import USER, System, quantity_text

RECEIPT, ISSUE, ISSUE_REVERSED, FOUND, MISSED = "501", "601", "602", "701", "702"
#: movement type → (transaction type, code of the goods movement)
_KINDS = {RECEIPT: ("WA", "05"), ISSUE: ("WL", ""), ISSUE_REVERSED: ("WL", ""), FOUND: ("WI", ""), MISSED: ("WI", "")}


class Movements:
    """Posts material documents."""

    def __init__(self, system: System) -> None:
        self._system = system

    def post(self, kind: str, material: str, plant: str, quantity: int, order: tuple[str, str] = ("", "")) -> None:
        """Post a movement of so many thousandths of the base unit; ``order``: the sales order and its item."""
        system, today = self._system, self._system.today()
        about = system.row("A_ProductPlant", Product=material, Plant=plant) or {}
        unit, transaction = str(about.get("BaseUnit", "PC")), _KINDS[kind]
        key = {
            "MaterialDocumentYear": f"{moment(today):%Y}",
            "MaterialDocument": system.number("material_document", 4900000001),
        }
        header = {
            "InventoryTransactionType": transaction[0],
            "GoodsMovementCode": transaction[1],
            "DocumentDate": today,
            "PostingDate": today,
            "CreationDate": today,
            "CreationTime": system.time_of_day(),
            "CreatedByUser": USER,
        }
        system.insert("A_MaterialDocumentHeader", [key | header])
        item = {
            "MaterialDocumentItem": "1",
            "Material": material,
            "Plant": plant,
            "GoodsMovementType": kind,
            "SalesOrder": order[0],
            "SalesOrderItem": order[1],
            "EntryUnit": unit,
            "QuantityInEntryUnit": quantity_text(quantity),
            "MaterialBaseUnit": unit,
            "QuantityInBaseUnit": quantity_text(quantity),
        }
        system.insert("A_MaterialDocumentItem", [key | item])
