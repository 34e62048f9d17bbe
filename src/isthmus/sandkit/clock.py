"""Time that a test can move: one clock for a sandbox's rows, tokens, keys and redeliveries."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The real time plus an offset that only grows when somebody says so."""

    def __init__(self, start: datetime | None = None) -> None:
        """``start`` pins the first reading; without it the clock shows the real time."""
        self._offset_s = 0.0 if start is None else start.timestamp() - time.time()

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """The current instant in Unix seconds."""
        return time.time() + self._offset_s

    def advance(self, by: timedelta) -> datetime:
        """Move the clock forward and return the new reading."""
        if by < timedelta(0):
            raise ValueError(f"a clock moves forward only; {by} was asked")
        self._offset_s += by.total_seconds()
        return self.now()
