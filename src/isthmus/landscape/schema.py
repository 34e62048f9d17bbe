"""The JSON Schema of isthmus.yaml, for editors: the landscape's shape, with each connector's and blueprint's settings.

Editors read YAML 1.1, where an unquoted 60 is a number; so what is a number for us may be written either way there.
"""

from __future__ import annotations

from typing import Any

from isthmus.catalogue.registry import Registry
from isthmus.landscape.reading import parsed, parsed_blueprint
from isthmus.landscape.shape import LandscapeShape

DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: our own formats, which editors do not know, as patterns
_PATTERNS = {
    "percent": r"^\d{1,3}(\.\d{1,6})?\s*%$",
    "money": r"^\d{1,15}(\.\d{1,4})?\s+[A-Z]{3}$",
    "duration": r"^(\d+(\.\d+)?\s*[a-zA-Z]+|P.+)$",
    "date-or-duration": r"^(\d{4}-\d{2}-\d{2}|\d+(\.\d+)?\s*[a-zA-Z]+|P.+)$",
    "event": r"^(isthmus\.)?[a-z_]+\.[a-z_]+(\.[a-z_]+)?(\.v\d+)?$",
    "blueprint": r"^[a-z][a-z0-9_]*@[1-9]\d*$",
}
_REFERENCE = {"type": "string", "pattern": r"^(env:[A-Za-z_]\w*|file:\S+)$"}


def editor_schema(registry: Registry) -> dict[str, Any]:
    """What may stand in isthmus.yaml with the connectors and blueprints of the registry."""
    schema = LandscapeShape.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema["$defs"]
    connection, process = definitions["ConnectionShape"], definitions["ProcessShape"]
    usable = {name: read for name, folder in registry.connectors.items() if (read := parsed(folder))}
    connection["properties"]["connector"] = {"enum": sorted(usable), "description": "what the account is at"}
    connection["allOf"] = [
        _where("connector", name, {"settings": _settings(connector.settings, references=True)})
        for name, connector in sorted(usable.items())
    ]
    blueprints = [found for folder in registry.blueprints.values() if (found := parsed_blueprint(folder))]
    process["allOf"] = [
        _where("blueprint", f"{found.blueprint}@{found.version}", {"settings": _settings(found.settings)})
        for found in sorted(blueprints, key=lambda found: found.blueprint)
    ]
    written: dict[str, Any] = _for_editors({"$schema": DIALECT, **schema, "title": "Isthmus landscape"})
    return written


def _where(key: str, value: str, then: dict[str, Any]) -> dict[str, Any]:
    return {
        "if": {"properties": {key: {"const": value}}, "required": [key]},
        "then": {"properties": then},
    }


def _settings(schema: dict[str, Any], *, references: bool = False) -> dict[str, Any]:
    properties = schema.get("properties", {})
    if references:
        properties = {name: _or_reference(part) for name, part in properties.items()}
    return {"type": "object", "additionalProperties": False, **schema, "properties": properties}


def _or_reference(part: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {key: part[key] for key in ("title", "description") if key in part}
    if part.get("writeOnly"):
        return {**said, **_REFERENCE}
    return {**said, "anyOf": [_REFERENCE, part]}


def _for_editors(part: Any) -> Any:
    """Formats as patterns; defaults that only repeat what is absent, and titles that repeat the key, left out."""
    if isinstance(part, list):
        return [_for_editors(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _for_editors(item) for key, item in part.items() if key != "default" or item not in (None, {})}
    if kept.get("format") in _PATTERNS:
        kept["pattern"] = _PATTERNS[kept.pop("format")]
    return kept
