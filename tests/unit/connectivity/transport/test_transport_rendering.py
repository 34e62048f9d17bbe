"""A request of the descriptor and a context become the same bytes every time."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.catalogue.connector import Operation, Probe, Request
from isthmus.connectivity.transport import odata_v2, rest
from isthmus.connectivity.transport.answer import Call
from isthmus.mapping.values import JsonNumber
from isthmus.model.problems import Rejected

REST, FORM, ODATA = {"kind": "rest"}, {"kind": "rest", "encoding": "form"}, {"kind": "odata_v2"}
BASE = "https://vendor.example/api"


def test_a_request_line_with_placeholders(connect: Any) -> None:
    request = Request(request="PATCH sobjects/Order/{ids.order}?updateOnly=true")
    call = connect(BASE, transport=REST).render(request, {"ids": {"order": "80 1/x"}})
    assert call == Call("PATCH", "sobjects/Order/80%201%2Fx?updateOnly=true", {}, None)


def test_query_header_and_lists(connect: Any) -> None:
    request = Request(
        request="GET orders",
        query={"$filter": "Name eq '{input.name}' and Date ge datetime'{units.0.from}'", "limit": "{input.limit}"},
        headers={"X-Unit": "{units.0.code}"},
    )
    context = {
        "input": {"name": "Müller & Söhne", "limit": 50},
        "units": [{"code": "emea", "from": "2026-01-02T00:00:00"}],
    }
    call = connect(BASE, transport=ODATA).render(request, context)
    assert dict(parse_qsl(urlsplit(call.path).query)) == {
        "$filter": "Name eq 'Müller & Söhne' and Date ge datetime'2026-01-02T00:00:00'",
        "limit": "50",
    }
    assert call.headers == {"X-Unit": "emea"}
    assert " " not in call.path and "+" not in call.path


@pytest.mark.parametrize(
    ("transport", "expected"),
    [(ODATA, "Name eq 'O''Hara \\ \"x\"' and 1 eq 1"), (REST, "Name eq 'O\\'Hara \\\\ \\\"x\\\"' and 1 eq 1")],
)
def test_a_value_cannot_leave_its_quotes(connect: Any, transport: Any, expected: str) -> None:
    request = Request(request="GET orders", query={"q": "Name eq '{input.name}' and 1 eq {input.one}"})
    call = connect(BASE, transport=transport).render(request, {"input": {"name": 'O\'Hara \\ "x"', "one": 1}})
    assert dict(parse_qsl(urlsplit(call.path).query)) == {"q": expected}


def test_a_key_in_an_odata_path_is_quoted_twice(connect: Any) -> None:
    call = connect(BASE, transport=ODATA).render(
        Request(request="GET SRV/A_SalesOrder('{input.number}')/to_Item"), {"input": {"number": "4'5/6"}}
    )
    assert call.path == "SRV/A_SalesOrder('4%27%275%2F6')/to_Item"


@given(st.text(min_size=1, max_size=30))
def test_any_value_stays_one_literal(value: str) -> None:
    """Whatever stands in a value, an OData reader finds one literal with exactly that value."""
    quoted = f"'{odata_v2.in_literal(value)}'"
    assert quoted[1:-1].replace("''", "\0").count("'") == 0
    assert quoted[1:-1].replace("''", "'") == value


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_value_is_refused_by_name(connect: Any, value: Any) -> None:
    request = Probe(request="GET SRV/Orders", query={"$filter": "Ref eq '{input.number}'"}, found="results[0]")
    with pytest.raises(Rejected, match=r"crm-emea: GET SRV/Orders needs \{input.number\}") as refused:
        connect(BASE, transport=ODATA).render(request, {"input": {"number": value}})
    assert refused.value.problem.field == "input.number"
    assert refused.value.problem.mend


@pytest.mark.parametrize("value", [{"amount": "1"}, [1]])
def test_a_value_that_is_several_is_refused(connect: Any, value: Any) -> None:
    with pytest.raises(Rejected, match="one value"):
        connect(BASE, transport=REST).render(Request(request="GET x/{input.a}"), {"input": {"a": value}})


@pytest.mark.parametrize("value", [".", ".."])
def test_a_path_cannot_be_climbed(connect: Any, value: str) -> None:
    with pytest.raises(Rejected):
        connect(BASE, transport=REST).render(
            Request(request="DELETE v1/invoices/{ids.invoice}/x"), {"ids": {"invoice": value}}
        )


def test_a_header_takes_one_line(connect: Any) -> None:
    request = Request(request="POST x", headers={"X-Key": "{key}"})
    with pytest.raises(Rejected, match="X-Key") as refused:
        connect(BASE, transport=REST).render(request, {"key": "a\r\nX-Admin: 1"})
    assert "X-Admin" not in str(refused.value)


def test_version_and_idempotency_are_headers(connect: Any) -> None:
    request = Request(request="PATCH x", version="{body.etag}")
    call = connect(BASE, transport=REST).render(
        request, {"body": {"etag": "W/\"datetimeoffset'2026'\""}}, idempotency=("Idempotency-Key", "OPP-1002~2")
    )
    assert call.headers == {"If-Match": "W/\"datetimeoffset'2026'\"", "Idempotency-Key": "OPP-1002~2"}


def test_a_json_body_keeps_digits(connect: Any) -> None:
    mapping = (
        '{"Amount": $json_number(input.amount), "Name": input.name, "Lines": input.lines.{"Q": quantity}, "None": null}'
    )
    connection = connect(BASE, transport=REST, mappings={"order.jsonata": mapping})
    operation = Operation(request="POST orders", mapping="order.jsonata", once={"upsert": True})
    context = {
        "input": {"amount": "12345678901234567.10", "name": "Ö", "lines": [{"quantity": "1"}, {"quantity": "2"}]}
    }
    call = connection.render(operation, context)
    assert call.headers == {"Content-Type": "application/json"}
    assert call.body == '{"Amount":12345678901234567.10,"Name":"Ö","Lines":[{"Q":"1"},{"Q":"2"}],"None":null}'.encode()
    assert all(connection.render(operation, context) == call for _ in range(5))


def test_a_form_body(connect: Any) -> None:
    mapping = '{"customer": input.id, "auto_advance": false, "description": null, "lines": input.lines, "metadata": {"key": key}}'
    connection = connect(BASE, transport=FORM, mappings={"invoice.jsonata": mapping})
    operation = Operation(request="POST v1/invoices", mapping="invoice.jsonata", once={"upsert": True})
    call = connection.render(
        operation, {"input": {"id": "cus_1", "lines": [{"price": 5}, {"price": 7}]}, "key": "OPP 1&2"}
    )
    assert call.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert call.body == (
        b"customer=cus_1&auto_advance=false&description=&lines[0][price]=5&lines[1][price]=7&metadata[key]=OPP+1%262"
    )


def test_a_mapping_of_a_get_gives_the_query(connect: Any) -> None:
    mapping = '{"q": input.name & " & more", "created": {"gte": input.since}, "limit": input.limit, "none": null, "gone": input.x}'
    connection = connect(BASE, transport=REST, mappings={"search.jsonata": mapping})
    request = Request(request="GET v1/search", query={"a": "1"}, mapping="search.jsonata")
    call = connection.render(request, {"input": {"name": "Müller+", "since": 5, "limit": 50}})
    assert (call.method, call.body, call.headers) == ("GET", None, {})
    pairs = [("a", "1"), ("q", "Müller+ & more"), ("created[gte]", "5"), ("limit", "50")]
    assert parse_qsl(urlsplit(call.path).query) == pairs
    for nothing in ("{}", '{"a": input.none}'):
        bare = connect(BASE, transport=REST, mappings={"search.jsonata": nothing})
        assert (
            bare.render(Request(request="GET v1/search", mapping="search.jsonata"), {"input": {}}).path == "v1/search"
        )
    wrong = connect(BASE, transport=REST, mappings={"search.jsonata": '"text"'})
    with pytest.raises(Rejected, match="named parameters"):
        wrong.render(request, {})


def test_a_body_that_is_no_form_is_refused(connect: Any) -> None:
    connection = connect(BASE, transport=FORM, mappings={"x.jsonata": '"text"'})
    with pytest.raises(Rejected, match="no object"):
        connection.render(Request(request="POST x", mapping="x.jsonata"), {})


def test_form_knows_numbers_and_refuses_objects() -> None:
    assert rest.form({"a": JsonNumber("1.50"), "b": True, "c": [], "d": 3.0}) == b"a=1.50&b=true&d=3"
    with pytest.raises(TypeError, match=r"when\[0\]"):
        rest.form({"when": [object()]})


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=20), max_size=5))
def test_a_form_can_be_read_back(fields: dict[str, str]) -> None:
    assert dict(parse_qsl(rest.form(fields).decode(), keep_blank_values=True)) == fields


async def test_bytes_on_the_wire_are_the_rendered_ones(connect: Any, vendor: Any) -> None:
    connection = connect(vendor.url + "/root/", transport=ODATA)
    call = connection.render(
        Request(request="GET S/A('{key}')", query={"$filter": "x eq '{key}'"}), {"key": "A/B +%'ü"}
    )
    await connection.send(call, timeout_s=5)
    assert vendor.seen[0].path == "/root/" + call.path
    assert (
        vendor.seen[0].path == "/root/S/A('A%2FB%20%2B%25%27%27%C3%BC')?$filter=x%20eq%20'A%2FB%20%2B%25%27%27%C3%BC'"
    )
