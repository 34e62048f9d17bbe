"""Exceptions that people can end: equal failures are one group with one mend, over HTTP and by command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.test_own_field import with_promo_code
from tests.support.command import isthmus
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole

from isthmus.connectivity.outbound import trouble
from isthmus.store import exceptions

DEALS = ("OPP-1001", "OPP-1003", "OPP-1005")


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def whole(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(**options: Any) -> Whole:
        return Whole(sandbox, tmp_path, monkeypatch, **options)

    return make


async def command(w: Whole, *words: str) -> Any:
    """What a command beside the running system prints with --json."""
    place = ("--database", w.system.database, "--json")
    done = await asyncio.to_thread(isthmus, *words, *place, cwd=w.landscape)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def parked_by_a_gone_field(w: Whole) -> dict[str, Any]:
    """Three deals won while a field that we read is gone; the one group that they are."""
    await w.desk("salesforce/set/field/Opportunity.PO_Number__c", {"gone": "true"})
    await w.win(*DEALS)
    for _ in range(200):
        _, found = await w.call("GET", "/api/exceptions/groups")
        if [group["count"] for group in found["groups"]] == [len(DEALS)]:
            return dict(found["groups"][0])
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def own_fields(w: Whole) -> None:
    """The company's own field, as its administrators add it at both ends."""
    await w.desk("salesforce/set/field/Opportunity.Promo_Code__c", {"type": "text", "length": "20"})
    await w.desk("sap_s4hana/set/field/A_SalesOrder.YY1_PromoCode_SDH", {"length": "20"})


def without_promo_code(text: str) -> str:
    """The landscape without its own field again."""
    changed = "".join(
        line for line in text.splitlines(True) if line != "fields:\n" and "order.extensions.promo_code" not in line
    )
    assert changed != text
    return changed


async def back(w: Whole) -> None:
    await w.desk("salesforce/set/field/Opportunity.PO_Number__c", {"type": "text", "length": "40"})


async def living_orders(w: Whole) -> list[str]:
    return sorted(order["key"] for order in await w.books("sap_s4hana", "order") if order["living"])


async def test_a_gone_field_parks_by_its_name_and_one_command_replays_all_in_order(whole: Any) -> None:
    async with whole() as w:
        group = await parked_by_a_gone_field(w)
        assert group["title"].startswith("Field Opportunity.PO_Number__c is gone in Salesforce")
        assert group["field"] == "Opportunity.PO_Number__c"
        assert (await command(w, "exceptions", "groups"))[0]["group"] == group["group"]
        await back(w)
        replayed = await command(w, "exceptions", "retry", "--group", group["group"])
        assert [each["exception"] for each in replayed] == group["exceptions"], "in order of opening"
        w.worker.wake()
        for deal in DEALS:
            await w.until(deal, "done")
        assert await living_orders(w) == sorted(DEALS)
        _, found = await w.call("GET", "/api/exceptions")
        assert found == {"exceptions": []}


async def test_what_a_gone_field_parked_goes_on_after_the_landscape_lets_go_of_it(whole: Any) -> None:
    async with whole(change=with_promo_code) as w:
        await own_fields(w)
        await w.desk("salesforce/set/field/Opportunity.Promo_Code__c", {"gone": "true"})
        await w.win("OPP-1001", "OPP-1003")
        for _ in range(200):
            if len((await w.call("GET", "/api/exceptions"))[1]["exceptions"]) == 2:
                break
            await asyncio.sleep(0.05)
        parked = (await w.call("GET", "/api/exceptions"))[1]["exceptions"]
        assert {each["field"] for each in parked} == {"Opportunity.Promo_Code__c"}
    async with whole(change=without_promo_code) as mended:
        replayed = await command(mended, "exceptions", "retry", parked[0]["number"], "--all")
        assert [each["exception"] for each in replayed] == [each["number"] for each in parked]
        for deal in ("OPP-1001", "OPP-1003"):
            await mended.until(deal, "done")
        assert await living_orders(mended) == ["OPP-1001", "OPP-1003"]


