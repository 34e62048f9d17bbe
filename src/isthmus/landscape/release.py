"""A release: a landscape compiled to what the running layers obey. Immutable, known by the hash of its content.

What may happen is decided when it is compiled; at run time every room asks the release and nobody reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from isthmus.catalogue.connector import Connector, Limits, Operation
from isthmus.catalogue.registry import ConnectorFolder, Registry
from isthmus.landscape.finding import did_you_mean
from isthmus.landscape.rules import Rule
from isthmus.landscape.secrets import resolve
from isthmus.mapping.expression import Expression, compile_expression
from isthmus.mapping.mapping import FieldAddition, compile_mapping
from isthmus.mapping.mapping import Mapping as FieldMapping
from isthmus.model.party import BusinessUnit


@dataclass(frozen=True)
class ConnectionPlan:
    """One account at a vendor. ``settings`` are as written, so what is secret still is a reference."""

    name: str
    connector: Connector
    settings: Mapping[str, Any]
    limits: Limits
    #: how long the vendor may work on a call, where the landscape knows better than the connector
    deadline_s: float | None
    settle_s: float
    folder: ConnectorFolder
    #: mapping file → text, the landscape's overrides applied
    mappings: Mapping[str, str]
    #: mapping file → who wrote it, for errors: a path relative to the landscape, or ``<connector>/mappings/<file>``
    mapping_places: Mapping[str, str]
    #: mapping file → the company's own fields added to it
    additions: Mapping[str, Sequence[FieldAddition]]
    #: vendor's object → the company's own fields that must be read along
    extra_fields: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, Mapping[str, str]]
    #: further hosts to which its sign-in may send calls
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnitPlan:
    """A business unit: who it is, which connection fills which role, and its values for mappings."""

    code: str
    business_unit: BusinessUnit
    roles: Mapping[str, str]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class ProcessPlan:
    """A process the landscape plays. ``code`` is ``package.module:function``, or ``path/to/file.py:function`` below
    ``folder``. ``settings`` are read as their format says: a percentage is a Decimal, an amount Money, a duration a
    timedelta, a date a date; defaults are filled in."""

    name: str
    version: int
    blueprint: str
    code: str
    starts_on: tuple[str, ...]
    settings: Mapping[str, Any]
    uses: Mapping[str, tuple[str, ...]]
    units: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class ServiceLevel:
    """Between two events of one document no more than ``within_s`` seconds; else ``tell`` hears of it."""

    name: str
    begins: str
    ends: str
    within_s: float
    tell: str


@dataclass(frozen=True)
class Holder:
    """Who holds an API key: only its hash is known here."""

    name: str
    key_hash: str
    scopes: tuple[str, ...]
    title: str = ""
    expires: str | None = None


@dataclass(frozen=True)
class Quiet:
    """Hours of the day (``20:00`` to ``07:00``) in a time zone."""

    begins: str
    ends: str
    time_zone: str

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours end that ``now`` lies in; None where it lies in none."""
        here = now.astimezone(ZoneInfo(self.time_zone))
        of_day = here.strftime("%H:%M")
        over_night = self.begins > self.ends
        quiet = of_day >= self.begins or of_day < self.ends if over_night else self.begins <= of_day < self.ends
        if not quiet:
            return None
        day = here.date() + timedelta(days=1) if over_night and of_day >= self.begins else here.date()
        return datetime.combine(day, time.fromisoformat(self.ends), ZoneInfo(self.time_zone)).astimezone(UTC)


@dataclass(frozen=True)
class Desk:
    """People who are told, decide and mend. ``alert_url`` and the addresses of ``tell`` may be references."""

    name: str
    title: str
    alert_url: str | None = None
    tell: tuple[str, ...] = ()
    quiet: Quiet | None = None
    #: who decides its approvals, by name; none: whoever may decide at all
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditPlan:
    """Where the audit's head is published: ``(kind, place)`` of file, git, tell. Key and places may be references."""

    key: str
    publish: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Oidc:
    """Where people sign in to the console, and which value of a claim gives which access role."""

    issuer: str
    client_id: str
    client_secret: str | None
    scopes: tuple[str, ...]
    name_claim: str
    roles_claim: str
    roles: Mapping[str, str]


@dataclass(frozen=True)
class Environment:
    """Where the landscape runs. Values may be references."""

    name: str
    database: str = "sqlite"
    otlp: str | None = None
    public_url: str | None = None
    console_url: str | None = None


