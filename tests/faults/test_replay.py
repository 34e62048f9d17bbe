"""Played again: from history alone, after an edit, after a cancel, after the process has changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.engine import Life, Place, approve_everything
from tests.support.toy import FOLDER

from isthmus.catalogue.registry import registry
from isthmus.landscape.release import Release, compile_release
from isthmus.orchestration import parked
from isthmus.orchestration.approval import decide

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.mark.parametrize("kind", ["order", "approvals", "side", "loop", "undo"])
def test_played_twice_the_second_time_from_history_alone(kind: str) -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", kind)
        place.people = approve_everything
        assert place.live()
        (run_id,) = place.runs()
        calls = dict(place.world.calls)
        result = place.run(run_id)["result"]
        place.sql("UPDATE run SET state = 'ready', due_at = '2020' WHERE id = :id", id=run_id)
        assert place.live()
        assert place.run(run_id)["state"] == "done"
        assert place.run(run_id)["result"] == result
        assert dict(place.world.calls) == calls, "a second play asks nobody anything"


def test_an_edit_is_validated_again_and_goes_out_as_the_next_attempt() -> None:
    with Place() as place:
        place.world.plan("A1", size=9)
        place.post("A1", "one")
        place.world.fault("refused")
        assert place.live()
        (exception,) = place.exceptions()
        assert exception["title"] == "The toy is too big: no"
        assert exception["mend"] == "Order a smaller one, then replay"
        with place.life() as life:
            life.do(parked.edit(life.store, exception["number"], who="clerk", changes={"size": 3}))
            life.do(parked.retry(life.store, exception["number"], who="clerk"))
            assert life.until_quiet()
        assert [thing["size"] for thing in place.world.things("thing")] == [3]
        (effect,) = place.effects()
        assert (effect["state"], effect["attempt"], effect["round"]) == ("done", 2, 2)
        (edit,) = place.sql("SELECT * FROM history WHERE kind = 'edit'")
        assert (edit["who"], edit["result"]) == ("clerk", '{"size": 3}')
        notes = place.sql("SELECT did, before, after FROM audit ORDER BY id")
        assert ("exception.edit", '{"size": 9}', '{"size": 3}') in [tuple(note.values()) for note in notes]
        place.audit()


def test_a_refusal_is_the_answer_for_its_round() -> None:
    """Woken without a mend, a refused write is not sent again; mended, it is."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one")
        place.world.fault("refused")
        assert place.live()
        sent = place.world.calls["POST things"]
        place.sql("UPDATE run SET state = 'ready', due_at = '2020'")
        assert place.live()
        assert place.world.calls["POST things"] == sent
        (exception,) = place.exceptions()
        with place.life() as life:
            life.do(parked.retry(life.store, exception["number"], who="clerk"))
            assert life.until_quiet()
        assert place.world.calls["POST things"] == sent + 1
        place.audit()


def test_what_was_written_is_never_silently_the_answer_to_other_values() -> None:
    with Place() as place:
        place.world.plan("A1", size=1)
        place.post("A1", "order")
        place.world.fault("refused", on="PUT things")
        assert place.live()
        (exception,) = place.exceptions()
        with place.life() as life:
            life.do(parked.edit(life.store, exception["number"], who="clerk", changes={"size": 2}))
            life.do(parked.retry(life.store, exception["number"], who="clerk"))
            assert life.until_quiet()
        (conflict,) = place.exceptions()
        assert conflict["error_class"] == "conflict"
        assert "done already, with other values" in conflict["title"]
        assert [thing["size"] for thing in place.world.things("thing")] == [1]
        with place.life() as life:
            life.do(parked.edit(life.store, conflict["number"], who="clerk", changes={"size": 1}))
            life.do(parked.retry(life.store, conflict["number"], who="clerk"))
            assert life.until_quiet()
        assert place.exceptions() == []
        place.audit()


@pytest.mark.parametrize("database", DATABASES)
def test_cancelled_and_won_again(database: str) -> None:
    with Place(database) as place:
        place.world.plan("A1")
        place.post("A1", "order")
        assert place.live()
        with place.life() as life:
            life.do(parked.cancel(life.store, "order.toy.Plan.A1", who="clerk", why="lost"))
            assert life.until_quiet()
        assert place.runs() == {"order.toy.Plan.A1": "undone"}
        assert {thing["kind"] for thing in place.world.things()} == {"party", "report"}
        place.post("A1", "order")
        assert place.live()
        assert place.runs() == {"order.toy.Plan.A1": "undone", "order.toy.Plan.A1~2": "done"}
        assert {thing["key"] for thing in place.world.things("thing")} == {"A1~2"}
        place.audit()


def test_a_second_message_on_a_done_run_is_seen_and_plays_nothing() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "one", id_="first")
        assert place.live()
        calls = dict(place.world.calls)
        place.post("A1", "one", id_="second")
        assert place.live()
        assert dict(place.world.calls) == calls
        states = {row["source_id"]: row["state"] for row in place.sql("SELECT source_id, state FROM message")}
        assert states == {"first": "claimed", "second": "seen"}


def test_the_same_name_twice_is_an_error_in_words() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "twice")
        assert place.live()
        (exception,) = place.exceptions()
        assert "'make_thing' twice under the same key" in exception["title"]
        assert "key=" in exception["mend"]
        assert len(place.world.things("thing")) == 1


# A process that changes while runs are in flight ------------------------------------------------------


