"""SAP's goods movements through the runtime: what changes a stock is told, once, to whoever waits for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import customer_of, order_of

from isthmus.connectivity.system_api import erp
from isthmus.orchestration.poll import Poller
from isthmus.store.messages import Wake


class _Worker:
    holder = "tester"

    def wake(self) -> None:
        """Nobody works here."""


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    async with asking(tmp_path, running, {"erp": "sap_s4hana"}) as asker:
        yield asker


async def test_goods_movements_tell_of_stock_once_each(ask: Asker, running: RunningSandbox) -> None:
    poller, channel = Poller(ask.engine, _Worker()), ask.release.connections["sap"].connector.inbound["goods_movements"]
    before = await poller.poll("sap", "goods_movements", channel)
    account = running.company.accounts[0]
    await ask.change(erp.ensure_customer, customer_of(account), key="K", unit=account.unit)
    asked = order_of(running.company, account, "PO-9", [("X-100", "1")])
    order = await ask.change(erp.create_order, asked, key="PO-9", unit=account.unit)
    for verb in ("deliver", "goods_issue"):
        running.desk(f"sap_s4hana/play/{verb}", {"order": order.number})
    running.desk("sap_s4hana/play/receive_stock", {"material": "X-113", "quantity": "5", "plant": "1710"})
    for news in (2, 0):
        ask.clock.advance(timedelta(minutes=1))
        assert await poller.poll("sap", "goods_movements", channel) == news, "the overlap brings nothing twice"
    rows = (await ask.store.read(lambda tx: tx.rows("SELECT * FROM message ORDER BY id")))[before:]
    assert [row["subject"] for row in rows] == ["sap/A_Product/X-100", "sap/A_Product/X-113"]
    meant = [ask.engine.plan(row) for row in rows]
    assert meant == [[], [Wake("isthmus.stock.changed.v1", "X-113")]], "what leaves for a delivery was reserved before"
