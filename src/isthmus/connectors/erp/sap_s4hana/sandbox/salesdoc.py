"""A sales document in memory: header and items checked, priced, taxed and scheduled, before anything is written.

Creating and simulating an order are the same up to here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.availability import Availability, Promise, Wish, schedule_rows
from isthmus.connectors.erp.sap_s4hana.sandbox.credit import Credit
from isthmus.connectors.erp.sap_s4hana.sandbox.customers import ORDER_TYPES, SoldTo, find_sold_to, function_code
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import Message, business_all
from isthmus.connectors.erp.sap_s4hana.sandbox.materials import Material, find_materials, unit_asked, unit_columns
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import (
    Line,
    ManualPrice,
    Setting,
    add_taxes,
    amount_text,
    price,
)
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, quantity_text, thousandths
from isthmus.sandkit.world import Row


@dataclass(slots=True)
class Item:
    """An item as a client sent it, and what became of it. ``values`` are the client's."""

    number: str
    values: Row
    line: Line
    wish: Wish
    promises: list[Promise] = field(default_factory=list)
    schedule: list[Row] = field(default_factory=list)

    def confirmed(self) -> str:
        """The confirmed quantity in the sales unit."""
        return quantity_text(sum(thousandths(row["ConfdOrderQtyByMatlAvailCheck"]) for row in self.schedule))


@dataclass(slots=True)
class SalesDocument:
    """Header values and items, with the sums of what was determined."""

    header: Row
    sold_to: SoldTo
    setting: Setting
    items: list[Item]
    net: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    credit_status: str = ""


class SalesDesk:
    """Determines everything about a sales document."""

    def __init__(self, system: System, availability: Availability, credit: Credit) -> None:
        self.system, self.availability, self.credit = system, availability, credit

    def document(self, header: Row, items: Sequence[Draft], partners: Sequence[Draft]) -> SalesDocument:
        """The document that these values make. Raises ODataError with all that speaks against it."""
        messages = _check_type(header)
        functions = {
            function_code(draft.values.get("PartnerFunction", "")): draft.values.get("Customer", "")
            for draft in partners
            if draft.values.get("Customer")
        }
        sold_to, found = find_sold_to(self.system, header, functions)
        messages += found
        if sold_to is None or messages:
            raise business_all(messages)
        setting = Setting(
            organization=header["SalesOrganization"],
            customer=sold_to.number,
            currency=header.get("TransactionCurrency") or sold_to.area["Currency"],
            date=header.get("PricingDate") or self.system.today(),
            tax=sold_to.tax,
        )
        document = SalesDocument(header, sold_to, setting, [])
        self.add_items(document, items, taken=())
        document.tax = add_taxes(setting, [item.line for item in document.items])
        document.net = sum((item.line.net for item in document.items), Decimal(0))
        document.credit_status = self.credit.check(sold_to.number, setting.currency, document.net + document.tax)
        return document

    def add_items(self, document: SalesDocument, drafts: Sequence[Draft], taken: Sequence[str]) -> None:
        """Add items that are checked, priced and scheduled. Raises ODataError with all that speaks against them."""
        header, setting = document.header, document.setting
        numbers = _numbers(drafts, taken)
        wanted = [draft.values.get("Material", "") for draft in drafts]
        materials = find_materials(self.system, wanted, setting.organization, header["DistributionChannel"])
        by = header.get("RequestedDeliveryDate") or self.system.today()
        messages: list[Message] = []
        items = []
        for number, draft in zip(numbers, drafts, strict=True):
            found = _check_item(document, number, draft.values, materials)
            if found:
                messages += found
                continue
            material = materials[draft.values["Material"]]
            line = _line(number, draft, material)
            quantity = thousandths(line.base_quantity) if material.delivered else 0
            plant = draft.values.get("ProductionPlant") or draft.values.get("Plant") or material.plant
            asked = draft.first("to_ScheduleLine")
            day = (asked.values.get("RequestedDeliveryDate") if asked else None) or by
            items.append(Item(number, draft.values, line, Wish(number, material.number, plant, quantity, day)))
        if not messages and items:
            messages = price(self.system, setting, [item.line for item in items])
        if messages:
            raise business_all(messages)
        self._schedule(items)
        document.items += items

    def _schedule(self, items: Sequence[Item]) -> None:
        promised = self.availability.check([item.wish for item in items if item.line.material.delivered])
        for item in items:
            item.promises = promised.get(item.number, [])
            schedule(item)


