"""States, schemas and problems: what others are told about the model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from tests.unit.model import model_examples as ex

import isthmus.model as model
from isthmus.model import (
    MACHINES,
    OBJECTS,
    Case,
    Delivery,
    Entitlement,
    InvalidObject,
    Invoice,
    Order,
    Payment,
    Problem,
    Quote,
    Reauthenticate,
    Rejected,
    TryAgain,
    from_json,
    is_final,
    may_go,
    problems_of,
    schema,
    to_json,
)
from isthmus.model.states import DERIVED


@pytest.mark.parametrize(
    ("machine", "start", "end", "may"),
    [
        ("quote", "sent", "accepted", True),
        ("quote", "accepted", "sent", False),
        ("quote", "draft", "draft", False),
        ("delivery", "shipped", "planned", True),
        ("delivery", "shipped", "cancelled", False),
        ("invoice", "draft", "paid", False),
        ("invoice", "paid", "issued", True),
        ("invoice", "overdue", "paid", True),
        ("invoice", "issued", "partly_paid", True),
        ("credit_note", "used", "void", False),
        ("payment", "succeeded", "failed", True),
        ("payment", "refunded", "charged_back", True),
        ("payment", "pending", "disputed", False),
        ("entitlement", "suspended", "active", True),
        ("case", "solved", "open", True),
        ("case", "closed", "open", False),
        ("dispute", "rejected", "open", True),
        ("approval", "approved", "requested", True),
    ],
)
def test_moves(machine: str, start: str, end: str, may: bool) -> None:
    assert may_go(machine, start, end) is may


def test_every_move_leads_to_a_state_and_finals_are_final() -> None:
    for machine, moves in MACHINES.items():
        assert {end for ends in moves.values() for end in ends} <= set(moves)
        assert any(is_final(machine, state) for state in moves) or machine in ("invoice", "approval")
    assert is_final("case", "closed")
    assert not is_final("payment", "refunded")


@pytest.mark.parametrize(
    ("machine", "owner"),
    [
        ("quote", Quote),
        ("delivery", Delivery),
        ("invoice", Invoice),
        ("payment", Payment),
        ("entitlement", Entitlement),
        ("case", Case),
    ],
)
def test_the_words_of_a_machine_are_those_of_its_object(machine: str, owner: Any) -> None:
    words = set(schema(machine)["properties"]["status"]["enum"])
    derived = set(DERIVED.get(machine, {})) & words
    assert words == set(MACHINES[machine]) | derived


def test_no_such_machine_or_state_is_said() -> None:
    with pytest.raises(ValueError, match="no state machine 'order'"):
        may_go("order", "draft", "sent")
    with pytest.raises(ValueError, match="quote has no state 'won'; it has draft, in_approval"):
        may_go("quote", "won", "sent")


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_every_object_has_a_schema_of_2020_12(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"https://isthmus.dev/schemas/{name}/v1"
    assert found["title"]
    assert found["description"]
    assert found["additionalProperties"] is False
    for reference in _references(found):
        assert reference.removeprefix("#/$defs/") in found["$defs"], reference
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("quote", ex.quote()),
        ("order", ex.confirmed(ex.order_line(shipped="4"))),
        ("invoice", ex.invoice()),
        ("credit_note", ex.credit_note()),
        ("payment", ex.payment()),
        ("customer", ex.customer(extensions={"a": 1, "b": None, "c": True})),
    ],
)
def test_what_we_write_fits_the_schema_and_what_is_wrong_does_not(name: str, data: dict[str, Any]) -> None:
    checker = Draft202012Validator(schema(name))
    checker.validate(to_json(OBJECTS[name].model_validate(data)))
    assert not checker.is_valid(data | {"surprise": 1})
    assert not checker.is_valid({key: value for key, value in data.items() if key != "business_unit"})
    assert not checker.is_valid(data | {"currency": "eur", "amount": {"amount": 1.5, "currency": "EUR"}})


def test_the_schema_tells_what_fields_mean() -> None:
    found = schema("order")
    assert found["properties"]["request_number"]["description"].startswith("Our business key")
    assert found["properties"]["currency"]["$ref"] == "#/$defs/CurrencyCode"
    assert found["$defs"]["CurrencyCode"]["description"] == "ISO 4217 of 2026-01-01"
    assert len(found["$defs"]["CurrencyCode"]["enum"]) == 165
    with pytest.raises(KeyError, match="no object 'account'"):
        schema("account")


def test_a_problem_is_that_of_rfc_9457() -> None:
    with pytest.raises(InvalidObject) as caught:
        from_json(Order, ex.order(currency="euro"))
    assert caught.value.problem.to_json() | {"problems": None} == {
        "type": "https://isthmus.dev/problems/invalid-field",
        "title": "Currency must be a code of ISO 4217 of 2026-01-01",
        "detail": "currency must be a code of ISO 4217 of 2026-01-01 (it is euro)",
        "status": 422,
        "field": "currency",
        "value": "euro",
        "expected": "a code of ISO 4217 of 2026-01-01",
        "problems": None,
    }


def test_pydantics_own_findings_are_told_in_the_same_words() -> None:
    lines = [{**ex.line(), "position": "first", "quantity": {"value": "1"}}]
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(ex.order(lines=lines, partners="Acme", complete_delivery="perhaps"))
    told = {problem.field: problem.sentence() for problem in problems_of(caught.value)}
    assert told["lines[0].quantity.unit"] == "lines[0].quantity.unit is missing; map it, or give it a fixed value"
    assert told["lines[0].position"].startswith("lines[0].position must be a valid integer")
    assert told["partners"].endswith("(it is Acme)")
    assert set(told) == {"lines[0].quantity.unit", "lines[0].position", "partners", "complete_delivery"}


def test_long_values_are_cut() -> None:
    with pytest.raises(InvalidObject) as caught:
        from_json(Order, ex.order(currency="x" * 10_000))
    assert len(caught.value.problem.value or "") == 200


def test_errors_are_named_by_what_to_do_next() -> None:
    problem = Problem(
        title="The item is not sold here", detail="V1/302", mend="extend the item, then replay", status=409
    )
    assert str(Rejected(problem)) == "The item is not sold here: V1/302; extend the item, then replay"
    assert TryAgain(problem, after_s=2.5).after_s == 2.5
    assert not issubclass(TryAgain, Rejected)
    assert not issubclass(Reauthenticate, Rejected)
    assert issubclass(InvalidObject, Rejected)
    assert Problem.model_validate(problem.to_json()) == problem


def test_every_public_name_is_there() -> None:
    assert sorted(set(model.__all__)) == sorted(model.__all__)
    assert not [name for name in model.__all__ if not hasattr(model, name)]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [each for child in node.values() for each in _references(child)]
    return [each for child in node for each in _references(child)] if isinstance(node, list) else []
