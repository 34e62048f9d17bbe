"""Many processes on one PostgreSQL: who dies, freezes, stops or is restarted is replaced, and nobody notices."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support import signing
from tests.support.crew import Crew, Hand, quick_vendors
from tests.support.house import ORGANIZATION, House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SECRETS

from isthmus.connectivity.outbound.circuit_breaker import OPEN_S
from isthmus.store.transaction import Row

pytestmark = pytest.mark.postgres
DEALS, WATCHED_S = 12, 40
TAKEN_OVER_S, DRAINED_S = 10.0, 30.0
SALESFORCE = f"/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as started:
        yield started


@pytest.fixture
def crew(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Crew]:
    with Crew(sandbox, tmp_path, change=quick_vendors) as made:
        yield made


def win(crew: Crew, deals: int = DEALS, *, each_call_s: float = 0.5) -> None:
    """Deals are won; the ERP takes its time for each call, so that plays are in the middle of something."""
    slow = {"kind": "slow", "vendor": "sap_s4hana", "delay_s": each_call_s}
    crew.sandbox.desk("faults", {"seed": 1, "rules": [slow]})
    numbers = ",".join(f"OPP-{1001 + number}" for number in range(deals))
    crew.sandbox.desk("salesforce/play/win_many", {"opportunities": numbers})


def audited(crew: Crew, deals: int = DEALS) -> None:
    """All rests, and there is one order for each run that made one."""
    crew.until(lambda: crew.at_rest(deals), 90)
    orders = [row["key"] for row in crew.sandbox.desk("sap_s4hana/books") if row["kind"] == "order"]
    done = crew.count("SELECT count(*) AS n FROM run WHERE process = 'quote-to-cash' AND state = 'done'")
    assert len(orders) == len(set(orders)) >= done >= deals // 2
    assert crew.count("SELECT count(*) AS n FROM exception WHERE error_class = 'program'") == 0


# Death, frost, farewell ---------------------------------------------------------------------------


def test_one_is_told_to_stop_and_one_is_killed_and_the_third_takes_all(crew: Crew) -> None:
    """Who is told to stop hands back at its next step, at once; who is killed is replaced within ten seconds."""
    leaver, killed, survivor = _three_at_work(crew, each_call_s=0.4)
    name, gone, left = crew.holder(leaver), crew.holder(killed), crew.holder(survivor)
    plays = crew.rows("SELECT id, fence FROM run WHERE owner = :holder", holder=name)
    told_at = leaver.signal(signal.SIGTERM)
    assert leaver.ended() == 0, leaver.log.read_text()
    assert time.monotonic() - told_at < DRAINED_S
    assert crew.held(name) == 0
    assert not crew.rows("SELECT slot FROM worker WHERE holder = :holder", holder=name), "it has given its slot back"
    crew.until(lambda: all(_went_on(crew, play) for play in plays), 20)
    assert crew.count("SELECT count(*) AS n FROM run WHERE deaths > 0") == 0, "nobody died of that"
    held = crew.held(gone)
    struck_at = killed.signal(signal.SIGKILL)
    crew.until(lambda: not crew.held(gone), 30)
    assert time.monotonic() - struck_at < TAKEN_OVER_S
    assert {row["owner"] for row in crew.rows("SELECT owner FROM run WHERE owner IS NOT NULL")} <= {left}
    audited(crew)
    assert crew.count("SELECT count(*) AS n FROM run WHERE deaths > 0") <= held


@pytest.mark.long
def test_killed_and_frozen_workers_are_replaced_and_the_frozen_one_wakes(crew: Crew) -> None:
    """Two of three are gone in the same moment: one killed, one frozen with its heartbeat. Nothing is doubled."""
    killed, frozen, survivor = _three_at_work(crew, each_call_s=1.5)
    gone, left = (crew.holder(killed), crew.holder(frozen)), crew.holder(survivor)
    struck_at = killed.signal(signal.SIGKILL)
    frozen.signal(signal.SIGSTOP)
    crew.until(lambda: not crew.held(*gone), 30)
    assert time.monotonic() - struck_at < TAKEN_OVER_S
    assert {row["owner"] for row in crew.rows("SELECT owner FROM run WHERE owner IS NOT NULL")} <= {left}
    frozen.signal(signal.SIGCONT)
    audited(crew)
    living = "SELECT count(*) AS n FROM worker WHERE holder IS NOT NULL AND expires_at > 0 AND name LIKE :name"
    assert crew.count(living, name=f"%:{frozen.pid}") == 1, "it leases again, or still, and works on"
    for hand in (frozen, survivor):
        hand.signal(signal.SIGTERM)
        assert hand.ended() == 0, hand.log.read_text()


def _three_at_work(crew: Crew, *, each_call_s: float) -> list[Hand]:
    win(crew, each_call_s=each_call_s)
    hands = crew.start("worker", "worker", "worker", more=("--slots", "4"))
    names = [crew.holder(hand) for hand in hands]
    crew.until(lambda: all(crew.held(name) for name in names))
    return hands


def _went_on(crew: Crew, play: Row) -> bool:
    """Somebody else has taken it since, or it had come to rest before it could be handed back."""
    (run,) = crew.rows("SELECT fence, state FROM run WHERE id = :id", id=play["id"])
    return bool(run["fence"] > play["fence"] or run["state"] in ("done", "parked"))


# Rolling restart ----------------------------------------------------------------------------------


class Balancer:
    """A tiny round-robin over addresses that say they are ready; it tries nothing twice."""

    def __init__(self, urls: list[str]) -> None:
        self.urls, self._turn = urls, 0
        self.answers: Counter[str] = Counter()
        self.unready: list[str] = []
        self.by: Counter[str] = Counter()
        self._ready: set[str] = set()

    async def run(self, requests: list[tuple[str, bytes]], stop: asyncio.Event) -> None:
        """Ask for readiness all the time, and pass requests on, until stopped."""
        async with aiohttp.ClientSession() as session:
            await self._probe(session)
            probing = asyncio.create_task(self._probe_on(session, stop))
            while not stop.is_set():
                await asyncio.gather(*(self._pass(session, *request) for request in requests))
                await asyncio.sleep(0.01)
            await probing

    async def _probe_on(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._probe(session)
            await asyncio.sleep(0.1)

    async def _probe(self, session: aiohttp.ClientSession) -> None:
        for url in self.urls:
            said = ""
            try:
                async with session.get(f"{url}/health/ready") as answer:
                    said = await answer.text()
            except aiohttp.ClientError:
                pass
            (self._ready.add if '"ready"' in said else self._ready.discard)(url)
            if "problems/leaving" in said:
                self.unready.append(url)

    async def _pass(self, session: aiohttp.ClientSession, path: str, body: bytes) -> None:
        ready = [url for url in self.urls if url in self._ready]
        self._turn += 1
        url = ready[self._turn % len(ready)]
        try:
            async with session.post(url + path, data=body, headers={"Content-Type": "text/xml"}) as answer:
                await answer.read()
                self.answers[str(answer.status)] += 1
                self.by[url] += 1
        except aiohttp.ClientError as error:
            self.answers[type(error).__name__] += 1


async def test_who_leaves_says_so_and_still_answers(tmp_path: Path) -> None:
    """Readiness says no, liveness yes; calls are taken, and each answer ends its connection."""
    async with House(None, tmp_path, workers=0) as house:
        assert (await house.call("GET", "/health/ready"))[0] == 200
        house.presence.leaving = True
        async with house.http.get("/health/ready") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
            assert (await refused.json(content_type=None))["type"].endswith("/leaving")
        assert (await house.call("GET", "/health/live"))[0] == 200
        body = signing.outbound_message(ORGANIZATION, "0061")
        async with house.http.post(SALESFORCE, data=body, headers={"Content-Type": "text/xml"}) as taken:
            assert (taken.status, taken.headers["Connection"]) == (200, "close")


@pytest.mark.long
async def test_web_processes_are_restarted_one_by_one_without_a_failed_request(crew: Crew) -> None:
    """Readiness goes first, connections are drained, and every webhook of the whole time is answered and stored."""
    organization = crew.sandbox.credentials("salesforce")["organization_id"]
    crew.variables["ISTHMUS_SF_ORGANIZATION_ID"] = organization
    hands = crew.start("web", "web", more=("--linger", "1"))
    balancer, stop = Balancer([hand.url for hand in hands]), asyncio.Event()
    requests = [(SALESFORCE, signing.outbound_message(organization, f"006{n}", id_=f"04l{n}")) for n in range(4)]
    traffic = asyncio.create_task(balancer.run(requests, stop))
    for number, hand in enumerate(hands):
        await asyncio.sleep(0.5)
        hand.signal(signal.SIGTERM)
        assert await asyncio.to_thread(hand.ended) == 0, hand.log.read_text()
        port = hand.url.rsplit(":", 1)[1]
        (again,) = await asyncio.to_thread(crew.start, "web", more=("--linger", "1", "--port", port))
        assert again.url == balancer.urls[number]
    await asyncio.sleep(0.5)
    stop.set()
    await traffic
    assert set(balancer.answers) == {"200"}, balancer.answers
    assert balancer.answers["200"] > 200
    assert set(balancer.unready) == set(balancer.urls), "each said that it is not ready before it went"
    assert min(balancer.by.values()) > 20
    assert crew.count("SELECT count(*) AS n FROM message") == 4


# Shared -------------------------------------------------------------------------------------------


class Ears:
    """Every call that the sandboxes are asked: when (monotonic), at which vendor, what."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.heard: list[tuple[float, str, str]] = []
        for vendor, standin in sandbox.sandboxes.items():
            standin.answer = self._listening(vendor, standin.answer)  # type: ignore[method-assign]

    def _listening(self, vendor: str, answer: Any) -> Any:
        async def listening(request: Any) -> Any:
            self.heard.append((time.monotonic(), vendor, f"{request.method} {request.path}"))
            return await answer(request)

        return listening

    def times(self, vendor: str, what: str) -> list[float]:
        """When something was asked, in order."""
        return [at for at, where, said in self.heard if where == vendor and what in said]


