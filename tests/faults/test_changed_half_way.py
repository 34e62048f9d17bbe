"""A process changes while a thousand runs are half-way: what each has done is remembered, and only what is new is done."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.faults.test_replay import _approve_three, _multiply, _with_coin
from tests.support.engine import Life, Place

from isthmus.orchestration.approval import decide


async def _approve_left(life: Life) -> None:
    for row in life.place.sql("SELECT id FROM approval WHERE state = 'requested' AND policy = 'left'"):
        await decide(life.store, row["id"], verdict="approved", who="x", comment=None)


def test_a_thousand_runs_half_way_do_only_what_is_new(tmp_path: Path) -> None:
    """Each has made its thing and waits for the second desk, when a step is put before that."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "approvals")
        place.people = _approve_left
        assert place.live()
        assert [thing["key"] for thing in place.world.things()] == ["A1"]
        _multiply(place, 1000, more=[("effect", "key run_id business_key arguments result")])
        for row in place.effects(operation="make_thing"):
            asked = {"key": row["key"], "hash": hashlib.sha256(row["arguments"].encode()).hexdigest()}
            place.sql("UPDATE effect SET arguments_hash = :hash WHERE key = :key", **asked)
        release = _with_coin(tmp_path / "changed")
        place.sql("UPDATE run SET release = :id", id=release.id)
        place.people = _approve_three
        assert place.live(release=release)
        counts = {row["state"]: row["n"] for row in place.sql("SELECT state, count(*) AS n FROM run GROUP BY state")}
        assert counts == {"done": 3, "waiting": 998}
        made = sorted((thing["kind"], thing["key"]) for thing in place.world.things())
        three = ["A1x7", "A1x8", "A1x9"]
        assert made == [*(("coin", key) for key in three), *(("flag", key) for key in three), ("thing", "A1")]
