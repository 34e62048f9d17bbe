"""What a mapping says when it is wrong: where, what, what was expected, how to mend it."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.mapping.expression import MappingError, compile_expression
from isthmus.mapping.mapping import compile_mapping
from isthmus.mapping.syntax import MAX_LENGTH


def wrong(text: str, context: Any = None, **more: Any) -> MappingError:
    with pytest.raises(MappingError) as caught:
        compile_mapping(text, file="mappings/order.jsonata", **more)({} if context is None else context)
    return caught.value


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', (3, 3), "'b' cannot stand here; expected '}'"),
        ('{"a": 1,}', (1, 9), "'}' cannot stand here; expected a value"),
        ('{"a": b', (1, 8), "ends too early; expected '}'"),
        ("", (1, 1), "ends too early; expected a value"),
        ("/* only a comment */", (1, 21), "ends too early"),
        ("a /* never closed", (1, 3), "comment"),
        ('{"a": "never closed}', (1, 7), "matching quote"),
        ("a.`never closed", (1, 3), "backquote"),
        ('"\\q"', (1, 3), "escape"),
        ("a ! b", (1, 3), "Unknown operator"),
        ("a + 0.5", (1, 5), "0.5 would lose digits"),
        ("9007199254740993", (1, 1), "would lose digits"),
        ("a)", (1, 2), "')' cannot stand here"),
        ("a.1", (1, 3), "backquotes"),
        (
            "$upercase(a)",
            (1, 1),
            "no function $upercase; expected a function of JSONata or of Isthmus; did you mean $uppercase?",
        ),
        ("a.b & decimal_add(a, b)", (1, 7), "expected $decimal_add(…); write the dollar"),
        ("$decimal_add(a)", (1, 1), "is given 1 argument; expected 2 arguments"),
        ("{\n'x': $now()}", (2, 6), "use today"),
        ("$eval('1')", (1, 1), "never run as code"),
        ("($customer := a; $custmer.b)", (1, 18), "did you mean $customer?"),
        ('{"a": 1, "a": 2}', (1, 10), "two fields of the object are called 'a'"),
        ('$code("unit", a)', (1, 1), "did you mean 'units'?"),
    ],
)
def test_what_cannot_be_compiled_is_shown_at_its_character(text: str, at: tuple[int, int], says: str) -> None:
    with pytest.raises(MappingError) as caught:
        compile_mapping(text, file="mappings/order.jsonata", codes={"units": {}})
    error = caught.value
    assert (error.file, error.line, error.column) == ("mappings/order.jsonata", *at)
    assert says in str(error)
    assert str(error).startswith(f"mappings/order.jsonata:{at[0]}:{at[1]}: ")


def test_lines_count_from_where_an_expression_begins_in_its_file() -> None:
    with pytest.raises(MappingError) as caught:
        compile_expression("a =\n= b", file="connector.yaml", line=40)
    assert (caught.value.line, caught.value.column) == (41, 1)


def test_a_value_that_cannot_be_taken_is_named_with_its_place_and_the_field_it_was_for() -> None:
    text = '{\n  "lines": [input.lines.{\n    "id": id,\n    "net": $decimal_multiply(price, quantity)\n  }]\n}'
    lines = [{"id": "1", "price": "1.5", "quantity": "2"}, {"id": "2", "price": "12,50", "quantity": "1"}]
    error = wrong(text, {"input": {"lines": lines}})
    assert (error.line, error.column, error.target) == (4, 12, "lines[].net")
    assert "'12,50' is not a decimal" in str(error)
    assert "while building lines[].net" in str(error)


@pytest.mark.parametrize(
    ("text", "context", "says"),
    [
        ('amount + "1"', {"amount": "10.50"}, "$decimal_add"),
        ("amount * 2", {"amount": 1.5}, "cannot be calculated with"),
        ("amount * 2", {"amount": True}, "cannot be calculated with"),
        ("n / 2", {"n": 7}, "$decimal_divide(a, b, places)"),
        ("n * n", {"n": 2**40}, "beyond 2^53"),
        ('amount > "9.5"', {"amount": "10.50"}, "$decimal_compare(a, b)"),
        ('amount > "9"', {"amount": "10"}, "letter by letter"),
        ("amount > 9", {"amount": "10"}, "compares text with a number"),
        ("$number(amount)", {"amount": "10.50"}, "$json_number"),
        ("$number(amount)", {"amount": "9007199254740993"}, "without losing digits"),
        ("$uppercase(country)", {"country": None}, "$uppercase cannot take null; expected text"),
        ("$join(tags)", {"tags": ["a", 1]}, "$join cannot take 1"),
        ("$sum(tags)", {"tags": ["1.5"]}, "$decimal_sum"),
        ("$string(x)", {"x": [0.1]}, "binary float"),
        ("{a: 1}", {"a": 7}, "cannot be a key"),
        ("{a: 1, b: 2}", {"a": "k", "b": "k"}, "two fields of the object are called 'k'"),
        ("a^(b)", {"a": [{"b": 1}, {"b": "x"}]}, "cannot be sorted together"),
        ("[1..n]", {"n": 10**9}, "too long"),
        ("$error('no customer ' & id)", {"id": "7"}, "no customer 7"),
        ("$assert(a = 1, 'a is wrong')", {"a": 2}, "a is wrong"),
        ("$each(a, function($v) { $v })", {"a": "x"}, "has no fields to go through"),
        ("$pad(a, 1000000000)", {"a": "x"}, "at most 10000"),
        ("$reduce(a, function($s, $v) { $s & $s }, 'xy')", {"a": list(range(60))}, "gathered more than"),
    ],
)
def test_values_are_refused_with_what_to_do_instead(text: str, context: dict[str, Any], says: str) -> None:
    assert says in str(wrong(text, context))


def test_a_failure_that_nobody_foresaw_still_names_the_mapping() -> None:
    class Odd(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise KeyError("odd")

    error = wrong('{"a": b.c}', {"b": Odd()})
    assert "KeyError" in str(error)
    assert isinstance(error.__cause__, KeyError)


def test_hostile_texts_are_refused_quickly() -> None:
    for text in ("(" * 50_000, "[" * 50_000, "a." * 40_000 + "a[", "-" * 60_000 + "a", "x" * (MAX_LENGTH + 1)):
        with pytest.raises(MappingError):
            compile_expression(text)


def test_long_values_are_cut_short_in_messages() -> None:
    assert len(str(wrong("$decimal_round(a, 2)", {"a": "x" * 5_000}))) < 400
