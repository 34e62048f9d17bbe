"""Percentages, amounts, durations, dates, zones, events: the good read, the bad refused in words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from isthmus.landscape.formats import (
    READERS,
    read_blueprint,
    read_date_or_duration,
    read_event,
    read_money,
    read_percent,
)
from isthmus.model.money import Money


def test_the_good_ones_are_read_exactly() -> None:
    assert read_percent("0.5 %") == Decimal("0.5")
    assert read_percent("100%") == Decimal(100)
    assert read_money("250000 EUR") == Money(amount=Decimal("250000.00"), currency="EUR")
    assert read_money("1200 JPY") == Money(amount=Decimal(1200), currency="JPY")
    assert read_date_or_duration("2026-12-01") == date(2026, 12, 1)
    assert read_date_or_duration("14 days") == timedelta(days=14)
    assert read_event("quote.accepted") == read_event("isthmus.quote.accepted.v1") == "isthmus.quote.accepted.v1"
    assert read_event("erp.create_order.done") == "isthmus.erp.create_order.done.v1"
    assert read_blueprint("quote_to_cash@12") == ("quote_to_cash", 12)


@pytest.mark.parametrize(
    ("format_", "text", "words"),
    [
        ("percent", "0.5", "with its sign"),
        ("percent", "101 %", "from 0 to 100"),
        ("percent", "0,5 %", "0.5 %"),
        ("money", "250.000,00 EUR", "250000 EUR"),
        ("money", "250000", "with its currency"),
        ("money", "100.5 JPY", "JPY has 0 decimals"),
        ("money", "100 XAU", "not a currency"),
        ("duration", "5", "with its unit"),
        ("duration", "5 fortnights", "such as"),
        ("date", "2026-02-30", "a date is expected"),
        ("date-or-duration", "soon", "a date or a duration"),
        ("time-zone", "Europe/Hamburg", "IANA"),
        ("event", "Quote Accepted", "quote.accepted"),
        ("blueprint", "quote_to_cash", "with its version"),
        ("uri", "https://user:secret@example.com", "without user or password"),
    ],
)
def test_the_bad_ones_are_refused_in_words(format_: str, text: str, words: str) -> None:
    with pytest.raises(ValueError) as refusal:
        READERS[format_](text)
    assert words in str(refusal.value)
