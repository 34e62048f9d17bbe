"""Signing in: every kind, once for all, renewed before it runs out, and nothing secret in any text."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from isthmus.connectivity.transport import wire
from isthmus.connectivity.transport.answer import Call, NoAnswer, NotSent, SignInRefused
from isthmus.connectivity.transport.tokens import LocalTokens, StoredToken
from isthmus.model.problems import Rejected

GET = Call("GET", "v1/x", {}, None)
POST = Call("POST", "v1/x", {"Content-Type": "application/json"}, b"{}")
CLIENT = {
    "kind": "oauth2_client_credentials",
    "token_path": "/oauth/token",
    "client_id": "{settings.client_id}",
    "client_secret": "{settings.client_secret}",
}
SETTINGS = {"client_id": "me", "client_secret": "hush-hush-5"}


class Tokens:
    """A vendor with a token endpoint: tokens are t1, t2 …; ``good`` are those that it takes."""

    def __init__(self, vendor: Any, **answer: Any) -> None:
        self.vendor, self.extra, self.given, self.good = vendor, answer, 0, set[str]()
        self.token_requests: list[Any] = []
        vendor.answer = self.play

    async def play(self, seen: Any) -> Any:
        if seen.path == "/oauth/token":
            self.token_requests.append(seen)
            await asyncio.sleep(0.02)
            self.given += 1
            self.good = {f"t{self.given}"}
            return 200, {"access_token": f"t{self.given}", "token_type": "Bearer", **self.extra}
        if seen.headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            return 401, {"error": {"code": "INVALID_SESSION", "message": "expired"}}
        return 200, {"with": seen.headers["authorization"]}


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"kind": "none"}, None),
        ({"kind": "bearer", "token": "{settings.api_key}"}, "Bearer key-123"),
        (
            {"kind": "basic", "user": "{settings.email}/token", "password": "{settings.api_key}"},
            "Basic " + base64.b64encode("jö@x/token:key-123".encode()).decode(),
        ),
    ],
)
async def test_fixed_sign_ins(connect: Any, vendor: Any, auth: Any, header: str | None) -> None:
    connection = connect(vendor.url, auth=auth, settings={"api_key": "key-123\n", "email": "jö@x"})
    await connection.send(GET, timeout_s=5)
    assert vendor.seen[0].headers.get("authorization") == header


async def test_a_fixed_sign_in_that_is_refused_is_an_answer(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (401, {"error": {"code": "x", "message": "no"}})
    connection = connect(
        vendor.url, auth={"kind": "bearer", "token": "{settings.api_key}"}, settings={"api_key": "wrong"}
    )
    answer = await connection.send(GET, timeout_s=5)
    assert connection.failure(answer, {}).verdict == "reauthenticate"
    assert len(vendor.seen) == 1


async def test_headers_from_settings(connect: Any, vendor: Any) -> None:
    headers = {"Stripe-Version": "2026", "APIKey": "{settings.api_key}", "Account": "{settings.account}"}
    connection = connect(vendor.url, transport={"kind": "rest", "headers": headers}, settings={"api_key": "key-123"})
    await connection.send(GET, timeout_s=5)
    sent = vendor.seen[0].headers
    assert (sent["stripe-version"], sent["apikey"], "account" in sent) == ("2026", "key-123", False)
    assert sent["user-agent"].startswith("Isthmus/") and sent["accept"] == "application/json"


@pytest.mark.parametrize("where", ["form", "basic"])
async def test_client_credentials(connect: Any, vendor: Any, where: str) -> None:
    tokens = Tokens(vendor, expires_in=600)
    basic = {
        "kind": CLIENT["kind"],
        "token_path": "oauth/token",
        "user": "{settings.client_id}",
        "password": "{settings.client_secret}",
    }
    connection = connect(vendor.url, auth={**(CLIENT if where == "form" else basic), "scope": "api"}, settings=SETTINGS)
    for _ in range(2):
        assert (await connection.send(GET, timeout_s=5)).body == {"with": "Bearer t1"}
    (asked,) = tokens.token_requests
    form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    expected = {"grant_type": "client_credentials", "scope": "api"}
    if where == "form":
        assert form == {**expected, "client_id": "me", "client_secret": "hush-hush-5"}
    else:
        assert form == expected
        assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"me:hush-hush-5").decode()


async def test_jwt_bearer(connect: Any, vendor: Any, clock: Any) -> None:
    tokens = Tokens(vendor)
    key = RSAKey.generate_key(2048)
    claims = {"iss": "{settings.client_id}", "sub": "{settings.user}", "aud": "https://login.example"}
    auth = {
        "kind": "oauth2_jwt_bearer",
        "token_path": "/oauth/token",
        "assertion": claims,
        "private_key": "{settings.private_key}",
    }
    pem = key.as_pem(private=True).decode()
    for text in (pem, pem.replace("\n", "\\n")):
        settings = {"client_id": "me", "user": "u@x", "private_key": text}
        assert (await connect(vendor.url, auth=auth, settings=settings).send(GET, timeout_s=5)).status == 200
    form = parse_qs(tokens.token_requests[0].body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    token = jwt.decode(form["assertion"][0], key, algorithms=["RS256"])
    now = int(clock().timestamp())
    said = {name: token.claims[name] for name in ("iss", "sub", "aud", "iat", "exp")}
    assert said == {"iss": "me", "sub": "u@x", "aud": "https://login.example", "iat": now, "exp": now + 180}


async def test_a_key_that_is_none_is_not_shown(connect: Any, vendor: Any) -> None:
    auth = {"kind": "oauth2_jwt_bearer", "token_path": "/oauth/token", "private_key": "{settings.private_key}"}
    connection = connect(vendor.url, auth=auth, settings={"private_key": "s3cr3t-text"})
    with pytest.raises(SignInRefused, match="private_key is no RSA key") as refused:
        await connection.send(GET, timeout_s=5)
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


async def test_a_token_is_renewed_before_it_runs_out(connect: Any, vendor: Any, clock: Any) -> None:
    tokens = Tokens(vendor, expires_in="600")
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS)
    await connection.send(GET, timeout_s=5)
    clock.forward(seconds=535)
    await connection.send(GET, timeout_s=5)
    assert tokens.given == 1
    clock.forward(seconds=10)
    assert (await connection.send(GET, timeout_s=5)).body == {"with": "Bearer t2"}
    assert [seen.path for seen in vendor.seen[-2:]] == ["/oauth/token", "/v1/x"]


async def test_the_lifetime_of_the_descriptor(connect: Any, vendor: Any, clock: Any) -> None:
    tokens = Tokens(vendor)
    connection = connect(vendor.url, auth={**CLIENT, "lifetime": "100s"}, settings=SETTINGS)
    await connection.send(GET, timeout_s=5)
    clock.forward(seconds=89)
    await connection.send(GET, timeout_s=5)
    clock.forward(seconds=2)
    await connection.send(GET, timeout_s=5)
    assert tokens.given == 2


async def test_one_signs_in_for_all(connect: Any, vendor: Any, clock: Any) -> None:
    """Twenty calls of two workers at once: one token request; again when the vendor drops the token."""
    tokens, shared = Tokens(vendor), LocalTokens(clock)
    workers = [connect(vendor.url, auth=CLIENT, settings=SETTINGS, tokens=shared) for _ in range(2)]
    for given in (1, 2):
        answers = await asyncio.gather(*(workers[n % 2].send(POST, timeout_s=5) for n in range(20)))
        assert {answer.body["with"] for answer in answers} == {f"Bearer t{given}"}
        assert tokens.given == given
        tokens.good = set()


async def test_who_waits_for_another_holder_gets_its_token(connect: Any, vendor: Any, clock: Any) -> None:
    tokens, shared = Tokens(vendor), LocalTokens(clock)
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS, tokens=shared)
    assert await shared.lease("crm-emea", "another", 30)
    waiting = asyncio.create_task(connection.send(GET, timeout_s=5))
    await asyncio.sleep(0.1)
    assert not waiting.done() and tokens.given == 0
    tokens.good = {"theirs"}
    await shared.write("crm-emea", StoredToken("theirs", clock() + timedelta(hours=1), None, 0), "another")
    assert (await waiting).body == {"with": "Bearer theirs"}
    assert tokens.given == 0


async def test_a_holder_that_died_is_replaced(connect: Any, vendor: Any, clock: Any) -> None:
    tokens, shared = Tokens(vendor), LocalTokens(clock)
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS, tokens=shared)
    assert await shared.lease("crm-emea", "dead", 30)
    with pytest.raises(NotSent, match="has not finished"):
        await connection.send(GET, timeout_s=0.1)
    clock.forward(seconds=31)
    assert (await connection.send(GET, timeout_s=5)).status == 200
    assert tokens.given == 1


async def test_a_refused_session_is_renewed_once_and_the_call_sent_again(connect: Any, vendor: Any) -> None:
    tokens = Tokens(vendor)
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS)
    await connection.send(POST, timeout_s=5)
    tokens.good = set()
    assert (await connection.send(POST, timeout_s=5)).body == {"with": "Bearer t2"}
    sent = [(seen.method, seen.path, seen.body) for seen in vendor.seen if seen.path != "/oauth/token"]
    assert sent == [("POST", "/v1/x", b"{}")] * 3


async def test_a_new_session_that_ran_out_at_once_is_renewed_too(connect: Any, vendor: Any) -> None:
    """All workers share one sign-in: what ends it for one of them ends it for those who have just renewed it."""
    tokens = iter(("t1", "t2", "t3"))

    def answer(seen: Any) -> tuple[int, dict[str, Any]]:
        if seen.path == "/oauth/token":
            return 200, {"access_token": next(tokens)}
        return (200, {}) if seen.headers["authorization"] == "Bearer t3" else (401, {"error": {}})

    vendor.answer = answer
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS)
    assert (await connection.send(POST, timeout_s=5)).status == 200


async def test_a_vendor_that_refuses_every_session_is_asked_a_few_times(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (200, {"access_token": "t"}) if seen.path == "/oauth/token" else (401, {"error": {}})
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS)
    assert (await connection.send(POST, timeout_s=5)).status == 401
    assert [seen.path for seen in vendor.seen] == ["/oauth/token", "/v1/x"] * 4


async def test_a_rule_may_name_the_lost_session(connect: Any, vendor: Any) -> None:
    def play(seen: Any) -> Any:
        if seen.path == "/oauth/token":
            return 200, {"access_token": f"t{len(vendor.seen)}"}
        fresh = seen.headers["authorization"] == "Bearer t3"
        return (200, {}) if fresh else (403, {"error": {"code": "SESSION_GONE", "message": ""}})

    vendor.answer = play
    rules = [{"status": 403, "code": "SESSION_GONE", "verdict": "reauthenticate", "class": "access"}]
    assert (
        await connect(vendor.url, auth=CLIENT, settings=SETTINGS, errors=rules).send(POST, timeout_s=5)
    ).status == 200


@pytest.mark.parametrize("status", [400, 401, 403, 200, 302])
async def test_a_refused_sign_in_says_why_and_rests(connect: Any, vendor: Any, clock: Any, status: int) -> None:
    vendor.answer = lambda seen: (status, {"error": "invalid_client", "error_description": "no such client"})
    connection = connect(vendor.url, auth=CLIENT, settings=SETTINGS)
    for _ in range(3):
        with pytest.raises(SignInRefused, match=f"refused with {status} invalid_client no such client"):
            await connection.send(POST, timeout_s=5)
    assert len(vendor.seen) == 1
    clock.forward(seconds=16)
    with pytest.raises(SignInRefused):
        await connection.send(POST, timeout_s=5)
    assert len(vendor.seen) == 2


async def test_a_sign_in_that_is_down_is_not_sent(connect: Any, vendor: Any, misbehaving: Any) -> None:
    vendor.answer = lambda seen: (503, b"<html>", {"Retry-After": "9"})
    with pytest.raises(NotSent) as down:
        await connect(vendor.url, auth=CLIENT, settings=SETTINGS).send(POST, timeout_s=5)
    assert not isinstance(down.value, SignInRefused) and down.value.pause_s == 9

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    with pytest.raises(NotSent, match="sign-in had no answer"):
        await connect(await misbehaving(close), auth=CLIENT, settings=SETTINGS).send(POST, timeout_s=5)


async def test_calls_go_where_the_sign_in_says(connect: Any, vendor: Any) -> None:
    Tokens(vendor, instance_url=vendor.url + "/instance")
    connection = connect(vendor.url, auth={**CLIENT, "base_url": "instance_url"}, settings=SETTINGS)
    await connection.send(GET, timeout_s=5)
    assert [seen.path for seen in vendor.seen] == ["/oauth/token", "/instance/v1/x"]


@pytest.mark.parametrize(
    "said", ["http://evil.example", "ftp://evil.example", "//evil", "https://u@evil.example", "", 5, None]
)
async def test_calls_go_nowhere_else(connect: Any, vendor: Any, said: Any) -> None:
    Tokens(vendor, instance_url=said)
    connection = connect(vendor.url, auth={**CLIENT, "base_url": "instance_url"}, settings=SETTINGS)
    with pytest.raises(SignInRefused):
        await connection.send(GET, timeout_s=5)
    assert [seen.path for seen in vendor.seen] == ["/oauth/token"]


# --- CSRF


class Gateway:
    """An OData gateway: sessions by cookie, a CSRF token for each."""

    def __init__(self, vendor: Any) -> None:
        self.session, self.fetches, self.writes = 1, 0, 0
        vendor.answer = self.play

    async def play(self, seen: Any) -> Any:
        cookie = f"SESSION={self.session}"
        if seen.method == "GET":
            self.fetches += seen.headers.get("x-csrf-token") == "Fetch"
            await asyncio.sleep(0.01)
            return 200, {"d": {}}, {"x-csrf-token": f"c{self.session}", "Set-Cookie": f"{cookie}; Path=/; HttpOnly"}
        if seen.headers.get("x-csrf-token") != f"c{self.session}" or cookie not in seen.headers.get("cookie", ""):
            return 403, b"CSRF token validation failed", {"x-csrf-token": "Required", "Content-Type": "text/plain"}
        self.writes += 1
        return 201, {"d": {"SalesOrder": "1"}}


ODATA = {"kind": "odata_v2"}
ORDER = Call("POST", "SRV/A_SalesOrder", {"Content-Type": "application/json"}, b"{}")


async def test_a_csrf_token_is_fetched_once_for_all(connect: Any, vendor: Any) -> None:
    gateway = Gateway(vendor)
    connection = connect(vendor.url + "/sap", transport=ODATA)
    answers = await asyncio.gather(*(connection.send(ORDER, timeout_s=5) for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert (gateway.fetches, gateway.writes) == (1, 8)
    assert (vendor.seen[0].method, vendor.seen[0].path) == ("GET", "/sap/SRV/")


async def test_a_required_csrf_token_is_fetched_again(connect: Any, vendor: Any) -> None:
    gateway = Gateway(vendor)
    connection = connect(vendor.url, transport=ODATA)
    await connection.send(ORDER, timeout_s=5)
    gateway.session = 2
    answers = await asyncio.gather(*(connection.send(ORDER, timeout_s=5) for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert (gateway.fetches, gateway.writes) == (2, 9)


async def test_another_403_is_an_answer(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (
        (200, {"d": {}}, {"x-csrf-token": "c"}) if seen.method == "GET" else (403, {"error": {}})
    )
    assert (await connect(vendor.url, transport=ODATA).send(ORDER, timeout_s=5)).status == 403
    assert [seen.method for seen in vendor.seen] == ["GET", "POST"]


async def test_a_service_that_always_requires_another_token(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (
        (403, b"no", {"x-csrf-token": "Required"}) if seen.method == "POST" else (200, {"d": {}}, {"x-csrf-token": "c"})
    )
    assert (await connect(vendor.url, transport=ODATA).send(ORDER, timeout_s=5)).status == 403
    assert [seen.method for seen in vendor.seen] == ["GET", "POST"] * 2


async def test_a_service_without_csrf_tokens(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (404, {"error": {}}) if seen.method == "GET" else (201, {"d": {}})
    connection = connect(vendor.url, transport=ODATA)
    for _ in range(2):
        assert (await connection.send(ORDER, timeout_s=5)).status == 201
    assert [seen.method for seen in vendor.seen] == ["GET", "POST", "POST"]


async def test_a_wrong_password_costs_one_failed_logon(connect: Any, vendor: Any) -> None:
    """ERP gateways lock users after a few: the 401 of the token request answers the call."""
    vendor.answer = lambda seen: (401, {"error": {"code": "x", "message": "no"}})
    auth = {"kind": "basic", "user": "u", "password": "{settings.password}"}
    connection = connect(vendor.url, transport=ODATA, auth=auth, settings={"password": "wrong"})
    answer = await connection.send(ORDER, timeout_s=5)
    assert connection.failure(answer, {}).verdict == "reauthenticate"
    assert len(vendor.seen) == 1


async def test_no_csrf_token_for_now_is_not_sent(connect: Any, vendor: Any) -> None:
    vendor.answer = lambda seen: (503, b"", {"Retry-After": "4"})
    with pytest.raises(NotSent) as down:
        await connect(vendor.url, transport=ODATA).send(ORDER, timeout_s=5)
    assert down.value.pause_s == 4


async def test_reads_need_no_csrf_token(connect: Any, vendor: Any) -> None:
    gateway = Gateway(vendor)
    await connect(vendor.url, transport=ODATA).send(Call("GET", "SRV/A", {}, None), timeout_s=5)
    assert gateway.fetches == 0


# --- secrets and traces


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(wire, "_TRACER", provider.get_tracer("test"))
    return exporter


async def test_each_exchange_is_a_client_span_with_its_traceparent(connect: Any, vendor: Any, spans: Any) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("run") as run:
        await connect(vendor.url).send(Call("POST", "v1/x?name=secret-name", {}, b"{}"), timeout_s=5)
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind, span.parent.span_id) == (
        "POST",
        trace.SpanKind.CLIENT,
        run.get_span_context().span_id,
    )
    port = int(vendor.url.rpartition(":")[2])
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": port,
        "isthmus.connection": "crm-emea",
        "http.response.status_code": 200,
    }
    _, trace_id, span_id, _ = vendor.seen[0].headers["traceparent"].split("-")
    assert (int(trace_id, 16), int(span_id, 16)) == (span.context.trace_id, span.context.span_id)


async def test_a_failed_exchange_is_a_failed_span(connect: Any, vendor: Any, spans: Any) -> None:
    vendor.answer = lambda seen: (500, {})
    await connect(vendor.url).send(POST, timeout_s=5)
    with pytest.raises(NotSent):
        await connect("http://127.0.0.1:1").send(POST, timeout_s=5)
    answered, unsent = spans.get_finished_spans()
    assert not answered.status.is_ok and not unsent.status.is_ok
    assert unsent.attributes["error.type"].startswith("ClientConnector")


async def test_nothing_secret_is_ever_shown(
    connect: Any, vendor: Any, spans: Any, caplog: pytest.LogCaptureFixture, misbehaving: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {**SETTINGS, "api_key": "key-99-secret", "password": "pass-77-secret"}
    secrets = [
        "hush-hush-5",
        "key-99-secret",
        "pass-77-secret",
        "token-55-secret",
        base64.b64encode(b"me:pass-77-secret").decode(),
    ]
    texts: list[str] = []

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    def play(seen: Any) -> Any:
        if "token" in seen.path:
            return 200, {"access_token": "token-55-secret"}
        echo = f"{settings['api_key']} {settings['password']} {seen.headers['authorization']}"
        return 400, {"error": {"code": "x", "message": echo}}

    vendor.answer = play
    headers = {"kind": "rest", "headers": {"APIKey": "{settings.api_key}"}}
    basic = {"kind": "basic", "user": "me", "password": "{settings.password}"}
    for url in (vendor.url, "http://127.0.0.1:1", await misbehaving(close)):
        for auth in (CLIENT, basic):
            connection = connect(url, auth=auth, transport=headers, settings=settings)
            try:
                answer = await connection.send(POST, timeout_s=5)
                texts += [repr(answer.call), repr(connection.failure(answer, {}))]
            except (NotSent, NoAnswer) as error:
                texts += ["".join(traceback.format_exception(error)), repr(error)]
            signed = connection._sign_in._held
            texts += [repr(connection), repr(connection.settings), f"{connection.settings}", repr(signed)]
    texts.append(repr(StoredToken("token-55-secret", connection._clock(), None, 1)))
    texts += [str(span.to_json()) for span in spans.get_finished_spans()] + [caplog.text]
    assert len(texts) > 20
    for secret in secrets:
        assert secret not in "".join(texts)


def test_a_missing_secret_is_named(connect: Any) -> None:
    connection = connect("https://v.example", auth={"kind": "bearer", "token": "{settings.api_key}"})
    with pytest.raises(Rejected, match=r"settings\.api_key"):
        asyncio.run(connection.send(GET, timeout_s=5))


async def test_a_secret_with_a_line_break_is_not_shown(connect: Any) -> None:
    connection = connect(
        "https://v.example",
        auth={"kind": "bearer", "token": "{settings.api_key}"},
        settings={"api_key": "ab\ncd-secret"},
    )
    with pytest.raises(Rejected, match="Authorization") as refused:
        await connection.send(GET, timeout_s=5)
    assert "cd-secret" not in str(refused.value)
