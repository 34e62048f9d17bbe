"""Records what became of an intention: answer, cross-reference and business event together, if we still hold the run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from isthmus.connectivity.identity import Identities, Known, write
from isthmus.connectivity.outbound.binding import Asking, Bound
from isthmus.connectivity.outbound.naming import known_by, others_known, reference_of
from isthmus.connectivity.outbound.outcome import ParkedWork
from isthmus.connectivity.outbound.reading import canonical
from isthmus.model import Reference
from isthmus.store import effects, journal
from isthmus.store.clock import instant, moment
from isthmus.store.runs import FenceLost
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.read_model import ReadModel


class Recorder:
    """Everything it writes rides along; a crash before it lands is the doubt that exists anyway."""

    def __init__(self, store: Store, identities: Identities, known: ReadModel) -> None:
        self._store, self._identities, self._read_model = store, identities, known

    async def done(self, asking: Asking, bound: Bound, row: Row, argument: BaseModel, found: Any) -> Any:
        """A clear success: the canonical answer."""
        reference = reference_of(bound, found)
        answer = await self._answer(bound, argument, found, reference)
        self._read_model.saw(bound.plan.name, [answer], moment(row["intended_at"]))
        values = {"arguments": row["arguments"], "arguments_hash": row["arguments_hash"], "look_at": row["look_at"]}
        known = [*known_by(bound, argument, reference), *others_known(bound, found)]
        self._done(asking, bound, row, answer, reference, values, known)
        return answer

    def there(self, asking: Asking, bound: Bound, row: Row, reference: Reference) -> None:
        """What was intended in doubt is there: found by another way than its own probe.

        Where it may have been sent twice, there may be another: have it looked at.
        """
        row["rule"] = row["rule"] or "probe"
        look_at = instant(self._store.clock()) if row["sends"] > 1 else row["look_at"]
        self._done(asking, bound, row, reference, reference, {"look_at": look_at}, [])

    def part(self, asking: Asking, row: Row, found: Any) -> None:
        """A part of a sequence is done."""
        values = {"state": "done", "doubt": 0, "result": json.dumps(found), "ended_at": instant(self._store.clock())}
        self._ride(asking, row["key"], {**values, **{name: row[name] for name in ("rule", "sends", "look_at")}})

    def refused(self, asking: Asking, row: Row, work: ParkedWork) -> None:
        """The vendor said no, clearly."""
        values = {"state": "refused", "doubt": 0, "ended_at": instant(self._store.clock()), "look_at": row["look_at"]}
        self._ride(asking, row["key"], {**values, "problem": json.dumps(asdict(work))})

    def _done(
        self, asking: Asking, bound: Bound, row: Row, answer: BaseModel, reference: Reference | None, more: Row,
        known: list[Known],
    ) -> None:  # fmt: skip
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
            **more,
        }
        data = {
            "operation": str(bound.operation),
            "key": bound.context["key"],
            "reference": values["reference_number"] or values["reference_id"],
        }

        played_again = asking.fence is not None and asking.fence.number > 1

        def together(tx: Transaction) -> None:
            for each in known:
                write(tx, each, now)
            if bound.requests.sequence and played_again and asking.run is not None:
                effects.end_passed_over(tx, asking.run["id"], row["key"], now)
            type_ = event_of(bound.operation.name)
            journal.append(tx, at=now, type_=type_, data=data, run=asking.run, connection=bound.plan.name)

        for each in known:
            self._identities.remember(each)
        self._ride(asking, row["key"], values, together, known)
        row.update(values)

    def _ride(
        self, asking: Asking, key: str, values: dict[str, Any], more: Callable[[Transaction], None] | None = None,
        known: Sequence[Known] = (),
    ) -> None:  # fmt: skip
        fence, store = asking.fence, self._store
        assert fence is not None

        def record(tx: Transaction) -> None:
            try:
                effects.change(tx, fence, key, values)
            except FenceLost:
                # whoever holds the run now will find it out; our answer is filed to be compared
                if values["state"] == "done":
                    at = instant(store.clock())
                    effects.file_late_answer(tx, key=key, at=at, status=200, body=json.dumps(values))
                for each in known:
                    self._identities.forget(each)
                return
            if more is not None:
                more(tx)

        store.ride(record, of=fence)

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
        answer: BaseModel = await canonical(bound, found, self._identities)
        id_ = getattr(argument, "id", None)
        return answer.model_copy(update={"id": id_}) if id_ and "id" in type(answer).model_fields else answer


def event_of(operation_name: str) -> str:
    """``create_order`` (imperative) as ``isthmus.order.created.v1`` (past tense)."""
    verb, _, word = operation_name.partition("_")
    past = {"cancel": "cancelled"}.get(verb) or (verb + ("d" if verb.endswith("e") else "ed"))
    return f"isthmus.{word}.{past}.v1"
