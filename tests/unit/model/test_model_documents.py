"""Documents refuse what contradicts itself, and say where, what and what was expected."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.model import model_examples as ex

from isthmus.model import (
    CreditNote,
    InvalidObject,
    Invoice,
    Money,
    Order,
    Payment,
    Quote,
    TaxCategory,
    differences,
    from_json,
    left_of,
    problems_of,
    settle,
    to_json,
)


def refused(model: Any, data: dict[str, Any]) -> dict[str, str]:
    """What is wrong: field to what was expected."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return {problem.field or "": problem.expected or "" for problem in problems_of(caught.value)}


def test_a_quote_reads_and_is_written_back_as_it_came() -> None:
    data = ex.quote(
        lines=[ex.line(period={"start_date": "2026-12-01", "end_date": "2027-11-30"})],
        extensions={"promo_code": "M\u00fcller", "sap.plant": "1710"},
        purchase_order_number="PO-1",
    )
    quote = Quote.model_validate(data)
    assert to_json(quote) == data
    assert quote.tax_basis == "exclusive"
    assert quote.lines[0].tax == TaxCategory.model_validate({"code": "S", "percent": 19})
    with pytest.raises(ValidationError, match="frozen"):
        quote.number = "other"  # type: ignore[misc]


def test_null_and_absent_mean_the_same_on_a_whole_object() -> None:
    assert to_json(Quote.model_validate(ex.quote(buyer_reference=None))) == ex.quote()


def test_unknown_fields_are_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidObject) as caught:
        from_json(Quote, ex.quote(custmer="Acme"))
    assert str(caught.value) == "custmer is no field of the model; correct its name, or declare it under extensions"
    assert caught.value.problem.field == "custmer"


def test_several_mistakes_are_told_at_once() -> None:
    lines = [ex.line(quantity="-1"), {name: value for name, value in ex.line(2).items() if name != "product"}]
    with pytest.raises(InvalidObject) as caught:
        from_json(Quote, ex.quote(lines=lines, number=None))
    fields = {problem.field: problem for problem in caught.value.problems}
    assert set(fields) == {"lines[0].quantity.value", "lines[1].product", "lines[0].line_extension_amount", "number"}
    assert fields["lines[0].quantity.value"].title == "Quantity must be greater than 0"
    assert fields["lines[0].quantity.value"].value == "-1"
    assert caught.value.problem.title == "This is no valid quote: 4 fields are wrong"
    assert "lines[1].product must be a link, unless kind is text or charge" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": [ex.line(), ex.line()]}, "lines[1].id"),
        ({"lines": [ex.line(parent_line="9")]}, "lines[0].parent_line"),
        ({"lines": [ex.line(parent_line="1")]}, "lines[0].parent_line"),
        ({"lines": [ex.line(id="x" * 21)]}, "lines[0].id"),
        ({"lines": [ex.line(quantity="0", amount="0")]}, "lines[0].quantity.value"),
        ({"lines": [ex.line(amount="37.05")]}, "lines[0].line_extension_amount"),
        ({"tax_basis": "inclusive"}, "lines[0].tax_inclusive_amount"),
        ({"currency": "JPY"}, "lines[0].unit_price.currency"),
        ({"status": "accepted", "accepted_at": None}, "accepted_at"),
        ({"status": "sent"}, "validity.end_date"),
        ({"issue_date": "2026-11-23T00:00:00Z"}, "issue_date"),
        ({"issue_date": 1700000000}, "issue_date"),
        ({"accepted_at": "2026-11-23T10:02:11"}, "accepted_at"),
        ({"accepted_at": 1700000000}, "accepted_at"),
        ({"status": "won"}, "status"),
        ({"revision": 0}, "revision"),
        ({"id": "OPP-1001"}, "id"),
        ({"extensions": {"Promo": "x"}}, "extensions.Promo.[key]"),
        ({"extensions": {"share": 0.5}}, "extensions.share"),
    ],
)
def test_a_quote_refuses(wrong: dict[str, Any], field: str) -> None:
    assert field in refused(Quote, ex.quote(**wrong))


def test_a_companys_own_text_is_nfc_too() -> None:
    quote = Quote.model_validate(ex.quote(extensions={"promo_code": "Mu\u0308ller"}))
    assert quote.extensions["promo_code"] == "M\u00fcller"


def test_times_are_kept_in_utc() -> None:
    quote = Quote.model_validate(ex.quote(accepted_at="2026-11-23T11:02:11.120+01:00"))
    assert to_json(quote)["accepted_at"] == "2026-11-23T10:02:11.120000Z"


