"""Killed at every write and every call, before and after, a worker's runs go on elsewhere and nothing is doubled.

The points are not listed by hand: a first life counts them, and each is then visited by a life that ends there. How
many were visited is told at the end of the test run.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from tests.support.engine import Place, Points, approve_everything, kill_everywhere

Prepare = Callable[[Place], None]


def one_run(kind: str, **plan: object) -> Prepare:
    """One plan, one message, people who agree."""

    def prepare(place: Place) -> None:
        place.world.plan("A1", **plan)
        place.post("A1", kind)
        place.people = approve_everything

    return prepare


def left(state: str, **things: int) -> Prepare:
    """What must be there in the end: runs in this state, and exactly these living things."""

    def audit(place: Place) -> None:
        place.audit()
        assert set(place.runs().values()) == {state}, place.exceptions()
        assert Counter(thing["kind"] for thing in place.world.things()) == things

    return audit


SCENES: dict[str, tuple[Prepare, Prepare]] = {
    "order": (one_run("order"), left("done", party=1, thing=1, coin=1, flag=1, report=1)),
    "approvals": (one_run("approvals"), left("done", thing=1, flag=1)),
    "side": (one_run("side"), left("done", thing=2)),
    "loop": (one_run("loop"), left("done", thing=3)),
    "undo": (one_run("undo", allowed=False), left("undone", report=1)),
}
#: so many points at least; fewer would mean that the counting has come to miss some
AT_LEAST = {"order": 70, "approvals": 50, "side": 50, "loop": 40, "undo": 130}


@pytest.mark.parametrize("scene", SCENES)
def test_every_point_on_sqlite(scene: str, record_property: Callable[[str, object], None]) -> None:
    visited = kill_everywhere(*SCENES[scene])
    assert visited >= AT_LEAST[scene]
    record_property("crash points", f"{visited} on SQLite")


@pytest.mark.postgres
@pytest.mark.parametrize("scene", SCENES)
def test_a_seeded_third_on_postgresql(scene: str, record_property: Callable[[str, object], None]) -> None:
    dice = random.Random(f"third of {scene}")
    visited = kill_everywhere(*SCENES[scene], database="postgresql", only=lambda _: dice.random() < 1 / 3)
    assert visited > AT_LEAST[scene] / 5
    record_property("crash points", f"{visited} on PostgreSQL")


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.parametrize("scene", SCENES)
def test_every_point_on_postgresql(scene: str, record_property: Callable[[str, object], None]) -> None:
    visited = kill_everywhere(*SCENES[scene], database="postgresql")
    assert visited >= AT_LEAST[scene]
    record_property("crash points", f"{visited} on PostgreSQL")


@pytest.mark.parametrize("share", [0.15, 0.35, 0.5, 0.7, 0.9])
def test_a_real_sigkill(share: float, record_property: Callable[[str, object], None]) -> None:
    """The same with a process that is really gone, at five points spread over its life."""
    prepare, audit = SCENES["order"]
    with Place() as place:
        prepare(place)
        points = Points()
        assert place.live(points)
    with Place() as place:
        prepare(place)
        place.people = None
        said = {
            "database": place.url,
            "vendor": place.world.url,
            "messages": place.messages,
            "kill_at": int(points.passed * share),
        }
        child = subprocess.run(
            [sys.executable, "-m", "tests.faults.killed_child", json.dumps(said)], capture_output=True, check=False
        )
        assert child.returncode == -9, child.stderr.decode()
        place.finish()
        audit(place)
    record_property("crash points", "1 by SIGKILL")
