"""Changes to sales orders: header, items, partners, texts and prices, with everything counted anew.

A changed quantity or price is priced again; taxes are spread anew over the living items; what is rejected gives
its stock back. A blocked customer's order can be changed, but gets no new items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.availability import Wish
from isthmus.connectors.erp.sap_s4hana.sandbox.customers import function_code
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, business_all, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.materials import Material, find_materials, unit_asked, unit_columns
from isthmus.connectors.erp.sap_s4hana.sandbox.orders import Orders
from isthmus.connectors.erp.sap_s4hana.sandbox.pricing import Line, Setting, add_taxes, amount_text, header_tax, price
from isthmus.connectors.erp.sap_s4hana.sandbox.progress import (
    billed_quantities,
    delivered_quantities,
    open_value,
    renew,
)
from isthmus.connectors.erp.sap_s4hana.sandbox.salesdoc import Item, SalesDocument, manual_price, schedule
from isthmus.connectors.erp.sap_s4hana.sandbox.system import quantity_text, thousandths
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION, Tax
from isthmus.sandkit.world import Row


class OrderChanges:
    """What can be done to an order that exists."""

    def __init__(self, orders: Orders) -> None:
        self._orders, self._system, self._desk = orders, orders.system, orders.desk

    # Header and its simple parts --------------------------------------------------------------------------

    def update_header(self, row: Row, changes: Row) -> None:
        """Change header columns."""
        self._system.update("A_SalesOrder", row, {**changes, **self._system.touched(row["LastChangeDateTime"])})

    def create_part(self, entity: str) -> Callable[[Draft], Row]:
        """The function that adds a partner or a text to an order."""

        def create(draft: Draft) -> Row:
            header = self._orders.header(draft.values.get("SalesOrder", ""))
            values = {"SalesOrder": header["SalesOrder"], **draft.values}
            if "PartnerFunction" in values:
                values["PartnerFunction"] = function_code(values["PartnerFunction"])
            key = {prop.name: values.get(prop.name, "") for prop in draft.entity.keys}
            if not all(key.values()):
                raise business("V1/479", f"Enter all keys of {draft.entity.type_name}")
            if self._system.row(entity, **key) is not None:
                raise business("V1/480", f"{draft.entity.type_name} exists already in order {header['SalesOrder']}")
            self._system.insert(entity, [values])
            self._touch(header)
            made = self._system.row(entity, **key)
            assert made is not None
            return made

        return create

    def update_part(self, entity: str) -> Callable[[Row, Row], None]:
        """The function that changes a partner or a text of an order."""

        def update(row: Row, changes: Row) -> None:
            self._system.update(entity, row, changes)
            self._touch(self._orders.header(row["SalesOrder"]))

        return update

    def delete_part(self, entity: str) -> Callable[[Row], None]:
        """The function that deletes a partner or a text of an order."""

        def delete(row: Row) -> None:
            if row.get("PartnerFunction") == "SP":
                raise business("VP/147", "The sold-to party cannot be deleted")
            self._system.delete(entity, **{prop.name: row[prop.name] for prop in self._system.entity(entity).keys})
            self._touch(self._orders.header(row["SalesOrder"]))

        return delete

    def _touch(self, header: Row) -> None:
        self._system.update("A_SalesOrder", header, self._system.touched(header["LastChangeDateTime"]))

    # Items ------------------------------------------------------------------------------------------------

    def create_item(self, draft: Draft) -> Row:
        """Add an item to an order."""
        header = self._orders.header(draft.values.get("SalesOrder", ""))
        order, setting = header["SalesOrder"], self._setting(header)
        taken = [row["SalesOrderItem"] for row in self._system.rows("A_SalesOrderItem", SalesOrder=order)]
        document = SalesDocument(header, self._orders.sold_to(header), setting, [])
        self._desk.add_items(document, [draft], taken)
        add_taxes(setting, [item.line for item in document.items])
        self._orders.write_items(order, document, [draft])
        self._recount(header)
        made = self._system.row("A_SalesOrderItem", SalesOrder=order, SalesOrderItem=document.items[0].number)
        assert made is not None
        return made

    def update_item(self, row: Row, changes: Row) -> None:
        """Change an item: quantity, unit, rejection, or what has no consequences."""
        header = self._orders.header(row["SalesOrder"])
        units = ("RequestedQuantityUnit", "RequestedQuantitySAPUnit", "RequestedQuantityISOUnit")
        asked = {name: changes.pop(name) for name in units if name in changes}
        new = {**row, **changes}
        quantity_changed = new["RequestedQuantity"] != row["RequestedQuantity"] or any(
            value and value != row[name] for name, value in asked.items()
        )
        rejection_changed = bool(new["SalesDocumentRjcnReason"]) != bool(row["SalesDocumentRjcnReason"])
        self._system.update("A_SalesOrderItem", row, changes)
        if quantity_changed:
            self._change_quantity(header, row, new, asked)
        if quantity_changed or rejection_changed:
            self._promise_again(header, new, header["RequestedDeliveryDate"] or self._system.today())
            self._recount(header)
        else:
            self._touch(header)

    def delete_item(self, row: Row) -> None:
        """Delete an item that nothing follows."""
        order, item = row["SalesOrder"], row["SalesOrderItem"]
        if delivered_quantities(self._system, order).get(item) or billed_quantities(self._system, order).get(item):
            raise business("V1/497", f"Item {item.zfill(6)} cannot be deleted: subsequent documents exist")
        self._desk.availability.release(order, item)
        for entity in ("A_SalesOrderItemPrElement", "A_SalesOrderScheduleLine", "A_SalesOrderItemText"):
            self._system.delete(entity, SalesOrder=order, SalesOrderItem=item)
        self._system.delete("A_SalesOrderItem", SalesOrder=order, SalesOrderItem=item)
        self._recount(self._orders.header(order))

    def _change_quantity(self, header: Row, row: Row, new: Row, asked: Row) -> None:
        order, item, padded = row["SalesOrder"], row["SalesOrderItem"], row["SalesOrderItem"].zfill(6)
        wanted, material = thousandths(new["RequestedQuantity"]), self._material(header, row)
        if wanted <= 0:
            raise business("V1/319", f"Enter a quantity for item {padded}", "RequestedQuantity")
        done = max(
            delivered_quantities(self._system, order).get(item, 0), billed_quantities(self._system, order).get(item, 0)
        )
        if wanted < done:
            text = (
                f"Item {padded}: quantity {new['RequestedQuantity']} is less than the delivered {quantity_text(done)}"
            )
            raise business("V1/372", text, "RequestedQuantity")
        unit = unit_asked(asked, row["RequestedQuantityUnit"])
        if unit not in material.units:
            raise business("V1/384", f"Sales unit {unit} is not defined for item {padded}", "RequestedQuantityUnit")
        columns = {**unit_columns("RequestedQuantity", unit), **unit_columns("OrderQuantity", unit)}
        new.update(columns)
        self._system.update("A_SalesOrderItem", row, columns)
        self._reprice(header, new, material)

    def _material(self, header: Row, item: Row) -> Material:
        found = find_materials(
            self._system, [item["Material"]], header["SalesOrganization"], header["DistributionChannel"]
        )
        if item["Material"] not in found:
            area = f"sales org.{header['SalesOrganization']}, distr.chan.{header['DistributionChannel']}"
            raise business("V1/302", f"Material {item['Material']} is not defined for {area}, language EN", "Material")
        return found[item["Material"]]

    # Prices -----------------------------------------------------------------------------------------------

    def create_price(self, draft: Draft) -> Row:
        """Enter a manual price for an item."""
        order, number = draft.values.get("SalesOrder", ""), draft.values.get("SalesOrderItem", "")
        item = self._system.row("A_SalesOrderItem", SalesOrder=order, SalesOrderItem=number)
        if item is None:
            raise no_entity("A_SalesOrderItemType")
        header = self._orders.header(order)
        self._reprice(header, item, self._material(header, item), draft.values)
        self._recount(header)
        return next(row for row in self._manual_rows(item))

    def update_price(self, row: Row, changes: Row) -> None:
        """Change the rate of a price condition; a determined price becomes a manual one."""
        if row["ConditionClass"] != "B":
            raise business("V1/217", f"Condition {row['ConditionType']} cannot be changed manually", "ConditionType")
        item = self._system.row("A_SalesOrderItem", SalesOrder=row["SalesOrder"], SalesOrderItem=row["SalesOrderItem"])
        header = self._orders.header(row["SalesOrder"])
        assert item is not None
        self._reprice(header, item, self._material(header, item), {**row, **changes})
        self._recount(header)

    def delete_price(self, row: Row) -> None:
        """Take a manual price back; the determined one counts again."""
        if not row["ConditionIsManuallyChanged"]:
            raise business("V1/217", f"Condition {row['ConditionType']} cannot be deleted manually", "ConditionType")
        item = self._system.row("A_SalesOrderItem", SalesOrder=row["SalesOrder"], SalesOrderItem=row["SalesOrderItem"])
        header = self._orders.header(row["SalesOrder"])
        assert item is not None
        self._reprice(header, item, self._material(header, item), {})
        self._recount(header)

    def _manual_rows(self, item: Row) -> list[Row]:
        return self._system.rows(
            "A_SalesOrderItemPrElement",
            SalesOrder=item["SalesOrder"],
            SalesOrderItem=item["SalesOrderItem"],
            ConditionIsManuallyChanged=1,
        )

    def _reprice(self, header: Row, item: Row, material: Material, manual: Mapping[str, Any] | None = None) -> None:
        """Price one item anew; ``manual`` is a price that was entered, {} takes one back, None keeps it."""
        setting = self._setting(header)
        if manual is None:
            manual = next(iter(self._manual_rows(item)), {})
        entered = manual_price(manual) if manual.get("ConditionType") else None
        quantity = Decimal(item["RequestedQuantity"])
        line = Line(item["SalesOrderItem"], material, item["RequestedQuantityUnit"], quantity, entered)
        messages = price(self._system, setting, [line])
        if messages:
            raise business_all(messages)
        key = {"SalesOrder": item["SalesOrder"], "SalesOrderItem": item["SalesOrderItem"]}
        add_taxes(setting, [line])
        self._system.delete("A_SalesOrderItemPrElement", **key)
        self._system.insert("A_SalesOrderItemPrElement", [{**key, **row} for row in line.conditions])
        net = amount_text(line.net, setting.currency)
        self._system.update("A_SalesOrderItem", item, {"NetAmount": net, "Subtotal1Amount": net})

    # Counting anew ----------------------------------------------------------------------------------------

    def _setting(self, header: Row) -> Setting:
        kept = self._system.row("A_SalesOrderHeaderPrElement", SalesOrder=header["SalesOrder"], ConditionType=CONDITION)
        assert kept is not None
        tax = Tax(kept["TaxCode"], Decimal(kept["ConditionRateValue"]))
        date = header["PricingDate"] or self._system.today()
        return Setting(header["SalesOrganization"], header["SoldToParty"], header["TransactionCurrency"], date, tax)

    def promise_item(self, item: Row) -> None:
        """Check an item's availability anew and renew the order, as SAP's rescheduling does."""
        header = self._orders.header(item["SalesOrder"])
        self._promise_again(header, item, header["RequestedDeliveryDate"] or self._system.today())
        self._touch(header)

    def _promise_again(self, header: Row, item: Row, by: int) -> None:
        """Check an item's availability anew: what was reserved is given back first."""
        order, number = item["SalesOrder"], item["SalesOrderItem"]
        material = self._material(header, item)
        self._desk.availability.release(order, number)
        key = {"SalesOrder": order, "SalesOrderItem": number}
        self._system.delete("A_SalesOrderScheduleLine", **key)
        issued = delivered_quantities(self._system, order, issued=True).get(number, 0)
        line = Line(number, material, item["RequestedQuantityUnit"], Decimal(item["RequestedQuantity"]))
        factor = material.units[line.unit]
        gone = int(issued * factor)
        open_quantity = 0 if item["SalesDocumentRjcnReason"] else thousandths(line.base_quantity) - gone
        wish = Wish(number, material.number, item["ProductionPlant"], open_quantity, by)
        remade = Item(number, item, line, wish)
        if material.delivered and open_quantity:
            remade.promises = self._desk.availability.check([wish])[number]
            self._desk.availability.reserve(order, remade.promises)
        schedule(remade)
        if issued:
            first = remade.schedule[0]
            confirmed = quantity_text(thousandths(first["ConfdOrderQtyByMatlAvailCheck"]) + issued)
            first.update(ConfdOrderQtyByMatlAvailCheck=confirmed, DeliveredQtyInOrderQtyUnit=quantity_text(issued))
        self._system.insert("A_SalesOrderScheduleLine", [{**key, **row} for row in remade.schedule])
        self._system.update("A_SalesOrderItem", item, {"ConfdDelivQtyInOrderQtyUnit": remade.confirmed()})

    def _recount(self, header: Row) -> None:
        """Spread the tax anew over the living items, and renew totals, statuses and credit."""
        order, setting = header["SalesOrder"], self._setting(header)
        items = self._system.rows("A_SalesOrderItem", SalesOrder=order)
        living = [item for item in items if not item["SalesDocumentRjcnReason"]]
        lines = [_bare_line(item) for item in living]
        tax, net = add_taxes(setting, lines), sum((line.net for line in lines), Decimal(0))
        zero = amount_text(Decimal(0), setting.currency)
        taxed = {line.number: line for line in lines}
        for item in items:
            line = taxed.get(item["SalesOrderItem"])
            amount = amount_text(line.tax, setting.currency) if line else zero
            if item["TaxAmount"] != amount:
                self._system.update("A_SalesOrderItem", item, {"TaxAmount": amount})
            where = {"SalesOrder": order, "SalesOrderItem": item["SalesOrderItem"], "ConditionType": CONDITION}
            self._system.world.update("A_SalesOrderItemPrElement", {"ConditionAmount": amount}, where)
        where = {"SalesOrder": order, "ConditionType": CONDITION}
        self._system.world.update("A_SalesOrderHeaderPrElement", header_tax(setting, net, tax), where)
        renew(self._system, order)
        still = open_value(self._system, order)
        self._desk.credit.note(f"order {order}", "orders", setting.customer, setting.currency, still)


def _bare_line(item: Row) -> Line:
    """A line that only knows its net amount, for spreading taxes."""
    nothing = Material(item["Material"], "", "", "", "", "", "", {})
    line = Line(item["SalesOrderItem"], nothing, "", Decimal(0))
    line.net = Decimal(item["NetAmount"])
    return line
