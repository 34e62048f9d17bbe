"""Sent or not sent? Against TCP servers that really misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from isthmus.connectivity.transport import wire
from isthmus.connectivity.transport.answer import Answer, Call, NoAnswer, NotSent

POST = Call("POST", "/orders", {"Content-Type": "application/json"}, b'{"a":1}')
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """One whole request (head and the seven bytes of POST's body)."""
    head = await reader.readuntil(b"\r\n\r\n")
    return head + (await reader.readexactly(7) if b"Content-Length: 7" in head else b"")


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def test_a_refused_connection_is_not_sent(connect: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NotSent, match=r"crm-emea: POST to 127\.0\.0\.1 was not sent"):
            await connect(url).send(POST, timeout_s=5)


async def test_an_unknown_host_is_not_sent(connect: Any) -> None:
    with pytest.raises(NotSent):
        await connect("http://no-such-host.invalid").send(POST, timeout_s=5)


async def test_a_failed_tls_handshake_is_not_sent(connect: Any, misbehaving: Any) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    url = (await misbehaving(plain)).replace("http:", "https:")
    with pytest.raises(NotSent):
        await connect(url).send(POST, timeout_s=5)


async def test_a_tls_handshake_cut_short_is_not_sent(connect: Any, misbehaving: Any) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        reset(writer)

    url = (await misbehaving(cut)).replace("http:", "https:")
    with pytest.raises(NotSent):
        await connect(url).send(POST, timeout_s=5)


async def test_a_tls_handshake_that_stalls_is_not_sent(connect: Any, misbehaving: Any) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    url = (await misbehaving(stall)).replace("http:", "https:")
    with pytest.raises(NotSent):
        await connect(url).send(POST, timeout_s=0.2)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "GET"])
async def test_accepted_and_closed_before_reading_is_doubt(connect: Any, misbehaving: Any, method: str) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    with pytest.raises(NoAnswer):
        await connect(await misbehaving(close)).send(Call(method, "/x", {}, None), timeout_s=5)


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_closed_after_reading_is_doubt(connect: Any, misbehaving: Any, how: str) -> None:
    got = []

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await request_of(reader))
        if how == "reset":
            reset(writer)

    with pytest.raises(NoAnswer, match="no whole answer"):
        await connect(await misbehaving(close)).send(POST, timeout_s=5)
    assert got[0].endswith(b'{"a":1}')


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_write_is_never_repeated_by_the_http_client(connect: Any, misbehaving: Any, method: str) -> None:
    """A kept connection breaks under a write: the HTTP client would send PUT and DELETE again by itself."""
    got = []

    async def second_breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await request_of(reader))
        writer.write(OK + b'{"ok":true}')
        await writer.drain()
        got.append(await request_of(reader))
        reset(writer)

    connection = connect(await misbehaving(second_breaks))
    call = Call(method, "/x", {}, b'{"a":1}')
    assert (await connection.send(call, timeout_s=5)).body == {"ok": True}
    with pytest.raises(NoAnswer):
        await connection.send(call, timeout_s=5)
    assert len(got) == 2


async def test_a_read_may_be_repeated(connect: Any, misbehaving: Any) -> None:
    got = []

    async def second_breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            got.append(await request_of(reader))
            if len(got) == 2:
                reset(writer)
                return
            writer.write(OK + b'{"ok":true}')
            await writer.drain()

    connection = connect(await misbehaving(second_breaks))
    call = Call("GET", "/x", {}, None)
    await connection.send(call, timeout_s=5)
    assert (await connection.send(call, timeout_s=5)).body == {"ok": True}
    assert len(got) == 3


async def test_a_kept_connection_closed_while_idle_is_replaced(connect: Any, misbehaving: Any) -> None:
    """The vendor closes between two calls and we have noticed: no doubt, a new connection is taken."""
    opened = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(await request_of(reader))
        writer.write(OK + b'{"ok":true}')
        await writer.drain()

    connection = connect(await misbehaving(once))
    for _ in range(2):
        await connection.send(POST, timeout_s=5)
        await asyncio.sleep(0.05)
    assert len(opened) == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK + b'{"ok":',
        OK,
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ok"\r\n',
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"ok":',
        b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{"o}',
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"complete nonsense\r\n\r\n",
    ],
    ids=[
        "half a body",
        "no body",
        "half a head",
        "half the chunks",
        "unbounded half",
        "broken JSON",
        "no gzip",
        "no HTTP",
    ],
)
async def test_half_an_answer_is_doubt(connect: Any, misbehaving: Any, answer: bytes) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(answer)
        await writer.drain()

    with pytest.raises(NoAnswer):
        await connect(await misbehaving(half)).send(POST, timeout_s=5)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n", OK + b'{"ok"'], ids=["nothing", "head", "body"])
