"""The proof of credits is held to what it must see: each cheat in the books of ledger, billing and desk is found."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_proof import Books, books, row

from isthmus.sandbox.proof import judge

#: tickets whose credit somebody has agreed to
AGREED = ["21", "22"]


def disputed() -> Books:
    """The books of six deals, with four disputes about the two that the ledger has invoiced."""
    found = books()
    for invoice, due in zip(
        (each for each in found["billing"] if each["kind"] == "invoice"), ("0", "12100"), strict=False
    ):
        invoice["due"] = due
    for role, rows in credits().items():
        found[role] += rows
    return found


def credits() -> Books:
    """Four disputes about the two legal invoices: two credited (one paid back, one lessened), one held, one rejected."""
    found: Books = {"erp": [], "billing": [], "support": []}
    for n, (legal, currency, net, total, paid) in enumerate(
        (("900", "EUR", "8.40", "10.00", "119.12"), ("901", "JPY", "1000", "1100", "0"), ("900", "EUR", "5.00", "", ""), ("901", "JPY", "", "", "")),
        start=1,
    ):  # fmt: skip
        invoice, request = f"in_{legal[2:]}", f"600{n}"
        ticket = {"kind": "ticket", "id": f"2{n}", "invoice_number": legal, "dispute_reason": "wrong_price"}
        found["support"].append({**ticket, "status": "solved"})
        if net:
            found["erp"].append(
                {"kind": "credit_request", "id": request, "key": f"ISTHMUS-2{n}", "invoice": legal, "currency": currency,
                 "net_amount": net, "blocked": not total, "living": True}
            )  # fmt: skip
        if not total:
            continue
        found["erp"].append(
            {"kind": "credit_note", "id": f"700{n}", "order": request, "currency": currency, "net_amount": net,
             "gross_amount": total, "cancelled": False}
        )  # fmt: skip
        back = total if Decimal(paid) else "0"
        found["billing"] += [
            {"kind": "credit_note", "id": f"cn_{n}", "invoice": invoice, "currency": currency, "net": net, "total": total,
             "refunded": back, "living": True, "metadata": {"case": f"2{n}", "request": request}},
            {"kind": "payment", "id": f"pay_{n}", "invoice": invoice, "currency": currency, "amount": paid},
            {"kind": "refund", "id": f"re_{n}", "currency": currency, "amount": back},
        ]  # fmt: skip
    return found


def credit_note_lost(of: Books) -> None:
    of["billing"].remove(row(of, "billing", "credit_note"))


def credit_note_void(of: Books) -> None:
    row(of, "billing", "credit_note")["living"] = False


def credit_note_doubled(of: Books) -> None:
    of["billing"].append({**row(of, "billing", "credit_note"), "id": "cn_again"})


def credit_note_for_nothing(of: Books) -> None:
    of["billing"].append({**row(of, "billing", "credit_note"), "id": "cn_other", "metadata": {}})


def credit_note_a_cent_short(of: Books) -> None:
    row(of, "billing", "credit_note")["net"] = "8.39"


def credit_note_taxed_otherwise(of: Books) -> None:
    row(of, "billing", "credit_note")["total"] = "9.99"


def credit_doubled_in_the_ledger(of: Books) -> None:
    of["erp"].append({**row(of, "erp", "credit_request"), "id": "6009"})


def credit_that_nobody_asked_for(of: Books) -> None:
    of["support"] = [each for each in of["support"] if each["id"] != "21"]


def credit_of_another_invoice(of: Books) -> None:
    row(of, "erp", "credit_request")["invoice"] = "901"


def credit_never_released(of: Books) -> None:
    of["erp"].remove(row(of, "erp", "credit_request"))


def credit_before_it_is_agreed_to(of: Books) -> None:
    row(of, "erp", "credit_request")["blocked"] = True


def credit_memo_doubled(of: Books) -> None:
    of["erp"].append({**row(of, "erp", "credit_note"), "id": "7009"})


def credit_memo_a_cent_off(of: Books) -> None:
    row(of, "erp", "credit_note")["gross_amount"] = "10.01"


def credit_memo_for_nothing(of: Books) -> None:
    row(of, "erp", "credit_note")["order"] = "6099"


def refund_lost(of: Books) -> None:
    of["billing"].remove(row(of, "billing", "refund"))
    row(of, "billing", "credit_note")["refunded"] = "0"


def refund_doubled(of: Books) -> None:
    of["billing"].append({**row(of, "billing", "refund"), "id": "re_again"})


def refund_a_cent_off(of: Books) -> None:
    row(of, "billing", "refund")["amount"] = "9.99"


def refund_of_what_was_never_paid(of: Books) -> None:
    row(of, "billing", "credit_note", 1)["refunded"] = "1100"
    row(of, "billing", "refund", 1)["amount"] = "1100"


CHEATS: dict[Callable[[Books], None], str] = {
    credit_note_lost: "lost", credit_note_void: "lost", credit_note_doubled: "doubled", credit_note_for_nothing: "unasked",
    credit_note_a_cent_short: "cents_off", credit_note_taxed_otherwise: "cents_off", credit_doubled_in_the_ledger: "doubled",
    credit_that_nobody_asked_for: "unasked", credit_of_another_invoice: "unasked", credit_never_released: "lost",
    credit_before_it_is_agreed_to: "unasked", credit_memo_doubled: "doubled", credit_memo_a_cent_off: "cents_off",
    credit_memo_for_nothing: "unasked", refund_lost: "cents_off", refund_doubled: "cents_off", refund_a_cent_off: "cents_off",
    refund_of_what_was_never_paid: "cents_off",
}  # fmt: skip


def test_credits_that_agree_pass() -> None:
    found = judge(disputed(), agreed=AGREED)
    assert found.holds, found.findings
    assert (found.disputes, found.credited) == (4, 2)


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
def test_every_cheat_is_seen(cheat: Callable[[Books], None]) -> None:
    cheated = deepcopy(disputed())
    cheat(cheated)
    found = judge(cheated, agreed=AGREED)
    assert not found.holds
    assert getattr(found, CHEATS[cheat]) > 0
    assert found.findings
    assert found.completed == 6, "it is the credit that is wrong"


@given(at=st.integers(0, 1), off=st.integers(-800, 800).filter(bool), which=st.sampled_from(["net", "gross_amount"]))
@settings(max_examples=40, deadline=None)
def test_every_difference_is_counted_to_the_cent(at: int, off: int, which: str) -> None:
    of = disputed()
    one = row(of, *(("billing", "credit_note") if which == "net" else ("erp", "credit_note")), at)
    places = {"EUR": 2, "JPY": 0}[one["currency"]]
    one[which] = f"{Decimal(one[which]) + Decimal(off).scaleb(-places):f}"
    assert judge(of, agreed=AGREED).cents_off == abs(off)
