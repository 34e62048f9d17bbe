"""How an order stands in words, and that everyone ends with the same truth whoever tells it when."""

from __future__ import annotations

import itertools
from collections.abc import Coroutine, Generator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.asking import _migrated
from tests.support.sales import order_of

from isthmus import crm
from isthmus.blueprints.order_status.process import Truth, in_crm, report_of
from isthmus.blueprints.order_status.standing import next_date, order_word, sentence
from isthmus.model import Delivery, Order, Reference
from isthmus.sandkit.company import build
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.visibility.read_model import ReadModel

COMPANY = build()
TODAY = date(2026, 11, 23)
HERE = Reference(connection="erp", type="Order", id="4711", number="4711")


def an_order(*lines: dict[str, str], **changes: Any) -> Order:
    """An order of two lines, five and four pieces, with these counts; each is promised for December."""
    made = order_of(
        COMPANY, COMPANY.accounts[0], "OPP-1", [("X-100", "5"), ("X-113", "4")], percent="19", source=HERE, **changes
    )
    counted = []
    for line, counts in zip(made.lines, lines, strict=False):
        promised = {
            "id": "1",
            "quantity": str(line.ordered - Decimal(counts.get("cancelled", "0"))),
            "confirmed_date": "2026-12-01",
        }
        schedule = [
            {
                **promised,
                "confirmed_quantity": counts.get("confirmed", str(line.ordered)),
                "delivered_quantity": counts.get("shipped", "0"),
            }
        ]
        more = {"schedule": schedule if Decimal(promised["quantity"]) else []}
        counted.append({**line.model_dump(mode="json"), "confirmed": str(line.ordered), **counts, **more})
    return Order.model_validate({**made.model_dump(mode="json"), "lines": counted})


def a_delivery(line: str, quantity: str, status: str = "delivered") -> Delivery:
    """A delivery of a line."""
    at = "2026-11-24T09:00:00Z"
    return Delivery.model_validate({
        "business_unit": "emea", "number": "8001", "kind": "outbound", "ship_to": {"name": "Acme"}, "status": status,
        "shipped_at": at, "delivered_at": at,
        "lines": [{"id": "10", "order": {"kind": "order", "number": "4711"}, "order_line": line, "quantity": {"value": quantity, "unit": "C62"}}],
        "packages": [{"id": "1", "carrier": "DHL", "tracking_number": "JD01"}],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "deliveries", "word"),
    [
        ({}, {}, [], "confirmed"),
        ({"confirmed": "0"}, {"confirmed": "0"}, [], "back-ordered"),
        ({"confirmed": "2"}, {}, [], "partly back-ordered"),
        ({"shipped": "3"}, {}, [], "partly shipped"),
        ({"shipped": "5"}, {"shipped": "4"}, [], "shipped"),
        ({"shipped": "5"}, {"cancelled": "4", "confirmed": "0"}, [], "shipped"),
        ({"cancelled": "5", "confirmed": "0"}, {"cancelled": "4", "confirmed": "0"}, [], "cancelled"),
        ({"shipped": "5"}, {"shipped": "4"}, [a_delivery("10", "5")], "partly delivered"),
        ({"shipped": "5"}, {"cancelled": "4", "confirmed": "0"}, [a_delivery("10", "5")], "delivered"),
        ({"shipped": "5"}, {"cancelled": "4", "confirmed": "0"}, [a_delivery("10", "5", "shipped")], "shipped"),
    ],
)  # fmt: skip
def test_the_word_comes_from_line_quantities(
    first: dict[str, str], second: dict[str, str], deliveries: list[Delivery], word: str
) -> None:
    assert order_word(an_order(first, second), deliveries) == word


def test_a_hold_is_said_and_the_sentence_names_what_differs() -> None:
    held = an_order({}, {}, holds=[{"kind": "credit", "reason": "credit check not passed"}])
    assert order_word(held, []) == "held"
    assert sentence(held, [], [], TODAY).startswith("held: credit check not passed; X-100: 5 confirmed")
    order = an_order({"shipped": "3"}, {"confirmed": "1"})
    assert sentence(order, [a_delivery("10", "3")], [], TODAY) == (
        "X-100: 3 of 5 delivered; X-113: 3 back-ordered; DHL JD01"
    )
    assert next_date(order) == date(2026, 12, 1)
    assert next_date(an_order({"shipped": "5"}, {"shipped": "4"})) is None


# Everyone ends with the same truth ----------------------------------------------------------------

LIFE = [
    an_order({"confirmed": "0"}, {}),
    an_order({}, {}),
    an_order({"shipped": "3"}, {}),
    an_order({"shipped": "5"}, {"shipped": "4"}),
    an_order({"shipped": "3"}, {}),  # a goods issue was reversed
    an_order({"shipped": "5"}, {"cancelled": "4", "confirmed": "0"}),
]  # fmt: skip