async def test_a_stalled_answer_is_doubt(connect: Any, misbehaving: Any, start: bytes) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(start)
        await asyncio.sleep(10)

    with pytest.raises(NoAnswer):
        await connect(await misbehaving(stall)).send(POST, timeout_s=0.2)


async def test_no_free_connection_in_time_is_not_sent(connect: Any, misbehaving: Any) -> None:
    got = []

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await request_of(reader))
        await asyncio.sleep(10)

    connection = connect(await misbehaving(stall), limits={"concurrency": 1})
    first = asyncio.create_task(connection.send(POST, timeout_s=0.6))
    await asyncio.sleep(0.1)
    with pytest.raises(NotSent):
        await connection.send(POST, timeout_s=0.2)
    with pytest.raises(NoAnswer):
        await first
    assert len(got) == 1


async def test_time_that_has_run_out_is_not_sent(connect: Any, vendor: Any) -> None:
    with pytest.raises(NotSent):
        await connect(vendor.url).send(POST, timeout_s=0)
    assert vendor.seen == []


async def test_the_clock_is_looked_at_right_before_the_first_byte(connect: Any, vendor: Any, clock: Any) -> None:
    connection = connect(vendor.url, limits={"concurrency": 1})
    send_by = clock() + timedelta(seconds=30)

    def sleep_through(seen: Any) -> Any:
        clock.forward(seconds=31)
        return 200, {"ok": True}

    vendor.answer = sleep_through
    first, second = await asyncio.gather(
        *(connection.send(POST, timeout_s=5, send_by=send_by) for _ in range(2)), return_exceptions=True
    )
    assert isinstance(first, Answer)
    assert isinstance(second, NotSent) and "too late" in str(second)
    assert len(vendor.seen) == 1
    clock.forward(seconds=-31)
    vendor.answer = lambda seen: (200, {"ok": True})
    assert (await connection.send(POST, timeout_s=5, send_by=send_by)).status == 200


async def test_an_untrusted_certificate_is_not_sent(connect: Any, tmp_path: Any) -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    try:
        with pytest.raises(NotSent, match="certificate"):
            await connect(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}").send(POST, timeout_s=5)
    finally:
        server.close()


async def test_a_large_body_half_read_is_doubt(connect: Any, misbehaving: Any) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(70_000)
        reset(writer)

    call = Call("POST", "/x", {}, b"x" * 900_000)
    with pytest.raises(NoAnswer):
        await connect(await misbehaving(half)).send(call, timeout_s=5)


async def test_an_answer_too_large_is_doubt(connect: Any, vendor: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(wire, "_LARGEST_ANSWER", 1000)
    vendor.answer = lambda seen: (200, b"x" * 1001, {"Content-Type": "text/plain"})
    with pytest.raises(NoAnswer, match="larger than 1000 bytes"):
        await connect(vendor.url).send(POST, timeout_s=5)


@pytest.mark.parametrize(
    ("play", "lost"),
    [("refuse", NotSent), ("close", NoAnswer), ("read", NoAnswer), ("half", NoAnswer), ("stall", NoAnswer)],
)
def test_uvloop_draws_the_same_border(play: str, lost: type[Exception]) -> None:
    async def misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if play != "close":
            await request_of(reader)
        if play == "half":
            writer.write(OK + b"{")
        if play == "stall":
            await asyncio.sleep(0.5)
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(misbehave, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        if play == "refuse":
            server.close()
        line = wire.Wire("crm-emea", limit=1, cookies=False)
        with pytest.raises(lost):
            await line.exchange("POST", url, {}, b'{"a":1}', timeout_s=0.3)
        await line.close()
        server.close()

    uvloop.run(scenario())


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context
