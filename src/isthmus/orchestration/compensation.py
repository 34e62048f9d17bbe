"""Undoes what a run did, in reverse order of completion, each effect out of doubt first. (Saga, without its name.)"""

from __future__ import annotations

import json
from typing import Any

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Park, ParkedWork
from isthmus.connectivity.outbound.send import Sender
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.system_api.roles import operation
from isthmus.store import effects
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction


class Compensation:
    """Plays the undo of a run; it may be played again like everything else."""

    def __init__(self, store: Store, sender: Sender) -> None:
        self._store, self._sender = store, sender

    async def undo_all(self, asking: Asking, rows: list[Row]) -> list[ParkedWork]:
        """Undo every effect that says how; what could not be undone, while the rest went on.

        Raises Later or FenceLost.
        """
        failures: list[ParkedWork] = []
        known = {row["key"]: row for row in rows}
        for row in reversed(
            [row for row in rows if row["part"] == "" and row["undo"] and row["state"] in ("done", "intended")]
        ):
            try:
                await self._undo(asking, row, known)
            except Park as parked:
                failures.append(parked.work)
        return failures

    async def _undo(self, asking: Asking, row: Row, known: dict[str, Row]) -> None:
        do, undo = operation(row["role"], row["operation"]), operation(*row["undo"].split(".", 1))
        if row["state"] == "intended" and not await self._settled(asking, do, row):
            return
        result = undo.takes.model_validate(json.loads(row["result"]))
        asking.step = f"undo {row['step']}"
        await self._sender.change(asking, undo, result, key=row["business_key"], known=known)
        now, by = instant(self._store.clock()), f"{undo}/{row['business_key']}"

        def mark(tx: Transaction) -> None:
            assert asking.fence is not None
            effects.change(tx, asking.fence, row["key"], {"state": "undone", "undone_by": f"{by} at {now}"})

        self._store.ride(mark)

    async def _settled(self, asking: Asking, do: Operation[Any, Any], row: Row) -> bool:
        """Bring a doubtful effect out of doubt: True where it was done after all (and then ``row`` says what)."""
        argument = do.takes.model_validate(json.loads(row["arguments"]))
        found = await self._sender.out_of_doubt(asking, do, row, argument)
        return found is not None
