"""The proof is held to what it must see: books that agree pass, and every way of cheating in them is found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.running_sandbox import RunningSandbox

from isthmus.sandbox.proof import Verdict, judge, parked_numbers, roles_of

Books = dict[str, list[dict[str, Any]]]
DEALS = 6


def books() -> Books:
    """Six deals, all done: three in EUR, two in JPY, one in KWD; two are invoiced by the ledger already."""
    crm: list[dict[str, Any]] = [{"kind": "product", "id": "P", "key": "S-9", "name": "Care", "plan": "Gold"}]
    found: Books = {"crm": crm, "erp": [], "billing": [], "support": []}
    for n in range(DEALS):
        currency, net, tax = (("EUR", "100.10", "19.02"), ("JPY", "12000", "1200"), ("KWD", "10.125", "0"))[n % 3]
        number, order, customer = f"OPP-{n}", f"45{n}", f"C-{n}"
        gross = f"{Decimal(net) + Decimal(tax):f}"
        legal = f"90{n}" if n < 2 else ""
        lines = [{"product": "S-9" if n % 2 == 0 else "X-1", "quantity": "1", "unit_price": net}]
        crm.append(
            {"kind": "opportunity", "id": f"006{n}", "key": number, "won": True, "customer": customer, "currency": currency,
             "amount": net, "lines": lines, "order_number": order, "legal_invoice_number": legal, "entitlement_until": "2027-11-29"}
        )  # fmt: skip
        crm.append({"kind": "customer", "id": f"001{n}", "key": f"171{n}", "name": customer})
        found["erp"].append(
            {"kind": "order", "id": order, "key": number, "sender": "ISTHMUS", "currency": currency, "net_amount": net,
             "tax_amount": tax, "living": True, "lines": []}
        )  # fmt: skip
        found["erp"].append({"kind": "customer", "id": f"171{n}", "key": f"customer_{n}", "name": customer})
        if legal:
            found["erp"].append(
                {"kind": "invoice", "id": legal, "order": order, "currency": currency, "net_amount": net, "tax_amount": tax,
                 "gross_amount": gross, "cancelled": False}
            )  # fmt: skip
        found["billing"].append(
            {"kind": "invoice", "id": f"in_{n}", "key": order, "order": order, "customer": f"cus_{n}", "currency": currency,
             "total": gross, "status": "open", "living": True, "account": "emea", "metadata": {"legal": legal}}
        )  # fmt: skip
        found["billing"].append(
            {"kind": "customer", "id": f"cus_{n}", "key": customer, "name": customer, "account": "emea"}
        )
        if n % 2 == 0:
            found["support"].append(
                {"kind": "entitlement", "id": str(n), "key": customer, "name": customer, "plan": "gold", "until": "2027-11-29", "order": order}
            )  # fmt: skip
    return found


def row(of: Books, role: str, kind: str, at: int = 0) -> dict[str, Any]:
    return [each for each in of[role] if each["kind"] == kind][at]


def test_books_that_agree_pass() -> None:
    found = judge(books())
    assert found.holds, found.findings
    assert (found.opportunities, found.completed, found.parked, found.numbered) == (DEALS, DEALS, 0, 2)
    assert (found.invoices_equal, found.entitlements) == (DEALS, 3)
    assert found.sums == {"EUR": "238.24", "JPY": "26400", "KWD": "20.250"}


def order_doubled(of: Books) -> None:
    of["erp"].append({**row(of, "erp", "order"), "id": "4599"})


def order_lost(of: Books) -> None:
    of["erp"].remove(row(of, "erp", "order", 3))


def order_cancelled(of: Books) -> None:
    row(of, "erp", "order", 3)["living"] = False


def order_a_cent_short(of: Books) -> None:
    row(of, "erp", "order")["net_amount"] = "100.09"


def order_in_another_currency(of: Books) -> None:
    row(of, "erp", "order")["currency"] = "USD"


def order_that_nobody_asked_for(of: Books) -> None:
    of["erp"].append({**row(of, "erp", "order"), "id": "4599", "key": "OPP-77"})


def order_of_a_lost_deal(of: Books) -> None:
    row(of, "crm", "opportunity", 2)["won"] = False


def invoice_doubled(of: Books) -> None:
    of["billing"].append({**row(of, "billing", "invoice"), "id": "in_again"})


def invoice_lost(of: Books) -> None:
    of["billing"].remove(row(of, "billing", "invoice", 4))


def invoice_void(of: Books) -> None:
    row(of, "billing", "invoice", 4)["living"] = False


def invoice_a_cent_short(of: Books) -> None:
    row(of, "billing", "invoice", 3)["total"] = "119.11"


def invoice_without_tax(of: Books) -> None:
    row(of, "billing", "invoice", 3)["total"] = "100.10"


def invoice_a_fils_off(of: Books) -> None:
    row(of, "billing", "invoice", 2)["total"] = "10.126"


def invoice_for_no_order(of: Books) -> None:
    of["billing"].append({**row(of, "billing", "invoice"), "id": "in_other", "order": "999"})


def legal_invoice_doubled(of: Books) -> None:
    of["erp"].append({**row(of, "erp", "invoice"), "id": "999"})


def legal_invoice_a_cent_off(of: Books) -> None:
    row(of, "erp", "invoice")["gross_amount"] = "119.13"


def legal_number_not_told(of: Books) -> None:
    row(of, "crm", "opportunity")["legal_invoice_number"] = ""


def legal_number_not_on_the_invoice(of: Books) -> None:
    row(of, "billing", "invoice")["metadata"] = {}


def entitlement_lost(of: Books) -> None:
    of["support"].clear()


def entitlement_doubled(of: Books) -> None:
    of["support"].append({**of["support"][0], "id": "77"})


def entitlement_to_another_plan(of: Books) -> None:
    of["support"][0]["plan"] = "bronze"


def numbers_not_written_back(of: Books) -> None:
    row(of, "crm", "opportunity", 1)["order_number"] = ""


def another_order_written_back(of: Books) -> None:
    row(of, "crm", "opportunity", 1)["order_number"] = "450"


def end_of_plan_not_written_back(of: Books) -> None:
    row(of, "crm", "opportunity")["entitlement_until"] = ""


def customer_doubled_in_the_erp(of: Books) -> None:
    of["erp"].append({**row(of, "erp", "customer"), "id": "17199"})


def customer_doubled_at_billing(of: Books) -> None:
    of["billing"].append({**row(of, "billing", "customer"), "id": "cus_99"})


CHEATS: dict[Callable[[Books], None], str] = {
    order_doubled: "doubled", order_lost: "lost", order_cancelled: "lost", order_a_cent_short: "cents_off",
    order_in_another_currency: "cents_off", order_that_nobody_asked_for: "unasked", order_of_a_lost_deal: "unasked",
    invoice_doubled: "doubled", invoice_lost: "lost", invoice_void: "lost", invoice_a_cent_short: "cents_off",
    invoice_without_tax: "cents_off", invoice_a_fils_off: "cents_off", invoice_for_no_order: "unasked",
    legal_invoice_doubled: "doubled", legal_invoice_a_cent_off: "cents_off", legal_number_not_told: "unreported",
    legal_number_not_on_the_invoice: "unreported", entitlement_lost: "lost", entitlement_doubled: "doubled",
    entitlement_to_another_plan: "lost", numbers_not_written_back: "unreported", another_order_written_back: "unreported",
    end_of_plan_not_written_back: "unreported", customer_doubled_in_the_erp: "doubled", customer_doubled_at_billing: "doubled",
}  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
def test_every_cheat_is_seen(cheat: Callable[[Books], None]) -> None:
    honest = books()
    cheated = deepcopy(honest)
    cheat(cheated)
    found = judge(cheated)
    assert not found.holds
    assert getattr(found, CHEATS[cheat]) > 0
    assert found.findings
    assert found.completed < DEALS or cheat.__name__.startswith(
        ("customer", "order_that", "order_doubled", "invoice_for")
    )


@given(
    at=st.integers(0, DEALS - 1), off=st.integers(-5000, 5000).filter(bool), which=st.sampled_from(["order", "invoice"])
)
@settings(max_examples=60, deadline=None)
def test_every_difference_is_counted_to_the_cent(at: int, off: int, which: str) -> None:
    of = books()
    role, name = ("erp", "net_amount") if which == "order" else ("billing", "total")
    one = row(of, role, which, at)
    places = {"EUR": 2, "JPY": 0, "KWD": 3}[one["currency"]]
    one[name] = f"{Decimal(one[name]) + Decimal(off).scaleb(-places):f}"
    seen = judge(of)
    # an order that is off differs from the quote and from its invoice (and from its legal invoice, where there is one)
    times = 1 if which == "invoice" else 3 if at < 2 else 2
    assert seen.cents_off == abs(off) * times


def test_parked_ones_are_not_lost_but_may_not_be_doubled() -> None:
    of = books()
    order_lost(of)
    assert judge(of, ["OPP-3"]).unasked == 1, "the invoice without an order is seen all the same"
    of["billing"].remove(row(of, "billing", "invoice", 3))
    found = judge(of, ["OPP-3"])
    assert found.holds, found.findings
    assert (found.parked, found.completed) == (1, DEALS - 1)
    of["erp"] += [
        {**row(of, "erp", "order"), "id": "1", "key": "OPP-3"},
        {**row(of, "erp", "order"), "id": "2", "key": "OPP-3~2"},
    ]
    assert judge(of, ["OPP-3"]).doubled == 1


def test_a_second_generation_counts_for_its_opportunity() -> None:
    of = books()
    first = row(of, "erp", "order", 3)
    first["living"] = False
    again = {**first, "id": "4599", "key": "OPP-3~2", "living": True}
    of["erp"].append(again)
    row(of, "billing", "invoice", 3)["order"] = "4599"
    row(of, "crm", "opportunity", 3)["order_number"] = "4599"
    assert judge(of).holds


def test_only_what_was_asked_is_judged() -> None:
    of = books()
    order_lost(of)
    of["billing"].remove(row(of, "billing", "invoice", 3))
    found = judge(of, asked=["OPP-0", "OPP-1"])
    assert found.holds
    assert found.opportunities == 2


def test_parked_lists_of_every_shape() -> None:
    assert parked_numbers(["OPP-1", "OPP-2~2"]) == {"OPP-1", "OPP-2"}
    assert parked_numbers({"exceptions": [{"business_key": "OPP-3", "number": "EX-1"}]}) == {"OPP-3"}
    assert parked_numbers([{"business_key": None}]) == set()


def test_roles_are_told_by_the_books() -> None:
    of = books()
    assert roles_of({"a": of["crm"], "b": of["erp"], "c": of["billing"], "d": of["support"]}) == {
        "crm": "a", "erp": "b", "billing": "c", "support": "d"
    }  # fmt: skip
    with pytest.raises(ValueError, match="support"):
        roles_of({"a": of["crm"], "b": of["erp"], "c": of["billing"]})


def test_the_program_over_http(tmp_path: Path) -> None:
    """The program alone, as anyone may run it, against real stand-ins: a deal that was won and not worked on is lost."""
    program = [sys.executable, "-m", "isthmus.sandbox.proof"]
    with RunningSandbox() as running:
        address = f"http://127.0.0.1:{running.server.ports['http']}"
        running.desk("salesforce/play/win", {"opportunity": "OPP-1001"})
        lost = subprocess.run([*program, "--sandbox", address], capture_output=True, text=True, check=False)
        assert lost.returncode == 1, lost.stderr
        assert json.loads(lost.stdout)["lost"] == 1
        parked = tmp_path / "parked.json"
        parked.write_text('["OPP-1001"]')
        done = subprocess.run(
            [*program, "--sandbox", address, "--parked", str(parked)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert json.loads(done.stdout)["parked"] == 1


def test_it_imports_nothing_of_isthmus() -> None:
    code = "import sys, isthmus.sandbox.proof; print(sorted(m for m in sys.modules if m.startswith('isthmus')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(loaded.replace("'", '"')) == [
        *("isthmus", "isthmus.sandbox", "isthmus.sandbox.credits", "isthmus.sandbox.proof", "isthmus.sandbox.verdict")
    ], "its own parts, and nothing else"


def test_a_fresh_verdict_says_nothing_holds_less() -> None:
    assert Verdict().holds
    assert not Verdict(lost=1).holds
