"""What objects and fields the organization has: kept in the world, so that an added field shows everywhere at once.

``objects.csv`` holds the standard objects as Salesforce ships them plus what our administrators added. Its modes:
c createable, u updateable, r required, d defaulted, x external id, q unique, a auto number. A reference reads
``targets/relationship/child relationship/what a delete of the parent does``.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any

from isthmus.sandkit.world import World, quoted

#: name, id prefix, plural label, whether rows may be made and removed through the API
OBJECTS = (
    ("Account", "001", "Accounts", True),
    ("Contact", "003", "Contacts", True),
    ("Opportunity", "006", "Opportunities", True),
    ("OpportunityLineItem", "00k", "Opportunity Product", True),
    ("Product2", "01t", "Products", True),
    ("Pricebook2", "01s", "Price Books", True),
    ("PricebookEntry", "01u", "Price Book Entries", True),
    ("Contract", "800", "Contracts", True),
    ("Order", "801", "Orders", True),
    ("OrderItem", "802", "Order Products", True),
    ("Quote", "0Q0", "Quotes", True),
    ("QuoteLineItem", "0QL", "Quote Line Items", True),
    ("Case", "500", "Cases", True),
    ("CaseComment", "00a", "Case Comments", True),
    ("Entitlement", "550", "Entitlements", True),
    ("Task", "00T", "Tasks", True),
    ("Event", "00U", "Events", True),
    ("User", "005", "Users", False),
    ("Organization", "00D", "Organizations", False),
)
TEXTS = frozenset({"string", "textarea", "picklist", "email", "phone", "url"})
NUMBERS = frozenset({"currency", "double", "percent"})
IDS = frozenset({"id", "reference"})
_SYSTEM = """Id,id,18,
IsDeleted,boolean,,
CreatedDate,datetime,,
CreatedById,reference,18,User/CreatedBy//restrict
LastModifiedDate,datetime,,
LastModifiedById,reference,18,User/LastModifiedBy//restrict
SystemModstamp,datetime,,"""
#: columns that have no index of their own kind but are looked for all the time
_LOOKED_FOR = {("Product2", "ProductCode"), ("Account", "AccountNumber"), ("Contact", "Email"), ("User", "Username")}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object, as ``describe`` tells it. ``scale`` is the decimals a number keeps."""

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    createable: bool = False
    updateable: bool = False
    required: bool = False
    defaulted: bool = False
    unique: bool = False
    external_id: bool = False
    auto_number: bool = False
    targets: tuple[str, ...] = ()
    relationship: str = ""
    child_relationship: str = ""
    on_delete: str = ""  # cascade, restrict, clear
    picklist: tuple[str, ...] = ()
    default: str | None = None

    @property
    def custom(self) -> bool:
        """Whether an administrator added it."""
        return self.name.endswith("__c")

    @property
    def label(self) -> str:
        """The name as people read it."""
        if self.custom:
            return self.name[:-3].replace("_", " ")
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name.removesuffix("Id")) + (
            " ID" if self.name.endswith("Id") else ""
        )

    @property
    def nillable(self) -> bool:
        """Whether it may be empty."""
        system = self.type == "id" or self.name in _ALWAYS_FILLED
        return not (self.required or self.defaulted or self.auto_number or self.type == "boolean" or system)

    @property
    def filterable(self) -> bool:
        """Whether WHERE and ORDER BY may name it: long text may not."""
        return not (self.type == "textarea" and self.length > 255)

    @property
    def column_type(self) -> str:
        """The SQLite type of its column. Numbers stay text, so that no decimal is lost."""
        if self.type in ("boolean", "int"):
            return "INTEGER"
        return "TEXT COLLATE NOCASE" if self.type in TEXTS else "TEXT"


_ALWAYS_FILLED = {"CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"}


@dataclass(slots=True)
class ObjectType:
    """One object type. ``fields`` is by lower-case name and in order; ``parents`` by lower-case relationship."""

    name: str
    prefix: str
    plural: str
    open: bool  # rows may be made and removed through the API
    fields: dict[str, Field]
    parents: dict[str, Field]
    children: dict[str, tuple[str, Field]]  # child relationship → (object, its reference field)
    dependants: list[tuple[str, Field]]  # everything that refers to this object

    def field(self, name: str) -> Field | None:
        """A field by name, in any case."""
        return self.fields.get(name.lower())

    @property
    def name_field(self) -> str:
        """The field people call a row by."""
        own = (f"{self.name}Number", "CaseNumber", "OrderItemNumber", "LineNumber", "Subject")
        candidates = ("Name", *own) if "name" in self.fields else own
        return next((n for n in candidates if n.lower() in self.fields), "Id")


