"""Product and Price: what can be sold, and for how much (UBL Item and Price)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from isthmus.model.codes import Country, UnitCode
from isthmus.model.money import Money, Value
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Day, Language, Name, SetOf, Text
from isthmus.model.tax import AllowanceCharge, UnitPrice
from isthmus.model.values import Canonical, Link, Period, Quantity


class Translation(Value):
    """Name and description in another language."""

    name: Name | None = None
    description: Text | None = None


class ProductUnit(Value):
    """An exact conversion: ``denominator`` of this unit are ``numerator`` base units (a box of 12: 12 and 1)."""

    unit: UnitCode
    numerator: Annotated[int, Field(ge=1)]
    denominator: Annotated[int, Field(ge=1)]
    uses: SetOf[Literal["sales", "purchase", "price"]] = ()
    gtin: Code | None = None


class Component(Value):
    """A part of a kit."""

    product: Link
    quantity: Quantity


class Orderable(Value):
    """What may be ordered at once."""

    min: Quantity | None = None
    max: Quantity | None = None
    multiple: Quantity | None = None


class Recurring(Value):
    """How a subscription or usage is billed: every ``count`` intervals; usage by a ``meter``."""

    interval: Literal["day", "week", "month", "year"]
    count: Annotated[int, Field(ge=1)] = 1
    meter: Code | None = None


class Dimensions(Value):
    """Of the packed product."""

    length: Quantity | None = None
    width: Quantity | None = None
    height: Quantity | None = None


class Product(Canonical):
    """Something that is sold. A variant is a product of its own that points to what it is a variant of."""

    object_word: ClassVar[str] = "product"

    number: Code
    """BT-155."""
    name: Name
    description: Text | None = None
    translations: dict[Language, Translation] = {}
    kind: Literal["goods", "service", "subscription", "usage", "kit", "fee", "discount"]
    """Decides delivery and billing."""
    status: Literal["planned", "active", "discontinued", "inactive"]
    successor: Link | None = None
    base_unit: UnitCode
    """The unit of stock."""
    units: tuple[ProductUnit, ...] = ()
    variant_of: Link | None = None
    attributes: dict[Name, Text] = {}
    components: tuple[Component, ...] = ()
    """Required of a kit."""
    priced_by: Literal["kit", "component"] | None = None
    identifiers: dict[Name, Code] = {}
    """``gtin``, ``mpn`` … to the identifier (BT-157)."""
    tax_class: Code | None = None
    """The landscape's class; input of the tax engine, never a rate."""
    tax_code: Code | None = None
    """The tax engine's own product code."""
    commodity_code: Code | None = None
    origin_country: Country | None = None
    weight: Quantity | None = None
    dimensions: Dimensions | None = None
    orderable: Orderable | None = None
    lead_time_days: Annotated[int, Field(ge=0)] | None = None
    recurring: Recurring | None = None
    """Required of a subscription and of usage."""

    @model_validator(mode="after")
    def _complete(self) -> Product:
        found = Findings("Product")
        if self.kind == "kit":
            found.need(self.components, "components", when="kind is kit")
        if self.kind in ("subscription", "usage"):
            found.need(self.recurring, "recurring", when=f"kind is {self.kind}")
        found.check()
        return self


class Tier(Value):
    """A price up to a quantity; the last tier has no end."""

    up_to: Quantity | None = None
    unit_price: UnitPrice | None = None
    flat: Money | None = None


class Price(Canonical):
    """One price of a product in a price list. Scales are several prices with a ``min_quantity`` each."""

    object_word: ClassVar[str] = "price"

    product: Link
    price_list: Code
    customer: Link | None = None
    price_group: Code | None = None
    unit_price: UnitPrice
    """Net, unless ``tax_included``."""
    unit: UnitCode | None = None
    min_quantity: Quantity | None = None
    validity: Period
    tiers: tuple[Tier, ...] = ()
    tier_mode: Literal["graduated", "volume"] | None = None
    tax_included: bool = False
    """True only in lists for consumers."""
    recurring: Recurring | None = None
    status: Literal["planned", "active", "ended"]

    @model_validator(mode="after")
    def _sound(self) -> Price:
        found = Findings("Price")
        if self.customer is not None and self.price_group is not None:
            found.add("price_group", value=self.price_group, expected="absent where a customer is given")
        if self.tiers:
            found.need(self.tier_mode, "tier_mode", when="tiers are given")
            for index, tier in enumerate(self.tiers):
                if (tier.up_to is None) != (index == len(self.tiers) - 1):
                    found.add("tiers", index, "up_to", value=tier.up_to, expected="given, except in the last tier")
                if tier.unit_price is None and tier.flat is None:
                    found.add("tiers", index, "unit_price", value=None, expected="given, or flat")
        found.check()
        return self


class PriceAnswer(Value):
    """The price for one customer, quantity and day, as its owner answers."""

    unit_price: UnitPrice
    allowances: tuple[AllowanceCharge, ...] = ()
    valid_until: Day | None = None
    price_list: Code | None = None
