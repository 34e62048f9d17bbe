"""One call to a vendor behind its gate: permit, breaker, the call, its verdict, and a line for the timeline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opentelemetry import trace

from isthmus.connectivity.outbound.binding import Asking, Bound
from isthmus.connectivity.outbound.throttle import Throttle
from isthmus.connectivity.transport.answer import Answer, Call, Failure, NoAnswer, NotSent, SignInRefused
from isthmus.store.clock import instant
from isthmus.store.store import Store

_SIGN_IN = "correct the connection's credentials (or unlock its user there), then replay"


@dataclass(slots=True)
class Outcome:
    """How a call ended. Exactly one of ``answer`` without ``failure`` (success), ``failure``, ``cut``, ``unsent``."""

    answer: Answer | None = None
    failure: Failure | None = None
    cut: str | None = None
    unsent: str | None = None

    @property
    def succeeded(self) -> bool:
        """The vendor did what was asked."""
        return self.answer is not None and self.failure is None

    @property
    def doubtful(self) -> bool:
        """The vendor may or may not have done it: no answer, or a 5xx after sending."""
        return self.cut is not None or (self.failure is not None and self.failure.status >= 500)

    @property
    def said(self) -> str:
        """What is known, in a few words."""
        if self.failure is not None:
            return f"{self.failure.status} {self.failure.code}: {self.failure.message}"[:300]
        return self.cut or self.unsent or "done"


class Caller:
    """Calls vendors for runs."""

    def __init__(self, store: Store, throttles: dict[str, Throttle]) -> None:
        self._store, self.throttles = store, throttles

    async def call(
        self,
        asking: Asking,
        bound: Bound,
        call: Call,
        *,
        part: str = "",
        looks: bool = False,
        send_by: datetime | None = None,
    ) -> Outcome:
        """Call once, not after ``send_by``. Raises Later where the gate is closed."""
        throttle = self.throttles[bound.plan.name]
        async with throttle.permit():
            at, begun = instant(self._store.clock()), time.perf_counter()
            outcome = await self._sent(bound, call, send_by)
            took_us = int((time.perf_counter() - begun) * 1e6)
        self._heed(throttle, bound, outcome)
        self._note(asking, bound, call, outcome, part=part, looks=looks, at=at, took_us=took_us)
        return outcome

    async def _sent(self, bound: Bound, call: Call, send_by: datetime | None) -> Outcome:
        try:
            answer = await bound.connection.send(call, timeout_s=bound.deadline_s, send_by=send_by)
        except SignInRefused as error:
            return Outcome(failure=not_let_in(error))
        except NotSent as error:
            return Outcome(unsent=str(error) or "no connection")
        except NoAnswer as error:
            return Outcome(cut=str(error) or "the answer was lost")
        return Outcome(answer=answer, failure=bound.connection.failure(answer, bound.context))

    def _heed(self, throttle: Throttle, bound: Bound, outcome: Outcome) -> None:
        budget = bound.connection.budget(outcome.answer) if outcome.answer is not None else None
        if outcome.cut or outcome.unsent or (outcome.failure and outcome.failure.status >= 500):
            throttle.breaker.failed()
        else:
            throttle.breaker.succeeded()
        if budget is not None:
            throttle.heed(budget)
        if outcome.failure is not None and outcome.failure.error_class == "limit":
            throttle.block(outcome.failure.pause_s or 1.0)

    def _note(
        self,
        asking: Asking,
        bound: Bound,
        call: Call,
        outcome: Outcome,
        *,
        part: str,
        looks: bool,
        at: str,
        took_us: int,
    ) -> None:
        if asking.run is None:
            return
        context = trace.get_current_span().get_span_context()
        row: dict[str, Any] = {
            "run_id": asking.run["id"],
            "step": asking.step,
            "operation": str(bound.operation),
            "part": part,
            "connection": bound.plan.name,
            "method": call.method,
            "path": call.path[:500],
            "at": at,
            "took_us": took_us,
            "status": outcome.answer.status if outcome.answer else None,
            "outcome": _word(outcome, looks),
            "detail": None if outcome.succeeded else outcome.said,
            "trace_id": f"{context.trace_id:032x}" if context.is_valid else None,
        }
        self._store.note("attempt", row)


def not_let_in(error: SignInRefused) -> Failure:
    """The failure that a refused sign-in is."""
    return Failure("reject", "access", 401, error.code, str(error), means=str(error), mend=error.mend or _SIGN_IN)


def _word(outcome: Outcome, looks: bool) -> str:
    if outcome.succeeded:
        return "looked" if looks else "answered"
    if outcome.failure is not None:
        return "refused" if outcome.failure.verdict == "reject" else "troubled"
    return "cut" if outcome.cut else "not sent"
