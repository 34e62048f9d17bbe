"""Field test 12: however often Isthmus is deployed anew, one poller asks and each push is heard once.

Isthmus registers nothing at a vendor: an administrator does it, once, and no start changes it (decision 0009).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.house import House
from tests.support.postgres import drop_database, new_database
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SECRETS

from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.poll import Poller
from isthmus.store import workers
from isthmus.store.clock import MovableClock
from isthmus.store.migrate import migrate
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

POLLS = {"salesforce": "GET /services/data/v62.0/query", "sap_s4hana": "A_BillingDocument"}


@contextmanager
def counted(running: RunningSandbox) -> Iterator[Counter[str]]:
    """How often each vendor was polled, and what was asked of its webhooks."""
    asked: Counter[str] = Counter()
    for name, sandbox in running.sandboxes.items():
        play = sandbox.play

        def counting(request: Any, name: str = name, play: Any = play) -> Any:
            line = f"{request.method} {request.raw_path}"
            asked[name] += POLLS.get(name, "-") in line
            asked["webhooks"] += "webhook" in line
            return play(request)

        sandbox.play = counting  # type: ignore[method-assign]
    yield asked


@pytest.mark.parametrize("times", [5, pytest.param(20, marks=pytest.mark.long)])
async def test_rolling_redeployments(times: int, tmp_path: Path) -> None:
    with RunningSandbox() as running, counted(running) as asked:
        async with House(running, tmp_path / "house") as house:
            began = house.clock()
            hook = {"url": f"{house.url}/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"}
            hook |= {"object": "Opportunity", "fields": "Id,StageName,SystemModstamp", "when": "IsWon = true"}
            await house.desk("salesforce/set/outbound_message/isthmus", hook)
            registered = await _registered(house)
            for _ in range(times):
                await _redeploy(house)
            elapsed = house.clock() - began
            assert 1 <= asked["salesforce"] <= 1 + int(elapsed / timedelta(seconds=20)), "as one never replaced"
            assert 1 <= asked["sap_s4hana"] <= 1 + int(elapsed / timedelta(seconds=15))
            assert await _registered(house) == registered, "nothing was registered, nothing taken away"
            assert asked["webhooks"] == 0, "nor even looked at"
            await house.win("OPP-1001")
            run = await house.until("OPP-1001", "done")
            rows = await house.rows("SELECT channel, state FROM message WHERE subject = :s", s=run["subject"])
            assert [row["channel"] for row in rows] == ["outbound_messages"]


async def _redeploy(house: House) -> None:
    """The new one comes up beside the old one; then the old one goes."""
    engine = Engine(house.store, house.release, house.settings)
    worker = Worker(engine)
    task = asyncio.create_task(worker.run())
    while not worker.holder:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)
    house.engines.append(engine)
    house.workers[-1].stop()
    await house._tasks.pop(0)
    house._tasks.insert(0, task)
    house.workers.append(worker)


async def _registered(house: House) -> dict[str, Any]:
    return {
        "salesforce": await house.desk("salesforce/show/outbound_message"),
        "zendesk": await house.desk("zendesk/show/webhook"),
        "stripe": await house.desk("stripe/show/webhook_endpoint"),
    }


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_twenty_pollers_at_once_are_one(database: str, tmp_path: Path) -> None:
    """Old ones that were never stopped, beside new ones: every round one of them polls."""
    url = new_database() if database == "postgresql" else f"sqlite:///{tmp_path / 'store.db'}"
    if database == "sqlite":
        migrate(url)
    with RunningSandbox() as running, counted(running) as asked:
        clock = MovableClock()
        async with House(running, tmp_path / "house", workers=0) as house:
            stores = [Store(url, clock) for _ in range(4)]
            engines = [Engine(store, house.release, house.settings) for store in stores for _ in range(5)]
            pollers = [Poller(engine, _Waker(f"w{at}")) for at, engine in enumerate(engines)]
            await stores[0].write(_all_alive)
            channel = house.release.connections["salesforce"].connector.inbound["opportunities"]
            for round_ in range(1, 4):
                await asyncio.gather(*(poller.poll("salesforce", "opportunities", channel) for poller in pollers))
                assert asked["salesforce"] == round_
                (cursor,) = await stores[0].read(lambda tx: tx.rows("SELECT outcome, held_until FROM cursor"))
                assert (cursor["outcome"], cursor["held_until"]) == ("ok", None)
                clock.advance(timedelta(seconds=21))
            await _cut_short(pollers, running, channel)
            for engine in engines:
                await engine.close()
            for store in stores:
                store.close()
    if database == "postgresql":
        drop_database(url)


async def _cut_short(pollers: list[Poller], running: RunningSandbox, channel: Any) -> None:
    """A poller that is stopped while it asks gives the right to poll back, and the next one goes on at once."""
    running.desk("salesforce/play/win", {"opportunity": "OPP-1002"})
    slow = {"kind": "slow", "vendor": "salesforce", "operation": "GET */query", "delay_s": 5, "times": 1}
    running.desk("faults", {"rules": [slow]})
    polling = asyncio.create_task(pollers[0].poll("salesforce", "opportunities", channel))
    while not running.faults.met:
        await asyncio.sleep(0.01)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    assert await pollers[1].poll("salesforce", "opportunities", channel) == 1


def _all_alive(tx: Transaction) -> None:
    """Every poller's worker has its lease, for as long as this test may take."""
    for at in range(20):
        workers.lease(tx, holder=f"w{at}", name="tester")
    tx.run("UPDATE worker SET expires_at = expires_at + 600000", {})


class _Waker:
    def __init__(self, holder: str) -> None:
        self.holder = holder

    def wake(self) -> None:
        """Nobody sleeps here."""
