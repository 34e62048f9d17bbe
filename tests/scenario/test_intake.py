"""Intake over real HTTP: who calls is proved, what came is stored before it is acknowledged, and nothing costs too much."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.support import signing
from tests.support.house import KEY, ORGANIZATION, House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SECRETS

from isthmus.gateway.limits import BODY_MAX, Limits
from isthmus.gateway.listening import PatientProtocol
from isthmus.store.store import open_sqlite

pytestmark = pytest.mark.asyncio(loop_scope="module")
STRIPE, ZENDESK = SECRETS["ISTHMUS_STRIPE_EMEA_WEBHOOK_SECRET"], SECRETS["ISTHMUS_ZENDESK_WEBHOOK_SECRET"]
SALESFORCE = f"/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
TOLERANCE_S = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The gateway alone: what comes in stays as it came."""
    async with House(None, tmp_path_factory.mktemp("intake"), workers=0) as made:
        yield made


async def post(house: House, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, Any]:
    """(status, content type, body)."""
    async with house.http.post(path, data=body, headers=headers) as answer:
        text = await answer.text()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, kind, json.loads(text) if "json" in kind and text else text


async def stored(house: House, source_id: str) -> list[dict[str, Any]]:
    return await house.rows("SELECT * FROM message WHERE source_id = :id", id=source_id)


def now() -> float:
    return datetime.now(UTC).timestamp()


# Who calls ----------------------------------------------------------------------------------------


async def test_a_signed_event_is_stored_before_it_is_acknowledged(house: House) -> None:
    body = signing.stripe_event("evt_signed")
    assert (await post(house, "/webhooks/stripe-emea", body, signing.stripe(body, STRIPE)))[0] == 200
    (message,) = await stored(house, "evt_signed")
    assert (message["subject"], message["type"]) == ("stripe-emea/Invoice/in_1", "invoice.paid")
    (call,) = await house.rows("SELECT * FROM call WHERE id = :id", id=message["call_id"])
    assert bytes(call["body"]) == body, "raw, byte for byte"
    assert "signature" not in call["headers"].lower(), "the proof is not kept"


@pytest.mark.parametrize(("age_s", "status"), [(TOLERANCE_S - 5, 200), (TOLERANCE_S + 5, 401), (-TOLERANCE_S - 5, 401)])
@pytest.mark.parametrize("vendor", ["stripe", "zendesk"])
async def test_a_call_is_believed_within_the_tolerance_only(house: House, vendor: str, age_s: int, status: int) -> None:
    id_ = f"evt_{vendor}_{age_s}"
    if vendor == "stripe":
        body = signing.stripe_event(id_)
        told = await post(house, "/webhooks/stripe-emea", body, signing.stripe(body, STRIPE, at=now() - age_s))
    else:
        body = signing.zendesk_event(id_)
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        told = await post(house, "/webhooks/zendesk", body, signing.zendesk(body, ZENDESK, at=at))
    assert told[0] == status, told
    assert len(await stored(house, id_)) == (1 if status == 200 else 0)
    if status == 401:
        assert told[1].startswith("application/problem+json")
        assert ("s ago" if age_s > 0 else "in the future") in told[2]["title"]


def _forged(id_: str) -> dict[str, tuple[bytes, dict[str, str], int]]:
    body = signing.stripe_event(id_)
    good = signing.stripe(body, STRIPE)["Stripe-Signature"]
    return {
        "another secret": (body, signing.stripe(body, "whsec_other"), 401),
        "another body": (body + b" ", signing.stripe(body, STRIPE), 401),
        "another time": (body, {"Stripe-Signature": good.replace("t=", "t=1", 1)}, 401),
        "no signature": (body, {}, 401),
        "only an old scheme": (body, {"Stripe-Signature": good.replace("v1=", "v0=")}, 400),
        "no time": (body, {"Stripe-Signature": good.partition(",")[2]}, 400),
        "no number for a time": (body, {"Stripe-Signature": good.replace("t=", "t=x", 1)}, 400),
        "signed, but no JSON": (b"{", signing.stripe(b"{", STRIPE), 400),
        "signed, but nested too deep": (b"[" * 100_000, signing.stripe(b"[" * 100_000, STRIPE), 400),
        "signed, but without an id": (b'{"type": "x"}', signing.stripe(b'{"type": "x"}', STRIPE), 400),
    }


