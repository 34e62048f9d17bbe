"""What comes after the order: the legal invoice meets the one that asks for the money, and the money comes in.

Whose number is the legal one says the unit's ``invoice_owner``. The ERP's: billing's invoice only asks for the money
and must equal it to the cent. Billing's: the ledger must make none. ``erp_only``: billing has none.
"""

from __future__ import annotations

from isthmus import Run, Search, billing, crm, erp, park, process
from isthmus.model import Invoice, Payment, Reference


@process("invoice-numbering", version=1, starts_on="isthmus.invoice.issued.v1", again=True)
async def invoice_numbering(run: Run, legal: Invoice) -> Reference:
    """Match the ledger's invoice with billing's by the order's key, and pass its number on."""
    assert legal.source is not None
    owner = run.values.get("invoice_owner")
    key = await request_number_of(run, legal)
    number = None
    if owner != "erp_only":
        invoice = await asked_for(run, legal, key)
        if owner == "billing":
            await only_one_is_legal(run, legal.source, invoice, key)
            return legal.source
        equal(legal, invoice)
        assert invoice.source is not None
        numbering = billing.InvoiceNumbering(
            invoice=invoice.source, request_number=key, legal_number=legal.number or ""
        )
        await run.step(billing.number_invoice, numbering, stays="a number is never taken back")
        number = invoice.number
    await told(run, key, status="invoiced", legal_invoice_number=legal.number, invoice_number=number)
    return legal.source


async def asked_for(run: Run, legal: Invoice, key: str) -> Invoice:
    """Billing's living invoice of the order that a ledger invoice bills."""
    found = await run.step(billing.search_invoices, Search(request_number=key))
    asked = next((invoice for invoice in found if invoice.status != "void"), None)
    if asked is None:
        park(
            f"Invoice {legal.number} stands in the ledger, but nobody asked for its money ({key})",
            mend="see whether the order was made by hand; link or skip it",
            code="nobody-asked",
            error_class="missing",
        )
    return asked


def equal(legal: Invoice, asked: Invoice) -> None:
    """Hold the ledger's invoice against the one that asks for the money; a difference of one cent parks the run."""
    ours, theirs = asked.totals.payable_amount, legal.totals.payable_amount
    if ours != theirs:
        park(
            f"The ledger's invoice {legal.number} is {theirs.amount} {theirs.currency}, we ask for {ours.amount} {ours.currency}",
            mend="correct one of the two by a credit note, then replay",
            code="ledger-differs",
            error_class="conflict",
            field="totals.payable_amount",
        )


async def only_one_is_legal(run: Run, ledger: Reference, asked: Invoice, key: str) -> None:
    """Where billing's invoice is the legal one, the ledger's has to be cancelled: somebody has lifted the order's block."""
    second = await run.step(erp.read_invoice, ledger)
    if second.status != "void":
        park(
            f"Order {key} would have two legal invoices: {asked.number} of billing, and {second.number} of the ledger",
            mend=f"cancel invoice {second.number} in the ERP and block the order for billing again, then replay",
            code="two-legal-invoices",
            error_class="conflict",
            field="number",
        )


async def request_number_of(run: Run, legal: Invoice) -> str:
    """Our key of the order that a ledger invoice bills."""
    order = next((link for link in legal.orders if link.number), None)
    if order is None or order.number is None or legal.source is None:
        park(
            f"Invoice {legal.number} names no order",
            mend="it was not made from an order of ours; skip it",
            code="no-order",
            error_class="missing",
        )
    found = await run.step(erp.read_order, Reference(connection=legal.source.connection, type="order", id=order.number))
    return found.request_number


@process("payment-report", version=1, starts_on="isthmus.payment.changed.v1", again=True)
async def payment_report(run: Run, payment: Payment) -> Reference:
    """Tell the salesperson whether the money came; read anew each time, so an old event cannot overwrite a new one."""
    assert payment.source is not None
    key = payment.remittance[0].invoice if payment.remittance else ""
    word = {"succeeded": "paid", "failed": "failed", "cancelled": "void"}.get(payment.status, "open")
    await told(run, key, payment_status=word, status="paid" if word == "paid" else None, invoice_number=payment.number)
    return payment.source


async def told(run: Run, key: str, **news: object) -> None:
    """Write news about an order to the quote that it came from."""
    number = key.partition("~")[0].partition(":")[0]
    quotes = await run.step(crm.search_quotes, Search(number=number, limit=1))
    if not quotes or quotes[0].source is None:
        park(
            f"No quote is called {number!r}",
            mend="see whether it was deleted; skip this",
            code="no-quote",
            error_class="missing",
            field="request_number",
        )
    report = crm.QuoteProgress.model_validate({"quote": quotes[0].source, "quote_number": number, **news})
    await run.step(crm.report_progress, report, name="tell", stays="it tells what happened")
