"""One run of a subject is held at a time, in order, whatever the number of workers and the order of commits."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.support.engine import Life, Place

from isthmus.store import journal, messages, runs
from isthmus.store.clock import instant
from isthmus.store.messages import NewMessage, store_call
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
POSTGRESQL = [pytest.param("postgresql", marks=pytest.mark.postgres)]


async def prepared(life: Life) -> None:
    """Ready to claim."""
    await life.engine.prepare()
    await life.worker.lease()
    await life.deliver()


def call(place: Place, id_: str, plan: str) -> tuple[dict[str, Any], list[NewMessage]]:
    """A call with one message, as the gateway stores it."""
    row = {
        "id": f"call-{id_}",
        "connection": "toy",
        "channel": "plans",
        "received_at": instant(place.clock()),
        "headers": "{}",
        "body": b"",
        "traceparent": None,
    }
    return row, [NewMessage(id_, f"Plan/{plan}", "one", None, {"id": id_, "plan": plan, "kind": "one"})]


@pytest.mark.parametrize("database", POSTGRESQL)
def test_a_lower_sequence_that_commits_late(database: str) -> None:
    """Message 1 is written first and committed last: the run is started by message 2, and 1 is not lost."""
    with Place(database) as place:
        place.world.plan("A1")
        first, second = Store.open_connection(place.url), Store.open_connection(place.url)
        first.begin()
        assert store_call(first, *call(place, "m1", "A1")) == 1
        second.begin()
        assert store_call(second, *call(place, "m2", "A1")) == 1
        second.commit()
        with place.life() as life:
            life.do(prepared(life))
            (row,) = life.do(life.worker.claim(5))
            first.commit()
            assert life.do(life.worker.claim(5)) == [], "its subject is held"
            life.do(life.worker.play_one(row))
            assert life.until_quiet()
        states = place.sql("SELECT source_id, state, run_id FROM message ORDER BY id")
        assert [row["source_id"] for row in states] == ["m1", "m2"]
        assert [row["state"] for row in states] == ["seen", "claimed"]
        assert len(place.world.things("thing")) == 1
        for connection in (first, second):
            connection._connection.close()


@pytest.mark.parametrize("database", POSTGRESQL)
def test_two_workers_start_one_run_of_a_subject_at_once(database: str) -> None:
    """Each has a message of its own; the second to commit finds the first one's run and joins it."""
    with Place(database) as place:
        place.world.plan("A1")
        one, two = Store.open_connection(place.url), Store.open_connection(place.url)
        start, now = messages.Start("one", 1, "isthmus.plan.simple.v1"), instant(place.clock())
        message = {"subject": "toy/Plan/A1", "connection": "toy", "body": "{}", "traceparent": None, "version": None}
        one.begin()
        assert messages.start_run(one, message, start, "r", now) == ("claimed", "one.toy.Plan.A1")
        outcome: list[tuple[str, str]] = []

        def second() -> None:
            two.begin()
            outcome.append(messages.start_run(two, message, start, "r", now))
            two.commit()

        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it waits for the first"
        one.commit()
        thread.join(5)
        assert outcome == [("joined", "one.toy.Plan.A1")]
        for connection in (one, two):
            connection._connection.close()


@pytest.mark.parametrize("database", POSTGRESQL)
def test_two_runs_of_one_subject_are_never_taken_together(database: str) -> None:
    """Two processes start on one subject; two workers that both see it free do not collide, one goes without."""
    with Place(database) as place:
        one, two = Store.open_connection(place.url), Store.open_connection(place.url)
        now = instant(place.clock())
        one.begin()
        for process in ("one", "loop"):
            runs.insert_run(one, runs.NewRun(process, 1, "toy/Plan/A1", "toy", None, "{}", "r", None), now)
        one.commit()
        later = instant(place.clock() + timedelta(seconds=1))
        one.begin()
        (taken,) = runs.take_due(one, holder="w1", most=5, now=later)
        two.begin()
        assert runs.take_due(two, holder="w2", most=5, now=later) == []
        other = "one.toy.Plan.A1" if taken["process"] == "loop" else "loop.toy.Plan.A1"
        assert runs.take(two, other, "w2", later) is None
        two.commit()
        one.commit()
        two.begin()
        assert runs.take(two, other, "w2", later) is None, "also once the first has committed"
        two.commit()
        for connection in (one, two):
            connection._connection.close()


