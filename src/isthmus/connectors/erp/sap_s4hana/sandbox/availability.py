"""Available to promise: stock, planned receipts, what orders have reserved, and confirmed schedule lines.

Quantities here are whole thousandths of the base unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import DAY_MS
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import business
from isthmus.connectors.erp.sap_s4hana.sandbox.movements import FOUND, ISSUE, ISSUE_REVERSED, MISSED, RECEIPT, Movements
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System, quantity_text, thousandths
from isthmus.sandkit.world import Row

STOCK = 0
_FOR_EVER = 253_402_214_400_000  # 9999-12-31
_TABLE = """
CREATE TABLE IF NOT EXISTS _reservation (sales_order TEXT, item TEXT, material TEXT, plant TEXT,
  receipt INTEGER NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (sales_order, item, receipt)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one item wants: so much of a material in a plant by a day."""

    item: str
    material: str
    plant: str
    quantity: int
    by: int


@dataclass(frozen=True, slots=True)
class Promise:
    """A part of a wish that can be kept: from stock (receipt 0) or from a planned receipt, on a day."""

    item: str
    material: str
    plant: str
    receipt: int
    quantity: int
    on: int


class Availability:
    """The check and its reservations."""

    def __init__(self, system: System) -> None:
        self._system, self._movements = system, Movements(system)
        system.world.script(_TABLE)

    def check(self, wishes: Sequence[Wish]) -> dict[str, list[Promise]]:
        """What can be promised to each item, in order, without reserving it."""
        free = self._free({(wish.material, wish.plant) for wish in wishes})
        promised: dict[str, list[Promise]] = {}
        for wish in wishes:
            parts: list[Promise] = []
            missing = wish.quantity
            for source in free[(wish.material, wish.plant)]:
                taken = min(missing, source[2])
                if taken > 0:
                    source[2] -= taken
                    missing -= taken
                    on = max(wish.by, source[1])
                    parts.append(Promise(wish.item, wish.material, wish.plant, source[0], taken, on))
            promised[wish.item] = parts
        return promised

    def _free(self, pairs: set[tuple[str, str]]) -> dict[tuple[str, str], list[list[int]]]:
        """For each material and plant its sources as [receipt, day, free quantity], stock first."""
        free: dict[tuple[str, str], list[list[int]]] = {pair: [] for pair in pairs}
        if not pairs:
            return free
        materials = sorted({material for material, _ in pairs})
        marks = ", ".join("?" * len(materials))
        sql = f"SELECT material, plant, on_hand - reserved AS free FROM _stock WHERE material IN ({marks})"  # noqa: S608
        for row in self._system.world.rows(sql, materials):
            if (row["material"], row["plant"]) in free:
                free[(row["material"], row["plant"])].append([STOCK, 0, row["free"]])
        sql = (
            "SELECT number, material, plant, due, quantity - reserved AS free FROM _receipt"  # noqa: S608
            f" WHERE material IN ({marks}) ORDER BY due, number"
        )
        for row in self._system.world.rows(sql, materials):
            if (row["material"], row["plant"]) in free:
                free[(row["material"], row["plant"])].append([row["number"], row["due"], row["free"]])
        return free

    def reserve(self, order: str, promises: Sequence[Promise]) -> None:
        """Keep what was promised for an order."""
        if not promises:
            return
        kept = [(order, p.item, p.material, p.plant, p.receipt, p.quantity) for p in promises]
        self._system.world.execute(
            f"INSERT INTO _reservation VALUES {', '.join(['(?, ?, ?, ?, ?, ?)'] * len(kept))}"  # noqa: S608
            " ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity",
            [value for row in kept for value in row],
        )
        from_stock: dict[tuple[str, str], int] = {}
        for promise in promises:
            if promise.receipt == STOCK:
                pair = (promise.material, promise.plant)
                from_stock[pair] = from_stock.get(pair, 0) + promise.quantity
            else:
                self._count(promise.receipt, promise.material, promise.plant, promise.quantity)
        self._count_stock(from_stock)

    def _count_stock(self, taken: Mapping[tuple[str, str], int]) -> None:
        if taken:
            self._system.world.execute(
                f"WITH taken (m, p, q) AS (VALUES {', '.join(['(?, ?, ?)'] * len(taken))})"  # noqa: S608
                " UPDATE _stock SET reserved = reserved + taken.q FROM taken WHERE material = taken.m AND plant = taken.p",
                [value for (material, plant), quantity in taken.items() for value in (material, plant, quantity)],
            )

    def release(self, order: str, item: str) -> None:
        """Give back what is still reserved for an item."""
        for row in self._reserved(order, item):
            self._count(row["receipt"], row["material"], row["plant"], -row["quantity"])
        self._system.world.execute("DELETE FROM _reservation WHERE sales_order = ? AND item = ?", (order, item))

    def issue(self, order: str, item: str, material: str, plant: str, quantity: int) -> None:
        """Take goods out of stock, and what was reserved for them. Raises ODataError where the stock is too low."""
        on_hand = self._system.world.value(
            "SELECT on_hand FROM _stock WHERE material = ? AND plant = ?", (material, plant)
        )
        if (on_hand or 0) < quantity:
            text = f"Deficit of SL Unrestricted-use {quantity_text(quantity - (on_hand or 0))} : {material} {plant}"
            raise business("M7/021", text)
        self._system.world.execute(
            "UPDATE _stock SET on_hand = on_hand - ? WHERE material = ? AND plant = ?", (quantity, material, plant)
        )
        self._movements.post(ISSUE, material, plant, quantity, (order, item))
        for row in self._reserved(order, item):
            taken = min(quantity, row["quantity"])
            quantity -= taken
            self._count(row["receipt"], material, plant, -taken)
            self._system.world.execute(
                "UPDATE _reservation SET quantity = quantity - ? WHERE sales_order = ? AND item = ? AND receipt = ?",
                (taken, order, item, row["receipt"]),
            )

    def put_back(self, order: str, item: str, material: str, plant: str, quantity: int) -> None:
        """Reverse an issue: the goods are in stock again and reserved for the order."""
        self._system.world.execute(
            "UPDATE _stock SET on_hand = on_hand + ? WHERE material = ? AND plant = ?", (quantity, material, plant)
        )
        self._movements.post(ISSUE_REVERSED, material, plant, quantity, (order, item))
        self.reserve(order, [Promise(item, material, plant, STOCK, quantity, 0)])

    def _reserved(self, order: str, item: str) -> list[Row]:
        sql = "SELECT * FROM _reservation WHERE sales_order = ? AND item = ? ORDER BY receipt"
        return self._system.world.rows(sql, (order, item))

    def _count(self, receipt: int, material: str, plant: str, quantity: int) -> None:
        if receipt == STOCK:
            sql = "UPDATE _stock SET reserved = reserved + ? WHERE material = ? AND plant = ?"
            self._system.world.execute(sql, (quantity, material, plant))
        else:
            self._system.world.execute(
                "UPDATE _receipt SET reserved = reserved + ? WHERE number = ?", (quantity, receipt)
            )

    # Goods that come in --------------------------------------------------------------------------------

    def receive(self, material: str, plant: str, quantity: int) -> None:
        """Goods arrive: they are in stock, and planned receipts of the material shrink, the earliest first."""
        self._system.world.execute(
            "INSERT INTO _stock VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET on_hand = on_hand + excluded.on_hand",
            (material, plant, quantity),
        )
        self._movements.post(RECEIPT, material, plant, quantity)
        sql = "SELECT * FROM _receipt WHERE material = ? AND plant = ? ORDER BY due, number"
        for row in self._system.world.rows(sql, (material, plant)):
            if quantity <= 0:
                break
            if row["quantity"] <= quantity:
                quantity -= row["quantity"]
                self._arrive(row)
            else:
                left = max(row["quantity"] - quantity, row["reserved"])
                self._system.world.execute("UPDATE _receipt SET quantity = ? WHERE number = ?", (left, row["number"]))
                quantity = 0

    def count(self, material: str, plant: str, on_hand: int) -> None:
        """Somebody has counted the stock: it is set to what was found."""
        sql = "SELECT on_hand FROM _stock WHERE material = ? AND plant = ?"
        before = self._system.world.value(sql, (material, plant)) or 0
        self._system.world.execute(
            "INSERT INTO _stock VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET on_hand = excluded.on_hand",
            (material, plant, on_hand),
        )
        if on_hand != before:
            self._movements.post(FOUND if on_hand > before else MISSED, material, plant, abs(on_hand - before))

    def _arrive(self, receipt: Row) -> None:
        world, number = self._system.world, receipt["number"]
        for row in world.rows("SELECT * FROM _reservation WHERE receipt = ?", (number,)):
            world.execute("DELETE FROM _reservation WHERE sales_order = ? AND item = ? AND receipt = ?",
                          (row["sales_order"], row["item"], number))  # fmt: skip
            promise = Promise(row["item"], row["material"], row["plant"], STOCK, row["quantity"], 0)
            self.reserve(row["sales_order"], [promise])
        world.execute("DELETE FROM _receipt WHERE number = ?", (number,))

    def plan(self, material: str, plant: str, quantity: int, due: int) -> None:
        """Plan a receipt for a day."""
        sql = "INSERT INTO _receipt (material, plant, due, quantity) VALUES (?, ?, ?, ?)"
        self._system.world.execute(sql, (material, plant, due, quantity))

    # Function imports of API_PRODUCT_AVAILY_INFO_BASIC ------------------------------------------------------

    def at(self, asked: Mapping[str, Any]) -> list[Row]:
        """How much there is at a moment."""
        unit = self._known(asked)
        wanted = asked["RequestedUTCDateTime"]
        free = sum(source[2] for source in self._sources(asked) if source[1] <= wanted)
        return [_record(wanted, _FOR_EVER, free, unit)]

    def of(self, asked: Mapping[str, Any]) -> list[Row]:
        """When a quantity is there; where it never is, how much there will be in the end."""
        unit, wanted = self._known(asked), thousandths(asked["RequestedQuantityInBaseUnit"])
        free = 0
        for source in self._sources(asked):
            free += source[2]
            if free >= wanted:
                return [_record(max(source[1], self._system.today()), _FOR_EVER, free, unit)]
        return [_record(_FOR_EVER, _FOR_EVER, free, unit)]

    def series(self, asked: Mapping[str, Any]) -> list[Row]:
        """How the available quantity grows with each planned receipt."""
        unit, free = self._known(asked), 0
        days: dict[int, int] = {self._system.today(): 0}
        for source in self._sources(asked):
            free += source[2]
            days[max(source[1], self._system.today())] = free
        starts = sorted(days)
        ends = [*(day - 1 for day in starts[1:]), _FOR_EVER]
        return [_record(start, end, days[start], unit) for start, end in zip(starts, ends, strict=True)]

    def _sources(self, asked: Mapping[str, Any]) -> list[list[int]]:
        pair = (asked["Material"], asked["SupplyingPlant"])
        return self._free({pair})[pair]

    def _known(self, asked: Mapping[str, Any]) -> str:
        plant = self._system.row("A_ProductPlant", Product=asked["Material"], Plant=asked["SupplyingPlant"])
        if plant is None:
            text = f"Material {asked['Material']} not maintained in plant {asked['SupplyingPlant']}"
            raise business("M3/305", text, "Material")
        return str(plant["BaseUnit"])


def _record(start: int, end: int, free: int, unit: str) -> Row:
    return {
        "PeriodStartUTCDateTime": start,
        "PeriodStartTimeZone": "UTC",
        "PeriodEndUTCDateTime": end,
        "PeriodEndTimeZone": "UTC",
        "AvailableQuantityInBaseUnit": quantity_text(free),
        "BaseUnit": unit,
    }


def schedule_rows(wish: Wish, promises: Sequence[Promise], factor: int, ordered: str, columns: Row) -> list[Row]:
    """Schedule lines of one item: the wish on line 1 with what is there then, the rest on the days it comes.

    ``factor`` is base thousandths in one thousandth of the sales unit times one thousand; ``ordered`` the ordered
    quantity in the sales unit; ``columns`` what all lines share.
    """
    by_day: dict[int, int] = {wish.by: 0}
    for promise in promises:
        day = promise.on - promise.on % DAY_MS
        by_day[day] = by_day.get(day, 0) + promise.quantity * 1000 // factor
    rows = []
    for number, day in enumerate(sorted(by_day), 1):
        confirmed = quantity_text(by_day[day])
        rows.append(
            {
                **columns,
                "SalesOrderItem": wish.item,
                "ScheduleLine": str(number),
                "RequestedDeliveryDate": wish.by,
                "ConfirmedDeliveryDate": day if by_day[day] else None,
                "ScheduleLineOrderQuantity": ordered if number == 1 else "0.000",
                "ConfdOrderQtyByMatlAvailCheck": confirmed,
                "OpenConfdDelivQtyInOrdQtyUnit": confirmed,
                "CorrectedQtyInOrderQtyUnit": ordered if number == 1 else "0.000",
            }
        )
    return rows
