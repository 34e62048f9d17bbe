"""Decimals, money, time and codes in mappings: exact, or refused with advice."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.mapping import decimals
from isthmus.mapping.codes import Codes
from isthmus.mapping.errors import Refused
from isthmus.mapping.expression import MappingError, compile_expression
from isthmus.mapping.values import JsonNumber
from isthmus.model.codes import MINOR_UNITS

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15)


def value(text: str, codes: Any = None, **context: Any) -> Any:
    return compile_expression(text, codes=codes)(context)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('$decimal_add("0.1", "0.2")', "0.3"),
        ('$decimal_add("10.50", 2)', "12.50"),
        ('$decimal_subtract("1", "1.00")', "0.00"),
        ('$decimal_multiply("1.10", "3")', "3.30"),
        ('$decimal_divide("10", "3", 4)', "3.3333"),
        ('$decimal_divide("-1", "3", 0)', "0"),
        ('$decimal_round("0.005", 2)', "0.01"),
        ('$decimal_round("-0.005", 2)', "-0.01"),
        ('$decimal_round("2.5", 0)', "3"),
        ('$decimal_round("7", 2)', "7.00"),
        ('$decimal_round("2.5", 0, "half_even")', "2"),
        ('$decimal_round("2.5", 0, "half_down")', "2"),
        ('$decimal_round("-2.1", 0, "up")', "-3"),
        ('$decimal_round("-2.9", 0, "down")', "-2"),
        ('$rounding_difference("119.01", "119.00", "0.02")', "0.01"),
        ('$rounding_difference("118.98", "119.00", "0.02")', "-0.02"),
        ('$rounding_difference("119.00", "119", "0.02")', None),
        ('$rounding_difference(missing, "119", "0.02")', None),
        ('$decimal_sum(["0.1", "0.2", 3])', "3.3"),
        ("$decimal_sum([])", "0"),
        ('$decimal_sum("1.5")', "1.5"),
        ("$decimal_sum(missing)", None),
        ('$decimal_compare("10.5", "10.50")', 0),
        ('$decimal_compare("9", "10")', -1),
        ('$decimal_compare("-9", "-10")', 1),
        ('$minor_units("12.50", "EUR")', "1250"),
        ('$minor_units("12.5000", "EUR")', "1250"),
        ('$minor_units("-0.01", "EUR")', "-1"),
        ('$minor_units("1250", "JPY")', "1250"),
        ('$minor_units("5.124", "KWD")', "5124"),
        ('$from_minor_units("1250", "EUR")', "12.50"),
        ('$from_minor_units(-5, "EUR")', "-0.05"),
        ('$from_minor_units(5124, "KWD")', "5.124"),
        ('$from_minor_units("1250", "JPY")', "1250"),
        ('$money("12.5", "EUR")', {"amount": "12.50", "currency": "EUR"}),
        ('$money("12", "JPY")', {"amount": "12", "currency": "JPY"}),
        ('$money(missing, "EUR")', None),
        ('$json_number("12.50")', "12.50"),
        ('$json_number("1E+3")', "1000"),
        ('$strip_zeros("000010")', "10"),
        ('$strip_zeros("0000")', "0"),
        ('$strip_zeros("00A1")', "00A1"),
        ('$epoch("1970-01-01T00:00:10Z")', "10"),
        ('$epoch("1970-01-01T01:00:10.9+01:00")', "10"),
        ('$epoch("1970-01-02")', "86400"),
        ("$from_epoch(10)", "1970-01-01T00:00:10Z"),
        ('$from_epoch("10.5")', "1970-01-01T00:00:10.500000Z"),
        ('$date_of("2026-03-01T23:30:00Z")', "2026-03-01"),
        ('$date_of("2026-03-01T23:30:00Z", "Europe/Berlin")', "2026-03-02"),
        ('$date_of("2026-03-01", "Europe/Berlin")', "2026-03-01"),
        ('$odata_datetime("2026-03-01")', "/Date(1772323200000)/"),
        ('$odata_datetime("2026-03-01T00:00:00.250+01:00")', "/Date(1772319600250)/"),
        ('$day_after("2028-02-28")', "2028-02-29"),
        ('$day_before("2026-01-01")', "2025-12-31"),
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('$decimal_add("1,5", "2")', "not a decimal"),
        ('$decimal_add(null, "2")', "null is not a decimal"),
        ('$decimal_add(true, "2")', "not a decimal"),
        ('$decimal_add("1_000", "2")', "not a decimal"),
        ('$decimal_add("NaN", "2")', "not a decimal"),
        ('$decimal_add("1e999999", "2")', "not a decimal"),
        ('$decimal_add("٣", "2")', "not a decimal"),
        ('$decimal_sum(["1", null])', "not a decimal"),
        ('$decimal_divide("1", "0.00", 2)', "divided by zero"),
        ('$decimal_divide("1", "2", "2")', "not a number of decimals"),
        ('$decimal_round("1", 21)', "not a number of decimals"),
        ('$decimal_round("1", 2, "sideways")', "no way to round"),
        ('$rounding_difference("119.03", "119.00", "0.02")', "at most 0.02"),
        ('$minor_units("12.505", "EUR")', "$decimal_round(…, 2)"),
        ('$minor_units("1.5", "JPY")', "more decimals than JPY has (0)"),
        ('$money("1.999", "USD")', "more decimals"),
        ('$money("1", "eur")', "$uppercase"),
        ('$money("1", "XAU")', "not a currency"),
        ('$money("1", missing)', "not a currency"),
        ('$from_minor_units("12.5", "EUR")', "not a whole number"),
        ('$epoch("2026-03-01T10:00:00")', "no offset"),
        ('$epoch("yesterday")', "not a time"),
        ("$from_epoch(99999999999999)", "divide milliseconds by 1000"),
        ('$date_of("2026-03-01T10:00:00Z", "Berlin")', "not a time zone"),
        ('$day_after("2026-02-30")', "not a day"),
        ('$day_after("2026-03-01T10:00:00Z")', "$date_of"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(MappingError) as caught:
        value(text)
    assert says in str(caught.value)


def test_floats_are_refused_wherever_they_come_from() -> None:
    for text in ("$decimal_add(x, '1')", "$money(x, 'EUR')", "$json_number(x)", "$minor_units(x, 'EUR')"):
        with pytest.raises(MappingError, match="may have lost digits"):
            value(text, x=10.1)


def test_a_json_number_is_marked_text() -> None:
    assert type(value('$json_number("12.50")')) is JsonNumber
    assert value("$json_number(n)", n=None) is None


@given(AMOUNTS, AMOUNTS)
@settings(max_examples=80, deadline=None)
def test_arithmetic_is_exact(a: Decimal, b: Decimal) -> None:
    one, other = format(a, "f"), format(b, "f")
    assert Fraction(decimals.decimal_add(one, other)) == Fraction(a) + Fraction(b)
    assert Fraction(decimals.decimal_subtract(one, other)) == Fraction(a) - Fraction(b)
    assert Fraction(decimals.decimal_multiply(one, other)) == Fraction(a) * Fraction(b)


@given(AMOUNTS, AMOUNTS.filter(bool), st.integers(0, 12))
@settings(max_examples=80, deadline=None)
def test_division_is_rounded_once_half_away_from_zero(a: Decimal, b: Decimal, places: int) -> None:
    found = decimals.decimal_divide(format(a, "f"), format(b, "f"), places)
    scaled = Fraction(a) / Fraction(b) * 10**places
    rounded = int(abs(scaled) + Fraction(1, 2)) * (1 if scaled >= 0 else -1)
    assert Fraction(found) * 10**places == rounded
    cents = decimals.decimal_round(format(a, "f"), 2)
    assert Decimal(cents) == a.quantize(Decimal("0.01"), ROUND_HALF_UP) and cents[-3] == "."


def test_currencies_have_the_decimals_that_the_model_says() -> None:
    assert {code: decimals.currency_decimals(code) for code in MINOR_UNITS} == MINOR_UNITS


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(MINOR_UNITS)))
@settings(max_examples=80, deadline=None)
def test_minor_units_come_back(units: int, currency: str) -> None:
    amount = decimals.from_minor_units(units, currency)
    assert decimals.minor_units(amount, currency) == str(units)
    assert decimals.money(amount, currency) == {"amount": amount, "currency": currency}


CODES = {"unit": {"C62": "ST", "EA": "ST", "KGM": "KG"}, "level": {1: "gold", 2: "silver"}}


def test_codes_are_looked_up_both_ways_and_the_first_one_listed_comes_back() -> None:
    assert value('$code("unit", u)', CODES, u="EA") == "ST"
    assert value('$code_of("unit", u)', CODES, u="ST") == "C62"
    assert value('$code("level", u)', CODES, u=2) == "silver"
    assert value("$code(t, u)", CODES, t="unit", u="KGM") == "KG"
    assert value('$code("unit", u)', CODES, u=None) is None
    assert value('$code("unit", u)', CODES) is None


def test_an_unknown_code_names_the_table_and_what_it_holds() -> None:
    with pytest.raises(MappingError) as caught:
        value('$code("unit", u)', CODES, u="XYZ")
    assert "'XYZ' is not in the code table 'unit'; expected one of C62, EA, KGM" in str(caught.value)
    with pytest.raises(MappingError, match="no code table 'units'"):
        value("$code(t, u)", CODES, t="units", u="C62")


def test_a_table_whose_keys_yaml_misread_is_refused() -> None:
    with pytest.raises(ValueError, match="put it in quotes"):
        Codes({"country": {False: "Norway"}})
    with pytest.raises(Refused):
        Codes({}).code("unit", "C62")
