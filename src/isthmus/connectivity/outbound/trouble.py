"""Turns a vendor's trouble into words and a next step: parked for people, or tried again later by its class."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from isthmus.connectivity.outbound.binding import Asking, Bound
from isthmus.connectivity.outbound.calling import Outcome
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.transport.answer import Answer, Call, Failure
from isthmus.connectivity.transport.connection import Connection
from isthmus.model.problems import Rejected
from isthmus.store.transaction import Row

#: how long trouble of a class is retried by itself before a person is asked, and the first pause, in seconds
_PATIENCE: dict[str, tuple[float, float]] = {"limit": (3600, 2), "locked": (900, 1), "down": (1800, 2)}
#: the first pause before an exception of such a class is retried by itself, in seconds; later ones double
RETRY_S = 60.0


def parked(bound: Bound, outcome: Outcome, step: str) -> ParkedWork:
    """The exception of a clear refusal, in the connector's words where it has some for the vendor's code."""
    failure = outcome.failure
    title = bound.plan.connector.title
    if failure is None:
        return ParkedWork(
            title=f"{title} does not answer {bound.operation}",
            error_class="down",
            mend="see whether it is up; the replay looks first and doubles nothing",
            operation=str(bound.operation),
            connection=bound.plan.name,
            said=outcome.said,
            step=step,
            retry_s=RETRY_S,
        )
    return refused(bound.connection, str(bound.operation), failure, step)


def refused(connection: Connection, what: str, failure: Failure, step: str | None) -> ParkedWork:
    """The exception of one refusal of ``what`` was asked, an operation or a poll."""
    return ParkedWork(
        title=failure.means or f"{connection.connector.title} refused {what}: {failure.message}",
        error_class=failure.error_class,
        mend=failure.mend or "mend it there or edit the input, then replay",
        operation=what,
        connection=connection.name,
        code=failure.code,
        field=failure.field,
        said=f"{failure.status} {failure.code}: {failure.message}",
        step=step,
        retry_s=RETRY_S if failure.error_class in _PATIENCE else None,
    )


def following(connection: Connection, answer: Answer, what: str, step: str | None) -> Call | None:
    """The call for the page after ``answer``, or None. Raises Park where it is elsewhere: nobody goes there."""
    try:
        return connection.next_page(answer)
    except Rejected as error:
        problem = error.problem
        raise Park(
            ParkedWork(
                title=f"{problem.title}: {problem.value}",
                error_class="access",
                mend=problem.mend or "",
                operation=what,
                connection=connection.name,
                code=problem.type.rpartition("/")[2],
                said=f"expected {problem.expected}",
                step=step,
            )
        ) from error


def attempts_ended(bound: Bound, outcome: Outcome, asking: Asking, now: datetime) -> Park | Later:
    """What to raise when a few tries in a row did not help: later while the class's patience lasts, then a person."""
    failure = outcome.failure
    error_class = failure.error_class if failure else "down"
    patience_s, first_s = _PATIENCE.get(error_class, (0, 0))
    began = asking.run["created_at"] if asking.run else None
    age_s = (now - datetime.fromisoformat(began)).total_seconds() if began else patience_s
    if asking.run is not None and age_s < patience_s:
        pause_s = max(first_s, failure.pause_s or 0 if failure else 0, min(age_s / 4, 60))
        return Later(now + timedelta(seconds=pause_s * random.uniform(0.8, 1.2)), outcome.said)  # noqa: S311 - jitter
    return Park(parked(bound, outcome, asking.step))


def undone(bound: Bound, row: Row) -> ParkedWork:
    """What was done under this key was undone: it is never done again under the same one."""
    return ParkedWork(
        title=f"{bound.operation} was done and undone under this key",
        error_class="conflict",
        mend="start the next generation (win it again, or start it by API)",
        operation=str(bound.operation),
        connection=row["connection"],
        said=f"undone by {row['undone_by']}",
    )
