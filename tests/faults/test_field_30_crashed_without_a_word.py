"""Field test 30: a worker that is killed leaves its run shown as interrupted; it is resumed, and the journal says so."""

from __future__ import annotations

from tests.support.engine import Place, Points


def test_an_interrupted_run_is_told_and_resumed() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "order")
        assert not place.live(Points(30))
        (held,) = place.sql("SELECT owner, state FROM run")
        assert held["owner"] is not None
        place.finish()
        types = [row["type"] for row in place.sql("SELECT type FROM journal WHERE run_id IS NOT NULL ORDER BY id")]
        assert "isthmus.run.interrupted.v1" in types
        assert types.index("isthmus.run.interrupted.v1") < types.index("isthmus.order.completed.v1")
        assert all(row["position"] for row in place.sql("SELECT position FROM journal"))
        place.audit()