def test_what_others_calculated_may_be_two_cents_off_and_is_noted() -> None:
    """L2 within 0.02; a yen, which cannot be off by less, within one yen."""
    quote = Quote.model_validate(ex.quote(lines=[ex.line(amount="37.04")]))
    [difference] = differences(quote)
    assert difference.field == "lines[0].line_extension_amount"
    assert "37.02 EUR" in (difference.expected or "")
    assert differences(Quote.model_validate(ex.quote())) == ()
    yen = ex.line(unit_price={"amount": "333.5", "currency": "JPY"}, line_extension_amount=ex.money("1000", "JPY"))
    assert differences(Quote.model_validate(ex.quote(currency="JPY", lines=[yen])))
    yen["line_extension_amount"] = ex.money("999", "JPY")
    assert "lines[0].line_extension_amount" in refused(Quote, ex.quote(currency="JPY", lines=[yen]))


def test_a_price_may_be_for_a_hundred() -> None:
    price = {"amount": "99", "currency": "EUR", "base_quantity": {"value": "100", "unit": "C62"}}
    assert Quote.model_validate(ex.quote(lines=[ex.line(amount="2.97", unit_price=price)]))
    price["base_quantity"] = {"value": "100", "unit": "KGM"}
    data = ex.quote(lines=[ex.line(amount="2.97", unit_price=price)])
    assert refused(Quote, data) == {
        "lines[0].unit_price.base_quantity.unit": "C62, the unit of the line's quantity (Peppol R130)"
    }


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"gross_amount": "15", "discount_amount": "2.66"}, None),
        ({"gross_amount": "15", "discount_amount": "2"}, "amount"),
        ({"gross_amount": "12.34"}, None),
        ({"discount_amount": "1"}, "gross_amount"),
        ({"base_quantity": {"value": "0", "unit": "C62"}}, "base_quantity.value"),
    ],
)
def test_a_price_is_gross_less_discount(more: dict[str, Any], wrong: str | None) -> None:
    data = ex.quote(lines=[ex.line(unit_price={"amount": "12.34", "currency": "EUR", **more})])
    if wrong is None:
        assert Quote.model_validate(data)
    else:
        assert f"lines[0].unit_price.{wrong}" in refused(Quote, data)


def test_a_part_of_a_kit_counts_nothing() -> None:
    part = ex.line(2, parent_line="1", roll_up="included")
    assert Invoice.model_validate(ex.invoice(lines=[ex.line(), part]))
    part["roll_up"] = "priced"
    assert "totals.line_extension_amount" in refused(Invoice, ex.invoice(lines=[ex.line(), part]))


@pytest.mark.parametrize(
    "name", ["line_extension_amount", "tax_exclusive_amount", "tax_amount", "tax_inclusive_amount", "payable_amount"]
)
def test_totals_have_no_tolerance(name: str) -> None:
    amount = ex.decimal(ex.TOTALS[name]["amount"]) - ex.decimal("0.01")
    found = refused(Invoice, ex.invoice(totals=ex.TOTALS | {name: ex.money(str(amount))}))
    assert f"totals.{name}" in found


def test_an_allowance_that_no_line_states_is_refused() -> None:
    """D2: the totals may agree among themselves and still not with the document's allowances."""
    amounts = {"allowance_total_amount": "1.00", "tax_exclusive_amount": "36.02", "tax_inclusive_amount": "43.05"}
    totals = ex.TOTALS | {name: ex.money(amount) for name, amount in (amounts | {"payable_amount": "43.05"}).items()}
    assert set(refused(Invoice, ex.invoice(totals=totals))) == {"totals.allowance_total_amount"}


def test_tax_may_be_one_unit_off_but_zero_is_zero() -> None:
    """BR-CO-17 lets a received tax be 1 off; a category that is not taxed has no tax at all."""
    subtotal = ex.SUBTOTAL | {"tax_amount": ex.money("7.90")}
    totals = ex.TOTALS | {
        name: ex.money(amount)
        for name, amount in (("tax_amount", "7.90"), ("tax_inclusive_amount", "44.92"), ("payable_amount", "44.92"))
    }
    invoice = Invoice.model_validate(ex.invoice(tax_subtotals=[subtotal], totals=totals))
    assert [problem.field for problem in differences(invoice)] == ["tax_subtotals[0].tax_amount"]
    wrong = ex.SUBTOTAL | {"tax_amount": ex.money("8.04")}
    assert "tax_subtotals[0].tax_amount" in refused(Invoice, ex.invoice(tax_subtotals=[wrong]))
    free = {"code": "AE", "percent": "0"}
    wrong = {"taxable_amount": ex.money("37.02"), "tax": free, "tax_amount": ex.money("0.01")}
    assert "tax_subtotals[0].tax_amount" in refused(
        Invoice, ex.invoice(lines=[ex.line(tax=free)], tax_subtotals=[wrong])
    )


