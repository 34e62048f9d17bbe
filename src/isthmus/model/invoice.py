"""Invoice and CreditNote: what is owed, and what is taken back (UBL Invoice and CreditNote, EN 16931).

An issued invoice is never changed; it is corrected by a credit note and a new invoice. Credit notes are positive.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from isthmus.model.codes import Currency, PaymentMeansCode
from isthmus.model.document import Document, Line
from isthmus.model.money import Money, Value
from isthmus.model.party import InvoicePartners, PartySnapshot
from isthmus.model.payment import Payment
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Day, Instant, LineId
from isthmus.model.tax import TaxSubtotal, Totals
from isthmus.model.values import ExchangeRate, Link, Period

CreditReason: TypeAlias = Literal[
    "price",
    "quantity",
    "quality",
    "not_delivered",
    "return",
    "duplicate",
    "cancellation",
    "tax",
    "goodwill",
    "other",
]
_ZERO = Decimal(0)


class InvoiceLine(Line):
    """A line of an invoice or credit note, with the order and delivery lines that it bills."""

    order: Link | None = None
    order_line: LineId | None = None
    """BT-132."""
    delivery_line: LineId | None = None


class PaymentMeans(Value):
    """How it is to be paid (BT-81): 30 and 58 transfer, 48 card, 49 and 59 direct debit, 68 online."""

    code: PaymentMeansCode
    reference: Code | None = None
    """BT-83: what the payer shall quote."""
    iban: Code | None = None
    mandate: Code | None = None
    """Required for direct debit."""


class Settlement(Value):
    """How far an invoice is settled: derived from allocations, or read where we do not see them all.

    I1: payable = paid + credited + written_off + open. A discount for early payment counts as written off.
    """

    paid: Money
    credited: Money
    written_off: Money
    open: Money
    as_of: Instant | None = None


class LedgerReference(Value):
    """The entry in the books."""

    document: Code
    fiscal_year: Code | None = None
    posted_at: Instant | None = None


class Billing(Document):
    """What invoices and credit notes share."""

    lines_may_take_back: ClassVar[bool] = True

    issue_date: Day
    tax_point_date: Day | None = None
    """BT-7. Either this or ``tax_point_code`` (BR-CO-03)."""
    tax_point_code: Literal["3", "35", "432"] | None = None
    """BT-8, UNCL 2005: 3 issue, 35 delivery, 432 payment."""
    due_date: Day | None = None
    """BT-9."""
    period: Period | None = None
    """BG-14: the time that is billed, both days inclusive."""
    seller: PartySnapshot
    """The unit as printed, with a tax number or a register number (BR-CO-26)."""
    partners: InvoicePartners
    tax_currency: Currency | None = None
    """BT-6."""
    tax_amount_in_tax_currency: Money | None = None
    """BT-111."""
    orders: tuple[Link, ...] = ()
    deliveries: tuple[Link, ...] = ()
    contract: Link | None = None
    subscription: Link | None = None
    preceding_invoice: Link | None = None
    """BT-25."""
    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1)]
    tax_subtotals: Annotated[tuple[TaxSubtotal, ...], Field(min_length=1)]
    """BG-23, one for each way of being taxed (BR-CO-18)."""
    totals: Totals
    payment_means: PaymentMeans | None = None
    exchange_rate: ExchangeRate | None = None
    """To the unit's currency."""
    ledger_reference: LedgerReference | None = None
    document_url: Code | None = None
    document_hash: Code | None = None

    def _check_billing(self, found: Findings, issued: bool) -> None:
        if issued:
            found.need(self.number, "number", when="the document is issued")
            if not self.seller.tax_registrations and not self.seller.identifiers:
                expected = "a tax registration or a register number of the seller (BR-CO-26)"
                mend = "give the business unit its number in the landscape"
                found.add("seller", "tax_registrations", value=None, expected=expected, mend=mend)
        if self.tax_point_date is not None and self.tax_point_code is not None:
            expected = "absent where tax_point_date is given (BR-CO-03)"
            found.add("tax_point_code", value=self.tax_point_code, expected=expected)
        for index, line in enumerate(self.lines):
            if line.kind != "text":
                found.need(line.tax, "lines", index, "tax", when="the line is billed")
        for index, part in enumerate(self.allowances):
            found.need(part.tax, "allowances", index, "tax", when="it stands on a document that is billed")
        foreign = self.tax_amount_in_tax_currency
        if foreign is not None and foreign.currency != self.tax_currency:
            expected = f"{self.tax_currency}, the tax_currency"
            found.add("tax_amount_in_tax_currency", "currency", value=foreign.currency, expected=expected)
        means = self.payment_means
        if means is not None and means.code in ("49", "59"):
            found.need(means.mandate, "payment_means", "mandate", when="it is paid by direct debit")


