"""The gate of a connection: what one worker has learnt holds for all, also in the moment in which it is looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from tests.support.engine import Place

from isthmus.catalogue.connector import Limits
from isthmus.connectivity.outbound.outcome import Later
from isthmus.connectivity.outbound.throttle import Throttle
from isthmus.store import permits
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

T = TypeVar("T")


class FarStore(Store):
    """Its reads take a moment, as those of a database elsewhere do."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        await asyncio.sleep(0.01)
        return await super().read(work)


@pytest.fixture
def place() -> Iterator[Place]:
    with Place() as made:
        yield made


async def entered(gate: Throttle) -> bool:
    """Whether a call may begin."""
    try:
        async with gate.permit():
            return True
    except Later:
        return False


async def test_many_who_look_at_once_see_what_is_true_now(place: Place) -> None:
    """The first looks the shared row up; the others wait for what it finds, and do not take what was known before."""
    store = FarStore(place.url, place.clock)
    gate = Throttle(store, "toy", Limits(concurrency=10))
    assert await entered(gate), "nothing is known yet"
    until = instant(place.clock() + timedelta(minutes=1))
    other = Store(place.url, place.clock)

    def opened(tx: Transaction) -> Any:
        return permits.failed(tx, "toy", now=until, threshold=1, open_until=until)

    await other.write(opened)
    place.clock.advance(timedelta(seconds=5))
    assert await asyncio.gather(*(entered(gate) for _ in range(8))) == [False] * 8
    for each in (store, other):
        each.close()
