"""Products (API_PRODUCT_SRV): create with deep insert and change; the parts of a product come and go with it."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business, no_entity
from isthmus.connectors.erp.sap_s4hana.sandbox.materials import UNITS
from isthmus.connectors.erp.sap_s4hana.sandbox.system import USER, System
from isthmus.sandkit.world import Row

_PARTS = {
    "to_Description": "A_ProductDescription",
    "to_Plant": "A_ProductPlant",
    "to_SalesDelivery": "A_ProductSalesDelivery",
    "to_ProductUnitsOfMeasure": "A_ProductUnitsOfMeasure",
}


class Products:
    """Creates and changes products."""

    def __init__(self, system: System) -> None:
        self._system = system

    def create(self, draft: Draft) -> Row:
        """Create a product with its parts. Raises ODataError where SAP refuses."""
        product, system = draft.values.get("Product", ""), self._system
        if not product:
            raise business("M3/002", "Enter a material", "Product")
        if system.row("A_Product", Product=product) is not None:
            raise business("M3/025", f"Material {product} already exists", "Product")
        unit = draft.values.get("BaseUnit", "")
        if unit not in UNITS:
            raise business("M3/033", f"Unit of measure {unit} is not defined", "BaseUnit")
        if not draft.values.get("ProductType"):
            raise business("M3/010", "Enter a material type", "ProductType")
        row = {"ItemCategoryGroup": "NORM", **draft.values, **system.created()}
        system.insert("A_Product", [row])
        for navigation, entity in _PARTS.items():
            for one in draft.nested(navigation):
                self._insert_part(entity, {**one.values, "Product": product}, unit)
        return self._product(product)

    def create_part(self, entity: str) -> Callable[[Draft], Row]:
        """The function that adds a part to a product."""

        def create(draft: Draft) -> Row:
            row = self._product(draft.values.get("Product", ""))
            key = self._insert_part(entity, draft.values, row["BaseUnit"])
            self._system.touch("A_Product", Product=row["Product"])
            made = self._system.row(entity, **key)
            assert made is not None
            return made

        return create

    def _insert_part(self, entity: str, values: Row, unit: str) -> Row:
        key = {prop.name: values.get(prop.name, "") for prop in self._system.entity(entity).keys}
        if not all(key.values()):
            raise business("M3/003", f"Enter all keys of {entity}Type")
        if self._system.row(entity, **key) is not None:
            raise business("M3/026", f"{entity}: entry {', '.join(key.values())} exists already")
        columns = self._system.entity(entity).properties
        self._system.insert(entity, [{**values, **({"BaseUnit": unit} if "BaseUnit" in columns else {})}])
        return key

    def _product(self, product: str) -> Row:
        row = self._system.row("A_Product", Product=product)
        if row is None:
            raise no_entity("A_ProductType")
        return row

    def update(self, row: Row, changes: Row) -> None:
        """Change a product."""
        touched = {**self._system.touched(row["LastChangeDateTime"]), "LastChangedByUser": USER}
        self._system.update("A_Product", row, {**changes, **touched})

    def update_part(self, entity: str) -> Callable[[Row, Row], None]:
        """The function that changes a part of a product."""

        def update(row: Row, changes: Row) -> None:
            self._system.update(entity, row, changes)
            self._system.touch("A_Product", Product=row["Product"])

        return update
