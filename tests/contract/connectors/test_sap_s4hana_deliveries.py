"""SAP's deliveries through the runtime: what has left the house, what was proved, and what was taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import customer_of, order_of

from isthmus.connectivity.outbound.outcome import Park
from isthmus.connectivity.system_api import erp
from isthmus.connectivity.system_api.operation import Search
from isthmus.model import Delivery, Order


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture
async def ask(running: RunningSandbox, tmp_path: Path) -> AsyncIterator[Asker]:
    async with asking(tmp_path, running, {"erp": "sap_s4hana"}) as asker:
        yield asker


async def test_a_delivery_goes_out_is_proved_or_comes_back(ask: Asker, running: RunningSandbox) -> None:
    account = running.company.accounts[0]
    await ask.change(erp.ensure_customer, customer_of(account), key="K", unit=account.unit)
    asked = order_of(running.company, account, "OPP-D1", [("X-100", "5")])
    order: Order = await ask.change(erp.create_order, asked, key="OPP-D1", unit=account.unit)
    running.desk("sap_s4hana/play/deliver", {"order": order.number, "item": "10", "quantity": "3"})
    of_customer = Search(customer_number=account.number)

    async def read() -> Delivery:
        (found,) = await ask.read(erp.search_customer_deliveries, of_customer, unit=account.unit)
        return found

    planned = await read()
    assert (planned.status, planned.shipped_at, planned.packages) == ("planned", None, ())
    (line,) = planned.lines
    assert (line.order.number, line.order_line) == (order.number, "10")
    assert (line.quantity.value, line.quantity.unit) == (Decimal(3), "C62")
    assert planned.sold_to is not None and planned.sold_to.number == account.number

    issue = {"delivery": planned.number, "carrier": "DHL", "tracking": "JD0146"}
    running.desk("sap_s4hana/play/goods_issue", issue)
    shipped = await read()
    assert shipped.status == "shipped" and shipped.shipped_at is not None
    assert (shipped.shipped_at - ask.clock()).total_seconds() < 60
    assert [(p.carrier, p.tracking_number) for p in shipped.packages] == [("DHL", "JD0146")]
    running.desk("sap_s4hana/play/reverse_goods_issue", {"delivery": planned.number})
    assert (await read()).status == "picking"
    running.desk("sap_s4hana/play/goods_issue", {"delivery": planned.number})
    running.desk("sap_s4hana/play/prove_delivery", {"delivery": planned.number})
    proved = await read()
    assert proved.status == "delivered" and proved.delivered_at is not None

    (one,) = await ask.read(erp.search_customer_deliveries, Search(number=planned.number))
    assert one == proved
    assert await ask.read(erp.search_customer_deliveries, Search(customer_number="17199999")) == ()
    with pytest.raises(Park, match="search by the customer"):
        await ask.read(erp.search_customer_deliveries, Search(request_number="OPP-D1"))