async def test_a_field_gone_at_the_erp_is_named_and_nothing_is_doubled(whole: Any) -> None:
    async with whole(change=with_promo_code) as w:
        await own_fields(w)
        await w.desk("salesforce/set/opportunity/OPP-1001", {"Promo_Code__c": "SUMMER-26"})
        await w.desk("sap_s4hana/set/field/A_SalesOrder.YY1_PromoCode_SDH", {"gone": "true"})
        await w.win("OPP-1001")
        await w.until("OPP-1001", "parked")
        parked = await w.exception_of("OPP-1001")
        assert parked["title"] == "Field YY1_PromoCode_SDH is gone in SAP S/4HANA, or hidden from us"
        assert parked["operation"].startswith("erp.")
        await w.desk("sap_s4hana/set/field/A_SalesOrder.YY1_PromoCode_SDH", {"length": "20"})
        await w.call("POST", f"/api/exceptions/groups/{parked['group_key']}/retry")
        await w.until("OPP-1001", "done")
        assert await living_orders(w) == ["OPP-1001"]


async def test_a_group_counts_the_money_and_a_second_replay_finds_nothing(whole: Any) -> None:
    async with whole() as w:
        await w.desk("sap_s4hana/set/customer/17100001", {"order_block": "01"})
        await w.win("OPP-1017", "OPP-1001")
        run = await w.until("OPP-1017", "parked")
        parked = await w.exception_of("OPP-1017")
        _, found = await w.call("GET", "/api/exceptions/groups")
        group = next(each for each in found["groups"] if each["group"] == parked["group_key"])
        _, listed = await w.call("GET", f"/api/exceptions?group={parked['group_key']}")
        risk: dict[str, Decimal] = {}
        for each in listed["exceptions"]:
            risk[each["currency"]] = risk.get(each["currency"], Decimal()) + Decimal(each["amount"])
        assert {name: Decimal(text) for name, text in group["at_risk"].items()} == risk
        assert group["count"] == len(listed["exceptions"])
        path = f"/api/exceptions/groups/{parked['group_key']}"
        status, problem = await w.call("POST", f"{path}/edit", {"changes": {"nowhere.at.all": "x"}})
        assert status == 409, problem
        status, edited = await w.call("POST", f"{path}/edit", {"changes": {"purchase_order_number": "PO-NEW"}})
        assert (status, edited["count"]) == (200, group["count"])
        await w.desk("sap_s4hana/set/customer/17100010", {"order_block": "none"})
        await w.desk("sap_s4hana/set/customer/17100001", {"order_block": "none"})
        status, _ = await w.call("POST", f"{path}/retry")
        assert status == 202
        status, _ = await w.call("POST", f"{path}/retry")
        assert status == 404, "they are being replayed already"
        await w.until("OPP-1017", "done")
        (order,) = [each for each in await w.books("sap_s4hana", "order", "OPP-1017") if each["living"]]
        assert order["purchase_order"] == "PO-NEW"
        _, told = await w.call("GET", f"/api/exceptions/EX-{parked['number']}/history")
        edit, retry = told["history"]
        assert (edit["did"], edit["who"]) == ("exception.edit", "visitor")
        assert json.loads(edit["before"])["purchase_order_number"] != "PO-NEW"
        assert json.loads(edit["after"]) == {"purchase_order_number": "PO-NEW"}
        assert retry["did"] == "exception.retry"
        assert json.loads(retry["after"])["round"] == run["round"] + 1


