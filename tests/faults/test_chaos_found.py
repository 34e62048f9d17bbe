"""What chaos has found, each in its smallest form."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.test_order_status import Followed, ordered
from tests.support import tampering
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole

from isthmus.orchestration import parked


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


def quick(text: str) -> str:
    """The sample landscape with vendors that work and settle within half a second."""
    lines = [line for line in text.splitlines() if not line.startswith("    deadline:")]
    return "\n".join(line.replace("    settle: 3s", "    deadline: 300ms\n    settle: 200ms") for line in lines) + "\n"


async def looked_at(w: Whole, run_id: str, timeout_s: float = 15) -> list[dict[str, Any]]:
    """The run's effects once nothing of them is to be looked at any more."""
    for _ in range(int(timeout_s / 0.1)):
        rows = await w.effects(run_id)
        if all(row["look_at"] is None for row in rows):
            return rows
        await asyncio.sleep(0.1)
    raise AssertionError("effects were not looked at in time")


async def test_the_only_invoice_is_not_taken_for_a_second_one(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a sequence that went out under a second key is looked at; what it made is the one to keep."""
    async with Whole(sandbox, tmp_path, monkeypatch, change=quick) as w:
        await w.faults({"kind": "cut_before", "vendor": "stripe", "operation": "POST */v1/invoices", "times": 2})
        await w.win("OPP-1001")
        run = await w.until("OPP-1001", "done")
        rows = await looked_at(w, run["id"])
        assert any(row["part"] == "draft" and row["attempt"] > 1 and row["looks"] for row in rows), "nothing to look at"
        invoices = await w.books("stripe", "invoice", "OPP-1001")
        assert [invoice["living"] for invoice in invoices] == [True]
        assert "isthmus.effect.repaired.v1" not in await w.events(run["id"])


async def test_a_customer_that_landed_too_late_is_retired(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond deadline and settle nobody expects it: the second one loses our key and is blocked, the first stays."""
    async with Whole(sandbox, tmp_path, monkeypatch, change=quick) as w:
        late = {"kind": "late", "vendor": "sap_s4hana", "operation": "POST */A_BusinessPartner", "times": 1}
        await w.faults({**late, "delay_s": 0.7})
        await w.win("OPP-1007")  # whose customer only the CRM knows yet
        run = await w.until("OPP-1007", "done")
        await looked_at(w, run["id"])
        customers = [row for row in await w.books("sap_s4hana", "customer") if row["id"] > "17100100"]
        assert sorted((bool(row["key"]), row["living"]) for row in customers) == [(False, False), (True, True)]
        assert "isthmus.effect.repaired.v1" in await w.events(run["id"])


async def test_a_second_order_that_was_reversed_is_not_told_to_anybody(sandbox: RunningSandbox, tmp_path: Path) -> None:
    """It has the same request number, and changes later than the first: what stands is told, not what came last."""
    async with Followed(sandbox, tmp_path) as house:
        first = await ordered(house, "OPP-1002")
        await house.hear()
        erp = {"base_url": sandbox.base_url("sap_s4hana"), **sandbox.credentials("sap_s4hana")}
        second = await asyncio.to_thread(tampering.double, erp, first)
        await house.hear()
        await asyncio.to_thread(tampering.reject, erp, second)
        await house.hear()
        told = await house.reported("OPP-1002")
        assert (told.order_number, told.status) == (first, "confirmed")
        assert await house.rows("SELECT title FROM exception WHERE state = 'open'") == []


async def test_a_cancelled_order_is_not_told_over_the_one_that_came_after_it(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Won again, a quote has another order; news of the first, however late, say nothing of the second."""
    async with Followed(sandbox, tmp_path) as house:
        first = await ordered(house, "OPP-1003")
        run = await house.until("OPP-1003", "done")
        await parked.cancel(house.store, run["id"], who="clerk")
        house._wake()
        await house.until("OPP-1003", "undone")
        await house.desk("salesforce/play/reopen", {"opportunity": "OPP-1003"})
        await house.win("OPP-1003")
        await house.until("OPP-1003", "done", timeout_s=60, generation=2)
        second = (await house.reported("OPP-1003")).order_number
        assert second != first
        await house.again(first)
        assert (await house.reported("OPP-1003")).order_number == second
