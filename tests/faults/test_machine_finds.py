"""The state machine can fail: each of these bugs, planted in the core, is found by it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.faults.test_machine import QUICK, Machine

from isthmus.connectivity.outbound.effect import Deliverer, Delivery
from isthmus.orchestration import approval, parked
from isthmus.orchestration.compensation import Compensation
from isthmus.orchestration.sweep import Sweeper
from isthmus.store import approvals, effects, history, messages, runs
from isthmus.store.transaction import Transaction


def _no_fence(tx: Transaction, fence: runs.Fence) -> bool:
    return bool(tx.value("SELECT cancel FROM run WHERE id = :id", {"id": fence.run_id}))


async def _no_look(self: Deliverer, d: Delivery) -> None:
    d.row.update(attempt=d.row["attempt"] + 1, repeats=0)


def _sleeps_over(tx: Transaction, fence: runs.Fence, *, wake_seen: int | None = None, **more: Any) -> bool:
    return _end_play(tx, fence, **more)


async def _never(*_: Any) -> None:
    return None


_end_play = runs.end_play
_OLDEST_FIRST = (
    "AND NOT EXISTS (SELECT 1 FROM message e WHERE e.state = 'new' AND e.subject = m.subject AND e.id < m.id)"
)
#: what is broken, in all places where it is known by name
BUGS: dict[str, list[tuple[Any, str, Any]]] = {
    "the fence is not looked at": [(module, "hold", _no_fence) for module in (runs, effects, history)],
    "what is in doubt is sent again without a look": [(Deliverer, "_look_until_clear", _no_look)],
    "an answer while the play ends is slept over": [(runs, "end_play", _sleeps_over)],
    "a later message of a subject is claimed first": [
        (messages, "_CLAIMABLE", messages._CLAIMABLE.replace(_OLDEST_FIRST, "").replace("BY m.id", "BY m.id DESC"))
    ],
    "what is older is played after what is newer": [(messages, "older", lambda version, than: False)],
    "the answer that a frozen one got is not filed": [(effects, "file_late_answer", lambda *_, **__: None)],
    "nobody looks once more": [(Sweeper, "_look_once_more", _never)],
    "a mend does nothing": [(parked, "_replay", lambda tx, store, entry, *_: entry)],
    "what stays is left in doubt": [(Compensation, "_settle", _never)],
    "a decision is taken back": [
        (approval, "_open", approvals.get_approval),
        (approvals, "close", lambda tx, id_, values: tx.run(
            "UPDATE approval SET state = :state WHERE id = :id", {"state": values["state"], "id": id_})),
        (history, "answer", lambda *_, **__: True),
    ],
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_finds(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name, broken in BUGS[bug]:
        assert getattr(owner, name) != broken, "nothing is broken by this"
        monkeypatch.setattr(owner, name, broken)
    quick = settings(QUICK, max_examples=5000, phases=[Phase.generate], report_multiple_bugs=False)
    found = False
    try:
        run_state_machine_as_test(Machine, settings=quick)
    except* AssertionError:  # alone, or in a group where a second try went another way
        found = True
    assert found