def test_subtotals_agree_with_the_lines() -> None:
    assert "tax_subtotals[0].taxable_amount" in refused(
        Invoice,
        ex.invoice(tax_subtotals=[ex.SUBTOTAL | {"taxable_amount": ex.money("39.02"), "tax_amount": ex.money("7.41")}]),
    )
    assert "tax_subtotals" in refused(Invoice, ex.invoice(lines=[ex.line(tax={"code": "S", "percent": "7"})]))


@pytest.mark.parametrize(
    ("tax", "fits"),
    [
        ({"code": "S", "percent": "19"}, True),
        ({"code": "S"}, False),
        ({"code": "Z", "percent": "0"}, True),
        ({"code": "AE", "percent": "19"}, False),
        ({"code": "O"}, True),
        ({"code": "O", "percent": "0"}, False),
        ({"code": "S", "percent": "119"}, False),
        ({"code": "X", "percent": "0"}, False),
    ],
)
def test_a_tax_category_fits_its_percentage(tax: dict[str, str], fits: bool) -> None:
    if fits:
        assert TaxCategory.model_validate(tax)
    else:
        refused(TaxCategory, tax)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"number": None}, "number"),
        ({"due_date": None}, "due_date"),
        ({"seller": {"name": "Nobody"}}, "seller.tax_registrations"),
        ({"tax_point_date": "2026-11-23", "tax_point_code": "3"}, "tax_point_code"),
        ({"tax_subtotals": []}, "tax_subtotals"),
        ({"totals": None}, "totals"),
        ({"payment_means": {"code": "59"}}, "payment_means.mandate"),
        ({"payment_means": {"code": "71"}}, "payment_means.code"),
        ({"tax_amount_in_tax_currency": ex.money("7", "GBP")}, "tax_amount_in_tax_currency.currency"),
        ({"lines": [{name: value for name, value in ex.line().items() if name != "tax"}]}, "lines[0].tax"),
    ],
)
def test_an_invoice_refuses(wrong: dict[str, Any], field: str) -> None:
    assert field in refused(Invoice, ex.invoice(**wrong))


def test_an_invoice_may_take_back_in_a_line_but_is_positive() -> None:
    back = ex.line(2, quantity="-1", price="7.02", amount="-7.02")
    totals = {
        name: ex.money(amount)
        for name, amount in zip(ex.TOTALS, ("30.00", "30.00", "5.70", "35.70", "35.70"), strict=True)
    }
    subtotal = {"taxable_amount": ex.money("30"), "tax": {"code": "S", "percent": "19"}, "tax_amount": ex.money("5.70")}
    assert Invoice.model_validate(ex.invoice(lines=[ex.line(), back], totals=totals, tax_subtotals=[subtotal]))
    negative = {name: ex.money("-" + each["amount"]) for name, each in ex.TOTALS.items()}
    subtotal = {
        "taxable_amount": ex.money("-37.02"),
        "tax": {"code": "S", "percent": "19"},
        "tax_amount": ex.money("-7.03"),
    }
    data = ex.invoice(lines=[ex.line(quantity="-3", amount="-37.02")], totals=negative, tax_subtotals=[subtotal])
    assert set(refused(Invoice, data)) == {"totals.tax_inclusive_amount"}


def test_a_settlement_adds_up_and_paid_means_nothing_is_open() -> None:
    def settled(paid: str, left: str, status: str) -> dict[str, Any]:
        parts = {
            "paid": ex.money(paid),
            "credited": ex.money("0"),
            "written_off": ex.money("0"),
            "open": ex.money(left),
        }
        return ex.invoice(settlement=parts, status=status)

    assert Invoice.model_validate(settled("44.05", "0", "paid"))
    assert Invoice.model_validate(settled("4.05", "40", "issued")).is_partly_paid
    assert "status" in refused(Invoice, settled("4.05", "40", "paid"))
    assert "status" in refused(Invoice, settled("44.05", "0", "issued"))
    assert "settlement.open" in refused(Invoice, settled("4.05", "39.99", "issued"))
    assert "settlement.open" in refused(Invoice, settled("45.05", "-1", "issued"))


def test_an_invoice_is_overdue_the_day_after() -> None:
    invoice = Invoice.model_validate(ex.invoice())
    assert not invoice.is_overdue(date(2026, 12, 23))
    assert invoice.is_overdue(date(2026, 12, 24))
    assert not Invoice.model_validate(ex.invoice(status="void")).is_overdue(date(2027, 1, 1))


