"""One SAP client: its world, its clock, its dictionary, and the small things every document needs.

Rows of entity sets are plain dicts. Amounts and quantities are TEXT decimals there; in the tables that only SAP
sees (stock, conditions, credit) quantities are INTEGER thousandths, so that SQL can count with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.dictionary import Dictionary
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import DAY_MS, milliseconds, moment
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import EntityType
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.world import Row, World, quoted

USER = "CC0000000001"
#: ISO 4217 decimals that are not two
_MINOR_UNITS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "KWD": 3, "BHD": 3, "TND": 3, "OMR": 3, "JOD": 3}

_TABLES = """
CREATE TABLE IF NOT EXISTS _stock (material TEXT, plant TEXT, on_hand INTEGER NOT NULL, reserved INTEGER NOT NULL,
  PRIMARY KEY (material, plant)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _receipt (number INTEGER PRIMARY KEY, material TEXT, plant TEXT, due INTEGER NOT NULL,
  quantity INTEGER NOT NULL, reserved INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS _receipt_material ON _receipt (material, plant, due);
CREATE TABLE IF NOT EXISTS _condition (number INTEGER PRIMARY KEY, material TEXT, organization TEXT, currency TEXT,
  customer TEXT NOT NULL DEFAULT '', from_quantity INTEGER NOT NULL DEFAULT 0, rate TEXT NOT NULL,
  UNIQUE (material, organization, currency, customer, from_quantity));
CREATE TABLE IF NOT EXISTS _credit (customer TEXT PRIMARY KEY, currency TEXT NOT NULL, credit_limit TEXT NOT NULL,
  orders TEXT NOT NULL DEFAULT '0', receivables TEXT NOT NULL DEFAULT '0') WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _organization (sales_organization TEXT PRIMARY KEY, name TEXT, plant TEXT,
  company_code TEXT, country TEXT, currency TEXT);
CREATE TABLE IF NOT EXISTS _unborn_product (material TEXT PRIMARY KEY, facts TEXT NOT NULL);
"""


def minor_units(currency: str) -> int:
    """The decimals of a currency."""
    return _MINOR_UNITS.get(currency, 2)


def thousandths(quantity: str | Decimal) -> int:
    """A quantity as whole thousandths."""
    return int(Decimal(quantity) * 1000)


def quantity_text(value: int) -> str:
    """Whole thousandths as a quantity with three decimals."""
    return f"{value // 1000}.{value % 1000:03d}" if value >= 0 else f"-{quantity_text(-value)}"


class System:
    """What every document, master and rule works on."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        world.script(_TABLES)
        self.dictionary = Dictionary(world)

    # Time ------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The current instant in milliseconds."""
        return milliseconds(self.clock.now())

    def today(self) -> int:
        """The current day at midnight UTC, in milliseconds."""
        now = self.now()
        return now - now % DAY_MS

    def time_of_day(self) -> str:
        """The current time of day as Edm.Time."""
        now: datetime = moment(self.now())
        return f"PT{now:%H}H{now:%M}M{now:%S}S"

    def number(self, name: str, start: int) -> str:
        """The next number of a number range."""
        return str(self.world.next_number(name, start))

    # Rows ------------------------------------------------------------------------------------------

    def entity(self, name: str) -> EntityType:
        """The entity type of an entity set."""
        return self.dictionary.entities[name]

    def row(self, entity: str, **key: Any) -> Row | None:
        """The row whose columns have these values, or None."""
        where = " AND ".join(f"{quoted(column)} = ?" for column in key)
        return self.world.row(f"SELECT * FROM {quoted(entity)} WHERE {where}", list(key.values()))  # noqa: S608

    def rows(self, entity: str, **key: Any) -> list[Row]:
        """The rows whose columns have these values, by key."""
        where = " AND ".join(f"{quoted(column)} = ?" for column in key) or "1"
        order = self.entity(entity).default_order()
        sql = f"SELECT * FROM {quoted(entity)} WHERE {where} ORDER BY {order}"  # noqa: S608
        return self.world.rows(sql, list(key.values()))

    def insert(self, entity: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, a hundred in one statement; a column that only some of them name is initial in the others."""
        if not rows:
            return
        columns = list(rows[0])
        if any(row.keys() != rows[0].keys() for row in rows):
            columns = list(dict.fromkeys(column for row in rows for column in row))
        initial = self.dictionary.entities[entity].initial if entity in self.dictionary.entities else {}
        for start in range(0, len(rows), 100):
            part = rows[start : start + 100]
            marks = "(" + ", ".join("?" * len(columns)) + ")"
            sql = (
                f"INSERT INTO {quoted(entity)} ({', '.join(map(quoted, columns))}) "  # noqa: S608
                f"VALUES {', '.join([marks] * len(part))}"
            )
            self.world.execute(
                sql, [row[column] if column in row else initial.get(column) for row in part for column in columns]
            )

    def update(self, entity: str, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        """Change some columns of one row."""
        if changes:
            keys = [prop.name for prop in self.entity(entity).keys]
            self.world.update(entity, changes, {key: row[key] for key in keys})

    def delete(self, entity: str, **key: Any) -> None:
        """Delete the rows whose columns have these values."""
        where = " AND ".join(f"{quoted(column)} = ?" for column in key)
        self.world.execute(f"DELETE FROM {quoted(entity)} WHERE {where}", list(key.values()))  # noqa: S608

    # Marks -----------------------------------------------------------------------------------------

    def created(self) -> Row:
        """The marks of a new document."""
        return {"CreationDate": self.today(), "CreatedByUser": USER, "LastChangeDateTime": self.now()}

    def touched(self, before: int | None) -> Row:
        """The marks of a changed document; its time stamp always grows, so that its ETag always changes."""
        return {"LastChangeDate": self.today(), "LastChangeDateTime": max(self.now(), (before or 0) + 1)}

    def touch(self, entity: str, **key: Any) -> None:
        """Mark a document as changed."""
        row = self.row(entity, **key)
        if row is not None:
            self.update(entity, row, self.touched(row["LastChangeDateTime"]))