@pytest.mark.parametrize("database", DATABASES)
def test_six_workers_never_overlap_on_a_subject_and_keep_its_order(database: str) -> None:
    """300 messages on 20 subjects; what each subject is played with never goes back."""
    with Place(database) as place:
        lives = [place.life() for _ in range(6 if database == "postgresql" else 1)]
        for number in range(300):
            plan = f"S{number % 20}"
            place.post(plan, "changed", id_=f"m{number}", version=str(number), name=f"v{number:03}", size=number)

        def work(life: Life) -> None:
            life.do(_until_empty(life))

        lives[0].do(prepared(lives[0]))
        for life in lives[1:]:
            life.do(life.engine.prepare())
            life.do(life.worker.lease())
        threads = [threading.Thread(target=work, args=(life,)) for life in lives]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for life in lives:
            life.__exit__()
        assert place.sql("SELECT id FROM message WHERE state = 'new'") == []
        assert place.live()
        finals = {thing["key"].split("~")[0].split(":")[0]: 0 for thing in place.world.things("report")}
        assert len(finals) == 20
        for subject in range(20):
            states = [
                int(row["arguments"].replace(" ", "").partition('"said":"v')[2][:3])
                for row in place.sql(
                    "SELECT e.arguments FROM effect e JOIN run r ON r.id = e.run_id WHERE r.subject = :s ORDER BY e.ended_at",
                    s=f"toy/Plan/S{subject}",
                )
            ]
            assert states == sorted(states)
            assert states[-1] == 280 + subject
        place.audit()


async def _until_empty(life: Life) -> None:
    idle = 0
    while idle < 20:
        taken = await life.worker.claim(4)
        idle = 0 if taken else idle + 1
        await asyncio.gather(*(life.worker.play_one(row) for row in taken))
        if not taken:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("database", DATABASES)
def test_two_subjects_that_share_one_effect_key(database: str) -> None:
    """Two plans of one number: the second finds what the first made; while the first is doing it, it waits."""
    with Place(database) as place:
        place.world.plan("P1", number="SAME")
        place.world.plan("P2", number="SAME")
        place.post("P1", "one")
        place.post("P2", "one")
        assert place.live(at_once=2)
        place.audit()
        assert len(place.world.things("thing")) == 1
        assert place.world.calls["POST things"] == 1
        results = {row["result"] for row in place.sql("SELECT result FROM run")}
        assert len(results) == 1, "both have the one answer"


def test_of_two_subjects_that_share_a_key_the_second_takes_over_from_the_dead() -> None:
    with Place() as place:
        place.world.plan("P1", number="SAME")
        place.world.plan("P2", number="SAME")
        place.post("P1", "one")
        with place.life() as life:
            life.do(prepared(life))
            (row,) = life.do(life.worker.claim(1))
            place.world.fault("after", times=1)
            place.world.fault("down", on="GET things", times=99)
            life.do(life.worker.play_one(row))
        assert place.run("one.toy.Plan.P1")["state"] == "waiting"
        place.world.faults.clear()
        place.sql("UPDATE run SET due_at = '2999-01-01T00:00:00Z' WHERE id = 'one.toy.Plan.P1'")
        place.post("P2", "one")
        assert place.live(within=timedelta(minutes=10))
        assert place.run("one.toy.Plan.P2")["state"] == "done"
        assert len(place.world.things("thing")) == 1
        place.sql("UPDATE run SET due_at = '2020' WHERE id = 'one.toy.Plan.P1'")
        assert place.live()
        place.audit()


# Versions ---------------------------------------------------------------------------------------------


def test_an_older_message_never_overwrites_a_newer_one() -> None:
    """All orders of four states of one thing: the newest stands in the end, whatever came last."""
    for order in itertools.permutations(range(1, 5)):
        with Place() as place:
            for number in order:
                place.post("A1", "changed", id_=f"v{number}", version=str(number), name=f"v{number}")
                assert place.live()
            (report,) = place.world.things("report")[-1:]
            assert {thing["name"] for thing in _latest(place)} == {"v4"}, order
            assert report["kind"] == "report"


def _latest(place: Place) -> list[dict[str, Any]]:
    rows = place.sql("SELECT r.generation, e.reference_id FROM run r JOIN effect e ON e.run_id = r.id")
    newest = max(rows, key=lambda row: row["generation"])["reference_id"]
    return [thing for thing in place.world.things("report") if str(thing["id"]) == newest]


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("9", "10", True),
        ("10", "9", False),
        ("10", "10", False),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", True),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:01Z", True),
        ("2026-01-01T00:00:01.5Z", "2026-01-01T00:00:01Z", False),
        ('W/"abc"', 'W/"abd"', False),  # an ETag has no order
        ("2026-01-01T00:00:00", "2026-01-01T00:00:01Z", False),  # one knows its zone, the other does not
        (None, "10", False),
        ("10", None, False),
    ],
)
def test_versions_that_have_an_order(version: str | None, than: str | None, older: bool) -> None:
    assert messages.older(version, than) is older


