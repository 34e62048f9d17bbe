"""Field test 31: a worker busy for five minutes is not taken for dead while its heart beats; without beats it is."""

from __future__ import annotations

from datetime import timedelta

from tests.support.engine import Life, Place

from isthmus.store import workers


async def begun(life: Life) -> str:
    await life.engine.prepare()
    await life.worker.lease()
    await life.deliver()
    (row,) = await life.worker.claim(1)
    return str(row["id"])


def test_five_busy_minutes() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        with place.life() as busy, place.life() as other:
            run_id = busy.do(begun(busy))
            other.do(other.worker.lease())
            holder = busy.worker.holder
            for _ in range(75):  # a beat each four seconds; the sweeps of the other find nothing
                place.clock.advance(timedelta(seconds=4))
                place.sql("UPDATE worker SET expires_at = expires_at - 4000 WHERE holder = :h", h=holder)
                assert busy.do(busy.store.write(lambda tx: workers.beat(tx, holder=holder, progress="busy")))
                other.do(other.sweeper.sweep())
            run = place.run(run_id)
            assert (run["owner"], run["deaths"], run["fence"]) == (holder, 0, 1)
            place.sql("UPDATE worker SET expires_at = 0 WHERE holder = :h", h=holder)
            assert not busy.do(busy.store.write(lambda tx: workers.beat(tx, holder=holder, progress="late")))
            other.do(other.sweeper.sweep())
            run = place.run(run_id)
            assert (run["owner"], run["deaths"], run["fence"]) == (None, 1, 2)
