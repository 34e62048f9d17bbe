"""Prices, allowances and tax as documents carry them, and the totals of a document."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import model_validator

from isthmus.model.codes import ALLOWANCE_REASONS, CHARGE_REASONS, MINOR_UNIT, Currency, ExemptionCode
from isthmus.model.money import EXACT, Money, Value, rounded
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Percent, PriceValue, TaxPercent, Text
from isthmus.model.values import Quantity

#: Peppol's tolerance for what others have calculated, in units of the currency; never less than one minor unit,
#: because a currency without decimals cannot differ by less
RECEIVED_TOLERANCE = Decimal("0.02")
_ZERO_RATED = frozenset({"Z", "E", "AE", "K", "G"})

#: scheme, code, percent, jurisdiction, exemption: what is taxed alike
TaxKey = tuple[str, str, Decimal, str, str]


class UnitPrice(Value):
    """Net price after discount for ``base_quantity`` (UBL Price; BT-146 to BT-150). L1: amount = gross - discount."""

    amount: PriceValue
    """Net of tax, at most 10 decimals, never negative (BR-27)."""
    currency: Currency
    base_quantity: Quantity | None = None
    """The price is for so much; absent means 1 of the line's unit."""
    gross_amount: PriceValue | None = None
    """Before the price discount (still net of tax)."""
    discount_amount: PriceValue | None = None

    @model_validator(mode="after")
    def _discounted(self) -> UnitPrice:
        if self.gross_amount is None and self.discount_amount is None and self.base_quantity is None:
            return self
        found = Findings("UnitPrice")
        if self.gross_amount is None:
            if self.discount_amount is not None:
                found.need(None, "gross_amount", when="discount_amount is given")
        elif (expected := self.gross_amount - (self.discount_amount or 0)) != self.amount:
            text = f"{expected}: gross_amount {self.gross_amount} less discount_amount {self.discount_amount or 0}"
            found.add("amount", value=self.amount, expected=text, rule="L1")
        if self.base_quantity is not None and self.base_quantity.value <= 0:
            found.add("base_quantity", "value", value=self.base_quantity.value, expected="greater than 0")
        found.check()
        return self


class TaxCategory(Value):
    """How something is taxed (UBL TaxCategory; UNCL 5305; BT-118, BT-119, BT-151, BT-152)."""

    code: Literal["S", "Z", "E", "AE", "K", "G", "O", "L", "M", "B"]
    percent: TaxPercent | None = None
    """19 means 19 %. 0 for Z, E, AE, K, G; absent for O; required for all others."""
    exemption_code: ExemptionCode | None = None
    exemption_reason: Text | None = None
    scheme: Literal["VAT", "GST", "SALES_TAX"] = "VAT"

    @model_validator(mode="after")
    def _percent_fits(self) -> TaxCategory:
        code, percent = self.code, self.percent
        if code == "O":
            expected = "absent, because O is outside the scope of tax" if percent is not None else ""
        elif percent is None:
            expected = f"a percentage; category {code} has one"
        else:
            expected = f"0, because {code} is not taxed" if percent and code in _ZERO_RATED else ""
        if expected:
            found = Findings("TaxCategory")
            found.add("percent", value=percent, expected=expected)
            found.check()
        return self

    @property
    def rate(self) -> Decimal:
        """The percentage that counts: 0 for all that is not taxed."""
        return self.percent or Decimal(0)

    def key(self, jurisdiction: str | None = None) -> TaxKey:
        """What is taxed alike has the same key; exemption is the code or else the reason."""
        exemption = self.exemption_code or self.exemption_reason or ""
        return (self.scheme, self.code, self.rate.normalize(EXACT) + 0, jurisdiction or "", exemption)


class TaxSubtotal(Value):
    """Tax of one category of the document (BG-23). US sales tax: one for each jurisdiction."""

    taxable_amount: Money
    tax: TaxCategory
    tax_amount: Money
    jurisdiction: Code | None = None


class AllowanceCharge(Value):
    """Something off (``charge`` false) or on top (BG-20, BG-21, BG-27, BG-28); the amount is never negative.

    ``base_amount`` and ``percent`` come together, and then ``amount`` is their product (Peppol R040 to R042).
    """

    charge: bool
    amount: Money
    base_amount: Money | None = None
    percent: Percent | None = None
    reason: Text | None = None
    reason_code: Code | None = None
    """UNCL 5189 for an allowance, UNCL 7161 for a charge. A reason or its code is required (BR-CO-21 to BR-CO-24)."""
    tax: TaxCategory | None = None
    """Required on documents, once their tax is known."""

    @model_validator(mode="after")
    def _sound(self) -> AllowanceCharge:
        found = Findings("AllowanceCharge")
        if self.amount.amount < 0:
            found.add("amount", value=self.amount, expected="not negative", mend="turn charge round instead")
        if not self.reason and self.reason_code is None:
            found.add("reason", value=None, expected="given, or reason_code")
        codes, name = (CHARGE_REASONS, "UNCL 7161") if self.charge else (ALLOWANCE_REASONS, "UNCL 5189")
        if self.reason_code is not None and self.reason_code not in codes:
            found.add("reason_code", value=self.reason_code, expected=f"a code of {name}")
        if (self.base_amount is None) != (self.percent is None):
            missing = "base_amount" if self.base_amount is None else "percent"
            found.add(missing, value=None, expected="given: base_amount and percent come together")
        elif self.base_amount is not None and self.percent is not None:
            currency = self.amount.currency
            product = rounded(
                EXACT.divide(EXACT.multiply(self.base_amount.amount, self.percent), Decimal(100)), currency
            )
            if self.base_amount.currency != currency:
                found.add("base_amount", "currency", value=self.base_amount.currency, expected=currency)
            elif abs(product - self.amount.amount) > tolerance(currency):
                expected = f"{product} {currency}, which is {self.percent} % of {self.base_amount}"
                found.add("amount", value=self.amount, expected=expected, rule="R040")
        found.check()
        return self

    @property
    def signed(self) -> Decimal:
        """What it adds: positive for a charge, negative for an allowance."""
        return self.amount.amount if self.charge else -self.amount.amount


class Totals(Value):
    """The sums of a document (UBL LegalMonetaryTotal; BT-106 to BT-115), all in its currency."""

    line_extension_amount: Money
    """Σ lines, net."""
    allowance_total_amount: Money | None = None
    charge_total_amount: Money | None = None
    tax_exclusive_amount: Money
    tax_amount: Money
    tax_inclusive_amount: Money
    prepaid_amount: Money | None = None
    payable_rounding_amount: Money | None = None
    """Rounding in cash, less than its step (CHF 0.05)."""
    payable_amount: Money


def tolerance(currency: str) -> Decimal:
    """How far a product that others have calculated may be off: 0.02, but at least one minor unit."""
    return max(RECEIVED_TOLERANCE, MINOR_UNIT[currency])
