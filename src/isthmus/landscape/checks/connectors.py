"""Does each connector in use say what it must: every write its ``once``, every mapping there, every expression sound?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from isthmus.catalogue.connector import Connector, Operation
from isthmus.catalogue.document import Document
from isthmus.catalogue.registry import ConnectorFolder
from isthmus.landscape.checks.structure import report_yaml
from isthmus.landscape.conforming import Conforming, Path, dotted, schema_of
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import FILE, Landscape
from isthmus.landscape.settings_schema import check_settings_schema, settings_schema

_SETTING = re.compile(r"\{settings\.([A-Za-z_]\w*)\}")
_TEXT = re.compile(r"\{texts\.([A-Za-z_]\w*)\}")
_READS = ("GET ", "HEAD ")


def check_connectors(landscape: Landscape, findings: Findings) -> None:
    """Each connector that a connection uses, once."""
    for connection, folder in landscape.connections.items():
        if not (folder.path / "connector.yaml").is_file():
            at = landscape.document.at("connections", connection, "connector")
            what = f"the connector {folder.name} has no connector.yaml"
            findings.error(FILE, at, what, mend="install its package again")
    for folder in landscape.connectors.values():
        if (folder.path / "connector.yaml").is_file():
            _check_connector(landscape, folder, findings)


def _check_connector(landscape: Landscape, folder: ConnectorFolder, findings: Findings) -> None:
    document = folder.document
    for each in (document, *folder.topics):
        report_yaml(each, findings)
        if each.mistakes:
            return
    found = Findings()
    schema = schema_of(Connector)
    Conforming(document, found, schema).read(document.value, schema, ())
    check_settings_schema(document, found)
    _check_topics(folder, schema, found)
    findings.extend(found)
    try:
        descriptor = Connector.model_validate(folder.whole())
    except ValidationError as error:
        if not found:
            _report_model(document, error, findings)
        return
    for name, operation in descriptor.operations.items():
        _check_once(*_place(folder, name), operation, findings)
    for each in (document, *folder.topics):
        for path, file in _mapping_names(each.value, ()):
            if not _mapping_exists(landscape, folder, file):
                what = f"{dotted(path)} names {file}, which is not in mappings/"
                mend = did_you_mean(file.removeprefix("mappings/"), folder.mapping_files())
                findings.error(each.file, each.at(*path), what, mend=mend)
    _check_settings(folder, descriptor, findings)


def _check_topics(folder: ConnectorFolder, schema: dict[str, Any], findings: Findings) -> None:
    """Each operations/<topic>.yaml holds operations that stand nowhere else."""
    of_topics = {"$defs": schema["$defs"], "type": "object", "additionalProperties": {"$ref": "#/$defs/Operation"}}
    value = folder.document.value
    seen = set((value.get("operations") or {}) if isinstance(value, dict) else ())
    for topic in folder.topics:
        Conforming(topic, findings, of_topics).read(topic.value, of_topics, ())
        for name in topic.value if isinstance(topic.value, dict) else ():
            if name in seen:
                what = f"{name} stands in another file of the connector too"
                findings.error(topic.file, topic.key_at(name), what, mend="leave one of them out")
            seen.add(name)


def _place(folder: ConnectorFolder, operation: str) -> tuple[Document, Path]:
    """Where an operation stands."""
    for topic in folder.topics:
        if isinstance(topic.value, dict) and operation in topic.value:
            return topic, (operation,)
    return folder.document, ("operations", operation)


def _check_once(document: Document, path: Path, operation: Operation, findings: Findings) -> None:
    """A write without ``once`` could happen twice."""
    if operation.reads:
        return
    mend = "write  once: {upsert: true}, once: {probe: …} or once: {native: …, probe: …}, or reads: true"
    if operation.request and not operation.once:
        what = f"{dotted(path)} writes and does not say once: a repeat could do it twice"
        findings.error(document.file, document.key_at(*path), what, mend=mend)
    for at, part in enumerate(operation.sequence):
        if part.once is None and not part.request.startswith(_READS):
            what = f"{dotted(path)}, part {part.part}, writes and does not say once: a repeat could do it twice"
            findings.error(document.file, document.at(*path, "sequence", at), what, mend=mend)


def _check_settings(folder: ConnectorFolder, descriptor: Connector, findings: Findings) -> None:
    """Placeholders and webhooks name settings that the connector declares."""
    document = folder.document
    declared = settings_schema(document)
    if declared is None:
        return
    known = declared.get("properties", {})
    for each in (document, *folder.topics):
        for path, text in _texts(each.value, ()):
            for name in _SETTING.findall(text):
                if name not in known:
                    what = f"{dotted(path)} asks for the setting {name!r}, which settings does not declare"
                    findings.error(each.file, each.at(*path), what, mend=did_you_mean(name, known))
            for name in _TEXT.findall(text):
                if name not in descriptor.texts:
                    what = f"{dotted(path)} asks for the text {name!r}, which texts does not have"
                    findings.error(each.file, each.at(*path), what, mend=did_you_mean(name, descriptor.texts))
    for name, channel in descriptor.inbound.items():
        if channel.verify and channel.verify.secret not in known:
            path = ("inbound", name, "verify", "secret")
            what = f"{dotted(path)} names the setting {channel.verify.secret!r}, which settings does not declare"
            findings.error(document.file, document.at(*path), what, mend=did_you_mean(channel.verify.secret, known))
        for at, take in enumerate(channel.takes):
            if take.read and not (take.read in descriptor.operations and descriptor.operations[take.read].reads):
                path = ("inbound", name, "takes", at, "read")
                what = f"{dotted(path)} names {take.read!r}, which is not an operation that reads"
                reading = [name for name, operation in descriptor.operations.items() if operation.reads]
                findings.error(document.file, document.at(*path), what, mend=did_you_mean(take.read, reading))


def _mapping_names(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("mapping", "answer") and isinstance(item, str):
                yield (*path, key), item
            else:
                yield from _mapping_names(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _mapping_names(item, (*path, at))


def _mapping_exists(landscape: Landscape, folder: ConnectorFolder, file: str) -> bool:
    if folder.mapping_path(file).exists():
        return True
    users = [name for name, used in landscape.connections.items() if used.name == folder.name]
    return all(landscape.mapping_text(name, file.removeprefix("mappings/")) for name in users)


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if path or key != "settings":
                yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _texts(item, (*path, at))
    elif isinstance(value, str):
        yield path, value


def _report_model(document: Document, error: ValidationError, findings: Findings) -> None:
    for details in error.errors(include_url=False):
        path = tuple(step for step in details["loc"] if isinstance(step, str | int))
        at = document.at(*path)
        what = f"{dotted(path)}: {details['msg'].removeprefix('Value error, ')}"
        findings.error(document.file, at, what)
