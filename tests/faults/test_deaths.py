"""Workers die, freeze and come back: what they held goes on elsewhere, and they say nothing any more."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.support.engine import Life, Place, Points, approve_everything

from isthmus.orchestration import parked
from isthmus.orchestration.sweep import DEATHS_MAX
from isthmus.store import runs
from isthmus.store.clock import instant
from isthmus.store.runs import Fence, FenceLost
from isthmus.store.transaction import Row, Transaction

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


class Deadly(Points):
    """Ends the life whenever the run of this plan is played."""

    def __init__(self, plan: str) -> None:
        super().__init__()
        self._plan = plan

    def comes(self, name: str) -> bool:
        super().comes(name)
        return name == f"before call GET plans/{self._plan}"


@pytest.mark.parametrize("database", DATABASES)
def test_poison_beside_an_innocent(database: str) -> None:
    """A message that kills its worker is parked after the third death; its neighbours are played and never parked."""
    with Place(database) as place:
        for number in range(6):
            place.world.plan(f"A{number}")
            place.post(f"A{number}", "one")
        lives = 0
        while not place.live(Deadly("A3"), at_once=6):
            lives += 1
            assert lives <= DEATHS_MAX
            place.expire_leases()
        assert lives == DEATHS_MAX
        (exception,) = place.exceptions()
        assert exception["business_key"].endswith("A3")
        assert "Three workers died" in exception["title"]
        states = place.runs()
        assert states.pop("one.toy.Plan.A3") == "parked"
        assert set(states.values()) == {"done"}
        assert sorted(thing["key"] for thing in place.world.things("thing")) == ["A0", "A1", "A2", "A4", "A5"]
        interrupted = place.sql("SELECT run_id FROM journal WHERE type = 'isthmus.run.interrupted.v1'")
        assert len([row for row in interrupted if row["run_id"].endswith("A3")]) == DEATHS_MAX
        # mended, it is played like any other
        with place.life() as life:
            life.do(parked.retry(life.store, exception["number"], who="admin"))
            assert life.until_quiet()
        assert set(place.runs().values()) == {"done"}
        place.audit()


def test_a_suspect_is_played_alone_even_under_constant_load() -> None:
    with Place() as place:
        for number in range(4):
            place.world.plan(f"A{number}")
            place.post(f"A{number}", "one")
        with place.life() as life:
            life.do(_prepared(life))
            first = life.do(life.worker.claim(1))
            place.sql("UPDATE run SET owner = NULL, deaths = 1, due_at = '2020' WHERE id = :id", id=first[0]["id"])
            others = life.do(life.worker.claim(2))
            assert [row["deaths"] for row in others] == [1], "the suspect first, and nothing beside it"
            life.do(_active(life, others[0]))
            assert life.do(life.worker.claim(2)) == [], "nothing is claimed beside a suspect"
            life.worker._active.clear()
            place.sql("UPDATE run SET owner = NULL, due_at = '2020' WHERE deaths = 1")
            life.do(_active(life, {"id": "another", "deaths": 0}))
            assert life.do(life.worker.claim(2)) == [], "it is waited for until nothing else is played"
            life.worker._active.clear()


async def _prepared(life: Life) -> None:
    await life.engine.prepare()
    await life.worker.lease()
    await life.deliver()


async def _active(life: Life, row: Row) -> None:
    life.worker._active[asyncio.ensure_future(asyncio.sleep(0))] = row


def test_poison_that_was_being_undone_stays_to_be_undone() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "order")
        assert place.live()
        with place.life() as life:
            life.do(parked.cancel(life.store, "order.toy.Plan.A1", who="clerk"))
        place.sql("UPDATE run SET deaths = 2, owner = 'somebody dead', due_at = NULL")
        assert place.live()
        (exception,) = place.exceptions()
        assert place.run("order.toy.Plan.A1")["state"] == "undoing"
        with place.life() as life:
            life.do(parked.retry(life.store, exception["number"], who="admin"))
            assert life.until_quiet()
        assert place.runs() == {"order.toy.Plan.A1": "undone"}
        place.audit()


@pytest.mark.parametrize("state", ["done", "parked", "undone", "ignored", "waiting", "ready", "undoing"])
@pytest.mark.parametrize("way", ["died", "stopped"])
def test_a_run_that_was_only_looked_at_is_not_played_when_its_holder_goes(state: str, way: str) -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        assert place.live()
        place.sql("UPDATE run SET state = :state, owner = 'w', due_at = NULL", state=state)
        with place.life() as life:
            life.do(life.worker.lease())
            if way == "died":
                life.do(life.sweeper.sweep())
            else:
                life.do(life.store.write(lambda tx: runs.hand_back(tx, "w", instant(place.clock()))))
        run = place.run("one.toy.Plan.A1")
        assert run["owner"] is None
        assert (run["due_at"] is not None) == (state in ("waiting", "ready", "undoing"))
        assert run["state"] == state


def test_a_run_held_but_played_by_nobody_is_freed_by_its_own_worker() -> None:
    """A commit whose answer was lost: the taking stands, and nobody here knows of it."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        with place.life() as life:
            life.do(_prepared(life))
            assert life.do(life.worker.claim(1))
            life.do(life.sweeper.sweep())
            assert place.run("one.toy.Plan.A1")["owner"] == life.worker.holder, "it might be just about to be played"
            life.do(life.sweeper.sweep())
            assert place.run("one.toy.Plan.A1")["owner"] is None
            assert life.until_quiet()
        place.audit()


# The zombie -------------------------------------------------------------------------------------------


