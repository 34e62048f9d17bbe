"""Builds the figures of a document, exactly: line amounts, tax per category, totals.

Give it quantities, prices and tax categories; it gives back what a document holds, so that L2, D1 to D3 and T1 to T3
hold to the last minor unit. Where prices include tax (``tax_basis="inclusive"``) prices and allowances are given gross
and come back net: per category the net is the gross divided by one plus the rate, rounded once, and shared out to
lines and allowances by largest remainder, so the sums are exact and a single line may be a minor unit off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, Literal

from isthmus.model.amounts import extension, tax_of
from isthmus.model.money import EXACT, Money, apportion, rounded, split, sum_money
from isthmus.model.tax import AllowanceCharge, TaxCategory, TaxKey, TaxSubtotal, Totals, UnitPrice
from isthmus.model.values import Quantity

_ZERO = Decimal(0)
_PRICE_PLACES = Decimal("1E-10")


@dataclass(frozen=True, slots=True)
class PricedLine:
    """What is known of a line before its figures: gross prices and allowances where the document is inclusive."""

    quantity: Quantity
    unit_price: UnitPrice
    tax: TaxCategory | None = None
    allowances: tuple[AllowanceCharge, ...] = ()
    counts: bool = True
    """False for a part of a kit whose price is in the kit."""


@dataclass(frozen=True, slots=True)
class BuiltLine:
    """A line's figures, by the names that a Line has."""

    quantity: Quantity
    unit_price: UnitPrice
    allowances: tuple[AllowanceCharge, ...]
    line_extension_amount: Money
    tax: TaxCategory | None
    tax_amount: Money | None = None
    tax_inclusive_amount: Money | None = None

    def fields(self) -> dict[str, Any]:
        """For ``OrderLine(id=…, position=…, name=…, **built.fields())``; what is None is left out."""
        found = {name: getattr(self, name) for name in BuiltLine.__slots__}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Built:
    """A document's figures, by the names that a document has (``lines`` in the order given)."""

    currency: str
    tax_basis: Literal["exclusive", "inclusive"]
    lines: tuple[BuiltLine, ...]
    allowances: tuple[AllowanceCharge, ...]
    tax_subtotals: tuple[TaxSubtotal, ...]
    totals: Totals

    def fields(self) -> dict[str, Any]:
        """All but the lines, for ``Invoice(lines=…, **built.fields())``."""
        return {name: getattr(self, name) for name in Built.__slots__ if name != "lines"}


def build(
    lines: Sequence[PricedLine],
    currency: str,
    *,
    allowances: Iterable[AllowanceCharge] = (),
    tax_basis: Literal["exclusive", "inclusive"] = "exclusive",
    prepaid: Money | None = None,
    cash_step: Decimal | None = None,
    tax_subtotals: Iterable[TaxSubtotal] | None = None,
) -> Built:
    """The figures of a document.

    An allowance without ``tax`` is shared out to the categories of the lines by largest remainder. ``cash_step``
    (0.05 for CHF in cash) rounds what is payable. ``tax_subtotals`` are those of a tax engine, whose figures win; else
    tax is calculated once per category. Raises ValueError without lines, where only some lines say their tax, and for
    subtotals together with inclusive prices; ValidationError or TypeError for a part in another currency.
    """
    if not lines:
        raise ValueError("a document has at least one line")
    if len({line.tax is None for line in lines if line.counts}) > 1:
        raise ValueError("some lines say their tax and some do not; give a tax category to all of them or to none")
    parts = _shared_out(lines, list(allowances), currency)
    make = _inclusive if tax_basis == "inclusive" else _exclusive
    built, parts, subtotals = make(lines, parts, currency)
    if tax_subtotals is not None:
        if tax_basis == "inclusive":
            raise ValueError("prices that include tax are taken apart here; a tax engine's subtotals need net prices")
        subtotals = tuple(tax_subtotals)
    tax = sum_money((each.tax_amount for each in subtotals), currency)
    counted = [index for index, line in enumerate(lines) if line.counts]
    if subtotals:
        built = _with_tax_shares(built, counted, tax)
    extended = sum_money((built[index].line_extension_amount for index in counted), currency)
    totals = _totals(extended, parts, tax, prepaid, cash_step)
    return Built(currency, tax_basis, tuple(built), tuple(parts), subtotals, totals)


