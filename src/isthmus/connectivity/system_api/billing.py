"""Billing and collection: asks the customer for the money and takes it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from isthmus.connectivity.system_api.operation import Operation, Search
from isthmus.model import CreditNote, Customer, Dispute, Invoice, Payment, Reference


class InvoiceNumbering(BaseModel):
    """The legal number that the ledger gave to an invoice which asks for the money here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    invoice: Reference
    request_number: str
    legal_number: str


class CreditNumbering(BaseModel):
    """The legal number of the ledger's credit memo, for the credit note that gave the money back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credit_note: Reference
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
#: credits the invoice that it corrects: less is due, or what was paid goes back; ``use`` says which and how much
create_credit_note: Operation[CreditNote, CreditNote] = Operation(
    "billing", "create_credit_note", CreditNote, CreditNote, writes=True, reversal="void_credit_note"
)
void_credit_note: Operation[CreditNote, CreditNote] = Operation(
    "billing", "void_credit_note", CreditNote, CreditNote, writes=True
)
number_credit_note: Operation[CreditNumbering, Reference] = Operation(
    "billing", "number_credit_note", CreditNumbering, Reference, writes=True
)
#: the credit notes of the invoice with this reference, void ones too
search_credit_notes: Operation[Reference, tuple[CreditNote, ...]] = Operation(
    "billing", "search_credit_notes", Reference, CreditNote, many=True
)
#: the chargebacks of what was paid for the invoice with this reference
search_disputes: Operation[Reference, tuple[Dispute, ...]] = Operation(
    "billing", "search_disputes", Reference, Dispute, many=True
)
