"""A value against a JSON Schema: what is wrong is said once, at its place, with what was expected."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from isthmus.catalogue.document import parse_document
from isthmus.landscape.conforming import Conforming
from isthmus.landscape.finding import Findings

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "examples": ["acme"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "rate": {"type": "number", "exclusiveMinimum": 0},
        "kind": {"enum": ["small", "large"], "default": "small"},
        "on": {"type": "boolean"},
        "wait": {"anyOf": [{"type": "string", "format": "duration"}, {"type": "null"}]},
        "lines": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[a-z]+$"}},
        "when": {"type": "string", "format": "jsonata"},
        "free": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z]+$"},
            "additionalProperties": {"type": "integer"},
        },
        "shape": {
            "discriminator": {"propertyName": "is"},
            "oneOf": [{"$ref": "#/$defs/round"}, {"$ref": "#/$defs/square"}],
        },
    },
    "$defs": {
        "round": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"is": {"const": "round"}, "radius": {"type": "integer"}},
        },
        "square": {
            "type": "object",
            "additionalProperties": False,
            "required": ["side"],
            "properties": {"is": {"const": "square"}, "side": {"type": "integer"}},
        },
    },
}


def held(text: str, *, references: bool = False) -> tuple[Any, list[str]]:
    findings = Findings()
    document = parse_document(text, file="f")
    read = Conforming(document, findings, SCHEMA, references=references).read(document.value, SCHEMA, ())
    return read, [f"{finding.line}:{finding.column} {finding.what} | {finding.remedy}" for finding in findings]


def test_the_value_is_read_as_its_schema_means_it() -> None:
    text = "{name: acme, count: 3, rate: 1.50, on: true, wait: 3s, shape: {is: square, side: 2}}"
    assert held(text) == (
        {
            "name": "acme",
            "count": 3,
            "rate": Decimal("1.50"),
            "on": True,
            "wait": timedelta(seconds=3),
            "shape": {"is": "square", "side": 2},
            "kind": "small",
        },
        [],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: a, nmae: b}", '1:11 nmae is not a key that is known here | did you mean "name"?'),
        ("{count: 3}", "1:1 there is no name | write  name: acme"),
        ("{name: a, count: three}", "1:18 count is 'three' | a whole number is expected"),
        ("{name: a, count: 1.5}", "1:18 count is '1.5' | a whole number is expected"),
        ("{name: a, count: 12}", "1:18 count is 12 | at most 9 is expected"),
        ("{name: a, rate: 0}", "1:17 rate is 0 | more than 0 is expected"),
        ("{name: a, kind: smal}", "1:17 kind is 'smal' | did you mean \"small\"?"),
        ("{name: a, on: yes}", "1:15 on is 'yes' | true or false is expected"),
        ("{name: true}", '1:8 name is true | text is expected; write it in quotes, "true" or "false"'),
        (
            "{name: a, wait: 5}",
            "1:17 wait is '5' | a number with its unit is expected, such as  3s, 10m, 2 hours or 2 days",
        ),
        ("{name: a, lines: [ok, NO]}", "1:23 lines[1] is 'NO' | text like ^[a-z]+$ is expected"),
        ("{name: a, lines: []}", "1:18 lines is empty | at least one entry is expected"),
        ("{name: a, lines: {}}", "1:18 lines is a mapping | a list is expected"),
        ("{name: a, free: {A: 1}}", "1:18 free.A is not a name that can stand here | a name like ^[a-z]+$ is expected"),
        ("{name: a, free: {a: x}}", "1:21 free.a is 'x' | a whole number is expected"),
        ("{name: a, shape: {is: square}}", "1:11 shape has no side | write  side: a whole number"),
        (
            "{name: a, shape: {is: square, side: 1, radius: 2}}",
            '1:40 shape.radius is not a key that is known here | did you mean "side"?',
        ),
        ("[a]", "1:1 f is a list | a mapping (keys with values) is expected"),
        ("", "1:1 f is empty | a mapping (keys with values) is expected"),
    ],
)
def test_a_mistake_is_said_once_with_place_and_remedy(text: str, said: str) -> None:
    _, findings = held(text)
    if "radius" in text:
        said = said.replace('did you mean "side"?', "there are is, side")
    assert findings == [said]


def test_an_expression_is_compiled_and_its_mistake_pointed_at() -> None:
    _, findings = held('{name: a, when: "a = 1 and ("}')
    assert len(findings) == 1
    assert findings[0].startswith("1:29 when: ") or findings[0].startswith("1:28 when: ")


def test_a_reference_stands_for_any_single_value_where_it_may() -> None:
    assert held("{name: a, count: env:COUNT}", references=True)[1] == []
    assert held("{name: a, count: env:COUNT}")[1] == ["1:18 count is 'env:COUNT' | a whole number is expected"]
