"""The credit that a dispute is worth, line by line, and what the systems make of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from isthmus import park
from isthmus.blueprints.case_to_credit.evidence import Evidence
from isthmus.blueprints.case_to_credit.judging import Judged
from isthmus.blueprints.case_to_credit.parts import CreditPart, disputed_parts, free_of, gross_of, priced, shared_out
from isthmus.model import Case, Correction, CreditNote, Invoice, InvoiceLine, Link, Money, build


def credit_for(case: Case, evidence: Evidence, judged: Judged, amount: Money, issued_on: date) -> CreditNote:
    """The credit note to ask the ledger for, over ``amount`` with tax, with reference to the invoice's lines.

    What is asked for by lines keeps its lines and quantities; else the amount is shared out over what is left of all
    lines.
    """
    invoice = evidence.invoice
    assert invoice is not None
    free = free_of(invoice, evidence.credits)
    parts = disputed_parts(case, invoice) if judged.part == "lines" else ()
    if not parts or gross_of(invoice, parts) != amount or any(part.net > free[part.line.id] for part in parts):
        chosen = [part.line for part in parts] or [line for line in invoice.lines if free[line.id].amount > 0]
        parts = shared_out(invoice, chosen, free, amount)
    parts = [part for part in parts if part.net.amount > 0]
    if not parts:
        park(
            f"Nothing of invoice {invoice.number} is left to be credited",
            mend="see its earlier credits; cancel this, or take one of them back and replay",
            code="nothing-left",
        )
    return _note(case, evidence, parts, issued_on)


def for_billing(note: CreditNote, asked: Invoice) -> CreditNote:
    """The same credit, of the invoice that asks for the money."""
    link = Link(kind="invoice", id=asked.id, number=asked.number)
    return note.model_copy(
        update={"id": None, "source": None, "corrects": (Correction(invoice=link, amount=note.totals.payable_amount),)}
    )


def equal_to_the_cent(ledger: CreditNote, given: CreditNote) -> None:
    """Hold billing's credit against the ledger's, net, tax and gross; a difference of one cent parks the run."""
    ours, theirs = ledger.totals, given.totals
    for name in ("tax_exclusive_amount", "tax_amount", "payable_amount"):
        wanted, made = getattr(ours, name), getattr(theirs, name)
        if wanted != made:
            park(
                f"Billing credits {made} where the ledger credits {wanted} ({name.replace('_', ' ')})",
                mend="correct what differs by hand, then replay",
                code="amounts-differ",
                error_class="conflict",
                field=f"totals.{name}",
            )


def _note(case: Case, evidence: Evidence, parts: Sequence[CreditPart], issued_on: date) -> CreditNote:
    invoice, order = evidence.invoice, evidence.order
    assert invoice is not None
    # the ledger's invoice knows an order's lines by their place, everybody else by their id
    keys = {str(line.position): line.id for line in order.lines} if order else {}
    built = build([priced(part) for part in parts], invoice.currency)
    lines = tuple(
        InvoiceLine(
            id=part.line.id,
            position=part.line.position,
            product=part.line.product,
            name=part.line.name,
            order=part.line.order,
            order_line=keys.get(part.line.order_line or "", part.line.order_line),
            **figures.fields(),
        )
        for part, figures in zip(parts, built.lines, strict=True)
    )
    return CreditNote(
        business_unit=invoice.business_unit,
        kind="credit_note",
        status="requested",
        reason=case.dispute.reason if case.dispute else "other",
        issue_date=issued_on,
        corrects=(
            Correction(
                invoice=Link(kind="invoice", id=invoice.id, number=invoice.number), amount=built.totals.payable_amount
            ),
        ),
        case=Link(kind="case", id=case.id, number=case.number),
        seller=invoice.seller,
        partners=invoice.partners,
        lines=lines,
        **built.fields(),
    )
