"""Asks a role to change something: ownership of the intention, cross-reference, translation, effect, answer.

This is the one way out. The operation's row in the store is the memory of the step: done with equal arguments
returns the recorded answer, done with others is a conflict that a person decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from isthmus.catalogue.connector import Once, Part, Request
from isthmus.connectivity.outbound.binding import Asking, Bindings, Bound
from isthmus.connectivity.outbound.effect import Deliverer, Delivery, RefusedThere
from isthmus.connectivity.outbound.intention import Intentions, conflict, differs
from isthmus.connectivity.outbound.naming import known_by, reference_of
from isthmus.connectivity.outbound.reading import Reader, canonical
from isthmus.connectivity.outbound.record import Recorder
from isthmus.connectivity.outbound.sequence import Sequences
from isthmus.connectivity.outbound.written import Written
from isthmus.connectivity.system_api.operation import Operation
from isthmus.model import Reference
from isthmus.store import effects
from isthmus.store.store import Store
from isthmus.store.transaction import Row

_UPSERT = Once(upsert=True)


class Sender:
    """Changes things outside, once."""

    def __init__(self, store: Store, bindings: Bindings, reader: Reader, deliverer: Deliverer) -> None:
        self._store, self._bindings = store, bindings
        self._reader, self._deliverer = reader, deliverer
        self._intentions, self._recorder = Intentions(store), Recorder(store, bindings.identities, reader.known)
        self._sequences = Sequences(reader, self._intentions, deliverer, self._recorder)

    async def change(
        self,
        asking: Asking,
        operation: Operation[Any, Any],
        argument: BaseModel,
        *,
        key: str,
        undo: str | None = None,
        known: Mapping[str, Row] | None = None,
    ) -> Any:
        """The canonical answer of a write. ``key`` is its business key, ``known`` the effects that the run remembers.

        Raises Park, Later, CancelAsked, FenceLost.
        """
        written = asking.writings.of(argument)
        effect_key = f"{operation}/{key}"
        row = (known or {}).get(effect_key)
        if row is not None and row["state"] == "done":
            return self._remembered(operation, row, written.hash)
        bound = await self._bindings.bind(asking, operation, written, key, self._store.clock())
        if operation.per == "object" and (there := await self._there_already(asking, bound, argument)) is not None:
            if row is not None and row["state"] == "intended":
                self._recorder.there(asking, bound, row, there)
            return there
        d = self._delivery(asking, bound, self._intentions.row(asking, bound, effect_key, "", undo))
        standing, d.fresh = await self._intentions.stand(asking, bound, d.row)
        if standing["state"] == "done":
            return self._remembered(operation, standing, written.hash)
        if differs(bound, standing, d.row):
            standing = await self._with_other_values(asking, bound, standing, d.row)
        d.row = standing
        found = await self._deliver(d)
        return await self._recorder.done(asking, bound, d.row, argument, found)

    async def out_of_doubt(
        self, asking: Asking, operation: Operation[Any, Any], row: Row, *, again: bool = True
    ) -> Any:
        """What an intended effect left once nothing of it can be under way: the canonical object, or None for nothing.

        An upsert cannot be looked at: it is sent once more, unless not ``again`` (None then).
        Raises Later until that is clear, and Park where it cannot be looked at.
        """
        bound = await self._bound_as_intended(asking, operation, row)
        d = self._delivery(asking, bound, row)
        if bound.requests.sequence:
            found = await self._left_by_sequence(d)
        elif not row["doubt"]:
            found = None
        else:
            found = await self._deliverer.settle(d)
            if d.once.rule == "upsert" and again:  # once more is harmless, and then it is there
                found = await self._deliver(d)
        if found is None:
            return None
        argument = operation.takes.model_validate(json.loads(row["arguments"]))
        return await self._recorder.done(asking, bound, row, argument, found)

    async def seconds(self, asking: Asking, operation: Operation[Any, Any], row: Row) -> list[Any]:
        """Living objects under an effect's key beyond the one that was recorded, as what the operation answers.

        Of a sequence it is the part that makes the operation's own object; others are not known by its key.
        """
        bound = await self._bound_as_intended(asking, operation, row)
        looked_for = _looked_for(bound)
        if row["part"] and (looked_for is None or row["part"] != looked_for[1].part):
            return []
        d = self._delivery(asking, bound, row)
        recorded, others = _recorded(bound, row), []
        for item in await self._deliverer.all_living(d):
            reference = reference_of(bound, item)
            if reference is not None and reference.id != recorded:
                whole = operation.answers is not Reference
                others.append(await canonical(bound, item, self._bindings.identities) if whole else reference)
        return others

    async def _bound_as_intended(self, asking: Asking, operation: Operation[Any, Any], row: Row) -> Bound:
        written = Written(row["arguments"], row["arguments_hash"])
        return await self._bindings.bind(asking, operation, written, row["business_key"], self._store.clock())

    # Finding what is there ------------------------------------------------------------------------

    async def _there_already(self, asking: Asking, bound: Bound, argument: BaseModel) -> Reference | None:
        shape, id_ = bound.requests.reference, getattr(argument, "id", None)
        if shape is None or id_ is None:
            return None
        there = await self._bindings.identities.at(id_, bound.plan.name)
        if there is not None:
            return Reference(connection=bound.plan.name, type=bound.evaluate(shape.type, bound.context), id=there)
        for find in bound.requests.find:
            if find.when is not None and not bound.evaluate(find.when, bound.context):
                continue
            objects = await self._reader.objects(asking, bound, find)
            if objects:
                reference = reference_of(bound, objects[0])
                for known in known_by(bound, argument, reference):
                    self._bindings.identities.link(known)
                return reference
        return None

    def _remembered(self, operation: Operation[Any, Any], row: Row, hash_: str) -> Any:
        if row["arguments_hash"] != hash_ and operation.per == "run":
            raise conflict(f"{operation} was done already, with other values", row, str(operation))
        return operation.answers.model_validate(json.loads(row["result"]))

    async def _with_other_values(self, asking: Asking, bound: Bound, standing: Row, row: Row) -> Row:
        """An intention in doubt stands with other values: what it left decides.

        Nothing there: it is asked anew. Done after all: recorded as it was asked, and a person decides.
        """
        if bound.requests.sequence:  # its parts decide, each for itself
            return {**standing, **{name: row[name] for name in ("arguments", "arguments_hash", "undo", "step")}}
        operation = bound.operation
        as_intended = await self._bound_as_intended(asking, operation, standing)
        found = await self._deliverer.settle(self._delivery(asking, as_intended, standing))
        if found is None:
            return await self._intentions.ask_again(asking, standing, row)
        argument = operation.takes.model_validate(json.loads(standing["arguments"]))
        await self._recorder.done(asking, as_intended, standing, argument, found)
        raise conflict(f"{operation} was done already, with other values", standing, str(operation))

    async def _left_by_sequence(self, d: Delivery) -> Any:
        """The object of a sequence that was begun, by its first part that can be looked for; None where it made none."""
        run_id, key = d.row["run_id"], f"{d.row['key']}/"
        rows = await self._store.read(lambda tx: effects.effects_of(tx, run_id))
        parts = [row for row in rows if row["part"] and row["key"].startswith(key)]
        begun = [row for row in parts if row["state"] == "done" or (row["state"] == "intended" and row["doubt"])]
        if not begun:
            return None
        looked_for = _looked_for(d.bound)
        if looked_for is None:  # it cannot be looked for: go through with it, then it can be undone
            return await self._sequences.play(d.asking, d.bound, d.row)
        doubtful = [row["clear_at"] for row in begun if row["state"] == "intended"]
        d.row["clear_at"] = max(doubtful, default=d.row["intended_at"])
        self._deliverer.let_land(d)  # also where it is there: a part that comes later would be left over
        found = await self._deliverer.settle(d)
        first = next((row for row in begun if row["part"] == looked_for[1].part and row["state"] == "done"), None)
        return json.loads(first["result"]) if found is None and first is not None else found

    # Delivering -----------------------------------------------------------------------------------

    async def _deliver(self, d: Delivery) -> Any:
        if (
            d.bound.requests.sequence
        ):  # a part's refusal is the part's: the whole stays begun, and may have to be undone
            return await self._sequences.play(d.asking, d.bound, d.row)
        try:
            return await self._deliverer.deliver(d)
        except RefusedThere as refused:
            self._recorder.refused(d.asking, d.row, refused.work)
            raise

    def _delivery(self, asking: Asking, bound: Bound, row: Row) -> Delivery:
        """One effect on its way; a new row gets its window and its request."""
        request: Request = bound.requests.sequence[0] if bound.requests.sequence else bound.requests.single
        once = bound.requests.once or _UPSERT
        if bound.requests.sequence and (found := _looked_for(bound)) is not None:
            once, request = found
        d = Delivery(asking, bound, request, once, row, bound.deadline_s, bound.plan.settle_s)
        if not bound.requests.sequence and row["send_by"] is None:
            self._deliverer.prepare(d)
        return d


def _recorded(bound: Bound, row: Row) -> str | None:
    """The vendor's id of what an effect made. A part's row keeps the object instead."""
    if row["reference_id"] is not None or not row["part"] or not row["result"]:
        return None if row["reference_id"] is None else str(row["reference_id"])
    reference = reference_of(bound, json.loads(row["result"]))
    return reference.id if reference else None


def _looked_for(bound: Bound) -> tuple[Once, Part] | None:
    """The first part of a sequence that can be looked for: what it makes is the operation's own object."""
    for part in bound.requests.sequence:
        if part.once is not None and part.once.probe is not None:
            return part.once, part
    return None
