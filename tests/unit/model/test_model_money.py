"""Money and decimals: exact, never a float, rounded and shared out in one way."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from isthmus.model import (
    MINOR_UNITS,
    ExchangeRate,
    Money,
    Quantity,
    converted,
    converted_parts,
    problems_of,
    round_money,
    split,
    sum_money,
    to_json,
)
from isthmus.model.money import apportion
from isthmus.model.scalars import PriceValue, Rate, TaxPercent

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF", "USD"])
UNITS = st.integers(-(10**12), 10**12)


def money(units: int, currency: str) -> Money:
    return Money.of(Decimal(units).scaleb(-MINOR_UNITS[currency]), currency)


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("EUR", 2), ("JPY", 0), ("ISK", 0), ("KWD", 3), ("TND", 3), ("CLF", 4), ("MGA", 2), ("HUF", 2), ("UGX", 0)],
)
def test_minor_units_are_those_of_iso_4217(currency: str, decimals: int) -> None:
    assert MINOR_UNITS[currency] == decimals


def test_the_list_is_whole() -> None:
    assert len(MINOR_UNITS) == 139 + 17 + 7 + 2
    assert sorted(code for code, n in MINOR_UNITS.items() if n == 0) == sorted(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ]
    )


@pytest.mark.parametrize("currency", ["XAU", "XDR", "XTS", "XXX", "eur", "EURO", "", None, 978])
def test_what_has_no_minor_units_is_no_currency(currency: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Money.model_validate({"amount": "1", "currency": currency})
    [problem] = problems_of(caught.value)
    assert problem.field == "currency"
    assert problem.expected == "a code of ISO 4217 of 2026-01-01"


@pytest.mark.parametrize(
    "amount", [10.5, 10.0, float("nan"), "NaN", "Infinity", "1e400000", "1_000", "1,5", "", None, True]
)
def test_no_float_and_no_odd_text_becomes_money(amount: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Money.model_validate({"amount": amount, "currency": "EUR"})
    [problem] = problems_of(caught.value)
    assert problem.field == "amount"
    assert "never a float" in (problem.expected or "")


def test_a_json_number_with_a_fraction_is_refused_and_an_integer_taken() -> None:
    with pytest.raises(ValidationError, match="never a float"):
        Money.model_validate_json('{"amount": 10.10, "currency": "EUR"}')
    assert Money.model_validate_json('{"amount": 10, "currency": "EUR"}') == Money.of("10.00", "EUR")


@pytest.mark.parametrize(
    ("given_amount", "currency", "text"),
    [
        ("10", "EUR", "10.00"),
        ("10.5", "EUR", "10.50"),
        ("10.500", "EUR", "10.50"),
        (" 10.5 ", "EUR", "10.50"),
        ("1E+3", "EUR", "1000.00"),
        ("1.0E3", "JPY", "1000"),
        (Decimal("1E+3"), "JPY", "1000"),
        ("-0", "EUR", "0.00"),
        (Decimal("-0.00"), "EUR", "0.00"),
        ("-0.5", "KWD", "-0.500"),
        ("9007199254740993", "EUR", "9007199254740993.00"),
    ],
)
def test_an_amount_is_written_in_the_minor_units_of_its_currency(given_amount: Any, currency: str, text: str) -> None:
    assert to_json(Money(amount=given_amount, currency=currency)) == {"amount": text, "currency": currency}


@pytest.mark.parametrize(("amount", "currency"), [("10.505", "EUR"), ("0.5", "JPY"), ("1.0001", "KWD")])
def test_too_many_decimals_are_refused_not_rounded(amount: str, currency: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Money.of(amount, currency)
    [problem] = problems_of(caught.value)
    assert (problem.field, problem.value) == ("amount", amount)
    assert f"an amount of {currency}" in (problem.expected or "")


def test_decimals_keep_to_the_places_of_their_kind() -> None:
    assert Quantity.model_validate({"value": "1.123456", "unit": "HUR"}).value == Decimal("1.123456")
    assert Quantity.model_validate({"value": "1.50000000", "unit": "HUR"}).value == Decimal("1.5")
    for value in ("1.1234567", "1234567890123456789012345"):
        with pytest.raises(ValidationError, match="at most 6 decimals"):
            Quantity.model_validate({"value": value, "unit": "HUR"})
    price, percent, rate = (TypeAdapter(each) for each in (PriceValue, TaxPercent, Rate))
    assert price.dump_python(price.validate_python("0.0000000001"), mode="json") == "0.0000000001"
    assert percent.validate_python("100.000000") == 100
    for adapter, wrong in ((price, "-1"), (price, "1.12345678901"), (percent, "100.01"), (percent, "-1"), (rate, "0")):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_units_are_those_of_rec_20() -> None:
    assert Quantity.model_validate({"value": 1, "unit": "E34"}).unit == "E34"
    with pytest.raises(ValidationError, match="UN/ECE"):
        Quantity.model_validate({"value": 1, "unit": "GB"})


@given(CURRENCIES, UNITS, UNITS)
def test_money_adds_exactly(currency: str, one: int, other: int) -> None:
    assert money(one, currency) + money(other, currency) == money(one + other, currency)
    assert money(one, currency) - money(other, currency) == money(one - other, currency)
    assert -money(one, currency) == money(-one, currency)
    assert sum_money([money(one, currency), money(other, currency)], currency) == money(one + other, currency)
    assert (money(one, currency) < money(other, currency)) == (one < other)


def test_money_of_two_currencies_does_not_mix() -> None:
    euro, yen = Money.of(1, "EUR"), Money.of(1, "JPY")
    for mix in (
        lambda: euro + yen,
        lambda: euro - yen,
        lambda: euro < yen,
        lambda: euro >= yen,
        lambda: sum_money([euro, yen], "EUR"),
        lambda: euro + 1,  # type: ignore[operator]
        lambda: euro * 1.5,  # type: ignore[operator]
        lambda: euro * True,
    ):
        with pytest.raises(TypeError):
            mix()
    assert euro != yen


@pytest.mark.parametrize(
    ("exact", "currency", "expected"),
    [
        ("0.005", "EUR", "0.01"),
        ("-0.005", "EUR", "-0.01"),
        ("2.675", "EUR", "2.68"),
        ("0.5", "JPY", "1"),
        ("-0.004", "EUR", "0"),
    ],
)
def test_rounding_is_half_up_away_from_zero(exact: str, currency: str, expected: str) -> None:
    found = round_money(Decimal(exact), currency)
    assert found == Money.of(expected, currency)
    assert not str(found).startswith("-0.00 ")


def test_money_times_a_number_is_rounded_once() -> None:
    assert Money.of("0.05", "EUR") * Decimal("0.5") == Money.of("0.03", "EUR")
    assert 3 * Money.of("0.05", "EUR") == Money.of("0.15", "EUR")


@given(CURRENCIES, UNITS, st.lists(st.integers(0, 10**6) | st.decimals(0, 1000, places=3), min_size=1, max_size=12))
def test_split_adds_up_and_stays_near(currency: str, units: int, weights: list[Any]) -> None:
    total = money(units, currency)
    parts = split(total, weights)
    assert sum_money(parts, currency) == total
    even = not any(weights)
    whole = Fraction(len(weights)) if even else sum(Fraction(weight) for weight in weights)
    step = Fraction(1, 10 ** MINOR_UNITS[currency])
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(total.amount) * (1 if even else Fraction(weight)) / whole
        assert abs(Fraction(part.amount) - exact) < step


def test_split_goes_by_largest_remainder_ties_to_the_lower_part() -> None:
    amounts = [str(part.amount) for part in split(Money.of("0.05", "EUR"), [1, 1, 1])]
    assert amounts == ["0.02", "0.02", "0.01"]
    assert [part.amount for part in split(Money.of("-10", "JPY"), [1, 3])] == [-3, -7]  # 2.5 and 7.5: a tie
    for weights in ([], [1, -1]):
        with pytest.raises(ValueError, match="weights"):
            split(Money.of(1, "EUR"), weights)
    with pytest.raises(ValueError, match="cannot be shared out"):
        apportion(Decimal(5), [Fraction(1), Fraction(1)], "EUR")


def test_money_is_converted_once_and_parts_add_up() -> None:
    rate = ExchangeRate.model_validate({"source_currency": "EUR", "target_currency": "JPY", "rate": "163.27"})
    assert converted(Money.of("10.01", "EUR"), rate) == Money.of(1634, "JPY")
    parts = [Money.of("0.33", "EUR"), Money.of("0.33", "EUR"), Money.of("0.34", "EUR")]
    found = converted_parts(parts, rate)
    assert sum_money(found, "JPY") == Money.of(163, "JPY")
    assert [part.amount for part in found] == [54, 54, 55]  # 55.5 rounds up to 56; the largest gives it back
    assert converted_parts([], rate) == ()
    with pytest.raises(TypeError):
        converted(Money.of(1, "USD"), rate)


@given(CURRENCIES, UNITS)
def test_a_round_trip_changes_nothing(currency: str, units: int) -> None:
    before = money(units, currency)
    text = json.dumps(to_json(before))
    assert Money.model_validate_json(text) == before == Money.model_validate(json.loads(text))
    assert "E" not in to_json(before)["amount"]
