"""Quote: what is offered to a customer, and whether it was accepted (UBL Quotation)."""

from __future__ import annotations

from typing import ClassVar, Literal

from isthmus.model.approval import Approval
from isthmus.model.document import Document
from isthmus.model.money import Value
from isthmus.model.party import Partners
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Day, Instant, Name
from isthmus.model.values import DocumentFile, Period


class Opportunity(Value):
    """The deal in the CRM that the quote belongs to."""

    number: Code | None = None
    name: Name | None = None
    stage: Name | None = None
    close_date: Day | None = None


class Quote(Document):
    """An offer. ``number`` is required once sent, ``validity.end_date`` while it is sent or expired.

    Many a deal is won without a quote having been sent from the CRM: an accepted quote must say when it was accepted,
    and has ``accepted_by`` and ``terms_document`` where somebody signed.
    """

    object_word: ClassVar[str] = "quote"

    validity: Period | None = None
    opportunity: Opportunity | None = None
    partners: Partners
    prices_valid_as_of: Day | None = None
    price_source: Literal["erp", "crm", "manual"] | None = None
    """Whose prices these are: what the tolerance check compares."""
    approvals: tuple[Approval, ...] = ()
    status: Literal["draft", "in_approval", "sent", "accepted", "rejected", "expired", "cancelled", "superseded"]
    accepted_at: Instant | None = None
    accepted_by: Name | None = None
    terms_document: DocumentFile | None = None

    def _check(self, found: Findings) -> None:
        when = f"status is {self.status}"
        if self.status in ("sent", "accepted", "expired", "superseded"):
            found.need(self.number, "number", when=when)
        if self.status in ("sent", "expired"):
            found.need(self.validity and self.validity.end_date, "validity", "end_date", when=when)
        if self.status == "accepted":
            found.need(self.accepted_at, "accepted_at", when=when)
