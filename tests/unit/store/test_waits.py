"""Events that end waits before their time, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.engine import Place

from isthmus.store import messages, runs, waits
from isthmus.store.runs import Fence, FenceLost, NewRun
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

NOW, EVENT = "2026-01-01T00:00:00.000000Z", "isthmus.stock.changed.v1"
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@contextmanager
def opened(database: str = "sqlite") -> Iterator[Transaction]:
    """An empty store in one transaction."""
    with Place(database) as place:
        tx = Store.open_connection(place.url)
        tx.begin()
        yield tx
        tx.commit()
        tx._connection.close()


def taken(tx: Transaction, name: str) -> Fence:
    """A run that is being played."""
    new = NewRun("p", 1, f"crm/Deal/{name}", "crm", None, "{}", "r", None)
    runs.insert_run(tx, new, NOW)
    row = runs.take(tx, new.id, "w", NOW)
    assert row is not None
    return Fence(new.id, row["fence"])


@pytest.mark.parametrize("database", DATABASES)
def test_an_event_wakes_who_waits_for_it_and_nobody_else(database: str) -> None:
    with opened(database) as tx:
        ours, others, ended = (taken(tx, name) for name in ("ours", "others", "ended"))
        assert waits.listen(tx, ours, EVENT, ["X-1", "X-2"]), "who begins to listen looks once more"
        assert not waits.listen(tx, ours, EVENT, ["X-2", "X-1"])
        waits.listen(tx, others, EVENT, ["X-3"])
        waits.listen(tx, ended, EVENT, ["X-1"])
        for fence, state in ((ours, "waiting"), (others, "waiting"), (ended, "done")):
            runs.end_play(tx, fence, state=state, now=NOW)
        assert waits.tell(tx, EVENT, "X-1", NOW) == [ours.run_id]
        assert waits.tell(tx, EVENT, "X-9", NOW) == []
        assert waits.tell(tx, "isthmus.price.changed.v1", "X-1", NOW) == []
        woken, asleep = runs.get_run(tx, ours.run_id), runs.get_run(tx, others.run_id)
        assert woken and asleep
        assert (woken["due_at"], woken["wake"]) == (NOW, 1)
        assert (asleep["due_at"], asleep["wake"]) == (None, 0)
        left = tx.rows("SELECT run_id, about, heard FROM awaited WHERE about <> 'X-3' ORDER BY about")
        assert [(row["run_id"], row["about"], row["heard"]) for row in left] == [
            (ours.run_id, "X-1", 1),
            (ours.run_id, "X-2", 0),
        ], "what has ended waits for nothing"


@pytest.mark.parametrize("database", DATABASES)
def test_an_event_that_comes_while_the_run_is_played_is_heard_before_it_waits(database: str) -> None:
    with opened(database) as tx:
        fence = taken(tx, "ours")
        waits.listen(tx, fence, EVENT, ["X-1"])
        waits.tell(tx, EVENT, "X-1", NOW)
        assert not runs.end_play(tx, fence, state="waiting", now=NOW, wake_seen=0), "it is played again"
        assert waits.listen(tx, fence, EVENT, ["X-1"]), "and looks again"
        with pytest.raises(FenceLost):
            waits.listen(tx, Fence(fence.run_id, fence.number - 1), EVENT, ["X-1"])


def test_a_message_that_wakes_somebody_has_joined_a_run() -> None:
    with opened() as tx:
        fence = taken(tx, "ours")
        waits.listen(tx, fence, EVENT, ["X-1"])
        runs.end_play(tx, fence, state="waiting", now=NOW)
        call = {"id": "c", "connection": "sap", "channel": "goods", "received_at": NOW, "headers": "{}",
                "body": b"{}", "traceparent": None}  # fmt: skip
        parts = [messages.NewMessage(about, f"A_Product/{about}", None, None, {}) for about in ("X-1", "X-2")]
        messages.store_call(tx, call, parts)
        plan = lambda row: [messages.Wake(EVENT, row["source_id"])]  # noqa: E731
        assert messages.claim_messages(tx, most=9, plan=plan, release="r", now=NOW) == 2
        found = tx.rows("SELECT source_id, state, run_id FROM message ORDER BY source_id")
        assert [(row["source_id"], row["state"], row["run_id"]) for row in found] == [
            ("X-1", "joined", fence.run_id),
            ("X-2", "ignored", None),
        ]
