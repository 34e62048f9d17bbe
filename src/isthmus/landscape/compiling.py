"""Compiles a checked landscape into a release, and gives it the name of its content.

The id is a hash over what can change what happens: isthmus.yaml, the landscape's own mappings, rules and code, and of
every connector and blueprint in use the files that run. Comments and the order of keys in YAML do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus.catalogue.document import Document, read_document
from isthmus.catalogue.registry import BlueprintFolder, Registry
from isthmus.catalogue.registry import registry as installed
from isthmus.landscape.additions import additions, of_mapping
from isthmus.landscape.checks import every_finding
from isthmus.landscape.checks.mappings import written_object
from isthmus.landscape.checks.processes import units_of
from isthmus.landscape.checks.units import business_unit
from isthmus.landscape.conforming import Conforming
from isthmus.landscape.finding import Finding, Findings, LandscapeProblems, did_you_mean
from isthmus.landscape.formats import read_duration, read_event
from isthmus.landscape.reading import FILE, Landscape, read_landscape
from isthmus.landscape.release import (
    AuditPlan,
    ConnectionPlan,
    Desk,
    Environment,
    Holder,
    Oidc,
    ProcessPlan,
    Quiet,
    Release,
    ServiceLevel,
    UnitPlan,
)
from isthmus.landscape.rules import Rule, RuleShape, compile_rule
from isthmus.landscape.shape import DeskShape, LandscapeShape

#: of a connector's folder what runs; its stand-in, examples and quality claims change nothing
_RUNS = ("connector.yaml", "operations/*.yaml", "quirks.py", "mappings/*", "schema/*.json")


def compiled(folder: Path, environment: str, registry: Registry | None) -> Release:
    """See ``release.compile_release``."""
    landscape = read_landscape(folder, registry or installed())
    if errors := [finding for finding in every_finding(landscape) if finding.level == "error"]:
        raise LandscapeProblems(errors)
    shape = LandscapeShape.model_validate(landscape.document.value)
    place = shape.environments.get(environment)
    if place is None:
        at = landscape.document.key_at("environments")
        what = f'environments has no "{environment}"'
        mend = did_you_mean(environment, shape.environments)
        raise LandscapeProblems([Finding(FILE, at.line, at.column, what, mend=mend)])
    return Release(
        id=release_id(landscape),
        name=shape.landscape,
        folder=folder,
        environment=Environment(name=environment, **place.model_dump()),
        units={code: _unit(landscape, code, shape) for code in shape.business_units},
        connections={name: _connection(landscape, name, shape) for name in shape.connections},
        processes={name: _process(landscape, name, entry) for name, entry in landscape.entries("processes")},
        service_levels={name: _service_level(name, shape) for name in shape.service_levels},
        access={name: Holder(name, **entry.model_dump()) for name, entry in shape.access.items()},
        desks={name: _desk(name, entry) for name, entry in shape.desks.items()},
        rules={name: _rule(name, document) for name, document in landscape.rules.items()},
        retention={kind: read_duration(keep) for kind, keep in shape.retention.model_dump().items() if keep},
        audit=_audit(shape),
        oidc=_oidc(shape),
        local_people=shape.console.local,
    )


def release_id(landscape: Landscape) -> str:
    """The name of a landscape's content: its own name and the beginning of the hash."""
    return f"{landscape.document.value['landscape']}-{content_hash(landscape)[:12]}"


def content_hash(landscape: Landscape) -> str:
    """SHA-256 over name and canonical content of every file that can change what happens."""
    digest = hashlib.sha256()
    for name, path in sorted(_files(landscape)):
        content = _canonical(path)
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _files(landscape: Landscape) -> Iterator[tuple[str, Path]]:
    yield FILE, landscape.path / FILE
    for path in landscape.overrides.values():
        yield landscape.shown(path), path
    for path in (landscape.path / "rules").glob("*.yaml"):
        yield landscape.shown(path), path
    for folder in landscape.connectors.values():
        for pattern in _RUNS:
            for path in folder.path.glob(pattern):
                yield f"connectors/{folder.name}/{path.relative_to(folder.path).as_posix()}", path
    for _, entry in landscape.entries("processes"):
        if blueprint := landscape.blueprint(entry):
            for path in [blueprint.path / "blueprint.yaml", *blueprint.code_files(), *_rules_of(blueprint)]:
                yield f"blueprints/{blueprint.name}/{path.relative_to(blueprint.path).as_posix()}", path


