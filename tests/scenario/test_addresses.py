"""Vendors that point elsewhere: whatever an answer says, no byte and no credential leaves for a host that is not ours.

A hostile vendor answers on the connection's own address and names a stranger's; the stranger listens. Each time the work
waits for a person, who is told which host it was, and nobody asks again until that person says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.house import House
from tests.support.ways_in import Waker

from isthmus.orchestration.engine import Engine
from isthmus.orchestration.poll import Poller

TOKEN, QUERY = "/services/oauth2/token", "/services/data/v62.0/query"
PRODUCTS = "/sap/opu/odata/sap/API_PRODUCT_SRV/A_Product"
NO_RECORDS: dict[str, Any] = {"totalSize": 0, "done": True, "records": []}


class HostileVendor:
    """Answers as it is told by path (a body, or status, headers and body), and a stranger who hears what comes to it."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.strangers: list[str] = []

    async def open(self) -> None:
        """Listen, both of them."""
        self._runners = [web.ServerRunner(web.Server(answer)) for answer in (self._own, self._stranger)]
        ports = []
        for runner in self._runners:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            ports.append(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
        self.url, self.stranger = (f"http://127.0.0.1:{port}" for port in ports)
        self.answers[TOKEN] = {"access_token": "t0k3n", "instance_url": self.url, "token_type": "Bearer"}
        self.answers[QUERY] = NO_RECORDS

    async def close(self) -> None:
        """Listen no more."""
        for runner in self._runners:
            await runner.cleanup()

    async def _own(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        said = self.answers.get(request.path, (404, {}, {}))
        status, headers, body = said if isinstance(said, tuple) else (200, {}, said)
        return web.json_response(body, status=status, headers=headers)

    async def _stranger(self, request: web.BaseRequest) -> web.Response:
        self.strangers.append(f"{request.method} {request.path} {request.headers.get('Authorization')}")
        return web.json_response({"access_token": "taken", "d": {"results": []}, "records": []})


@asynccontextmanager
async def visited(folder: Path) -> AsyncIterator[tuple[House, HostileVendor]]:
    """A house whose CRM and ERP are the hostile vendor."""
    vendor = HostileVendor()
    await vendor.open()
    house = House(None, folder, polls=False)
    house.told = {**house.told, "ISTHMUS_SF_URL": vendor.url, "ISTHMUS_SAP_URL": vendor.url}
    try:
        async with house:
            yield house, vendor
    finally:
        await vendor.close()


async def exception(house: House, count: int = 1) -> dict[str, Any]:
    """The newest of so many open exceptions, once they are there, as the API shows it."""
    for _ in range(500):
        _, found = await house.key("GET", "/api/exceptions")
        if len(found["exceptions"]) == count:
            return dict(found["exceptions"][-1])
        await asyncio.sleep(0.02)
    raise AssertionError(f"there are {len(found['exceptions'])} exceptions, not {count}")


async def polled(house: House, times: int = 3) -> None:
    """Let a poll become due so many times, one after another."""
    channel = house.release.connections["salesforce"].connector.inbound["opportunities"]
    for _ in range(times):
        house.clock.advance(timedelta(seconds=30))
        await Poller(house.engine, Waker()).poll("salesforce", "opportunities", channel)


async def retried(house: House, parked: dict[str, Any]) -> None:
    """Somebody says: go on; and it does."""
    status, _ = await house.key("POST", f"/api/exceptions/{parked['number']}/retry")
    assert status in (200, 202)


# A sign-in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_calls_do_not_go_where_a_sign_in_sends_them(tmp_path: Path, scheme: str) -> None:
    async with visited(tmp_path) as (house, vendor):
        vendor.answers[TOKEN]["instance_url"] = vendor.stranger.replace("http", scheme, 1)
        quote = {"connection": "salesforce", "id": "006000000000001AAA"}
        assert (await house.key("POST", "/api/process/quote-to-cash", {"quote": quote}))[0] == 202
        parked = await exception(house)
        assert "sends calls to 127.0.0.1, which is none of this connection's hosts" in parked["title"]
        assert (parked["error_class"], parked["code"]) == ("access", "foreign-address")
        assert "hosts: [127.0.0.1]  at connections.salesforce" in parked["mend"] and parked["retry_at"] is None
        assert vendor.asked == [f"POST {TOKEN}"] and vendor.strangers == []
        house.clock.advance(timedelta(minutes=5))
        await retried(house, parked)
        again = await exception(house)
        assert again["number"] != parked["number"], "without the mend it parks again"
        assert vendor.strangers == []


async def test_a_poll_is_not_sent_where_a_sign_in_says(tmp_path: Path) -> None:
    async with visited(tmp_path) as (house, vendor):
        vendor.answers[TOKEN]["instance_url"] = vendor.stranger
        await polled(house)
        assert (await exception(house))["code"] == "foreign-address"
        assert vendor.asked == [f"POST {TOKEN}"] and vendor.strangers == []


async def test_a_redirected_sign_in_is_refused(tmp_path: Path) -> None:
    async with visited(tmp_path) as (house, vendor):
        vendor.answers[TOKEN] = (307, {"Location": f"{vendor.stranger}/token"}, {})
        await polled(house)
        assert "refused with 307" in str(await house.rows("SELECT said FROM cursor"))
        assert vendor.strangers == []


async def test_a_stored_token_that_would_go_elsewhere_is_not_used(tmp_path: Path) -> None:
    """Whoever can write to the database cannot have a token sent to himself: it is sealed, and so is its place."""
    async with visited(tmp_path) as (house, vendor):
        await polled(house, 1)
        await house.store.write(lambda tx: tx.run("UPDATE token SET base_url = :url", {"url": vendor.stranger}))
        accounts = Engine(house.store, house.release, house.settings)
        house.engine, mine = accounts, house.engine
        await polled(house, 1)
        house.engine = mine
        await accounts.close()
        assert vendor.strangers == [] and vendor.asked.count(f"POST {TOKEN}") == 2


# Pages --------------------------------------------------------------------------------------------


async def test_a_poll_whose_next_page_is_elsewhere_stops_until_somebody_mends_it(tmp_path: Path) -> None:
    async with visited(tmp_path) as (house, vendor):
        vendor.answers[QUERY] = {**NO_RECORDS, "done": False, "nextRecordsUrl": f"{vendor.stranger}{QUERY}/01g-200"}
        await polled(house, 4)
        parked = await exception(house)
        assert vendor.asked == [f"POST {TOKEN}", f"GET {QUERY}"], "it is not asked again and again"
        assert vendor.strangers == [] and vendor.stranger in parked["title"]
        assert (parked["error_class"], parked["code"]) == ("access", "foreign-address")
        vendor.answers[QUERY] = NO_RECORDS
        await retried(house, parked)
        await house.until("poll/salesforce/opportunities", "done", process="poll")
        await polled(house, 2)
        assert vendor.asked.count(f"GET {QUERY}") == 3 and vendor.strangers == []
        assert (await house.key("GET", "/api/exceptions"))[1]["exceptions"] == []


async def test_a_page_elsewhere_is_not_read(tmp_path: Path) -> None:
    async with visited(tmp_path) as (house, vendor):
        page = {"results": [], "__next": f"{vendor.stranger}{PRODUCTS}?$skiptoken=200"}
        vendor.answers[PRODUCTS] = {"d": page}
        status, problem = await house.key("GET", "/api/system/erp/products?unit=emea")
        assert status == 502 and vendor.stranger in problem["title"], problem
        assert vendor.asked == [f"GET {PRODUCTS}"] and vendor.strangers == []


# Redirects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(tmp_path: Path, status: int) -> None:
    async with visited(tmp_path) as (house, vendor):
        vendor.answers[PRODUCTS] = (status, {"Location": f"{vendor.stranger}/taken?token=x"}, {})
        answered, problem = await house.key("GET", "/api/system/erp/products?unit=emea")
        assert answered in (422, 502) and vendor.stranger in problem["title"], problem
        assert "redirects are not followed" in problem["title"] and "token=x" not in str(problem)
        assert vendor.asked == [f"GET {PRODUCTS}"] and vendor.strangers == []


async def test_a_redirected_poll_stops(tmp_path: Path) -> None:
    async with visited(tmp_path) as (house, vendor):
        vendor.answers[QUERY] = (302, {"Location": f"{vendor.stranger}/taken"}, {})
        await polled(house)
        assert vendor.stranger in (await exception(house))["title"]
        assert vendor.asked == [f"POST {TOKEN}", f"GET {QUERY}"] and vendor.strangers == []
