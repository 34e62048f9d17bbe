"""Does every process exist in that version, with settings it knows, roles that are filled and writes that are undone?"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from isthmus.catalogue.blueprint import Blueprint, BlueprintProcess
from isthmus.catalogue.registry import BlueprintFolder
from isthmus.landscape.checks.structure import report_yaml
from isthmus.landscape.conforming import Conforming, dotted, schema_of
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.formats import read_blueprint
from isthmus.landscape.reading import FILE, Landscape, parsed_blueprint
from isthmus.landscape.settings_schema import check_settings_schema, settings_schema


def check_processes(landscape: Landscape, findings: Findings) -> None:
    """Each process that the landscape names; each blueprint's code once."""
    seen: set[str] = set()
    for name, entry in landscape.entries("processes"):
        folder = _check_origin(landscape, name, entry, findings)
        if folder is None:
            continue
        blueprint = parsed_blueprint(folder)
        if blueprint is None:
            _report_blueprint(folder, findings)
            continue
        check_settings_schema(folder.document, findings)
        process = blueprint.processes.get(name)
        if process is None:
            what = f"{folder.place('blueprint.yaml')} has no process called {name!r}"
            mend = did_you_mean(name, blueprint.processes)
            findings.error(FILE, landscape.document.key_at("processes", name), what, mend=mend)
            continue
        _check_settings(landscape, name, entry, folder, findings)
        _check_uses(landscape, name, entry, process, findings)
        if str(folder.path) not in seen:
            seen.add(str(folder.path))
            check_source(landscape, folder, blueprint, findings)


def units_of(landscape: Landscape, entry: dict[str, Any]) -> list[str]:
    """The business units a process works for: those it names, or all."""
    named = entry.get("units")
    return [str(unit) for unit in named] if isinstance(named, list) else landscape.names("business_units")


def _check_origin(landscape: Landscape, name: str, entry: dict[str, Any], findings: Findings) -> BlueprintFolder | None:
    """The blueprint or the own code, if it exists in the version that is asked for."""
    path, document = ("processes", name), landscape.document
    given = [key for key in ("blueprint", "code") if isinstance(entry.get(key), str)]
    if len(given) != 1:
        what = f"{dotted(path)} names {'both a blueprint and code' if given else 'neither a blueprint nor code'}"
        findings.error(FILE, document.key_at(*path), what, mend="write  blueprint: quote_to_cash@1  or code, not both")
        return None
    folder = landscape.blueprint(entry)
    if given == ["code"]:
        file = str(entry["code"]).rpartition(":")[0]
        if not (landscape.path / file).is_file():
            what = f"{dotted(path)}.code names {file}, which is not there"
            mend = "the path is relative to the landscape's folder"
            findings.error(FILE, document.at(*path, "code"), what, mend=mend)
        elif folder is None:
            what = f"{dotted(path)}.code names {file}, which has no blueprint.yaml beside it"
            mend = "put one there that says what the process uses and what may be set"
            findings.error(FILE, document.at(*path, "code"), what, mend=mend)
        return folder
    return _check_version(landscape, name, str(entry["blueprint"]), folder, findings)


def _check_version(
    landscape: Landscape, name: str, asked: str, folder: BlueprintFolder | None, findings: Findings
) -> BlueprintFolder | None:
    at = landscape.document.at("processes", name, "blueprint")
    try:
        word, version = read_blueprint(asked)
    except ValueError:
        return None  # its form is reported with the structure
    if folder is None:
        what = f'processes.{name}.blueprint names "{word}", which is not a blueprint'
        findings.error(FILE, at, what, mend=did_you_mean(word, landscape.registry.blueprints))
        return None
    blueprint = parsed_blueprint(folder)
    if blueprint and blueprint.version != version:
        what = f"processes.{name}.blueprint asks for {word}@{version}; installed is {word}@{blueprint.version}"
        findings.error(FILE, at, what, mend=f"write  {word}@{blueprint.version}  or install that version")
        return None
    return folder


