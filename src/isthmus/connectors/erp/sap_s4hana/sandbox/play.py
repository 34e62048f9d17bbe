"""What people do in SAP: receive stock, deliver, issue goods, bill, block and release, change prices, post payments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.credit import EXCEEDED, RELEASED
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import DAY_MS
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import ODataError
from isthmus.connectors.erp.sap_s4hana.sandbox.operations import Applications
from isthmus.connectors.erp.sap_s4hana.sandbox.seed import make_materials
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, thousandths
from isthmus.sandkit.standin import Verb
from isthmus.sandkit.world import Row

Arguments = Mapping[str, str]
Act = Callable[[Arguments], Mapping[str, Any]]


def number_of(text: str, name: str) -> Decimal:
    """A decimal argument; raises ValueError that names it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name}={text!r}: expected a number such as 12.50") from None


class Play:
    """The verbs of one system."""

    def __init__(self, system: System, apps: Applications) -> None:
        self._system, self._apps = system, apps

    def verbs(self) -> dict[str, Verb]:
        """Everything that people can do, by name."""
        described: tuple[tuple[Act, str, tuple[str, ...]], ...] = (
            (self.receive_stock, "Goods arrive in a plant; open orders for them are confirmed",
             ("material", "quantity", "plant?")),
            (self.plan_receipt, "Plan goods to arrive in some days", ("material", "quantity", "in_days", "plant?")),
            (self.deliver, "Make an outbound delivery of what is confirmed", ("order", "item?", "quantity?")),
            (self.goods_issue, "Post the goods issue of a delivery, or of all open deliveries of an order",
             ("delivery?", "order?", "carrier?", "tracking?")),
            (self.reverse_goods_issue, "Reverse the goods issue of a delivery", ("delivery",)),
            (self.prove_delivery, "The customer has confirmed the goods of a delivery", ("delivery",)),
            (self.billing_run, "Bill all that is due, or one order or credit memo request", ("order?", "request?")),
            (self.cancel_invoice, "Cancel an invoice or credit memo", ("invoice",)),
            (self.clear_invoice, "Post the payment of an invoice", ("invoice",)),
            (self.block_customer, "Block a customer for new orders", ("customer", "block?")),
            (self.unblock_customer, "Take a customer's order block away", ("customer",)),
            (self.release_credit, "Release an order that the credit check has blocked", ("order",)),
            (self.extend_material, "Make a material saleable in the sales areas (new ones too)",
             ("material", "sales_organization?")),
            (self.change_price, "Change a list price or a customer's own price",
             ("material", "price", "currency", "customer?", "sales_organization?")),
        )  # fmt: skip
        return {act.__name__: Verb(summary, arguments, _plainly(act)) for act, summary, arguments in described}

    # Stock -------------------------------------------------------------------------------------------------

    def receive_stock(self, given: Arguments) -> Mapping[str, Any]:
        material, quantity = given["material"], thousandths(number_of(given["quantity"], "quantity"))
        plants = self._plants(material, given.get("plant"))
        for plant in plants:
            self._apps.availability.receive(material, plant, quantity)
            self._reschedule(material, plant)
        return {"material": material, "plants": plants, "received": given["quantity"]}

    def plan_receipt(self, given: Arguments) -> Mapping[str, Any]:
        material, quantity = given["material"], thousandths(number_of(given["quantity"], "quantity"))
        due = self._system.today() + int(given.get("in_days", "7")) * DAY_MS
        plants = self._plants(material, given.get("plant"))
        for plant in plants:
            self._apps.availability.plan(material, plant, quantity, due)
            self._reschedule(material, plant)
        return {
            "material": material,
            "plants": plants,
            "planned": given["quantity"],
            "in_days": given.get("in_days", "7"),
        }

    def _plants(self, material: str, plant: str | None) -> list[str]:
        rows = self._system.rows("A_ProductPlant", Product=material)
        plants = [row["Plant"] for row in rows if plant in (None, row["Plant"])]
        if not plants:
            raise ValueError(f"material {material!r} is not kept in {f'plant {plant!r}' if plant else 'any plant'}")
        return plants

    def _reschedule(self, material: str, plant: str) -> None:
        """Confirm what open order items still lack, in the order in which they were created."""
        items = self._system.world.rows(
            "SELECT * FROM A_SalesOrderItem WHERE Material = ? AND ProductionPlant = ? AND SalesDocumentRjcnReason = ''"
            " AND ConfdDelivQtyInOrderQtyUnit <> RequestedQuantity ORDER BY SalesOrder, length(SalesOrderItem), SalesOrderItem",
            (material, plant),
        )
        for item in items:
            self._apps.order_changes.promise_item(item)

    # Orders and deliveries -----------------------------------------------------------------------------------

    def deliver(self, given: Arguments) -> Mapping[str, Any]:
        wanted = None
        if given.get("item"):
            wanted = {given["item"]: thousandths(number_of(given.get("quantity", "0"), "quantity"))}
        row = self._apps.deliveries.deliver(given["order"], wanted)
        return {"delivery": row["DeliveryDocument"], "order": given["order"]}

    def goods_issue(self, given: Arguments) -> Mapping[str, Any]:
        if given.get("delivery"):
            deliveries = [given["delivery"]]
        elif given.get("order"):
            rows = self._system.rows("A_OutbDeliveryItem", ReferenceSDDocument=given["order"], GoodsMovementStatus="A")
            deliveries = sorted({row["DeliveryDocument"] for row in rows})
        else:
            raise ValueError("goods_issue needs delivery=… or order=…")
        if not deliveries:
            raise ValueError(f"order {given.get('order')} has no open delivery")
        for delivery in deliveries:
            self._apps.deliveries.hand_over(delivery, given.get("carrier"), given.get("tracking"))
            self._apps.deliveries.goods_issue({"DeliveryDocument": delivery})
        return {"deliveries": deliveries}

    def reverse_goods_issue(self, given: Arguments) -> Mapping[str, Any]:
        self._apps.deliveries.reverse({"DeliveryDocument": given["delivery"]})
        return {"delivery": given["delivery"]}

    def prove_delivery(self, given: Arguments) -> Mapping[str, Any]:
        row = self._apps.deliveries.prove(given["delivery"])
        return {"delivery": given["delivery"], "status": row["OverallProofOfDeliveryStatus"]}

    def release_credit(self, given: Arguments) -> Mapping[str, Any]:
        header = self._apps.orders.header(given["order"])
        if header["TotalCreditCheckStatus"] != EXCEEDED:
            raise ValueError(f"order {given['order']} is not blocked by the credit check")
        self._apps.order_changes.update_header(header, {"TotalCreditCheckStatus": RELEASED})
        return {"order": given["order"], "credit": RELEASED}

    # Billing -------------------------------------------------------------------------------------------------

    def billing_run(self, given: Arguments) -> Mapping[str, Any]:
        one = given.get("order") or given.get("request")
        made = [self._apps.billing.run_one(one)] if one else self._apps.billing.run()
        return {"billing_documents": made}

    def cancel_invoice(self, given: Arguments) -> Mapping[str, Any]:
        result = self._apps.documents.cancel({"BillingDocument": given["invoice"]})[0]
        return {"invoice": given["invoice"], "cancellation": result["CancellationBillingDocument"]}

    def clear_invoice(self, given: Arguments) -> Mapping[str, Any]:
        row = self._apps.documents.clear(given["invoice"])
        return {"invoice": given["invoice"], "clearing": row["InvoiceClearingStatus"]}

    # Masters -------------------------------------------------------------------------------------------------

    def block_customer(self, given: Arguments) -> Mapping[str, Any]:
        return set_order_block(self._system, given["customer"], given.get("block", "01"))

    def unblock_customer(self, given: Arguments) -> Mapping[str, Any]:
        return set_order_block(self._system, given["customer"], "")

    def extend_material(self, given: Arguments) -> Mapping[str, Any]:
        material, world = given["material"], self._system.world
        areas = [
            (row["sales_organization"], row["plant"])
            for row in world.rows("SELECT * FROM _organization ORDER BY sales_organization")
            if given.get("sales_organization") in (None, row["sales_organization"])
        ]
        unborn = world.value("SELECT facts FROM _unborn_product WHERE material = ?", (material,))
        if self._system.row("A_Product", Product=material) is None:
            if unborn is None:
                raise ValueError(f"material {material!r} is unknown; there is nothing to make it from")
            make_materials(self._system, [json.loads(unborn)], areas)
        else:
            self._extend(material, areas)
        return {"material": material, "sales_organizations": [organization for organization, _ in areas]}

    def _extend(self, material: str, areas: list[tuple[str, str]]) -> None:
        product = self._system.row("A_Product", Product=material)
        assert product is not None
        for organization, plant in areas:
            key = {"Product": material, "ProductSalesOrg": organization, "ProductDistributionChnl": "10"}
            row = self._system.row("A_ProductSalesDelivery", **key)
            if row is not None:
                self._system.update("A_ProductSalesDelivery", row, {"IsMarkedForDeletion": 0})
                continue
            about = {"SupplyingPlant": plant, "BaseUnit": product["BaseUnit"]}
            group = {"ItemCategoryGroup": product["ItemCategoryGroup"]}
            self._system.insert("A_ProductSalesDelivery", [{**key, **about, **group}])
        self._system.touch("A_Product", Product=material)

    def change_price(self, given: Arguments) -> Mapping[str, Any]:
        rate = number_of(given["price"], "price")
        return set_price(self._system, given["material"], rate, given)


