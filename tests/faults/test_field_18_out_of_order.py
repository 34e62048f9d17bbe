"""Field test 18: six events of one life in all 720 orders leave the same final state."""

from __future__ import annotations

import itertools
import random

import pytest
from tests.support.engine import Life, Place


@pytest.mark.parametrize("most", [60, pytest.param(720, marks=pytest.mark.long)])
def test_any_order_of_six_events_ends_the_same(most: int) -> None:
    """Each order as a subject of one place: all hear the same six, each in its own order."""
    orders = random.Random(18).sample(list(itertools.permutations(range(1, 7))), most)
    with Place() as place, place.life() as life:
        life.do(_all(life, orders))
        newest: dict[str, tuple[int, str]] = {}
        rows = place.sql(
            "SELECT r.subject, r.generation, e.arguments FROM run r JOIN effect e ON e.run_id = r.id WHERE e.state = 'done'"
        )
        for row in rows:
            newest[row["subject"]] = max(newest.get(row["subject"], (0, "")), (row["generation"], row["arguments"]))
        assert len(newest) == most
        assert {"v6" in arguments for _, arguments in newest.values()} == {True}


async def _all(life: Life, orders: list[tuple[int, ...]]) -> None:
    await life.engine.prepare()
    await life.worker.lease()
    for place_in_order in range(6):
        for number, order in enumerate(orders):
            version = order[place_in_order]
            message = {"id": f"{number}-{version}", "plan": f"S{number}", "kind": "changed", "channel": "plans"}
            await life.receive({**message, "version": str(version), "name": f"v{version}", "size": version})
        while await life.turn(64):
            pass