@dataclass(frozen=True, eq=False)
class Release:
    """What runs. Built by ``compile_release``; two releases with one ``id`` are the same in every respect."""

    id: str
    name: str
    folder: Path
    environment: Environment
    units: Mapping[str, UnitPlan]
    connections: Mapping[str, ConnectionPlan]
    processes: Mapping[str, ProcessPlan]
    service_levels: Mapping[str, ServiceLevel] = field(default_factory=dict)
    access: Mapping[str, Holder] = field(default_factory=dict)
    desks: Mapping[str, Desk] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    #: kind of data → how long its contents are kept; for ever where it is not named
    retention: Mapping[str, timedelta] = field(default_factory=dict)
    audit: AuditPlan | None = None
    oidc: Oidc | None = None
    #: whether people may sign in to the console by password
    local_people: bool = True
    _compiled: dict[Any, Any] = field(default_factory=dict, repr=False)

    def operation(self, unit: str, role: str, name: str) -> tuple[ConnectionPlan, Operation]:
        """Who does ``role.name`` for the unit, and how. Raises KeyError in words."""
        if unit not in self.units:
            raise KeyError(f"no business unit is called {unit!r}; {did_you_mean(unit, self.units)}")
        roles = self.units[unit].roles
        if role not in roles:
            raise KeyError(f"business unit {unit!r} gives the role {role!r} to no connection")
        connection = self.connections[roles[role]]
        operations = connection.connector.operations
        if name not in operations:
            raise KeyError(f"{connection.connector.title} cannot {role}.{name}; {did_you_mean(name, operations)}")
        return connection, operations[name]

    def mapping(self, connection: str, file: str) -> FieldMapping:
        """A connection's mapping, the landscape's overrides and own fields applied; compiled once."""
        plan, name = self.connections[connection], file.removeprefix("mappings/")
        key = (connection, name)
        if key not in self._compiled:
            if name not in plan.mappings:
                raise KeyError(f"{plan.connector.title} has no mapping {name!r}; {did_you_mean(name, plan.mappings)}")
            self._compiled[key] = compile_mapping(
                plan.mappings[name],
                file=plan.mapping_places[name],
                additions=plan.additions.get(name, ()),
                codes=plan.codes,
            )
        compiled: FieldMapping = self._compiled[key]
        return compiled

    def expression(self, text: str, *, connection: str | None = None) -> Expression:
        """An expression of a descriptor, compiled once; with the code tables of ``connection`` where it is named."""
        key = (text, connection, "expression")
        if key not in self._compiled:
            codes = self.connections[connection].codes if connection else None
            self._compiled[key] = compile_expression(text, codes=codes)
        compiled: Expression = self._compiled[key]
        return compiled

    def unit_of(self, connection: str, values: Mapping[str, Any]) -> str | None:
        """The business unit that a message of the connection belongs to; None where that cannot be told.

        The only unit that uses the connection; among several the one whose code is ``values["unit"]``, or else the
        one whose own values agree with all given ones it knows (at least one).
        """
        users = [unit for unit in self.units.values() if connection in unit.roles.values()]
        if len(users) == 1:
            return users[0].code
        if (code := values.get("unit")) is not None:
            return next((unit.code for unit in users if unit.code == code), None)
        agreeing = [unit.code for unit in users if _agrees(unit.values, values)]
        return agreeing[0] if len(agreeing) == 1 else None

    def secret_settings(self, connection: str) -> dict[str, str]:
        """All settings of a connection, references resolved now. Raises SecretMissing, which names the setting."""
        plan = self.connections[connection]
        return {name: self._resolved(plan, name, value) for name, value in plan.settings.items() if value is not None}

    def public_settings(self, connection: str) -> dict[str, str]:
        """The settings that mappings may see: resolved, without those the connector marks as secret."""
        plan = self.connections[connection]
        secret = secret_names(plan.connector.settings)
        return {
            name: self._resolved(plan, name, value)
            for name, value in plan.settings.items()
            if value is not None and name not in secret
        }

    def _resolved(self, plan: ConnectionPlan, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return resolve(value, setting=f"connections.{plan.name}.settings.{name}", folder=self.folder)


def compile_release(folder: Path, environment: str = "dev", *, registry: Registry | None = None) -> Release:
    """Read, check and compile the landscape in ``folder``. Raises LandscapeProblems where a finding is an error."""
    from isthmus.landscape.compiling import compiled

    return compiled(folder, environment, registry)


def secret_names(settings: Mapping[str, Any]) -> set[str]:
    """The settings that a connector's ``settings`` (a JSON Schema) mark as secret: ``writeOnly``."""
    properties: Mapping[str, Any] = settings.get("properties", {})
    return {name for name, schema in properties.items() if isinstance(schema, dict) and schema.get("writeOnly")}


def _agrees(own: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    both = [name for name, value in given.items() if name in own and value is not None]
    return bool(both) and all(str(own[name]) == str(given[name]) for name in both)