def test_settlement_comes_from_what_names_the_invoice() -> None:
    """I1: a payment of 30 with 1.05 discount, one reversed, a credit of 5: 8.00 stays open."""
    link = {"kind": "invoice", "number": "RE-1"}
    one = {"id": "1", "invoice": link, "amount": ex.money("30"), "discount": ex.money("1.05")}
    gone = {"id": "2", "invoice": link, "amount": ex.money("10"), "reversed": True}
    other = {"id": "3", "invoice": {"kind": "invoice", "number": "RE-2"}, "amount": ex.money("3")}
    paid = Payment.model_validate(ex.payment(allocations=[one, gone, other]))
    note = CreditNote.model_validate(ex.credit_note(use=[{"kind": "apply", "invoice": link, "amount": ex.money("5")}]))
    found = settle(Invoice.model_validate(ex.invoice()), [paid], [note])
    assert [str(each) for each in (found.paid, found.credited, found.written_off, found.open)] == [
        "30.00 EUR",
        "5.00 EUR",
        "1.05 EUR",
        "8.00 EUR",
    ]
    assert Invoice.model_validate(ex.invoice(settlement=found)).is_partly_paid


def test_a_credit_note_gives_no_more_than_it_has() -> None:
    use = [{"kind": "hold", "amount": ex.money("40")}]
    note = CreditNote.model_validate(ex.credit_note(use=use))
    assert note.remaining == Money.of("4.05", "EUR")
    assert "use" in refused(CreditNote, ex.credit_note(use=use * 2))
    assert "use[0].amount.currency" in refused(
        CreditNote, ex.credit_note(use=[{"kind": "hold", "amount": ex.money("4", "JPY")}])
    )
    assert "use[0].invoice" in refused(CreditNote, ex.credit_note(use=[{"kind": "apply", "amount": ex.money("4")}]))
    assert "corrects" in refused(CreditNote, ex.credit_note(corrects=[]))
    assert CreditNote.model_validate(ex.credit_note(corrects=[], kind="goodwill", reason="goodwill"))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": ex.money("0")}, "amount"),
        ({"kind": "refund"}, "refunds"),
        ({"fee": ex.money("1"), "net": ex.money("43")}, "net"),
        ({"net": ex.money("43", "USD")}, "net.currency"),
        ({"allocations": [{"id": "1", "amount": ex.money("1")}]}, "allocations[0].invoice"),
        ({"instrument": {"type": "card", "last4": "4242424242424242"}}, "instrument.last4"),
    ],
)
def test_a_payment_refuses(wrong: dict[str, Any], field: str) -> None:
    assert field in refused(Payment, ex.payment(**wrong))


def test_a_payment_gives_out_no_more_than_it_has() -> None:
    invoice = {"kind": "invoice", "number": "RE-1"}
    data = ex.payment(allocations=[{"id": "1", "invoice": invoice, "amount": ex.money("40")}])
    receipt = Payment.model_validate(data)
    refund = Payment.model_validate(
        ex.payment(kind="refund", refunds={"kind": "payment", "number": "1"}, amount=ex.money("4"))
    )
    assert (str(receipt.unallocated), str(left_of(receipt, (refund,)))) == ("4.05 EUR", "0.05 EUR")
    data["allocations"].append({"id": "2", "invoice": invoice, "amount": ex.money("5"), "reversed": True})
    assert str(Payment.model_validate(data).unallocated) == "4.05 EUR"
    data["allocations"][1]["reversed"] = False
    assert "allocations" in refused(Payment, data)


def test_what_arrives_is_the_amount_in_its_currency_less_the_fee() -> None:
    rate = {"source_currency": "JPY", "target_currency": "EUR", "rate": "0.00613"}
    data = ex.payment(
        amount=ex.money("10000", "JPY"), settlement_currency="EUR", exchange_rate=rate, fee=ex.money("1.30")
    )
    assert Payment.model_validate(data | {"net": ex.money("60.00")})
    assert "net" in refused(Payment, data | {"net": ex.money("60.01")})


def test_an_order_needs_our_key_and_once_confirmed_its_counts() -> None:
    assert Order.model_validate(ex.order()).status == "draft"
    assert "request_number" in refused(Order, {k: v for k, v in ex.order().items() if k != "request_number"})
    assert set(refused(Order, ex.order(number="4500001"))) == {
        "lines[0].shipped",
        "lines[0].cancelled",
        "lines[0].invoiced",
    }
    assert "original_order" in refused(Order, ex.order(kind="amendment"))