@pytest.mark.long
def test_three_workers_poll_as_one_and_share_tokens_and_breakers(crew: Crew) -> None:
    ears = Ears(crew.sandbox)
    crew.start("worker", "worker", "worker")
    time.sleep(WATCHED_S)
    for vendor, what, every_s in (("sap_s4hana", "A_BillingDocument", 15), ("salesforce", "/query", 20)):
        polls = ears.times(vendor, what)
        gaps = [after - before for before, after in pairwise(polls)]
        assert 2 <= len(polls) <= 1 + WATCHED_S // every_s, f"{vendor} is polled by one: {gaps}"
        assert min(gaps) > every_s - 1, gaps
    assert len(ears.times("salesforce", "/services/oauth2/token")) == 1, "one sign-in for all"
    _nobody_calls_while_a_breaker_is_open(crew, ears)


def _nobody_calls_while_a_breaker_is_open(crew: Crew, ears: Ears) -> None:
    """The ERP is down: a few calls find it out for all three workers, then one tries every few seconds."""
    down = {"kind": "down", "vendor": "sap_s4hana"}
    crew.sandbox.desk("faults", {"seed": 1, "rules": [down]})
    crew.sandbox.desk("salesforce/play/win_many", {"opportunities": ",".join(f"OPP-{1001 + n}" for n in range(DEALS))})
    opened = "SELECT count(*) AS n FROM permit WHERE connection = 'sap' AND open_until IS NOT NULL"
    crew.until(lambda: crew.count(opened), 60)
    time.sleep(2)
    begun = time.monotonic()
    time.sleep(15)
    calls = [(at, said) for at, where, said in ears.heard if where == "sap_s4hana" and at > begun]
    assert 1 <= len(calls) <= 15 / OPEN_S + 2, f"one tries for all, every {OPEN_S:.0f} s: {calls}"
    crew.sandbox.desk("faults", {"seed": 1, "rules": []})
    audited(crew)
