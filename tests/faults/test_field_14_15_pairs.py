"""Field tests 14 and 15: pairs and crowds that ask for the same at once get one, and all hear of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.support.engine import Life, Place
from tests.support.toy import Thing, toy

from isthmus.orchestration.system_call import ask_system
from isthmus.store import runs


async def prepared(life: Life) -> None:
    await life.engine.prepare()
    await life.worker.lease()


async def until_empty(life: Life) -> None:
    idle = 0
    while idle < 30:
        taken = await life.worker.claim(8)
        idle = 0 if taken else idle + 1
        await asyncio.gather(*(life.worker.play_one(row) for row in taken))
        if not taken:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("most", [40, pytest.param(200, marks=pytest.mark.long)])
def test_of_parallel_pairs_one_order_each_and_the_loser_gets_the_winners_id(most: int) -> None:
    with Place() as place, place.life() as life:

        async def pairs() -> list[tuple[str, str]]:
            await prepared(life)
            release = life.engine.release.id

            async def ask(number: int) -> str:
                thing, key = Thing(number=f"K{number}"), f"K{number}"
                more: dict[str, Any] = {"unit": "north", "key": key, "release": release, "who": "shop"}
                return await ask_system(life.store, toy.make_thing, thing, **more)

            return [tuple(await asyncio.gather(ask(n), ask(n))) for n in range(most)]  # type: ignore[misc]

        asked = life.do(pairs())
        assert all(one == other for one, other in asked)
        life.do(until_empty(life))
        rows = [life.do(life.store.read(lambda tx, id_=one: runs.get_run(tx, id_))) for one, _ in asked]  # type: ignore[misc]
        assert {row["state"] for row in rows} == {"done"}
        assert len(place.world.things("thing", living=False)) == most
        assert place.world.calls["POST things"] == most


@pytest.mark.parametrize(
    ("database", "most"),
    [
        pytest.param("postgresql", 16, marks=pytest.mark.postgres),
        pytest.param("postgresql", 50, marks=[pytest.mark.postgres, pytest.mark.long]),
        pytest.param("sqlite", 50, marks=pytest.mark.long),
    ],
)
def test_many_first_orders_of_one_new_customer_make_one_customer(database: str, most: int) -> None:
    """Over four workers on PostgreSQL; on SQLite in one, eight at once."""
    with Place(database) as place:
        for number in range(most):
            place.world.plan(f"A{number}", party="NEW")
            place.post(f"A{number}", "order")
        lives = [place.life() for _ in range(4 if database == "postgresql" else 1)]
        for life in lives:
            life.do(prepared(life))
        lives[0].do(lives[0].deliver())
        threads = [threading.Thread(target=lambda life=life: life.do(until_empty(life))) for life in lives]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        for life in lives:
            life.__exit__()
        place.finish()
        place.audit()
        assert len(place.world.things("party", living=False)) == 1
        assert len(place.world.things("thing", living=False)) == most
        assert set(place.runs().values()) == {"done"}
