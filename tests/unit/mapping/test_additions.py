"""A company's own fields, added to a mapping in one line each."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.mapping.expression import MappingError
from isthmus.mapping.mapping import FieldAddition, compile_mapping

TEXT = '{"id": body.Id, "lines": [body.Items.{"id": Id}], "customer": body.Account}'


def made(*additions: FieldAddition, text: str = TEXT, **body: Any) -> Any:
    return compile_mapping(text, file="quote.jsonata", additions=additions)({"body": body})


def test_a_field_is_copied_where_it_is_and_left_out_where_it_is_not() -> None:
    region = FieldAddition("extensions.region", "body.Region__c")
    assert made(region, Id="1", Region__c="north") == {"id": "1", "lines": [], "extensions": {"region": "north"}}
    assert made(region, Id="1") == {"id": "1", "lines": []}
    assert made(region, Id="1", Region__c=None) == {"id": "1", "lines": [], "extensions": {"region": None}}


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("text", "x", "x"),
        ("text", 7, "7"),
        ("decimal", "1E+2", "100"),
        ("decimal", 7, "7"),
        ("bool", True, True),
        ("bool", "false", False),
        ("date", "2026-03-01", "2026-03-01"),
        ("date", "2026-03-01T10:00:00Z", "2026-03-01"),
    ],
)
def test_fields_have_a_type(kind: Any, given: Any, expected: Any) -> None:
    assert made(FieldAddition("x", "body.X", kind), X=given)["x"] == expected


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("text", True, "is not text"),
        ("text", ["a"], "no single value"),
        ("decimal", 1.5, "binary float"),
        ("decimal", "many", "not a decimal"),
        ("bool", "yes", "neither true nor false"),
        ("date", "1.3.2026", "not a time"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(kind: Any, given: Any, says: str) -> None:
    with pytest.raises(MappingError) as caught:
        made(FieldAddition("extensions.x", "body.X__c", kind), X__c=given)
    assert says in str(caught.value)
    assert (caught.value.file, caught.value.target) == ("quote.jsonata", "extensions.x")
    assert "body.X__c" in caught.value.message


def test_items_of_two_arrays_are_matched_in_their_order() -> None:
    colour = FieldAddition("lines[].extensions.colour", "body.Items[].Colour__c")
    items = [{"Id": "1", "Colour__c": "blue"}, {"Id": "2"}]
    assert made(colour, Items=items)["lines"] == [{"id": "1", "extensions": {"colour": "blue"}}, {"id": "2"}]
    assert made(colour, Items=items[0])["lines"] == [{"id": "1", "extensions": {"colour": "blue"}}]


def test_arrays_of_different_length_are_not_guessed_at() -> None:
    text = '{"lines": [body.Items[Id = "1"].{"id": Id}]}'
    with pytest.raises(MappingError, match="2 items where the output has 1"):
        made(
            FieldAddition("lines[].c", "body.Items[].C"),
            text=text,
            Items=[{"Id": "1", "C": "x"}, {"Id": "2", "C": "y"}],
        )


def test_what_the_output_shares_with_the_input_stays_untouched() -> None:
    account = {"Name": "Acme"}
    found = made(FieldAddition("customer.region", "body.Region__c"), Account=account, Region__c="north")
    assert found["customer"] == {"Name": "Acme", "region": "north"}
    assert account == {"Name": "Acme"}


def test_a_target_below_a_plain_value_is_refused() -> None:
    with pytest.raises(MappingError, match="has no fields"):
        made(FieldAddition("id.x", "body.Id"), Id="1")


def test_additions_change_the_hash() -> None:
    plain = compile_mapping(TEXT, file="f")
    added = compile_mapping(TEXT, file="f", additions=[FieldAddition("x", "body.X")])
    assert plain.content_hash != added.content_hash
