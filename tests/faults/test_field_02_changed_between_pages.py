"""Field test 2: rows that come and change while a list is read page by page make no other row be passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, asking
from tests.support.inside import copies, inside
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import SapCaller
from tests.support.ways_in import poll

from isthmus.connectivity.transport.answer import Answer, Call
from isthmus.sandkit.world import World

#: pages of 100 there
STANDING = [f"7{number:09}" for number in range(350)]
FRESH = [f"8{number:09}" for number in range(5)]


def stamped(running: RunningSandbox) -> None:
    """Orders changed one after the other, a millisecond apart, within the last ten minutes."""
    now = int(running.clock.timestamp() * 1000)
    copies(running, "sap_s4hana", "A_SalesOrder", "SalesOrder", STANDING)

    def stamp(world: World) -> None:
        for at, number in enumerate(STANDING):
            world.update("A_SalesOrder", {"LastChangeDateTime": now - 600_000 + at}, {"SalesOrder": number})

    inside(running, "sap_s4hana", stamp)


def between_pages(ask: Asker, connection: str, act: Any) -> None:
    """Have something happen at the vendor after the first page was answered."""
    wire = ask.engine.connections[connection]
    send, pages = wire.send, []

    async def sending(call: Call, **more: Any) -> Answer:
        answer = await send(call, **more)
        pages.append(call.path)
        if len(pages) == 1:
            act()
        return answer

    wire.send = sending  # type: ignore[method-assign]


@pytest.mark.parametrize("what", ["touched", "made"])
async def test_no_row_is_passed_over(what: str, tmp_path: Path) -> None:
    with RunningSandbox(["sap_s4hana"]) as running:
        SapCaller(running).order("FIRST", ("S-108", "1"))
        stamped(running)

        def change() -> None:
            """Forty rows of the first page go to the end of the list; or five new ones come into what was read."""
            now = int(running.clock.timestamp() * 1000)

            def touch(world: World) -> None:
                for number in STANDING[:40]:
                    world.update("A_SalesOrder", {"LastChangeDateTime": now}, {"SalesOrder": number})

            if what == "touched":
                inside(running, "sap_s4hana", touch)
            else:
                copies(running, "sap_s4hana", "A_SalesOrder", "SalesOrder", FRESH, LastChangeDateTime=now - 599_990)

        async with asking(tmp_path, running, {"erp": "sap_s4hana"}) as ask:
            between_pages(ask, "sap", change)
            await poll(ask, "sap", "orders")
            rows = await ask.store.read(lambda tx: tx.rows("SELECT subject FROM message"))
            seen = [row["subject"].rpartition("/")[2] for row in rows]
            assert set(STANDING) <= set(seen)
            told_again = {number for number in seen if seen.count(number) > 1}
            assert told_again == (set(STANDING[:40]) if what == "touched" else set()), "a change is news, a row is not"
