"""Materials as sales sees them: sold in which sales area, in which units, from which plant.

SAP has three codes for a unit: the commercial one of the logon language, its internal one and the ISO code; the
plain ``…Unit`` column takes the commercial one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.world import Row

#: commercial code -> (SAP's internal code, ISO code)
UNITS = {
    "PC": ("ST", "PCE"),
    "EA": ("EA", "EA"),
    "CAR": ("KAR", "CT"),
    "DAY": ("TAG", "DAY"),
    "H": ("STD", "HUR"),
    "MON": ("MON", "MON"),
    "M": ("M", "MTR"),
    "KG": ("KG", "KGM"),
}
SERVICE_GROUP = "LEIS"


@dataclass(frozen=True, slots=True)
class Material:
    """A material in one sales area. ``units`` gives base units for one of each unit as a fraction."""

    number: str
    text: str
    group: str
    base_unit: str
    sales_unit: str
    category_group: str
    plant: str
    units: dict[str, Decimal]

    @property
    def delivered(self) -> bool:
        """Whether it lies in stock and is delivered; services are billed from the order."""
        return self.category_group != SERVICE_GROUP

    @property
    def item_category(self) -> str:
        """SAP's item category: TAN is delivered, TAD is billed from the order."""
        return "TAN" if self.delivered else "TAD"


def find_materials(system: System, numbers: Iterable[str], organization: str, channel: str) -> dict[str, Material]:
    """Those of the materials that are sold in the sales area, by number."""
    wanted = list(dict.fromkeys(numbers))
    if not wanted:
        return {}
    marks = ", ".join("?" * len(wanted))
    rows = system.world.rows(
        "SELECT p.Product, p.BaseUnit, p.ProductGroup, s.ItemCategoryGroup, s.SupplyingPlant, s.SalesMeasureUnit,"  # noqa: S608
        " d.ProductDescription FROM A_Product p"
        " JOIN A_ProductSalesDelivery s ON s.Product = p.Product AND s.ProductSalesOrg = ?"
        " AND s.ProductDistributionChnl = ? AND s.IsMarkedForDeletion = 0"
        " LEFT JOIN A_ProductDescription d ON d.Product = p.Product AND d.Language = 'EN'"
        f" WHERE p.Product IN ({marks}) AND p.IsMarkedForDeletion = 0",
        [organization, channel, *wanted],
    )
    factors: dict[str, dict[str, Decimal]] = {}
    sql = (
        "SELECT Product, AlternativeUnit, QuantityNumerator, QuantityDenominator FROM A_ProductUnitsOfMeasure"  # noqa: S608
        f" WHERE Product IN ({marks})"
    )
    for unit in system.world.rows(sql, wanted):
        factor = Decimal(unit["QuantityNumerator"]) / Decimal(unit["QuantityDenominator"])
        factors.setdefault(unit["Product"], {})[unit["AlternativeUnit"]] = factor
    return {row["Product"]: _material(row, factors.get(row["Product"], {})) for row in rows}


def _material(row: Row, units: dict[str, Decimal]) -> Material:
    base = row["BaseUnit"]
    return Material(
        number=row["Product"],
        text=row["ProductDescription"] or "",
        group=row["ProductGroup"],
        base_unit=base,
        sales_unit=row["SalesMeasureUnit"] or base,
        category_group=row["ItemCategoryGroup"],
        plant=row["SupplyingPlant"],
        units={base: Decimal(1), **units},
    )


def unit_asked(values: Row, default: str) -> str:
    """The commercial code of the unit that an item's three unit columns ask for."""
    if values.get("RequestedQuantityUnit"):
        return str(values["RequestedQuantityUnit"])
    for column, place in (("RequestedQuantitySAPUnit", 0), ("RequestedQuantityISOUnit", 1)):
        if values.get(column):
            return next((unit for unit, codes in UNITS.items() if codes[place] == values[column]), str(values[column]))
    return default


def unit_columns(prefix: str, unit: str) -> Row:
    """The three columns of a unit, such as RequestedQuantityUnit, …SAPUnit and …ISOUnit."""
    internal, iso = UNITS.get(unit, (unit, unit))
    return {f"{prefix}Unit": unit, f"{prefix}SAPUnit": internal, f"{prefix}ISOUnit": iso}
