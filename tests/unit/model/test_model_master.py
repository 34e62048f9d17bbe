"""Customers, products, prices, addresses and what else is not a document."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.model import model_examples as ex

from isthmus.model import (
    Address,
    AllowanceCharge,
    Approval,
    BusinessUnit,
    Case,
    Contact,
    Customer,
    Delivery,
    Entitlement,
    Link,
    Partners,
    Period,
    Price,
    Product,
    TaxRegistration,
    problems_of,
    to_json,
)


def refused(model: Any, data: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return [problem.field or "" for problem in problems_of(caught.value)]


UNIT = {
    "code": "emea",
    "name": "Europe",
    "legal_name": "Sonnwerk Europe GmbH",
    "address": {"lines": ["Hauptstraße 1"], "country": "DE"},
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "language": "de",
}
PRODUCT = {
    "business_unit": "emea",
    "number": "X-1",
    "name": "Panel",
    "kind": "goods",
    "status": "active",
    "base_unit": "C62",
}
PRICE = {
    "business_unit": "emea",
    "product": {"kind": "product", "number": "X-1"},
    "price_list": "standard",
    "unit_price": {"amount": "10", "currency": "EUR"},
    "validity": {"start_date": "2026-01-01"},
    "status": "active",
}
DELIVERY = {
    "business_unit": "emea",
    "number": "8001",
    "kind": "outbound",
    "ship_to": ex.PARTY,
    "lines": [
        {
            "id": "1",
            "order": {"kind": "order", "number": "1"},
            "order_line": "1",
            "quantity": {"value": "1", "unit": "C62"},
        }
    ],
    "status": "planned",
}
CASE = {"business_unit": "emea", "number": "17", "subject": "Wrong price", "priority": "high", "status": "new"}
DISPUTE = {"kind": "billing", "amount": ex.money("5"), "reason": "price"}


def test_good_ones_are_taken() -> None:
    for model, data in (
        (Customer, ex.customer()),
        (Product, PRODUCT),
        (Price, PRICE),
        (Delivery, DELIVERY),
        (Case, CASE),
    ):
        assert to_json(model.model_validate(data)) == data
    assert BusinessUnit.model_validate(UNIT).time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("model", "data", "fields"),
    [
        (Customer, ex.customer(number=None), ["number"]),
        (Customer, ex.customer(status="merged"), ["merged_into"]),
        (Customer, ex.customer(name="  "), ["name"]),
        (Customer, ex.customer(name="two\nlines"), ["name"]),
        (Product, PRODUCT | {"kind": "kit"}, ["components"]),
        (Product, PRODUCT | {"kind": "subscription"}, ["recurring"]),
        (Product, PRODUCT | {"base_unit": "pcs"}, ["base_unit"]),
        (Price, PRICE | {"customer": {"kind": "customer", "number": "1"}, "price_group": "01"}, ["price_group"]),
        (Price, PRICE | {"tiers": [{"flat": ex.money("1")}]}, ["tier_mode"]),
        (Price, PRICE | {"tiers": [{}], "tier_mode": "volume"}, ["tiers[0].unit_price"]),
        (Delivery, DELIVERY | {"status": "shipped"}, ["shipped_at"]),
        (Delivery, DELIVERY | {"status": "delivered"}, ["shipped_at", "delivered_at"]),
        (Delivery, DELIVERY | {"lines": DELIVERY["lines"] * 2}, ["lines[0].id", "lines[1].id"]),  # type: ignore[operator]
        (Case, CASE | {"kind": "dispute"}, ["dispute"]),
        (Case, CASE | {"dispute": DISPUTE}, ["kind"]),
        (Case, CASE | {"kind": "dispute", "dispute": DISPUTE | {"decision": "won"}}, ["dispute.decision"]),
        (BusinessUnit, UNIT | {"time_zone": "Europe/Bielefeld"}, ["time_zone"]),
        (BusinessUnit, UNIT | {"currency": "XAU"}, ["currency"]),
        (Address, {"lines": [], "country": "DE"}, ["lines"]),
        (Address, {"lines": ["1", "2", "3", "4", "5"], "country": "DE"}, ["lines"]),
        (Address, {"lines": ["1"], "country": "XI"}, ["country"]),
        (Period, {}, ["start_date"]),
        (Period, {"start_date": "2026-02-01", "end_date": "2026-01-31"}, ["end_date"]),
        (Period, {"start_date": "2026-02-30"}, ["start_date"]),
        (Link, {"kind": "order"}, ["number"]),
        (Link, {"kind": "account", "number": "1"}, ["kind"]),
        (TaxRegistration, {"scheme": "VAT", "number": "123456789", "country": "DE"}, ["number"]),
        (TaxRegistration, {"scheme": "VAT", "number": "GR123456789", "country": "GR"}, ["number"]),
    ],
)
def test_wrong_ones_are_refused_by_field(model: Any, data: dict[str, Any], fields: list[str]) -> None:
    assert refused(model, data) == fields


def test_tax_numbers_are_normalised() -> None:
    assert (
        TaxRegistration.model_validate({"scheme": "VAT", "number": "de 123.456-789", "country": "DE"}).number
        == "DE123456789"
    )
    assert TaxRegistration.model_validate({"scheme": "VAT", "number": "EL123456789", "country": "GR"})
    assert TaxRegistration.model_validate({"scheme": "other", "number": "T1234567890123", "country": "JP"})


def test_text_is_nfc_and_sets_have_one_order() -> None:
    assert Contact.model_validate({"name": "Mu\u0308ller"}).name == "M\u00fcller"
    one = Contact.model_validate({"name": "A", "purposes": ["support", "billing", "support"]})
    assert one == Contact.model_validate({"name": "A", "purposes": ["billing", "support"]})
    assert one.purposes == ("billing", "support")


@pytest.mark.parametrize(
    ("text", "phone"),
    [("+49 (40) 555-0001", "+49405550001"), ("0049 40 5550001", "+49405550001"), ("040 555 ext. 3", "040 555 ext. 3")],
)
def test_phones_are_e164_where_they_parse(text: str, phone: str) -> None:
    assert Contact.model_validate({"name": "A", "phone": text}).phone == phone


def test_missing_partners_are_the_same_as_others() -> None:
    payer = ex.PARTY | {"name": "Payer"}
    partners = Partners.model_validate({"sold_to": ex.PARTY, "bill_to": ex.PARTY | {"name": "Billing"}})
    assert [each.name for each in (partners.shipped_to, partners.billed_to, partners.paid_by)] == [
        "Acme Solar GmbH",
        "Billing",
        "Billing",
    ]
    assert Partners.model_validate({"sold_to": ex.PARTY, "payer": payer}).paid_by.name == "Payer"


def test_one_address_has_several_uses() -> None:
    def at(key: str, uses: list[str], **more: Any) -> dict[str, Any]:
        return {"id": key, "uses": uses, "address": {"lines": [key], "country": "DE"}, **more}

    addresses = [
        at("a", ["ship_to"]),
        at("b", ["ship_to", "bill_to"], default_for=["ship_to"]),
        at("c", ["payer"], active=False),
    ]
    customer = Customer.model_validate(ex.customer(addresses=addresses))
    uses = {use: (found := customer.address_for(use)) and found.lines[0] for use in ("ship_to", "bill_to", "payer")}  # type: ignore[arg-type]
    assert uses == {"ship_to": "b", "bill_to": "b", "payer": None}


def test_a_block_says_what_may_not_be_done() -> None:
    customer = Customer.model_validate(ex.customer(blocks=[{"kind": "order", "reason": "credit"}]))
    assert (block := customer.is_blocked_for("order")) and block.reason == "credit"
    assert customer.is_blocked_for("delivery") is None
    assert Customer.model_validate(ex.customer(blocks=[{"kind": "all"}])).is_blocked_for("billing")


def test_nobody_approves_what_they_asked_for_and_nobody_twice() -> None:
    def yes(*people: str) -> list[dict[str, str]]:
        return [{"by": by, "at": "2026-11-23T10:00:00Z", "verdict": "approved"} for by in people]

    asked = {"id": "1", "requested_by": "anna", "needed": 2}
    assert Approval.model_validate(asked | {"decisions": yes("ruth")}).outcome == "requested"
    assert (
        Approval.model_validate(asked | {"decisions": yes("ruth", "tom"), "status": "approved"}).outcome == "approved"
    )
    assert refused(Approval, asked | {"decisions": yes("anna")}) == ["decisions[0].by"]
    assert refused(Approval, asked | {"decisions": yes("ruth", "ruth")}) == ["decisions[1].by"]
    assert refused(Approval, asked | {"decisions": yes("ruth"), "status": "approved"}) == ["status"]


def test_an_allowance_has_a_reason_and_agrees_with_its_percentage() -> None:
    off = {"charge": False, "amount": ex.money("10"), "reason_code": "95"}
    assert AllowanceCharge.model_validate(off | {"base_amount": ex.money("100"), "percent": "10"})
    assert refused(AllowanceCharge, off | {"base_amount": ex.money("100"), "percent": "11"}) == ["amount"]
    assert refused(AllowanceCharge, off | {"percent": "10"}) == ["base_amount"]
    assert refused(AllowanceCharge, off | {"amount": ex.money("-10")}) == ["amount"]
    assert refused(AllowanceCharge, {"charge": False, "amount": ex.money("10")}) == ["reason"]
    assert refused(AllowanceCharge, off | {"charge": True}) == ["reason_code"]


def test_an_entitlement_says_what_is_left() -> None:
    data = {
        "business_unit": "emea",
        "customer": {"kind": "customer", "number": "1"},
        "plan": "gold",
        "status": "active",
    }
    data |= {"period": {"start_date": "2026-01-01", "end_date": "2026-12-31"}, "response": {"urgent": "PT4H"}}
    cases = Entitlement.model_validate(
        data | {"limit": {"value": "5", "unit": "C62"}, "used": {"value": "7", "unit": "C62"}}
    )
    assert cases.remaining and cases.remaining.value == 0
    assert Entitlement.model_validate(data).remaining is None
    assert to_json(Entitlement.model_validate(data)) == data
    assert refused(
        Entitlement, data | {"limit": {"value": "5", "unit": "C62"}, "used": {"value": "7", "unit": "HUR"}}
    ) == ["used.unit"]
