"""One injectable clock for store, waits and signatures; instants as text that sorts in every database."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
#: lets so many seconds pass
Sleep = Callable[[float], Awaitable[object]]


def system_clock() -> datetime:
    """The real time, aware, in UTC. It counts sleep, as a wall clock does."""
    return datetime.now(UTC)


class MovableClock:
    """A clock for tests and demos: the real time plus what it was moved."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, by: timedelta) -> None:
        """Move forward."""
        self._offset += by


def instant(moment: datetime) -> str:
    """``2026-11-23T20:15:00.000000Z``: fixed width, so that text order is time order."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # isoformat costs a twentieth of strftime, and instants are written all the time
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def moment(text: str) -> datetime:
    """The aware datetime of an instant's text."""
    return datetime.fromisoformat(text)


def today_text() -> str:
    """Today's date in UTC, for file names."""
    return time.strftime("%Y-%m-%d", time.gmtime())
