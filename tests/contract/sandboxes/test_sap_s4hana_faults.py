"""The SAP S/4HANA stand-in's troubles, and its books read through them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import ORDERS, PARTNERS, ROOT, SapCaller, items, order_body

from isthmus.sandbox.worlds import open_sandboxes
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import build
from isthmus.sandkit.faults import Faults

POSTS = "POST */A_SalesOrder"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["sap_s4hana"]) as started:
        yield started


@pytest.fixture
def sap(running: RunningSandbox) -> Iterator[SapCaller]:
    running.desk("faults", {"rules": []})
    yield SapCaller(running)
    running.desk("faults", {"rules": []})


def trouble(sap: SapCaller, kind: str, operation: str = POSTS, **more: Any) -> None:
    rule = {"kind": kind, "vendor": "sap_s4hana", "operation": operation, "times": 1, **more}
    sap.running.desk("faults", {"rules": [rule]})


def held(sap: SapCaller, key: str) -> int:
    return len(sap.read(f"{ORDERS}/A_SalesOrder", filter=f"ExternalDocumentID eq '{key}'")["results"])


def send(sap: SapCaller, key: str) -> requests.Response:
    return sap.call("POST", f"{ORDERS}/A_SalesOrder", order_body(key, ("X-100", "1")))


def test_limited_and_down_happen_before_anything_else(sap: SapCaller) -> None:
    trouble(sap, "limited")
    answer = send(sap, "limited")
    assert (answer.status_code, answer.headers["Retry-After"], held(sap, "limited")) == (429, "1", 0)
    trouble(sap, "down")
    answer = send(sap, "down")
    assert (answer.status_code, held(sap, "down")) == (503, 0)
    assert "html" in answer.headers["Content-Type"]


def test_broken_answers_500_after_the_effect(sap: SapCaller) -> None:
    trouble(sap, "broken")
    answer = send(sap, "broken")
    assert (answer.status_code, answer.json()["error"]["code"], held(sap, "broken")) == (500, "SY/530", 1)


def test_locked_says_who_works_on_it(sap: SapCaller) -> None:
    trouble(sap, "locked")
    answer = send(sap, "locked")
    assert (answer.status_code, held(sap, "locked")) == (400, 0)
    assert "is currently being processed by" in answer.json()["error"]["message"]["value"]


@pytest.mark.parametrize(("kind", "orders"), [("cut_before", 0), ("cut_after", 1)])
def test_a_cut_tells_the_client_nothing(sap: SapCaller, kind: str, orders: int) -> None:
    trouble(sap, kind)
    with pytest.raises(requests.ConnectionError):
        send(sap, kind)
    assert held(sap, kind) == orders


def test_a_late_effect_happens_after_the_client_has_gone(sap: SapCaller) -> None:
    trouble(sap, "late", delay_s=0.3)
    with pytest.raises(requests.ConnectionError):
        send(sap, "late")
    assert held(sap, "late") == 0
    deadline = time.monotonic() + 5
    while held(sap, "late") == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(sap, "late") == 1


def test_an_expired_session_needs_a_new_token(sap: SapCaller) -> None:
    trouble(sap, "expired")
    answer = send(sap, "expired")
    assert (answer.status_code, answer.headers["x-csrf-token"]) == (403, "Required")
    assert send(sap, "expired").status_code == 403
    sap.fetch()
    assert send(sap, "expired").status_code == 201
    trouble(sap, "expired", "GET *")
    assert sap.call("GET", f"{ORDERS}/A_SalesOrder?$top=1").status_code == 200  # basic authentication needs no session


def test_an_expired_bearer_must_sign_in_again(sap: SapCaller) -> None:
    credentials = sap.running.credentials("sap_s4hana")
    pair = (credentials["client_id"], credentials["client_secret"])
    grant = {"grant_type": "client_credentials"}

    def bearer() -> dict[str, str]:
        issued = requests.post(f"{sap.base}/oauth/token", data=grant, auth=pair).json()
        return {"Authorization": f"Bearer {issued['access_token']}", "Accept": "application/json"}

    address, headers = f"{sap.base}{ROOT}/{ORDERS}/A_SalesOrder/$count", bearer()
    assert requests.get(address, headers=headers).status_code == 200
    trouble(sap, "expired", "GET *")
    assert requests.get(address, headers=headers).status_code == 401
    assert requests.get(address, headers=headers).status_code == 401
    assert requests.get(address, headers=bearer()).status_code == 200


def test_administrators_can_end_all_sessions(sap: SapCaller) -> None:
    assert sap.running.desk("sap_s4hana/set/token/all", {"expired": "true"})["expired"] >= 1
    assert send(sap, "ended").status_code == 403


def test_books_are_complete_in_spite_of_faults(running: RunningSandbox, sap: SapCaller) -> None:
    made = [sap.order(f"BOOK-{number}", ("X-100", "2"), ("S-109", "1")) for number in range(105)]
    rejected = made[3]["SalesOrder"]
    item = f"{ORDERS}/A_SalesOrderItem(SalesOrder='{rejected}',SalesOrderItem='10')"
    assert sap.call("PATCH", item, {"SalesDocumentRjcnReason": "60"}).status_code == 204
    order = made[0]["SalesOrder"]
    sap.play("deliver", order=order)
    sap.play("goods_issue", order=order)
    invoice = sap.play("billing_run", order=order)["billing_documents"][0]
    kinds = ("limited", "down", "broken", "cut_before", "cut_after", "expired")
    running.desk("faults", {"rules": [{"kind": kind, "operation": "GET *", "rate": 0.1} for kind in kinds], "seed": 4})
    rows = running.desk("sap_s4hana/books")
    orders = {row["key"]: row for row in rows if row["kind"] == "order" and row["key"].startswith("BOOK-")}
    assert len(orders) == 105
    told = {row["id"]: row for row in rows if row["kind"] == "order"}
    assert told[order]["net_amount"] == made[0]["TotalNetAmount"]
    assert Decimal(told[order]["tax_amount"]) == sum(Decimal(one["TaxAmount"]) for one in items(made[0]))
    assert told[order]["lines"][0]["product"] == "X-100" and told[order]["living"] is True
    assert [line["living"] for line in told[rejected]["lines"]] == [False, True]
    found = next(row for row in rows if row["kind"] == "invoice" and row["id"] == invoice)
    assert (found["order"], found["net_amount"], found["cancelled"]) == (order, made[0]["TotalNetAmount"], False)
    blocked = [row["id"] for row in rows if row["kind"] == "customer" and row["blocked"]]
    assert blocked == ["17100010"]
    assert running.faults.met[("sap_s4hana", "cut_after")] > 0


def test_customers_carry_our_number_in_the_books(running: RunningSandbox, sap: SapCaller) -> None:
    body = {
        "BusinessPartnerCategory": "2",
        "OrganizationBPName1": "Books GmbH",
        "to_BuPaIdentification": [{"BPIdentificationType": "ISTHMS", "BPIdentificationNumber": "C-7001"}],
    }
    made = sap.create(f"{PARTNERS}/A_BusinessPartner", body)
    rows = [row for row in running.desk("sap_s4hana/books") if row["kind"] == "customer" and row["key"]]
    assert [(row["id"], row["key"], row["name"]) for row in rows] == [(made["BusinessPartner"], "C-7001", "Books GmbH")]


def test_a_world_in_a_file_survives(tmp_path: Path) -> None:
    def opened() -> Any:
        return open_sandboxes(build(1), Clock(), Faults(), only=["sap_s4hana"], folder=tmp_path)["sap_s4hana"]

    first = opened()
    first.change("field", "A_SalesOrder.YY1_Kept_SDH", {"type": "Edm.Decimal"})
    first.verbs()["change_price"].act({"material": "X-100", "price": "7.77", "currency": "EUR"})
    first.world.close()
    second = opened()
    assert [row["name"] for row in second.show("field", None)] == ["YY1_Kept_SDH"]
    prices = [row["price"] for row in second.show("price", "X-100") if row["currency"] == "EUR"]
    assert prices.count("7.77") == 2
    assert second.summary() == "2 sales organisations"
