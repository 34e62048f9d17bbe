"""Field test 40: what an order needs is made on demand; where it is missing the order parks and resumes by itself."""

from __future__ import annotations

from datetime import timedelta

from tests.support.engine import Life, Place
from tests.support.toy import Thing, toy

from isthmus.connectivity.identity import Known
from isthmus.orchestration.system_call import ask_system


async def asked(life: Life) -> str:
    await life.engine.prepare()
    thing = Thing(number="A1", owner="party-P9")
    release = life.engine.release.id
    return await ask_system(life.store, toy.for_party, thing, unit="north", key="A1", release=release, who="shop")


def test_it_is_pulled_on_demand() -> None:
    with Place() as place:
        place.world.plan("A1", party="P9")
        place.post("A1", "order")
        assert place.live()
        assert [thing["key"] for thing in place.world.things("party")] == ["party-P9"]
        place.audit()


def test_it_parks_and_resumes_by_itself() -> None:
    with Place() as place:
        with place.life() as life:
            run_id = life.do(asked(life))
        assert place.live(within=timedelta(seconds=1))
        (exception,) = place.exceptions()
        assert (exception["error_class"], exception["field"]) == ("missing", "party")
        assert exception["retry_at"] is not None
        with place.life() as life:

            async def link() -> None:
                life.engine.identities.link(Known("party", "party-P9", "toy", "Party", "77"))
                await life.store.write(lambda tx: None)

            life.do(link())
        assert place.live()
        assert place.run(run_id)["state"] == "done"
        assert place.exceptions() == []
