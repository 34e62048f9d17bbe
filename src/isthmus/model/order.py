"""Order: what a customer has bought, and how far it is (UBL Order and OrderResponse).

The quantities of the lines are the truth; every status word is derived from them and may go back when they do (a
goods issue that is reversed). Fulfilment, billing and holds are three axes, never one word.

How much over-delivery or over-billing is allowed is a tolerance of the landscape: the object states it (``over``) and
refuses only what cannot be, such as more delivered than shipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from isthmus.model.approval import Approval
from isthmus.model.document import Document, Line
from isthmus.model.money import Value
from isthmus.model.party import Partners, PartySnapshot
from isthmus.model.problems import Findings
from isthmus.model.quote import Opportunity
from isthmus.model.scalars import Code, Count, Day, Instant, LineId, Text
from isthmus.model.values import Link, Period

OrderStatus: TypeAlias = Literal[
    "draft", "submitted", "confirmed", "in_fulfilment", "completed", "cancelled", "rejected"
]
LineStatus: TypeAlias = Literal[
    "cancelled",
    "returned",
    "delivered",
    "shipped",
    "partly_shipped",
    "allocated",
    "confirmed",
    "back_ordered",
    "open",
]
Progress: TypeAlias = Literal["none", "partial", "complete", "over"]
_ZERO = Decimal(0)


class ScheduleLine(Value):
    """A part of a line at a time of its own, in the line's unit."""

    id: LineId
    quantity: Count
    requested_date: Day | None = None
    confirmed_date: Day | None = None
    confirmed_quantity: Count | None = None
    delivered_quantity: Count | None = None


class Hold(Value):
    """Why an order waits; independent of its status."""

    kind: Literal["credit", "price", "approval", "delivery", "billing", "export", "incomplete"]
    reason: Text | None = None
    since: Instant | None = None


class OrderLine(Line):
    """A line with what became of it. Each count is in the unit of ``quantity``, which is what was ordered."""

    confirmed: Count | None = None
    allocated: Count | None = None
    shipped: Count | None = None
    """Required once the order is confirmed, like ``cancelled`` and ``invoiced``."""
    delivered: Count | None = None
    returned: Count | None = None
    cancelled: Count | None = None
    invoiced: Count | None = None
    credited: Count | None = None
    schedule: tuple[ScheduleLine, ...] = ()
    cancel_reason: Code | None = None
    substitute_for: LineId | None = None
    warehouse: Code | None = None
    ship_to: PartySnapshot | None = None
    project: Code | None = None

    @property
    def ordered(self) -> Decimal:
        """The quantity, by the name it has among the counts."""
        return self.quantity.value

    @property
    def open(self) -> Decimal:
        """O1: ordered less shipped less cancelled; 0 where more was shipped."""
        return max(_ZERO, self.ordered - (self.shipped or _ZERO) - (self.cancelled or _ZERO))

    @property
    def status(self) -> LineStatus:
        """Derived from the counts."""
        return line_status(self)


class Order(Document):
    """An order to us. ``number`` is the seller's and stands from confirmation on; ``request_number`` is our own key.

    A change is a new ``revision`` until something is shipped or invoiced, after that an order of kind ``amendment``.
    """

    object_word: ClassVar[str] = "order"

    request_number: Code
    """Our business key, sent along so that the order can be looked up by it."""
    kind: Literal["standard", "rush", "free_of_charge", "return", "contract_release", "amendment"]
    validity: Period | None = None
    opportunity: Opportunity | None = None
    partners: Partners
    quote: Link | None = None
    contract: Link | None = None
    original_order: Link | None = None
    lines: Annotated[tuple[OrderLine, ...], Field(min_length=1)]
    complete_delivery: bool = False
    """All or nothing."""
    holds: tuple[Hold, ...] = ()
    reason_code: Code | None = None
    prices_valid_as_of: Day | None = None
    price_source: Literal["erp", "crm", "manual"] | None = None
    approvals: tuple[Approval, ...] = ()

    def _check(self, found: Findings) -> None:
        if self.kind == "amendment":
            found.need(self.original_order, "original_order", when="kind is amendment")
        for index, line in enumerate(self.lines):
            if self.number is not None and line.kind == "item":
                for name in ("shipped", "cancelled", "invoiced"):
                    if getattr(line, name) is None:
                        expected = 'given once the order has its number ("0" where nothing has happened)'
                        found.add("lines", index, name, value=None, expected=expected, rule="required")
            _check_counts(line, index, found)

    @property
    def status(self) -> OrderStatus:
        """Derived from the lines and the number; an order without a number is a draft (see ``order_status``)."""
        return order_status(self)

    @property
    def fulfilment_status(self) -> Progress:
        """How far the order is shipped."""
        return fulfilment_status(self.lines)

    @property
    def billing_status(self) -> Progress:
        """How far the order is invoiced."""
        return billing_status(self.lines)


