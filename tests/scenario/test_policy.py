"""The policy of each connection, one scenario each: with it the scenario holds, and without it the same one breaks.

Nothing here is measured in seconds: the clock stands still until it is moved, and what is looked at is what the vendor
saw, in which order, and who waits for what.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox
from tests.support.still import Side, StillClock, until

from isthmus.connectivity.outbound import circuit_breaker, reading
from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.circuit_breaker import FAILURES_MAX, CircuitBreaker
from isthmus.connectivity.outbound.outcome import Later, Park
from isthmus.connectivity.outbound.throttle import Throttle
from isthmus.connectivity.shared_tokens import SharedTokens
from isthmus.connectivity.system_api import crm, erp, support
from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.connectivity.transport import pages, sign_in
from isthmus.connectivity.transport.failures import Failures
from isthmus.connectivity.transport.wire import Received
from isthmus.model import Reference
from isthmus.orchestration.engine import Engine
from isthmus.store import permits

Scenario = Callable[[House], Awaitable[None]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@dataclass
class Wiretap:
    """What went over the wires of all engines: (method and path without query, status), and how many at once.

    ``headers`` are added to what is sent; while ``held`` no call leaves.
    """

    calls: list[tuple[str, int]] = field(default_factory=list)
    busy: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    held: asyncio.Event | None = None

    def statuses(self, of: str = "") -> Counter[int]:
        return Counter(status for line, status in self.calls if of in line)


def tapped(house: House) -> Wiretap:
    """Listen on every wire."""
    tap = Wiretap()
    for engine in house.engines:
        for connection in engine.connections.values():
            wire = connection._wire
            exchange = wire.exchange

            async def listening(
                method: str, url: str, headers: Any, *rest: Any, _exchange: Any = exchange, **more: Any
            ) -> Received:
                line = f"{method} /{url.split('/', 3)[3].partition('?')[0]}"
                tap.busy += 1
                try:
                    if tap.held is not None:
                        await tap.held.wait()
                    received: Received = await _exchange(method, url, {**headers, **tap.headers}, *rest, **more)
                except Exception:
                    tap.calls.append((line, 0))
                    raise
                finally:
                    tap.busy -= 1
                tap.calls.append((line, received.status))
                return received

            wire.exchange = listening  # type: ignore[method-assign]
    return tap


async def read(engine: Engine, operation: Operation[Any, Any], argument: Any) -> str:
    """Ask once, as a person who looks: "read", or how it ended."""
    try:
        await engine.reader.read(Asking(engine.release, "emea"), operation, argument)
    except Later as later:
        return f"later: {later}"
    except Park as parked:
        return f"parked: {parked.work.error_class}"
    return "read"


def side(house: House, count: int, operation: Operation[Any, Any], argument: Any) -> Side:
    """So many ask at once, in turn through each engine."""
    engines = [house.engines[n % len(house.engines)] for n in range(count)]

    def queueing() -> int:
        return sum(throttle.waiting for engine in house.engines for throttle in engine.throttles.values())

    return Side(still(house), queueing, *(read(engine, operation, argument) for engine in engines))


async def reads(house: House, count: int, operation: Operation[Any, Any], argument: Any) -> Counter[str]:
    """So many ask at once: how it ended for them."""
    return Counter(await side(house, count, operation, argument).ended())


def still(house: House) -> StillClock:
    assert isinstance(house.clock, StillClock)
    return house.clock


def ticket(id_: str = "1") -> Reference:
    return Reference(connection="zendesk", type="Ticket", id=id_)


PRODUCTS = Search(number="X-101", limit=1)
CASE, CASES, PRODUCT, QUOTE = support.read_case, support.search_cases, erp.search_products, crm.search_quotes


@asynccontextmanager
async def standing(sandbox: RunningSandbox, folder: Path, engines: int = 1) -> AsyncIterator[House]:
    """A house of engines without workers; afterwards the vendors are as they were."""
    async with House(sandbox, folder, workers=0, engines=engines, clock=StillClock()) as house:
        try:
            yield house
        finally:
            await house.faults()
            await house.desk("zendesk/set/limit/account", {"per_minute": "100000"})


async def breaks_without(scenario: Scenario, sandbox: RunningSandbox, folder: Path, engines: int = 1) -> None:
    """The scenario, played without the policy that is patched away, does not hold."""
    with pytest.raises(AssertionError):
        async with standing(sandbox, folder, engines) as house:
            await scenario(house)


# Permits ------------------------------------------------------------------------------------------


async def one_pause_for_all(house: House) -> None:
    """One of us is told to wait: nobody calls until then. (Field test 36.)"""
    tap = tapped(house)
    await house.faults({"kind": "limited", "vendor": "sap_s4hana", "times": 1})
    asking = side(house, 1, PRODUCT, PRODUCTS)
    await asking.quiet()
    assert tap.statuses() == {429: 1}
    await house.store.write(lambda tx: None)  # what rides along has landed
    asking.more(*(read(engine, PRODUCT, PRODUCTS) for engine in house.engines * 5))
    await asking.quiet()
    assert tap.statuses() == {429: 1}, f"{len(tap.calls) - 1} calls in the time that the vendor asked for"
    assert Counter(await asking.ended()) == {"read": 16}
    assert tap.statuses() == {429: 1, 200: 16}


async def test_retry_after_is_honoured_once_for_all_workers(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with", engines=3) as house:
        await one_pause_for_all(house)
    monkeypatch.setattr(Throttle, "block", lambda self, pause_s: None)
    await breaks_without(one_pause_for_all, sandbox, tmp_path / "without", engines=3)


async def never_one_too_many(house: House) -> None:
    """Twelve calls are left in this minute, and forty are wanted by three workers: twelve are made, none is refused."""
    tap = tapped(house)
    at = house.sandbox.clock.timestamp()
    house.sandbox.clock.advance(timedelta(seconds=60 - at % 60))  # a whole minute from now on
    await house.desk("zendesk/set/limit/account", {"per_minute": "12"})
    assert await reads(house, 1, CASES, support.CaseSearch(limit=1)) == {"read": 1}
    await house.store.write(lambda tx: None)  # what rides along has landed
    told = await reads(house, 39, CASES, support.CaseSearch(limit=1))
    assert tap.statuses() == {200: 12}, f"{tap.statuses()[429]} calls were refused"
    assert told == {"read": 11, "later: zendesk has no calls left for us": 28}, told
    await house.desk("zendesk/set/limit/account", {"per_minute": "100000"})
    house.clock.advance(timedelta(minutes=2))
    assert await reads(house, 20, CASES, support.CaseSearch(limit=1)) == {"read": 20}


async def test_permits_follow_the_vendors_headers(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with", engines=3) as house:
        await never_one_too_many(house)
    with monkeypatch.context() as patch:
        patch.setattr(Throttle, "heed", lambda self, budget: None)
        await breaks_without(never_one_too_many, sandbox, tmp_path / "without", engines=3)
    monkeypatch.setattr(permits, "few", lambda tx, connection, **what: None)
    await breaks_without(never_one_too_many, sandbox, tmp_path / "each for himself", engines=3)


async def ten_at_once(house: House) -> None:
    """The ledger takes ten calls at once, whoever wants how many."""
    tap, gate = tapped(house), house.engine.throttles["sap"]
    assert house.release.connections["sap"].limits.concurrency == 10
    tap.held = asyncio.Event()
    asking = side(house, 40, PRODUCT, PRODUCTS)
    await until(lambda: tap.busy + gate.waiting == 40, "everybody at the wire or at the gate")
    assert (tap.busy, gate.waiting) == (10, 30)
    tap.held.set()
    assert Counter(await asking.ended()) == {"read": 40}


async def test_no_more_at_once_than_the_connection_allows(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with") as house:
        await ten_at_once(house)

    @asynccontextmanager
    async def anybody(self: Throttle) -> AsyncIterator[None]:
        yield

    monkeypatch.setattr(Throttle, "permit", anybody)
    await breaks_without(ten_at_once, sandbox, tmp_path / "without")


# Retries ------------------------------------------------------------------------------------------


async def by_its_class(house: House) -> None:
    """What time may mend is tried again after uneven pauses; what it cannot is told at once."""
    tap, clock = tapped(house), still(house)
    await house.faults({"kind": "down", "vendor": "sap_s4hana", "times": 5})
    asking = side(house, 5, PRODUCT, PRODUCTS)
    await asking.quiet()
    assert tap.statuses() == {503: 5}
    assert len(set(clock.pauses)) == len(clock.pauses) == 5, f"all come back at once, after {clock.pauses}"
    assert Counter(await asking.ended()) == {"read": 5}
    assert tap.statuses() == {503: 5, 200: 5}
    tap.calls.clear()
    clock.pauses.clear()
    assert set(await reads(house, 1, CASE, ticket("not-a-number"))) <= {"parked: business", "read"}
    assert len(tap.calls) == 1 and clock.pauses == [], "a refusal is not asked again"


async def test_retries_go_by_class_with_jitter(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with") as house:
        await by_its_class(house)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "TRIES_MAX", 1)
        await breaks_without(by_its_class, sandbox, tmp_path / "without retries")
    with monkeypatch.context() as patch:
        patch.setattr(Failures, "judge", retried_whatever_it_is(Failures.judge))
        await breaks_without(by_its_class, sandbox, tmp_path / "without classes")
    monkeypatch.setattr(random, "uniform", lambda low, high: (low + high) / 2)
    await breaks_without(by_its_class, sandbox, tmp_path / "without jitter")


def retried_whatever_it_is(judge: Callable[..., Any]) -> Callable[..., Any]:
    def judged(self: Failures, answer: Any, context: Any, now: Any) -> Any:
        found = judge(self, answer, context, now)
        return found and replace(found, verdict="retry")

    return judged


# The circuit breaker ------------------------------------------------------------------------------


async def left_alone_while_down(house: House) -> None:
    """A ledger that is down is left alone by all; after a while one call tries it, and all go on when it is up."""
    tap = tapped(house)
    await house.faults({"kind": "down", "vendor": "sap_s4hana", "rate": 1})
    await reads(house, 2, PRODUCT, PRODUCTS)
    await house.store.write(lambda tx: None)
    assert tap.statuses() == {503: FAILURES_MAX}
    house.clock.advance(timedelta(seconds=0.3))  # so old is what another worker knows at most
    told = await reads(house, 30, PRODUCT, PRODUCTS)
    assert len(tap.calls) == FAILURES_MAX, f"{len(tap.calls) - FAILURES_MAX} calls to who is down: {told}"
    assert set(told) == {"later: sap is down; calls are paused"}
    house.clock.advance(timedelta(seconds=circuit_breaker.OPEN_S))
    told = await reads(house, 30, PRODUCT, PRODUCTS)
    assert len(tap.calls) == FAILURES_MAX + 1, f"{len(tap.calls) - FAILURES_MAX} calls tried it: {told}"
    await house.faults()
    house.clock.advance(timedelta(seconds=circuit_breaker.OPEN_S + 0.3))
    told = await reads(house, 30, PRODUCT, PRODUCTS)
    assert told["read"] == 1, "the one that tries"
    await house.store.write(lambda tx: None)  # what rides along has landed
    house.clock.advance(timedelta(seconds=0.3))
    assert await reads(house, 30, PRODUCT, PRODUCTS) == {"read": 30}


async def test_the_breaker_opens_for_all_and_one_call_tries(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with", engines=2) as house:
        await left_alone_while_down(house)

    async def closed(self: CircuitBreaker, row: Any) -> bool:
        return False

    monkeypatch.setattr(CircuitBreaker, "check", closed)
    await breaks_without(left_alone_while_down, sandbox, tmp_path / "without", engines=2)


# Tokens -------------------------------------------------------------------------------------------

TOKEN = "/services/oauth2/token"


async def one_sign_in_for_sixteen(house: House) -> None:
    """Sixteen workers at the beginning, at the expiry, and when the vendor has revoked the token: one sign-in each."""
    tap = tapped(house)
    assert await reads(house, 16, QUOTE, PRODUCTS) == {"read": 16}
    assert tap.statuses(TOKEN) == {200: 1}, f"{tap.statuses(TOKEN)[200]} sign-ins at the beginning"
    house.clock.advance(timedelta(minutes=31))
    assert await reads(house, 16, QUOTE, PRODUCTS) == {"read": 16}
    assert tap.statuses(TOKEN) == {200: 2}, f"{tap.statuses(TOKEN)[200] - 1} sign-ins at the expiry"
    assert tap.statuses()[401] == 0
    tap.calls.clear()
    await house.faults({"kind": "expired", "vendor": "salesforce", "times": 1})
    assert await reads(house, 16, QUOTE, PRODUCTS) == {"read": 16}
    assert tap.statuses()[401] >= 1 and tap.statuses(TOKEN) == {200: 1}, (
        "whoever was late finds the good one, and keeps it"
    )


async def test_a_token_is_refreshed_once_for_all(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with", engines=16) as house:
        await one_sign_in_for_sixteen(house)

    async def nothing(self: SharedTokens, connection: str) -> None:
        return None

    async def mine(self: SharedTokens, connection: str, holder: str, for_s: float) -> bool:
        return True

    monkeypatch.setattr(SharedTokens, "read", nothing)
    monkeypatch.setattr(SharedTokens, "lease", mine)
    await breaks_without(one_sign_in_for_sixteen, sandbox, tmp_path / "without", engines=16)


async def before_it_runs_out(house: House) -> None:
    """In a token's last minute a new one is fetched: no call is refused for its age."""
    tap = tapped(house)
    await reads(house, 1, QUOTE, PRODUCTS)
    house.clock.advance(timedelta(minutes=29, seconds=30))
    await reads(house, 4, QUOTE, PRODUCTS)
    assert tap.statuses(TOKEN) == {200: 2} and tap.statuses()[401] == 0


