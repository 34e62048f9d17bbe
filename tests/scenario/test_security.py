"""What the doors refuse: XML that grows or fetches, addresses that lead elsewhere, and keys that are guessed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.house import ORGANIZATION, House, sample_release
from tests.support.whole import SECRETS

from isthmus.catalogue.registry import connectors
from isthmus.connectivity.transport.addresses import signed_in_at
from isthmus.connectivity.transport.answer import Answer, Call, SignInRefused
from isthmus.connectivity.transport.connection import Connection
from isthmus.connectivity.transport.tokens import LocalTokens
from isthmus.model.problems import Rejected

pytestmark = pytest.mark.asyncio(loop_scope="module")
DOOR = f"/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
SOAP = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><notifications>"
ENDS = "</notifications></e:Body></e:Envelope>"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with House(None, tmp_path_factory.mktemp("security"), workers=0) as made:
        yield made


# XML ----------------------------------------------------------------------------------------------


def _laughs() -> str:
    """A billion laughs: ten entities, each ten times the one before."""
    grows = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    return f"<!DOCTYPE x [<!ENTITY l0 'ha'>{grows}]>{SOAP}<OrganizationId>&l9;</OrganizationId>{ENDS}"


def _fetching(what: str) -> str:
    entity = f"<!DOCTYPE x [<!ENTITY it SYSTEM '{what}'>]>"
    return f"{entity}{SOAP}<OrganizationId>{ORGANIZATION}</OrganizationId><Notification>&it;</Notification>{ENDS}"


@pytest.mark.parametrize("kind", ["laughs", "file", "address", "document type alone"])
async def test_xml_with_entities_is_refused_at_once(house: House, kind: str, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(stranger, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    secret = tmp_path / "secret"
    secret.write_text("not to be read")
    body = {
        "laughs": _laughs(),
        "file": _fetching(secret.as_uri()),
        "address": _fetching(f"http://127.0.0.1:{port}/"),
        "document type alone": f"<!DOCTYPE x>{SOAP}<OrganizationId>{ORGANIZATION}</OrganizationId>{ENDS}",
    }[kind]
    begun = time.monotonic()
    async with house.http.post(DOOR, data=body.encode(), headers={"Content-Type": "text/xml"}) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (400, "application/problem+json"), text
    server.close()
    await server.wait_closed()
    assert time.monotonic() - begun < 2
    assert not asked and "not to be read" not in text
    assert await house.rows("SELECT id FROM message WHERE connection = 'salesforce'") == []


# Addresses ----------------------------------------------------------------------------------------


def connection(base_url: str = "https://acme.zendesk.com", vendor: str = "zendesk") -> Connection:
    settings = {
        "base_url": base_url,
        "email": "a@b.example",
        "api_token": "t0ken",
        "client_id": "c",
        "client_secret": "s3cret",
    }

    def none(file: str) -> Any:
        raise KeyError(file)

    clock = lambda: datetime.now(UTC)  # noqa: E731
    return Connection(vendor, connectors()[vendor].descriptor, settings, LocalTokens(), clock, mappings=none)


@pytest.mark.parametrize(
    "said",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://acme.zendesk.com.evil.example/api/v2/search.json",
        "https://acme.zendesk.com:8443/api/v2/search.json",
        "https://somebody@acme.zendesk.com/api/v2/search.json",
        "//evil.example/api/v2/search.json",
        "file:///etc/passwd",
    ],
)
async def test_a_next_page_elsewhere_is_refused(said: str) -> None:
    call = Call("GET", "api/v2/search.json", {}, None)
    answer = Answer(200, {}, {"next_page": said}, b"", call)
    with pytest.raises(Rejected, match="another place"):
        connection().next_page(answer)


async def test_a_next_page_at_home_is_followed() -> None:
    call = Call("GET", "api/v2/search.json", {}, None)
    answer = Answer(200, {}, {"next_page": "https://acme.zendesk.com/api/v2/search.json?page=2"}, b"", call)
    found = connection().next_page(answer)
    assert found is not None and found.path == "api/v2/search.json?page=2"


@pytest.mark.parametrize(
    "base", ["file:///etc", "ftp://acme.example", "https://u:p@acme.example", "https://", "nowhere"]
)
async def test_a_base_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(Rejected):
        connection(base)


async def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    asked: list[str] = []

    async def vendor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(vendor, "127.0.0.1", 0)
    own = connection(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    answer = await own.send(Call("GET", "api/v2/tickets/1.json", {}, None), timeout_s=5)
    failure = own.failure(answer, {})
    await own.close()
    server.close()
    assert failure is not None and "redirects are not followed" in failure.message
    assert asked == ["GET /api/v2/tickets/1.json HTTP/1.1"]


@pytest.mark.parametrize(
    "named",
    [
        "http://169.254.169.254",
        "http://acme.my.salesforce.com",
        "https://evil.example",
        "https://salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://u@acme.my.salesforce.com",
        "https://evil.example\\\\.salesforce.com",
        "https://acme.my.salesforce.com?x=",
        "gopher://x",
    ],
)
async def test_a_sign_in_that_sends_calls_elsewhere_is_refused(named: str) -> None:
    body = f'{{"access_token": "t", "instance_url": "{named}"}}'.encode()

    async def vendor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(vendor, "127.0.0.1", 0)
    own = connection(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "salesforce")
    with pytest.raises(SignInRefused, match="none of this connection's hosts") as refused:
        await own.send(Call("GET", "services/data", {}, None), timeout_s=5)
    await own.close()
    server.close()
    assert "s3cret" not in str(refused.value) and "s3cret" not in repr(own)


HOME = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("named", "base", "hosts"),
    [
        (HOME, HOME, ()),
        (f"{HOME}/instance/", HOME, ()),
        ("https://acme.my.salesforce.com", HOME, ("*.salesforce.com",)),
        ("https://acme--uat.sandbox.my.salesforce.com", HOME, ("*.salesforce.com",)),
        ("https://crm.acme.example", HOME, ("crm.acme.example",)),
        ("https://acme.example", "http://acme.example", ()),
    ],
)
async def test_a_sign_in_may_send_calls_home_and_to_the_hosts_that_are_named(
    named: str, base: str, hosts: tuple[str, ...]
) -> None:
    assert signed_in_at(named, base, hosts, "crm") == named.rstrip("/")


async def test_the_landscape_names_further_hosts_of_an_account() -> None:
    release = sample_release(lambda text: text.replace("    connector: salesforce\n", _FURTHER, 1))
    assert release.connections["salesforce"].hosts == ("crm.acme.example", "*.acme.example")
    assert release.connections["salesforce"].connector.transport.hosts == ["*.salesforce.com"]


_FURTHER = "    connector: salesforce\n    hosts: [crm.acme.example, '*.acme.example']\n"
