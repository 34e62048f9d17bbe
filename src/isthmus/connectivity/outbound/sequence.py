"""Plays an operation that is a sequence of requests: each part that writes is an effect of its own, under its name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from isthmus.catalogue.connector import Part
from isthmus.connectivity.outbound.binding import Asking, Bound
from isthmus.connectivity.outbound.effect import Deliverer, Delivery, RefusedThere
from isthmus.connectivity.outbound.intention import Intentions, conflict, differs
from isthmus.connectivity.outbound.reading import Reader
from isthmus.connectivity.outbound.record import Recorder
from isthmus.store.transaction import Row


class Sequences:
    """Plays the parts in order; what is done already is remembered, part by part."""

    def __init__(self, reader: Reader, intentions: Intentions, deliverer: Deliverer, recorder: Recorder) -> None:
        self._reader, self._intentions = reader, intentions
        self._deliverer, self._recorder = deliverer, recorder

    async def play(self, asking: Asking, bound: Bound, parent: Row) -> Any:
        """The object of the part that is the operation's result. Raises Park, Later, CancelAsked, FenceLost."""
        last: Any = {}
        async for name, found in self._parts(asking, bound, parent):
            bound.context["parts"][name] = last = found
        return bound.context["parts"].get(bound.requests.result, last) if bound.requests.result else last

    async def _parts(self, asking: Asking, bound: Bound, parent: Row) -> AsyncIterator[tuple[str, Any]]:
        for part in bound.requests.sequence:
            if part.when is not None and not bound.evaluate(part.when, bound.context):
                continue
            if part.each is None:
                yield part.part, await self._part(asking, bound, parent, part, part.part)
                continue
            items = bound.evaluate(part.each, bound.context)
            found = []
            for number, item in enumerate(items if isinstance(items, list) else [items] if items else []):
                bound.context["item"] = item
                found.append(await self._part(asking, bound, parent, part, f"{part.part}/{number}"))
            yield part.part, found

    async def _part(self, asking: Asking, bound: Bound, parent: Row, part: Part, name: str) -> Any:
        if part.once is None:
            objects = await self._reader.objects(asking, bound, part)
            return objects[0] if objects else None
        row = self._intentions.row(asking, bound, parent["key"], name, parent["undo"])
        deadline_s = part.deadline.total_seconds() if part.deadline else bound.deadline_s
        d = Delivery(asking, bound, part, part.once, row, deadline_s, bound.plan.settle_s)
        self._deliverer.prepare(d)
        standing, d.fresh = await self._intentions.stand(asking, bound, row)
        if differs(bound, standing, row):
            standing = await self._with_other_values(asking, bound, d, standing, row)
        d.row = standing
        if standing["state"] == "done":
            return json.loads(standing["result"])
        try:
            found = await self._deliverer.deliver(d)
        except RefusedThere as refused:
            self._recorder.refused(asking, standing, refused.work)
            raise
        self._recorder.part(asking, standing, found)
        return found

    async def _with_other_values(self, asking: Asking, bound: Bound, d: Delivery, standing: Row, row: Row) -> Row:
        """A part that stands with other values: if it left anything, a person decides; else it is asked anew."""
        d.row = standing
        if d.once.rule == "upsert" or (standing["state"] == "intended" and await self._deliverer.settle(d) is None):
            return await self._intentions.ask_again(asking, standing, row)
        title = f"{bound.operation} was half done already, with other values"
        raise conflict(title, standing, str(bound.operation))
