"""Time that stands still: nothing is due, fresh or late because a machine is slow, and pauses end when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.store.clock import MovableClock

#: how long a test waits, in real seconds, for what is not a matter of time
PATIENCE_S = 60.0


class StillClock(MovableClock):
    """A store's clock and its ``sleep``: whoever sleeps wakes when the clock has been moved that far."""

    def __init__(self) -> None:
        super().__init__()
        self._now = datetime.now(UTC)
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []
        #: every pause that anybody asked for, in seconds
        self.pauses: list[float] = []

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move forward; who sleeps till then wakes."""
        self._now += by
        for entry in [each for each in self._sleepers if each[0] <= self._now]:
            self._sleepers.remove(entry)
            entry[1].set()

    async def sleep(self, seconds: float) -> None:
        """Sleep until the clock has been moved so far."""
        self.pauses.append(seconds)
        woken = asyncio.Event()
        self._sleepers.append((self._now + timedelta(seconds=seconds), woken))
        self.advance(timedelta(0))
        await woken.wait()

    @property
    def asleep(self) -> int:
        """How many sleep."""
        return len(self._sleepers)

    def to_next(self) -> None:
        """Move to the moment at which the first of those who sleep wakes."""
        self.advance(max(timedelta(0), min(at for at, _ in self._sleepers) - self._now))


class Side:
    """Work side by side under a still clock; ``queueing`` counts those who wait for others of them."""

    def __init__(self, clock: StillClock, queueing: Callable[[], int], *work: Coroutine[Any, Any, Any]) -> None:
        self._clock, self._queueing = clock, queueing
        self._tasks: list[asyncio.Task[Any]] = []
        self.more(*work)

    def more(self, *work: Coroutine[Any, Any, Any]) -> None:
        """Others begin too."""
        self._tasks += [asyncio.create_task(each) for each in work]

    async def quiet(self) -> None:
        """Until each has ended, sleeps, or waits for one that sleeps."""
        await until(lambda: self._open == self._clock.asleep + self._queueing(), "quiet")

    async def ended(self) -> Sequence[Any]:
        """What each came to: the clock moves from pause to pause until all have."""
        while self._open:
            await self.quiet()
            if self._clock.asleep:
                self._clock.to_next()
        return [task.result() for task in self._tasks]

    @property
    def _open(self) -> int:
        return sum(not task.done() for task in self._tasks)


async def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds, and goes on to."""
    loop = asyncio.get_running_loop()
    end, held = loop.time() + PATIENCE_S, 0
    while held < 3:
        held = held + 1 if holds() else 0
        if loop.time() > end:
            raise TimeoutError(f"not {what} within {PATIENCE_S:.0f} s")
        await asyncio.sleep(0.003)
