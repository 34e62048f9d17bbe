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
_TRIED_S = 1.0


class CircuitBreaker:
    """Counts failures in a row in the shared row; while it is open, work waits as rows instead of calling."""

    def __init__(self, store: Store, connection: str) -> None:
        self._store, self._connection = store, connection
        self._failures = 0

    async def check(self, row: Row | None) -> bool:
        """Raise Later while the breaker is open. True for the one call that tries for all, once the pause is over."""
        if not row or not row["open_until"]:
            return False
        now, was = self._store.clock(), row["open_until"]
        if moment(was) > now:
            raise Later(moment(was), f"{self._connection} is down; calls are paused")
        until = instant(now + timedelta(seconds=OPEN_S))
        if not await self._store.write(lambda tx: permits.try_again(tx, self._connection, was=was, until=until)):
            raise Later(now + timedelta(seconds=_TRIED_S), f"{self._connection} was down; one call tries it now")
        self._failures += 1
        return True

    def failed(self) -> None:
        """A call failed because the vendor is down or out of reach."""
        self._failures += 1
        now = self._store.clock()
        until = instant(now + timedelta(seconds=OPEN_S))
        self._store.ride(
            lambda tx: permits.failed(tx, self._connection, now=instant(now), threshold=FAILURES_MAX, open_until=until)
        )

    def succeeded(self) -> None:
        """A call went through. Only the first success after failures is worth a write."""
        if self._failures:
            self._failures = 0
            self._store.ride(lambda tx: permits.succeeded(tx, self._connection))
