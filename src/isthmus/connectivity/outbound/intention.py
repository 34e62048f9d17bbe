"""Writing down what is intended before anything is sent, and what an intention that stands already means.

Key = role, operation, business key with its generation, part. The row is the memory of a writing step too.
"""

from __future__ import annotations

import json
from datetime import timedelta

from isthmus.connectivity.outbound.binding import Asking, Bound
from isthmus.connectivity.outbound.outcome import CancelAsked, Later, Park, ParkedWork
from isthmus.connectivity.outbound.trouble import undone
from isthmus.store import effects
from isthmus.store.clock import instant
from isthmus.store.runs import Fence
from isthmus.store.store import Store
from isthmus.store.transaction import Row

_OTHER_HOLDER_S = 0.2
#: what a new asking changes of a row that stands
_ASKED = ("arguments", "arguments_hash", "request", "release", "connection", "unit", "step", "undo")


class Intentions:
    """Writes intentions, and says what to do with one that stands."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def stand(self, asking: Asking, bound: Bound, row: Row) -> tuple[Row, bool]:
        """The row that stands, and whether we have just written it (then nothing can be under way).

        A refusal is asked again in a later round or with other arguments. An intention of a run that nobody holds is
        taken over. Raises Park (refused in this round, undone before), Later (somebody does it now), CancelAsked.
        """
        fence = _fence(asking)
        new, standing, cancel = await self._store.write(lambda tx: effects.intend(tx, fence, row))
        if cancel:
            raise CancelAsked
        if new:
            return row, True
        if standing["state"] == "refused":
            return await self._after_refusal(asking, standing, row), False
        if standing["state"] == "undone":
            raise Park(undone(bound, standing))
        if standing["state"] == "intended" and standing["run_id"] != row["run_id"]:
            await self._adopt(asking, standing)
        if standing["state"] == "intended" and not standing["doubt"] and differs(bound, standing, row):
            return await self.ask_again(asking, standing, row), False
        return standing, False

    async def ask_again(self, asking: Asking, standing: Row, row: Row) -> Row:
        """Ask anew as the next attempt: nothing of the earlier ones is there, nor under way. Raises CancelAsked."""
        fence = _fence(asking)
        values = {name: row[name] for name in _ASKED} | {
            "state": "intended",
            "round": asking.round,
            "attempt": standing["attempt"] + 1,
            "doubt": 0,
            "sends": 0,
            "repeats": 0,
            "looks": 0,
            "problem": None,
            "ended_at": None,
        }
        if await self._store.write(lambda tx: effects.change_unless_cancelled(tx, fence, row["key"], values)):
            raise CancelAsked
        return {**standing, **row, **values}

    async def _after_refusal(self, asking: Asking, standing: Row, row: Row) -> Row:
        """A refusal is the answer for its round."""
        if standing["round"] >= asking.round and standing["arguments_hash"] == row["arguments_hash"]:
            raise Park(ParkedWork(**json.loads(standing["problem"])))
        return await self.ask_again(asking, standing, row)

    async def _adopt(self, asking: Asking, standing: Row) -> None:
        fence = _fence(asking)
        if not await self._store.write(lambda tx: effects.adopt(tx, fence, standing["key"], standing["run_id"])):
            at = self._store.clock() + timedelta(seconds=_OTHER_HOLDER_S)
            raise Later(at, f"{standing['run_id']} is doing it now")
        standing["run_id"] = fence.run_id

    def row(self, asking: Asking, bound: Bound, effect_key: str, part: str, undo: str | None) -> Row:
        """A new intention; its window and request are the deliverer's."""
        assert asking.run is not None
        return {
            "key": f"{effect_key}/{part}" if part else effect_key,
            "role": bound.operation.role,
            "operation": bound.operation.name,
            "business_key": bound.context["key"],
            "part": part,
            "run_id": asking.run["id"],
            "step": asking.step,
            "unit": asking.unit,
            "connection": bound.plan.name,
            "release": asking.release.id,
            "epoch": 0,
            "state": "intended",
            "round": asking.round,
            "attempt": 1,
            "arguments_hash": bound.written.hash,
            "arguments": bound.written.text,
            "request": None,
            "doubt": 1,
            "intended_at": instant(self._store.clock()),
            "send_by": None,
            "clear_at": None,
            "repeats": 0,
            "looks": 0,
            "sends": 1,
            "rule": None,
            "look_at": None,
            "undo": undo,
        }


def differs(bound: Bound, standing: Row, row: Row) -> bool:
    """Whether something else is asked now. What is ensured for an object is the same whoever describes it."""
    return bool(standing["arguments_hash"] != row["arguments_hash"] and bound.operation.per == "run")


def conflict(title: str, row: Row, operation: str) -> Park:
    """Something was done under this key already, with other values: a person decides."""
    return Park(
        ParkedWork(
            title=title,
            error_class="conflict",
            mend="undo it there or cancel the run, or set the input back, then replay",
            operation=operation,
            connection=row["connection"],
            said=f"done under {row['key']} as {row.get('reference_number') or row.get('reference_id') or 'a part'}",
            step=row["step"],
        )
    )


def _fence(asking: Asking) -> Fence:
    assert asking.fence is not None
    return asking.fence
