"""What the state machine has found, each in its smallest form."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.engine import Place, Points

from isthmus.orchestration import parked


class Ending(Points):
    """Ends the life when it passes a point of this name for the ``number``-th time."""

    def __init__(self, name: str, number: int = 1) -> None:
        super().__init__()
        self._name, self._number = name, number

    def comes(self, name: str) -> bool:
        super().comes(name)
        self._number -= name == self._name
        return name == self._name and self._number == 0


@pytest.mark.parametrize(
    ("operation", "point", "ends"),
    [
        ("ensure_party", Ending("before call POST things"), "intended"),  # never sent: whoever needs it may ask again
        ("ensure_party", Ending("after call POST things"), "done"),  # there, but nobody heard of it
        ("ensure_party", Ending("under way: POST things"), "done"),
        ("report", Ending("under way: PUT things/A1", 2), "intended"),
    ],
    ids=["never sent", "there", "under way", "an upsert under way"],
)
def test_what_stays_is_brought_out_of_doubt_before_its_run_is_undone(operation: str, point: Ending, ends: str) -> None:
    """Else a party is made that nobody knows of, or a report of an order lands after the report that it is undone."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "order")
        assert not place.live(point), "this point is not passed any more"
        place.expire_leases()
        with place.life() as life:
            life.do(parked.cancel(life.store, "order.toy.Plan.A1", who="clerk"))
            assert life.until_quiet()
        assert place.runs() == {"order.toy.Plan.A1": "undone"}
        assert place.world.under_way == 0, "something comes when all is over"
        effect = place.effects(operation=operation)[0]
        assert (effect["state"], effect["doubt"]) == (ends, 0)
        # the next one needs the same party
        place.world.plan("A2")
        place.post("A2", "order")
        assert place.live()
        assert place.runs()["order.toy.Plan.A2"] == "done"
        place.audit()


def test_a_second_draft_of_a_sequence_is_undone_like_the_first() -> None:
    """The part that makes the operation's own object is undone by the operation's undo, should it come twice."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "undo")
        place.world.fault("late", after=2, delay_s=8)  # the third thing that is made is the draft of the set
        assert place.live()
        place.clock.advance(timedelta(seconds=40))
        assert place.live()
        assert [draft["living"] for draft in place.world.things("set", living=False)] == [1, 0]
        assert place.exceptions() == []
        assert [effect["rule"] for effect in place.effects(part="draft")] == ["repaired"]
        place.audit()


def test_another_part_of_a_sequence_is_not_taken_for_its_object() -> None:
    """A line that went out under a second key is no second set."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "undo")
        place.world.fault("before", after=3, times=2)  # the fourth is a line: twice in doubt, then under the next key
        assert place.live()
        (line,) = place.effects(part="lines/0")
        assert line["attempt"] > 1 and line["looks"] > 0, "it was not looked at"
        assert place.exceptions() == []
        assert [draft["living"] for draft in place.world.things("set", living=False)] == [1]
        place.audit()


def test_what_is_told_of_a_run_that_is_undone_is_mended_without_playing_it() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "order", version="1")
        place.world.fault("late", key="party-P1", delay_s=8)
        with place.life() as life:
            assert life.until_quiet(within=timedelta(seconds=7.5))  # sent again, and not looked at once more yet
            life.do(parked.cancel(life.store, "order.toy.Plan.A1", who="clerk"))
            assert life.until_quiet()
        place.clock.advance(timedelta(seconds=40))
        assert place.live()
        (exception,) = place.exceptions()
        place.world.merge()
        with place.life() as life:
            life.do(parked.retry(life.store, exception["number"], who="clerk"))
            assert life.until_quiet()
        assert (place.runs(), place.exceptions()) == ({"order.toy.Plan.A1": "undone"}, [])
        place.audit()
