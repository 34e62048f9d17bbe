"""Field tests 34 and 36: an account's places and its Retry-After are shared by all workers, and no order fails of it."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest
from tests.support.engine import Life, Place

_MOMENT = timedelta(milliseconds=100)


async def prepared(life: Life) -> None:
    await life.engine.prepare()
    await life.worker.lease()


async def until_empty(life: Life) -> None:
    idle = 0
    while idle < 40:
        taken = await life.worker.claim(2)
        idle = 0 if taken else idle + 1
        await asyncio.gather(*(life.worker.play_one(row) for row in taken))
        if not taken:
            life.place.clock.advance(_MOMENT)
            await asyncio.sleep(0.01)


@pytest.mark.postgres
def test_eight_workers_five_places_one_taken_by_another() -> None:
    with Place("postgresql") as place:
        for number in range(24):
            place.world.plan(f"A{number}")
            place.post(f"A{number}", "one")
        place.world.places, place.world.busy, place.world.slow_s = 5, 1, 0.01
        lives = [place.life() for _ in range(8)]
        for life in lives:
            life.do(prepared(life))
        lives[0].do(lives[0].deliver())
        threads = [threading.Thread(target=lambda life=life: life.do(until_empty(life))) for life in lives]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for life in lives:
            life.__exit__()
        place.world.places = None
        place.finish()
        assert place.exceptions() == []
        assert set(place.runs().values()) == {"done"}
        assert len(place.world.things("thing", living=False)) == 24
        place.audit()


def test_retry_after_is_honoured_once_for_all_workers() -> None:
    with Place() as place:
        for number in range(6):
            place.world.plan(f"A{number}")
            place.post(f"A{number}", "one")
        place.world.fault("limited", on="GET plans", delay_s=30)
        with place.life() as one, place.life() as two:
            one.do(prepared(one))
            two.do(prepared(two))
            one.do(one.deliver())
            one.do(one.turn())
            assert place.world.met["limited"] == 1
            asked = sum(place.world.calls.values())
            place.clock.advance(timedelta(seconds=1))
            two.do(two.turn(3))
            assert sum(place.world.calls.values()) == asked, "the other worker asks nothing before the pause is over"
        assert place.live()
        times = [at for at, _, _ in place.world.log]
        assert (times[1] - times[0]).total_seconds() >= 29
        assert place.world.met["limited"] == 1
        place.audit()
