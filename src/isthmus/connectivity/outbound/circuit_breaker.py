"""Stops calling a vendor that is down, for all workers, and tries again after a pause. (Release It!: circuit breaker.)"""

from __future__ import annotations

from datetime import timedelta

from isthmus.connectivity.outbound.outcome import Later
from isthmus.store import permits
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row

FAILURES_MAX = 8
OPEN_S = 5.0


class CircuitBreaker:
    """Counts failures in a row in the shared row; while it is open, work waits as rows instead of calling."""

    def __init__(self, store: Store, connection: str) -> None:
        self._store, self._connection = store, connection
        self._failures = 0

    def check(self, row: Row | None) -> None:
        """Raise Later while the breaker is open."""
        if row and row["open_until"] and moment(row["open_until"]) > self._store.clock():
            raise Later(moment(row["open_until"]), f"{self._connection} is down; calls are paused")

    def failed(self) -> None:
        """A call failed because the vendor is down or out of reach."""
        self._failures += 1
        now = self._store.clock()
        until = instant(now + timedelta(seconds=OPEN_S))
        self._store.ride(
            lambda tx: permits.failed(tx, self._connection, now=instant(now), threshold=FAILURES_MAX, open_until=until)
        )

    def succeeded(self, remaining: int | None) -> None:
        """A call went through. Only a first success after failures, or news of the budget, is worth a write."""
        if self._failures or remaining is not None:
            self._failures = 0
            self._store.ride(lambda tx: permits.succeeded(tx, self._connection, remaining))
