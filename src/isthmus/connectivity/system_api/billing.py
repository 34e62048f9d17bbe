"""Billing and collection: asks the customer for the money and takes it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.model import Customer, Invoice, Payment, Reference


class InvoiceNumbering(BaseModel):
    """The legal number that the ledger gave to an invoice which asks for the money here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    invoice: Reference
    request_number: str
    legal_number: str


ensure_customer: Operation[Customer, Reference] = Operation(
    "billing", "ensure_customer", Customer, Reference, writes=True, per="object"
)
create_invoice: Operation[Invoice, Invoice] = Operation(
    "billing", "create_invoice", Invoice, Invoice, writes=True, reversal="void_invoice"
)
void_invoice: Operation[Invoice, Invoice] = Operation("billing", "void_invoice", Invoice, Invoice, writes=True)
number_invoice: Operation[InvoiceNumbering, Reference] = Operation(
    "billing", "number_invoice", InvoiceNumbering, Reference, writes=True
)
read_invoice: Operation[Reference, Invoice] = Operation("billing", "read_invoice", Reference, Invoice)
search_invoices: Operation[Search, tuple[Invoice, ...]] = Operation(
    "billing", "search_invoices", Search, Invoice, many=True
)
#: what became of an invoice's money; asked by the invoice's reference
read_payment: Operation[Reference, Payment] = Operation("billing", "read_payment", Reference, Payment)
