"""Group commit: in order, a member fails alone, and who stands on the whole hears of a loss once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.engine import Place

from isthmus.store.store import Store
from isthmus.store.transaction import StoreUnavailable, Transaction

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    with Place(request.param) as place:
        opened = Store(place.url)
        yield opened
        opened.close()


def put(name: str, value: str = "x") -> object:
    return lambda tx: tx.insert("setting", {"name": name, "value": value})


def names(tx: Transaction) -> list[str]:
    return [row["name"] for row in tx.rows("SELECT name FROM setting ORDER BY name")]


async def test_a_member_that_fails_fails_alone(store: Store) -> None:
    done = await asyncio.gather(*(store.write(put(n)) for n in ("a", "b", "a", "c")), return_exceptions=True)  # type: ignore[arg-type]
    assert [isinstance(result, Exception) for result in done] == [False, False, True, False]
    assert await store.read(names) == ["a", "b", "c"]


async def test_rides_land_in_order_before_the_write_that_follows(store: Store) -> None:
    for number in range(50):
        store.ride(put(f"{number:02}"))  # type: ignore[arg-type]
    assert await store.write(names) == [f"{number:02}" for number in range(50)]


async def test_a_lost_ride_is_told_once_to_whom_it_belongs(store: Store) -> None:
    store.ride(put("a"), of="mine")  # type: ignore[arg-type]
    store.ride(put("a"), of="mine")  # type: ignore[arg-type]
    await store.write(put("other"), whole="yours")  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.write(put("end"), whole="mine")  # type: ignore[arg-type]
    await store.write(put("end"), whole="mine")  # type: ignore[arg-type]
    assert await store.read(names) == ["a", "end", "other"]


async def test_a_database_that_is_gone_says_so(tmp_path: object) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty.sqlite")
    with pytest.raises(StoreUnavailable):
        await store.write(put("a"))  # type: ignore[arg-type]
    store.close()


async def test_notes_go_together_and_outlive_a_loss(store: Store) -> None:
    before = store.batches[1]
    for number in range(50):
        store.note("setting", {"name": f"{number:02}", "value": "x"})
    assert await store.write(names) == [f"{number:02}" for number in range(50)]
    assert store.batches[1] - before == 2
    connect, store._commit._connect = store._commit._connect, _gone
    store._commit._transaction = None
    store.note("setting", {"name": "lost", "value": "x"})
    with pytest.raises(StoreUnavailable):
        await store.write(names)
    store._commit._connect = connect
    store.note("setting", {"name": "after", "value": "x"})
    assert "after" in await store.write(names)


def _gone() -> Transaction:
    raise StoreUnavailable("gone")
