"""How far an order has come: statuses of items and header after deliveries, billing and rejections.

Values as in SAP: A not yet, B partly, C completely, blank where it does not apply.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import amount_text
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, thousandths
from isthmus.sandkit.world import Row


def delivered_quantities(system: System, order: str, *, issued: bool = False) -> dict[str, int]:
    """By item, the quantity in deliveries, in thousandths; with ``issued`` only what has left the house."""
    rows = system.world.rows(
        "SELECT ReferenceSDDocumentItem AS item, ActualDeliveryQuantity AS quantity, GoodsMovementStatus AS moved"
        " FROM A_OutbDeliveryItem WHERE ReferenceSDDocument = ?",
        (order,),
    )
    found: dict[str, int] = {}
    for row in rows:
        if not issued or row["moved"] == "C":
            found[row["item"]] = found.get(row["item"], 0) + thousandths(row["quantity"])
    return found


def billed_quantities(system: System, order: str) -> dict[str, int]:
    """By item, the quantity in invoices that were not cancelled, in thousandths."""
    rows = system.world.rows(
        "SELECT i.SalesDocumentItem AS item, i.BillingQuantity AS quantity FROM A_BillingDocumentItem i"
        " JOIN A_BillingDocument d ON d.BillingDocument = i.BillingDocument"
        " WHERE i.SalesDocument = ? AND d.SDDocumentCategory = 'M' AND d.BillingDocumentIsCancelled = 0",
        (order,),
    )
    found: dict[str, int] = {}
    for row in rows:
        found[row["item"]] = found.get(row["item"], 0) + thousandths(row["quantity"])
    return found


def overall(statuses: Iterable[str]) -> str:
    """The status of the whole from the statuses of its parts."""
    known = {status for status in statuses if status}
    if not known:
        return ""
    return known.pop() if len(known) == 1 else "B"


def _share(part: int, whole: int) -> str:
    return "C" if part >= whole else "B" if part else "A"


def renew(system: System, order: str) -> None:
    """Work out an order's statuses and total anew, and mark it as changed."""
    header = system.row("A_SalesOrder", SalesOrder=order)
    assert header is not None
    delivered, billed = delivered_quantities(system, order), billed_quantities(system, order)
    items = system.rows("A_SalesOrderItem", SalesOrder=order)
    for item in items:
        changes = _item_statuses(item, delivered, billed)
        if any(item[name] != value for name, value in changes.items()):
            system.update("A_SalesOrderItem", item, changes)
            item.update(changes)
    living = [item for item in items if not item["SalesDocumentRjcnReason"]]
    rejected = len(items) - len(living)
    total = sum((Decimal(item["NetAmount"]) for item in living), Decimal(0))
    delivery = overall(item["DeliveryStatus"] for item in living)
    system.update(
        "A_SalesOrder",
        header,
        {
            "TotalNetAmount": amount_text(total, header["TransactionCurrency"]),
            "OverallSDProcessStatus": overall(item["SDProcessStatus"] for item in items) or "A",
            "OverallDeliveryStatus": delivery,
            "OverallTotalDeliveryStatus": delivery,
            "OverallOrdReltdBillgStatus": overall(item["OrderRelatedBillingStatus"] for item in living),
            "OverallSDDocumentRejectionSts": "A" if not rejected else "B" if living else "C",
            **system.touched(header["LastChangeDateTime"]),
        },
    )


def _item_statuses(item: Row, delivered: dict[str, int], billed: dict[str, int]) -> Row:
    number, ordered = item["SalesOrderItem"], thousandths(item["RequestedQuantity"])
    goods = item["SalesOrderItemCategory"] == "TAN"
    delivery = _share(delivered.get(number, 0), ordered) if goods else ""
    billing = "" if goods else _share(billed.get(number, 0), ordered)
    if item["SalesDocumentRjcnReason"]:
        return {"DeliveryStatus": delivery, "OrderRelatedBillingStatus": billing, "SDProcessStatus": "C"}
    return {
        "DeliveryStatus": delivery,
        "OrderRelatedBillingStatus": billing,
        "SDProcessStatus": delivery if goods else billing,
    }


def open_value(system: System, order: str) -> Decimal:
    """What an order still has to be billed, with tax: its living items less its living invoices."""
    items = system.rows("A_SalesOrderItem", SalesOrder=order, SalesDocumentRjcnReason="")
    ordered = sum((Decimal(item["NetAmount"]) + Decimal(item["TaxAmount"]) for item in items), Decimal(0))
    billed = system.world.rows(
        "SELECT i.NetAmount, i.TaxAmount FROM A_BillingDocumentItem i"
        " JOIN A_BillingDocument d ON d.BillingDocument = i.BillingDocument"
        " WHERE i.SalesDocument = ? AND d.SDDocumentCategory = 'M' AND d.BillingDocumentIsCancelled = 0",
        (order,),
    )
    done = sum((Decimal(row["NetAmount"]) + Decimal(row["TaxAmount"]) for row in billed), Decimal(0))
    return max(ordered - done, Decimal(0))
