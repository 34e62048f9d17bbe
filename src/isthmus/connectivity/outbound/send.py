"""Asks a role to change something: ownership of the intention, cross-reference, translation, effect, answer.

This is the one way out. The operation's row in the store is the memory of the step: done with equal arguments
returns the recorded answer, done with others is a conflict that a person decides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from isthmus.catalogue.connector import Once, Part, Request
from isthmus.connectivity.outbound.binding import Asking, Bindings, Bound
from isthmus.connectivity.outbound.calling import Caller
from isthmus.connectivity.outbound.effect import Deliverer, Delivery, idempotency_of, stored
from isthmus.connectivity.outbound.naming import link, link_others, reference_of
from isthmus.connectivity.outbound.outcome import CancelAsked, Later, Park, ParkedWork
from isthmus.connectivity.outbound.reading import Reader, canonical, rendered
from isthmus.connectivity.outbound.trouble import undone
from isthmus.connectivity.system_api.operation import Operation
from isthmus.model import Reference
from isthmus.store import effects, journal
from isthmus.store.clock import instant
from isthmus.store.runs import FenceLost
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

_OTHER_HOLDER_S = 0.2


def arguments_hash(arguments: Any) -> str:
    """SHA-256 of the canonical arguments: sorted keys, absent keys dropped."""
    text = json.dumps(arguments, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Sender:
    """Changes things outside, once."""

    def __init__(self, store: Store, bindings: Bindings, caller: Caller, reader: Reader, deliverer: Deliverer) -> None:
        self._store, self._bindings, self._caller = store, bindings, caller
        self._reader, self._deliverer = reader, deliverer

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
        arguments = argument.model_dump(mode="json", exclude_none=True)
        effect_key = f"{operation}/{key}"
        row = (known or {}).get(effect_key)
        if row is not None and row["state"] == "done":
            return self._remembered(operation, row, arguments_hash(arguments))
        bound = await self._bindings.bind(asking, operation, arguments, key, self._store.clock())
        if operation.per == "object" and (there := await self._there_already(asking, bound, argument)) is not None:
            return there
        row, fresh = await self._intend(asking, bound, effect_key, arguments, undo)
        if row["state"] == "done":
            return self._remembered(operation, row, arguments_hash(arguments))
        found = await self._deliver(asking, bound, row, fresh)
        return await self._record(asking, bound, row, argument, found)

    async def out_of_doubt(self, asking: Asking, operation: Operation[Any, Any], row: Row, argument: BaseModel) -> Any:
        """What a doubtful effect left, read by its probe: the canonical object, or None where nothing is there."""
        bound = await self._bindings.bind(
            asking, operation, json.loads(row["arguments"]), row["business_key"], self._store.clock()
        )
        once, request = _single(bound)
        if once is None or once.probe is None or request is None:
            return None
        d = self._delivery(asking, bound, request, once, row, fresh=False)
        found = await self._deliverer.look(d)
        return None if found is None else await self._record(asking, bound, row, argument, found)

    async def seconds(self, asking: Asking, operation: Operation[Any, Any], row: Row) -> list[Any]:
        """Living objects under an effect's key beyond the one that was recorded, as canonical objects."""
        bound = await self._bindings.bind(
            asking, operation, json.loads(row["arguments"]), row["business_key"], self._store.clock()
        )
        once, request = _single(bound)
        if once is None or request is None:
            return []
        living = await self._deliverer.all_living(self._delivery(asking, bound, request, once, row, fresh=False))
        others = []
        for item in living:
            reference = reference_of(bound, item)
            if reference is not None and reference.id != row["reference_id"]:
                others.append(await canonical(bound, item, self._bindings.identities))
        return others

    # Finding what is there ------------------------------------------------------------------------

    async def _there_already(self, asking: Asking, bound: Bound, argument: BaseModel) -> Reference | None:
        shape, id_ = bound.requests.reference, getattr(argument, "id", None)
        if shape is None or id_ is None:
            return None
        known = await self._bindings.identities.at(id_, bound.plan.name)
        if known is not None:
            return Reference(connection=bound.plan.name, type=bound.evaluate(shape.type, bound.context), id=known)
        for find in bound.requests.find:
            if find.when is not None and not bound.evaluate(find.when, bound.context):
                continue
            objects = await self._reader.objects(asking, bound, find)
            if objects:
                reference = reference_of(bound, objects[0])
                link(bound, self._bindings.identities, argument, reference)
                return reference
        return None

    def _remembered(self, operation: Operation[Any, Any], row: Row, hash_: str) -> Any:
        if row["arguments_hash"] != hash_ and operation.per == "run":
            raise Park(
                ParkedWork(
                    title=f"{operation} was done already, with other values",
                    error_class="conflict",
                    mend="undo it there or cancel the run, or set the input back, then replay",
                    operation=str(operation),
                    connection=row["connection"],
                    said=f"done under {row['key']} as {row['reference_number'] or row['reference_id']}",
                    step=row["step"],
                )
            )
        return operation.answers.model_validate(json.loads(row["result"]))

    # Intending ------------------------------------------------------------------------------------

    async def _intend(
        self, asking: Asking, bound: Bound, effect_key: str, arguments: dict[str, Any], undo: str | None
    ) -> tuple[Row, bool]:
        """The row that stands, and whether we have just written it (then nothing can be under way)."""
        row = self._row(asking, bound, effect_key, "", arguments, undo)
        if not bound.requests.sequence:
            row |= self._deliverer.window(bound.deadline_s, bound.plan.settle_s)
            once = bound.requests.once or Once(upsert=True)
            row["request"] = stored(rendered(bound, bound.requests.single, idempotency_of(once, row)))
        return await self._stand(asking, bound, row)

    async def _stand(self, asking: Asking, bound: Bound, row: Row) -> tuple[Row, bool]:
        fence = asking.fence
        assert fence is not None
        new, standing, cancel = await self._store.write(lambda tx: effects.intend(tx, fence, row))
        if cancel:
            raise CancelAsked
        if new:
            return row, True
        if standing["state"] == "refused":
            return await self._ask_again(asking, standing, row), False
        if standing["state"] == "undone":
            raise Park(undone(bound, standing))
        if standing["state"] == "intended":
            if standing["run_id"] != row["run_id"]:
                await self._adopt(asking, standing)
            if (
                standing["arguments_hash"] != row["arguments_hash"]
                and bound.operation.per == "run"
                and not standing["doubt"]
            ):
                return await self._ask_again(asking, standing, row), False
        return standing, False

    async def _ask_again(self, asking: Asking, standing: Row, row: Row) -> Row:
        """A refusal is the answer for its round; in a later round, or with other arguments, it is asked again."""
        if (
            standing["round"] >= asking.round
            and standing["arguments_hash"] == row["arguments_hash"]
            and standing["state"] == "refused"
        ):
            raise Park(ParkedWork(**json.loads(standing["problem"])))
        again = {
            name: row[name]
            for name in ("arguments", "arguments_hash", "request", "release", "connection", "unit", "step")
        }
        values = {
            **again,
            "state": "intended",
            "round": asking.round,
            "attempt": standing["attempt"] + 1,
            "doubt": 0,
            "problem": None,
        }
        fence = asking.fence
        assert fence is not None
        if await self._store.write(lambda tx: effects.change(tx, fence, row["key"], {**values, "looks": 0})):
            raise CancelAsked
        return {**standing, **row, **values, "looks": 0}

    async def _adopt(self, asking: Asking, standing: Row) -> None:
        fence = asking.fence
        assert fence is not None
        if not await self._store.write(lambda tx: effects.adopt(tx, fence, standing["key"], standing["run_id"])):
            raise Later(
                self._store.clock() + timedelta(seconds=_OTHER_HOLDER_S), f"{standing['run_id']} is doing it now"
            )

    def _row(
        self, asking: Asking, bound: Bound, effect_key: str, part: str, arguments: dict[str, Any], undo: str | None
    ) -> Row:
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
            "arguments_hash": arguments_hash(arguments),
            "arguments": json.dumps(arguments, ensure_ascii=False),
            "request": None,
            "doubt": 1,
            "intended_at": instant(self._store.clock()),
            "send_by": None,
            "clear_at": None,
            "looks": 0,
            "sends": 0,
            "rule": None,
            "look_at": None,
            "undo": undo,
        }

    # Delivering -----------------------------------------------------------------------------------

    async def _deliver(self, asking: Asking, bound: Bound, row: Row, fresh: bool) -> Any:
        try:
            if bound.requests.sequence:
                return await self._sequence(asking, bound, row)
            once = bound.requests.once or Once(upsert=True)
            return await self._deliverer.deliver(
                self._delivery(asking, bound, bound.requests.single, once, row, fresh=fresh)
            )
        except Park as parked:
            if parked.work.error_class not in ("down", "limit", "locked"):
                self._refuse(asking, row, parked.work)
            raise

    async def _sequence(self, asking: Asking, bound: Bound, row: Row) -> Any:
        """Play the parts in order; each is an effect of its own, remembered under its name."""
        last: Any = {}
        for part in bound.requests.sequence:
            if part.when is not None and not bound.evaluate(part.when, bound.context):
                continue
            if part.each is None:
                found = await self._part(asking, bound, row, part, part.part)
            else:
                items = bound.evaluate(part.each, bound.context)
                found = []
                for number, item in enumerate(items if isinstance(items, list) else [items] if items else []):
                    bound.context["item"] = item
                    found.append(await self._part(asking, bound, row, part, f"{part.part}/{number}"))
            bound.context["parts"][part.part] = found
            last = found
        return bound.context["parts"].get(bound.requests.result, last) if bound.requests.result else last

    async def _part(self, asking: Asking, bound: Bound, parent: Row, part: Part, name: str) -> Any:
        request: Request = part
        if part.once is None:
            objects = await self._reader.objects(asking, bound, request)
            return objects[0] if objects else None
        row = self._row(asking, bound, parent["key"], name, json.loads(parent["arguments"]), None)
        deadline_s = part.deadline.total_seconds() if part.deadline else bound.deadline_s
        row |= self._deliverer.window(deadline_s, bound.plan.settle_s)
        row["request"] = stored(rendered(bound, request, idempotency_of(part.once, row)))
        standing, fresh = await self._stand(asking, bound, row)
        if standing["state"] == "done":
            return json.loads(standing["result"])
        d = self._delivery(asking, bound, request, part.once, standing, fresh=fresh)
        try:
            found = await self._deliverer.deliver(d)
        except Park as parked:
            self._refuse(asking, standing, parked.work)
            raise
        values = {"state": "done", "result": json.dumps(found), "ended_at": instant(self._store.clock()), "doubt": 0}
        self._ride(asking, standing["key"], {**values, "rule": standing["rule"], "sends": standing["sends"]})
        return found

    def _delivery(
        self, asking: Asking, bound: Bound, request: Request, once: Once, row: Row, *, fresh: bool
    ) -> Delivery:
        return Delivery(asking, bound, request, once, row, bound.deadline_s, bound.plan.settle_s, fresh)

    # Recording ------------------------------------------------------------------------------------

    async def _record(self, asking: Asking, bound: Bound, row: Row, argument: BaseModel, found: Any) -> Any:
        """Record a clear answer, the cross-reference and the business event together; rides along."""
        reference = reference_of(bound, found)
        answer = await self._answer(bound, argument, found, reference)
        now = instant(self._store.clock())
        values = {
            "state": "done",
            "doubt": 0,
            "ended_at": now,
            "result": answer.model_dump_json(exclude_none=True),
            "reference_type": reference.type if reference else None,
            "reference_id": reference.id if reference else None,
            "reference_number": reference.number if reference else None,
            "rule": row["rule"],
            "sends": row["sends"],
            "look_at": row["look_at"],
        }
        link(bound, self._bindings.identities, argument, reference)
        link_others(bound, self._bindings.identities, found)
        data = {
            "operation": str(bound.operation),
            "key": bound.context["key"],
            "reference": values["reference_number"] or values["reference_id"],
        }

        def more(tx: Transaction) -> None:
            journal.append(
                tx, at=now, type_=event_of(bound.operation.name), data=data, run=asking.run, connection=bound.plan.name
            )

        self._ride(asking, row["key"], values, more)
        row.update(values)
        return answer

    async def _answer(self, bound: Bound, argument: BaseModel, found: Any, reference: Reference | None) -> BaseModel:
        if bound.requests.answer is None:
            if bound.operation.answers is Reference:
                assert reference is not None, f"{bound.operation} answers a reference but its descriptor names none"
                return reference
            return (
                argument
                if isinstance(argument, bound.operation.answers)
                else bound.operation.answers.model_validate(found)
            )
        answer: BaseModel = await canonical(bound, found, self._bindings.identities)
        id_ = getattr(argument, "id", None)
        return answer.model_copy(update={"id": id_}) if id_ and "id" in type(answer).model_fields else answer

    def _refuse(self, asking: Asking, row: Row, work: ParkedWork) -> None:
        values = {"state": "refused", "doubt": 0, "ended_at": instant(self._store.clock())}
        self._ride(asking, row["key"], {**values, "problem": json.dumps(asdict(work))})

    def _ride(self, asking: Asking, key: str, values: dict[str, Any], more: Any = None) -> None:
        fence, store = asking.fence, self._store
        assert fence is not None

        def work(tx: Transaction) -> None:
            try:
                effects.change(tx, fence, key, values)
            except FenceLost:
                # whoever holds the run now will find it out; our answer is filed to be compared
                effects.file_late_answer(tx, key=key, at=instant(store.clock()), status=200, body=json.dumps(values))
                return
            if more is not None:
                more(tx)

        store.ride(work)


def event_of(operation_name: str) -> str:
    """``create_order`` (imperative) as ``isthmus.order.created.v1`` (past tense)."""
    verb, _, word = operation_name.partition("_")
    past = {"cancel": "cancelled"}.get(verb) or (verb + ("d" if verb.endswith("e") else "ed"))
    return f"isthmus.{word}.{past}.v1"


def _single(bound: Bound) -> tuple[Once | None, Request | None]:
    """The rule and request by which an operation's own object is found; of a sequence, the first part with a probe."""
    if not bound.requests.sequence:
        return bound.requests.once, bound.requests.single
    for part in bound.requests.sequence:
        if part.once is not None and part.once.probe is not None:
            return part.once, part
    return None, None


__all__ = ["Sender", "arguments_hash"]