@coroutine
def _let_others() -> Generator[None, None, None]:
    yield


class World:
    """An ERP that goes through a life, and a CRM that is told; each step of a play lets others come between."""

    def __init__(self) -> None:
        self.truth, self.writes = 0, 0
        self.stands = crm.OrderReport(quote_id="q", request_number="OPP-1")

    async def step(self, what: Any, argument: Any, *, key: str, stays: str = "") -> Any:
        """A run's step."""
        await _let_others()
        if what is crm.read_order_report:
            return self.stands
        if what is crm.report_order:
            self.stands, self.writes = argument, self.writes + 1
            return None
        return Truth(order=LIFE[self.truth], deliveries=(), invoices=())

    async def life(self) -> None:
        """Go on to the end."""
        while self.truth < len(LIFE) - 1:
            await _let_others()
            self.truth += 1

    def report(self) -> crm.OrderReport:
        """What should stand now."""
        truth = Truth(order=LIFE[self.truth], deliveries=(), invoices=())
        return report_of(truth, TODAY).model_copy(update={"quote_id": "q"})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=60))
def test_whoever_tells_when_the_last_truth_stands(turns: list[int]) -> None:
    world = World()

    def play() -> Coroutine[Any, Any, Any]:
        return in_crm(world, HERE, TODAY, "")  # type: ignore[arg-type]

    alive: list[Coroutine[Any, Any, Any]] = [world.life(), play(), play()]
    while alive:
        turn = alive[turns.pop() % len(alive) if turns else 0]
        try:
            turn.send(None)
        except StopIteration:
            alive.remove(turn)
    last = play()  # the event of the last change is heard at the end, whatever came before
    with pytest.raises(StopIteration):
        while True:
            last.send(None)
    assert world.stands == world.report()
    before = world.writes
    again = play()
    with pytest.raises(StopIteration):
        while True:
            again.send(None)
    assert world.writes == before, "told again though nothing had changed"


async def test_two_plays_at_once_end_in_the_truth_of_after_both() -> None:
    """Every way in which two plays can come between each other after the last change."""
    for ways in itertools.combinations(range(14), 7):
        world = World()
        first, second = in_crm(world, HERE, TODAY, ""), in_crm(world, HERE, TODAY, "")  # type: ignore[arg-type]
        first.send(None)
        first.send(None)  # it has read the first truth
        world.truth = len(LIFE) - 1
        alive = {True: first, False: second}
        for at in range(40):
            turn = alive.get(at in ways) or next(iter(alive.values()), None)
            if turn is None:
                break
            try:
                turn.send(None)
            except StopIteration:
                alive = {name: each for name, each in alive.items() if each is not turn}
        assert not alive
        assert world.stands == world.report(), ways


async def test_in_any_order_the_read_model_ends_with_the_newest(tmp_path: Path) -> None:
    begun = datetime(2026, 11, 23, 10, tzinfo=UTC)
    versions = [
        order.model_copy(update={"changed_at": begun + timedelta(minutes=at), "id": "order_" + "0" * 26})
        for at, order in enumerate(LIFE[:5])
    ]
    database = tmp_path / "known.db"
    database.write_bytes(_migrated().read_bytes())
    store = Store(f"sqlite:///{database}")
    try:
        for ways in itertools.permutations(range(5)):
            known = ReadModel(store)
            for asked, at in enumerate(ways):  # asked for one after the other, each with a version that is late or not
                known.saw("erp", [versions[at], versions[at]], begun + timedelta(hours=1, seconds=asked))
            await store.write(lambda tx: None)
            (row,) = await known.objects("order_" + "0" * 26)
            assert row["changed_at"] == instant(begun + timedelta(minutes=4)), ways
            assert Order.model_validate_json(row["body"]) == versions[4]
            await store.write(lambda tx: tx.run("DELETE FROM known"))
    finally:
        store.close()


async def test_where_the_source_has_no_times_what_was_asked_for_later_wins(tmp_path: Path) -> None:
    database = tmp_path / "known.db"
    database.write_bytes(_migrated().read_bytes())
    store, begun = Store(f"sqlite:///{database}"), datetime(2026, 11, 23, 10, tzinfo=UTC)
    known, id_ = ReadModel(store), "order_" + "0" * 26
    try:
        for order, asked_s in ((LIFE[1], 2), (LIFE[0], 1)):  # the answer of the earlier question came late
            known.saw("erp", [order.model_copy(update={"id": id_})], begun + timedelta(seconds=asked_s))
        await store.write(lambda tx: None)
        (row,) = await known.objects(id_)
        assert Order.model_validate_json(row["body"]).lines == LIFE[1].lines
    finally:
        store.close()