def schedule(item: Item) -> None:
    """Give an item its schedule lines, from what was promised; services are always confirmed."""
    line, wish = item.line, item.wish
    factor = int(line.material.units[line.unit] * 1000)
    promises = item.promises
    if not line.material.delivered:
        promises = [Promise(wish.item, wish.material, wish.plant, 0, thousandths(line.base_quantity), wish.by)]
    columns = unit_columns("OrderQuantity", line.unit)
    item.schedule = schedule_rows(wish, promises, factor, quantity_text(thousandths(line.quantity)), columns)


def _check_type(header: Row) -> list[Message]:
    kind = header.get("SalesOrderType", "")
    if kind not in ORDER_TYPES:
        text = f"Sales document type {kind} is not defined" if kind else "Enter a sales document type"
        return [Message("V1/301", text, target="SalesOrderType")]
    header["SalesOrderType"] = ORDER_TYPES[kind]
    return []


def _numbers(drafts: Sequence[Draft], taken: Sequence[str]) -> list[str]:
    """Item numbers: those given, and the next tens for the others. Raises ODataError for one that is taken."""
    used = {int(number) for number in taken}
    numbers = []
    for draft in drafts:
        given = str(draft.values.get("SalesOrderItem") or draft.values.get("CreditMemoRequestItem") or "0")
        number = int(given) if given.isdigit() else 0
        if number in used:
            raise business_all([Message("V1/486", f"Item {number:06d} already exists", target="SalesOrderItem")])
        number = number or (max(used, default=0) // 10 + 1) * 10
        used.add(number)
        numbers.append(str(number))
    return numbers


def _check_item(document: SalesDocument, number: str, values: Row, materials: Mapping[str, Material]) -> list[Message]:
    target, padded = f"to_Item('{number}')", number.zfill(6)
    name = values.get("Material", "")
    if not name:
        return [Message("V1/320", f"Enter a material for item {padded}", target=f"{target}/Material")]
    material = materials.get(name)
    if material is None:
        area = f"sales org.{document.setting.organization}, distr.chan.{document.header['DistributionChannel']}"
        text = f"Material {name} is not defined for {area}, language EN"
        return [Message("V1/302", text, target=f"{target}/Material")]
    unit = unit_asked(values, material.sales_unit)
    if unit not in material.units:
        text = f"Sales unit {unit} is not defined for item {padded}"
        return [Message("V1/384", text, target=f"{target}/RequestedQuantityUnit")]
    if Decimal(values.get("RequestedQuantity") or 0) <= 0:
        return [Message("V1/319", f"Enter a quantity for item {padded}", target=f"{target}/RequestedQuantity")]
    return []


def _line(number: str, draft: Draft, material: Material) -> Line:
    unit = unit_asked(draft.values, material.sales_unit)
    prices = [manual_price(one.values) for one in draft.nested("to_PricingElement") if one.values.get("ConditionType")]
    return Line(number, material, unit, Decimal(draft.values["RequestedQuantity"]), prices[0] if prices else None)


def manual_price(values: Mapping[str, Any]) -> ManualPrice:
    """A price element that somebody entered, as a manual price."""
    quantity = Decimal(values.get("ConditionQuantity") or 1)
    return ManualPrice(
        condition_type=values["ConditionType"],
        rate=Decimal(values.get("ConditionRateValue") or 0),
        currency=values.get("ConditionCurrency") or "",
        quantity=quantity or Decimal(1),
        unit=values.get("ConditionQuantityUnit") or "",
    )


def item_columns(document: SalesDocument, item: Item) -> Row:
    """The columns that an order's item and a simulated item share."""
    line, material, header = item.line, item.line.material, document.header
    currency = document.setting.currency
    net = amount_text(line.net, currency)
    return {
        "SalesOrderItem": item.number,
        "HigherLevelItem": "0",
        "SalesOrderItemCategory": material.item_category,
        "SalesOrderItemText": item.values.get("SalesOrderItemText") or material.text,
        "PurchaseOrderByCustomer": item.values.get("PurchaseOrderByCustomer")
        or header.get("PurchaseOrderByCustomer", ""),
        "Material": material.number,
        "MaterialGroup": material.group,
        "PricingDate": document.setting.date,
        "RequestedQuantity": quantity_text(thousandths(line.quantity)),
        **unit_columns("RequestedQuantity", line.unit),
        **unit_columns("OrderQuantity", line.unit),
        "ConfdDelivQtyInOrderQtyUnit": item.confirmed(),
        "TransactionCurrency": currency,
        "NetAmount": net,
        "TaxAmount": amount_text(line.tax, currency),
        "Subtotal1Amount": net,
        "CostAmount": amount_text(Decimal(0), currency),
        "ShippingPoint": item.wish.plant,
        "ProductTaxClassification1": "1",
        "IncotermsClassification": header.get("IncotermsClassification") or "",
        "CustomerPaymentTerms": header.get("CustomerPaymentTerms") or document.sold_to.area["CustomerPaymentTerms"],
    }