@pytest.mark.parametrize("why", _forged(""))
async def test_what_proves_nothing_is_refused_in_words_and_not_kept(house: House, why: str) -> None:
    body, headers, status = _forged(f"evt_forged_{why}")[why]
    before = await house.rows("SELECT count(*) AS n FROM call")
    told = await post(house, "/webhooks/stripe-emea", body, headers)
    assert told[0] == status, told
    assert told[1].startswith("application/problem+json")
    assert told[2]["title"] and told[2]["status"] == status and told[2]["type"].startswith("https://")
    assert await house.rows("SELECT count(*) AS n FROM call") == before
    assert STRIPE not in json.dumps(told[2])


async def test_one_of_several_signatures_is_enough_while_a_secret_changes(house: House) -> None:
    body = signing.stripe_event("evt_rolled")
    old = signing.stripe(body, "whsec_old")["Stripe-Signature"].partition(",")[2]
    assert (await post(house, "/webhooks/stripe-emea", body, signing.stripe(body, STRIPE, more=f"{old},v0=x,")))[
        0
    ] == 200
    body = signing.stripe_event("evt_rolled_past")
    assert (await post(house, "/webhooks/stripe-emea", body, signing.stripe(body, "whsec_new", more=f"{old},")))[
        0
    ] == 401


async def test_an_unsigned_message_is_believed_by_its_address_and_organization(house: House) -> None:
    xml = {"Content-Type": "text/xml"}
    body = signing.outbound_message(ORGANIZATION, "0061", "0062")
    status, kind, ack = await post(house, SALESFORCE, body, xml)
    assert (status, kind.partition(";")[0]) == (200, "text/xml")
    assert "<Ack>true</Ack>" in ack
    rows = await house.rows("SELECT subject FROM message WHERE connection = 'salesforce' ORDER BY id")
    assert [row["subject"] for row in rows] == ["salesforce/Opportunity/0061", "salesforce/Opportunity/0062"]
    for path, text in (
        ("/webhooks/salesforce/guessed", body),
        ("/webhooks/salesforce", body),
        (SALESFORCE, signing.outbound_message("00DOTHER", "0063")),
        (SALESFORCE, b"<soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'/>"),
    ):
        status, kind, told = await post(house, path, text, xml)
        assert (status, kind.partition(";")[0]) == (401, "application/problem+json"), (path, told)
    assert (await post(house, SALESFORCE, b"<a><b></a>", xml))[0] == 400, "no XML, but from whom knows the address"
    assert len(await house.rows("SELECT id FROM message WHERE connection = 'salesforce'")) == 2


async def test_other_doors_are_closed(house: House) -> None:
    for path in ("/webhooks/sap", "/webhooks/nobody", "/webhooks/stripe-emea/extra"):
        status, kind, told = await post(house, path, b"{}", {})
        assert (status, kind) == (404, "application/problem+json"), (path, told)
    async with house.http.get("/webhooks/stripe-emea") as answer:
        assert answer.status == 405
        assert answer.content_type == "application/problem+json"


# Once ---------------------------------------------------------------------------------------------


async def test_repeats_are_acknowledged_and_dropped(house: House) -> None:
    body = signing.stripe_event("evt_again")
    told = await asyncio.gather(
        *(post(house, "/webhooks/stripe-emea", body, signing.stripe(body, STRIPE, at=now() - n)) for n in range(5))
    )
    assert [each[0] for each in told] == [200] * 5
    assert len(await stored(house, "evt_again")) == 1
    other = SECRETS["ISTHMUS_STRIPE_APAC_WEBHOOK_SECRET"]
    assert (await post(house, "/webhooks/stripe-apac", body, signing.stripe(body, other)))[0] == 200
    assert len(await stored(house, "evt_again")) == 2, "the same id at another account is another event"


