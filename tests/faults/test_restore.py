"""A restored backup has never heard of the last effects: in its epoch the first send of any key looks first."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.engine import Place

from isthmus.orchestration import parked
from isthmus.store import epoch
from isthmus.store.clock import instant


def backed_up(place: Place) -> Path:
    """A copy of the database as it stands."""
    file = Path(place.url.removeprefix("sqlite:///"))
    copy = file.with_suffix(".backup")
    _copy(file, copy)
    return copy


def restored(place: Place, copy: Path, *, opens_epoch: bool = True) -> None:
    """Put the copy in the database's place, and open its epoch."""
    _copy(copy, Path(place.url.removeprefix("sqlite:///")))
    if opens_epoch:
        with place.life() as life:
            life.do(life.store.write(lambda tx: epoch.begin(tx, instant(place.clock()))))


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as reading, sqlite3.connect(target) as writing:
        reading.backup(writing)
    reading.close()
    writing.close()


@pytest.mark.parametrize("after_s", [0.0, 5.0, 3600.0, 3600.0 * 48])
def test_restored_mid_traffic_nothing_is_made_twice(after_s: float) -> None:
    """Four orders at different points; the store goes back to before any of them, the vendors do not."""
    with Place() as place:
        for number in range(4):
            place.world.plan(f"A{number}")
        place.post("A0", "order")
        assert place.live()
        copy = backed_up(place)
        for number in (1, 2, 3):
            place.post(f"A{number}", "order")
        place.world.fault("late", key="A3", on="POST things", after=2, delay_s=4)
        assert place.live()
        made = {(thing["kind"], thing["key"]) for thing in place.world.things()}
        place.clock.advance(timedelta(seconds=after_s))
        if after_s > 3600 * 24:
            place.world.forget_native_keys()
        restored(place, copy)
        assert place.live()
        place.audit()
        assert {(thing["kind"], thing["key"]) for thing in place.world.things()} == made
        assert set(place.runs().values()) == {"done"}


def test_without_an_epoch_there_would_be_two() -> None:
    """(The test of the test: what the epoch is for.)"""
    with Place() as place:
        place.world.plan("A1")
        copy = backed_up(place)
        place.post("A1", "one")
        assert place.live()
        restored(place, copy, opens_epoch=False)
        assert place.live()
        assert len(place.world.things("thing")) == 2


def test_what_may_still_be_under_way_from_before_is_waited_for() -> None:
    """Killed while an order was under way, restored to before it at once: it lands within its deadline, and is found."""
    with Place() as place:
        place.world.plan("A1")
        copy = backed_up(place)
        place.post("A1", "one")
        place.world.fault("late", delay_s=4.5)
        with place.life() as life:

            async def first_play() -> None:
                await life.engine.prepare()
                await life.worker.lease()
                await life.deliver()
                for row in await life.worker.claim(1):
                    life.loop.create_task(life.worker.play_one(row))
                while not place.world.calls["POST things"]:
                    await life.store.read(lambda tx: None)
                    await asyncio.sleep(0)

            life.do(first_play())
            life.points.dead = True
        restored(place, copy)
        assert place.live()
        place.audit()
        assert place.world.calls["POST things"] == 1


def test_an_intention_of_the_backup_may_have_been_sent_again_since() -> None:
    """Its window has long run out in the backup; what was sent after the backup counts all the same."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        place.world.fault("refused")
        assert place.live()
        copy = backed_up(place)
        (exception,) = place.exceptions()
        place.world.faults.clear()
        with place.life() as life:
            life.do(parked.retry(life.store, exception["number"], who="clerk"))
            assert life.until_quiet()
        assert len(place.world.things("thing")) == 1
        place.clock.advance(timedelta(hours=1))
        restored(place, copy)
        (exception,) = place.exceptions()
        with place.life() as life:
            life.do(parked.retry(life.store, exception["number"], who="clerk"))
            assert life.until_quiet()
        place.audit()
        assert place.world.calls["POST things"] == 2, "the refused one and the one of the lost time"


def test_an_epoch_ends_when_the_gap_is_closed() -> None:
    with Place() as place, place.life() as life:
        now = instant(place.clock())
        assert life.do(life.store.write(lambda tx: epoch.begin(tx, now))) == 1
        life.do(life.engine.prepare())
        assert life.engine.deliverer.epoch is not None
        life.do(life.store.write(lambda tx: epoch.end(tx, now)))
        life.do(life.engine.prepare())
        assert life.engine.deliverer.epoch is None
        assert life.do(life.store.write(lambda tx: epoch.begin(tx, now))) == 2
