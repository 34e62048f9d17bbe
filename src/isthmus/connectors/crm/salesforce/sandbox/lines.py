"""Lines with products: of opportunities, orders and quotes. Their prices, and the totals that their parents hold.

Sources: vendor's Object Reference, OpportunityLineItem (UnitPrice or TotalPrice, not both), OrderItem, QuoteLineItem.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.values import plain
from isthmus.sandkit.company import MINOR_UNITS
from isthmus.sandkit.world import Row, quoted

if TYPE_CHECKING:
    from isthmus.connectors.crm.salesforce.sandbox.rows import Rows

#: line object → its parent object and the field that refers to it
PARENTS = {
    "OpportunityLineItem": ("Opportunity", "OpportunityId"),
    "OrderItem": ("Order", "OrderId"),
    "QuoteLineItem": ("Quote", "QuoteId"),
}


def before(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    """Complete a line from its price book entry and compute its prices."""
    object_name = next(name for name, (_, reference) in PARENTS.items() if reference in new)
    parent_name, reference = PARENTS[object_name]
    parent = rows.find(parent_name, new[reference])
    if parent is None:
        return
    if parent_name == "Order" and parent["Status"] == "Activated":
        message = "unable to modify order products of an activated order"
        raise VendorError("FIELD_INTEGRITY_EXCEPTION", message, [])
    if old is None or old["PricebookEntryId"] != new["PricebookEntryId"]:
        _from_entry(rows, parent_name, parent, new)
    _price(old, new, given)


def roll_up(rows: Rows, object_name: str, line: Row) -> None:
    """Give the parent of a line the totals of its living lines."""
    parent_name, reference = PARENTS[object_name]
    parent = rows.find(parent_name, line[reference])
    if parent is None:
        return
    found = rows.world.rows(
        f'SELECT "Quantity", "TotalPrice" FROM {quoted(object_name)} WHERE {quoted(reference)} = ? AND "IsDeleted" = 0',
        (parent["Id"],),
    )
    total = plain(sum((Decimal(row["TotalPrice"]) for row in found), Decimal(0)))
    if parent_name == "Opportunity":
        quantity = plain(sum((Decimal(row["Quantity"]) for row in found), Decimal(0)))
        changes = {"HasOpportunityLineItem": int(bool(found)), "Pricebook2Id": parent["Pricebook2Id"]}
        if found:
            # removing the last product leaves the last amount standing
            changes |= {"Amount": total, "TotalOpportunityQuantity": quantity}
            changes["Pricebook2Id"] = parent["Pricebook2Id"] or _book_of(rows, line)
    elif parent_name == "Order":
        changes = {"TotalAmount": total, "Pricebook2Id": parent["Pricebook2Id"] or _book_of(rows, line)}
    else:
        changes = {
            "Subtotal": total,
            "TotalPrice": total,
            "Pricebook2Id": parent["Pricebook2Id"] or _book_of(rows, line),
        }
    rows.touch(parent_name, parent["Id"], **changes)


def count(rows: Rows, object_name: str, parent_id: str) -> int:
    """How many living lines a parent has."""
    reference = quoted(PARENTS[object_name][1])
    sql = f'SELECT count(*) FROM {quoted(object_name)} WHERE {reference} = ? AND "IsDeleted" = 0'
    return int(rows.world.value(sql, (parent_id,)))


def entry(rows: Rows, book_id: str | None, product_id: str, currency: str) -> Row | None:
    """The living entry of a product in a price book and a currency."""
    return rows.world.row(
        'SELECT * FROM "PricebookEntry" WHERE "Product2Id" = ? AND "Pricebook2Id" = ? AND "CurrencyIsoCode" = ? '
        'AND "IsDeleted" = 0',
        (product_id, book_id, currency),
    )


def _book_of(rows: Rows, line: Row) -> str | None:
    found = rows.find("PricebookEntry", line["PricebookEntryId"])
    return None if found is None else str(found["Pricebook2Id"])


def _from_entry(rows: Rows, parent_name: str, parent: Row, new: Row) -> None:
    currency = parent["CurrencyIsoCode"]
    found = rows.find("PricebookEntry", new["PricebookEntryId"])
    if new["PricebookEntryId"] is None and new["Product2Id"] is not None:
        book = parent["Pricebook2Id"] or rows.world.value('SELECT "Id" FROM "Pricebook2" WHERE "IsStandard" = 1')
        found = entry(rows, book, new["Product2Id"], currency)
        if found is None:
            message = "No standard price defined for this product"
            raise VendorError("STANDARD_PRICE_NOT_DEFINED", message, [])
    if found is None:
        if new["PricebookEntryId"] is None:
            message = "Required fields are missing: [PricebookEntryId]"
            raise VendorError("REQUIRED_FIELD_MISSING", message, ["PricebookEntryId"])
        return  # the check of references says what is wrong
    if found["CurrencyIsoCode"] != currency:
        raise _unfit(f"pricebook entry currency {found['CurrencyIsoCode']} differs from the currency {currency}")
    if parent["Pricebook2Id"] not in (None, found["Pricebook2Id"]):
        raise _unfit(f"pricebook entry is in a different pricebook than the one assigned to the {parent_name.lower()}")
    product = rows.find("Product2", found["Product2Id"]) or {"Name": None, "ProductCode": None}
    derived = {
        "PricebookEntryId": found["Id"],
        "Product2Id": found["Product2Id"],
        "ListPrice": found["UnitPrice"],
        "CurrencyIsoCode": currency,
        "ProductCode": product["ProductCode"],
        "Name": f"{parent['Name']} {product['Name']}",
    }
    new.update((name, value) for name, value in derived.items() if name in new)


def _price(old: Row | None, new: Row, given: Row) -> None:
    if new["Quantity"] is None or new["CurrencyIsoCode"] is None:
        return  # the check of required fields says what is wrong
    quantity = Decimal(new["Quantity"])
    if not quantity:
        raise VendorError("FIELD_INTEGRITY_EXCEPTION", "Quantity: must be nonzero", ["Quantity"])
    if given.get("UnitPrice") is not None and given.get("TotalPrice") is not None:
        message = "specify either UnitPrice or TotalPrice, not both"
        raise VendorError("FIELD_INTEGRITY_EXCEPTION", message, ["UnitPrice", "TotalPrice"])
    step = Decimal(1).scaleb(-MINOR_UNITS[new["CurrencyIsoCode"]])
    kept = 1 - Decimal(new.get("Discount") or 0) / 100
    if given.get("TotalPrice") is not None and kept:
        new["UnitPrice"] = plain((Decimal(new["TotalPrice"]) / quantity / kept).quantize(step, ROUND_HALF_UP))
    elif new["UnitPrice"] is None:
        message = "Required fields are missing: [UnitPrice]"
        raise VendorError("REQUIRED_FIELD_MISSING", message, ["UnitPrice"])
    subtotal = quantity * Decimal(new["UnitPrice"])
    if "Subtotal" in new:
        new["Subtotal"] = plain(subtotal.quantize(step, ROUND_HALF_UP))
    if old is None or given.get("TotalPrice") is None:
        new["TotalPrice"] = plain((subtotal * kept).quantize(step, ROUND_HALF_UP))


def _unfit(why: str) -> VendorError:
    message = f"field integrity exception: PricebookEntryId ({why})"
    return VendorError("FIELD_INTEGRITY_EXCEPTION", message, ["PricebookEntryId"])
