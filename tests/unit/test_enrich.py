"""One read plan over several roles: side by side, under a deadline, and no part fails another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus import Found, Part, ReadPlan, Search, billing, enrich, erp, support
from isthmus.connectivity.outbound.outcome import Later, Park, ParkedWork
from isthmus.connectivity.system_api.operation import Operation
from isthmus.model import Reference

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
ORDER = Reference(connection="erp", type="Order", id="1")
SECOND = timedelta(seconds=1)


class Desk:
    """Answers operations by name, after a pause; a callable may raise. ``asked`` is what it was asked, in order."""

    def __init__(self, pause_s: float = 0, **answers: Any) -> None:
        self.answers, self.pause_s = answers, pause_s
        self.asked: list[tuple[str, Any]] = []

    async def __call__(self, operation: Operation[Any, Any], argument: Any) -> Any:
        self.asked.append((str(operation), argument))
        answer = self.answers[operation.name]
        if isinstance(answer, float):
            await asyncio.sleep(answer)
        await asyncio.sleep(self.pause_s)
        return answer(argument) if callable(answer) else answer


def raising(error: Exception) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        raise error

    return answer


def parked(title: str) -> Park:
    return Park(ParkedWork(title=title, error_class="down", mend="wait"))


async def test_parts_are_asked_side_by_side_and_in_order_where_one_needs_another() -> None:
    plan = ReadPlan(
        Part("order", erp.read_order, ORDER),
        Part("cases", support.search_cases, Search()),
        Part("invoices", billing.search_invoices, lambda known: Search(number=known["order"]), after=("order",)),
    )
    desk = Desk(0.1, read_order="4711", search_cases=("c",), search_invoices=("i",))
    begun = time.monotonic()
    found = await enrich(desk, plan, within=5 * SECOND, clock=lambda: NOW)
    assert time.monotonic() - begun < 0.29, "one after the other"
    assert found == {"order": Found("4711", NOW), "cases": Found(("c",), NOW), "invoices": Found(("i",), NOW)}
    assert desk.asked[-1] == ("billing.search_invoices", Search(number="4711"))


async def test_what_is_down_or_late_is_told_of_its_part_with_what_was_last_known() -> None:
    plan = ReadPlan(
        Part("order", erp.read_order, ORDER),
        Part("late", support.search_cases, Search()),
        Part("down", billing.read_invoice, ORDER),
        Part("later", billing.read_payment, ORDER),
        Part("after", billing.search_invoices, lambda known: known["down"], after=("down",)),
    )
    desk = Desk(
        read_order="4711",
        search_cases=30.0,
        read_invoice=raising(parked("It does not answer")),
        read_payment=raising(Later(NOW, "its gate is closed")),
    )
    before = {"late": Found(("old",), NOW - timedelta(hours=1))}
    found = await enrich(desk, plan, within=timedelta(milliseconds=50), before=before, clock=lambda: NOW)
    assert found["order"] == Found("4711", NOW)
    assert found["late"] == Found(("old",), NOW - timedelta(hours=1), "no answer within 50 ms")
    assert found["down"] == Found(None, None, "It does not answer")
    assert found["later"].unavailable == "its gate is closed"
    assert found["after"].unavailable == "it needs down: It does not answer"
    assert "billing.search_invoices" not in dict(desk.asked)


async def test_what_is_fresh_is_not_asked_again_and_feeds_what_comes_after() -> None:
    plan = ReadPlan(
        Part("order", erp.read_order, ORDER),
        Part("invoices", billing.search_invoices, lambda known: Search(number=known["order"]), after=("order",)),
    )
    desk = Desk(search_invoices=("i",))
    before = {"order": Found("4711", NOW - timedelta(seconds=50))}
    found = await enrich(desk, plan, within=SECOND, before=before, max_age=timedelta(minutes=1), clock=lambda: NOW)
    assert found["order"].as_of == NOW - timedelta(seconds=50)
    assert desk.asked == [("billing.search_invoices", Search(number="4711"))]
    desk.answers["read_order"] = "4712"
    found = await enrich(desk, plan, within=SECOND, before=before, clock=lambda: NOW)
    assert found["order"] == Found("4712", NOW), "older than 0 seconds is asked again"


async def test_several_arguments_are_one_answer_and_none_asks_nothing() -> None:
    both = [Search(number="1"), Search(number="2")]
    plan = ReadPlan(
        Part("orders", erp.search_orders, lambda known: both),
        Part("invoices", billing.read_invoice, lambda known: [ORDER, ORDER]),
        Part("nothing", billing.search_invoices, lambda known: None),
    )
    desk = Desk(search_orders=lambda a: (a.number, a.number), read_invoice=None)
    found = await enrich(desk, plan, within=SECOND)
    assert found["orders"].value == ("1", "1", "2", "2")
    assert found["invoices"].value == ()
    assert found["nothing"] == Found(None, found["nothing"].as_of) and found["nothing"].as_of is not None


async def test_a_part_that_is_needed_fails_the_whole_and_stops_the_rest() -> None:
    stopped = asyncio.Event()

    async def ask(operation: Operation[Any, Any], argument: Any) -> Any:
        if operation.name == "read_order":
            raise parked("It is down")
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    parts = Part("cases", support.search_cases, Search()), Part("order", erp.read_order, ORDER, needed=True)
    with pytest.raises(Park, match="It is down"):
        await enrich(ask, ReadPlan(*parts), within=60 * SECOND)
    assert stopped.is_set()
    slow = ReadPlan(Part("cases", support.search_cases, Search(), needed=True))
    with pytest.raises(Later, match="no answer within 20 ms") as later:
        await enrich(ask, slow, within=timedelta(milliseconds=20), clock=lambda: NOW)
    assert later.value.at > NOW


async def test_a_mistake_in_the_program_is_no_trouble_of_a_vendor() -> None:
    plan = ReadPlan(Part("order", erp.read_order, lambda known: known["missing"]))
    with pytest.raises(KeyError):
        await enrich(Desk(), plan, within=SECOND)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([Part("a", erp.read_order, ORDER), Part("a", erp.read_order, ORDER)], "two parts are called 'a'"),
        ([Part("a", erp.create_order, ORDER)], "writes"),
        ([Part("a", erp.read_order, ORDER, after=("b",)), Part("b", erp.read_order, ORDER)], "comes after b"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(parts: list[Part], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ReadPlan(*parts)