async def test_a_token_is_refreshed_before_it_expires(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with") as house:
        await before_it_runs_out(house)
    monkeypatch.setattr(sign_in, "_MARGIN", timedelta(0))
    await breaks_without(before_it_runs_out, sandbox, tmp_path / "without")


async def test_a_token_in_the_store_is_of_no_use_to_who_reads_it(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with standing(sandbox, tmp_path) as house:
        await reads(house, 1, QUOTE, PRODUCTS)
        (row,) = await house.rows("SELECT * FROM token WHERE sealed IS NOT NULL")
        held = await SharedTokens(house.store, house.settings).read("salesforce")
        assert held is not None and held.value not in row["sealed"]
        other = {**house.settings, "salesforce": {**house.settings["salesforce"], "client_secret": "another"}}
        assert await SharedTokens(house.store, other).read("salesforce") is None, (
            "sealed with the secrets of the connection"
        )


# Followed links -----------------------------------------------------------------------------------


async def stays_at_its_host(house: House) -> None:
    """A page that says the next one is elsewhere is not followed there."""
    strangers: list[bytes] = []

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        strangers.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(stranger, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tap = tapped(house)
    # the sandbox names the host that it is told it has, in whole addresses
    tap.headers["X-Forwarded-Host"] = f"127.0.0.1:{port}"
    told = await reads(house, 1, PRODUCT, Search(limit=200))
    server.close()
    await server.wait_closed()
    assert not strangers, "not a byte, and no credentials, went there"
    assert told == {"parked: access": 1}, told


async def test_followed_links_are_pinned_to_the_connections_host(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(sandbox, tmp_path / "with") as house:
        await stays_at_its_host(house)

    def followed(base_url: str, asked: str, found: str, connection: str) -> str:
        return found

    monkeypatch.setattr(pages, "below", followed)
    monkeypatch.setattr(
        "isthmus.connectivity.transport.connection.Connection._url",
        lambda self, base, path: path if "://" in path else f"{base}/{path.lstrip('/')}",
    )
    await breaks_without(stays_at_its_host, sandbox, tmp_path / "without")
