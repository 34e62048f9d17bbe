"""Money: a decimal and its currency, rounded and shared out in one way only.

Rounding is half up, away from zero, to the minor units of ISO 4217. An amount is shared out by largest remainder, so
that the parts always add up. Money of different currencies does not add or compare: TypeError. Floats are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict, model_validator

from isthmus.model.codes import MINOR_UNIT, MINOR_UNITS, Currency
from isthmus.model.problems import Findings
from isthmus.model.scalars import AmountValue

#: exact for every product and quotient that a document needs: 24 digits times 24, and room to spare
EXACT = Context(prec=60, rounding=ROUND_HALF_UP)


class Value(BaseModel):
    """What every part of a canonical object has in common: frozen, closed, text without blanks at its ends."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, defer_build=True)


class Money(Value):
    """An amount in exactly the minor units of its currency: ``{"amount": "10.50", "currency": "EUR"}``.

    ``10`` and ``10.5`` are taken and written as ``10.00`` and ``10.50``; ``10.505`` EUR is refused, not rounded.
    """

    amount: AmountValue
    currency: Currency

    @model_validator(mode="after")
    def _in_minor_units(self) -> Money:
        unit = MINOR_UNIT[self.currency]
        amount = self.amount
        if not amount.same_quantum(unit):
            exact = amount.quantize(unit, ROUND_HALF_UP, EXACT)
            if exact != amount:
                found = Findings("Money")
                expected = f"an amount of {self.currency}, which has {MINOR_UNITS[self.currency]} decimals"
                found.add(
                    "amount", value=format(amount, "f"), expected=expected, mend="round it where it is calculated"
                )
                found.check()
            self.__dict__["amount"] = exact
        return self

    @classmethod
    def of(cls, amount: Decimal | str | int, currency: str) -> Money:
        """Money of these; raises ValidationError where the amount has too many decimals."""
        return cls(amount=amount, currency=currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in this currency."""
        return cls(amount=Decimal(0), currency=currency)

    def _same(self, other: object) -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"Money and {type(other).__name__} do not go together; make it Money first")
        if other.currency != self.currency:
            raise TypeError(f"{self} and {other} have different currencies; convert one by its exchange rate first")
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(amount=EXACT.add(self.amount, self._same(other)), currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(amount=EXACT.subtract(self.amount, self._same(other)), currency=self.currency)

    def __neg__(self) -> Money:
        return Money(amount=-self.amount, currency=self.currency)

    def __abs__(self) -> Money:
        return Money(amount=abs(self.amount), currency=self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        """Times a number, rounded once."""
        if isinstance(factor, bool) or not isinstance(factor, Decimal | int):
            raise TypeError(f"Money times {type(factor).__name__} is not exact; multiply by a Decimal or an int")
        return round_money(EXACT.multiply(self.amount, Decimal(factor)), self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount at the currency's minor units, half up and away from zero: -0.005 EUR is -0.01.

    Raises KeyError for a currency without minor units.
    """
    return amount.quantize(MINOR_UNIT[currency], ROUND_HALF_UP, EXACT) + 0


def round_money(amount: Decimal, currency: str) -> Money:
    """Money of an exact figure, rounded half up and away from zero."""
    return Money(amount=rounded(amount, currency), currency=currency)


def sum_money(parts: Iterable[Money], currency: str) -> Money:
    """The sum of parts in one currency; nothing adds up to zero of ``currency``. TypeError for another currency."""
    total = Money.zero(currency)
    for part in parts:
        total = total + part
    return total


def split(total: Money, weights: Sequence[Decimal | int]) -> tuple[Money, ...]:
    """``total`` shared out by weight, one part for each weight, by largest remainder; ties go to the lower part.

    The parts always add up to ``total``. Where all weights are zero, the parts are as equal as they can be.
    Raises ValueError without weights or with a negative one.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError(f"split needs weights of at least 0, not {list(weights)}")
    shares = [Fraction(weight) for weight in weights]
    whole = sum(shares) or Fraction(len(shares))
    shares = shares if any(shares) else [Fraction(1)] * len(shares)
    amount = Fraction(abs(total.amount))
    parts = apportion(abs(total.amount), [amount * share / whole for share in shares], total.currency)
    sign = -1 if total.amount < 0 else 1
    return tuple(Money(amount=part * sign + 0, currency=total.currency) for part in parts)


def apportion(total: Decimal, exact: Sequence[Fraction], currency: str) -> list[Decimal]:
    """Whole minor units near each exact figure (its floor or one unit more) that add up to ``total``.

    Largest remainder first, ties to the lower index. ``total`` must lie within one unit a part above the floors;
    ValueError says when it does not.
    """
    unit = MINOR_UNIT[currency]
    step = Fraction(unit)
    floors = [figure // step for figure in exact]
    missing = int((total / unit).to_integral_value(ROUND_FLOOR, EXACT)) - sum(floors)
    if not 0 <= missing <= len(exact):
        raise ValueError(f"{total} {currency} cannot be shared out as {[str(figure) for figure in exact]}")
    by_remainder = sorted(range(len(exact)), key=lambda index: (floors[index] * step - exact[index], index))
    for index in by_remainder[:missing]:
        floors[index] += 1
    return [EXACT.multiply(Decimal(floor), unit) for floor in floors]