def test_news_that_comes_while_a_run_is_open_is_played_after_it() -> None:
    """The vendor is down for the first state; the second waits its turn and is not dropped, nor played before it."""
    with Place() as place:
        place.post("A1", "changed", id_="v1", version="1", name="v1")
        place.world.fault("down", on="PUT things", times=6)
        with place.life() as life:
            life.do(prepared(life))
            life.do(life.turn())
        assert place.runs() == {"mirror.toy.Plan.A1": "waiting"}
        place.post("A1", "changed", id_="v2", version="2", name="v2")
        place.post("A1", "changed", id_="v3", version="3", name="v3")
        with place.life() as life:
            life.do(prepared(life))
            life.do(life.turn())
        assert place.runs() == {"mirror.toy.Plan.A1": "waiting", "mirror.toy.Plan.A1~2": "ready"}
        assert place.live()
        assert place.runs() == {"mirror.toy.Plan.A1": "done", "mirror.toy.Plan.A1~2": "done"}
        written = [row["arguments"] for row in place.sql("SELECT arguments FROM effect ORDER BY ended_at")]
        assert ["v1" in written[0], "v3" in written[1]] == [True, True]
        place.audit()


def test_after_a_parked_run_later_messages_wait_or_the_newest_wins() -> None:
    with Place() as place:
        place.world.plan("A1", size=1)
        place.post("A1", "one", id_="m1")
        place.world.fault("refused", times=2)
        assert place.live()
        place.post("A1", "one", id_="m2")
        assert place.live()
        assert Counter(row["state"] for row in place.sql("SELECT state FROM message")) == {"claimed": 1, "new": 1}
        place.sql("DELETE FROM message WHERE source_id = 'm2'")
        place.messages.pop("m2")
        place.world.plan("A1", size=5)
        place.post("A1", "one", id_="m3", channel="newest")
        place.world.faults.clear()
        assert place.live()
        assert place.exceptions() == []
        assert [thing["size"] for thing in place.world.things("thing")] == [5], "read again, and asked anew"
        place.audit()


def test_a_message_that_nobody_can_read_keeps_no_other_from_being_claimed() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A0", "one", id_="bad")
        place.post("A1", "one", id_="good")
        with place.life() as life:
            plan = life.engine.plan

            def broken(message: dict[str, Any]) -> Any:
                if message["source_id"] == "bad":
                    raise ValueError("its kind is no text")
                return plan(message)

            life.engine.plan = broken  # type: ignore[method-assign, assignment]
            assert life.until_quiet()
        states = {row["source_id"]: row["state"] for row in place.sql("SELECT source_id, state FROM message")}
        assert states == {"bad": "unreadable", "good": "claimed"}
        (event,) = place.sql("SELECT data FROM journal WHERE type = 'isthmus.message.unreadable.v1'")
        assert "its kind is no text" in event["data"]


def test_a_connection_that_asked_us_to_wait_has_its_messages_wait_as_rows() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        with place.life() as life:
            life.engine.throttles["toy"]

            async def block() -> None:
                await prepared(life)
                life.engine.throttles["toy"].block(600)
                await life.store.write(lambda tx: None)

            life.do(block())
            assert life.do(life.worker.claim(5)) == []
            assert place.runs() == {}
            place.clock.advance(timedelta(seconds=601))
            assert len(life.do(life.worker.claim(5))) == 1


def test_follow_the_journal_by_position() -> None:
    """Positions are given after the commit: who follows them misses nothing that commits late."""
    with Place("sqlite") as place:
        tx = Store.open_connection(place.url)
        _append(tx, "a")
        tx.begin()
        assert journal.seal(tx) == 1
        tx.commit()
        seen = journal.follow(tx, 0)
        _append(tx, "b")
        assert [row["type"] for row in journal.follow(tx, seen[-1]["position"])] == []
        tx.begin()
        journal.seal(tx)
        tx.commit()
        assert [row["type"] for row in journal.follow(tx, seen[-1]["position"])] == ["b"]
        tx._connection.close()


@pytest.mark.parametrize("database", POSTGRESQL)
def test_an_event_of_a_lower_id_that_commits_late_is_followed(database: str) -> None:

    with Place(database) as place:
        first, second = Store.open_connection(place.url), Store.open_connection(place.url)
        first.begin()
        journal.append(first, at="2020", type_="early", data={})
        _append(second, "late")
        second.begin()
        assert journal.seal(second) == 1
        second.commit()
        (seen,) = journal.follow(second, 0)
        second.commit()
        first.commit()
        second.begin()
        assert journal.seal(second) == 1
        second.commit()
        assert [row["type"] for row in journal.follow(second, seen["position"])] == ["early"]
        for connection in (first, second):
            connection._connection.close()


def _append(tx: Transaction, type_: str) -> None:

    tx.begin()
    journal.append(tx, at="2020", type_=type_, data={})
    tx.commit()
