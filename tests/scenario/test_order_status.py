"""What happened since, told to everyone: by line quantity, once for each change, the same however it is heard."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox

from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.system_api import crm, support
from isthmus.connectivity.system_api.operation import CustomerSearch, Search
from isthmus.model import Reference
from isthmus.orchestration.poll import Poller
from isthmus.store import calls, messages

_PROCESSES = "".join(
    f"  {name}:\n    blueprint: order_status@1\n" for name in ("customer-view", "case-view", "invoice-view")
)


def following(text: str) -> str:
    """The sample landscape, which also reads anew what was changed behind its back."""
    return text.replace("processes:\n", f"processes:\n{_PROCESSES}", 1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


class Followed(House):
    """A house that polls when it is told to, so that a test decides what is heard of what happened."""

    def __init__(self, sandbox: RunningSandbox, folder: Path) -> None:
        super().__init__(sandbox, folder, change=following, polls=False)

    async def hear(self, *channels: str) -> None:
        """Poll SAP now, and let everything be played that came."""
        poller = Poller(self.engine, self.workers[0])
        for name in channels or ("orders", "deliveries", "billing_documents"):
            self.clock.advance(self.release.connections["sap"].connector.inbound[name].every * 2)
            await poller.poll("sap", name, self.release.connections["sap"].connector.inbound[name])
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is new and nothing is played."""
        for _ in range(600):
            busy = await self.rows(
                "SELECT id FROM message WHERE state = 'new' UNION ALL SELECT 1 FROM run WHERE owner IS NOT NULL OR state = 'ready'"
            )
            if not busy:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"still busy: {await self.rows('SELECT id, state, problem FROM run')}")

    async def played(self, verb: str, **given: str) -> Any:
        return await self.desk(f"sap_s4hana/play/{verb}", given)

    async def reported(self, number: str) -> crm.OrderReport:
        """What stands at an opportunity."""
        ask = Asking(self.release, "emea")
        found: crm.OrderReport = await self.engine.reader.read(ask, crm.read_order_report, Search(number=number))
        return found

    async def at_desk(self, key: str) -> Mapping[str, Any]:
        """What stands at the desk's organization with the key of an account."""
        ask, search = Asking(self.release, "emea"), CustomerSearch(account_key=key)
        (found,) = await self.engine.reader.read(ask, support.search_customers, search)
        standing: Mapping[str, Any] = found.extensions
        return standing

    async def notes(self, ticket: Any) -> list[str]:
        """The internal notes of a ticket, oldest first."""
        ask = Asking(self.release, "emea")
        found = await self.engine.reader.read(
            ask, support.read_case, Reference(connection="zendesk", type="Ticket", id=str(ticket["ticket"]))
        )
        return [each.text for each in found.messages if not each.public]

    async def again(self, order: str) -> None:
        """Have an order told once more, as if an event came again or late."""
        message = messages.NewMessage(f"again-{uuid.uuid4()}", f"A_SalesOrder/{order}", None, None, {})
        row = calls.call_row("sap", "orders", b"", self.clock())
        await self.store.write(lambda tx: messages.store_call(tx, row, [message]))
        self._wake()
        await self.quiet()

    async def writes(self, operation: str) -> int:
        rows = await self.rows("SELECT sum(sends) AS n FROM effect WHERE operation = :name", name=operation)
        return rows[0]["n"] or 0


async def ordered(house: Followed, number: str) -> str:
    await house._listen()
    await house.win(number)
    run = await house.until(number, "done", timeout_s=60)
    return str(
        (
            await house.rows(
                "SELECT reference_number FROM effect WHERE operation = 'create_order' AND run_id = :r", r=run["id"]
            )
        )[0]["reference_number"]
    )


async def test_each_change_is_told_once_by_line_quantity(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with Followed(sandbox, tmp_path) as house:
        order = await ordered(house, "OPP-1001")
        ticket = await house.desk("zendesk/play/open_ticket", {
            "customer": "C-1001",
            "email": sandbox.company.account("C-1001").people[0].email,
            "subject": f"Where is order {order}?",
            "body": "We wait for it.",
        })  # fmt: skip
        await house.hear()
        told = await house.reported("OPP-1001")
        assert (told.status, told.order_number) == ("confirmed", order)
        assert told.next_date is not None
        desk = await house.at_desk("C-1001")
        assert desk["open_orders"] == f"{order} confirmed, next {told.next_date}"
        assert desk["next_delivery"] == told.next_date.isoformat()

        delivery = (await house.played("deliver", order=order, item="10", quantity="15"))["delivery"]
        await house.played("goods_issue", delivery=delivery, carrier="DHL", tracking="JD0146")
        await house.hear()
        told = await house.reported("OPP-1001")
        assert told.status == "partly shipped"
        assert told.note is not None and "X-126: 15 of 40 shipped" in told.note and "DHL JD0146" in told.note
        notes = await house.notes(ticket)
        assert notes[-1].startswith(f"Order {order}: partly shipped. X-126: 15 of 40 shipped")

        written = await house.writes("report_order"), await house.writes("report_standing"), len(notes)
        for _ in range(3):  # heard again, and what we wrote ourselves comes back
            await house.again(order)
        assert written == (
            await house.writes("report_order"), await house.writes("report_standing"), len(await house.notes(ticket))
        )  # fmt: skip

        await house.played("reverse_goods_issue", delivery=delivery)
        await house.again(order)
        told = await house.reported("OPP-1001")
        assert told.status == "confirmed", "what went back is told too"
        await house.played("goods_issue", delivery=delivery)
        await house.played("prove_delivery", delivery=delivery)
        await house.again(order)
        assert "X-126: 15 of 40 delivered" in str((await house.reported("OPP-1001")).note)


async def test_an_invoice_is_told_and_again_when_it_is_overdue(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with Followed(sandbox, tmp_path) as house:
        order = await ordered(house, "OPP-1002")
        await house.played("deliver", order=order)
        await house.played("goods_issue", order=order)
        await house.played("billing_run", order=order)
        await house.hear()
        told = await house.reported("OPP-1002")
        assert told.note is not None and " open " in told.note and "overdue" not in told.note
        key = next(each.account for each in sandbox.company.opportunities if each.number == "OPP-1002")
        desk = await house.at_desk(key)
        assert desk["open_amount"] and "overdue_amount" not in desk
        (waiting,) = await house.rows("SELECT state, due_at FROM run WHERE process = 'invoice-status'")
        assert waiting["state"] == "waiting" and waiting["due_at"]
        house.clock.advance(timedelta(days=60))
        for worker in house.workers:
            worker.wake()
        for _ in range(400):
            (run,) = await house.rows("SELECT state FROM run WHERE process = 'invoice-status'")
            if run["state"] == "done":
                break
            await asyncio.sleep(0.05)
        assert run["state"] == "done"
        told, desk = await house.reported("OPP-1002"), await house.at_desk(key)
        assert told.note is not None and "overdue" in told.note
        assert desk["overdue_amount"] == desk["open_amount"]