class Invoice(Billing):
    """A demand for payment. Exactly one system numbers invoices; once issued, no figure changes."""

    object_word: ClassVar[str] = "invoice"

    kind: Literal["invoice", "corrected", "prepayment", "self_billed", "debit_note", "proforma"]
    """UNCL 1001: 380, 384, 386, 389, 383; a proforma is never posted."""
    status: Literal["draft", "issued", "paid", "void", "uncollectible"]
    settlement: Settlement | None = None

    def _check(self, found: Findings) -> None:
        self._check_billing(found, issued=self.status != "draft")
        if self.status != "draft" and self.totals.payable_amount.amount > 0 and self.due_date is None:
            found.need(
                self.payment_terms, "due_date", when="something is payable and there are no payment_terms (BR-CO-25)"
            )
        settlement, payable = self.settlement, self.totals.payable_amount
        if settlement is None:
            return
        parts = {name: getattr(settlement, name) for name in ("paid", "credited", "written_off", "open")}
        for name, money in parts.items():
            if money.currency != self.currency:
                found.add("settlement", name, "currency", value=money.currency, expected=self.currency, rule="I1")
                return
        if sum((money.amount for money in parts.values()), _ZERO) != payable.amount:
            expected = f"{payable} less paid, credited and written_off"
            found.add("settlement", "open", value=settlement.open, expected=expected, rule="I1")
        elif not 0 <= settlement.open.amount <= max(payable.amount, _ZERO):
            found.add("settlement", "open", value=settlement.open, expected=f"from 0 to {payable}", rule="I1")
        elif self.status == "paid" and settlement.open.amount != 0:
            found.add("status", value="paid", expected=f"issued while {settlement.open} is open", rule="I1")
        elif self.status == "issued" and settlement.open.amount == 0 and payable.amount != 0:
            found.add("status", value="issued", expected="paid, because nothing is open", rule="I1")

    @property
    def is_partly_paid(self) -> bool:
        """Something is settled and something is open."""
        settlement = self.settlement
        return settlement is not None and 0 < settlement.open.amount < self.totals.payable_amount.amount

    def is_overdue(self, today: date) -> bool:
        """Issued, and due before ``today``, the business unit's calendar day."""
        return self.status == "issued" and self.due_date is not None and self.due_date < today


class Correction(Value):
    """What a credit note corrects (BillingReference, BT-25)."""

    invoice: Link
    line: LineId | None = None
    amount: Money | None = None


class CreditRequest(Value):
    """The request that came before the credit note, and how far its approval is."""

    number: Code | None = None
    status: Literal["requested", "approved", "rejected", "withdrawn", "expired", "escalated"] = "requested"


class CreditUse(Value):
    """What became of a part of the credit: applied to an invoice, refunded by a payment, or held."""

    kind: Literal["apply", "refund", "hold"]
    invoice: Link | None = None
    payment: Link | None = None
    amount: Money


class CreditNote(Billing):
    """A credit to a customer; quantities and amounts are positive (UBL CreditNote 381)."""

    object_word: ClassVar[str] = "credit_note"

    kind: Literal["credit_note", "goodwill"] = "credit_note"
    corrects: tuple[Correction, ...] = ()
    """Required unless kind is goodwill."""
    reason: CreditReason
    request: CreditRequest | None = None
    case: Link | None = None
    use: tuple[CreditUse, ...] = ()
    status: Literal["requested", "draft", "issued", "used", "void", "rejected"]

    def _check(self, found: Findings) -> None:
        self._check_billing(found, issued=self.status in ("issued", "used", "void"))
        if self.kind != "goodwill":
            found.need(self.corrects, "corrects", when="kind is not goodwill")
        for index, use in enumerate(self.use):
            if use.amount.currency != self.currency:
                expected = f"{self.currency}; a credit note never crosses currencies"
                found.add("use", index, "amount", "currency", value=use.amount.currency, expected=expected)
            if use.kind == "apply":
                found.need(use.invoice, "use", index, "invoice", when="the credit is applied")
        if not found and self.remaining.amount < 0:
            expected = f"parts that add up to at most {self.totals.tax_inclusive_amount}"
            found.add("use", value=f"{-self.remaining} too much", expected=expected, rule="C1")

    @property
    def remaining(self) -> Money:
        """C1: gross less what is used."""
        used = sum((use.amount.amount for use in self.use), _ZERO)
        return Money(amount=self.totals.tax_inclusive_amount.amount - used, currency=self.currency)


def settle(
    invoice: Invoice, payments: Iterable[Payment], credit_notes: Iterable[CreditNote], as_of: datetime | None = None
) -> Settlement:
    """I1: the settlement of an invoice from all allocations and applied credits that name it, by id or number.

    Raises ValidationError for an allocation in another currency (TypeError from Money) or more than is payable,
    when the settlement is put on the invoice.
    """
    paid, credited, written_off = (Money.zero(invoice.currency) for _ in range(3))
    for payment in payments:
        for each in payment.allocations:
            if each.reversed or not _names(each.invoice, invoice):
                continue
            paid = paid + each.amount
            for part in (each.discount, each.write_off):
                written_off = written_off + part if part is not None else written_off
    for note in credit_notes:
        for use in note.use:
            if use.kind == "apply" and _names(use.invoice, invoice):
                credited = credited + use.amount
    open_amount = invoice.totals.payable_amount - paid - credited - written_off
    return Settlement(paid=paid, credited=credited, written_off=written_off, open=open_amount, as_of=as_of)


def _names(link: Link | None, invoice: Invoice) -> bool:
    if link is None:
        return False
    if link.id is not None and invoice.id is not None:
        return link.id == invoice.id
    return link.number is not None and link.number == invoice.number
