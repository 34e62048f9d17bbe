"""Finds connectors and blueprints by entry point, as data: no code of theirs is imported to read what they say.

A third party's package goes the same way as ours: an entry point of the group ``isthmus.connectors`` or
``isthmus.blueprints`` whose value is the package that holds ``connector.yaml`` or ``blueprint.yaml``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from isthmus.catalogue.blueprint import Blueprint
from isthmus.catalogue.connector import Connector
from isthmus.catalogue.document import Document, read_document

CONNECTORS = "isthmus.connectors"
BLUEPRINTS = "isthmus.blueprints"


@dataclass(frozen=True)
class Registry:
    """Every connector and blueprint that a landscape may name."""

    connectors: Mapping[str, ConnectorFolder]
    blueprints: Mapping[str, BlueprintFolder]


def registry(extra: Iterable[Path] = ()) -> Registry:
    """What is installed, and the folders in ``extra`` that hold a connector.yaml or a blueprint.yaml."""
    extra = list(extra)
    return Registry(connectors(extra), blueprints(extra))


def connectors(extra: Iterable[Path] = ()) -> dict[str, ConnectorFolder]:
    """Every connector by name. A folder of ``extra`` stands before an installed one of its name."""
    found = {name: ConnectorFolder(name, path, module) for name, path, module in _installed(CONNECTORS)}
    found |= {path.name: ConnectorFolder(path.name, path) for path in extra if (path / "connector.yaml").exists()}
    return found


def blueprints(extra: Iterable[Path] = ()) -> dict[str, BlueprintFolder]:
    """Every blueprint by name. A folder of ``extra`` stands before an installed one of its name."""
    found = {name: BlueprintFolder(name, path, module) for name, path, module in _installed(BLUEPRINTS)}
    found |= {path.name: BlueprintFolder(path.name, path) for path in extra if (path / "blueprint.yaml").exists()}
    return found


@dataclass(frozen=True)
class ConnectorFolder:
    """A vendor's folder: connector.yaml, operations/, mappings/, schema/, quirks.py, each read when first asked for.

    What a vendor is asked about one topic may stand in ``operations/<topic>.yaml``: operations by name.
    """

    name: str
    path: Path
    module: str | None = None

    @cached_property
    def document(self) -> Document:
        """connector.yaml with places. Raises OSError where there is none."""
        return read_document(self.path / "connector.yaml", shown_as=self.shown("connector.yaml"), numbers=True)

    @cached_property
    def topics(self) -> list[Document]:
        """operations/<topic>.yaml with places."""
        files = sorted((self.path / "operations").glob("*.yaml"))
        return [read_document(file, shown_as=self.shown(f"operations/{file.name}"), numbers=True) for file in files]

    @cached_property
    def descriptor(self) -> Connector:
        """The parsed descriptor. Raises pydantic's ValidationError, or ValueError where it is not YAML."""
        for document in (self.document, *self.topics):
            for mistake in document.mistakes:
                raise ValueError(f"{document.file}:{mistake.position.line}: {mistake.what}; {mistake.mend}")
        return Connector.model_validate(self.whole())

    def whole(self) -> Any:
        """The descriptor's value: connector.yaml with the operations of every topic."""
        value = self.document.value
        if not isinstance(value, dict) or not self.topics:
            return value
        operations = dict(value.get("operations") or {})
        for topic in self.topics:
            operations |= topic.value if isinstance(topic.value, dict) else {}
        return {**value, "operations": operations}

    def shown(self, file: str) -> str:
        """How people see a file of this folder: ``<connector>/<file>``."""
        return f"{self.name}/{file}"

    def mapping_path(self, file: str) -> Path:
        """Where a mapping stands that the descriptor names (with or without ``mappings/`` before it)."""
        return self.path / "mappings" / file.removeprefix("mappings/")

    def mapping_text(self, file: str) -> str:
        """A mapping's text. Raises OSError where there is none."""
        return self.mapping_path(file).read_text("utf-8")

    def mapping_files(self) -> list[str]:
        """Every mapping's name, such as ``order.outbound.jsonata``."""
        return sorted(file.name for file in (self.path / "mappings").glob("*.jsonata"))

    def schema(self, vendor_object: str) -> dict[str, Any] | None:
        """What we know of a vendor's object: ``{"object": …, "fields": {name: {"type": …}}}``; None: unknown."""
        return self._schemas.get(vendor_object)

    def schema_objects(self) -> list[str]:
        """The vendor's objects we know."""
        return sorted(self._schemas)

    @cached_property
    def _schemas(self) -> dict[str, dict[str, Any]]:
        files = (self.path / "schema").glob("*.json")
        read = [json.loads(file.read_text("utf-8")) for file in sorted(files)]
        return {str(schema["object"]): schema for schema in read}

    @cached_property
    def _codes(self) -> dict[str, dict[str, str]]:
        path = self.path / "mappings" / "codes.yaml"
        return read_codes(path) if path.exists() else {}

    def codes(self) -> dict[str, dict[str, str]]:
        """The tables of mappings/codes.yaml: name → our or their word → the other's."""
        return self._codes

    def quirks(self) -> ModuleType | None:
        """quirks.py, imported now; None where the connector has none."""
        path = self.path / "quirks.py"
        if not path.exists():
            return None
        return importlib.import_module(f"{self.module}.quirks") if self.module else _load(path, f"quirks_{self.name}")


@dataclass(frozen=True)
class BlueprintFolder:
    """A business process's folder: blueprint.yaml, its code, rules/, README.md and a sample landscape/."""

    name: str
    path: Path
    module: str | None = None
    shown: str | None = None

    @cached_property
    def document(self) -> Document:
        """blueprint.yaml with places. Raises OSError where there is none."""
        return read_document(self.path / "blueprint.yaml", shown_as=self.place("blueprint.yaml"), numbers=True)

    def place(self, file: str) -> str:
        """How people see a file of this folder."""
        return f"{self.shown or self.name}/{file}"

    @cached_property
    def descriptor(self) -> Blueprint:
        """The parsed blueprint.yaml. Raises pydantic's ValidationError, or ValueError where it is not YAML."""
        for mistake in self.document.mistakes:
            raise ValueError(f"{self.document.file}:{mistake.position.line}: {mistake.what}; {mistake.mend}")
        return Blueprint.model_validate(self.document.value)

    def code_files(self) -> list[Path]:
        """The blueprint's Python files, its sample landscape left out."""
        found = (file for file in self.path.rglob("*.py") if "landscape" not in file.relative_to(self.path).parts)
        return sorted(found)


def read_codes(path: Path) -> dict[str, dict[str, str]]:
    """A codes.yaml: tables of text. (Every word stays as written: ``NO`` is Norway.)"""
    value = read_document(path).value or {}
    return {str(table): {str(k): str(v) for k, v in (rows or {}).items()} for table, rows in value.items()}


def _installed(group: str) -> list[tuple[str, Path, str]]:
    found = []
    for entry in entry_points(group=group):
        path = _package_folder(entry.module)
        if path is not None:
            found.append((entry.name, path, entry.module))
    return sorted(found)


def _package_folder(module: str) -> Path | None:
    """The folder of a package, found from its top package's place, so that nothing of it is imported."""
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place).joinpath(*rest)
        if folder.is_dir():
            return folder
    return None


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"isthmus_extra_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
