"""The script's way in: proves who calls, stores the body durably, then acknowledges; and the shop's orders played."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from benchmarks.by_hand.ledger import Ledger
from benchmarks.by_hand.orders import Company
from benchmarks.by_hand.vendors import Refused

TOLERANCE_S = 300
BODY_MAX = 2 * 1024 * 1024
Stored = Callable[[str], Awaitable[None]]


class Door:
    """``POST /webhooks/{name}``: signed bodies into the inbox, each once."""

    def __init__(self, ledger: Ledger, secret: str, header: str, id_field: str, arrived: Callable[[str], None]) -> None:
        self._ledger, self._secret, self._header, self._id = ledger, secret.encode(), header, id_field
        self._arrived = arrived

    async def take(self, request: web.Request) -> web.Response:
        """401 without a right and recent signature, 400 for what is no JSON, 200 once it is on disk."""
        body = await request.read()
        parts = dict(part.partition("=")[::2] for part in request.headers.get(self._header, "").split(","))
        stamp = parts.get("t", "")
        ours = hmac.new(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(ours, parts.get("v1", "")):
            return web.Response(status=401)
        if not stamp.isdecimal() or abs(time.time() - int(stamp)) > TOLERANCE_S:
            return web.Response(status=401)
        try:
            message: Any = orjson.loads(body)
            id_ = str(message[self._id])
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400)
        now = datetime.now(UTC).isoformat()
        new = await self._ledger.write(
            "INSERT INTO inbox (id, subject, body, received_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            id_, id_, body, now,
        )  # fmt: skip
        if new:
            self._arrived(id_)
        return web.Response()


async def listen(door: Door, name: str) -> tuple[web.AppRunner, str]:
    """Serve a door; the runner to be cleaned up, and the address."""
    app = web.Application(client_max_size=BODY_MAX)
    app.router.add_post(f"/webhooks/{name}", door.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
    await site.start()
    port = runner.addresses[0][1]
    return runner, f"http://127.0.0.1:{port}/webhooks/{name}"


class Forwarding:
    """The shop's orders: each becomes one order in the ERP. ``slots`` are played side by side."""

    def __init__(self, company: Company, slots: int) -> None:
        self._company = company
        self._ids: asyncio.Queue[str] = asyncio.Queue()
        self.done = 0
        for (id_,) in company.ledger.read("SELECT id FROM inbox WHERE state = 'new' ORDER BY received_at"):
            self._ids.put_nowait(id_)
        self._hands = [asyncio.create_task(self._work()) for _ in range(slots)]

    def arrived(self, id_: str) -> None:
        """Another one stands in the inbox."""
        self._ids.put_nowait(id_)

    def stop(self) -> None:
        """No more."""
        for hand in self._hands:
            hand.cancel()

    async def _work(self) -> None:
        ledger = self._company.ledger
        while True:
            id_ = await self._ids.get()
            ((body,),) = ledger.read("SELECT body FROM inbox WHERE id = ?", id_)
            order = orjson.loads(body)
            try:
                await self._company.create_order(order["number"], self._translated(order))
                await ledger.write("UPDATE inbox SET state = 'done' WHERE id = ?", id_)
            except Refused as refused:
                await ledger.write("UPDATE inbox SET state = 'parked', problem = ? WHERE id = ?", str(refused), id_)
            self.done += 1

    def _translated(self, order: dict[str, Any]) -> dict[str, Any]:
        currency = order["currency"]
        try:
            buyer = self._company.links[order["customer"]["id"], "erp"]
        except KeyError:
            raise Refused(f"customer {order['customer']['id']} is not known in the ERP") from None
        return {
            "SalesOrderType": "OR", "SalesOrganization": "1710", "DistributionChannel": "10", "OrganizationDivision": "00",
            "SoldToParty": buyer, "TransactionCurrency": currency, "PurchaseOrderByCustomer": order["reference"][:35],
            "ExternalDocumentID": order["number"], "SenderBusinessSystemName": "ISTHMUS",
            "to_Item": [{
                "SalesOrderItem": str(line["position"]), "ExternalItemID": line["id"], "Material": line["sku"],
                "SalesOrderItemText": line["name"][:40], "RequestedQuantity": line["quantity"], "RequestedQuantityUnit": "PC",
                "to_PricingElement": [{
                    "ConditionType": "PMP0", "ConditionRateValue": line["price"], "ConditionCurrency": currency,
                    "ConditionQuantity": "1", "ConditionQuantityUnit": "PC",
                }],
            } for line in order["lines"]],
        }  # fmt: skip
