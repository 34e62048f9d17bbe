"""One intended change outside, under its business key, and how doubt about it is ended. (EIP: idempotent receiver, inverted.)

intended → done | refused | undone. Nothing is sent that is not intended in the store first; nothing doubtful is sent
again before the operation's ``once`` rule has made the repeat harmless.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from isthmus.catalogue.connector import Once, Probe, Request
from isthmus.connectivity.outbound.binding import Asking, Bound
from isthmus.connectivity.outbound.calling import Caller, Outcome
from isthmus.connectivity.outbound.outcome import CancelAsked, Later, Park
from isthmus.connectivity.outbound.reading import rendered
from isthmus.connectivity.outbound.trouble import attempts_ended, parked
from isthmus.connectivity.transport.answer import Call
from isthmus.store import effects
from isthmus.store.clock import instant, moment
from isthmus.store.runs import Fence, FenceLost
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

SEND_WITHIN_S = 10.0
TRIES_MAX = 4
_PATIENT_S = 2.0
#: how long to wait between looks that are not slept through: a part of what is left, within these bounds
_LOOK_AGAIN_S = (0.5, 60.0)


class RefusedThere(Park):
    """The vendor refused the write itself, clearly. (A refused look is a Park too, and says nothing of the write.)"""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A backup was restored at ``began``: what was sent in the time that it has lost, the store has never heard of."""

    number: int
    began: datetime


@dataclass(slots=True)
class Delivery:
    """One effect on its way: its row, the request and the rule that makes a repeat harmless."""

    asking: Asking
    bound: Bound
    request: Request
    once: Once
    row: Row
    deadline_s: float
    settle_s: float
    fresh: bool = False
    #: sent in this play, so that looking again at once is worth a moment's wait
    sent: bool = False
    #: an earlier send may still land, though sending again was harmless
    open: bool = False

    @property
    def fence(self) -> Fence:
        """The fence of whoever asks."""
        assert self.asking.fence is not None
        return self.asking.fence


