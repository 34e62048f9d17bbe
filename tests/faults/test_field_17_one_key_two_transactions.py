"""Field test 17: two transactions enqueue one key at once: one run, with the values of the one that came first."""

from __future__ import annotations

import threading

import pytest
from tests.support.engine import Place

from isthmus.store import runs
from isthmus.store.clock import instant
from isthmus.store.store import Store


@pytest.mark.postgres
def test_two_transactions_make_one_run() -> None:
    with Place("postgresql") as place:
        one, two = Store.open_connection(place.url), Store.open_connection(place.url)
        now = instant(place.clock())
        new = runs.NewRun("system-call", 1, "api/toy.make_thing/K", "api", None, "{}", "r", None)
        assert runs.insert_run(one, new, now, input="first")
        second: list[bool] = []
        thread = threading.Thread(target=lambda: second.append(runs.insert_run(two, new, now, input="second")))
        thread.start()
        thread.join(0.2)
        one.commit()
        thread.join(5)
        two.commit()
        assert second == [False]
        assert [row["input"] for row in place.sql("SELECT input FROM run")] == ["first"]
        for connection in (one, two):
            connection._connection.close()
