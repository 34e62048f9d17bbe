"""Reads a company's folder: isthmus.yaml, mappings/<connection or connector>/<file>, rules/*.yaml.

Nothing is refused here; the checks look at what was read, whole or broken, so that one mistake hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isthmus.catalogue.blueprint import Blueprint
from isthmus.catalogue.connector import Connector, Operation
from isthmus.catalogue.document import Document, parse_document, read_document
from isthmus.catalogue.registry import BlueprintFolder, ConnectorFolder, Registry, read_codes
from isthmus.landscape.formats import read_blueprint
from isthmus.landscape.process_source import Source, read_source
from isthmus.landscape.settings_schema import settings_schema

FILE = "isthmus.yaml"
CODES = "codes.yaml"


@dataclass
class Landscape:
    """A folder as it stands. Sections and entries of the wrong shape are left out of what the methods give."""

    path: Path
    registry: Registry
    document: Document
    missing: bool = False
    #: (connection or connector, file) → where the landscape's own mapping or codes.yaml stands
    overrides: dict[tuple[str, str], Path] = field(default_factory=dict)
    rules: dict[str, Document] = field(default_factory=dict)
    sources: dict[Path, Source] = field(default_factory=dict)

    def entries(self, section: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and entry of each well-formed entry of a section."""
        value = self.document.value.get(section) if isinstance(self.document.value, dict) else None
        for name, entry in value.items() if isinstance(value, dict) else ():
            if isinstance(entry, dict):
                yield name, entry

    def names(self, section: str) -> list[str]:
        """The names that stand in a section."""
        value = self.document.value.get(section) if isinstance(self.document.value, dict) else None
        return list(value) if isinstance(value, dict) else []

    def shown(self, path: Path) -> str:
        """A file of the folder as people see it."""
        return path.relative_to(self.path).as_posix() if path.is_relative_to(self.path) else path.as_posix()

    @cached_property
    def connections(self) -> dict[str, ConnectorFolder]:
        """Connection → its connector's folder, where both are known."""
        folders = self.registry.connectors
        named = ((name, str(entry.get("connector"))) for name, entry in self.entries("connections"))
        return {name: folders[connector] for name, connector in named if connector in folders}

    @cached_property
    def connectors(self) -> dict[str, ConnectorFolder]:
        """The connectors that the landscape's connections use."""
        return {folder.name: folder for folder in self.connections.values()}

    def descriptor(self, connection: str) -> Connector | None:
        """What a connection's application is; None where it is unknown or its descriptor is broken."""
        folder = self.connections.get(connection)
        return parsed(folder) if folder else None

    @cached_property
    def known_roles(self) -> set[str]:
        """Every role that some connection can play."""
        return {role for connection in self.connections for role in self.played(connection)}

    def played(self, connection: str) -> list[str]:
        """The roles that a connection can play; none where its descriptor is broken."""
        descriptor = self.descriptor(connection)
        return descriptor.roles if descriptor else []

    def roles(self, unit: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Role and connection, as a unit's entry has them."""
        roles = unit.get("roles")
        for role, connection in roles.items() if isinstance(roles, dict) else ():
            if isinstance(connection, str):
                yield role, connection

    def settings_schema(self, connection: str) -> dict[str, Any] | None:
        """The JSON Schema of a connection's settings, also where the rest of the descriptor is broken."""
        folder = self.connections.get(connection)
        if folder is None or not (folder.path / "connector.yaml").is_file():
            return None
        return settings_schema(folder.document)

    def operations(self, role: str) -> dict[str, list[Operation]]:
        """What the connections that fill a role anywhere can be asked: operation → each one's way of doing it."""
        fillers = {c for _, unit in self.entries("business_units") for r, c in self.roles(unit) if r == role}
        found: dict[str, list[Operation]] = {}
        for connection in sorted(fillers):
            descriptor = self.descriptor(connection)
            for name, operation in descriptor.operations.items() if descriptor else ():
                found.setdefault(name, []).append(operation)
        return found

    def blueprint(self, process: dict[str, Any]) -> BlueprintFolder | None:
        """The folder a process entry comes from: a blueprint, or the folder of the landscape's own code."""
        if isinstance(code := process.get("code"), str):
            folder = (self.path / code.rpartition(":")[0]).parent
            inside = folder.is_relative_to(self.path) and (folder / "blueprint.yaml").exists()
            return BlueprintFolder(folder.name, folder, shown=self.shown(folder)) if inside else None
        try:
            name, _ = read_blueprint(str(process.get("blueprint", "")))
        except ValueError:
            return None
        return self.registry.blueprints.get(name)

    def source(self, file: Path, blueprint: Blueprint) -> Source:
        """What a process's file says, read once."""
        if file not in self.sources:
            self.sources[file] = read_source(file, blueprint.roles)
        return self.sources[file]

    def mapping_text(self, connection: str, file: str) -> tuple[str, str] | None:
        """A mapping's text and how its place is shown, overrides first; None where nobody has it."""
        folder = self.connections[connection]
        for owner in (connection, folder.name):
            if path := self.overrides.get((owner, file)):
                return path.read_text("utf-8", errors="replace"), self.shown(path)
        if folder.mapping_path(file).exists():
            return folder.mapping_text(file), folder.shown(f"mappings/{file}")
        return None

    def codes(self, connection: str) -> dict[str, dict[str, str]]:
        """A connection's code tables: its connector's, with the landscape's own rows in them."""
        folder = self.connections[connection]
        tables = {name: dict(rows) for name, rows in folder.codes().items()}
        for owner in dict.fromkeys((folder.name, connection)):
            if path := self.overrides.get((owner, CODES)):
                for name, rows in read_codes(path).items():
                    tables.setdefault(name, {}).update(rows)
        return tables

    def mapping_files(self, connection: str) -> list[str]:
        """Every mapping of a connection: its connector's, and the landscape's own."""
        folder = self.connections[connection]
        own = {file for owner, file in self.overrides if owner in (connection, folder.name) and file != CODES}
        return sorted(own | set(folder.mapping_files()))


def read_landscape(path: Path, registry: Registry) -> Landscape:
    """Read what stands in a folder."""
    file = path / FILE
    if not file.is_file():
        return Landscape(path, registry, parse_document("", file=FILE), missing=True)
    landscape = Landscape(path, registry, read_document(file, shown_as=FILE))
    for found in sorted((path / "mappings").glob("*/*")):
        if found.suffix in (".jsonata", ".yaml"):
            landscape.overrides[found.parent.name, found.name] = found
    for found in sorted((path / "rules").glob("*.yaml")):
        landscape.rules[found.stem] = read_document(found, shown_as=landscape.shown(found))
    return landscape


def parsed(folder: ConnectorFolder) -> Connector | None:
    """A connector's descriptor; None where it is absent or broken (which its own check reports)."""
    try:
        return folder.descriptor
    except (OSError, ValueError, ValidationError):
        return None


def parsed_blueprint(folder: BlueprintFolder) -> Blueprint | None:
    """A blueprint's descriptor; None where it is absent or broken."""
    try:
        return folder.descriptor
    except (OSError, ValueError, ValidationError):
        return None