class Deliverer:
    """Sends intended effects until there is a clear answer."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self._store, self._caller = store, caller
        #: set after a restored backup: the first send of any key looks first
        self.epoch: Epoch | None = None

    def prepare(self, d: Delivery) -> None:
        """Give a new intention its window and its request."""
        d.row.update(self._window(d), request=stored(rendered(d.bound, d.request, _key(d.once, d.row))))

    async def deliver(self, d: Delivery) -> Any:
        """The vendor's object, once there is exactly one.

        Raises RefusedThere, Park where it cannot be looked at, Later (still in doubt), CancelAsked, FenceLost.
        """
        unseen = self._unseen(d)
        if (unseen or (d.row["doubt"] and not d.fresh)) and (found := await self._resolve(d)) is not None:
            return found
        if unseen or not d.fresh:
            await self._intend_again(d)
        for attempt in range(1, TRIES_MAX + 1):
            outcome = await self._send(d)
            if outcome.succeeded:
                return self._picked(d, outcome)
            if _gone(d.request, outcome):
                return {}
            if outcome.doubtful:
                if (found := await self._after_doubt(d, outcome)) is not None:
                    return found
            elif outcome.failure is not None and outcome.failure.verdict == "reject":
                self._look_later(d)
                raise RefusedThere(parked(d.bound, outcome, d.asking.step))
            else:
                self._not_sent(d)
            if attempt < TRIES_MAX:
                await self._store.sleep(_pause(attempt))
                await self._intend_again(d)
        raise attempts_ended(d.bound, outcome, d.asking, self._store.clock())

    async def settle(self, d: Delivery) -> Any:
        """What this effect left, without sending anything: the object, or None once nothing can be under way.

        Under *upsert* nothing can be looked at; None then. Raises Later until it is clear.
        """
        if d.once.probe is not None:
            return await self._look_until_clear(d)
        self.let_land(d)
        return None

    def let_land(self, d: Delivery) -> None:
        """Raise Later while something of this effect can still be under way."""
        if self._store.clock() < moment(d.row["clear_at"]):
            raise self._later(d)

    # Sending --------------------------------------------------------------------------------------

    async def _send(self, d: Delivery) -> Outcome:
        # the clock is read right before the first byte: a worker that was frozen must not send what others took over
        if self._store.clock() > moment(d.row["send_by"]):
            await self._intend_again(d)
        try:
            by = moment(d.row["send_by"])
            return await self._caller.call(d.asking, d.bound, _call(d.row), part=d.row["part"], send_by=by)
        except Later:
            # the gate was closed: nothing went out
            self._not_sent(d)
            raise

    def _not_sent(self, d: Delivery) -> None:
        """This time nothing happened; what was sent before may still be open."""
        self._change(d, {"doubt": int(d.open), "sends": d.row["sends"] - 1})

    async def _intend_again(self, d: Delivery) -> None:
        """Write that it may be on its way once more, and wait until that stands."""
        values = {
            "doubt": 1,
            "attempt": d.row["attempt"],
            "repeats": d.row["repeats"],
            "sends": d.row["sends"] + 1,
            "epoch": self.epoch.number if self.epoch else d.row["epoch"],
            **self._window(d),
        }
        key = _key(d.once, d.row)
        if key is not None:  # byte for byte the same, but for the key of another attempt
            call = _call(d.row)
            values["request"] = stored(replace(call, headers={**call.headers, key[0]: key[1]}))
        if await self._store.write(lambda tx: effects.change_unless_cancelled(tx, d.fence, d.row["key"], values)):
            raise CancelAsked
        d.row.update(values)

    def _window(self, d: Delivery) -> dict[str, str]:
        """Until when it may be sent, and when nothing can be under way any more if nobody hears of it."""
        send_by = self._store.clock() + timedelta(seconds=SEND_WITHIN_S)
        clear_at = send_by + timedelta(seconds=d.deadline_s + d.settle_s)
        return {"send_by": instant(send_by), "clear_at": instant(clear_at)}

    def _picked(self, d: Delivery, outcome: Outcome) -> Any:
        assert outcome.answer is not None
        self._look_later(d)
        native = d.once.native
        if native and native.replayed and _told(native.replayed, outcome.answer.headers):
            d.row["rule"] = "native"
        found = d.bound.found(d.request.found, outcome.answer.body)
        return {} if found is None else found

    # Doubt ----------------------------------------------------------------------------------------

    async def _after_doubt(self, d: Delivery, outcome: Outcome) -> Any:
        """An answer was lost, or was a 5xx. The object if it is there; None where it may be sent again."""
        d.sent = True
        if not d.open:  # else an earlier one may come later still
            under_way_s = d.settle_s + (0 if outcome.failure is not None else d.deadline_s)
            clear_at = self._store.clock() + timedelta(seconds=under_way_s)
            self._change(d, {"doubt": 1, "clear_at": instant(clear_at)})
        return await self._resolve(d)

    async def _resolve(self, d: Delivery) -> Any:
        """End doubt by the operation's rule. None: sending (again) is harmless now. Raises Later to look again later."""
        if self._unseen(d):
            d.row["clear_at"] = self._clear_in_epoch(d)
            return await self._look_until_clear(d)
        if d.once.rule == "upsert":
            d.row["rule"], d.open = "upsert", True
            return None
        # one repeat under the same key; a second doubt under it is no news (a stored 500 is replayed for a day)
        if d.once.native is not None and d.row["repeats"] == 0 and self._vendor_remembers(d):
            d.row["rule"], d.open = "native", True
            self._change(d, {"repeats": 1})
            return None
        return await self._look_until_clear(d)

    async def _look_until_clear(self, d: Delivery) -> Any:
        pause_s = 0.05
        while True:
            looked_at = self._store.clock()
            found = await self._probe(d)
            if found is not None:
                d.row["rule"] = "probe"
                self._look_later(d)
                return found
            clear_at = moment(d.row["clear_at"])
            if looked_at >= clear_at:
                d.row.update(attempt=d.row["attempt"] + 1, repeats=0)
                d.open = False
                return None
            wait_s = (clear_at - self._store.clock()).total_seconds()
            if not d.sent or min(pause_s, wait_s) > _PATIENT_S:
                raise self._later(d)
            await self._store.sleep(min(pause_s, max(wait_s, 0.0) + 0.001))
            pause_s *= 2

    def _later(self, d: Delivery) -> Later:
        """Look again after a part of what is left: the pauses are long while much may come, short at the end."""
        now = self._store.clock()
        left_s = (moment(d.row["clear_at"]) - now).total_seconds()
        pause_s = min(max(left_s / 4, _LOOK_AGAIN_S[0]), _LOOK_AGAIN_S[1], max(left_s, 0.0) + 0.001)
        return Later(now + timedelta(seconds=pause_s), "its answer was lost; looking again")

    def _look_later(self, d: Delivery) -> None:
        """More than one may have been made: have the effect looked at once more when it has settled."""
        if d.row["sends"] > 1 and d.once.probe is not None and (d.once.rule == "probe" or d.row["attempt"] > 1):
            d.row["look_at"] = instant(self._store.clock() + timedelta(seconds=d.settle_s))

    def _unseen(self, d: Delivery) -> bool:
        """Whether a key was not looked for yet since a backup was restored."""
        return self.epoch is not None and d.once.rule != "upsert" and d.row["epoch"] < self.epoch.number

    def _clear_in_epoch(self, d: Delivery) -> str:
        """When nothing can be under way any more of what was sent before the backup was restored."""
        assert self.epoch is not None
        last = self.epoch.began + timedelta(seconds=SEND_WITHIN_S + d.deadline_s + d.settle_s)
        return instant(last) if d.fresh or not d.row["doubt"] else max(instant(last), d.row["clear_at"])

    async def _probe(self, d: Delivery) -> Any:
        probe = d.once.probe
        assert probe is not None
        outcome = await self._looked(d, probe)
        if outcome.answer is None or not outcome.succeeded:
            return None
        return d.bound.found(probe.found, _seen(d, probe, outcome.answer.body))

    async def _looked(self, d: Delivery, probe: Probe) -> Outcome:
        call = rendered(d.bound, Request(request=probe.request, query=probe.query))
        for attempt in range(1, TRIES_MAX + 1):
            outcome = await self._caller.call(d.asking, d.bound, call, part=d.row["part"], looks=True)
            if outcome.succeeded or (outcome.failure is not None and outcome.failure.status == 404):
                return outcome
            if outcome.failure is not None and outcome.failure.verdict == "reject":
                raise Park(parked(d.bound, outcome, d.asking.step))
            await self._store.sleep(_pause(attempt))
        raise Later(self._store.clock() + timedelta(seconds=_PATIENT_S), f"cannot look: {outcome.said}")

    async def all_living(self, d: Delivery) -> list[Any]:
        """Every living object under our key, first one first: more than one means that a second was made."""
        probe = d.once.probe
        if probe is None:
            return []
        outcome = await self._looked(d, probe)
        if not outcome.succeeded or outcome.answer is None:
            return []
        found = d.bound.evaluate(probe.all or probe.found, _seen(d, probe, outcome.answer.body))
        return found if isinstance(found, list) else [] if found is None else [found]

    def _vendor_remembers(self, d: Delivery) -> bool:
        native = d.once.native
        assert native is not None
        return self._store.clock() < moment(d.row["intended_at"]) + native.keeps * 0.9

    def _change(self, d: Delivery, values: dict[str, Any]) -> None:
        """Note news about an effect; rides along."""
        d.row.update(values)
        key, fence = d.row["key"], d.fence

        def work(tx: Transaction) -> None:
            try:
                effects.change(tx, fence, key, values)
            except FenceLost:
                return

        self._store.ride(work, of=fence)