def test_a_run_keeps_the_release_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the changed process nor the changed mapping of a later release reaches it."""
    with Place() as place:
        monkeypatch.setenv("TOY_URL", place.world.url)
        place.world.plan("A1", name="old")
        place.post("A1", "approvals")
        assert place.live()
        release = _with_coin(
            tmp_path / "changed", mapping='/* writes: Toy */\n{"key": key, "kind": "new", "size": 1, "name": "new"}'
        )
        place.people = approve_everything
        assert place.live(release=release)
        assert place.runs() == {"approvals.toy.Plan.A1": "done"}
        assert {thing["kind"]: thing["name"] for thing in place.world.things()} == {
            "thing": "old",
            "flag": "left/right",
        }
        place.world.plan("A2")
        place.post("A2", "approvals")
        assert place.live(release=release)
        assert {thing["kind"] for thing in place.world.things(key="A2")} == {"new", "coin", "flag"}
        place.audit()


def test_a_step_that_is_new_is_played_and_the_others_are_remembered(tmp_path: Path) -> None:
    """Between the first and the second approval comes a step that did not exist when the run began."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "approvals")
        assert place.live()
        release = _with_coin(tmp_path / "changed")
        place.people = approve_everything
        place.sql("UPDATE run SET release = :id", id=release.id)  # as mend and replay moves it
        assert place.live(release=release)
        assert place.runs() == {"approvals.toy.Plan.A1": "done"}
        assert sorted(thing["kind"] for thing in place.world.things()) == ["coin", "flag", "thing"]
        place.audit()


def _with_coin(folder: Path, mapping: str | None = None) -> Release:
    """The toys' landscape with a step more, and another mapping of things, as another release."""
    shutil.copytree(FOLDER / "landscape", folder)
    code, blueprint = folder / "plays/plays.py", folder / "plays/blueprint.yaml"
    old = '    second = await run.approval("right"'
    new = f"    await run.step(toy.make_coin, thing(plan), undo=toy.unmake_coin)\n{old}"
    code.write_text(code.read_text().replace(old, new, 1))
    uses = "uses: {toy: [make_thing, unmake_thing, put_flag, drop_flag]}"
    with_coin = "uses: {toy: [make_thing, unmake_thing, make_coin, unmake_coin, put_flag, drop_flag]}"
    blueprint.write_text(blueprint.read_text().replace(uses, with_coin, 1))
    if mapping is not None:
        (folder / "mappings/toy").mkdir(parents=True)
        (folder / "mappings/toy/thing.outbound.jsonata").write_text(mapping)
    return compile_release(folder, "dev", registry=registry(extra=[FOLDER / "connectors/toy"]))


def test_a_thousand_waiting_runs_cost_nothing_and_go_on_with_the_changed_process(tmp_path: Path) -> None:
    """Waits are rows: a worker with a thousand of them claims as fast as with none, and holds none of them."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "approvals")
        assert place.live()
        _multiply(place, 1000)
        with place.life() as life:
            begun = time.perf_counter()
            assert life.until_quiet(within=timedelta(minutes=1))
            assert time.perf_counter() - begun < 2.0, "a thousand waiting runs are not touched"
            held = life.do(
                life.store.read(lambda tx: tx.value("SELECT count(*) AS n FROM run WHERE owner IS NOT NULL"))
            )
            assert held == 0
        assert place.world.calls["GET plans"] == 1
        # the approvals of three of them come, on a changed process
        place.people = _approve_three
        release = _with_coin(tmp_path / "changed")
        place.sql("UPDATE run SET release = :id", id=release.id)
        assert place.live(release=release)
        counts = {row["state"]: row["n"] for row in place.sql("SELECT state, count(*) AS n FROM run GROUP BY state")}
        assert counts == {"done": 3, "waiting": 998}
        assert len(place.world.things("coin")) == 3


def _multiply(place: Place, most: int, more: Sequence[tuple[str, str]] = ()) -> None:
    """Copies of the one run with its waits and approvals, under other subjects; ``more``: tables and their columns."""
    tables = (("run", "id subject business_key input"), ("history", "run_id"), ("approval", "id run_id"), *more)
    for table, columns in tables:
        names = [row["name"] for row in place.sql(f"SELECT name FROM pragma_table_info('{table}')")]
        chosen = ", ".join(
            f"replace({name}, 'A1', 'A1x' || n.value)" if name in columns.split() else f"r.{name}" for name in names
        )
        place.sql(
            f"WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < {most})"
            f" INSERT INTO {table} ({', '.join(names)}) SELECT {chosen} FROM {table} r, n"
        )


async def _approve_three(life: Life) -> None:
    for number in ("A1x7", "A1x8", "A1x9"):
        for desk in ("left", "right"):
            with suppress(LookupError, ValueError):
                await decide(life.store, f"{number}.{desk}", verdict="approved", who="x", comment=None)


def test_a_version_that_this_worker_has_not_got_is_parked_in_words_and_moved_by_a_replay() -> None:
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "approvals")
        assert place.live()
        place.sql("UPDATE run SET version = 7, state = 'ready', due_at = '2020'")
        assert place.live(within=timedelta(seconds=1))
        (exception,) = place.exceptions()
        assert "version 7" in exception["title"]
        with place.life() as life:
            life.do(life.engine.prepare())
            release = life.engine.release.id
            life.do(parked.retry(life.store, exception["number"], who="clerk", release=release))
        place.people = approve_everything
        assert place.live()
        assert place.run("approvals.toy.Plan.A1")["version"] == 1
        place.audit()


def test_steps_that_are_gone_leave_what_they_made_to_be_undone() -> None:
    """A renamed or removed step: what it made stands in the run's effects, so that a cancel still finds it."""
    with Place() as place:
        place.world.plan("A1")
        place.post("A1", "loop")
        place.world.fault("refused", key="A1:D3")
        assert place.live()
        with place.life() as life:
            life.do(parked.cancel(life.store, "loop.toy.Plan.A1", who="clerk"))
            assert life.until_quiet()
        assert place.world.things() == []
        assert place.runs() == {"loop.toy.Plan.A1": "undone"}
        place.audit()
