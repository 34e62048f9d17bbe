"""Field test 33: killed fifty times under load, what was accepted and what was delivered are the same."""

from __future__ import annotations

import gc
import random

import pytest
from tests.support.engine import Life, Place, Points


@pytest.mark.parametrize("most", [12, pytest.param(50, marks=pytest.mark.long)])
def test_deaths_under_load(most: int) -> None:
    dice = random.Random(33)
    with Place() as place:
        deaths, number = 0, 0
        while deaths < most:
            for _ in range(4):
                place.world.plan(f"A{number}")
                place.post(f"A{number}", "one")
                number += 1
            with place.life(Points(dice.randint(8, 120))) as life:
                _deliver_only_new(life)
                deaths += not life.until_quiet(at_once=4)
            # three deaths in a row of one run would be poison, which is another test
            place.sql("UPDATE run SET deaths = 0")
            place.expire_leases()
        assert place.live(turns=5000)
        gc.collect()  # what the dead left behind: Python 3.11 miscounts where it goes while a module is parsed
        place.audit()
        delivered = sorted(thing["key"] for thing in place.world.things("thing", living=False))
        assert delivered == sorted(f"A{n}" for n in range(number))
        assert set(place.runs().values()) == {"done"}


def _deliver_only_new(life: Life) -> None:
    """A vendor sends again what was not acknowledged, and nothing else."""
    stored = {row["source_id"] for row in life.place.sql("SELECT source_id FROM message")}
    unheard = {id_: message for id_, message in life.place.messages.items() if id_ not in stored}

    async def deliver() -> None:
        for message in unheard.values():
            await life.receive(message)

    life.deliver = deliver  # type: ignore[method-assign]
