"""Entity types, navigation, functions and services, and the short notation in which they are written down.

A line that begins in the first column names an entity set and may say ``etag=Property``; indented words below it
are properties ``Name:Type`` with flags; indented lines that begin with ``>`` are navigations
``> name Target* Local=Remote,…`` (``*`` many, ``?`` none or one, ``1`` exactly one).

Types: ``S10`` string of 10, ``A`` amount, ``Q`` quantity, ``R`` rate, ``N5.2`` other decimal, ``D`` date,
``M`` date and time, ``O`` instant, ``T`` time of day, ``B`` boolean, ``I`` Int32, ``L`` Int64, ``G`` guid. Flags: ``*`` key, ``@`` number
with SAP's ALPHA conversion, ``#`` item number, ``=`` only SAP sets it, ``+`` set at creation only, ``-`` only by a change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox.edm import Property, scaled
from isthmus.sandkit.world import Row, quoted

_WORD = re.compile(r"(\w+):([SAQRNDMOTBILG])(\d+)?(?:\.(\d+))?([*@#=+-]*)")
_EDM = {
    "S": "Edm.String",
    "A": "Edm.Decimal",
    "Q": "Edm.Decimal",
    "R": "Edm.Decimal",
    "N": "Edm.Decimal",
    "D": "Edm.DateTime",
    "M": "Edm.DateTime",
    "O": "Edm.DateTimeOffset",
    "T": "Edm.Time",
    "B": "Edm.Boolean",
    "I": "Edm.Int32",
    "L": "Edm.Int64",
    "G": "Edm.Guid",
}
_ZERO = Decimal(0)
_DECIMALS = {"A": (16, 3, "0.00"), "Q": (15, 3, "0.000"), "R": (24, 9, "0.000000000")}


@dataclass(frozen=True, slots=True)
class Navigation:
    """A way from one entity to others: their entity set, how many there are, and which columns must be equal."""

    name: str
    target: str
    many: bool
    required: bool
    joins: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class EntityType:
    """An entity type, its entity set's name and its living list of properties (custom fields come and go)."""

    name: str
    properties: dict[str, Property]
    navigations: dict[str, Navigation]
    etag: str = ""
    texts: list[tuple[str, Callable[[Any], str]]] = field(default_factory=list)
    template: str = ""
    initial: Row = field(default_factory=dict)
    keys: list[Property] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = [prop for prop in self.properties.values() if prop.key]
        self.refresh()

    @property
    def type_name(self) -> str:
        """The type's name; the entity set has it without ``Type``."""
        return f"{self.name}Type"

    def refresh(self) -> None:
        """Work out anew what is kept for speed, after the properties changed."""
        self.texts = [(prop.name, prop.json_text()) for prop in self.properties.values()]
        self.template = ",".join(f'"{name}":%s' for name in self.properties)
        self.initial = {prop.name: prop.default for prop in self.properties.values()}

    def default_order(self) -> str:
        """SQL that orders by key; item numbers as numbers."""
        return ", ".join(
            f"length({quoted(prop.name)}), {quoted(prop.name)}" if prop.numc else quoted(prop.name)
            for prop in self.keys
        )

    def table(self) -> str:
        """The SQL that makes the entity set's table."""
        columns = []
        for prop in self.properties.values():
            default = "" if prop.default is None else f" DEFAULT {_sql_literal(prop.default)}"
            columns.append(f"{quoted(prop.name)} {prop.sql}{' NOT NULL' if prop.key else default}")
        keys = ", ".join(quoted(prop.name) for prop in self.keys)
        body = f"{', '.join(columns)}, PRIMARY KEY ({keys})"
        return f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} ({body}) WITHOUT ROWID;"


@dataclass(frozen=True, slots=True)
class Complex:
    """A complex type, as function imports answer it."""

    name: str
    properties: dict[str, Property]


@dataclass(frozen=True, slots=True)
class Function:
    """A function import. ``many`` says that it answers a list; ``act`` names what does the work."""

    name: str
    method: str
    parameters: dict[str, Property]
    returns: Complex
    many: bool = False


@dataclass(slots=True)
class ODataService:
    """One OData service: the entity sets that can be addressed, those only reached by navigation, its functions."""

    name: str
    path: str
    entities: dict[str, EntityType]
    functions: dict[str, Function]
    navigations: dict[str, list[Navigation]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.navigations = {
            name: [nav for nav in entity.navigations.values() if nav.target in self.entities]
            for name, entity in self.entities.items()
        }

    def navigation(self, entity: EntityType, name: str) -> Navigation | None:
        """The navigation of this name, if the service offers it."""
        return next((nav for nav in self.navigations[entity.name] if nav.name == name), None)


def read_property(word: str) -> Property:
    """A property from its notation. Raises ValueError for a word that is none."""
    match = _WORD.fullmatch(word)
    if not match:
        raise ValueError(f"{word!r} is no property; expected Name:Type with a type such as S10, A, Q, R, D, O or B")
    name, kind, size, fraction, flags = match.groups()
    made = Property(
        name,
        _EDM[kind],
        length=int(size or 0) if kind == "S" else 0,
        key="*" in flags,
        alpha="@" in flags,
        numc="#" in flags,
        creatable="=" not in flags and "-" not in flags,
        updatable="=" not in flags and "+" not in flags and "*" not in flags,
        date_only=kind == "D",
        amount=kind == "A",
    )
    if kind in _DECIMALS:
        made.precision, made.scale, made.default = _DECIMALS[kind]
    elif kind == "N":
        made.precision, made.scale = int(size), int(fraction or 0)
        made.default = scaled(_ZERO, made.scale)
    elif kind in "DMOTG":
        made.default = None
    elif kind in "BI":
        made.default = 0
    elif kind == "L":
        made.default = "0"
    return made


def read_properties(words: str) -> dict[str, Property]:
    """Properties from words of the notation, by name."""
    return {prop.name: prop for prop in map(read_property, words.split())}


def read_entities(text: str) -> dict[str, EntityType]:
    """The entity types of a text in the notation, by entity set."""
    found: dict[str, EntityType] = {}
    for block in re.split(r"\n(?=\S)", text.strip()):
        head, *lines = block.splitlines()
        name, _, etag = head.partition(" etag=")
        ways = [line.strip()[1:] for line in lines if line.lstrip().startswith(">")]
        words = " ".join(line for line in lines if not line.lstrip().startswith(">"))
        navigations = {nav.name: nav for nav in map(_read_navigation, ways)}
        found[name] = EntityType(name, read_properties(words), navigations, etag.strip())
    return found


def _read_navigation(line: str) -> Navigation:
    name, target, joins = line.split()
    pairs = tuple((local, remote or local) for local, _, remote in (pair.partition("=") for pair in joins.split(",")))
    return Navigation(name, target[:-1], target[-1] == "*", target[-1] == "1", pairs)


def _sql_literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