class Frozen(Exception):
    """Not an error: where the zombie is stopped."""


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("operation", ["POST things", "PUT things"])
def test_a_zombie_frozen_right_before_the_first_byte(operation: str, database: str) -> None:
    """It has looked at the clock, is frozen, replaced, and woken: its call reaches the vendor, is filed and reversed."""
    with Place(database) as place:
        place.world.plan("A1")
        place.post("A1", "order" if operation == "PUT things" else "one")
        zombie = place.life()
        thaw, resumed = _freeze(zombie, operation)
        zombie.do(_until_frozen(zombie, thaw["frozen"]))
        place.clock.advance(timedelta(minutes=5))
        place.finish()
        zombie.do(_thaw(thaw, resumed))
        zombie.__exit__()
        assert place.live()
        place.clock.advance(timedelta(minutes=1))
        assert place.live()
        place.audit()
        assert place.runs().popitem()[1] == "done"
        if operation == "POST things":
            assert len(place.world.things("thing", living=False)) == 2, "the zombie's reached the vendor"
            assert place.effects(operation="make_thing")[0]["rule"] == "repaired"
            (late,) = place.sql("SELECT * FROM late_answer")
            assert late["effect_key"] == "toy.make_thing/A1"
            assert late["compared_at"] is not None
            assert json.loads(late["body"])["reference_id"] != place.effects(operation="make_thing")[0]["reference_id"]


def _freeze(life: Life, operation: str) -> tuple[dict[str, asyncio.Event], list[str]]:
    """Stop the life's first such call after every look at the clock, until it is thawed."""
    events: dict[str, asyncio.Event] = {}
    resumed: list[str] = []
    connection = life.engine.connections["toy"]
    send = connection._wire.exchange

    async def exchange(method: str, url: str, *rest: Any, **more: Any) -> Any:
        if f"{method} things" == operation and not resumed:
            resumed.append(url)
            more["last_look"]()
            more["last_look"] = None
            events["frozen"].set()
            await events["thawed"].wait()
        return await send(method, url, *rest, **more)

    connection._wire.exchange = exchange  # type: ignore[method-assign]
    events["frozen"], events["thawed"] = asyncio.Event(), asyncio.Event()
    return events, resumed


async def _until_frozen(life: Life, frozen: asyncio.Event) -> None:
    await _prepared(life)

    async def playing() -> None:
        while await life.turn():
            pass

    life.playing = asyncio.ensure_future(playing())  # type: ignore[attr-defined]
    await frozen.wait()


async def _thaw(events: dict[str, asyncio.Event], resumed: list[str]) -> None:
    events["thawed"].set()
    for _ in range(200):
        await asyncio.sleep(0.005)


def test_a_worker_frozen_before_its_look_at_the_clock_sends_nothing() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        zombie = place.life()
        zombie.do(_prepared(zombie))
        (row,) = zombie.do(zombie.worker.claim(1))
        connection = zombie.engine.connections["toy"]
        send, sent = connection.send, []

        async def late(call: Any, **more: Any) -> Any:
            if call.method == "POST":
                sent.append(call)
                place.clock.advance(timedelta(minutes=5))  # frozen for five minutes
                place.sql("UPDATE run SET owner = NULL, fence = fence + 1, due_at = '2020'")
            return await send(call, **more)

        connection.send = late  # type: ignore[method-assign]
        assert zombie.do(zombie.worker.play_one(row)) == "lost"
        assert len(sent) == 1
        assert place.world.calls["POST things"] == 0
        zombie.__exit__()
        place.finish()
        place.audit()


@pytest.mark.parametrize("database", DATABASES)
def test_who_lost_the_fence_writes_nothing(database: str) -> None:
    with Place(database) as place:
        place.world.plan("A1")
        place.post("A1", "one")
        with place.life() as life:
            life.do(_prepared(life))
            (row,) = life.do(life.worker.claim(1))
            place.sql("UPDATE run SET fence = fence + 1")
            fence = Fence(row["id"], row["fence"])

            def describe(tx: Transaction) -> bool:
                return runs.describe(tx, fence, {"title": "by a zombie"}, "2020")

            with pytest.raises(FenceLost):
                life.do(life.store.write(describe))
            place.sql("UPDATE run SET owner = NULL, fence = fence - 1")
            with pytest.raises(FenceLost):
                life.do(life.store.write(describe))
        assert place.run("one.toy.Plan.A1")["title"] is None


# Stores that fail -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 13))
def test_a_write_that_nobody_waits_for_and_that_is_lost_plays_the_run_again(number: int) -> None:
    """The disk is full for one ride-along: the play must not end on a memory with a hole in it."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "order")
        with place.life() as life:
            original, count = life.store.ride, 0

            def ride(work: Any, **more: Any) -> Any:
                nonlocal count
                count += 1
                if count != number:
                    return original(work, **more)

                def full(tx: Transaction) -> None:
                    tx.run("INSERT INTO no_such_table VALUES (1)")  # an OperationalError, as of a full disk

                return original(full, **more)

            life.store.ride = ride  # type: ignore[method-assign]
            assert life.until_quiet()
        place.audit()
        assert place.runs() == {"order.toy.Plan.A1": "done"}
        assert {effect["state"] for effect in place.effects()} == {"done"}
        run = place.run("order.toy.Plan.A1")
        assert run["input"] is not None and run["business_key"] == "A1"


def test_two_approvals_decided_while_the_play_ends() -> None:
    """An answer in the very moment in which the play goes to wait is not slept over, also in its first taking."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "approvals")
        with place.life() as life:
            original = life.store.write

            async def write(work: Any, **more: Any) -> Any:
                if work.__qualname__.startswith("Player._let_go"):
                    await approve_everything(life)
                return await original(work, **more)

            life.store.write = write  # type: ignore[method-assign]
            assert life.until_quiet(within=timedelta(seconds=1))
        assert place.runs() == {"approvals.toy.Plan.A1": "done"}
        place.audit()
