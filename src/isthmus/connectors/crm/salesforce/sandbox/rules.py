"""What each standard object does by itself when a row of it is saved: derived fields, refusals, roll-ups.

Sources: vendor's Object Reference, the pages of Opportunity (Amount, StageName), OpportunityLineItem, Order, Contract,
PricebookEntry, Case.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from isthmus.connectors.crm.salesforce.sandbox import lines
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.values import plain
from isthmus.sandkit.world import Row

if TYPE_CHECKING:
    from isthmus.connectors.crm.salesforce.sandbox.rows import Rows

#: stage → probability in percent, forecast category, its name
STAGES = {
    "Prospecting": ("10", "Pipeline", "Pipeline"),
    "Qualification": ("10", "Pipeline", "Pipeline"),
    "Needs Analysis": ("20", "Pipeline", "Pipeline"),
    "Value Proposition": ("50", "Pipeline", "Pipeline"),
    "Proposal/Price Quote": ("75", "Pipeline", "Pipeline"),
    "Negotiation/Review": ("90", "Pipeline", "Pipeline"),
    "Closed Won": ("100", "Closed", "Closed"),
    "Closed Lost": ("0", "Omitted", "Omitted"),
}
_CONTRACT_CODES = {"Draft": "Draft", "In Approval Process": "InApproval", "Activated": "Activated"}


def before(rows: Rows, object_name: str, old: Row | None, new: Row, given: Row) -> None:
    """Complete and check a row before it is written; ``given`` is what the caller named."""
    rule = _BEFORE.get(object_name)
    if rule is not None:
        rule(rows, old, new, given)


def after(rows: Rows, object_name: str, old: Row | None, new: Row | None) -> None:
    """What other rows do once a row was made (no ``old``), changed or deleted (no ``new``)."""
    if object_name in lines.PARENTS:
        lines.roll_up(rows, object_name, new or old or {})
    elif object_name == "Product2" and old is not None and new is not None:
        _copy_product(rows, old, new)


def _opportunity(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    stage = new["StageName"]
    if stage is not None and (old is None or old["StageName"] != stage):
        probability, new["ForecastCategory"], name = STAGES[stage]
        new["IsClosed"], new["IsWon"] = int(stage.startswith("Closed")), int(stage == "Closed Won")
        if "Probability" not in given:
            new["Probability"] = probability
        if "ForecastCategoryName" not in given:
            new["ForecastCategoryName"] = name
        if old is not None:
            new["LastStageChangeDate"] = rows.now()
    by_roll_up = "HasOpportunityLineItem" in given
    if old is not None and old["HasOpportunityLineItem"] and not by_roll_up:
        # with products, a caller's Amount is ignored, not refused
        new["Amount"], new["TotalOpportunityQuantity"] = old["Amount"], old["TotalOpportunityQuantity"]
    if new["Amount"] is not None and new["Probability"] is not None:
        share = Decimal(new["Amount"]) * Decimal(new["Probability"]) / 100
        new["ExpectedRevenue"] = plain(share.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _order(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    if old is None:
        new["TotalAmount"] = "0"
    new["StatusCode"] = new["Status"]
    becomes_active = new["Status"] == "Activated" and (old is None or old["Status"] != "Activated")
    if becomes_active:
        count = 0 if old is None else lines.count(rows, "OrderItem", old["Id"])
        if not count:
            raise VendorError("FAILED_ACTIVATION", "An order must have at least one product.", [])
        new["ActivatedDate"], new["ActivatedById"] = rows.now(), rows.user
    elif new["Status"] != "Activated":
        new["ActivatedDate"] = new["ActivatedById"] = None


def _quote(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    opportunity = rows.find("Opportunity", new["OpportunityId"])
    if old is None and opportunity is not None:
        new["AccountId"], new["CurrencyIsoCode"] = opportunity["AccountId"], opportunity["CurrencyIsoCode"]
        new["Pricebook2Id"] = new["Pricebook2Id"] or opportunity["Pricebook2Id"]
        new["Subtotal"] = new["TotalPrice"] = "0"
    new["GrandTotal"] = plain(Decimal(new["TotalPrice"] or 0) + Decimal(new["Tax"] or 0))


def _contract(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    if old is None and new["Status"] != "Draft":
        message = "Choose a valid contract status and save your changes. Ask your admin for details."
        raise VendorError("INVALID_STATUS", message, ["Status"])
    new["StatusCode"] = _CONTRACT_CODES.get(new["Status"], "Draft")
    if new["Status"] == "Activated" and old is not None and old["Status"] != "Activated":
        new["ActivatedDate"] = rows.now()
    if new["StartDate"] and new["ContractTerm"]:
        start = date.fromisoformat(new["StartDate"])
        year, month = divmod(start.year * 12 + start.month - 1 + int(new["ContractTerm"]), 12)
        new["EndDate"] = (date(year, month + 1, min(start.day, 28)) - timedelta(days=1)).isoformat()


def _case(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    closed = new["Status"] == "Closed"
    if closed and not new["IsClosed"]:
        new["ClosedDate"] = rows.now()
    elif not closed:
        new["ClosedDate"] = None
    new["IsClosed"] = int(closed)
    if new["AccountId"] is None and (contact := rows.find("Contact", new["ContactId"])):
        new["AccountId"] = contact["AccountId"]


def _entitlement(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    today = rows.today()
    if new["EndDate"] and new["EndDate"] < today:
        new["Status"] = "Expired"
    else:
        new["Status"] = "Inactive" if new["StartDate"] and new["StartDate"] > today else "Active"


def _person(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    new["Name"] = " ".join(part for part in (new["FirstName"], new["LastName"]) if part) or None


def _task(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    new["IsClosed"] = int(new["Status"] == "Completed")


def _pricebook_entry(rows: Rows, old: Row | None, new: Row, given: Row) -> None:
    product, book = rows.find("Product2", new["Product2Id"]), rows.find("Pricebook2", new["Pricebook2Id"])
    if old is not None or product is None or book is None:
        return
    new["Name"], new["ProductCode"] = product["Name"], product["ProductCode"]
    if lines.entry(rows, book["Id"], product["Id"], new["CurrencyIsoCode"]):
        message = "This price definition already exists in this price book"
        raise VendorError("DUPLICATE_VALUE", message, [])
    if not book["IsStandard"]:
        standard = rows.world.value('SELECT "Id" FROM "Pricebook2" WHERE "IsStandard" = 1')
        price = lines.entry(rows, standard, product["Id"], new["CurrencyIsoCode"])
        if price is None:
            message = "Before creating a custom price, create a standard price."
            raise VendorError("STANDARD_PRICE_NOT_DEFINED", message, [])
        if new["UseStandardPrice"]:
            new["UnitPrice"] = price["UnitPrice"]


def _copy_product(rows: Rows, old: Row, new: Row) -> None:
    if (old["Name"], old["ProductCode"]) == (new["Name"], new["ProductCode"]):
        return
    rows.world.update(
        "PricebookEntry", {"Name": new["Name"], "ProductCode": new["ProductCode"]}, {"Product2Id": new["Id"]}
    )
    rows.world.update("OpportunityLineItem", {"ProductCode": new["ProductCode"]}, {"Product2Id": new["Id"]})


_BEFORE: dict[str, Callable[[Rows, Row | None, Row, Row], None]] = {
    "Opportunity": _opportunity,
    "Order": _order,
    "Quote": _quote,
    "Contract": _contract,
    "Case": _case,
    "Entitlement": _entitlement,
    "Contact": _person,
    "Task": _task,
    "PricebookEntry": _pricebook_entry,
    **dict.fromkeys(lines.PARENTS, lines.before),
}
