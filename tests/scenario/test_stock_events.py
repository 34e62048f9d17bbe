"""Who waits for stock is woken by the ERP's goods movements, long before the daily question; extra wakes are harmless."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.polling import poll_now
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole, setting

from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    """The enterprise of a company that waits for stock: asked every day, for the default of 14 days."""
    with RunningSandbox() as sandbox:
        yield Whole(sandbox, tmp_path, monkeypatch, change=setting("shortage", "wait"))


async def looks(w: Whole, run: Row) -> int:
    """How often the run has asked the ERP whether it can have the order."""
    return len([call for call in await w.calls(run["id"]) if call["operation"] == "erp.simulate_order"])


async def after_look(w: Whole, key: str, number: int) -> Row:
    """The run as it waits again after so many looks."""
    for _ in range(600):
        run = await w.until(key, "waiting")
        if await looks(w, run) >= number:
            return await w.until(key, "waiting")
        await asyncio.sleep(0.03)
    raise AssertionError(f"{key} has looked {await looks(w, run)} times, not {number}")


async def receive(w: Whole, quantity: str, material: str = "X-113") -> None:
    """Goods arrive, and the poll that finds them."""
    await w.desk("sap_s4hana/play/receive_stock", {"material": material, "plant": "1710", "quantity": quantity})
    await poll_now(w, "sap", "goods_movements")


async def test_stock_that_arrives_lets_the_run_go_on_at_once(waiting: Whole) -> None:
    async with waiting as w:
        await w.win("OPP-1013")
        run = await w.until("OPP-1013", "waiting")
        assert "waits for stock of X-113" in run["problem"]
        assert run["due_at"] > instant(w.store.clock() + timedelta(hours=20)), "the clock asks tomorrow"
        await receive(w, "500")
        await w.until("OPP-1013", "done")
        (order,) = await w.books("sap_s4hana", "order", "OPP-1013")
        assert {line["product"]: line["confirmed"] for line in order["lines"]}["X-113"] == "11.000"


async def test_what_does_not_suffice_or_is_another_products_changes_nothing(waiting: Whole) -> None:
    async with waiting as w:
        await w.win("OPP-1013")
        run = await w.until("OPP-1013", "waiting")
        asked, tomorrow = await looks(w, run), moment(run["due_at"])
        await receive(w, "500", "X-101")
        assert (await w.until("OPP-1013", "waiting"))["wake"] == run["wake"], "another product's stock wakes nobody"
        for count in range(1, 4):
            await receive(w, "1")
            run = await after_look(w, "OPP-1013", asked + count)
            assert await looks(w, run) == asked + count, "one look for each"
        assert moment(run["due_at"]) == tomorrow, "extra looks do not push the daily question away"
        assert not await w.books("sap_s4hana", "order", "OPP-1013")
        await receive(w, "8")
        await w.until("OPP-1013", "done")
