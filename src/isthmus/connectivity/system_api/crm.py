"""Customer relationship management: who may buy, what was quoted, and what became of it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

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


read_quote: Operation[Reference, Quote] = Operation("crm", "read_quote", Reference, Quote)
search_quotes: Operation[Search, tuple[Quote, ...]] = Operation("crm", "search_quotes", Search, Quote, many=True)
read_customer: Operation[Link, Customer] = Operation("crm", "read_customer", Link, Customer)
search_customers: Operation[Search, tuple[Customer, ...]] = Operation(
    "crm", "search_customers", Search, Customer, many=True
)
report_progress: Operation[QuoteProgress, Reference] = Operation(
    "crm", "report_progress", QuoteProgress, Reference, writes=True
)
