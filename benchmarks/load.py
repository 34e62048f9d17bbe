"""Pushes signed webhooks, as vendors do, in a process of its own: as many connections as asked, each one call at a time.

Reads what to push as JSON on stdin, says ``ready``, begins at the next line, and prints what it took. Everything is
signed and rendered before, so that the client costs little beside the server that is measured.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop

from benchmarks.enterprise import CUSTOMERS, PRODUCTS, money, price_cents

SECRET = "benchmark"
LINES = 20
_EVENT_BYTES = 1024


def event(number: int) -> bytes:
    """A billing event of 1 KB."""
    about = {"object": "invoice", "id": f"in_{number}", "note": ""}
    body = {"id": f"evt_{number}", "type": "invoice.paid", "created": 1_772_409_600, "data": {"object": about}}
    about["note"] = "x" * (_EVENT_BYTES - len(json.dumps(body)))
    return json.dumps(body).encode()


def order(number: int) -> bytes:
    """An order of 20 lines from a shop."""
    lines = []
    for line in range(LINES):
        product = (number + line) % PRODUCTS
        lines.append({
            "id": f"L{line + 1}", "position": 10 * (line + 1), "sku": f"X-{product:03d}", "name": f"Product {product}",
            "quantity": str(1 + (number + line) % 9), "price": money(price_cents(product)),
        })  # fmt: skip
    buyer = number % CUSTOMERS
    return json.dumps({
        "number": f"S-{number:06d}", "date": "2026-03-02", "unit": "emea", "currency": "EUR", "reference": f"PO-{number}",
        "customer": {"id": f"C-{buyer}", "name": f"Customer {buyer} GmbH"}, "lines": lines,
    }).encode()  # fmt: skip


def signed(url: str, header: str, body: bytes, at: int) -> bytes:
    """A whole request, signed like the billing vendor signs."""
    parts = urlsplit(url)
    signature = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        f"{header}: t={at},v1={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Pusher(asyncio.Protocol):
    """One connection: the next call once the last one was answered."""

    def __init__(self, requests: Iterator[bytes], told: Counter[int], done: asyncio.Event) -> None:
        self._requests, self._told, self._done = requests, told, done
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Parse on."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """One was answered."""
        self._told[self._parser.get_status_code()] += 1
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is answered here."""
        self._done.set()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)


async def push(asked: dict[str, Any]) -> dict[str, Any]:
    """Push ``count`` webhooks from ``first`` on over ``connections``; seconds, and how often each status was answered."""
    make, at = {"event": event, "order": order}[asked["kind"]], int(time.time())
    numbers = range(asked["first"], asked["first"] + asked["count"])
    requests = iter([signed(asked["url"], asked["header"], make(number), at) for number in numbers])
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    parts, told = urlsplit(asked["url"]), Counter[int]()
    begun, ends = time.perf_counter(), []
    for _ in range(asked["connections"]):
        done = asyncio.Event()
        ends.append(asyncio.ensure_future(done.wait()))
        await asyncio.get_running_loop().create_connection(
            lambda done=done: Pusher(requests, told, done), parts.hostname, parts.port
        )
    await asyncio.gather(*ends)
    return {"seconds": time.perf_counter() - begun, "told": told}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(push(json.loads(sys.stdin.readline())))), flush=True)
