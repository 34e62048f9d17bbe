"""Quantities are the state of an order; its words follow from them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.unit.model import model_examples as ex

from isthmus.model import Order, order_status, problems_of


def made(**counts: str) -> Order:
    return Order.model_validate(ex.confirmed(ex.order_line(**counts)))


@pytest.mark.parametrize(
    ("counts", "line", "order", "fulfilment", "billing"),
    [
        ({}, "open", "confirmed", "none", "none"),
        ({"confirmed": "0"}, "back_ordered", "confirmed", "none", "none"),
        ({"confirmed": "10"}, "confirmed", "confirmed", "none", "none"),
        ({"confirmed": "10", "allocated": "4"}, "allocated", "confirmed", "none", "none"),
        ({"shipped": "4"}, "partly_shipped", "in_fulfilment", "partial", "none"),
        ({"shipped": "10"}, "shipped", "in_fulfilment", "complete", "none"),
        ({"shipped": "6", "cancelled": "4"}, "shipped", "in_fulfilment", "complete", "none"),
        ({"shipped": "10", "delivered": "10"}, "delivered", "in_fulfilment", "complete", "none"),
        ({"shipped": "10", "invoiced": "4"}, "shipped", "in_fulfilment", "complete", "partial"),
        ({"invoiced": "10"}, "open", "in_fulfilment", "none", "complete"),
        ({"shipped": "10", "invoiced": "10"}, "shipped", "completed", "complete", "complete"),
        (
            {"shipped": "10", "returned": "10", "invoiced": "10", "credited": "10"},
            "returned",
            "completed",
            "complete",
            "none",
        ),
        (
            {"shipped": "10", "returned": "2", "invoiced": "10", "credited": "2"},
            "shipped",
            "completed",
            "complete",
            "complete",
        ),
        ({"shipped": "11", "invoiced": "11"}, "shipped", "completed", "over", "complete"),
        ({"shipped": "10", "invoiced": "12"}, "shipped", "completed", "complete", "over"),
        ({"cancelled": "10"}, "cancelled", "cancelled", "none", "none"),
    ],
)
def test_words_follow_from_quantities(
    counts: dict[str, str], line: str, order: str, fulfilment: str, billing: str
) -> None:
    found = made(**counts)
    assert (found.lines[0].status, found.status) == (line, order)
    assert (found.fulfilment_status, found.billing_status) == (fulfilment, billing)


def test_a_reversed_goods_issue_takes_the_words_back() -> None:
    assert made(shipped="10").status == "in_fulfilment"
    assert made(shipped="0").status == "confirmed"


def test_before_confirmation_whoever_sent_it_knows() -> None:
    order = Order.model_validate(ex.order())
    assert (order.status, order_status(order, submitted=True), order_status(order, rejected=True)) == (
        "draft",
        "submitted",
        "rejected",
    )


def test_one_open_line_keeps_an_order_open() -> None:
    done = ex.order_line(shipped="10", invoiced="10")
    order = Order.model_validate(ex.confirmed(done, ex.order_line() | {"id": "2"}))
    assert (order.status, order.fulfilment_status, order.billing_status) == ("in_fulfilment", "partial", "partial")
    cancelled = ex.order_line(cancelled="10") | {"id": "2"}
    assert Order.model_validate(ex.confirmed(done, cancelled)).status == "completed"


@pytest.mark.parametrize(
    ("counts", "field"),
    [
        ({"cancelled": "11"}, "cancelled"),
        ({"shipped": "4", "delivered": "5"}, "delivered"),
        ({"shipped": "4", "returned": "5"}, "returned"),
        ({"confirmed": "7", "cancelled": "4"}, "confirmed"),
        ({"invoiced": "1", "credited": "2"}, "credited"),
        ({"shipped": "-1"}, "shipped"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(**counts)
    assert [problem.field for problem in problems_of(caught.value)] == [f"lines[0].{field}"]


def test_schedule_lines_add_up() -> None:
    def scheduled(*quantities: str) -> Order:
        parts = [{"id": str(number), "quantity": each} for number, each in enumerate(quantities)]
        return Order.model_validate(ex.confirmed(ex.order_line(cancelled="1") | {"schedule": parts}))

    assert scheduled("4", "5").lines[0].schedule[1].quantity == 5
    with pytest.raises(ValidationError, match="add up to ordered less cancelled, which is 9"):
        scheduled("4", "4")


@given(st.integers(1, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_ordered_is_shipped_open_and_cancelled(
    ordered: int, shipped: int, cancelled: int, delivered: int, invoiced: int
) -> None:
    """O1, and the words agree with each other whatever the counts are."""
    cancelled, delivered = min(cancelled, ordered), min(delivered, shipped)
    line = ex.line(quantity=str(ordered), price="1", amount=str(ordered))
    counts = {"shipped": shipped, "cancelled": cancelled, "delivered": delivered, "invoiced": invoiced}
    order = Order.model_validate(ex.confirmed(line | counts))
    [found] = order.lines
    over = max(Decimal(0), shipped + cancelled - Decimal(ordered))
    assert found.ordered == shipped + found.open + cancelled - over
    assert (order.fulfilment_status == "over") == (over > 0)
    if order.status == "completed":
        assert found.open == 0
    if found.status == "cancelled":
        assert cancelled == ordered
