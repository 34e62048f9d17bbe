"""Many of one write in one load, with a result for each row (EIP: splitter and aggregator over a vendor's bulk interface).

Rows are kept before anything is sent. What the vendor took is recorded with its id; what it refused becomes an exception
of its own, parked as the single write that it is: mended and retried it goes the ordinary way, without the others. A
step that is done twice does no harm: the write is an upsert, and a row is recorded once.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from isthmus.catalogue.bulk import Bulk, LoadCall
from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Park, ParkedWork
from isthmus.connectivity.outbound.trouble import refused
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.system_api.roles import operation
from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.connectivity.transport.json_text import encode_json
from isthmus.landscape.release import ConnectionPlan, Release
from isthmus.mapping.errors import MappingError
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.jobs.asking import Again, ask
from isthmus.orchestration.jobs.port import Batch
from isthmus.orchestration.system_call import call_id, park_call
from isthmus.store import audit, bulk_rows, references
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

T = TypeVar("T")
#: rows that are recorded in one transaction
_AT_ONCE = 500
_FIRST_LOOK_S = 0.2
#: the cursor of a step that sends what is still new
_NEXT = ""


def bulk_of(release: Release, unit: str, what: Operation[Any, Any]) -> tuple[ConnectionPlan, Bulk]:
    """Who takes many of an operation for a unit, and how. Raises ValueError where nobody does."""
    try:
        plan, requests = release.operation(unit, what.role, what.name)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None
    if requests.bulk is None:
        raise ValueError(f"{plan.connector.title} takes {what} one by one only; its connector says no bulk for it")
    return plan, requests.bulk


async def keep_rows(
    store: Store, release: Release, what: Operation[Any, Any], objects: Iterable[BaseModel], *, unit: str, who: str
) -> dict[str, Any]:
    """Keep the rows of a bulk write; the arguments of the job that sends them. Raises ValueError for a doubled key."""
    _, bulk = bulk_of(release, unit, what)
    key_of, rows = release.expression(bulk.key), []
    seen: dict[str, int] = {}
    for number, each in enumerate(objects, start=1):
        value = each.model_dump(mode="json", exclude_none=True)
        key = str(key_of(value) or "")
        if not key or key in seen:
            why = f"the same {bulk.column} as object {seen[key]}: {key}" if key else f"nothing for {bulk.column}"
            raise ValueError(f"object {number} has {why}; each must have its own, by which its result is known")
        seen[key] = number
        rows.append((number, key, json.dumps(value, ensure_ascii=False)))
    load_id, now = uuid.uuid4().hex, instant(store.clock())
    for at in range(0, len(rows), _AT_ONCE):
        part = rows[at : at + _AT_ONCE]
        await store.write(lambda tx, part=part: bulk_rows.put(tx, load_id, part))  # type: ignore[misc]
    after = {"unit": unit, "rows": len(rows)}
    await store.write(lambda tx: audit.note(tx, at=now, who=who, did=f"bulk {what}", about=load_id, after=after))
    return {"load": load_id, "role": what.role, "operation": what.name, "unit": unit}


class BulkWrite:
    """The job: sends loads until no row is new, and records what became of each row."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        self._engine, self._store, self._wake = engine, engine.store, wake

    async def step(self, arguments: Mapping[str, Any], cursor: Any) -> Batch:
        """Send a load, look at it, or record its results. ``cursor``: the vendor's load and how often it was looked at."""
        what = operation(arguments["role"], arguments["operation"])
        plan, bulk = bulk_of(self._engine.release, arguments["unit"], what)
        here = _Here(arguments["load"], arguments["unit"], what, plan, bulk)
        try:
            return await self._look(here, cursor) if cursor else await self._send(here)
        except Again:
            return Batch(0, cursor or _NEXT)

    # A load -----------------------------------------------------------------------------------------------

    async def _send(self, here: _Here) -> Batch:
        rows = await self._store.read(lambda tx: bulk_rows.new_rows(tx, here.load_id, here.bulk.most))
        if not rows:
            return Batch(0, None)
        lines, wrong = await self._lines(here, rows)
        if wrong:
            await self._refuse(here, wrong)
        if not lines:
            return Batch(len(wrong), _NEXT)
        opened = await self._asked(here, here.bulk.open)
        load = str(self._applied(here.bulk.load, opened.body))
        await self._asked(here, here.bulk.fill, load, text=as_csv(lines))
        await self._asked(here, here.bulk.close, load)
        return Batch(len(wrong), {"load": load, "looks": 0})

    async def _look(self, here: _Here, cursor: Mapping[str, Any]) -> Batch:
        load, looks = cursor["load"], cursor["looks"]
        answer = await self._asked(here, here.bulk.look, load)
        if not self._applied(here.bulk.ended, answer.body):
            await asyncio.sleep(min(here.bulk.every.total_seconds(), _FIRST_LOOK_S * 2**looks))
            return Batch(0, {"load": load, "looks": looks + 1})
        accepted = read_csv(await self._asked(here, here.bulk.accepted, load))
        turned_down = read_csv(await self._asked(here, here.bulk.refused, load))
        recorded = await self._accept(here, accepted)
        recorded += await self._refuse(here, [(row[here.bulk.column], self._why(here, row)) for row in turned_down])
        if not accepted and not turned_down:
            said = self._applied(here.bulk.said, answer.body) or "it ended without a result for any row"
            raise ValueError(f"{here.plan.connector.title} did nothing with the load {load}: {said}")
        return Batch(recorded, _NEXT)

    async def _asked(self, here: _Here, request: LoadCall, load: str = "", *, text: bytes | None = None) -> Answer:
        wire = self._engine.connections[here.plan.name]
        settings = self._engine.release.public_settings(here.plan.name)
        call = wire.render(request, {"load": load, "settings": settings})
        if text is not None:
            call = Call(call.method, call.path, {**call.headers, "Content-Type": "text/csv"}, text)
        elif request.body is not None:
            call = Call(
                call.method, call.path, {**call.headers, "Content-Type": "application/json"}, encode_json(request.body)
            )
        return await ask(self._engine, here.plan.name, call)

    # Rows -------------------------------------------------------------------------------------------------

    async def _lines(
        self, here: _Here, rows: Sequence[Row]
    ) -> tuple[list[dict[str, str]], list[tuple[str, ParkedWork]]]:
        """What goes out of each row, by column; and the rows that cannot be translated, with the reason."""
        lines, wrong = [], []
        for row in rows:
            asking = Asking(self._engine.release, here.unit, step="bulk")
            argument = here.what.takes.model_validate_json(row["input"])
            try:
                written = asking.writings.of(argument)
                bound = await self._engine.bindings.bind(
                    asking, here.what, written, row["key"], self._store.clock(), here.plan.name
                )
                assert bound.requests.mapping is not None
                body = self._engine.release.mapping(here.plan.name, bound.requests.mapping)(bound.context)
            except Park as park:
                wrong.append((row["key"], park.work))
            except MappingError as error:
                wrong.append((row["key"], _unmappable(here, error)))
            else:
                lines.append({here.bulk.column: row["key"], **flat(body)})
        return lines, wrong

    async def _accept(self, here: _Here, accepted: Sequence[Mapping[str, str]]) -> int:
        """Record what was taken, with its id there; how many rows that was news of."""
        now = instant(self._store.clock())

        def keep(tx: Transaction, part: Sequence[Mapping[str, str]]) -> int:
            known = 0
            for line in part:
                row = bulk_rows.done(tx, here.load_id, line[here.bulk.column], line[here.bulk.id])
                input_ = json.loads(row["input"]) if row else {}
                known += row is not None
                if row is None and not bulk_rows.is_known(tx, here.load_id, line[here.bulk.column]):
                    raise ValueError(f"{here.plan.name} tells of a row {line[here.bulk.column]!r} that nobody sent")
                if input_.get("id"):
                    references.link(
                        tx, connection=here.plan.name, type_=here.bulk.type, id_=line[here.bulk.id],
                        kind=here.what.takes.__name__.lower(), canonical_id=input_["id"],
                        number=input_.get("number"), version=None, at=now,
                    )  # fmt: skip
            return known

        return await self._recorded(keep, accepted)

    async def _refuse(self, here: _Here, wrong: Sequence[tuple[str, ParkedWork]]) -> int:
        """Each as a run of its own, parked: the write that it is, with its input, to be mended and retried alone."""
        now, release = self._store.clock(), self._engine.release.id

        def park(tx: Transaction, part: Sequence[tuple[str, ParkedWork]]) -> int:
            known = 0
            for key, work in part:
                under = f"{here.load_id}/{key}"
                row = bulk_rows.refused(tx, here.load_id, key, call_id(here.what, under))
                if row is not None:
                    known += 1
                    park_call(
                        tx, here.what, json.loads(row["input"]), work,
                        unit=here.unit, key=under, called=key, release=release, now=now,
                    )  # fmt: skip
            return known

        return await self._recorded(park, wrong)

    async def _recorded(self, record: Callable[[Transaction, Sequence[T]], int], found: Sequence[T]) -> int:
        known = 0
        for at in range(0, len(found), _AT_ONCE):
            part = found[at : at + _AT_ONCE]
            known += await self._store.write(lambda tx, part=part: record(tx, part))  # type: ignore[misc]
        return known

    def _why(self, here: _Here, row: Mapping[str, str]) -> ParkedWork:
        """The exception of a refused row, in the connector's words where it has some for the vendor's code."""
        told = {name: str(self._applied(text, row) or "") for name, text in (
            ("code", here.bulk.code), ("message", here.bulk.message), ("field", here.bulk.field))}  # fmt: skip
        wire = self._engine.connections[here.plan.name]
        failure = wire.refusal(told["code"], told["message"], told["field"] or None)
        return refused(wire, str(here.what), failure, "bulk")

    def _applied(self, expression: str, value: Any) -> Any:
        return self._engine.release.expression(expression)(value)


