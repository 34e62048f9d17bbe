"""Holds a value against a JSON Schema and points at every mistake in the file.

The subset of JSON Schema 2020-12 that our schemas use: type, enum, const, properties, required, additionalProperties,
propertyNames, items, anyOf, oneOf with discriminator, $ref, pattern, format, minimum, maximum, exclusiveMinimum,
minLength, maxLength, minItems, minProperties, default. Scalars of a landscape are the text that stands there
(``catalogue.document``), so a number is a text that reads as one; a general validator would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Any

from pydantic import BaseModel

from isthmus.catalogue.document import Document
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.formats import READERS
from isthmus.landscape.secrets import is_reference
from isthmus.mapping.errors import MappingError
from isthmus.mapping.expression import compile_expression

_WORDS = {
    "object": "a mapping (keys with values)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
Path = tuple[str | int, ...]
Schema = Mapping[str, Any]


class Conforming:
    """Checks values of one document. ``references`` lets ``env:NAME`` stand for any single value."""

    def __init__(self, document: Document, findings: Findings, root: Schema, *, references: bool = False) -> None:
        self.document, self.findings, self.root, self.references = document, findings, root, references

    def read(self, value: Any, schema: Schema, path: Path) -> Any:
        """The value as the schema means it, its defaults filled in. What is wrong becomes findings."""
        schema = self._followed(schema)
        if "anyOf" in schema or "oneOf" in schema:
            return self._one_of(value, schema, path)
        if self.references and is_reference(value):
            return value
        if not self._typed(value, schema, path):
            return value
        value = _meant_as_number(value, schema)
        if not self._chosen(value, schema, path):
            return value
        if isinstance(value, dict):
            return self._mapping(value, schema, path)
        if isinstance(value, list):
            if len(value) < schema.get("minItems", 0):
                self._wrong(path, "is empty", "at least one entry is expected")
            return [self.read(item, schema.get("items", {}), (*path, at)) for at, item in enumerate(value)]
        return self._scalar(value, schema, path)

    def _mapping(self, value: dict[str, Any], schema: Schema, path: Path) -> dict[str, Any]:
        known: Schema = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        names = self._followed(schema.get("propertyNames", {}))
        result: dict[str, Any] = {}
        for key, item in value.items():
            if key in known:
                result[key] = self.read(item, known[key], (*path, key))
            elif others is False:
                at = self.document.key_at(*path, key)
                what = f"{dotted((*path, key))} is not a key that is known here"
                self.findings.error(self.document.file, at, what, mend=did_you_mean(key, known))
            else:
                self._named(key, names, path)
                result[key] = self.read(item, others if isinstance(others, dict) else {}, (*path, key))
        for key in schema.get("required", ()):
            if key not in value:
                what = f"{dotted(path) + ' has no ' if path else 'there is no '}{key}"
                mend = meant(self._followed(known.get(key, {})))
                self.findings.error(self.document.file, self.document.key_at(*path), what, mend=f"write  {key}: {mend}")
        if len(value) < schema.get("minProperties", 0):
            self._wrong(path, "is empty", "at least one entry is expected")
        for key, part in known.items():
            if key not in value and "default" in part and part["default"] is not None:
                result[key] = Conforming(self.document, Findings(), self.root).read(part["default"], part, path)
        return result

    def _named(self, key: str, names: Schema, path: Path) -> None:
        if "pattern" in names and not re.search(names["pattern"], key):
            what = f"{dotted((*path, key))} is not a name that can stand here"
            expected = str(names.get("description", f"a name like {names['pattern']} is expected"))
            self.findings.error(self.document.file, self.document.key_at(*path, key), what, expected=expected)
        if names.get("format") == "jsonata":
            self._expression(key, (*path, key), key=True)

    def _scalar(self, value: Any, schema: Schema, path: Path) -> Any:
        self._bounded(value, schema, path)
        if isinstance(value, str):
            return self._text(value, schema, path)
        return value

    def _chosen(self, value: Any, schema: Schema, path: Path) -> bool:
        """Whether the value is one of the words that the schema lists, if it lists any."""
        if not ("enum" in schema or "const" in schema) or value in _constants(schema):
            return True
        title = f"a code of {schema['$comment']} is expected" if "$comment" in schema else ""
        known = [str(word).lower() if isinstance(word, bool) else str(word) for word in _constants(schema)]
        mend = did_you_mean(value, known) if isinstance(value, str) else f"write one of {', '.join(known[:10])}"
        self._wrong(path, "is empty" if value is None else f"is {_shown(value)}", title, mend)
        return False

    def _bounded(self, value: Any, schema: Schema, path: Path) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return
        if "minimum" in schema and value < schema["minimum"]:
            self._wrong(path, f"is {value}", f"at least {schema['minimum']} is expected")
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            self._wrong(path, f"is {value}", f"more than {schema['exclusiveMinimum']} is expected")
        if "maximum" in schema and value > schema["maximum"]:
            self._wrong(path, f"is {value}", f"at most {schema['maximum']} is expected")

    def _text(self, value: str, schema: Schema, path: Path) -> Any:
        if len(value) < schema.get("minLength", 0):
            self._wrong(path, "is empty", meant(schema))
        elif len(value) > schema.get("maxLength", len(value)):
            self._wrong(path, f"has {len(value)} characters", f"at most {schema['maxLength']} are expected")
        elif "pattern" in schema and not re.search(schema["pattern"], value):
            expected = str(schema.get("description", f"text like {schema['pattern']} is expected"))
            self._wrong(path, f"is {value!r}", expected)
        elif schema.get("format") == "jsonata":
            self._expression(value, path)
        elif reader := READERS.get(schema.get("format", "")):
            try:
                return reader(value)
            except ValueError as error:
                self._wrong(path, f"is {value!r}", str(error))
        return value

    def _expression(self, text: str, path: Path, *, key: bool = False) -> None:
        if error := _mistake(text):
            at = self.document.inside(path, error.line, error.column, key=key)
            expected = f"expected {error.expected}" if error.expected else ""
            what = f"{dotted(path)}: {error.message}"
            self.findings.error(self.document.file, at, what, expected=expected, mend=error.mend)

    def _one_of(self, value: Any, schema: Schema, path: Path) -> Any:
        choices = [self._followed(choice) for choice in schema.get("anyOf", schema.get("oneOf", ()))]
        if value is None and any("null" in _kinds(choice) for choice in choices):
            return None
        if (word := schema.get("discriminator", {}).get("propertyName")) and isinstance(value, dict):
            choices = [c for c in choices if value.get(word) in _constants(c["properties"].get(word, {}))] or choices
        best: Findings | None = None
        fitting = False
        for choice in choices:
            if "null" in _kinds(choice):
                continue
            tried = Findings()
            read = Conforming(self.document, tried, self.root, references=self.references).read(value, choice, path)
            if not tried:
                return read
            if best is None or (_fits(value, choice) and not fitting):
                best, fitting = tried, _fits(value, choice)
        for finding in best or ():
            self.findings.append(finding)
        return value

    def _typed(self, value: Any, schema: Schema, path: Path) -> bool:
        kinds = _kinds(schema)
        if not kinds or any(_is(value, kind) for kind in kinds):
            return True
        shown = "is empty" if value is None else f"is {_shown(value)}"
        words = " or ".join(_WORDS[kind] for kind in kinds if kind != "null")
        quotes = 'write it in quotes, "true" or "false"' if isinstance(value, bool) and "string" in kinds else ""
        self._wrong(path, shown, f"{words} is expected", quotes)
        return False

    def _followed(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self.root
            for step in str(schema["$ref"]).removeprefix("#/").split("/"):
                target = target[step]
            schema = {**target, **{key: part for key, part in schema.items() if key != "$ref"}}
        return schema

    def _wrong(self, path: Path, what: str, expected: str = "", mend: str = "") -> None:
        at = self.document.at(*path)
        name = dotted(path) or self.document.file
        self.findings.error(self.document.file, at, f"{name} {what}", expected=expected, mend=mend)


@lru_cache(maxsize=4096)
def _mistake(text: str) -> MappingError | None:
    """What is wrong with an expression; descriptors say the same ones again and again."""
    try:
        compile_expression(text)
    except MappingError as error:
        return error
    return None


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON Schema, made once; nobody may change it."""
    return model.model_json_schema(by_alias=True)


def dotted(path: Path) -> str:
    """A path as people read it: ``connections.erp.settings``, ``lines[0]``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def meant(schema: Schema) -> str:
    """What a schema takes, in a few words: its example, its choices or its kind."""
    if examples := schema.get("examples"):
        return str(examples[0])
    if choices := schema.get("enum"):
        return ", ".join(map(str, choices[:6])) + (" …" if len(choices) > 6 else "")
    kinds = [_WORDS[kind] for kind in _kinds(schema) if kind != "null"]
    return " or ".join(kinds) or "a value"


def _kinds(schema: Schema) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _constants(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _meant_as_number(value: Any, schema: Schema) -> Any:
    kinds = _kinds(schema)
    if not isinstance(value, str) or "string" in kinds or not {"integer", "number"} & set(kinds):
        return value
    number = Decimal(value)
    return int(number) if number == number.to_integral_value() else number


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        return _reads_as_number(value, whole=kind == "integer")
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind])


def _reads_as_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return False
    return number.is_finite() and (not whole or number == number.to_integral_value())


def _fits(value: Any, schema: Schema) -> bool:
    return not _kinds(schema) or any(_is(value, kind) for kind in _kinds(schema))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"{value!r}" if isinstance(value, str) else str(value).lower()
