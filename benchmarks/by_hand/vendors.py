"""The script's way out: one HTTP session a vendor, sign-in, and every write once.

An effect is written down before it is sent. Sent again is only what was looked for and not found (the ERP), what the
vendor remembers under our key (billing), or what does no harm (upserts).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from benchmarks.by_hand.ledger import Ledger

TRIES = 5
SETTLE_S = 1.0
_AGAIN = {429, 500, 502, 503, 504}
Look = Callable[[], Awaitable[Any]]


class Refused(Exception):
    """The vendor said no; a person must see to it."""


class Vendor:
    """One account: session with keep-alive, headers, retries of what is harmless."""

    def __init__(self, base: str, headers: dict[str, str], timeout_s: float = 10.0) -> None:
        self.base, self.headers = base, headers
        connector = aiohttp.TCPConnector(limit=400, keepalive_timeout=4)
        self.session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s), auto_decompress=False
        )

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """One exchange: status and parsed body. Raises aiohttp's errors and TimeoutError."""
        headers = {**self.headers, **more.pop("headers", {})}
        async with self.session.request(method, self.base + path, headers=headers, **more) as answer:
            raw = await answer.read()
            if answer.status == 403 and answer.headers.get("x-csrf-token", "").lower() == "required":
                await self.fetch_csrf(path)
            return answer.status, orjson.loads(raw) if raw else None

    async def get(self, path: str, **params: str) -> Any:
        """Read, again and again if need be; None where there is nothing."""
        for attempt in range(TRIES):
            try:
                status, body = await self.call("GET", path, params=params)
            except (aiohttp.ClientError, TimeoutError):
                status, body = 503, None
            if status == 404:
                return None
            if status < 300:
                return body
            if status not in _AGAIN:
                raise Refused(f"GET {path}: {status} {body}")
            await asyncio.sleep(random.uniform(0.05, 0.1) * 2**attempt)
        raise Refused(f"GET {path} does not work")

    async def fetch_csrf(self, path: str) -> None:
        """What OData gateways want with every write."""
        root = path.rpartition("/")[0] + "/"
        async with self.session.get(self.base + root, headers={**self.headers, "x-csrf-token": "Fetch"}) as answer:
            self.headers["x-csrf-token"] = answer.headers.get("x-csrf-token", "")

    async def close(self) -> None:
        """Let go."""
        await self.session.close()


class Effects:
    """Writes to vendors, each once for ever under its key."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def once(
        self,
        key: str,
        vendor: Vendor,
        method: str,
        path: str,
        *,
        look: Look | None = None,
        native: bool = False,
        **more: Any,
    ) -> Any:
        """The vendor's answer to a write that happens once. ``look`` finds what an earlier attempt has left."""
        now = datetime.now(UTC).isoformat()
        request = orjson.dumps([method, path, more.get("data")], default=bytes.decode)
        new = await self._ledger.write(
            "INSERT INTO effect (key, request, sent_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key, request, now
        )
        if not new:
            ((state, result),) = self._ledger.read("SELECT state, result FROM effect WHERE key = ?", key)
            if state == "done":
                return orjson.loads(result)
            if look is not None and (found := await self._found(look)) is not None:
                return self._remember(key, found)
        if native:
            more["headers"] = {**more.get("headers", {}), "Idempotency-Key": key}
        return self._remember(key, await self._send(vendor, method, path, look, more))

    async def _send(self, vendor: Vendor, method: str, path: str, look: Look | None, more: dict[str, Any]) -> Any:
        for attempt in range(TRIES):
            try:
                status, body = await vendor.call(method, path, **more)
            except aiohttp.ClientConnectorError:
                status, body = 429, None
            except (aiohttp.ClientError, TimeoutError):
                status, body = 599, None
            if status < 300:
                return body
            if status >= 500 and look is not None and (found := await self._found(look)) is not None:
                return found
            if status < 500 and status not in (429, 403):
                raise Refused(f"{method} {path}: {status} {body}")
            await asyncio.sleep(random.uniform(0.05, 0.1) * 2**attempt)
        raise Refused(f"{method} {path} does not work")

    async def _found(self, look: Look) -> Any:
        """Look at growing pauses until nothing can be under way any more."""
        pause = 0.05
        while pause < SETTLE_S * 2:
            if (found := await look()) is not None:
                return found
            await asyncio.sleep(pause)
            pause *= 2
        return await look()

    def _remember(self, key: str, found: Any) -> Any:
        # not awaited: a crash before it lands is the doubt that the look ends
        self._ledger.write("UPDATE effect SET state = 'done', result = ? WHERE key = ?", orjson.dumps(found), key)
        return found
