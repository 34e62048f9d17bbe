"""Field test 3: more records of one timestamp than a page holds: the poll comes to its end, and each came once."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from tests.support.asking import asking
from tests.support.inside import copies, inside
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import SapCaller
from tests.support.ways_in import poll

from isthmus.sandkit.world import World

TICKETS, ORDERS = 2_500, 250  # pages of 1,000 and of 100


async def test_2500_tickets_of_one_second(tmp_path: Path) -> None:
    with RunningSandbox(["zendesk"]) as running:
        running.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "One of many"})
        second = int(running.clock.timestamp())

        def multiply(world: World) -> None:
            row = world.rows("SELECT * FROM ticket ORDER BY id DESC LIMIT 1")[0]
            body = json.loads(row["body"])
            for id_ in range(900_000, 900_000 + TICKETS):
                text = json.dumps({**body, "id": id_})
                world.insert("ticket", {**row, "id": id_, "generated": float(second), "body": text})

        inside(running, "zendesk", multiply)
        running.clock.advance(timedelta(seconds=61))
        async with asking(tmp_path, running, {"support": "zendesk"}) as ask:
            assert await poll(ask, "zendesk", "new_tickets") >= TICKETS
            rows = await ask.store.read(lambda tx: tx.rows("SELECT subject FROM message"))
            many = [row["subject"] for row in rows if row["subject"].startswith("zendesk/Ticket/9")]
            assert (len(many), len(set(many))) == (TICKETS, TICKETS)
            ask.clock.advance(timedelta(minutes=6))
            assert await poll(ask, "zendesk", "new_tickets") == 0
            (cursor,) = await ask.store.read(lambda tx: tx.rows("SELECT outcome FROM cursor"))
            assert cursor["outcome"] == "ok"


async def test_2500_organizations_of_one_second_and_some_later(tmp_path: Path) -> None:
    """They are exported by time alone: a page is whole to its last second, and the next one begins after it."""
    with RunningSandbox(["zendesk"]) as running:
        second = int(running.clock.timestamp())

        def multiply(world: World) -> None:
            row = world.rows("SELECT * FROM organization ORDER BY id DESC LIMIT 1")[0]
            body = json.loads(row["body"])
            for id_ in range(900_000, 900_000 + TICKETS + 30):
                later = max(0, id_ - 900_000 - TICKETS)
                text = json.dumps({**body, "id": id_, "name": f"Many {id_}"})
                own = {"id": id_, "name_key": f"many {id_}", "external_key": None, "generated": second + later + 0.0}
                world.insert("organization", {**row, **own, "body": text})

        inside(running, "zendesk", multiply)
        running.clock.advance(timedelta(seconds=120))
        async with asking(tmp_path, running, {"support": "zendesk"}) as ask:
            for new in (TICKETS + 30, 0):
                found = await poll(ask, "zendesk", "organizations")
                assert new <= found < new + 300, "and those of the seed"
                (cursor,) = await ask.store.read(lambda tx: tx.rows("SELECT outcome, said FROM cursor"))
                assert (cursor["outcome"], cursor["said"]) == ("ok", None)
                ask.clock.advance(timedelta(minutes=6))
            rows = await ask.store.read(lambda tx: tx.rows("SELECT subject FROM message"))
            many = [row["subject"] for row in rows if row["subject"].startswith("zendesk/Organization/9")]
            assert (len(many), len(set(many))) == (TICKETS + 30, TICKETS + 30)


async def test_250_orders_of_one_millisecond(tmp_path: Path) -> None:
    with RunningSandbox(["sap_s4hana"]) as running:
        SapCaller(running).order("FIRST", ("S-108", "1"))
        numbers = [f"7{number:09}" for number in range(ORDERS)]
        now = int(running.clock.timestamp() * 1000)
        copies(running, "sap_s4hana", "A_SalesOrder", "SalesOrder", numbers, LastChangeDateTime=now)
        async with asking(tmp_path, running, {"erp": "sap_s4hana"}) as ask:
            assert await poll(ask, "sap", "orders") >= ORDERS
            rows = await ask.store.read(lambda tx: tx.rows("SELECT subject FROM message"))
            many = [row["subject"] for row in rows if row["subject"].rpartition("/")[2] in numbers]
            assert (len(many), len(set(many))) == (ORDERS, ORDERS)