def _report_blueprint(folder: BlueprintFolder, findings: Findings) -> None:
    document = folder.document
    report_yaml(document, findings)
    if document.mistakes:
        return
    schema = schema_of(Blueprint)
    found = Findings()
    Conforming(document, found, schema).read(document.value, schema, ())
    findings.extend(found)
    try:
        Blueprint.model_validate(document.value)
    except ValidationError as error:
        for details in error.errors(include_url=False) if not found else ():
            at = document.at(*details["loc"])
            findings.error(document.file, at, f"{dotted(details['loc'])}: {details['msg']}")


def _check_settings(
    landscape: Landscape, name: str, entry: dict[str, Any], folder: BlueprintFolder, findings: Findings
) -> None:
    settings, declared = entry.get("settings", {}), settings_schema(folder.document)
    if isinstance(settings, dict) and declared is not None:
        schema = {"type": "object", "additionalProperties": False, **declared}
        Conforming(landscape.document, findings, schema).read(settings, schema, ("processes", name, "settings"))
    for unit in units_of(landscape, entry):
        if unit not in landscape.names("business_units"):
            at = landscape.document.at("processes", name, "units", units_of(landscape, entry).index(unit))
            what = f'processes.{name}.units names "{unit}", which is not a business unit'
            findings.error(FILE, at, what, mend=did_you_mean(unit, landscape.names("business_units")))


def _check_uses(
    landscape: Landscape, name: str, entry: dict[str, Any], process: BlueprintProcess, findings: Findings
) -> None:
    """Every unit has every role, and who fills it can do what the process asks."""
    units = dict(landscape.entries("business_units"))
    for code in units_of(landscape, entry):
        if code not in units:
            continue
        filled = dict(landscape.roles(units[code]))
        for role, operations in process.uses.items():
            path = ("business_units", code, "roles", role)
            if role not in filled:
                at = landscape.document.key_at("business_units", code, "roles")
                what = f'business_units.{code} has no role "{role}", which the process {name} uses'
                mend = f"write  {role}: <connection>  there, or name the process's units without {code}"
                findings.error(FILE, at, what, mend=mend)
                continue
            descriptor = landscape.descriptor(filled[role])
            for operation in operations if descriptor and role in descriptor.roles else ():
                if operation not in descriptor.operations:  # type: ignore[union-attr]
                    title = descriptor.title  # type: ignore[union-attr]
                    what = f"{dotted(path)}: {title} cannot {role}.{operation}, which the process {name} uses"
                    mend = did_you_mean(operation, descriptor.operations)  # type: ignore[union-attr]
                    findings.error(FILE, landscape.document.at(*path), what, mend=mend)


def check_source(landscape: Landscape, folder: BlueprintFolder, blueprint: Blueprint, findings: Findings) -> None:
    """What the code says in ``run.step(…)``: every write has ``undo=`` or ``stays=``, every operation is declared."""
    declared = {role: set(asked) for process in blueprint.processes.values() for role, asked in process.uses.items()}
    for process in blueprint.processes.values():
        for role, asked in process.uses.items():
            declared[role] |= set(asked)
    for file in folder.code_files():
        shown = folder.place(file.relative_to(folder.path).as_posix())
        source = landscape.source(file, blueprint)
        if source.mistake:
            findings.error(shown, source.mistake[0], source.mistake[1], mend="mend the Python there")
        for desk, at in source.desks:
            if desk not in landscape.names("desks"):
                what = f'asks the desk "{desk}" for an approval; the landscape has no such desk'
                findings.error(shown, at, what, mend=f"add to {FILE}  desks: {{{desk}: {{title: …}}}}")
        for asked_for in source.asked:
            known = landscape.operations(asked_for.role)
            if asked_for.operation not in declared.get(asked_for.role, set()):
                what = f"asks for {asked_for}, which blueprint.yaml does not name under uses"
                everything = {f"{role}.{name}" for role, names in declared.items() for name in names}
                mend = f"add it there; {did_you_mean(str(asked_for), everything)}"
                findings.error(shown, asked_for.position, what, mend=mend)
            writes = any(not operation.reads for operation in known.get(asked_for.operation, ()))
            if asked_for.step and writes and not asked_for.reversible:
                what = f"the step {asked_for} writes and says neither undo= nor stays="
                mend = f'write  undo={asked_for.role}.<operation>  or  stays="why it may remain"'
                findings.error(shown, asked_for.position, what, mend=mend)
