"""Document and Line: what quotes, orders, invoices and credit notes have in common.

Net unit prices are the truth; a document whose prices include tax says ``tax_basis: inclusive`` and each of its
lines then has ``tax_inclusive_amount`` too. Tax is calculated once per category and document, never per line. A
document's own arithmetic is checked when it is made: see ``amounts``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from isthmus.model.amounts import amount_findings
from isthmus.model.codes import Currency
from isthmus.model.money import Money, Value
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Count, Day, LineId, Name, Text
from isthmus.model.tax import AllowanceCharge, TaxCategory, TaxSubtotal, Totals, UnitPrice
from isthmus.model.values import Canonical, DeliveryTerms, Link, ObjectWord, PaymentTerms, Period, Quantity


class SourceLine(Value):
    """The line that a line came from: of a quote, an order, a delivery, a subscription."""

    kind: ObjectWord
    number: Code | None = None
    line: Code | None = None
    quantity: Count | None = None


class Line(Value):
    """One line of a document. ``id`` is its key from quote to credit note; ``position`` is order for people only."""

    id: LineId
    """BT-126. Unique in the document, never reused, at most 20 characters."""
    position: Annotated[int, Field(ge=1)]
    """10, 20, 30 …"""
    kind: Literal["item", "text", "charge"] = "item"
    """An item has a product; text and charge may do without."""
    parent_line: LineId | None = None
    """The kit or configurable item that this line is part of."""
    roll_up: Literal["included", "priced"] | None = None
    """Whether the parent's price includes this line; then it counts nothing in the sums."""
    product: Link | None = None
    customer_product_number: Code | None = None
    """BT-156."""
    name: Name
    """BT-153, frozen on the document."""
    description: Text | None = None
    note: Text | None = None
    quantity: Quantity
    """BT-129. Not zero."""
    unit_price: UnitPrice
    allowances: tuple[AllowanceCharge, ...] = ()
    line_extension_amount: Money
    """BT-131: net of the line. L2: rounded quantity times price, plus charges, less allowances."""
    tax_inclusive_amount: Money | None = None
    """Gross of the line; required where tax_basis is inclusive."""
    tax: TaxCategory | None = None
    tax_amount: Money | None = None
    """The line's share of the document's tax, informative."""
    period: Period | None = None
    """BT-134, BT-135: the time of a service."""
    source_lines: tuple[SourceLine, ...] = ()
    accounting_cost: Code | None = None
    """BT-133: the buyer's cost mark."""


class Document(Canonical):
    """The header that quotes, orders, invoices and credit notes share."""

    number: Code | None = None
    revision: Annotated[int, Field(ge=1)] = 1
    """Rises with every change after sending."""
    issue_date: Day
    """BT-2."""
    currency: Currency
    """BT-5: every amount of the document is in it."""
    buyer_reference: Code | None = None
    """BT-10."""
    purchase_order_number: Code | None = None
    """BT-13. The buyer's number; buyers repeat it."""
    payment_terms: PaymentTerms | None = None
    delivery_terms: DeliveryTerms | None = None
    requested_delivery: Period | None = None
    tax_basis: Literal["exclusive", "inclusive"] = "exclusive"
    lines: Annotated[tuple[Line, ...], Field(min_length=1)]
    allowances: tuple[AllowanceCharge, ...] = ()
    """Of the whole document."""
    tax_subtotals: tuple[TaxSubtotal, ...] = ()
    totals: Totals | None = None

    lines_may_take_back: ClassVar[bool] = False
    """Whether a line's quantity may be negative: a correction inside an invoice or credit note."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        found = Findings(type(self).__name__)
        self._check_lines(found)
        amount_findings(self, found)
        self._check(found)
        found.check()
        return self

    def _check(self, found: Findings) -> None:
        """What holds only for this kind of document."""

    def _check_lines(self, found: Findings) -> None:
        keys: set[str] = set()
        for index, line in enumerate(self.lines):
            if line.id in keys:
                found.add("lines", index, "id", value=line.id, expected="an id that no other line has")
            keys.add(line.id)
            if line.product is None and line.kind == "item":
                found.add("lines", index, "product", value=None, expected="a link, unless kind is text or charge")
            value, price = line.quantity.value, line.unit_price
            if value <= 0 and not (self.lines_may_take_back and value < 0):
                expected = "not 0" if self.lines_may_take_back else "greater than 0"
                found.add("lines", index, "quantity", "value", value=value, expected=expected)
            if price.base_quantity is not None and price.base_quantity.unit != line.quantity.unit:
                expected = f"{line.quantity.unit}, the unit of the line's quantity (Peppol R130)"
                field = ("lines", index, "unit_price", "base_quantity", "unit")
                found.add(*field, value=price.base_quantity.unit, expected=expected)
        for index, line in enumerate(self.lines):
            if line.parent_line is not None and (line.parent_line not in keys or line.parent_line == line.id):
                found.add("lines", index, "parent_line", value=line.parent_line, expected="the id of another line")