def _exclusive(
    lines: Sequence[PricedLine], parts: list[AllowanceCharge], currency: str
) -> tuple[list[BuiltLine], list[AllowanceCharge], tuple[TaxSubtotal, ...]]:
    """Net prices: tax is calculated on the sum of each category."""
    built = [
        BuiltLine(
            line.quantity,
            line.unit_price,
            line.allowances,
            Money(amount=_stated(line, currency), currency=currency),
            line.tax,
        )
        for line in lines
    ]
    bases: dict[TaxKey, tuple[TaxCategory, Decimal]] = {}
    taxed = [
        (made.tax, made.line_extension_amount.amount) for line, made in zip(lines, built, strict=True) if line.counts
    ]
    for tax, amount in [*taxed, *((part.tax, part.signed) for part in parts)]:
        if tax is not None:
            bases[tax.key()] = (tax, bases.get(tax.key(), (tax, _ZERO))[1] + amount)
    subtotals = tuple(
        _subtotal(tax, basis, tax_of(basis, tax.rate, currency), currency) for tax, basis in bases.values()
    )
    return built, parts, subtotals


def _inclusive(
    lines: Sequence[PricedLine], parts: list[AllowanceCharge], currency: str
) -> tuple[list[BuiltLine], list[AllowanceCharge], tuple[TaxSubtotal, ...]]:
    """Gross prices: the tax of each category is taken out of its sum, and the net shared out to its members."""
    gross = [_stated(line, currency) for line in lines]
    members: dict[TaxKey | None, list[int]] = {}
    for index, line in enumerate(lines):
        if line.counts:
            members.setdefault(_key(line.tax), []).append(index)
    for number, part in enumerate(parts):
        members.setdefault(_key(part.tax), []).append(len(lines) + number)
    figures = gross + [part.signed for part in parts]
    taxes = [line.tax for line in lines] + [part.tax for part in parts]
    nets = [rounded(_net(figure, tax), currency) for figure, tax in zip(figures, taxes, strict=True)]
    subtotals = []
    for indices in members.values():
        tax, total = taxes[indices[0]], sum((figures[index] for index in indices), _ZERO)
        taxable = rounded(_net(total, tax), currency)
        shares = apportion(taxable, [_exact_net(figures[index], tax) for index in indices], currency)
        for index, share in zip(indices, shares, strict=True):
            nets[index] = share
        if tax is not None:
            subtotals.append(_subtotal(tax, taxable, total - taxable, currency))
    built = [_net_line(line, gross[index], nets[index], currency) for index, line in enumerate(lines)]
    net_parts = [_with_amount(part, abs(net), currency) for part, net in zip(parts, nets[len(lines) :], strict=True)]
    return built, net_parts, tuple(subtotals)


def _net_line(line: PricedLine, gross: Decimal, net: Decimal, currency: str) -> BuiltLine:
    """A line whose price and allowances are given gross, made net so that they agree with its net."""
    item = gross - sum((part.signed for part in line.allowances), _ZERO)
    exact = [_exact_net(figure, line.tax) for figure in (item, *(part.signed for part in line.allowances))]
    shares = apportion(net, exact, currency)[1:]
    price = {
        name: _net(value, line.tax).quantize(_PRICE_PLACES, context=EXACT).normalize(EXACT)
        for name in ("amount", "gross_amount", "discount_amount")
        if (value := getattr(line.unit_price, name)) is not None
    }
    if "gross_amount" in price:
        price["amount"] = price["gross_amount"] - price.get("discount_amount", _ZERO)
    given = {name: value for name, value in line.unit_price if value is not None}
    return BuiltLine(
        quantity=line.quantity,
        unit_price=UnitPrice(**{**given, **price}),
        allowances=tuple(
            _with_amount(part, abs(share), currency) for part, share in zip(line.allowances, shares, strict=True)
        ),
        line_extension_amount=Money(amount=net, currency=currency),
        tax=line.tax,
        tax_inclusive_amount=Money(amount=gross, currency=currency),
    )


def _key(tax: TaxCategory | None) -> TaxKey | None:
    return None if tax is None else tax.key()


def _stated(line: PricedLine, currency: str) -> Decimal:
    """L2 in the prices given."""
    base = line.unit_price.base_quantity
    amount = extension(line.quantity.value, line.unit_price.amount, base.value if base else None, currency)
    return amount + sum((part.signed for part in line.allowances), _ZERO)


