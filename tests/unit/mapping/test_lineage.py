"""Which output field comes from which input path, and where it is written."""

from __future__ import annotations

import pytest

from isthmus.mapping.expression import MappingError
from isthmus.mapping.lineage import lineage, read_paths, written_paths

TEXT = """/* writes: A_SalesOrder */
(
  $party := input.partners.sold_to;
  $net := function($line) { $decimal_multiply($line.price.amount, $line.quantity) };
  {
    "Type": values.order_type,
    "SoldTo": $party.customer.number,
    "Name": $party.name ? $party.name : ids.name,
    "Total": $money(input.total, input.currency),
    "to_Item": {"results": [input.lines[kind != "text"].{
      "Material": product.number,
      "Net": $net($),
      "Currency": $$.input.currency
    }]},
    "Texts": $map(input.notes, function($note, $i) { {"Position": $i, "Text": $note.text} }),
    "Fixed": "1"
  }
)
"""


def flows(text: str) -> dict[str, tuple[str, ...]]:
    return {flow.target: flow.sources for flow in lineage(text)}


def test_every_output_field_has_its_sources() -> None:
    assert flows(TEXT) == {
        "Type": ("values.order_type",),
        "SoldTo": ("input.partners.sold_to.customer.number",),
        "Name": ("ids.name", "input.partners.sold_to.name"),
        "Total.amount": ("input.total",),
        "Total.currency": ("input.currency",),
        "to_Item.results[].Material": ("input.lines.kind", "input.lines.product.number"),
        "to_Item.results[].Net": ("input.lines.kind", "input.lines.price.amount", "input.lines.quantity"),
        "to_Item.results[].Currency": ("input.currency", "input.lines.kind"),
        "Texts[].Position": (),
        "Texts[].Text": ("input.notes.text",),
        "Fixed": (),
    }


def test_fields_are_found_at_their_keys() -> None:
    at = {flow.target: (flow.line, flow.column) for flow in lineage(TEXT)}
    assert at["Type"] == (6, 5)
    assert at["to_Item.results[].Material"] == (11, 7)
    assert at["Total.amount"] == (9, 5)


def test_written_paths_name_objects_and_arrays_too() -> None:
    written = written_paths(TEXT)
    assert ("to_Item", 10, 5) in written
    assert ("to_Item.results[]", 10, 17) in written
    assert [path for path, _, _ in written if path.startswith("Texts")] == [
        "Texts[]",
        "Texts[].Position",
        "Texts[].Text",
    ]


def test_all_that_is_read_is_told() -> None:
    assert read_paths("a.b & $count(c[d = $$.e])") == ["a.b", "c", "c.d", "e"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"x": {"y": a}}.x', {"y": ("a",)}),
        ('a ? {"x": b} : {"x": c, "y": d}', {"x": ("a", "b", "c"), "y": ("a", "d")}),
        ('$merge([{"x": a}, {"y": b}])', {"x": ("a",), "y": ("b",)}),
        ('{"x": $append(a.b, [c])}', {"x[]": ("a.b", "c")}),
        ('{"x": $filter(a, function($v) { $v.b = c }).d}', {"x": ("a.b", "a.d", "c")}),
        ('{"x": a^(b).c}', {"x": ("a.b", "a.c")}),
        ('{"x": a ~> $uppercase}', {"x": ("a",)}),
        ('{"x": a ~> $join(b)}', {"x": ("a", "b")}),
        ("{k: a}", {"*": ("a", "k")}),
        ('a.{"x": $, "y": $$.b}', {"x": ("a",), "y": ("b",)}),
        ('{"x": a ?? b}', {"x": ("a", "b")}),
        ('{"x": a[0].b}', {"x": ("a.b",)}),
        ('($f := function($v) { {"x": $v.a} }; $f(b))', {"x": ("b.a",)}),
        ('($f := function($v) { $f($v.a) }; {"x": $f(b)})', {"x": ("b.a",)}),
        ('{"x": $reduce(a, function($s, $v) { $s & $v.b })}', {"x": ("a",)}),
        ('{"x": a.**.b}', {"x": ("a.b",)}),
        ('{"x": a.b.{"y": %.c}}', {"x[].y": ("a.c",)}),
    ],
)
def test_constructs(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    found = flows(text)
    assert set(found) == set(expected)
    for target, sources in expected.items():
        assert set(sources) <= set(found[target]), "a source is left out"


def test_a_text_that_cannot_be_read_says_where() -> None:
    with pytest.raises(MappingError) as caught:
        lineage('{"a": }', file="m.jsonata")
    assert (caught.value.file, caught.value.column) == ("m.jsonata", 7)
