"""What a ``settings`` schema of a connector or a blueprint may say: the subset of JSON Schema that ``conforming`` knows.

Held against a schema it finds the keyword that would be ignored and the format that nobody reads.
"""

from __future__ import annotations

from typing import Any

from isthmus.catalogue.document import Document
from isthmus.landscape.conforming import Conforming
from isthmus.landscape.finding import Findings
from isthmus.landscape.formats import READERS

_KINDS = ["object", "array", "string", "integer", "number", "boolean", "null"]
_TEXT: dict[str, Any] = {"type": "string"}
_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
_NUMBER: dict[str, Any] = {"type": "number"}
_PARTS: dict[str, Any] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/schema"}}
_ANY_OF: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/schema"}}

SCHEMA: dict[str, Any] = {
    "$ref": "#/$defs/schema",
    "$defs": {
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "type": {"anyOf": [{"enum": _KINDS}, {"type": "array", "items": {"enum": _KINDS}}]},
                "title": _TEXT,
                "description": _TEXT,
                "examples": {"type": "array"},
                "default": {},
                "writeOnly": {"type": "boolean"},
                "enum": {"type": "array", "minItems": 1},
                "const": {},
                "format": {"enum": [*READERS, "jsonata"]},
                "pattern": {"type": "string", "format": "regex"},
                "minLength": _WHOLE,
                "maxLength": _WHOLE,
                "minimum": _NUMBER,
                "maximum": _NUMBER,
                "exclusiveMinimum": _NUMBER,
                "items": {"$ref": "#/$defs/schema"},
                "minItems": _WHOLE,
                "required": {"type": "array", "items": _TEXT},
                "properties": _PARTS,
                "minProperties": _WHOLE,
                "additionalProperties": {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/schema"}]},
                "anyOf": _ANY_OF,
            },
        }
    },
}


def check_settings_schema(document: Document, findings: Findings) -> None:
    """What is wrong with the ``settings`` of a connector.yaml or blueprint.yaml, if it has any."""
    value = document.value.get("settings") if isinstance(document.value, dict) else None
    if value is not None:
        Conforming(document, findings, SCHEMA).read(value, SCHEMA, ("settings",))


def settings_schema(document: Document) -> dict[str, Any] | None:
    """The document's ``settings``, where values can be held against it."""
    value = document.value.get("settings") if isinstance(document.value, dict) else None
    found = Findings()
    Conforming(document, found, SCHEMA).read(value, SCHEMA, ("settings",))
    return value if isinstance(value, dict) and not found else None