# Stored before it is acknowledged -----------------------------------------------------------------


async def test_without_a_database_nothing_is_acknowledged_and_nothing_acknowledged_is_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = (await house.rows("PRAGMA page_count"))[0]["page_count"] + 40

    def nearly_full(path: Path) -> sqlite3.Connection:
        connection = open_sqlite(path)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    acknowledged, refused = set(), set()

    async def deliver(number: int) -> None:
        id_ = f"evt_full_{number}"
        body = signing.stripe_event(id_, filling="x" * 20_000)
        async with house.http.post("/webhooks/stripe-emea", data=body, headers=signing.stripe(body, STRIPE)) as answer:
            if answer.status == 200:
                acknowledged.add(id_)
            else:
                assert answer.status == 503, await answer.text()
                assert int(answer.headers["Retry-After"]) > 0
                assert (await answer.json(content_type=None))["title"].startswith("The database cannot be reached")
                refused.add(id_)

    await asyncio.gather(*(deliver(number) for number in range(5)))
    monkeypatch.setattr("isthmus.store.store.open_sqlite", nearly_full)
    await house.store.write(lambda tx: tx.rows(f"PRAGMA max_page_count = {pages}"))
    await asyncio.gather(*(deliver(number) for number in range(5, 40)))
    monkeypatch.undo()
    await house.store.write(lambda tx: tx.rows("PRAGMA max_page_count = 1073741823"))
    there = {
        row["source_id"] for row in await house.rows("SELECT source_id FROM message WHERE source_id LIKE 'evt_full_%'")
    }
    assert len(refused) > 10 and acknowledged, "the disk was full after a while"
    assert there == acknowledged
    await asyncio.gather(*(deliver(int(id_.rpartition("_")[2])) for id_ in refused.copy()))
    rows = await house.rows("SELECT source_id FROM message WHERE source_id LIKE 'evt_full_%'")
    assert len(rows) == 40, "delivered again, all are there, each once"


# What it may cost ---------------------------------------------------------------------------------


