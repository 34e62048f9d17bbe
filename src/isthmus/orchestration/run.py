"""A run as its process sees it: steps, approvals and waits, each remembered by name and key."""

from __future__ import annotations

import asyncio
import json
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar, overload
from zoneinfo import ZoneInfo

from pydantic import BaseModel, TypeAdapter

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.outbound.reading import Reader
from isthmus.connectivity.outbound.send import Sender
from isthmus.connectivity.system_api.operation import Operation
from isthmus.model import Money, PartySnapshot
from isthmus.orchestration.approval import Asked as AskedOfPeople
from isthmus.orchestration.approval import Decision, approval_row
from isthmus.orchestration.approval import request as request_approval
from isthmus.orchestration.waiting import Waiting
from isthmus.store import approvals, history, runs, waits
from isthmus.store.clock import instant, moment
from isthmus.store.runs import Fence
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

Asked = TypeVar("Asked", bound=BaseModel)
Answered = TypeVar("Answered")
T = TypeVar("T")
#: how a wait is answered whose time is over
_EXPIRED = '{"expired": true}'


class Ask:
    """What a reading step may use: the roles' reads. ``await ask(erp.read_customer, reference)``."""

    def __init__(self, reader: Reader, asking: Asking) -> None:
        self._reader, self._asking = reader, asking

    async def __call__(self, operation: Operation[Asked, Answered], argument: Asked) -> Answered:
        """Ask a role; None where there is nothing and the operation may say so."""
        if operation.writes:
            raise TypeError(f"{operation} writes; a step that reads cannot ask for it: make it a step of its own")
        found: Answered = await self._reader.read(self._asking, operation, argument)
        return found


