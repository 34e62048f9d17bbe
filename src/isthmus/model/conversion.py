"""From one currency to another: once, rounded once, and parts that add up to the converted whole."""

from __future__ import annotations

from collections.abc import Sequence

from isthmus.model.money import EXACT, Money, round_money, sum_money
from isthmus.model.values import ExchangeRate


def converted(money: Money, rate: ExchangeRate) -> Money:
    """Money in the target currency of a rate, rounded once. TypeError where it is not in the source currency."""
    if money.currency != rate.source_currency:
        raise TypeError(f"{money} is not in {rate.source_currency}, from which this rate converts")
    return round_money(EXACT.multiply(money.amount, rate.rate), rate.target_currency)


def converted_parts(parts: Sequence[Money], rate: ExchangeRate) -> tuple[Money, ...]:
    """Each part converted so that together they are the converted sum; the largest part takes the difference.

    The first of several largest takes it. TypeError where a part is not in the source currency.
    """
    found = [converted(part, rate) for part in parts]
    if found:
        whole = converted(sum_money(parts, rate.source_currency), rate)
        largest = max(range(len(parts)), key=lambda index: (abs(parts[index].amount), -index))
        found[largest] = found[largest] + whole - sum_money(found, rate.target_currency)
    return tuple(found)
