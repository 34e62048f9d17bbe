"""Does every mapping read as JSONata, say what it writes, and write only fields that exist there?"""

from __future__ import annotations

import re

from isthmus.catalogue.document import Position
from isthmus.catalogue.registry import ConnectorFolder
from isthmus.landscape.additions import additions
from isthmus.landscape.canonical_fields import fields_below
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import CODES, Landscape
from isthmus.mapping.errors import MappingError
from isthmus.mapping.lineage import written_paths
from isthmus.mapping.mapping import compile_mapping
from isthmus.model.schemas import OBJECTS

_WRITES = re.compile(r"/\*\s*writes:\s*([A-Za-z]\w*)\s*\*/")


def check_mappings(landscape: Landscape, findings: Findings) -> None:
    """The mappings of every connector in use, the landscape's own included, each file once."""
    known = {*landscape.connections, *landscape.connectors}
    for (owner, file), path in landscape.overrides.items():
        if owner not in known:
            what = f"mappings/{owner} is not the name of a connection or of a connector in use"
            findings.error(landscape.shown(path), Position(1, 1), what, mend=did_you_mean(owner, known))
        elif file != CODES:
            _check_used(landscape, owner, file, findings)
    seen: set[str] = set()
    for connection, folder in landscape.connections.items():
        for file in landscape.mapping_files(connection):
            found = landscape.mapping_text(connection, file)
            if found and found[1] not in seen:
                seen.add(found[1])
                _check_mapping(landscape, folder, connection, *found, findings)


def written_object(text: str) -> str | None:
    """What the first line's ``/* writes: X */`` names."""
    found = _WRITES.match(text)
    return found[1] if found else None


def _check_used(landscape: Landscape, owner: str, file: str, findings: Findings) -> None:
    """An own mapping that nobody asks for changes nothing, which is never meant."""
    folder = landscape.connections.get(owner) or landscape.connectors[owner]
    if not folder.mapping_path(file).exists() and file not in _named(folder):
        path = landscape.overrides[owner, file]
        what = f"{folder.name} has no mapping called {file}, so this one is never used"
        findings.error(landscape.shown(path), Position(1, 1), what, mend=did_you_mean(file, folder.mapping_files()))


def _named(folder: ConnectorFolder) -> set[str]:
    texts = [folder.document.text] if (folder.path / "connector.yaml").exists() else []
    return set(re.findall(r"[\w.-]+\.jsonata", "\n".join([*texts, *(topic.text for topic in folder.topics)])))


def _check_mapping(
    landscape: Landscape, folder: ConnectorFolder, connection: str, text: str, shown: str, findings: Findings
) -> None:
    try:
        compile_mapping(text, file=shown, codes=landscape.codes(connection))
        written = written_paths(text, file=shown)
    except MappingError as error:
        at = Position(error.line, error.column)
        expected = f"expected {error.expected}" if error.expected else ""
        findings.error(shown, at, error.message, expected=expected, mend=error.mend)
        return
    name = written_object(text)
    if name is None and not shown.endswith((".inbound.jsonata", ".outbound.jsonata")):
        return  # a query: it writes no object
    if name is None:
        what = "does not say what it writes"
        mend = "begin the file with  /* writes: <object> */, the vendor's or the canonical one"
        findings.error(shown, Position(1, 1), what, mend=mend)
    elif folder.schema(name):
        own = {field.written for field in additions(landscape, connection) if field.vendor_object == name}
        for path, line, column in written:
            _check_vendor_field(folder, name, path, own, shown, Position(line, column), findings)
    elif name in OBJECTS:
        for path, line, column in written:
            _check_canonical_field(name, path, shown, Position(line, column), findings)
    else:
        at = Position(1, text.index(name) + 1)
        what = f"writes {name}, which is neither an object of {folder.name} nor a canonical one"
        findings.error(shown, at, what, mend=did_you_mean(name, [*folder.schema_objects(), *OBJECTS]))


def _check_vendor_field(
    folder: ConnectorFolder, name: str, path: str, own: set[str], shown: str, at: Position, findings: Findings
) -> None:
    """Follow the path through the vendor's objects; only its last step is reported, its parents had their turn."""
    if path.replace("[]", "") in own:
        return
    *parents, last = [step for step in path.replace("[]", "").split(".") if step]
    schema = folder.schema(name)
    for step in parents:
        held = schema["fields"].get(step) if schema else None
        if not held or "object" not in held:
            return
        name, schema = held["object"], folder.schema(held["object"])
    if schema is None or last == "*":
        return
    fields = schema["fields"]
    if last not in fields:
        what = f'writes "{last}"; {name} has no such field'
        findings.error(shown, at, what, mend=did_you_mean(last, fields))
    elif fields[last].get("writable") is False:
        what = f'writes "{last}", which {name} lets nobody write'
        findings.error(shown, at, what, mend="leave it out; the application sets it itself")


def _check_canonical_field(name: str, path: str, shown: str, at: Position, findings: Findings) -> None:
    *parents, last = [step for step in path.replace("[]", "").split(".") if step]
    fields = fields_below(name, parents)
    if last == "*" or fields is None or last in fields:
        return
    where = ".".join([name, *parents])
    findings.error(shown, at, f'writes "{last}"; {where} has no such field', mend=did_you_mean(last, fields))
