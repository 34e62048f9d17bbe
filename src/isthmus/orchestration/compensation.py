"""Undoes what a run did, in reverse order of completion, each effect out of doubt first. (Saga, without its name.)"""

from __future__ import annotations

import json

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.outbound.send import Sender
from isthmus.connectivity.system_api.roles import operation
from isthmus.store import effects
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction


class Compensation:
    """Plays the undo of a run; it may be played again like everything else."""

    def __init__(self, store: Store, sender: Sender) -> None:
        self._store, self._sender = store, sender

    async def undo_all(self, asking: Asking, rows: list[Row]) -> list[ParkedWork]:
        """Undo every effect that says how; what could not be undone, while the rest went on.

        What stays is brought out of doubt too: it must not come when all is over. Raises Later or FenceLost.
        """
        failures: list[ParkedWork] = []
        known = {row["key"]: row for row in rows}
        undos = {row["undo"] for row in rows}
        for row in reversed([row for row in rows if row["part"] == "" and row["state"] in ("done", "intended")]):
            try:
                if row["undo"]:
                    await self._undo(asking, row, known)
                elif row["doubt"] and f"{row['role']}.{row['operation']}" not in undos:
                    await self._settle(asking, row)
            except Park as parked:
                failures.append(parked.work)
        return failures

    async def _undo(self, asking: Asking, row: Row, known: dict[str, Row]) -> None:
        do, undo = operation(row["role"], row["operation"]), operation(*row["undo"].split(".", 1))
        asking.step = f"undo {row['step']}"
        if row["state"] == "intended" and await self._sender.out_of_doubt(asking, do, row) is None:
            self._mark(asking, row, "nothing was made")
            return
        self._let_land(row)
        result = undo.takes.model_validate(json.loads(row["result"]))
        await self._sender.change(asking, undo, result, key=row["business_key"], known=known)
        self._mark(asking, row, f"{undo}/{row['business_key']}")

    async def _settle(self, asking: Asking, row: Row) -> None:
        """Have what stays come to its end: recorded, or known not to be under way. An upsert is only waited for.

        It is not undone: what stays is others' too, and may be asked for again.
        """
        do = operation(row["role"], row["operation"])
        asking.step = f"end {row['step']}"
        if await self._sender.out_of_doubt(asking, do, row, again=False) is None:
            self._change(asking, row, {"doubt": 0})

    def _let_land(self, row: Row) -> None:
        """An upsert that was sent again without waiting may land once more, after its undo: that waits for it."""
        if row["rule"] == "upsert" and row["sends"] > 1 and moment(row["clear_at"]) > self._store.clock():
            raise Later(moment(row["clear_at"]), f"an earlier {row['step']} may still land")

    def _mark(self, asking: Asking, row: Row, by: str) -> None:
        values = {"state": "undone", "doubt": 0, "undone_by": f"{by} at {instant(self._store.clock())}"}
        self._change(asking, row, values)

    def _change(self, asking: Asking, row: Row, values: Row) -> None:
        fence = asking.fence
        assert fence is not None

        def change(tx: Transaction) -> None:
            effects.change(tx, fence, row["key"], values)
            effects.end_parts(tx, row["key"], values)

        self._store.ride(change, of=fence)
