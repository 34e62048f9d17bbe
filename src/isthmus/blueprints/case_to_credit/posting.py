"""What comes after the release: the ledger's credit memo meets the credit note that gave the money back."""

from __future__ import annotations

from typing import NoReturn

from isthmus import Run, Search, billing, erp, park, process
from isthmus.blueprints.case_to_credit.documents import equal_to_the_cent
from isthmus.model import CreditNote, Reference


@process("credit-posting", version=1, starts_on="isthmus.credit_note.issued.v1", again=True)
async def credit_posting(run: Run, legal: CreditNote) -> Reference:
    """Hold the posted credit memo against billing's credit note, and pass its legal number on."""
    assert legal.source is not None
    key = str(legal.extensions.get("request_number") or "")
    if not key or legal.status == "void" or run.values.get("invoice_owner") == "erp_only":
        return legal.source  # made by hand, reversed, or not paid back by us
    invoice = legal.corrects[0].invoice.number
    bills = await run.step(erp.search_invoices, Search(number=invoice, limit=1))
    order = next((link.number for bill in bills for link in bill.orders if link.number), None)
    if order is None:
        _unknown(f"Credit memo {legal.number} credits invoice {invoice}, which names no order")
    sold = await run.step(erp.read_order, Reference(connection=legal.source.connection, type="order", id=order))
    asked = await run.step(billing.search_invoices, Search(request_number=sold.request_number), name="asked")
    notes: list[CreditNote] = []
    for each in asked:
        if each.source is not None and each.status != "void":
            found = await run.step(billing.search_credit_notes, each.source, key=each.source.id)
            notes += [note for note in found if note.extensions.get("request_number") == key and note.status != "void"]
    if not notes:
        _unknown(f"Credit memo {legal.number} stands in the ledger, but billing has credited nothing for it ({key})")
    equal_to_the_cent(legal, notes[0])
    assert notes[0].source is not None
    numbering = billing.CreditNumbering(
        credit_note=notes[0].source, request_number=key, legal_number=legal.number or ""
    )
    await run.step(billing.number_credit_note, numbering, stays="a number is never taken back")
    return legal.source


def _unknown(title: str) -> NoReturn:
    park(title, mend="see what was made by hand; skip this, or mend it and replay", code="nobody-credited", error_class="missing")  # fmt: skip
