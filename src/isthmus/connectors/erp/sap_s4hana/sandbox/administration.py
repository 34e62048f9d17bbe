"""What administrators look at and set in the system: rows in plain words, blocks, stock, prices, limits, fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.operations import Applications
from isthmus.connectors.erp.sap_s4hana.sandbox.play import number_of, set_order_block, set_price
from isthmus.connectors.erp.sap_s4hana.sandbox.sessions import Sessions
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, quantity_text, thousandths
from isthmus.connectors.erp.sap_s4hana.sandbox.taxes import CONDITION
from isthmus.sandkit.world import Row

Values = Mapping[str, str]
#: kind -> (SQL, column that the key narrows)
_SHOWN = {
    "customer": (
        "SELECT c.Customer AS customer, c.CustomerName AS name, s.SalesOrganization AS sales_organization,"
        " s.Currency AS currency, s.OrderIsBlockedForCustomer AS order_block,"
        " c.DeliveryIsBlocked AS delivery_block, c.BillingIsBlockedForCustomer AS billing_block,"
        " c.VATRegistration AS vat_number, k.credit_limit FROM A_Customer c"
        " LEFT JOIN A_CustomerSalesArea s ON s.Customer = c.Customer LEFT JOIN _credit k ON k.customer = c.Customer",
        "c.Customer",
    ),
    "product": (
        "SELECT p.Product AS product, d.ProductDescription AS name, p.BaseUnit AS unit, p.ProductType AS type,"
        " (SELECT group_concat(ProductSalesOrg) FROM A_ProductSalesDelivery s WHERE s.Product = p.Product"
        " AND s.IsMarkedForDeletion = 0) AS sold_in FROM A_Product p LEFT JOIN A_ProductDescription d"
        " ON d.Product = p.Product AND d.Language = 'EN'",
        "p.Product",
    ),
    "stock": ("SELECT material, plant, on_hand, reserved FROM _stock", "material"),
    "receipt": ("SELECT material, plant, due, quantity, reserved FROM _receipt", "material"),
    "price": (
        "SELECT material, organization AS sales_organization, currency, customer, from_quantity, rate AS price"
        " FROM _condition",
        "material",
    ),
    "credit_limit": ("SELECT * FROM _credit", "customer"),
    "order": (
        'SELECT SalesOrder AS "order", ExternalDocumentID AS external_id, SoldToParty AS customer,'
        " PurchaseOrderByCustomer AS purchase_order, TotalNetAmount AS net_amount, TransactionCurrency AS currency,"
        " OverallSDProcessStatus AS status, TotalCreditCheckStatus AS credit, OverallDeliveryStatus AS delivery,"
        " OverallSDDocumentRejectionSts AS rejection, DeliveryBlockReason AS delivery_block,"
        " HeaderBillingBlockReason AS billing_block FROM A_SalesOrder",
        "SalesOrder",
    ),
    "delivery": (
        "SELECT DeliveryDocument AS delivery, SoldToParty AS customer, OverallGoodsMovementStatus AS goods_issue,"
        " OverallProofOfDeliveryStatus AS proof, OverallDelivReltdBillgStatus AS billed FROM A_OutbDeliveryHeader",
        "DeliveryDocument",
    ),
    "invoice": (
        "SELECT BillingDocument AS invoice, BillingDocumentType AS type, SoldToParty AS customer,"
        " TotalGrossAmount AS gross_amount, TransactionCurrency AS currency, BillingDocumentIsCancelled AS cancelled,"
        " InvoiceClearingStatus AS clearing FROM A_BillingDocument",
        "BillingDocument",
    ),
    "credit_memo_request": (
        "SELECT CreditMemoRequest AS request, ReferenceSDDocument AS invoice, TotalNetAmount AS net_amount,"
        " TransactionCurrency AS currency, HeaderBillingBlockReason AS billing_block, SalesDocApprovalStatus AS approval"
        " FROM A_CreditMemoRequest",
        "CreditMemoRequest",
    ),
    "field": ("SELECT entity, name, type, length FROM _field WHERE gone = 0", "entity"),
}
_QUANTITIES = ("on_hand", "reserved", "quantity", "from_quantity")


class Administration:
    """Shows rows and changes them."""

    def __init__(self, system: System, apps: Applications, sessions: Sessions) -> None:
        self._system, self._apps, self._sessions = system, apps, sessions
        self._changes: dict[str, Callable[[str, Values], Row]] = {
            "customer": self._customer,
            "product": self._product,
            "stock": self._stock,
            "price": self._price,
            "order": self._order,
            "invoice": self._invoice,
            "delivery": self._delivery,
            "credit_limit": self._credit_limit,
            "field": self._field,
            "token": self._token,
        }

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of a kind; a key narrows. Raises ValueError for an unknown kind."""
        if kind not in _SHOWN:
            raise ValueError(f"kind {kind!r} is unknown; there are {', '.join(_SHOWN)}")
        sql, column = _SHOWN[kind]
        values: list[Any] = []
        if key:
            sql = f"{sql} {'AND' if ' WHERE gone' in sql else 'WHERE'} {column} = ?"
            values.append(key.partition("@")[0])
        return [
            {name: quantity_text(value) if name in _QUANTITIES else value for name, value in row.items()}
            for row in self._system.world.rows(sql, values)
        ]

    def change(self, kind: str, key: str, values: Values) -> Row:
        """Change one row; the row after it. Raises ValueError that says what was expected."""
        if kind not in self._changes:
            raise ValueError(f"kind {kind!r} cannot be set; there are {', '.join(self._changes)}")
        return self._changes[kind](key, values)

    def _only(self, kind: str, values: Values, *names: str) -> None:
        for name in values:
            if name not in names:
                raise ValueError(f"{kind} has no {name!r} to set; there are {', '.join(names)}")

    def _first(self, kind: str, key: str) -> Row:
        found = self.show(kind, key)
        if not found:
            raise ValueError(f"{kind} {key!r} is unknown")
        return found[0]

    # Kinds -------------------------------------------------------------------------------------------------

    def _customer(self, key: str, values: Values) -> Row:
        self._only("customer", values, "order_block", "delivery_block", "billing_block", "credit_limit", "tax_exempt")
        self._first("customer", key)
        where = {"Customer": key}
        if "order_block" in values:
            set_order_block(self._system, key, _block(values["order_block"]))
        if "delivery_block" in values:
            block = _block(values["delivery_block"])
            self._system.world.update("A_Customer", {"DeliveryIsBlocked": block}, where)
            self._system.world.update("A_CustomerSalesArea", {"DeliveryIsBlockedForCustomer": block}, where)
        if "billing_block" in values:
            block = _block(values["billing_block"])
            self._system.world.update("A_Customer", {"BillingIsBlockedForCustomer": block}, where)
        if "credit_limit" in values:
            self._credit_limit(key, {"limit": values["credit_limit"]})
        if "tax_exempt" in values:
            exempt = {"CustomerTaxClassification": "0" if values["tax_exempt"] == "true" else "1"}
            self._system.world.update("A_CustomerSalesAreaTax", exempt, {**where, "CustomerTaxCategory": CONDITION})
        return self._first("customer", key)

    def _product(self, key: str, values: Values) -> Row:
        self._only("product", values, "name", "sold")
        self._first("product", key)
        where = {"Product": key}
        if "name" in values:
            self._system.world.update("A_ProductDescription", {"ProductDescription": values["name"]}, where)
        if "sold" in values:
            gone = int(values["sold"] != "true")
            self._system.world.update("A_ProductSalesDelivery", {"IsMarkedForDeletion": gone}, where)
        self._system.touch("A_Product", Product=key)
        return self._first("product", key)

    def _stock(self, key: str, values: Values) -> Row:
        self._only("stock", values, "quantity")
        material, _, plant = key.partition("@")
        self._first("stock", material)
        plants = [row["plant"] for row in self.show("stock", material) if plant in ("", row["plant"])]
        if not plants:
            raise ValueError(f"stock {key!r} is unknown")
        for each in plants:
            on_hand = thousandths(number_of(values["quantity"], "quantity"))
            self._apps.availability.count(material, each, on_hand)
        return next(row for row in self.show("stock", material) if row["plant"] == plants[0])

    def _price(self, key: str, values: Values) -> Row:
        self._only("price", values, "price", "currency", "customer", "sales_organization")
        return set_price(self._system, key, number_of(values["price"], "price"), values)

    def _order(self, key: str, values: Values) -> Row:
        names = {"delivery_block": "DeliveryBlockReason", "billing_block": "HeaderBillingBlockReason"}
        self._only("order", values, *names, "approval", "rejection")
        self._first("order", key)
        changes = {names[name]: _block(value) for name, value in values.items() if name in names}
        if "approval" in values:
            changes["SalesDocApprovalStatus"] = "A" if values["approval"] == "requested" else ""
        header = self._apps.orders.header(key)
        self._apps.order_changes.update_header(header, changes)
        for item in self._system.rows("A_SalesOrderItem", SalesOrder=key) if "rejection" in values else ():
            reason = _block(values["rejection"])
            self._apps.order_changes.update_item(item, {"SalesDocumentRjcnReason": reason})
        return self._first("order", key)

    def _invoice(self, key: str, values: Values) -> Row:
        self._only("invoice", values, "clearing")
        if values.get("clearing") != "cleared":
            raise ValueError(f"invoice {key}: clearing={values.get('clearing')!r}; expected clearing=cleared")
        self._first("invoice", key)
        self._apps.documents.clear(key)
        return self._first("invoice", key)

    def _delivery(self, key: str, values: Values) -> Row:
        self._only("delivery", values, "delivery_block", "billing_block")
        self._first("delivery", key)
        names = {"delivery_block": "DeliveryBlockReason", "billing_block": "HeaderBillingBlockReason"}
        changes = {names[name]: _block(value) for name, value in values.items()}
        self._apps.deliveries.update(self._apps.deliveries.header(key), changes)
        return self._first("delivery", key)

    def _credit_limit(self, key: str, values: Values) -> Row:
        self._only("credit_limit", values, "limit", "currency")
        limit = f"{number_of(values['limit'], 'limit'):f}"
        if key == "*":
            self._system.world.execute("UPDATE _credit SET credit_limit = ?", (limit,))
            return {"customer": "*", "credit_limit": limit}
        if not self._system.world.update("_credit", {"credit_limit": limit}, {"customer": key}):
            area = self._system.row("A_CustomerSalesArea", Customer=key)
            if area is None:
                raise ValueError(f"customer {key!r} is unknown")
            currency = values.get("currency") or area["Currency"]
            self._system.world.insert("_credit", {"customer": key, "currency": currency, "credit_limit": limit})
        return self._first("credit_limit", key)

    def _field(self, key: str, values: Values) -> Row:
        self._only("field", values, "type", "length", "gone")
        entity, _, name = key.partition(".")
        if values.get("gone") == "true":
            self._system.dictionary.remove_field(entity, name)
            return {"entity": entity, "name": name, "gone": True}
        kind, length = values.get("type", "Edm.String"), int(values.get("length", "40"))
        self._system.dictionary.add_field(entity, name, kind, length)
        return {"entity": entity, "name": name, "type": kind, "length": length}

    def _token(self, key: str, values: Values) -> Row:
        self._only("token", values, "expired")
        return {"expired": self._sessions.expire_all()}


def _block(text: str) -> str:
    return "" if text in ("none", "") else text