class _Here:
    """One bulk write: our id of it, whom it is for, what is done, and how."""

    __slots__ = ("bulk", "load_id", "plan", "unit", "what")

    def __init__(self, load_id: str, unit: str, what: Operation[Any, Any], plan: ConnectionPlan, bulk: Bulk) -> None:
        self.load_id, self.unit, self.what, self.plan, self.bulk = load_id, unit, what, plan, bulk


def flat(body: Any, before: str = "") -> dict[str, str]:
    """A mapped object by column: what is nested by its path with dots, what is null left out."""
    found: dict[str, str] = {}
    for name, value in body.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        elif value is not None:
            found[before + name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def as_csv(lines: Sequence[Mapping[str, str]]) -> bytes:
    """Lines under the columns that any of them has; an absent one is an empty cell."""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue().encode()


def read_csv(answer: Answer) -> list[dict[str, str]]:
    """The rows of an answer in CSV, by column."""
    return list(csv.DictReader(io.StringIO(answer.raw.decode("utf-8-sig"), newline="")))


def _unmappable(here: _Here, error: MappingError) -> ParkedWork:
    return ParkedWork(
        title=f"{here.plan.connector.title} and Isthmus do not understand each other at {here.what}: {error}"[:300],
        error_class="format",
        mend="correct the value at its source, or the mapping, then replay",
        operation=str(here.what),
        connection=here.plan.name,
        said=str(error),
        step="bulk",
    )