def _net(gross: Decimal, tax: TaxCategory | None) -> Decimal:
    return EXACT.divide(gross * 100, 100 + tax.rate) if tax is not None else gross


def _exact_net(gross: Decimal, tax: TaxCategory | None) -> Fraction:
    return Fraction(gross) * 100 / (100 + Fraction(tax.rate)) if tax is not None else Fraction(gross)


def _subtotal(tax: TaxCategory, basis: Decimal, amount: Decimal, currency: str) -> TaxSubtotal:
    return TaxSubtotal(
        taxable_amount=Money(amount=basis, currency=currency),
        tax=tax,
        tax_amount=Money(amount=amount, currency=currency),
    )


def _with_amount(
    part: AllowanceCharge, amount: Decimal, currency: str, tax: TaxCategory | None = None
) -> AllowanceCharge:
    """The same allowance with an amount of its own; base and percentage belonged to the old one."""
    given = {name: getattr(part, name) for name in ("reason", "reason_code") if getattr(part, name) is not None}
    if (category := tax or part.tax) is not None:
        given["tax"] = category
    return AllowanceCharge(charge=part.charge, amount=Money(amount=amount, currency=currency), **given)


def _shared_out(lines: Sequence[PricedLine], parts: list[AllowanceCharge], currency: str) -> list[AllowanceCharge]:
    """Every allowance with a tax category, as far as the lines have one: shared out by what each category sums to."""
    weights: dict[TaxKey, tuple[TaxCategory, Decimal]] = {}
    for line in lines:
        if line.tax is not None and line.counts:
            key = line.tax.key()
            weights[key] = (line.tax, weights.get(key, (line.tax, _ZERO))[1] + _stated(line, currency))
    if not weights:
        return parts
    found = []
    for part in parts:
        if part.tax is not None:
            found.append(part)
        elif len(weights) == 1:
            found.append(part.model_copy(update={"tax": next(iter(weights.values()))[0]}))
        else:
            shares = split(part.amount, [max(_ZERO, weight) for _, weight in weights.values()])
            for share, (tax, _) in zip(shares, weights.values(), strict=True):
                if share.amount:
                    found.append(_with_amount(part, share.amount, currency, tax))
    return found


def _with_tax_shares(built: list[BuiltLine], counted: list[int], tax: Money) -> list[BuiltLine]:
    """T3: the document's tax shared out to the lines that count, near each line's own, by largest remainder."""
    own = [_own_tax(built[index]) for index in counted]
    size = sum(abs(each) for each in own)
    gap = Fraction(tax.amount) - sum(own)
    exact = [each + gap * (abs(each) / size if size else Fraction(1, len(own))) for each in own]
    shares = dict(zip(counted, apportion(tax.amount, exact, tax.currency), strict=True))
    return [
        replace(line, tax_amount=Money(amount=shares[index], currency=tax.currency)) if index in shares else line
        for index, line in enumerate(built)
    ]


def _own_tax(line: BuiltLine) -> Fraction:
    rate = line.tax.rate if line.tax is not None else _ZERO
    return Fraction(line.line_extension_amount.amount) * Fraction(rate) / 100


def _totals(
    extended: Money, parts: Sequence[AllowanceCharge], tax: Money, prepaid: Money | None, cash_step: Decimal | None
) -> Totals:
    """D1 to D3 and T3."""
    currency = extended.currency
    off = [part.amount for part in parts if not part.charge]
    on = [part.amount for part in parts if part.charge]
    exclusive = extended - sum_money(off, currency) + sum_money(on, currency)
    inclusive = exclusive + tax
    found = {
        "line_extension_amount": extended,
        "tax_exclusive_amount": exclusive,
        "tax_amount": tax,
        "tax_inclusive_amount": inclusive,
        "payable_amount": inclusive if prepaid is None else inclusive - prepaid,
    }
    if off:
        found["allowance_total_amount"] = sum_money(off, currency)
    if on:
        found["charge_total_amount"] = sum_money(on, currency)
    if prepaid is not None:
        found["prepaid_amount"] = prepaid
    if cash_step is not None:
        payable = found["payable_amount"]
        steps = (payable.amount / cash_step).to_integral_value(ROUND_HALF_UP)
        found["payable_rounding_amount"] = Money(amount=steps * cash_step, currency=currency) - payable
        found["payable_amount"] = payable + found["payable_rounding_amount"]
    return Totals(**found)
