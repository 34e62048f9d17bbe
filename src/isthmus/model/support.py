"""Entitlement and Case: what support a customer may ask for, and what was asked; with disputes about invoices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import ClassVar, Literal, TypeAlias

from pydantic import model_validator

from isthmus.model.invoice import CreditReason
from isthmus.model.money import Money, Value
from isthmus.model.party import Contact
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Count, Instant, Language, LineId, Name, SetOf, Text
from isthmus.model.values import Canonical, DocumentFile, Link, Period, Quantity

Priority: TypeAlias = Literal["low", "normal", "high", "urgent"]


class Entitlement(Canonical):
    """A customer's right to support. The right follows the order or subscription; support keeps it."""

    object_word: ClassVar[str] = "entitlement"

    number: Code | None = None
    customer: Link
    name: Name | None = None
    plan: Code
    product: Link | None = None
    asset: Code | None = None
    """Serial number."""
    contract: Link | None = None
    order: Link | None = None
    order_line: LineId | None = None
    subscription: Link | None = None
    period: Period
    channels: SetOf[Code] = ()
    response: dict[Priority, timedelta] = {}
    """How long the first answer may take, by priority; ISO 8601 durations."""
    hours: Literal["24x7", "business"] | None = None
    service_level: Code | None = None
    limit: Quantity | None = None
    """So many cases or hours."""
    used: Quantity | None = None
    status: Literal["planned", "active", "suspended", "expired", "revoked"]

    @model_validator(mode="after")
    def _sound(self) -> Entitlement:
        if self.limit is not None and self.used is not None and self.limit.unit != self.used.unit:
            found = Findings("Entitlement")
            found.add("used", "unit", value=self.used.unit, expected=f"{self.limit.unit}, the unit of the limit")
            found.check()
        return self

    @property
    def remaining(self) -> Quantity | None:
        """What is left of the limit, never below 0; None without a limit."""
        if self.limit is None:
            return None
        used = self.used.value if self.used is not None else Decimal(0)
        return Quantity(value=max(Decimal(0), self.limit.value - used), unit=self.limit.unit)


class Message(Value):
    """Something said in a case; appended, never changed."""

    id: Code
    author: Name | None = None
    at: Instant
    public: bool
    text: Text
    attachments: tuple[DocumentFile, ...] = ()


class DisputedLine(Value):
    """What of an invoice line is disputed."""

    line: LineId
    quantity: Count | None = None
    amount: Money | None = None


class Dispute(Value):
    """A quarrel about an invoice (billing) or a chargeback through the payment network."""

    kind: Literal["billing", "chargeback"]
    invoice: Link | None = None
    lines: tuple[DisputedLine, ...] = ()
    amount: Money | None = None
    """Required of a chargeback; absent: what its lines come to, or all of the invoice."""
    reason: CreditReason
    network_reason_code: Code | None = None
    remedy: Literal["credit", "refund", "replacement", "return", "correction", "none"] | None = None
    evidence: tuple[DocumentFile, ...] = ()
    evidence_due_at: Instant | None = None
    decision: Literal["open", "accepted", "partly", "rejected", "won", "lost"] = "open"
    credit_note: Link | None = None

    @model_validator(mode="after")
    def _sound(self) -> Dispute:
        found = Findings("Dispute")
        words = ("open", "won", "lost") if self.kind == "chargeback" else ("open", "accepted", "partly", "rejected")
        if self.decision not in words:
            found.add("decision", value=self.decision, expected=f"one of {', '.join(words)} for a {self.kind} dispute")
        if self.kind == "chargeback":
            found.need(self.amount, "amount", when="kind is chargeback")
        for index, line in enumerate(self.lines):
            if line.amount is not None and self.amount is not None and line.amount.currency != self.amount.currency:
                field = ("lines", index, "amount", "currency")
                found.add(*field, value=line.amount.currency, expected=self.amount.currency)
        found.check()
        return self


class Case(Canonical):
    """A customer's question, incident or dispute. Without a customer it is parked, never guessed."""

    object_word: ClassVar[str] = "case"

    number: Code
    subject: Name
    description: Text | None = None
    """The first message."""
    customer: Link | None = None
    contact: Contact | None = None
    channel: Code | None = None
    language: Language | None = None
    product: Link | None = None
    entitlement: Link | None = None
    contract: Link | None = None
    kind: Literal["question", "incident", "problem", "request", "dispute", "return"] | None = None
    category: Code | None = None
    tags: SetOf[Code] = ()
    priority: Priority
    assignee: Name | None = None
    team: Name | None = None
    opened_at: Instant | None = None
    first_answer_at: Instant | None = None
    due_at: Instant | None = None
    solved_at: Instant | None = None
    closed_at: Instant | None = None
    messages: tuple[Message, ...] = ()
    links: tuple[Link, ...] = ()
    merged_into: Link | None = None
    parent: Link | None = None
    dispute: Dispute | None = None
    status: Literal["new", "open", "waiting_customer", "waiting_internal", "solved", "closed"]

    @model_validator(mode="after")
    def _complete(self) -> Case:
        found = Findings("Case")
        if self.kind == "dispute":
            found.need(self.dispute, "dispute", when="kind is dispute")
        elif self.dispute is not None:
            found.add("kind", value=self.kind, expected="dispute, because a dispute is given")
        found.check()
        return self