class Run:
    """One execution of a process for one subject. ``settings`` are the process's settings in the landscape."""

    def __init__(
        self, store: Store, sender: Sender, reader: Reader, asking: Asking, memory: list[Row], effects: list[Row], *,
        leaving: Callable[[], bool] = bool,
    ) -> None:  # fmt: skip
        """``leaving``: asked at each step whether the worker is to go, so that another plays from there."""
        assert asking.run is not None and asking.fence is not None
        self._store, self._sender, self._reader, self._asking = store, sender, reader, asking
        self._row: Row = asking.run
        self._fence: Fence = asking.fence
        self._memory = {(row["name"], row["key"]): row for row in memory}
        self._effects: Mapping[str, Row] = {row["key"]: row for row in effects}
        self._met: set[tuple[str, str]] = set()
        self._leaving = leaving
        plan = asking.release.processes.get(self._row["process"])
        self.settings: Mapping[str, Any] = plan.settings if plan else {}

    @property
    def id(self) -> str:
        """The run's id: process, subject and generation."""
        return str(self._row["id"])

    @property
    def key(self) -> str:
        """The business key with its generation, such as ``OPP-1002~2``."""
        return self._asking.key

    @property
    def unit(self) -> str:
        """The business unit's code."""
        return self._asking.unit

    @property
    def values(self) -> Mapping[str, Any]:
        """The business unit's values in the landscape."""
        return self._asking.release.units[self.unit].values

    @property
    def seller(self) -> PartySnapshot:
        """The business unit as printed on documents."""
        unit = self._asking.release.units[self.unit].business_unit
        return PartySnapshot(name=unit.legal_name, address=unit.address, tax_registrations=unit.tax_registrations)

    @property
    def zone(self) -> ZoneInfo:
        """The unit's time zone."""
        return ZoneInfo(self._asking.zone)

    @property
    def opened_on(self) -> date:
        """The day in the unit's calendar on which the run began: the same at every play."""
        return moment(self._row["created_at"]).astimezone(ZoneInfo(self._asking.zone)).date()

    @property
    def opened_at(self) -> datetime:
        """The instant at which the run began: the same at every play."""
        return moment(self._row["created_at"])

    # Steps ----------------------------------------------------------------------------------------

    @overload
    async def step(
        self, what: Operation[Asked, Answered], argument: Asked, /, *, undo: Operation[Any, Any] | None = None,
        stays: str | None = None, name: str | None = None, key: str = "",
    ) -> Answered: ...  # fmt: skip

    @overload
    async def step(
        self, what: Callable[..., Awaitable[T]], /, *arguments: Any, name: str | None = None, key: str = ""
    ) -> T: ...

    async def step(
        self, what: Any, /, *arguments: Any, undo: Operation[Any, Any] | None = None,
        stays: str | None = None, name: str | None = None, key: str = "",
    ) -> Any:  # fmt: skip
        """Do one step, once: an operation of a role, or a function ``async def f(ask, …)`` that only reads.

        A step is remembered by its name and ``key``; a writing one says how it is undone, or why it ``stays``. The
        same name and key twice in one play is a mistake: give a loop's steps a ``key``, others a ``name``.
        """
        title = name or (what.name if isinstance(what, Operation) else what.__name__)
        self._meet(title, key)
        if isinstance(what, Operation) and what.writes:
            return await self._change(what, arguments[0], undo, title, name, key)
        return await self._read(what, arguments, title, key)

    async def together(self, *steps: Awaitable[Any]) -> tuple[Any, ...]:
        """Do steps, approvals or waits side by side; all are begun before the run waits for any."""
        results = await asyncio.gather(*steps, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        stops = [failure for failure in failures if not isinstance(failure, Waiting)]
        if stops:
            raise stops[0]
        if failures:
            times = [f.at for f in failures if isinstance(f, Waiting) and f.at is not None]
            raise Waiting(min(times) if times else None, "; ".join(str(failure) for failure in failures))
        return tuple(results)

    def _meet(self, title: str, key: str) -> None:
        if (title, key) in self._met:
            raise Park(
                ParkedWork(
                    title=f"The process does step {title!r} twice under the same key {key or '(none)'!r}",
                    error_class="program",
                    mend="give the steps of a loop a key=, or one of two steps a name=; then replay",
                    step=title,
                )
            )
        self._met.add((title, key))
        if self._leaving():
            raise Later(self._store.clock(), "its worker stops; another goes on")

    async def _change(
        self,
        what: Operation[Any, Any],
        argument: BaseModel,
        undo: Operation[Any, Any] | None,
        title: str,
        name: str | None,
        key: str,
    ) -> Any:
        edited = self._memory.get((f"{title}!edited", key))
        if edited is not None and edited["result"]:
            argument = what.takes.model_validate(json.loads(edited["result"]))
        if what.per == "object":
            business_key = str(getattr(argument, "id", None) or self.key)
        else:
            business_key = ":".join(part for part in (self.key, name, key) if part)
        self._asking.step = title
        return await self._sender.change(
            self._asking, what, argument, key=business_key, undo=str(undo) if undo else None, known=self._effects
        )

    async def _read(self, what: Any, arguments: tuple[Any, ...], title: str, key: str) -> Any:
        hash_ = self._asking.writings.hash_of(arguments)
        known = self._memory.get((title, key))
        answers = _answers(what)
        if known is not None and known["arguments_hash"] == hash_ and self._holds(known):
            return answers.validate_json(known["result"])
        self._asking.step = title
        if isinstance(what, Operation):
            result = await self._reader.read(self._asking, what, arguments[0])
        else:
            result = await what(Ask(self._reader, self._asking), *arguments)
        row = {
            "name": title,
            "key": key,
            "kind": "read",
            "arguments_hash": hash_,
            "result": answers.dump_json(result, exclude_none=True).decode(),
            "at": instant(self._store.clock()),
            "round": self._asking.round,
        }
        self._store.ride(lambda tx: history.remember(tx, self._fence, row), of=self._fence)
        self._memory[(title, key)] = row
        return result

    def _holds(self, known: Row) -> bool:
        """Whether what was read before still counts: in its own round, or once something was written upon it.

        A mend means that the world has changed; without this, a parked check would say the same for ever.
        """
        if known["round"] >= self._asking.round:
            return True
        return any(
            e["intended_at"] > known["at"] and e["state"] in ("done", "intended") for e in self._effects.values()
        )

    # Waiting --------------------------------------------------------------------------------------

    async def wait(
        self, name: str, *, until: datetime | None, key: str = "", why: str = "",
        event: str | None = None, about: Iterable[str] = (),
    ) -> Any:  # fmt: skip
        """Wait for an answer under ``name``; None once ``until`` has passed without one. Holds nothing meanwhile.

        ``event`` about any of ``about`` (products by number) is an answer too, and only means: look again. It says so
        once at the beginning, because it may have come after the look that led to this wait.
        """
        self._meet(name, key)
        known = self._memory.get((name, key))
        if known is None:
            known = await self._await_answer(name, key, until)
        if known["result"] is None and event is not None:
            known = await self._listen(known, event, about)
        if known["result"] is None and known["due_at"] and moment(known["due_at"]) <= self._store.clock():
            known = await self._answered(name, key, _EXPIRED)
        if known["result"] is None:
            raise Waiting(moment(known["due_at"]) if known["due_at"] else None, why or name)
        return None if known["result"] == _EXPIRED else json.loads(known["result"])

    async def _listen(self, known: Row, event: str, about: Iterable[str]) -> Row:
        """Answer a wait whose event may have come since the run last looked."""
        heard = await self._store.write(lambda tx: waits.listen(tx, self._fence, event, about))
        return await self._answered(known["name"], known["key"], json.dumps({"event": event})) if heard else known

    async def _await_answer(self, name: str, key: str, until: datetime | None, asked: Row | None = None) -> Row:
        """Write that an answer is waited for, together with what ``asked`` people for it; the wait."""
        due_at, now = instant(until) if until else None, instant(self._store.clock())

        def work(tx: Transaction) -> None:
            history.await_answer(tx, self._fence, name=name, key=key, due_at=due_at, now=now, round_=self._asking.round)
            if asked is not None:
                request_approval(tx, asked)

        await self._store.write(work)
        return {"name": name, "key": key, "result": None, "due_at": due_at}

    async def _answered(self, name: str, key: str, answer: str) -> Row:
        """Write what ends a wait, unless something else was quicker; what stands then is the answer for ever."""
        now = instant(self._store.clock())

        def work(tx: Transaction) -> Row:
            runs.hold(tx, self._fence)
            first = history.answer(tx, self.id, name=name, key=key, result=answer, who=None, now=now)
            if first and answer == _EXPIRED:
                approvals.expire(tx, self.id, f"{name}\n{key}", now)
            return next(row for row in history.memories(tx, self.id) if row["name"] == name and row["key"] == key)

        return await self._store.write(work)

    async def approval(
        self, policy: str, *, about: str, within: timedelta, key: str = "", needed: int = 1,
        amount: Money | None = None, most: Money | None = None, facts: Sequence[tuple[str, str, str | None]] = (),
        because: str = "", requested_by: Sequence[str] = (), remind_after: timedelta | None = None,
        escalate_after: timedelta | None = None, escalate_to: str | None = None,
    ) -> Decision:  # fmt: skip
        """Ask people of the desk ``policy`` to decide; the answer may take weeks. Past ``within`` it is expired.

        ``needed`` people must agree; who ``requested_by`` names (and who started the run) may not. They see ``facts``
        (label, words, link) and ``amount``, which they may change up to ``most``. They are reminded every
        ``remind_after``; ``escalate_after`` that time the desk ``escalate_to`` may decide too.
        """
        name, why = f"approval:{policy}", f"{policy} decides: {about}"
        if (name, key) not in self._memory:
            self._meet(name, key)
            now = self._store.clock()
            asked = AskedOfPeople(
                policy, about, within, needed, amount, most, facts, because, requested_by, remind_after,
                escalate_after, escalate_to,
            )  # fmt: skip
            row = approval_row(asked, self._row, self.key, self._asking.release, name=name, key=key, now=now)
            await self._await_answer(name, key, now + within, row)
            raise Waiting(now + within, why)
        answer = await self.wait(name, until=None, key=key, why=why)
        return Decision(verdict="expired") if answer is None else Decision.model_validate(answer)

    def decide(self, table: str, context: BaseModel) -> Mapping[str, Any]:
        """What the landscape's decision table ``rules/<table>.yaml`` says. Parks where there is none, or no row holds."""
        rule = self._asking.release.rules.get(table)
        found = rule.decide(context.model_dump(mode="json")) if rule else None
        if found is None:
            what = f"No row of the decision table {table} holds" if rule else f"There is no decision table {table}"
            mend = f"end rules/{table}.yaml with a row that has no when" if rule else f"write rules/{table}.yaml"
            raise Park(
                ParkedWork(title=what, error_class="missing", mend=f"{mend}, then replay", code=f"rules/{table}")
            )
        return found


@lru_cache(maxsize=512)
def _answers(what: Any) -> TypeAdapter[Any]:
    if isinstance(what, Operation):
        found: Any = what.answers
        return TypeAdapter(tuple[found, ...] if what.many else found | None)
    return TypeAdapter(typing.get_type_hints(what).get("return", Any))