def _seen(d: Delivery, probe: Probe, body: Any) -> Any:
    """What a probe's expressions are over."""
    return {**d.bound.context, "body": body} if probe.with_context else body


def _gone(request: Request, outcome: Outcome) -> bool:
    """Asked to delete what is not there: that is what was wanted, whoever did it."""
    failure = outcome.failure
    return request.request.startswith("DELETE ") and failure is not None and failure.status in request.missing


def _key(once: Once, row: Row) -> tuple[str, str] | None:
    """The vendor's header and our key in it; another attempt has another key."""
    return (once.native.header, f"{row['key']}#{row['attempt']}"[-255:]) if once.native else None


def stored(call: Call) -> str:
    """A rendered request as it is kept, to be sent again byte for byte. Secrets are not in it."""
    body = None if call.body is None else call.body.decode("utf-8", "surrogateescape")
    return json.dumps({"method": call.method, "path": call.path, "headers": call.headers, "body": body})


def _told(header: str, headers: Mapping[str, str]) -> bool:
    """Whether the answer has this ``name`` or ``name: value``."""
    name, _, value = header.partition(":")
    found = headers.get(name.strip().lower())
    return bool(found) and value.strip() in ("", found)


def _call(row: Row) -> Call:
    kept = json.loads(row["request"])
    body = None if kept["body"] is None else kept["body"].encode("utf-8", "surrogateescape")
    return Call(method=kept["method"], path=kept["path"], headers=kept["headers"], body=body)


def _pause(attempt: int) -> float:
    return random.uniform(0.02, 0.08) * 2.0**attempt  # noqa: S311 - jitter