def order_status(order: Order, *, submitted: bool = False, rejected: bool = False) -> OrderStatus:
    """The order in one word, from its lines and number.

    That it was submitted or rejected before confirmation is a fact of sending it, not of the order: whoever knows
    says so.
    """
    items = [line for line in order.lines if line.kind != "text"] or list(order.lines)
    if all(line.status == "cancelled" for line in items):
        return "cancelled" if order.number is not None or not rejected else "rejected"
    if order.number is None:
        return "rejected" if rejected else "submitted" if submitted else "draft"
    if all(line.open == 0 and _is_billed(line) for line in items):
        return "completed"
    moved = any((line.shipped or _ZERO) > 0 or (line.invoiced or _ZERO) > 0 for line in items)
    return "in_fulfilment" if moved else "confirmed"


def line_status(line: OrderLine) -> LineStatus:
    """The line in one word; the first that fits. Only quantities are compared, so it may go back."""
    ordered, shipped, cancelled = line.ordered, line.shipped or _ZERO, line.cancelled or _ZERO
    if cancelled == ordered:
        return "cancelled"
    if line.open == 0 and shipped > 0 and line.returned == shipped:
        return "returned"
    if line.delivered is not None and line.delivered >= ordered - cancelled:
        return "delivered"
    if line.open == 0:
        return "shipped"
    if shipped > 0:
        return "partly_shipped"
    if line.allocated:
        return "allocated"
    if line.confirmed:
        return "confirmed"
    return "back_ordered" if line.confirmed is not None else "open"


def fulfilment_status(lines: Iterable[OrderLine]) -> Progress:
    """none, partial, complete, or over where any line has more shipped than was ordered and not cancelled."""
    return _progress(
        (line.shipped or _ZERO, wanted, wanted)
        for line in lines
        if (wanted := line.ordered - (line.cancelled or _ZERO)) or line.shipped
    )


def billing_status(lines: Iterable[OrderLine]) -> Progress:
    """none, partial, complete (what was ordered less cancelled and returned is invoiced), or over (O2 is broken:
    more is invoiced than ordered less cancelled, and more than shipped less returned)."""
    return _progress(_billed(line) for line in lines)


def _is_billed(line: OrderLine) -> bool:
    billed, enough, _ = _billed(line)
    return billed >= enough


def _billed(line: OrderLine) -> tuple[Decimal, Decimal, Decimal]:
    returned = line.returned or _ZERO
    due = line.ordered - (line.cancelled or _ZERO)
    billed = (line.invoiced or _ZERO) - (line.credited or _ZERO)
    return billed, max(_ZERO, due - returned), max(due, (line.shipped or _ZERO) - returned)


def _progress(lines: Iterable[tuple[Decimal, Decimal, Decimal]]) -> Progress:
    """Of what was done, what makes it complete and what is the most, line by line."""
    counted = list(lines)
    if any(done > most for done, _, most in counted):
        return "over"
    if not any(done > 0 for done, _, _ in counted):
        return "none"
    return "complete" if all(done >= enough for done, enough, _ in counted) else "partial"


def _check_counts(line: OrderLine, index: int, found: Findings) -> None:
    """O1 and O2, as far as no tolerance of the landscape is asked. A count that is not known compares with nothing."""
    ordered = line.quantity.value
    wanted = ordered - line.cancelled if line.cancelled else ordered
    for name, value, most, what, rule in (
        ("cancelled", line.cancelled, ordered, "the quantity ordered", "O1"),
        ("confirmed", line.confirmed, wanted, "ordered less cancelled", "O1"),
        ("delivered", line.delivered, line.shipped, "shipped", "O1"),
        ("returned", line.returned, line.shipped, "shipped", "O1"),
        ("credited", line.credited, line.invoiced, "invoiced", "O2"),
    ):
        if value and most is not None and value > most:
            found.add("lines", index, name, value=value, expected=f"at most {what}, which is {most}", rule=rule)
    if line.schedule and (planned := sum((each.quantity for each in line.schedule), _ZERO)) != wanted:
        expected = f"parts that add up to ordered less cancelled, which is {wanted}"
        found.add("lines", index, "schedule", value=planned, expected=expected, rule="O1")
