"""What the support desk sees of a customer: the shapes of its answer, with who may see which field."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from isthmus.gateway.experience.field_access import seen_with
from isthmus.gateway.shapes import Shown
from isthmus.model import Money
from isthmus.model.scalars import Day

FINANCE = "finance:read"


class PersonSeen(Shown):
    """Somebody at the customer."""

    name: str
    email: str | None = None
    phone: str | None = None
    job_title: str | None = None


class CustomerSeen(Shown):
    """Who the customer is."""

    id: str = Field(examples=["customer_5R3WC62TVKGRZJCV1H4HG19K25"])
    number: str | None = Field(None, examples=["17100001"])
    name: str = Field(examples=["Acme Solar GmbH"])
    business_unit: str = Field(examples=["emea"])
    status: str = Field(examples=["active"])
    website: str | None = None
    people: list[PersonSeen] = []
    tax_numbers: list[str] = seen_with(FINANCE, [])


class CreditSeen(Shown):
    """Whether the customer may buy, and what is open."""

    status: Literal["free", "blocked"]
    blocks: list[str] = Field([], examples=[["order: credit"]])
    open: list[Money] = Field([], description="of all invoices, a sum for each currency")
    overdue: list[Money] = []
    limit: Money | None = seen_with(FINANCE)
    exposure: Money | None = seen_with(FINANCE)
    payment_terms: str | None = seen_with(FINANCE)


class LineSeen(Shown):
    """A line of an order, by quantity; all quantities are in ``unit``."""

    line: int
    product: str | None = Field(None, examples=["X-100"])
    name: str
    unit: str = Field(examples=["C62"])
    ordered: Decimal
    confirmed: Decimal | None = None
    back_ordered: Decimal
    shipped: Decimal
    delivered: Decimal
    cancelled: Decimal
    invoiced: Decimal
    next_date: Day | None = Field(None, description="when more of it is to leave")
    status: str = Field(description="derived from the quantities", examples=["partly_shipped"])


class PackageSeen(Shown):
    """A parcel."""

    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None


class DeliverySeen(Shown):
    """What left for an order."""

    number: str = Field(examples=["80000001"])
    status: str = Field(examples=["shipped"])
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    planned_ship_date: Day | None = None
    packages: list[PackageSeen] = []


class OrderSeen(Shown):
    """An order with what became of it."""

    number: str | None = Field(None, examples=["4500002"])
    request_number: str = Field(examples=["OPP-1002"])
    purchase_order_number: str | None = None
    date: Day
    total: Money | None = None
    status: str = Field(examples=["in_fulfilment"])
    fulfilment: str = Field(examples=["partial"])
    billing: str = Field(examples=["none"])
    holds: list[str] = []
    next_date: Day | None = Field(None, description="when more of it is to leave")
    lines: list[LineSeen]
    deliveries: list[DeliverySeen] = []


class BankSeen(Shown):
    """How an invoice is paid."""

    means: str | None = Field(None, description="UNCL 4461", examples=["58"])
    iban: str | None = None
    mandate: str | None = None


class InvoiceSeen(Shown):
    """An invoice with what is open."""

    number: str | None = Field(None, examples=["SONN-0001"])
    legal_number: str | None = Field(None, description="the ledger's, where another system asks for the money")
    order: str | None = Field(None, examples=["4500002"])
    date: Day
    due_date: Day | None = None
    total: Money
    open: Money | None = None
    status: Literal["draft", "open", "partly_paid", "overdue", "paid", "void", "uncollectible"]
    document_url: str | None = None
    bank: BankSeen | None = seen_with(FINANCE)


class EntitlementSeen(Shown):
    """What support the customer may ask for."""

    plan: str = Field(examples=["gold"])
    until: Day | None = None
    status: str = Field(examples=["active"])
    order: str | None = None


class CaseSeen(Shown):
    """A running case."""

    number: str = Field(examples=["35436"])
    subject: str
    status: str = Field(examples=["open"])
    priority: str = Field(examples=["normal"])
    kind: str | None = None
    opened_at: datetime | None = None
    changed_at: datetime | None = None
    about: list[str] = Field([], description="orders and invoices that it names", examples=[["order 4500002"]])


class DisputeSeen(Shown):
    """A quarrel about money that is not over."""

    kind: Literal["billing", "chargeback"]
    about: str | None = Field(None, examples=["SONN-0001"])
    amount: Money | None = None
    reason: str | None = None
    case: str | None = None


class PartSeen(Shown):
    """How fresh a part is. With ``unavailable`` it could not be asked now, and is stale since ``stale_since``."""

    role: str = Field(examples=["erp"])
    as_of: datetime | None = None
    unavailable: str | None = Field(None, examples=["no answer within 800 ms"])
    stale_since: datetime | None = None


class CustomerView(Shown):
    """Everything about one customer; ``sources`` says of each part how fresh it is."""

    customer: CustomerSeen
    credit: CreditSeen
    orders: list[OrderSeen] = Field(description="those that are open, then the last ones")
    invoices: list[InvoiceSeen]
    entitlements: list[EntitlementSeen]
    cases: list[CaseSeen]
    disputes: list[DisputeSeen]
    sources: dict[str, PartSeen]


class Candidate(Shown):
    """One of several customers that were found."""

    id: str
    name: str | None = None


# Version 1 ----------------------------------------------------------------------------------------


class OrderSeenV1(Shown):
    """An order in one word, which hides what left in part; the reason for version 2."""

    number: str | None = Field(None, examples=["4500002"])
    state: str = Field(examples=["confirmed"])


class InvoiceSeenV1(Shown):
    """An invoice in one word."""

    number: str | None = None
    total: Money
    state: str = Field(examples=["open"])


class EntitlementSeenV1(Shown):
    """The one entitlement that ends last."""

    plan: str
    until: Day | None = None


class PartSeenV1(Shown):
    """How fresh a part is."""

    as_of: datetime | None = None
    unavailable: str | None = None
    last_known: datetime | None = None


class CustomerViewV1(Shown):
    """Version 1: one word for each document."""

    customer: CustomerSeen
    orders: list[OrderSeenV1]
    invoices: list[InvoiceSeenV1]
    entitlement: EntitlementSeenV1 | None = None
    sources: dict[str, PartSeenV1]
