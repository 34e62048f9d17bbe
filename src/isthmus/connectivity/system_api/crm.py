"""Customer relationship management: who may buy, what was quoted, and what became of it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from isthmus.connectivity.system_api.operation import CustomerSearch as CustomerSearch
from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.model import Customer, Link, Quote, Reference


class QuoteProgress(BaseModel):
    """What the salesperson sees of the quote's way. Absent fields stay as they are in the CRM."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quote: Reference
    quote_number: str
    status: Literal["in_progress", "waiting", "parked", "ordered", "invoiced", "paid", "cancelled"] | None = None
    note: str | None = None
    order_number: str | None = None
    order_status: str | None = None
    invoice_number: str | None = None
    legal_invoice_number: str | None = None
    payment_status: Literal["open", "paid", "failed", "void"] | None = None
    entitlement_until: date | None = None


class CustomerActivity(BaseModel):
    """Something that happened with a customer, for those who look after it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer: Link
    subject: str
    text: str = ""
    day: date
    """In the business unit's calendar."""


class OrderReport(BaseModel):
    """What became of an order, as the salesperson sees it. What is absent is not known any more, and is cleared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quote_id: str | None = None
    """The CRM's own."""
    request_number: str
    order_number: str | None = None
    status: str | None = None
    next_date: date | None = None
    note: str | None = None


read_quote: Operation[Reference, Quote] = Operation("crm", "read_quote", Reference, Quote)
search_quotes: Operation[Search, tuple[Quote, ...]] = Operation("crm", "search_quotes", Search, Quote, many=True)
read_customer: Operation[Link, Customer] = Operation("crm", "read_customer", Link, Customer)
#: a customer by the CRM's own id
read_account: Operation[Reference, Customer] = Operation("crm", "read_account", Reference, Customer)
search_customers: Operation[CustomerSearch, tuple[Customer, ...]] = Operation(
    "crm", "search_customers", CustomerSearch, Customer, many=True
)
put_customer: Operation[Customer, Reference] = Operation(
    "crm", "put_customer", Customer, Reference, writes=True, per="object"
)
report_progress: Operation[QuoteProgress, Reference] = Operation(
    "crm", "report_progress", QuoteProgress, Reference, writes=True
)
log_activity: Operation[CustomerActivity, Reference] = Operation(
    "crm", "log_activity", CustomerActivity, Reference, writes=True
)
#: what was reported of the order with this number of ours; None where it is of no quote
read_order_report: Operation[Search, OrderReport] = Operation("crm", "read_order_report", Search, OrderReport)
report_order: Operation[OrderReport, Reference] = Operation("crm", "report_order", OrderReport, Reference, writes=True)
