"""What changed behind our back, read anew: by that the read model knows it, and nobody needs to be told."""

from __future__ import annotations

from isthmus import Run, process
from isthmus.model import Case, Customer, Invoice


@process("customer-view", version=1, starts_on="isthmus.customer.changed.v1", again=True)
async def customer_view(run: Run, customer: Customer) -> None:
    """A customer was changed in the CRM or at the desk."""


@process("case-view", version=1, starts_on="isthmus.case.changed.v1", again=True)
async def case_view(run: Run, case: Case) -> None:
    """A ticket was changed."""


@process("invoice-view", version=1, starts_on="isthmus.invoice.changed.v1", again=True)
async def invoice_view(run: Run, invoice: Invoice) -> None:
    """An invoice that asks for money was changed, or paid."""