async def raw(house: House, *parts: bytes, wait_s: float = 3) -> bytes:
    """Write parts on a connection, then read until it is closed (or nothing comes)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), wait_s)
    except ConnectionError:
        return b"closed"
    finally:
        writer.close()


async def test_an_announced_oversize_is_refused_before_it_is_read(house: House) -> None:
    head = f"POST /webhooks/stripe-emea HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_MAX + 1}\r\n\r\n".encode()
    answer = await raw(house, head)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer and b"larger than 2048 KiB" in answer


@pytest.mark.parametrize("path", ["/webhooks/stripe-emea", "/api/process/quote-to-cash", "/api/system/erp/orders"])
async def test_a_streamed_oversize_is_refused_when_it_passes_the_limit(house: House, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    )
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer = await raw(house, head, *[chunk] * (BODY_MAX // 65536), chunk)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:300]
    assert b"application/problem+json" in answer


async def test_slow_clients_are_let_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "body_s", 0.3)
    monkeypatch.setattr(PatientProtocol, "head_s", 0.3)
    head = b"POST /webhooks/stripe-emea HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    silent, half_head, half_body, again = await asyncio.gather(
        raw(house),
        raw(house, b"POST /webhooks/stripe-emea HTTP/1.1\r\nX-Slow: "),
        raw(house, head, b"{"),
        raw(house, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /health/live HTTP/1.1\r\nHo"),
    )
    assert silent == half_head == b"", "closed without a word"
    assert half_body.startswith(b"HTTP/1.1 408") and b"did not come within" in half_body
    assert again.count(b"HTTP/1.1 200") == 1, "the next request on a connection has its time too"
    assert await raw(house, b"GET /health/live HTTP/1.1\r\n", b"X-Long: " + b"x" * 80_000) in (b"", b"closed")


# The vendors' own pushes --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


async def test_registered_at_the_vendors_their_pushes_arrive_signed(
    sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with House(sandbox, tmp_path_factory.mktemp("pushed"), workers=0) as house:
        stripe, zendesk = sandbox.credentials("stripe"), sandbox.credentials("zendesk")
        for connection, key in (("stripe-emea", stripe["api_key"]), ("stripe-apac", stripe["api_key_apac"])):
            form = {"url": f"{house.url}/webhooks/{connection}", "enabled_events[]": "invoice.paid"}
            made = await _vendor(sandbox, "stripe", "/v1/webhook_endpoints", signed=(key, ""), data=form)
            assert made["secret"].startswith("whsec_")
            house.settings[connection]["webhook_secret"] = made["secret"]
        hook = {
            "name": "isthmus",
            "endpoint": f"{house.url}/webhooks/zendesk",
            "http_method": "POST",
            "status": "active",
        }
        hook |= {"request_format": "json", "subscriptions": ["zen:event-type:ticket.created"]}
        signed = (f"{zendesk['email']}/token", zendesk["api_token"])
        made = await _vendor(sandbox, "zendesk", "/api/v2/webhooks", signed=signed, json={"webhook": hook})
        secret = await _vendor(
            sandbox, "zendesk", f"/api/v2/webhooks/{made['webhook']['id']}/signing_secret", signed=signed
        )
        house.settings["zendesk"]["webhook_secret"] = secret["signing_secret"]["secret"]
        values = {"url": f"{house.url}{SALESFORCE}", "object": "Opportunity", "fields": "Id", "when": "IsWon = true"}
        await house.desk("salesforce/set/outbound_message/isthmus", values)

        await house.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "Pushed"})
        await house.win("OPP-1001", "OPP-1002")
        for key in (stripe["api_key"], stripe["api_key_apac"]):
            await _paid_invoice(sandbox, key)
        wanted = {"stripe-emea": 1, "stripe-apac": 1, "zendesk": 1, "salesforce": 2}
        came: dict[str, int] = {}
        for _ in range(200):
            rows = await house.rows("SELECT connection, count(*) AS n FROM message GROUP BY connection")
            if (came := {row["connection"]: row["n"] for row in rows}) == wanted:
                break
            await asyncio.sleep(0.03)
        assert came == wanted
        # under another secret the same vendor is not believed, and sends again later
        house.settings["zendesk"]["webhook_secret"] = "another"
        await house.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "Not believed"})
        await asyncio.sleep(0.3)
        assert len(await house.rows("SELECT id FROM message WHERE connection = 'zendesk'")) == 1


async def _vendor(sandbox: RunningSandbox, vendor: str, path: str, *, signed: tuple[str, str], **body: Any) -> Any:
    """Ask a vendor as its administrator: POST with a body, GET without."""
    headers = {"Authorization": aiohttp.encode_basic_auth(*signed)}
    method, url = "POST" if body else "GET", sandbox.base_url(vendor) + path
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, url, **body) as answer:
        assert answer.status in (200, 201), await answer.text()
        return await answer.json()


async def _paid_invoice(sandbox: RunningSandbox, key: str) -> None:
    """An invoice without lines is paid the moment it is final."""
    signed = (key, "")
    customer = await _vendor(sandbox, "stripe", "/v1/customers", signed=signed, data={"name": "Pushed"})
    invoice = await _vendor(sandbox, "stripe", "/v1/invoices", signed=signed, data={"customer": customer["id"]})
    await _vendor(
        sandbox, "stripe", f"/v1/invoices/{invoice['id']}/finalize", signed=signed, data={"auto_advance": "false"}
    )
