"""Delivery: goods or a service on their way to the customer, or back (UBL DespatchAdvice)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from isthmus.model.money import Value
from isthmus.model.party import PartySnapshot
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Day, Instant, LineId, Text
from isthmus.model.values import Canonical, Link, Period, Quantity


class DeliveryLine(Value):
    """So much of one order line (UBL DespatchLine)."""

    id: LineId
    order: Link
    order_line: LineId
    product: Link | None = None
    quantity: Quantity
    outstanding_quantity: Quantity | None = None
    outstanding_reason: Text | None = None
    serials: tuple[Code, ...] = ()
    lot: Code | None = None
    expiry_date: Day | None = None


class PackedLine(Value):
    """How much of a delivery line is in a package."""

    line: LineId
    quantity: Quantity


class Package(Value):
    """One parcel or pallet with its own tracking."""

    id: Code
    tracking_number: Code | None = None
    tracking_url: Code | None = None
    carrier: Code | None = None
    """SCAC or name."""
    weight: Quantity | None = None
    lines: tuple[PackedLine, ...] = ()


class Delivery(Canonical):
    """One shipment. It may go back from shipped to planned, when the goods issue is reversed, with a new event."""

    object_word: ClassVar[str] = "delivery"

    number: Code
    kind: Literal["outbound", "return", "drop_ship", "service"]
    ship_from: PartySnapshot | None = None
    ship_to: PartySnapshot
    sold_to: Link | None = None
    planned_ship_date: Day | None = None
    shipped_at: Instant | None = None
    estimated_delivery: Period | None = None
    delivered_at: Instant | None = None
    lines: Annotated[tuple[DeliveryLine, ...], Field(min_length=1)]
    packages: tuple[Package, ...] = ()
    status: Literal[
        "planned", "picking", "packed", "shipped", "in_transit", "delivered", "lost", "returned", "cancelled"
    ]

    @model_validator(mode="after")
    def _sound(self) -> Delivery:
        found = Findings("Delivery")
        if self.status in ("shipped", "in_transit", "delivered", "lost", "returned"):
            found.need(self.shipped_at, "shipped_at", when=f"status is {self.status}")
        if self.status == "delivered":
            found.need(self.delivered_at, "delivered_at", when="status is delivered")
        keys = [line.id for line in self.lines]
        for index, line in enumerate(self.lines):
            if keys.count(line.id) > 1:
                found.add("lines", index, "id", value=line.id, expected="an id that no other line has")
            if line.quantity.value <= 0:
                found.add("lines", index, "quantity", "value", value=line.quantity.value, expected="greater than 0")
        for number, package in enumerate(self.packages):
            for index, packed in enumerate(package.lines):
                if packed.line not in keys:
                    found.add(
                        "packages", number, "lines", index, "line", value=packed.line, expected="the id of a line"
                    )
        found.check()
        return self