async def test_somebody_looks_after_it_until_when_and_says_why(whole: Any) -> None:
    async with whole() as w:
        await w.win("OPP-1017")
        await w.until("OPP-1017", "parked")
        parked = await w.exception_of("OPP-1017")
        path = f"/api/exceptions/EX-{parked['number']}"
        due = "2026-12-01T10:00:00+01:00"
        status, assigned = await w.call("POST", f"{path}/assign", {"assignee": "order-desk", "due_at": due})
        assert (status, assigned["assignee"]) == (200, "order-desk")
        assert assigned["due_at"].startswith("2026-12-01T09:00:00")
        await command(w, "exceptions", "comment", f"EX-{parked['number']}", "the bank calls back at noon")
        for wanted in (
            "assignee=order-desk",
            f"unit={parked['unit']}",
            "connection=sap",
            f"class={parked['error_class']}",
        ):
            _, found = await w.call("GET", f"/api/exceptions?{wanted}")
            if wanted == "connection=sap" and parked["connection"] != "sap":
                assert found["exceptions"] == []
                continue
            assert [each["number"] for each in found["exceptions"]] == [f"EX-{parked['number']}"], wanted
        for other in ("assignee=somebody", "unit=9999", "connection=none", "class=format"):
            _, found = await w.call("GET", f"/api/exceptions?{other}")
            assert found["exceptions"] == [], other
        shown = await command(w, "exceptions", "show", f"EX-{parked['number']}")
        assert [line["did"] for line in shown["history"]] == ["exception.assign", "exception.comment"]
        assert "noon" in shown["history"][1]["after"]
        (listed,) = await command(w, "exceptions", "list", "--assignee", "order-desk")
        assert listed["number"] == shown["number"]
        status, _ = await w.call("POST", f"{path}/assign", {})
        assert status == 409


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble is an exception at once, and is retried by itself after tenths of a second instead of a minute."""
    monkeypatch.setattr(trouble, "_PATIENCE", {"limit": (0, 0), "locked": (0, 0), "down": (0, 0)})
    monkeypatch.setattr(trouble, "RETRY_S", 0.1)


async def _parked_by_trouble(w: Whole, kind: str) -> dict[str, Any]:
    await w.faults({"vendor": "sap_s4hana", "operation": "POST *A_SalesOrder", "kind": kind})
    await w.win("OPP-1001")
    await w.until("OPP-1001", "parked")
    return await w.exception_of("OPP-1001")


@pytest.mark.usefixtures("impatient")
async def test_the_clock_retries_the_same_exception_until_time_has_mended_it(whole: Any) -> None:
    async with whole() as w:
        first = await _parked_by_trouble(w, "locked")
        assert first["error_class"] == "locked"
        await _clock_retried(w, 1)
        await w.faults()
        await w.until("OPP-1001", "done")
        assert await living_orders(w) == ["OPP-1001"]
        _, all_ended = await w.call("GET", "/api/exceptions?state=ended")
        (ended,) = all_ended["exceptions"]
        assert ended["number"] == f"EX-{first['number']}", "it stayed the same exception"
        _, told = await w.call("GET", f"/api/exceptions/{ended['number']}/history")
        assert {line["who"] for line in told["history"]} == {"clock"}


@pytest.mark.usefixtures("impatient")
async def test_after_growing_pauses_in_vain_it_is_a_persons_turn(whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exceptions, "RETRIES_MAX", 2)
    async with whole() as w:
        first = await _parked_by_trouble(w, "locked")
        standing = await _clock_retried(w, 2, its_turn=False)
        assert standing["number"] == first["number"]
        _, told = await w.call("GET", f"/api/exceptions/EX-{first['number']}/history")
        at = [datetime.fromisoformat(line["at"]) for line in told["history"]]
        opened = datetime.fromisoformat(first["opened_at"])
        pauses = [(later - before).total_seconds() for before, later in pairwise([opened, *at])]
        assert [pause >= 0.1 * 2**n for n, pause in enumerate(pauses)] == [True] * 2, pauses
        await w.faults()
        await w.call("POST", f"/api/exceptions/EX-{first['number']}/retry")
        await w.until("OPP-1001", "done")


async def _clock_retried(w: Whole, times: int, *, its_turn: bool = True) -> dict[str, Any]:
    for _ in range(400):
        now = await w.exception_of("OPP-1001")
        run = await w.run_of("OPP-1001")
        if run and now["retries"] >= times and run["state"] == "parked" and bool(now["retry_at"]) is its_turn:
            return now
        await asyncio.sleep(0.05)
    raise AssertionError(now)