def _rules_of(blueprint: BlueprintFolder) -> list[Path]:
    return sorted((blueprint.path / "rules").glob("*.yaml"))


def _canonical(path: Path) -> bytes:
    if path.suffix == ".yaml":
        value = read_document(path).value
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return path.read_bytes().replace(b"\r\n", b"\n")


def _unit(landscape: Landscape, code: str, shape: LandscapeShape) -> UnitPlan:
    entry = shape.business_units[code]
    unit = business_unit(code, dict(landscape.entries("business_units"))[code])
    values = {"invoice_owner": entry.invoice_owner, **entry.values}
    return UnitPlan(code, unit, dict(entry.roles), values)


def _connection(landscape: Landscape, name: str, shape: LandscapeShape) -> ConnectionPlan:
    entry, folder = shape.connections[name], landscape.connections[name]
    connector = folder.descriptor
    own = additions(landscape, name)
    texts = {file: found for file in landscape.mapping_files(name) if (found := landscape.mapping_text(name, file))}
    settings = _settings(landscape.document, connector.settings, entry.settings, references=True)
    given = {key: value for key, value in entry.limits.model_dump().items() if value is not None}
    extra: dict[str, tuple[str, ...]] = {}
    for field in own:
        extra[field.vendor_object] = (*extra.get(field.vendor_object, ()), field.target)
    return ConnectionPlan(
        name=name,
        connector=connector,
        settings=settings,
        limits=connector.limits.model_copy(update=given),
        deadline_s=read_duration(entry.deadline).total_seconds() if entry.deadline else None,
        settle_s=(read_duration(entry.settle) if entry.settle else connector.settle).total_seconds(),
        folder=folder,
        mappings={file: text for file, (text, _) in texts.items()},
        mapping_places={file: place for file, (_, place) in texts.items()},
        additions={file: of_mapping(own, connector, written_object(text)) for file, (text, _) in texts.items()},
        extra_fields=extra,
        codes=landscape.codes(name),
        hosts=tuple(entry.hosts),
    )


def _settings(document: Document, schema: dict[str, Any], given: dict[str, Any], *, references: bool) -> dict[str, Any]:
    """The given settings as their schema means them, with its defaults."""
    read: dict[str, Any] = Conforming(document, Findings(), schema, references=references).read(given, schema, ())
    return read


def _process(landscape: Landscape, name: str, entry: dict[str, Any]) -> ProcessPlan:
    folder = landscape.blueprint(entry)
    assert folder is not None, "an unchecked landscape was compiled"
    blueprint = folder.descriptor
    process = blueprint.processes[name]
    code = entry.get("code") or f"{folder.module}.{process.code}"
    return ProcessPlan(
        name=name,
        version=process.version,
        blueprint=blueprint.blueprint,
        code=str(code),
        starts_on=tuple(process.starts_on),
        settings=_settings(
            landscape.document, {"type": "object", **blueprint.settings}, entry.get("settings", {}), references=False
        ),
        uses={role: tuple(operations) for role, operations in process.uses.items()},
        units=tuple(units_of(landscape, entry)),
        folder=landscape.path,
    )


def _service_level(name: str, shape: LandscapeShape) -> ServiceLevel:
    entry = shape.service_levels[name]
    within = read_duration(entry.within).total_seconds()
    return ServiceLevel(name, read_event(entry.begins), read_event(entry.ends), within, entry.tell)


def _desk(name: str, entry: DeskShape) -> Desk:
    quiet = Quiet(**entry.quiet.model_dump()) if entry.quiet else None
    return Desk(name, entry.title, entry.alert_url, tuple(entry.tell), quiet, tuple(entry.members))


def _audit(shape: LandscapeShape) -> AuditPlan | None:
    if shape.audit is None:
        return None
    places = (each for entry in shape.audit.publish for each in entry.model_dump(exclude_none=True).items())
    return AuditPlan(shape.audit.key, tuple(places))


def _oidc(shape: LandscapeShape) -> Oidc | None:
    entry = shape.console.oidc
    return Oidc(**{**entry.model_dump(), "scopes": tuple(entry.scopes)}) if entry else None


def _rule(name: str, document: Document) -> Rule:
    return compile_rule(name, RuleShape.model_validate(document.value), file=document.file)
