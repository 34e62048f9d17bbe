"""What comes back: parsed without loss, judged by the descriptor's rules, paged on the own host only."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.connectivity.transport import json_text, odata_v2
from isthmus.connectivity.transport.answer import Answer, Budget, Call
from isthmus.mapping.values import JsonNumber
from isthmus.model.problems import Rejected

GET = Call("GET", "v1/orders?status=open", {}, None)
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 12.50}', {"a": "12.50"}),
        ("[0.1, 1e3, 1.5E-2, 1e999999999]", ["0.1", "1000", "0.015", "1e999999999"]),
        ("[9007199254740992, 9007199254740993, -9007199254740993]", [2**53, "9007199254740993", "-9007199254740993"]),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ('"\ufeff"', "\ufeff"),
        ("null", None),
    ],
)
def test_numbers_keep_their_digits(text: str, value: Any) -> None:
    assert json_text.parse_json(text) == value


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "{", "", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_is_no_json_is_refused(text: Any) -> None:
    with pytest.raises(ValueError):
        json_text.parse_json(text)


@given(st.integers())
def test_an_integer_is_itself_or_its_digits(number: int) -> None:
    parsed = json_text.parse_json(str(number))
    assert parsed == (number if abs(number) <= 2**53 else str(number))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_encoding_is_json(value: Any) -> None:
    assert json.loads(json_text.encode_json(value)) == value


def test_encoding_writes_markers_bare_and_refuses_the_rest() -> None:
    class Some(list):  # type: ignore[type-arg]
        pass

    assert json_text.encode_json({"a": JsonNumber("12.50"), "b": Some([JsonNumber("1")])}) == b'{"a":12.50,"b":[1]}'
    with pytest.raises(TypeError, match="datetime"):
        json_text.encode_json({"a": datetime.now(UTC)})


@pytest.mark.parametrize(
    ("headers", "raw", "body"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, b'{"a": 1.0}', {"a": "1.0"}),
        ({"Content-Type": "application/problem+json"}, b"[]", []),
        ({"Content-Type": "text/plain; charset=latin-1"}, "Zürich".encode("latin-1"), "Zürich"),
        ({"Content-Type": "application/atom+xml"}, b"<a/>", "<a/>"),
        ({"Content-Type": "text/csv"}, b"a,b", "a,b"),
        ({"Content-Type": "application/pdf"}, b"%PDF\x00", b"%PDF\x00"),
        ({"Content-Type": "application/json"}, b"", None),
    ],
)
async def test_a_body_by_its_type(connect: Any, vendor: Any, headers: Any, raw: bytes, body: Any) -> None:
    vendor.answer = lambda seen: (200, raw, {**headers, "X-Two": "b"})
    answer = await connect(vendor.url).send(GET, timeout_s=5)
    assert (answer.status, answer.body, answer.raw, answer.headers["x-two"]) == (200, body, raw, "b")


async def test_compressed_answers_are_read(connect: Any, vendor: Any) -> None:
    import gzip

    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    vendor.answer = lambda seen: (200, gzip.compress(b'{"a": 1}'), headers)
    assert (await connect(vendor.url).send(GET, timeout_s=5)).body == {"a": 1}


# --- OData v2


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("/Date(1767225600000)/", "2026-01-01"),
        ("/Date(1767225600000+0000)/", "2026-01-01T00:00:00Z"),
        ("/Date(1767225600000+0060)/", "2026-01-01T00:00:00Z"),
        ("/Date(1767225661001)/", "2026-01-01T00:01:01.001Z"),
        ("/Date(-86400000)/", "1969-12-31"),
        ("/Date(9999999999999999)/", "/Date(9999999999999999)/"),
        ("/Date(x)/", "/Date(x)/"),
        ("on /Date(0)/", "on /Date(0)/"),
    ],
)
def test_odata_dates(text: str, iso: str) -> None:
    for raw in (json.dumps([text, "x"]), json.dumps([text, "x"]).replace("/", "\\/")):
        assert json.loads(odata_v2.with_iso_dates(raw.encode())) == [iso, "x"]


async def test_odata_answers_are_unwrapped(connect: Any, vendor: Any) -> None:
    entity = {"SalesOrder": "1", "At": "/Date(1767225600000)/", "to_Item": {"results": [{"At": "/Date(0+0000)/"}]}}
    vendor.answer = lambda seen: (200, {"d": {"results": [entity], "__count": "1", "__next": "x"}})
    answer = await connect(vendor.url, transport={"kind": "odata_v2"}).send(GET, timeout_s=5)
    items = {"results": [{"At": "1970-01-01T00:00:00Z"}]}
    assert answer.body == {
        "results": [{"SalesOrder": "1", "At": "2026-01-01", "to_Item": items}],
        "__count": "1",
        "__next": "x",
    }


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("SRV/A_SalesOrder?$top=1", "SRV/"),
        ("SRV/A_SalesOrder('1%2F2')/to_Item", "SRV/"),
        ("sap/opu/SRV/$batch", "sap/opu/SRV/"),
        ("SRV/Cancel?BillingDocument='1/2'", "SRV/"),
        ("Root", ""),
    ],
)
def test_the_service_of_a_call(path: str, root: str) -> None:
    assert odata_v2.service_root(path) == root


# --- failures


RULES = [
    {"status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "verdict": "retry", "class": "limit", "pause": "15m"},
    {"status": [400, 423], "says": "(?i)processed by", "verdict": "retry", "class": "locked", "pause": "2s"},
    {"code": ["DUPLICATE_VALUE", "DUPLICATES_DETECTED"], "verdict": "reject", "class": "conflict"},
    {"status": 400, "verdict": "reject", "class": "business"},
]
SHAPE = {"code": "$[0].errorCode", "message": "$[0].message", "field": "$[0].fields[0]"}
PROBLEMS = {
    "V1/302": {"means": "Item {input.item} is not sold here: {message}", "mend": "extend {field} in {input.none}"}
}


def sample(connect: Any, **parts: Any) -> Any:
    return connect("https://vendor.example", error=SHAPE, errors=RULES, problems=PROBLEMS, **parts)


def error(code: str, message: str = "no", **more: Any) -> Any:
    return [{"errorCode": code, "message": message, **more}]


@pytest.mark.parametrize(
    ("status", "body", "verdict", "error_class", "pause_s"),
    [
        (403, error("REQUEST_LIMIT_EXCEEDED"), "retry", "limit", 900),
        (403, error("FORBIDDEN"), "reject", "access", None),
        (400, error("X", "Order is being Processed by USER"), "retry", "locked", 2),
        (400, error("DUPLICATE_VALUE"), "reject", "conflict", None),
        (400, error("OTHER"), "reject", "business", None),
        (401, error("INVALID_SESSION_ID"), "reauthenticate", "access", None),
        (404, error("NOT_FOUND"), "reject", "missing", None),
        (500, error("UNKNOWN"), "retry", "down", None),
        (302, None, "reject", "format", None),
    ],
)
def test_the_first_rule_that_fits(
    connect: Any, status: int, body: Any, verdict: str, error_class: str, pause_s: Any
) -> None:
    failure = sample(connect).failure(Answer(status, JSON, body), {})
    assert (failure.verdict, failure.error_class, failure.pause_s) == (verdict, error_class, pause_s)
    assert failure.status == status and failure.code == (body[0]["errorCode"] if body else "302")


def test_success_is_no_failure(connect: Any) -> None:
    for status in (200, 201, 204, 299):
        assert sample(connect).failure(Answer(status, {}, None), {}) is None


def test_words_for_people(connect: Any) -> None:
    body = error("V1/302", "nope", fields=["Material"])
    failure = sample(connect).failure(Answer(400, JSON, body), {"input": {"item": "10"}})
    assert (failure.means, failure.mend, failure.field) == (
        "Item 10 is not sold here: nope",
        "extend Material in …",
        "Material",
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<html><head><style>b{}</style></head><body><h1>503</h1>\n Service   down</body></html>", "503 Service down"),
        ("Number of allowed API requests exceeded", "Number of allowed API requests exceeded"),
        ("x" * 500, "x" * 200),
        (None, "status 503, and not a word"),
        (b"\x00", "status 503, and not a word"),
        ({"unexpected": 1}, "status 503, and no message"),
    ],
)
def test_any_body_gives_a_code_and_a_message(connect: Any, body: Any, message: str) -> None:
    failure = sample(connect).failure(Answer(503, {}, body), {})
    assert (failure.code, failure.message) == ("503", message)


def test_retry_after_in_seconds_or_as_a_date(connect: Any, clock: Any) -> None:
    date = format_datetime(clock.now.replace(second=30), usegmt=True)
    for said, pause_s in (("7", 7), ("0.5", 0.5), (date, 30), ("Mon, 01 Jan 2024 00:00:00 GMT", 0), ("soon", None)):
        failure = sample(connect).failure(Answer(429, {"retry-after": said}, "slow down"), {})
        assert (failure.verdict, failure.error_class, failure.pause_s) == ("retry", "limit", pause_s)


async def test_a_redirect_is_a_failure_and_is_not_followed(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (302, b"", {"Location": "http://169.254.169.254/latest?x=1"})
    connection = connect(vendor.url)
    answer = await connection.send(Call("POST", "x", {}, b"{}"), timeout_s=5)
    failure = connection.failure(answer, {})
    assert failure.verdict == "reject" and "http://169.254.169.254/latest;" in failure.message
    assert len(vendor.seen) == 1


def test_secrets_are_taken_out_of_messages(connect: Any) -> None:
    connection = sample(connect, settings={"api_key": "sk_live_123456"})
    failure = connection.failure(Answer(401, JSON, error("X", "Invalid API key: sk_live_123456")), {})
    assert failure.message == "Invalid API key: •••"


# --- budget


@pytest.mark.parametrize(
    ("limits", "status", "headers", "budget"),
    [
        ({"remaining": "X-Rate-Limit-Remaining"}, 200, {"x-rate-limit-remaining": "41"}, Budget(41)),
        (
            {"remaining": "X-Rate-Limit-Remaining", "reset_s": "headers.`ratelimit-reset`"},
            200,
            {"ratelimit-reset": "9"},
            Budget(None, 9),
        ),
        ({"remaining": '$number($split(headers.info, "/")[0])'}, 200, {"info": "18/5000"}, Budget(18)),
        ({"remaining": "X-Left"}, 200, {"x-left": "many"}, None),
        ({}, 429, {"retry-after": "3"}, Budget(pause_s=3)),
        ({}, 200, {"retry-after": "3"}, None),
        ({}, 200, {}, None),
    ],
)
def test_budget(connect: Any, limits: Any, status: int, headers: Any, budget: Any) -> None:
    assert connect("https://vendor.example", limits=limits).budget(Answer(status, headers, None)) == budget


# --- pages


@pytest.mark.parametrize(
    ("base", "said", "path"),
    [
        ("https://v.example", "https://v.example/v1/orders?after=2", "v1/orders?after=2"),
        ("https://v.example", "http://v.example/v1/orders?after=2", "v1/orders?after=2"),
        ("https://v.example", "/services/query/01g-500", "services/query/01g-500"),
        ("https://v.example/api", "/api/v1/x", "v1/x"),
        ("https://v.example/api", "/v1/x", "v1/x"),
        ("https://v.example/api", "?after=2", "v1/orders?after=2"),
        ("https://v.example/api", "orders2?after=2", "v1/orders2?after=2"),
        ("https://v.example:8443/api", "https://v.example:8443/api/x", "x"),
        ("https://v.example/api", {"after": "a b", "status": "all"}, "v1/orders?after=a%20b&status=all"),
        ("https://v.example/api", {"after": "x"}, "v1/orders?status=open&after=x"),
    ],
)
def test_the_next_page(connect: Any, base: str, said: Any, path: str) -> None:
    connection = connect(base, transport={"kind": "rest", "next": "next"})
    answer = Answer(200, JSON, {"next": said}, call=Call("GET", GET.path, {"Prefer": "x"}, None))
    assert connection.next_page(answer) == Call("GET", path, {"Prefer": "x"}, None)


@pytest.mark.parametrize(
    "said",
    [
        "https://evil.example/api/x",
        "//evil.example/api/x",
        "https://v.example@evil.example/api/x",
        "https://user@v.example/api/x",
        "https://v.example:8443/api/x",
        "http://v.example.evil.example/api/x",
        "https://v.example/other/x",
        "https://v.example/api/../other",
        "https://v.example/api/%2e%2E/other",
        "../../other",
        "file:///etc/passwd",
        "gopher://v.example/api/x",
    ],
)
def test_a_next_page_elsewhere_is_refused(connect: Any, said: str) -> None:
    connection = connect("https://v.example/api", transport={"kind": "rest", "next": "next"})
    with pytest.raises(Rejected, match="another place"):
        connection.next_page(Answer(200, JSON, {"next": said}, call=GET))


def test_the_last_page(connect: Any) -> None:
    connection = connect("https://v.example", transport={"kind": "rest", "next": "has_more ? next"})
    assert connection.next_page(Answer(200, JSON, {"has_more": False, "next": "/x"}, call=GET)) is None
    assert connect("https://v.example").next_page(Answer(200, JSON, {"__next": "/x"}, call=GET)) is None


def test_odata_pages_by_itself(connect: Any) -> None:
    connection = connect("https://v.example/sap", transport={"kind": "odata_v2"})
    answer = Answer(200, JSON, {"results": [], "__next": "https://v.example/sap/S/A?$skiptoken=2"}, call=GET)
    assert connection.next_page(answer).path == "S/A?$skiptoken=2"
    assert connection.next_page(Answer(200, JSON, {"results": []}, call=GET)) is None


@pytest.mark.parametrize("path", ["a\r\nHost: x", "a b", "a\\b"])
async def test_a_path_that_is_not_encoded_is_refused(connect: Any, vendor: Any, path: str) -> None:
    with pytest.raises(Rejected):
        await connect(vendor.url).send(Call("GET", path, {}, None), timeout_s=5)


async def test_a_path_cannot_name_another_host(connect: Any, vendor: Any) -> None:
    for path in ("//evil.example/x", "http://evil.example/x", "@evil.example/x"):
        await connect(vendor.url).send(Call("GET", path, {}, None), timeout_s=5)
    assert [seen.headers["host"] for seen in vendor.seen] == [vendor.url.removeprefix("http://")] * 3


@pytest.mark.parametrize(
    "base", ["ftp://v.example", "v.example", "https://", "https://u:p@v.example", "https://v.example?x=1"]
)
def test_a_base_address_is_checked(connect: Any, base: str) -> None:
    with pytest.raises(Rejected, match="base address"):
        connect(base)
