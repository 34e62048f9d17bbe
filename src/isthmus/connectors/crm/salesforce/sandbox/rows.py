"""Making, changing and removing rows, with everything Salesforce checks and moves while it saves.

The order of a save: the given fields, defaults and required fields, the object's own rules, references and unique
values, the row itself with its stamps, validation rules, roll-ups, outbound messages
(vendor: Apex Developer Guide, "Triggers and Order of Execution").
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox import rules
from isthmus.connectors.crm.salesforce.sandbox.conditions import Conditions
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, not_found
from isthmus.connectors.crm.salesforce.sandbox.ids import full_id, new_id
from isthmus.connectors.crm.salesforce.sandbox.metadata import Catalogue, Field, ObjectType
from isthmus.connectors.crm.salesforce.sandbox.values import instant_text, stored
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.world import Row, World, quoted

_NUMBER_WIDTHS = {"OrderItemNumber": 10}


class Rows:
    """The rows of all objects. ``user`` is the id of who acts now; ``today`` is by the sandbox's clock, in UTC."""

    def __init__(self, world: World, catalogue: Catalogue, clock: Clock, conditions: Conditions) -> None:
        self.world, self.catalogue, self._clock, self._conditions = world, catalogue, clock, conditions
        self.user: str | None = None

    def create(self, kind: ObjectType, given: Mapping[str, Any]) -> str:
        """Make a row from a caller's fields; its id. Raises VendorError."""
        if not kind.open:
            message = f"entity type cannot be inserted: {kind.name}"
            raise VendorError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message, [])
        values = self._given(kind, given, creating=True)
        row = self._blank(kind)
        row.update((name, value) for name, value in values.items() if value is not None)
        row["OwnerId" if "ownerid" in kind.fields else "CreatedById"] = values.get("OwnerId") or self.user
        rules.before(self, kind.name, None, row, values)
        self._require(kind, row, [f for f in kind.fields.values() if f.required])
        self._check_references(kind, values)
        self._check_unique(kind, row, values)
        return self.insert(kind, row)

    def insert(self, kind: ObjectType, row: Row) -> str:
        """Write a new row with its id, numbers and stamps, then what follows from it."""
        now = self.now()
        row_id = new_id(self.world, kind.prefix)
        for field in kind.fields.values():
            if field.auto_number:
                number = self.world.next_number(f"{kind.name}.{field.name}", 100)
                row[field.name] = str(number).rjust(_NUMBER_WIDTHS.get(field.name, 8), "0")
        stamps = {"CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now}
        row.update(stamps, Id=row_id, CreatedById=self.user, LastModifiedById=self.user)
        self.world.insert(kind.name, row)
        self._conditions.saved(kind, row_id, frozenset())
        rules.after(self, kind.name, None, row)
        return row_id

    def update(self, kind: ObjectType, row_id: str, given: Mapping[str, Any]) -> None:
        """Change a row's fields. Raises VendorError."""
        before = self.get(kind, row_id)
        values = self._given(kind, given, creating=False)
        row = {**before, **values}
        rules.before(self, kind.name, before, row, values)
        self._require(kind, row, [f for name in values if (f := kind.fields[name.lower()]) and not f.nillable])
        self._check_references(kind, values)
        self._check_unique(kind, row, values)
        self.write(kind, before, row)

    def write(self, kind: ObjectType, before: Row, row: Row, *, modified: bool = True) -> None:
        """Write what differs from ``before`` and move the stamps; ``modified=False`` moves SystemModstamp only."""
        held = self._conditions.holding(kind, before["Id"])
        changed = {name: value for name, value in row.items() if before.get(name) != value}
        changed["SystemModstamp"] = stamp = self._later_than(before["SystemModstamp"])
        if modified:
            changed |= {"LastModifiedDate": stamp, "LastModifiedById": self.user}
        row.update(changed)
        self.world.update(kind.name, changed, {"Id": before["Id"]})
        self._conditions.saved(kind, before["Id"], held)
        rules.after(self, kind.name, before, row)

    def touch(self, object_name: str, row_id: str, **changes: Any) -> None:
        """Change fields as the system does (roll-ups), without asking whether a caller might."""
        kind = self.kind(object_name)
        before = self.world.row(f'SELECT * FROM {quoted(kind.name)} WHERE "Id" = ?', (row_id,))
        if before is not None:
            row = {**before, **changes}
            rules.before(self, kind.name, before, row, changes)
            self.write(kind, before, row)

    def delete(self, kind: ObjectType, row_id: str) -> None:
        """Put a row into the recycle bin with what belongs to it. Raises VendorError."""
        row = self.get(kind, row_id)
        if not kind.open:
            message = f"entity type {kind.name} does not support delete"
            raise VendorError("INSUFFICIENT_ACCESS_OR_READONLY", message, [])
        for object_name, field in kind.dependants:
            self._let_go(object_name, field, row_id, row)
        self.world.update(
            kind.name,
            {
                "IsDeleted": 1,
                "SystemModstamp": self._later_than(row["SystemModstamp"]),
                "LastModifiedDate": self.now(),
                "LastModifiedById": self.user,
            },
            {"Id": row_id},
        )
        rules.after(self, kind.name, row, None)

    def get(self, kind: ObjectType, row_id: str) -> Row:
        """A living row by its 18-character id. Raises VendorError NOT_FOUND or ENTITY_IS_DELETED."""
        row = self.world.row(f'SELECT * FROM {quoted(kind.name)} WHERE "Id" = ?', (row_id,))
        if row is None:
            raise not_found()
        if row["IsDeleted"]:
            raise VendorError("ENTITY_IS_DELETED", "entity is deleted", [])
        return row

    def find(self, object_name: str, row_id: str | None) -> Row | None:
        """A living row by its id, or None."""
        sql = f'SELECT * FROM {quoted(self.kind(object_name).name)} WHERE "Id" = ? AND "IsDeleted" = 0'
        return None if row_id is None else self.world.row(sql, (row_id,))

    def ids_by(self, kind: ObjectType, field: Field, value: Any) -> list[str]:
        """The ids of the living rows in which a field has a value."""
        sql = f'SELECT "Id" FROM {quoted(kind.name)} WHERE {quoted(field.name)} = ? AND "IsDeleted" = 0'
        return [row["Id"] for row in self.world.rows(sql, (value,))]

    def kind(self, object_name: str) -> ObjectType:
        """An object type that certainly exists."""
        return self.catalogue.objects[object_name.lower()]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One row's save that may fail alone: a savepoint, with the messages it would have sent."""
        with self._conditions.undone_on_error(), self.world.transaction():
            yield

    def now(self) -> str:
        """The current instant as rows keep it."""
        return instant_text(self._clock.now())

    def today(self) -> str:
        """The current day, in UTC."""
        return self._clock.now().date().isoformat()

    def _later_than(self, stamp: str) -> str:
        now = self.now()
        if now > stamp:
            return now
        moment = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
        return instant_text(moment + timedelta(milliseconds=1))

    def _blank(self, kind: ObjectType) -> Row:
        return {
            f.name: 0 if f.type == "boolean" else f.default if f.default is not None else None
            for f in kind.fields.values()
        } | {"IsDeleted": 0}

    def _given(self, kind: ObjectType, given: Mapping[str, Any], *, creating: bool) -> Row:
        """A caller's fields under their canonical names, as the world keeps them."""
        values: Row = {}
        refused: list[str] = []
        for name, value in given.items():
            field = kind.fields.get(name.lower())
            if field is None:
                if name == "attributes":
                    continue
                reference = kind.parents.get(name.lower())
                if reference is None or not isinstance(value, dict):
                    raise VendorError("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
                field, value = reference, self._foreign(reference, value)
            if field.type == "id":
                raise VendorError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
            if not (field.createable if creating else field.updateable):
                refused.append(field.name)
            else:
                values[field.name] = stored(field, value)
        if refused:
            message = (
                f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this "
                "field and verify that it is read/write for your profile or permission set."
            )
            raise VendorError("INVALID_FIELD_FOR_INSERT_UPDATE", message, refused)
        return values

    def _foreign(self, reference: Field, value: Mapping[str, Any]) -> str:
        """The id of the parent that ``{"External_Id__c": "C-1001"}`` names."""
        kind = self.kind(reference.targets[0])
        named = {name: v for name, v in value.items() if name != "attributes"}
        name, wanted = next(iter(named.items()), ("", None))
        field = kind.field(name)
        if field is None or not (field.external_id or field.type == "id") or len(named) != 1:
            message = f"Cannot reference a foreign key field {reference.relationship} by {name or 'nothing'}."
            raise VendorError("INVALID_FIELD", message)
        found = self.ids_by(kind, field, stored(field, wanted))
        if len(found) != 1:
            which = "not found" if not found else "more than one record found"
            message = f"Foreign key external ID: {wanted} {which} for field {field.name} in entity {kind.name}"
            raise VendorError("INVALID_FIELD", message)
        return found[0]

    def _require(self, kind: ObjectType, row: Row, fields: Sequence[Field]) -> None:
        missing = [field.name for field in fields if row[field.name] is None]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise VendorError("REQUIRED_FIELD_MISSING", message, missing)

    def _check_references(self, kind: ObjectType, values: Row) -> None:
        for name, value in values.items():
            field = kind.fields[name.lower()]
            if not field.targets or value is None:
                continue
            target = self.catalogue.of_id(value)
            if target is None or target.name not in field.targets:
                message = f"{field.label}: id value of incorrect type: {value}"
                raise VendorError("MALFORMED_ID", message, [field.name])
            found = self.world.row(f'SELECT "IsDeleted" FROM {quoted(target.name)} WHERE "Id" = ?', (value,))
            if found is None:
                raise VendorError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [field.name])
            if found["IsDeleted"]:
                raise VendorError("ENTITY_IS_DELETED", "entity is deleted", [])

    def _check_unique(self, kind: ObjectType, row: Row, values: Row) -> None:
        for name, value in values.items():
            field = kind.fields[name.lower()]
            if not field.unique or value is None:
                continue
            for other in self.ids_by(kind, field, value):
                if other != row["Id"]:
                    message = f"duplicate value found: {field.name} duplicates value on record with id: {other[:15]}"
                    raise VendorError("DUPLICATE_VALUE", message, [])

    def _let_go(self, object_name: str, field: Field, row_id: str, row: Row) -> None:
        kind = self.kind(object_name)
        for dependant in self.ids_by(kind, field, row_id):
            if field.on_delete == "cascade":
                self.delete(kind, dependant)
            elif field.on_delete == "restrict":
                message = (
                    f"Your attempt to delete {row.get('Name') or row_id} could not be completed because it is "
                    f"associated with the following {kind.plural.lower()}.: {dependant}"
                )
                raise VendorError("DELETE_FAILED", message, [])
            else:
                self.touch(object_name, dependant, **{field.name: None})


def id_of(kind: ObjectType, given: str) -> str | None:
    """The 18-character id that ``given`` is, if it is one of this object's."""
    full = full_id(given)
    return full if full is not None and full.startswith(kind.prefix) else None
