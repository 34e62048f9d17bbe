"""Inside a running sandbox: rows changed where no API of the vendor could, in its own loop and in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from isthmus.sandkit.world import World
from tests.support.running_sandbox import RunningSandbox

T = TypeVar("T")


def inside(running: RunningSandbox, vendor: str, work: Callable[[World], T]) -> T:
    """What ``work`` makes of the vendor's world."""

    async def act() -> T:
        world = running.sandboxes[vendor].world
        with world.transaction():
            return work(world)

    return asyncio.run_coroutine_threadsafe(act(), running._loop).result(30)


def copies(running: RunningSandbox, vendor: str, table: str, key: str, names: list[Any], **changes: Any) -> None:
    """As many copies of a table's first row as there are names for its key."""

    def work(world: World) -> None:
        row = world.rows(f'SELECT * FROM "{table}" LIMIT 1')[0]
        world.insert_many(table, [{**row, **changes, key: name} for name in names])

    inside(running, vendor, work)
