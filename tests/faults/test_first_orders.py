"""Many first orders of one new customer at once, over four workers and the real stand-ins: one customer everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox

#: the CRM alone knows it
NEW = "C-1007"


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.mark.parametrize("most", [8, pytest.param(50, marks=pytest.mark.long)])
async def test_first_orders_at_once_make_one_customer_in_each_system(
    sandbox: RunningSandbox, tmp_path: Path, most: int
) -> None:
    name = sandbox.company.account(NEW).name
    async with House(sandbox, tmp_path, workers=4) as house:
        for worker in house.workers:
            worker.slots = most // 4  # so that none can take them all
        await house._listen()
        numbers = []
        for _ in range(most):
            sold = {"account": NEW, "product": "S-109", "quantity": "1"}
            numbers.append((await house.desk("salesforce/play/create_opportunity", sold))["number"])
        await house.desk("salesforce/play/win_many", {"opportunities": ",".join(numbers)})
        for number in numbers:
            await house.until(number, "done", timeout_s=120)
        assert all(worker.played for worker in house.workers), "not all workers have played"
        for vendor in ("sap_s4hana", "stripe", "zendesk"):
            there = [row for row in await house.books(vendor, "customer") if row["name"] == name]
            assert len(there) == 1, f"{vendor}: {there}"
        orders = await asyncio.gather(*(house.books("sap_s4hana", "order", number) for number in numbers))
        assert [len(found) for found in orders] == [1] * most
