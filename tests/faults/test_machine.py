"""Intake, claims, plays, effects, waits, the clock and crashes in any order: nothing is ever made twice, nothing lost.

Workers die at any write and call; others freeze there, are replaced, and wake. After every step no subject has two
holders, messages of a subject were claimed in order, what is older never follows what is newer, fences only rise, no
answer is slept over, and nothing stands twice. In the end everything that came in has come to its end.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.support.engine import Killed, Life, Place, Points, approve_everything
from tests.support.ice import PLACES, Ice

from isthmus.orchestration import parked
from isthmus.orchestration.approval import decide
from isthmus.store.clock import instant

KINDS = ["order", "loop", "one", "undo", "approvals", "side", "changed", "changed"]
#: what stands in the end of each kind that is done
LEFT = {
    "order": Counter(thing=1, coin=1, flag=1, report=1),
    "loop": Counter(thing=3),
    "one": Counter(thing=1),
    "undo": Counter(thing=1, coin=1, flag=1, set=1, line=2),
    "approvals": Counter(thing=1, flag=1),
    "side": Counter(thing=2),
}
DATABASE = os.environ.get("TOY_MACHINE_DATABASE", "sqlite")

MEANWHILE = ["nothing", "replaced", "decided", "cancelled", "told"]
#: late: after 3.5 s, within what can be expected
FAULT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["before", "after", "late", "broken", "broken_after", "limited", "locked", "down", "refused"]
        ),
        "on": st.sampled_from(["POST things", "POST things", "PUT things", "GET things", "GET plans"]),
        "times": st.integers(1, 4),
        "after": st.integers(0, 3),
        "delay_s": st.just(3.5),
    }
).filter(lambda fault: fault["kind"] != "refused" or not fault["on"].startswith("GET"))

# Rows that must not be there, whatever happens -------------------------------------------------------------------------

TWO_HOLDERS = "SELECT subject FROM run WHERE owner IS NOT NULL GROUP BY subject HAVING count(*) > 1"
OVERTAKEN = (
    "SELECT n.id FROM message n JOIN message c ON c.subject = n.subject AND c.id > n.id"
    " WHERE n.state = 'new' AND c.state <> 'new'"
)
#: versions are one digit here
OLDER_AFTER_NEWER = (
    "SELECT b.id FROM run a JOIN run b ON b.subject = a.subject AND b.process = a.process"
    " AND b.generation > a.generation AND b.source_version < a.source_version"
)
SLEPT_OVER = (
    "SELECT r.id FROM run r JOIN approval a ON a.run_id = r.id AND a.state IN ('approved', 'rejected')"
    " WHERE r.state = 'waiting' AND r.owner IS NULL AND (r.due_at IS NULL OR r.due_at > :now)"
    " AND r.problem LIKE '%' || a.policy || ' decides%'"
)
#: everything that only the holder of a run may change
HELD = {
    "run": "*",
    "effect": "key, run_id, state, round, attempt, doubt, request, result, reference_id, problem, sends, send_by",
    "history": "run_id, name, key, result, round",
    "approval": "id, state",
    "message": "id, state, run_id",
    "journal": "id, type, data",
    "exception": "number, state",
}


class Machine(RuleBasedStateMachine):
    """One place, a worker and those that froze, people, and a vendor that fails."""

    @initialize(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), faults=st.lists(FAULT, max_size=3))
    def begin(self, kinds: list[str], faults: list[dict[str, Any]]) -> None:
        self.place = Place(DATABASE)
        self.kinds: dict[str, str] = {}
        self.fences: dict[str, int] = {}
        self.decided: dict[str, str] = {}
        self.frozen: Ice | None = None
        #: something may have reached the vendor that nobody could expect: a second one stands until it is looked for
        self.late = False
        self.life: Life = self._born()
        for fault in faults:
            self.place.world.fault(**fault)
        for kind in kinds:
            self.message(kind, allowed=True)

    # What comes in ----------------------------------------------------------------------------------

    @rule(kind=st.sampled_from(KINDS), allowed=st.booleans())
    def message(self, kind: str, allowed: bool) -> None:
        plan = f"A{len(self.kinds)}"
        self.kinds[plan] = kind
        self.place.world.plan(plan, allowed=allowed)
        self.place.post(plan, kind, version="1", name="v1", size=1)
        self._do(self.life.deliver())

    @rule(which=st.integers(0, 5), versions=st.lists(st.integers(1, 5), max_size=3))
    def message_again(self, which: int, versions: list[int]) -> None:
        """The same again, and news of the same in any order."""
        plan = sorted(self.kinds)[which % len(self.kinds)]
        for version in versions:
            self.place.post(plan, self.kinds[plan], version=str(version), name=f"v{version}", size=1)
        self._do(self.life.deliver())

    # What workers do --------------------------------------------------------------------------------

    @rule(turns=st.integers(1, 4), at_once=st.integers(1, 3))
    def work(self, turns: int, at_once: int) -> None:
        self._do(self._turns(turns, at_once))

    @rule(points=st.integers(1, 60), at_once=st.integers(1, 3))
    def work_and_die(self, points: int, at_once: int) -> None:
        """At any write or call; another worker begins, which takes the dead one for alive until its lease runs out."""
        self.life.points.kill_at = self.life.points.passed + points
        self._do(self._turns(4, at_once))
        self.life.points.kill_at = 0

    @rule(
        place=st.sampled_from(PLACES),
        number=st.integers(1, 6),
        at_once=st.integers(1, 2),
        meanwhile=st.sampled_from(MEANWHILE),
        which=st.integers(0, 5),
        wakes=st.booleans(),
    )
    def work_and_freeze(self, place: str, number: int, at_once: int, meanwhile: str, which: int, wakes: bool) -> None:
        """Another worker goes on beside the frozen one. (One is frozen at a time: each rule has always something to do,
        for what a worker comes to is not the same at every try, and Hypothesis must not notice.)
        """
        self._wake()
        ice = Ice(self.life, place, 1 if place == "last write" else number)
        if ice.do_until_frozen(self.life.turn(at_once)):
            self.frozen = ice
            self.life = self._born()
        if meanwhile == "replaced":
            self.place.expire_leases()
            self.life.do(self.life.work(within=timedelta(minutes=5)))
        elif meanwhile == "decided":
            self._decide("approved", which)
        elif meanwhile == "cancelled":
            self.cancel(which)
        elif meanwhile == "told":
            self.message_again(which, [which])
        if wakes:
            self._wake()

    @rule()
    def the_frozen_one_wakes(self) -> None:
        self._wake()

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 20.0, 300.0]))
    def time_passes(self, seconds: float) -> None:
        self.place.clock.advance(timedelta(seconds=seconds))
        self._do(self.life.sweeper.sweep())

    @rule()
    def leases_run_out(self) -> None:
        """Of all the workers that died or froze; what they held is due again."""
        self.place.expire_leases()
        self._do(self.life.worker.lease())
        self._do(self.life.sweeper.sweep())

    # What people do ---------------------------------------------------------------------------------

    @rule(yes=st.booleans(), which=st.integers(0, 5))
    def people_decide(self, yes: bool, which: int) -> None:
        self._decide("approved" if yes else "rejected", which)

    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        states = ("done", "undone", "undoing", "ignored")
        open_ = [id_ for id_, state in self.place.runs().items() if state not in states and "mirror" not in id_]
        if open_:
            self._do(parked.cancel(self.life.store, open_[which % len(open_)], who="clerk"))

    @rule()
    def mend(self) -> None:
        for row in self.place.exceptions()[:1]:
            self.place.world.merge()
            self._do(parked.retry(self.life.store, row["number"], who="clerk"))

    # What the vendor does ---------------------------------------------------------------------------

    @rule(faults=st.lists(FAULT, min_size=1, max_size=3))
    def the_vendor_fails(self, faults: list[dict[str, Any]]) -> None:
        for fault in faults:
            self.place.world.fault(**fault)

    # What must hold ---------------------------------------------------------------------------------

    @invariant()
    def everything_is_in_order(self) -> None:
        if not hasattr(self, "place"):
            return
        place = self.place
        assert place.sql(TWO_HOLDERS) == []
        assert place.sql(OVERTAKEN) == []
        assert place.sql(OLDER_AFTER_NEWER) == []
        assert place.sql(SLEPT_OVER, now=instant(place.clock())) == []
        assert self.late or place.world.doubled() == []
        fences = {row["id"]: row["fence"] for row in place.sql("SELECT id, fence FROM run")}
        assert all(fences[id_] >= fence for id_, fence in self.fences.items())
        self.fences = fences

    def teardown(self) -> None:
        if not hasattr(self, "place"):
            return
        try:
            self._end()
        finally:
            for life in (self.life, self.frozen and self.frozen.life):
                if life is not None:
                    life.drop()
            self.place.__exit__()

    def _end(self) -> None:
        place = self.place
        place.world.faults.clear()
        self._wake()
        place.people = self._people
        place.expire_leases()
        assert self.life.until_quiet()
        place.audit()
        assert place.exceptions() == []
        stored = {row["source_id"] for row in place.sql("SELECT source_id FROM message")}
        assert stored == set(place.messages)
        states = place.runs()
        assert set(states.values()) <= {"done", "undone"}
        for plan, kind in self.kinds.items():
            mine = {id_: state for id_, state in states.items() if id_.partition("~")[0].endswith(f".{plan}")}
            self._ended_well(plan, kind, mine)
        self._answered_once()

    def _ended_well(self, plan: str, kind: str, states: dict[str, str]) -> None:
        latest = max(states, key=lambda id_: int(id_.partition("~")[2] or 1))
        suffix = latest.partition("~")[2]
        key = f"{plan}~{suffix}" if suffix else plan
        things = [t for t in self.place.world.things() if t["key"].partition("/")[0].partition(":")[0] == key]
        there = Counter(thing["kind"] for thing in things)
        if kind == "changed":
            reports = [t for t in self.place.world.things("report") if re.split("[:~]", t["key"])[0] == plan]
            told = [int(report["name"][1:]) for report in reports]
            sent = [int(m["version"]) for m in self.place.messages.values() if m["plan"] == plan]
            assert max(told) == max(sent)
        elif states[latest] == "done":
            assert there == LEFT[kind]
        else:
            assert set(there) <= {"report"}

    def _answered_once(self) -> None:
        """What was decided stands; a run whose approvals were all given is done, one that was refused is undone."""
        rows = self.place.sql(
            "SELECT a.id, a.state, r.state AS ended, r.process, h.result FROM approval a JOIN run r ON r.id = a.run_id"
            " JOIN history h ON h.run_id = a.run_id AND a.name LIKE h.name || '%'"
        )
        for row in rows:
            assert row["state"] == self.decided.get(row["id"], row["state"])
            assert row["state"] != "requested"
            assert row["state"] not in ("approved", "rejected") or row["state"] in row["result"]
            assert row["ended"] == "undone" or row["state"] == "approved" or row["process"] == "side"
        told = Counter(row["about"] for row in self.place.sql("SELECT about FROM audit WHERE did LIKE 'approval.%'"))
        assert set(told.values()) <= {1}

    async def _people(self, life: Life) -> None:
        await approve_everything(life)
        for row in self.place.exceptions():
            self.place.world.merge()
            await parked.retry(life.store, row["number"], who="clerk")

    # Lives ------------------------------------------------------------------------------------------

    def _decide(self, verdict: Literal["approved", "rejected"], which: int) -> None:
        """Something that is asked, first of all by a run that is being played; the contrary afterwards is too late."""
        sql = "SELECT a.id, r.owner FROM approval a JOIN run r ON r.id = a.run_id WHERE a.state = 'requested' ORDER BY a.id"
        rows = self.place.sql(sql)
        asked = [row["id"] for row in rows if row["owner"]] or [row["id"] for row in rows]
        if not asked:
            return
        id_ = asked[which % len(asked)]
        self.life.do(decide(self.life.store, id_, verdict=verdict, who="somebody", comment="so"))
        assert id_ not in self.decided
        self.decided[id_] = verdict
        contrary: Any = "rejected" if verdict == "approved" else "approved"
        with pytest.raises(ValueError):
            self.life.do(decide(self.life.store, id_, verdict=contrary, who="somebody else", comment="no"))

    def _wake(self) -> None:
        """Once its runs are others', it may say what it heard from the vendor, and no more."""
        ice, self.frozen = self.frozen, None
        if ice is None:
            return
        self.late = self.late or ice.makes
        holder = ice.life.worker.holder
        holds = self.place.sql("SELECT id FROM run WHERE owner = :holder", holder=holder)
        before = {} if holds or "Worker.claim" in ice.at else self._held()
        ice.thaw()
        assert not before or before == self._held(), "one who holds nothing has written"
        ice.life.__exit__()

    async def _turns(self, turns: int, at_once: int) -> None:
        for _ in range(turns):
            if not await self.life.turn(at_once):
                return

    def _held(self) -> dict[str, Any]:
        return {table: self.place.sql(f"SELECT {what} FROM {table} ORDER BY 1") for table, what in HELD.items()}

    def _born(self) -> Life:
        life = self.place.life(Points())
        life.do(life.engine.prepare())
        life.do(life.worker.lease())
        return life

    def _do(self, work: Any) -> None:
        """Do it in the present life; where that ends here, the next begins."""
        try:
            with suppress(ValueError):  # decided, ended or cancelled already
                self.life.do(work)
        except Killed:
            self.life.__exit__()
            self.life = self._born()


QUICK = settings(
    max_examples=200,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
TestMachine = Machine.TestCase
TestMachine.settings = QUICK


@pytest.mark.long
def test_five_thousand_examples() -> None:
    more = settings(QUICK, max_examples=5000, stateful_step_count=30, derandomize=False)
    run_state_machine_as_test(Machine, settings=more)