class Catalogue:
    """All object types of the world, in memory; ``version`` changes whenever a field comes or goes."""

    def __init__(self, world: World) -> None:
        """Opens the world's metadata, and makes it with its tables where the world is empty."""
        self._world = world
        self.version = 0
        world.script("CREATE TABLE IF NOT EXISTS _field (object TEXT, name TEXT, position INTEGER, definition TEXT)")
        if not world.value("SELECT count(*) FROM _field"):
            self._create()
        self._load()

    def object(self, name: str) -> ObjectType | None:
        """An object type by name, in any case."""
        return self.objects.get(name.lower())

    def of_id(self, full: str) -> ObjectType | None:
        """The object type to which an id belongs."""
        return self._by_prefix.get(full[:3])

    def add(self, object_name: str, field: Field) -> None:
        """Add a field to a living object."""
        kind = self.objects[object_name.lower()]
        self._world.add_column(kind.name, field.name, field.column_type)
        if field.type == "boolean":
            self._world.execute(f"UPDATE {quoted(kind.name)} SET {quoted(field.name)} = 0")
        self._keep(kind.name, field, 1000 + len(kind.fields))
        for statement in _indexes(kind.name, [field]):
            self._world.execute(statement)
        self._load()

    def remove(self, object_name: str, name: str) -> None:
        """Take a field away from a living object."""
        kind = self.objects[object_name.lower()]
        field = kind.fields[name.lower()]
        self._world.execute(f"DROP INDEX IF EXISTS {quoted(f'{kind.name}.{field.name}')}")
        self._world.drop_column(kind.name, field.name)
        self._world.execute("DELETE FROM _field WHERE object = ? AND name = ?", (kind.name, field.name))
        self._load()

    def _keep(self, object_name: str, field: Field, position: int) -> None:
        row = {"object": object_name, "name": field.name, "position": position}
        self._world.insert("_field", {**row, "definition": json.dumps(asdict(field))})

    def _create(self) -> None:
        standard = _read_standard()
        for name, *_ in OBJECTS:
            fields = standard[name]
            columns = ", ".join(f"{quoted(f.name)} {f.column_type}" for f in fields)
            columns = columns.replace('"Id" TEXT', '"Id" TEXT PRIMARY KEY', 1)
            self._world.execute(f"CREATE TABLE {quoted(name)} ({columns})")
            for statement in _indexes(name, fields):
                self._world.execute(statement)
            self._world.execute(
                f'CREATE INDEX {quoted(f"{name}.SystemModstamp")} ON {quoted(name)} ("SystemModstamp", "Id")'
            )
            for position, field in enumerate(fields):
                self._keep(name, field, position)

    def _load(self) -> None:
        self.version += 1
        self.objects: dict[str, ObjectType] = {
            name.lower(): ObjectType(name, prefix, plural, open_, {}, {}, {}, [])
            for name, prefix, plural, open_ in OBJECTS
        }
        self._by_prefix = {kind.prefix: kind for kind in self.objects.values()}
        for row in self._world.rows("SELECT object, definition FROM _field ORDER BY object, position"):
            field, kind = _field_of(json.loads(row["definition"])), self.objects[row["object"].lower()]
            kind.fields[field.name.lower()] = field
            if len(field.targets) == 1:
                kind.parents[field.relationship.lower()] = field
            for target in field.targets:
                parent = self.objects[target.lower()]
                parent.dependants.append((kind.name, field))
                if field.child_relationship:
                    parent.children[field.child_relationship.lower()] = (kind.name, field)


def new_field(name: str, kind: str, size: str = "", mode: str = "cu", reference: str = "", values: str = "") -> Field:
    """A field from the words of ``objects.csv``. Raises ValueError for a type that no field has."""
    if kind not in TEXTS | NUMBERS | IDS | {"boolean", "int", "date", "datetime"}:
        raise ValueError(f"field {name}: type {kind!r} is unknown; expected string, picklist, currency, double, …")
    targets, relationship, children, on_delete = (*reference.split("/"), "", "", "")[:4]
    options = values.split("|") if values else []
    default = next((option[1:] for option in options if option.startswith("*")), None)
    field = Field(
        name=name,
        type=kind,
        createable="c" in mode,
        updateable="u" in mode,
        required="r" in mode,
        defaulted="d" in mode,
        external_id="x" in mode,
        unique="q" in mode,
        auto_number="a" in mode,
        targets=tuple(targets.split("+")) if targets else (),
        relationship=relationship,
        child_relationship=children,
        on_delete=on_delete,
        picklist=tuple(option.lstrip("*") for option in options),
        default=default,
    )
    if kind in NUMBERS:
        whole, _, scale = (size or "18.2").partition(".")
        return replace(field, precision=int(whole), scale=int(scale or 0))
    return replace(field, length=int(size or 255) if kind in TEXTS | IDS else 0)


def _read_standard() -> dict[str, list[Field]]:
    """The fields of all objects from ``objects.csv``, each list with the system's fields around the object's own."""
    text = files(__package__).joinpath("objects.csv").read_text("utf-8")
    own: dict[str, list[Field]] = {name: [] for name, *_ in OBJECTS}
    for row in csv.DictReader(text.splitlines()):
        size, mode, values = row["size"], row["mode"], row["values"]
        own[row["object"]].append(new_field(row["field"], row["type"], size, mode, row["reference"], values))
    parts = [line.split(",") for line in _SYSTEM.splitlines()]
    system = [new_field(field, kind, size, "", reference) for field, kind, size, reference in parts]
    return {name: [*system[:2], *fields, *system[2:]] for name, fields in own.items()}


def _indexes(table: str, fields: Iterable[Field]) -> list[str]:
    made = []
    for field in fields:
        found_by = field.unique or field.external_id or (field.on_delete and "User" not in field.targets)
        if found_by or (table, field.name) in _LOOKED_FOR:
            index = quoted(f"{table}.{field.name}")
            made.append(f"CREATE INDEX {index} ON {quoted(table)} ({quoted(field.name)})")
    return made


def _field_of(definition: dict[str, Any]) -> Field:
    lists = {"targets": tuple(definition["targets"]), "picklist": tuple(definition["picklist"])}
    return Field(**{**definition, **lists})