def set_order_block(system: System, customer: str, block: str) -> Row:
    """Block a customer for orders everywhere, or unblock it. Raises ValueError for an unknown customer."""
    row = system.row("A_Customer", Customer=customer)
    if row is None:
        raise ValueError(f"customer {customer!r} is unknown")
    changes = {"OrderIsBlockedForCustomer": block}
    system.world.update("A_Customer", changes, {"Customer": customer})
    system.world.update("A_CustomerSalesArea", changes, {"Customer": customer})
    return {"customer": customer, "order_block": block or "none"}


def set_price(system: System, material: str, rate: Decimal, given: Arguments) -> Row:
    """Set a list price, or a customer's own price, in one or all sales organizations."""
    if system.row("A_Product", Product=material) is None:
        raise ValueError(f"material {material!r} is unknown")
    currency, customer = given.get("currency", "EUR"), given.get("customer", "")
    rows = system.world.rows("SELECT sales_organization FROM _organization")
    organizations = [row["sales_organization"] for row in rows]
    wanted = [one for one in organizations if given.get("sales_organization") in (None, one)]
    for organization in wanted:
        system.world.execute(
            "INSERT INTO _condition (material, organization, currency, customer, rate) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET rate = excluded.rate",
            (material, organization, currency, customer, f"{rate:f}"),
        )
    system.touch("A_Product", Product=material)
    return {"material": material, "price": f"{rate:f}", "currency": currency, "customer": customer, "in": wanted}


def _plainly(act: Act) -> Act:
    """The verb with its errors as sentences for people."""

    def played(given: Arguments) -> Mapping[str, Any]:
        try:
            return act(given)
        except KeyError as error:
            raise ValueError(f"{act.__name__} needs {error.args[0]}=…") from None
        except ODataError as error:
            raise ValueError(f"{error} ({error.messages[0].code})") from None

    return played
