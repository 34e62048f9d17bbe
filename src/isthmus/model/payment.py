"""Payment: money that was received, given back or paid out (UBL Payment, RemittanceAdvice)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from isthmus.model.codes import Currency, PaymentMeansCode
from isthmus.model.conversion import converted
from isthmus.model.money import Money, Value
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Day, Instant, Name, Text
from isthmus.model.values import Canonical, ExchangeRate, Failure, Link, NamedLink

_ZERO = Decimal(0)


class Instrument(Value):
    """With what it was paid; never a full number."""

    type: Name
    last4: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{4}$")] | None = None
    mandate: Code | None = None


class Remittance(Value):
    """What the payer said it was for."""

    invoice: Text
    amount: Money | None = None


class Allocation(Value):
    """A part of a payment put against an invoice or credit note; the ERP decides."""

    id: Code
    invoice: Link | None = None
    credit_note: Link | None = None
    amount: Money
    discount: Money | None = None
    write_off: Money | None = None
    at: Instant | None = None
    reversed: bool = False


class Payment(Canonical):
    """Money in or out. ``amount`` is what the payer paid; ``net`` what arrived after the fee, maybe in another
    currency."""

    object_word: ClassVar[str] = "payment"

    number: Code | None = None
    kind: Literal["receipt", "refund", "disbursement"]
    payer: NamedLink | None = None
    payee: NamedLink | None = None
    amount: Money
    fee: Money | None = None
    net: Money | None = None
    settlement_currency: Currency | None = None
    """The currency of fee and net; absent means that of ``amount``."""
    exchange_rate: ExchangeRate | None = None
    means: PaymentMeansCode
    instrument: Instrument | None = None
    value_date: Day | None = None
    authorized_at: Instant | None = None
    captured_at: Instant | None = None
    failed_at: Instant | None = None
    failure: Failure | None = None
    remittance: tuple[Remittance, ...] = ()
    reference: Code | None = None
    """BT-83."""
    refunds: Link | None = None
    """The receipt that this gives back; required of a refund."""
    allocations: tuple[Allocation, ...] = ()
    status: Literal[
        "pending",
        "authorized",
        "succeeded",
        "failed",
        "cancelled",
        "refunded",
        "partly_refunded",
        "disputed",
        "charged_back",
    ]
    payout: Link | None = None

    @model_validator(mode="after")
    def _sound(self) -> Payment:
        found = Findings("Payment")
        if self.amount.amount <= 0:
            found.add("amount", value=self.amount, expected="greater than 0; a refund is a kind, not a sign")
        if self.kind == "refund":
            found.need(self.refunds, "refunds", when="kind is refund")
        for index, each in enumerate(self.allocations):
            if (each.invoice is None) == (each.credit_note is None):
                found.add("allocations", index, "invoice", value=None, expected="a link, or credit_note one, not both")
            for name in ("amount", "discount", "write_off"):
                money: Money | None = getattr(each, name)
                if money is not None and money.currency != self.amount.currency:
                    field = ("allocations", index, name, "currency")
                    found.add(*field, value=money.currency, expected=self.amount.currency, rule="P1")
        if not found and self.unallocated.amount < 0:
            allocated = self.amount - self.unallocated
            found.add("allocations", value=allocated, expected=f"at most {self.amount} in all", rule="P1")
        self._check_net(found)
        found.check()
        return self

    def _check_net(self, found: Findings) -> None:
        """P1: net = amount in the currency of settlement, less the fee."""
        currency = self.settlement_currency or self.amount.currency
        for name, money in (("fee", self.fee), ("net", self.net)):
            if money is not None and money.currency != currency:
                found.add(name, "currency", value=money.currency, expected=f"{currency}, the currency of settlement")
        if found or self.net is None or self.fee is None:
            return
        if currency == self.amount.currency:
            gross = self.amount
        elif self.exchange_rate is not None:
            gross = Money.zero(currency) + converted(self.amount, self.exchange_rate)
        else:
            return
        if self.net != gross - self.fee:
            found.add("net", value=self.net, expected=f"{gross - self.fee}: {gross} less the fee {self.fee}", rule="P1")

    @property
    def unallocated(self) -> Money:
        """What no allocation has taken yet (refunds are payments of their own: see ``left_of``)."""
        taken = sum((each.amount.amount for each in self.allocations if not each.reversed), _ZERO)
        return Money(amount=self.amount.amount - taken, currency=self.amount.currency)


def left_of(receipt: Payment, refunds: tuple[Payment, ...]) -> Money:
    """P1: what of a receipt is neither allocated nor given back."""
    left = receipt.unallocated
    for refund in refunds:
        if refund.status == "succeeded":
            left = left - refund.amount
    return left
