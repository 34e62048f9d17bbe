"""Parts of an invoice that can be credited: what a case disputes, and an amount shared out over what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from isthmus.model import (
    Case,
    CreditNote,
    Invoice,
    InvoiceLine,
    Money,
    PricedLine,
    Quantity,
    UnitPrice,
    build,
    round_money,
    split,
    sum_money,
)

_PLACES = Decimal("1E-10")


@dataclass(frozen=True, slots=True)
class CreditPart:
    """So much of an invoice's line: a quantity, worth ``net`` without tax."""

    line: InvoiceLine
    quantity: Decimal
    net: Money


def disputed_parts(case: Case, invoice: Invoice) -> list[CreditPart]:
    """The lines that a case disputes, with their quantities; a line without one is meant as a whole."""
    lines = {line.id: line for line in invoice.lines}
    parts = []
    for each in case.dispute.lines if case.dispute else ():
        line = lines[each.line]
        quantity = min(each.quantity or line.quantity.value, line.quantity.value)
        net = line.line_extension_amount
        if quantity != line.quantity.value:
            net = round_money(net.amount * quantity / line.quantity.value, net.currency)
        parts.append(CreditPart(line, quantity, net))
    return parts


def gross_of(invoice: Invoice, parts: Sequence[CreditPart]) -> Money:
    """What the parts come to with their tax."""
    return build([priced(part) for part in parts], invoice.currency).totals.payable_amount


def rounding(invoice: Invoice, credits: int) -> Money:
    """What may stay of an invoice that is credited in so many parts: tax is rounded in each, and never beyond the whole."""
    step = Decimal(1).scaleb(invoice.totals.payable_amount.amount.as_tuple().exponent)  # type: ignore[arg-type]
    return Money.of(step * credits, invoice.currency)


def shared_out(
    invoice: Invoice, lines: Sequence[InvoiceLine], free: dict[str, Money], amount: Money
) -> list[CreditPart]:
    """An amount with tax over lines, in the proportion of what is free of them; never more than that.

    The largest net amount that the ledger's tax does not carry beyond what was agreed to.
    """
    all_free = [CreditPart(line, line.quantity.value, free[line.id]) for line in lines if free[line.id].amount > 0]
    if all_free and gross_of(invoice, all_free) <= amount:
        return all_free
    open_net = sum_money((free[line.id] for line in lines), invoice.currency)
    whole = sum_money((line.line_extension_amount for line in lines), invoice.currency)
    gross = gross_of(invoice, [CreditPart(line, line.quantity.value, line.line_extension_amount) for line in lines])
    if not whole.amount or not open_net.amount:
        return []
    share = amount.amount * whole.amount / gross.amount
    step = rounding(invoice, 1)
    net = min(round_money(share, invoice.currency) + step, open_net)
    while net.amount > 0:
        shares = split(net, [free[line.id].amount for line in lines])
        parts = [
            CreditPart(line, line.quantity.value, min(each, free[line.id]))
            for line, each in zip(lines, shares, strict=True)
        ]
        excess = gross_of(invoice, [part for part in parts if part.net.amount > 0]) - amount
        if excess.amount <= 0:
            return parts
        net = net - max(step, round_money(excess.amount * whole.amount / gross.amount, invoice.currency))
    return []


def free_of(invoice: Invoice, credits: Sequence[CreditNote]) -> dict[str, Money]:
    """What of each line no credit has taken back, without tax."""
    free = {line.id: line.line_extension_amount for line in invoice.lines}
    for note in credits:
        for line in note.lines:
            if line.id in free:
                free[line.id] = free[line.id] - line.line_extension_amount
    return free


def priced(part: CreditPart) -> PricedLine:
    price = (part.net.amount / part.quantity).quantize(_PLACES)
    return PricedLine(
        quantity=Quantity(value=part.quantity, unit=part.line.quantity.unit),
        unit_price=UnitPrice(amount=price, currency=part.net.currency),
        tax=part.line.tax,
    )
