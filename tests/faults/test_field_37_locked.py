"""Field test 37: a record that stays locked becomes an exception that is tried again by itself; the rest flow on."""

from __future__ import annotations

from datetime import timedelta

from tests.support.engine import Place


def test_locked_ones_wait_and_the_rest_flow_on() -> None:
    with Place() as place:
        for number in range(5):
            place.world.plan(f"A{number}")
            place.post(f"A{number}", "one")
        locked = place.world.fault("locked", key="A2", times=10_000)
        assert place.live(within=timedelta(minutes=17), turns=3000)
        assert sorted(thing["key"] for thing in place.world.things("thing")) == ["A0", "A1", "A3", "A4"]
        (exception,) = place.exceptions()
        assert exception["error_class"] == "locked"
        assert exception["business_key"] == "A2"
        assert exception["retry_at"] is not None
        locked.times = 0
        assert place.live()
        assert place.exceptions() == []
        assert set(place.runs().values()) == {"done"}
        place.audit()
