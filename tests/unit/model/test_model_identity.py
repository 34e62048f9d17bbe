"""What makes two objects, or two versions of one, the same fact; and ids of our own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model import model_examples as ex

from isthmus.model import (
    BusinessUnit,
    Case,
    CreditNote,
    Customer,
    Invoice,
    IsthmusError,
    Order,
    Payment,
    Price,
    Quote,
    business_key,
    content_hash,
    match_keys,
    new_id,
    to_json,
)


def test_ids_are_ulids_sorted_by_time() -> None:
    start = datetime(2026, 11, 23, 10, tzinfo=UTC)
    ids = [new_id("order", start + timedelta(milliseconds=step)) for step in range(50)]
    assert ids == sorted(ids)
    assert len({new_id("order", start) for _ in range(1000)}) == 1000
    assert Order.model_validate(ex.order(id=ids[0])).id == ids[0]
    assert len(ids[0]) == len("order_") + 26
    with pytest.raises(ValueError, match="'account' is no object"):
        new_id("account")


@pytest.mark.parametrize(
    ("model", "data", "key"),
    [
        (Quote, ex.quote(), "quote/emea/OPP-1001/1"),
        (Quote, ex.quote(number=" opp-1001 ", revision=2), "quote/emea/OPP-1001/2"),
        (Order, ex.order(), "order/emea/OPP-1001"),
        (Order, ex.order(request_number="OPP/1 001"), "order/emea/OPP%2F1 001"),
        (Invoice, ex.invoice(), "invoice/emea/DE123456789/RE-1"),
        (CreditNote, ex.credit_note(), "credit_note/emea/DE123456789/GS-1"),
        (Payment, ex.payment(), "payment/emea/stripe-eu/payment_intent/pi_1"),
        (Customer, ex.customer(), "customer/emea/number/17100001"),
    ],
)
def test_a_business_key_is_what_people_know_it_by(model: Any, data: dict[str, Any], key: str) -> None:
    assert business_key(model.model_validate(data)) == key


def test_case_of_ids_counts_where_vendors_count_it() -> None:
    """A platform's ids are opaque: two that differ in case are two payments."""
    one, other = (ex.payment(source={"connection": "s", "type": "charge", "id": each}) for each in ("ch_aB", "ch_Ab"))
    assert business_key(Payment.model_validate(one)) != business_key(Payment.model_validate(other))


def test_a_price_is_known_by_list_buyer_scale_and_start() -> None:
    data = {
        "business_unit": "emea",
        "product": {"kind": "product", "number": "X-1"},
        "price_list": "standard",
        "unit_price": {"amount": "10", "currency": "EUR"},
        "min_quantity": {"value": "10.0", "unit": "C62"},
        "validity": {"start_date": "2026-01-01"},
        "status": "active",
    }
    assert business_key(Price.model_validate(data)) == "price/emea/X-1/STANDARD/*/*/EUR/10 C62/2026-01-01"
    cheaper = data | {"unit_price": {"amount": "9", "currency": "EUR"}}
    assert business_key(Price.model_validate(cheaper)) == business_key(Price.model_validate(data))


def test_a_customer_is_known_by_the_strongest_key_and_never_by_name() -> None:
    unit = {"scheme": "VAT", "number": "DE 123", "country": "DE"}
    strong = Customer.model_validate(
        ex.customer(id=new_id("customer"), tax_registrations=[unit], identifiers=[{"scheme": "0060", "value": "15"}])
    )
    keys = match_keys(strong)
    assert keys[0] == business_key(strong)
    assert keys[1:] == ("customer/emea/tax/DE/DE123", "customer/emea/0060/15", "customer/emea/number/17100001")
    nobody = Customer.model_validate(ex.customer(number=None, status="prospect"))
    assert match_keys(nobody) == ()
    with pytest.raises(IsthmusError, match="nothing that it can be known by"):
        business_key(nobody)


def test_a_case_without_its_source_goes_by_number() -> None:
    case = {"business_unit": "emea", "number": "17", "subject": "?", "priority": "low", "status": "new"}
    assert business_key(Case.model_validate(case)) == "case/emea/17"


def test_the_unit_itself_has_a_key() -> None:
    address = {"lines": ["1"], "country": "DE"}
    unit = {"code": "emea", "name": "E", "legal_name": "E", "address": address, "currency": "EUR", "time_zone": "UTC"}
    assert business_key(BusinessUnit.model_validate(unit | {"language": "de"})) == "business_unit/emea"


def test_the_hash_sees_what_is_said_not_how() -> None:
    order = Order.model_validate(ex.order())
    said = content_hash(order)
    longer = ex.order(
        lines=[ex.line(quantity="3.000", price="12.3400", amount="37.02", tax={"percent": "19.0", "code": "S"})]
    )
    for same in (
        longer,
        dict(reversed(ex.order().items())),
        ex.order(tax_basis="exclusive", buyer_reference=None, complete_delivery=False, allowances=[]),
        ex.order(
            id=new_id("order"),
            source={"connection": "crm", "type": "Order", "id": "1"},
            source_version="7",
            changed_at="2026-11-23T10:00:00Z",
            references=[{"connection": "crm", "type": "Order", "id": "1"}],
        ),
    ):
        assert content_hash(Order.model_validate(same)) == said
    for other in (
        ex.order(lines=[ex.line(name="Other")]),
        ex.order(extensions={"promo_code": "SUN"}),
        ex.order(buyer_reference="K1"),
        ex.order(complete_delivery=True),
    ):
        assert content_hash(Order.model_validate(other)) != said


def test_a_balance_counts_but_not_the_moment_it_was_read() -> None:
    def read(limit: str, at: str) -> str:
        credit = {"limit": ex.money(limit), "as_of": at}
        return content_hash(Customer.model_validate(ex.customer(credit=credit)))

    assert read("5", "2026-11-23T10:00:00Z") == read("5.00", "2026-11-24T10:00:00Z")
    assert read("5", "2026-11-23T10:00:00Z") != read("6", "2026-11-23T10:00:00Z")


EXTENSIONS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True),
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.decimals(-(10**9), 10**9, places=4)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
    max_size=4,
)


@given(EXTENSIONS, st.decimals(Decimal("0.000001"), 1000, places=6))
def test_a_round_trip_keeps_the_hash(extensions: dict[str, Any], quantity: Decimal) -> None:
    line = ex.line(quantity=format(quantity, "f"), price="0", amount="0")
    order = Order.model_validate(ex.order(extensions=extensions, lines=[line]))
    again = Order.model_validate(json.loads(json.dumps(to_json(order))))
    assert content_hash(again) == content_hash(order)
