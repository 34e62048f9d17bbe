"""What compiles, what falls back, and that both say the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from isthmus.mapping.engines import _jsonata_python
from isthmus.mapping.expression import MappingError, compile_expression
from isthmus.mapping.functions import registered
from isthmus.mapping.mapping import compile_mapping
from isthmus.mapping.program import Program
from isthmus.mapping.shipped import uncompiled
from isthmus.mapping.syntax import parse
from isthmus.mapping.values import ABSENT, JsonNumber

CODES = {"units": {"C62": "ST", "EA": "ST", "KGM": "KG"}}
CONTEXT = {
    "price": "12.50",
    "quantity": "3",
    "currency": "EUR",
    "nothing": None,
    "unit": "C62",
    "at": "2026-03-01T23:30:00Z",
    "lines": [{"net": "1.10"}, {"net": "2.25"}],
}


@pytest.mark.parametrize(
    "text",
    [
        "$decimal_add(price, quantity)",
        "$decimal_add(price, missing)",
        "$decimal_sum(lines.net)",
        "$decimal_sum(missing)",
        "lines.$decimal_multiply(net, $$.quantity)",
        '{"a": $money(price, currency), "b": $money(nothing, currency), "c": $money(missing, currency)}',
        '{"n": $json_number(price), "x": $json_number(nothing), "y": $json_number(missing)}',
        '[$code("units", unit), $code_of("units", "ST"), $code("units", missing)]',
        "$date_of(at, 'Europe/Berlin')",
        "$decimal_compare(price, quantity) > 0 ? 'more' : 'less'",
        "$map(lines, function($l) { $decimal_round($l.net, 1) })",
        "price ~> $decimal_multiply(quantity) ~> $decimal_round(0)",
    ],
)
def test_our_functions_give_the_same_compiled_and_on_jsonata_python(text: str) -> None:
    functions = registered(CODES)
    compiled = Program(text, file="f", codes=CODES)
    assert compiled.engine == "python"
    slow = _jsonata_python(text, parse(text, file="f"), functions)(CONTEXT)
    found = compiled.run(CONTEXT)
    assert (None if found is ABSENT else found) == slow


def test_json_numbers_keep_their_mark_on_every_engine_that_runs_our_functions() -> None:
    compiled = compile_expression("$json_number(price)")
    fallen_back = compile_expression("$json_number(*[0])")
    assert (compiled.engine, fallen_back.engine) == ("python", "jsonata-python")
    for expression in (compiled, fallen_back):
        found = expression(CONTEXT)
        assert (found, type(found)) == ("12.50", JsonNumber)


@pytest.mark.parametrize(
    ("text", "engine", "why"),
    [
        ("lines[net = '1.10']", "python", ""),
        ("a ?? b", "python", ""),
        ("**.net", "jsonatapy", "1:1: descendant"),
        ("lines#$i.{'i': $i}", "jsonatapy", "1:1: a variable or parent bound inside a path"),
        ("x & (\n$fromMillis(1))", "jsonatapy", "2:1: $fromMillis"),
        ("$contains(price, /(a+)+b/)", "jsonatapy", "1:18: /(a+)+b/"),
        ("lines.([1..$count(net)])", "jsonatapy", "1:9: a range inside a loop"),
        ("$decimal_add(*[0], price)", "jsonata-python", "wildcard"),
    ],
)
def test_an_expression_says_what_runs_it_and_why(text: str, engine: str, why: str) -> None:
    expression = compile_expression(text)
    assert expression.engine == engine
    assert why in expression.why_not_compiled
    assert expression(CONTEXT) is not None or "fromMillis" in text or "?" in text


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($n) { $f($n + 1) }; $f(0))",
        "($f := function($n) { 1 + $f($n + 1) }; $f(0))",
        "($f := function($n) { $decimal_add($f($n), '1') }; $f(0))",
    ],
)
def test_a_text_that_never_ends_is_stopped(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(MappingError, match=r"(?i)timeout|overflow"):
        compile_expression(text)({})
    assert time.monotonic() - began < 10


def test_fractions_that_a_slow_engine_calculated_are_refused() -> None:
    with pytest.raises(MappingError, match="binary floats"):
        compile_expression("$average([1, 2])")({})
    assert compile_expression("$average([1, 3])")({}) == 2


def test_absent_drops_the_key_and_null_stays_null() -> None:
    made = compile_mapping('{"a": x, "b": y, "c": {"d": x}, "e": [x, y]}', file="f")({"y": None})
    assert made == {"b": None, "c": {}, "e": [None]}


def test_an_expression_that_finds_nothing_gives_none() -> None:
    assert compile_expression("a.b")({"a": {}}) is None
    assert compile_mapping("a.b", file="f")({"a": {}}) is None


@pytest.mark.parametrize("context", [[{"code": "E1"}, {"code": "E2"}], [], "text", None, 7])
def test_the_context_may_be_any_json_value(context: Any) -> None:
    assert compile_expression("$[0].code")(context) == ("E1" if context and isinstance(context, list) else None)
    assert compile_expression("$")(context) == context


def test_what_a_mapping_reads_is_left_as_it_was() -> None:
    context = {"lines": [{"id": "1", "tags": ["a"]}], "o": {"k": "v"}}
    mapping = compile_mapping(
        '{"lines": [lines.{"id": id, "t": $append(tags, "b")}], "o": $merge([o, {"k": "w"}])}', file="f"
    )
    assert mapping(context) == {"lines": [{"id": "1", "t": ["a", "b"]}], "o": {"k": "w"}}
    assert context == {"lines": [{"id": "1", "tags": ["a"]}], "o": {"k": "v"}}


def test_nothing_in_a_text_becomes_python() -> None:
    hostile = "x') or __import__('os').abort() or ('"
    mapping = compile_mapping(f'{{"{hostile}": `{hostile}`, "n": "\\n\\u2028\\"\'"}}', file="'\"\n)#")
    assert mapping({hostile: "fine"}) == {hostile: "fine", "n": "\n\u2028\"'"}


def test_deeply_nested_mappings_fall_back_instead_of_failing() -> None:
    text = "a" + "".join(".(a" for _ in range(40)) + ")" * 40
    expression = compile_expression(text)
    assert expression.engine == "jsonatapy"
    assert "more deeply than Python allows" in expression.why_not_compiled


def test_the_hash_changes_with_the_text_and_the_tables() -> None:
    one, same, other, tables = (
        compile_mapping(text, file="f", codes=codes)
        for text, codes in (("a", None), ("a", None), ("b", None), ("a", CODES))
    )
    assert one.content_hash == same.content_hash
    assert len({one.content_hash, other.content_hash, tables.content_hash}) == 3


def test_a_folder_tells_which_of_its_mappings_do_not_compile(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "codes.yaml").write_text("units: {C62: ST}\n")
    (tmp_path / "mappings" / "fine.jsonata").write_text('{"u": $code("units", unit)}')
    assert uncompiled(tmp_path) == []
    (tmp_path / "mappings" / "slow.jsonata").write_text('{\n  "u": **.unit\n}')
    assert uncompiled(tmp_path) == ["mappings/slow.jsonata:2:8: descendant: **"]


def test_every_shipped_mapping_compiles() -> None:
    connectors = Path(__file__).parents[3] / "src" / "isthmus" / "connectors"
    assert list(connectors.rglob("*.jsonata"))
    assert uncompiled(connectors) == []
