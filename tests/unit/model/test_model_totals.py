"""Random documents in three currencies keep D1 to D3 and T1 to T3 to the last minor unit, and survive a round trip."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.unit.model.model_examples import PARTY, SELLER

from isthmus.model import (
    MINOR_UNIT,
    AllowanceCharge,
    Built,
    Invoice,
    Money,
    PricedLine,
    Quantity,
    TaxCategory,
    TaxSubtotal,
    UnitPrice,
    build,
    content_hash,
    differences,
    schema,
    sum_money,
    to_json,
)

CATEGORIES = st.sampled_from(
    [
        TaxCategory.model_validate({"code": "S", "percent": "19"}),
        TaxCategory.model_validate({"code": "S", "percent": "7"}),
        TaxCategory.model_validate({"code": "S", "percent": "8.25", "scheme": "SALES_TAX"}),
        TaxCategory.model_validate({"code": "E", "percent": "0", "exemption_reason": "export of used goods"}),
        TaxCategory.model_validate({"code": "AE", "percent": "0", "exemption_code": "VATEX-EU-AE"}),
        TaxCategory.model_validate({"code": "O"}),
    ]
)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
INVOICE_SCHEMA = Draft202012Validator(schema("invoice"))


def allowance(currency: str, units: int, charge: bool, tax: TaxCategory | None = None) -> AllowanceCharge:
    amount = Money.of(units * MINOR_UNIT[currency], currency)
    return AllowanceCharge(charge=charge, amount=amount, reason="campaign", tax=tax)


@st.composite
def priced_lines(draw: Any, currency: str) -> PricedLine:
    quantity = draw(st.decimals(Decimal("0.001"), 500, places=3)) * draw(st.sampled_from([1, 1, 1, -1]))
    base = draw(st.sampled_from([None, None, Decimal(100), Decimal(7)]))
    price = {
        "amount": draw(st.decimals(0, 2000, places=4)),
        "currency": currency,
        "base_quantity": base and Quantity(value=base, unit="C62"),
    }
    parts = draw(st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=2))
    return PricedLine(
        quantity=Quantity(value=quantity, unit="C62"),
        unit_price=UnitPrice(**price),
        tax=draw(CATEGORIES),
        allowances=tuple(allowance(currency, units, charge) for units, charge in parts),
        counts=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def built_documents(draw: Any) -> Built:
    currency = draw(CURRENCIES)
    lines = draw(st.lists(priced_lines(currency), min_size=1, max_size=6))
    assume(any(line.counts for line in lines))
    parts = draw(st.lists(st.tuples(st.integers(0, 5000), st.booleans(), st.none() | CATEGORIES), max_size=3))
    step = {"EUR": "0.05", "JPY": "10", "KWD": "0.005"}[currency]
    return build(
        lines,
        currency,
        allowances=[allowance(currency, *part) for part in parts],
        tax_basis=draw(st.sampled_from(["exclusive", "exclusive", "inclusive"])),
        prepaid=draw(st.none() | st.just(Money.of(MINOR_UNIT[currency] * 777, currency))),
        cash_step=draw(st.none() | st.just(Decimal(step))),
    )


def as_invoice(built: Built, counts: list[bool]) -> dict[str, Any]:
    """The invoice that holds these figures; lines that do not count are parts of the first that does."""
    parent = str(counts.index(True))
    lines = []
    for index, line in enumerate(built.lines):
        more = {} if counts[index] else {"parent_line": parent, "roll_up": "included"}
        product = {"kind": "product", "number": f"X-{index}"}
        lines.append(
            {"id": str(index), "position": index + 1, "name": "Thing", "product": product, **more, **line.fields()}
        )
    return {
        "business_unit": "emea",
        "number": "RE-1",
        "kind": "invoice",
        "issue_date": "2026-11-23",
        "due_date": "2026-12-23",
        "seller": SELLER,
        "partners": {"bill_to": PARTY},
        "status": "issued",
        "lines": lines,
        **built.fields(),
    }


def counted(built: Built) -> list[bool]:
    return [line.tax_amount is not None for line in built.lines]


@settings(max_examples=150, deadline=None)
@given(built_documents())
def test_sums_and_tax_are_exact(built: Built) -> None:
    """Worked again from scratch, in fractions, without the code under test."""
    currency, totals, zero = built.currency, built.totals, Money.zero(built.currency)
    lines = [line for line, counts in zip(built.lines, counted(built), strict=True) if counts]
    off = sum_money((part.amount for part in built.allowances if not part.charge), currency)
    on = sum_money((part.amount for part in built.allowances if part.charge), currency)
    assert totals.line_extension_amount == sum_money((line.line_extension_amount for line in lines), currency)
    assert (totals.allowance_total_amount or zero, totals.charge_total_amount or zero) == (off, on)
    assert totals.tax_exclusive_amount == totals.line_extension_amount - off + on
    assert totals.tax_amount == sum_money((each.tax_amount for each in built.tax_subtotals), currency)
    assert totals.tax_inclusive_amount == totals.tax_exclusive_amount + totals.tax_amount
    rounding = totals.payable_rounding_amount or zero
    assert totals.payable_amount == totals.tax_inclusive_amount - (totals.prepaid_amount or zero) + rounding
    assert sum_money((line.tax_amount for line in lines if line.tax_amount), currency) == totals.tax_amount
    step = MINOR_UNIT[currency]
    for each in built.tax_subtotals:
        members = [line.line_extension_amount for line in lines if line.tax == each.tax]
        basis = sum_money(members, currency)
        for part in built.allowances:
            if part.tax == each.tax:
                basis = basis + part.amount if part.charge else basis - part.amount
        assert each.taxable_amount == basis
        percent = Fraction(each.tax.percent or 0)
        if built.tax_basis == "inclusive":
            net = Fraction((each.taxable_amount + each.tax_amount).amount) * 100 / (100 + percent)
            assert abs(Fraction(each.taxable_amount.amount) - net) <= Fraction(step) / 2
        exact = Fraction(basis.amount) * percent / 100
        gap = abs(Fraction(each.tax_amount.amount) - exact)
        assert gap <= Fraction(step) * (Fraction(1, 2) if built.tax_basis == "exclusive" else Fraction(3, 2))


@settings(max_examples=150, deadline=None)
@given(built_documents())
def test_what_is_built_is_a_valid_invoice_and_survives_the_round_trip(built: Built) -> None:
    assume(built.totals.tax_inclusive_amount.amount >= 0)
    invoice = Invoice.model_validate(as_invoice(built, counted(built)))
    assert differences(invoice) == ()
    sent = json.loads(json.dumps(to_json(invoice)))
    again = Invoice.model_validate(sent)
    assert again == invoice
    assert content_hash(again) == content_hash(invoice)
    INVOICE_SCHEMA.validate(sent)
    assert not [value for value in _leaves(sent) if isinstance(value, float)]


@settings(max_examples=100, deadline=None)
@given(built_documents())
def test_a_cent_off_is_found(built: Built) -> None:
    """Exact sums have no tolerance: any total that is one minor unit off is refused."""
    assume(built.totals.tax_inclusive_amount.amount >= 0)
    data = to_json(Invoice.model_validate(as_invoice(built, counted(built))))
    names = [name for name in data["totals"] if name != "payable_rounding_amount"]
    for name in names:
        amount = Decimal(data["totals"][name]["amount"]) + MINOR_UNIT[built.currency]
        wrong = data | {"totals": data["totals"] | {name: {"amount": str(amount), "currency": built.currency}}}
        with pytest.raises(ValueError, match="totals"):
            Invoice.model_validate(wrong)


@settings(max_examples=100, deadline=None)
@given(CURRENCIES, st.decimals(Decimal("0.01"), 100000, places=2), st.sampled_from(["19", "7", "20", "25", "8.25"]))
def test_a_gross_price_is_kept_to_the_cent(currency: str, price: Decimal, percent: str) -> None:
    """What the customer sees is what is charged: net and tax add up to the gross price."""
    tax = TaxCategory.model_validate({"code": "S", "percent": percent})
    line = PricedLine(Quantity(value=Decimal(1), unit="C62"), UnitPrice(amount=price, currency=currency), tax)
    built = build([line], currency, tax_basis="inclusive")
    gross = price.quantize(MINOR_UNIT[currency], ROUND_HALF_UP)
    assert built.totals.payable_amount == Money.of(gross, currency) == built.lines[0].tax_inclusive_amount


def _leaves(node: Any) -> list[Any]:
    if isinstance(node, dict):
        return [leaf for child in node.values() for leaf in _leaves(child)]
    return [leaf for child in node for leaf in _leaves(child)] if isinstance(node, list) else [node]


def item(quantity: str, price: str, percent: str | None = "19", **more: Any) -> PricedLine:
    tax = None if percent is None else TaxCategory.model_validate({"code": "S", "percent": percent})
    return PricedLine(Quantity(value=quantity, unit="C62"), UnitPrice(amount=price, currency="EUR"), tax, **more)


def test_tax_is_rounded_once_per_category_not_per_line() -> None:
    """Three lines of 0.03 at 19 %: 0.0171 in all is 0.02; line by line it would be 0.03."""
    built = build([item("1", "0.03")] * 3, "EUR")
    assert built.totals.tax_amount == Money.of("0.02", "EUR")
    assert [str(line.tax_amount) for line in built.lines] == ["0.01 EUR", "0.01 EUR", "0.00 EUR"]


def test_an_allowance_without_tax_is_shared_out_to_the_categories() -> None:
    off = AllowanceCharge(charge=False, amount=Money.of("10.00", "EUR"), reason="campaign")
    built = build([item("1", "200"), item("1", "100", "7")], "EUR", allowances=[off])
    assert [(str(part.amount), str(part.tax.percent)) for part in built.allowances if part.tax] == [
        ("6.67 EUR", "19"),
        ("3.33 EUR", "7"),
    ]
    assert [str(each.taxable_amount) for each in built.tax_subtotals] == ["193.33 EUR", "96.67 EUR"]
    assert [str(each.tax_amount) for each in built.tax_subtotals] == ["36.73 EUR", "6.77 EUR"]
    assert str(built.totals.payable_amount) == "333.50 EUR"


def test_a_category_that_takes_back_bears_no_part_of_an_allowance() -> None:
    off = AllowanceCharge(charge=False, amount=Money.of("10.00", "EUR"), reason="campaign")
    built = build([item("1", "200"), item("-1", "100", "7")], "EUR", allowances=[off])
    assert [str(each.taxable_amount) for each in built.tax_subtotals] == ["190.00 EUR", "-100.00 EUR"]


def test_cash_is_rounded_only_in_what_is_payable() -> None:
    built = build([item("1", "9.98", None)], "EUR", cash_step=Decimal("0.05"))
    assert str(built.totals.payable_amount) == "10.00 EUR"
    assert str(built.totals.payable_rounding_amount) == "0.02 EUR"
    assert built.tax_subtotals == ()


def test_the_tax_engines_figures_win() -> None:
    """State and city tax the same basis; a sum per jurisdiction is what the engine says, not what we would get."""
    tax = {"code": "S", "percent": "6.25", "scheme": "SALES_TAX"}
    shares = [
        {
            "taxable_amount": {"amount": "100", "currency": "EUR"},
            "tax": tax | {"percent": percent},
            "jurisdiction": where,
        }
        | {"tax_amount": {"amount": amount, "currency": "EUR"}}
        for where, percent, amount in (("MA", "6.25", "6.26"), ("MA-Boston", "1", "1.00"))
    ]
    line = PricedLine(
        Quantity(value=1, unit="C62"),
        UnitPrice(amount=100, currency="EUR"),
        TaxCategory.model_validate(tax | {"percent": "7.25"}),
    )
    engine = [TaxSubtotal.model_validate(share) for share in shares]
    built = build([line], "EUR", tax_subtotals=engine)
    assert str(built.totals.tax_amount) == "7.26 EUR"
    invoice = Invoice.model_validate(as_invoice(built, [True]))
    assert [problem.field for problem in differences(invoice)] == ["tax_subtotals[0].tax_amount"]
    with pytest.raises(ValueError, match="net prices"):
        build([line], "EUR", tax_basis="inclusive", tax_subtotals=engine)


def test_what_cannot_be_built_is_said() -> None:
    with pytest.raises(ValueError, match="at least one line"):
        build([], "EUR")
    with pytest.raises(ValueError, match="all of them or to none"):
        build([item("1", "1"), item("1", "1", None)], "EUR")
