"""What watches rows while they are saved: validation rules that refuse, workflow rules that send outbound messages.

Both hold a SOQL condition. As in the real default, a message goes out when the condition holds and did not before.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.ids import new_id
from isthmus.connectors.crm.salesforce.sandbox.metadata import Catalogue, ObjectType
from isthmus.connectors.crm.salesforce.sandbox.plans import Plans
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.world import Row, World

_TABLES = """
CREATE TABLE IF NOT EXISTS _outbound_message (
  name TEXT PRIMARY KEY, id TEXT NOT NULL, url TEXT NOT NULL, object TEXT NOT NULL, fields TEXT NOT NULL,
  condition TEXT NOT NULL, every INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _validation_rule (
  name TEXT PRIMARY KEY, object TEXT NOT NULL, condition TEXT NOT NULL, message TEXT NOT NULL);
"""


class Conditions:
    """The rules in force. ``waiting`` collects (rule's name, row id) until the transaction sends them."""

    def __init__(self, world: World, catalogue: Catalogue, plans: Plans, clock: Clock) -> None:
        self._world, self._catalogue, self._plans, self._clock = world, catalogue, plans, clock
        self.waiting: list[tuple[str, str]] = []
        world.script(_TABLES)
        self._load()

    def holding(self, kind: ObjectType, row_id: str) -> frozenset[str]:
        """The names of the outbound messages whose condition holds for a row as it is now."""
        rules = self._messages.get(kind.name, ())
        return frozenset(rule["name"] for rule in rules if self._holds(kind, row_id, rule["condition"]))

    def saved(self, kind: ObjectType, row_id: str, held: frozenset[str]) -> None:
        """A row was written: refuse what a validation rule refuses, remember the messages that it causes."""
        for rule in self._validations.get(kind.name, ()):
            if self._holds(kind, row_id, rule["condition"]):
                raise VendorError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], [])
        for rule in self._messages.get(kind.name, ()):
            if (rule["every"] or rule["name"] not in held) and self._holds(kind, row_id, rule["condition"]):
                self.waiting.append((rule["name"], row_id))

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Forget the messages of what fails inside."""
        length = len(self.waiting)
        try:
            yield
        except BaseException:
            del self.waiting[length:]
            raise

    def message(self, name: str) -> Row | None:
        """One outbound message's definition."""
        return self._world.row("SELECT * FROM _outbound_message WHERE name = ?", (name,))

    def set_message(self, name: str, url: str, kind: ObjectType, fields: str, condition: str, every: bool) -> Row:
        """Define or redefine an outbound message. Raises VendorError where a field or the condition is wrong."""
        chosen = ", ".join(dict.fromkeys(["Id", *(part.strip() for part in fields.split(",") if part.strip())]))
        self._plans.of(f"SELECT {chosen} FROM {kind.name} WHERE Id = 'x' AND ({condition})")
        known = self.message(name)
        row = {
            "name": name,
            "id": known["id"] if known else new_id(self._world, "04k"),
            "url": url,
            "object": kind.name,
            "fields": chosen,
            "condition": condition,
            "every": int(every),
        }
        self._world.execute("DELETE FROM _outbound_message WHERE name = ?", (name,))
        self._world.insert("_outbound_message", row)
        self._load()
        return row

    def set_validation(self, name: str, kind: ObjectType, condition: str, message: str) -> Row:
        """Define or redefine a validation rule: rows for which the condition holds are refused."""
        self._plans.of(f"SELECT Id FROM {kind.name} WHERE {condition}")
        row = {"name": name, "object": kind.name, "condition": condition, "message": message}
        self._world.execute("DELETE FROM _validation_rule WHERE name = ?", (name,))
        self._world.insert("_validation_rule", row)
        self._load()
        return row

    def remove(self, table: str, name: str) -> None:
        """Take away an outbound message or a validation rule."""
        if not self._world.execute(f'DELETE FROM "{table}" WHERE name = ?', (name,)):
            raise ValueError(f"there is no {table.strip('_').replace('_', ' ')} called {name!r}")
        self._load()

    def _holds(self, kind: ObjectType, row_id: str, condition: str) -> bool:
        plan, literals = self._plans.of(f"SELECT Id FROM {kind.name} WHERE Id = '{row_id}' AND ({condition})")
        return bool(plan.rows(self._world, literals, self._today()))

    def _today(self) -> date:
        return self._clock.now().date()

    def _load(self) -> None:
        self._messages: dict[str, list[Row]] = {}
        self._validations: dict[str, list[Row]] = {}
        for row in self._world.rows("SELECT * FROM _outbound_message"):
            self._messages.setdefault(row["object"], []).append(row)
        for row in self._world.rows("SELECT * FROM _validation_rule"):
            self._validations.setdefault(row["object"], []).append(row)
