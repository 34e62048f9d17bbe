"""Service levels and alerts in business words: one incident is one alert, told before it is too late, and when it is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus
from tests.support.desks import EventReceiver, MailServer
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole

from isthmus.orchestration.alerting import GATHER

FIELD = "salesforce/set/field/Opportunity.ERP_Order_Status__c"
DEALS = ("OPP-1001", "OPP-1003", "OPP-1005", "OPP-1007", "OPP-1009")


def told_desk(text: str) -> str:
    """The sample landscape, whose order desk listens on two ways and promises that the salesperson hears of an order."""
    changed = text.replace("quote.accepted, to: order.created", "quote.accepted, to: progress.reported").replace(
        "order-desk: {title: Order desk}",
        'order-desk: {title: Order desk, alert_url: "env:ORDER_DESK_URL", tell: ["env:ORDER_DESK_MAIL"]}',
    )
    assert changed != text
    return changed


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


async def until(found: Callable[[], Any], what: str, timeout_s: float = 90) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while not found():
        assert loop.time() < end, what
        await asyncio.sleep(0.05)


async def test_one_incident_is_one_alert_told_before_it_is_late_when_it_is_late_and_when_it_is_over(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventReceiver() as events, MailServer() as mail:
        monkeypatch.setenv("ORDER_DESK_URL", events.url)
        monkeypatch.setenv("ORDER_DESK_MAIL", mail.address)
        async with House(sandbox, tmp_path, change=told_desk, polls=False) as house:
            await house._listen()
            await house.desk(FIELD, {"gone": "true"})
            await house.win(*DEALS)
            for deal in DEALS:
                await house.until(deal, "parked")
            assert not events.taken, "an incident is gathered before it is told"

            house.clock.advance(GATHER)
            await until(lambda: events.taken and mail.taken, "the desk was told")
            event = events.taken[0]
            assert event["specversion"] == "1.0" and event["type"] == "isthmus.alert.opened.v1"
            assert events.kinds == ["application/cloudevents+json; charset=utf-8"]
            told = event["data"]
            assert (told["at_risk"], told["late"], sorted(told["keys"])) == (len(DEALS), 0, sorted(DEALS))
            runs = await house.rows("SELECT customer, amount, currency FROM run WHERE process = 'quote-to-cash'")
            assert set(told["customers"]) == {run["customer"] for run in runs}
            assert sum(map(Decimal, told["money"].values())) == sum(Decimal(run["amount"]) for run in runs)
            assert "ERP_Order_Status__c is gone" in told["cause"] and told["mend"]
            letter = mail.taken[0].get_content()
            assert mail.taken[0]["Subject"] == told["title"]
            assert told["cause"] in letter and "What to do:" in letter and DEALS[0] in letter

            house.clock.advance(timedelta(minutes=10))
            await until(lambda: len(events.taken) == 2, "it was told that it is late now")
            assert events.taken[1]["type"] == "isthmus.alert.grown.v1"
            assert events.taken[1]["data"]["late"] == len(DEALS)
            assert events.taken[1]["id"] != event["id"]

            await house.desk(FIELD, {"gone": "false"})
            group = (await house.key("GET", "/api/exceptions/groups"))[1]["groups"][0]
            await house.key("POST", f"/api/exceptions/groups/{group['group']}/retry", {})
            await until(lambda: len(events.taken) == 3, "it was told that it is over")
            assert events.taken[2]["type"] == "isthmus.alert.ended.v1"
            await until(lambda: mail.taken[-1]["Subject"].startswith("Over: order-created"), "the mail said so too")
            states = await house.rows("SELECT state, count(*) AS n FROM service_level GROUP BY state")
            assert states == [{"state": "missed", "n": len(DEALS)}]


async def test_who_cannot_be_reached_is_told_later_and_nobody_twice(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventReceiver() as events, MailServer() as mail:
        events.status = 503
        monkeypatch.setenv("ORDER_DESK_URL", events.url)
        monkeypatch.setenv("ORDER_DESK_MAIL", mail.address)
        async with House(sandbox, tmp_path, change=told_desk, polls=False, workers=2) as house:
            await house._listen()
            await house.desk("salesforce/set/field/Opportunity.PO_Number__c", {"gone": "true"})
            await house.win(DEALS[0])
            while not await house.rows("SELECT 1 FROM service_level WHERE about LIKE 'quote-to-cash%'"):
                await asyncio.sleep(0.05)  # it could not be read: no key, no customer, and promised all the same
            house.clock.advance(GATHER)
            await until(lambda: mail.taken, "the mail was told")
            alert = (await house.rows("SELECT * FROM alert"))[0]
            assert alert["told_at"] is None and "answered 503" in alert["said"]

            events.status = 200
            house.clock.advance(timedelta(minutes=2))
            await until(lambda: events.taken, "the address was told later")
            await asyncio.sleep(3)
            assert (len(events.taken), len(mail.taken)) == (1, 1)


def asking_desk(text: str) -> str:
    """The sample landscape, whose deal desk is asked about prices, and sleeps at night."""
    changed = text.replace("price_above_tolerance: park ", "price_above_tolerance: approval ")
    quiet = '{from: "00:00", to: "22:00", time_zone: UTC}'
    told = '{title: Deal desk, alert_url: "env:ORDER_DESK_URL"'
    changed = changed.replace("deal-desk: {title: Deal desk", f"deal-desk: {told}, quiet: {quiet}", 1)
    assert told in changed and "price_above_tolerance: approval" in changed
    return changed


async def test_deciders_are_told_what_is_asked_but_not_in_quiet_hours(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventReceiver() as events:
        monkeypatch.setenv("ORDER_DESK_URL", events.url)
        async with House(sandbox, tmp_path, change=asking_desk, polls=False) as house:
            night = house.clock().replace(hour=3, minute=0) + timedelta(days=1)
            house.clock.advance(night - house.clock())
            await house._listen()
            await house.win("OPP-1004")
            await house.until("OPP-1004", "waiting")
            while not (rows := await house.rows("SELECT * FROM alert WHERE tell_at LIKE '%T22:00:00%'")):
                await asyncio.sleep(0.05)
            assert not events.taken and rows[0]["desk"] == "deal-desk"
            house.clock.advance(timedelta(hours=20))
            await until(lambda: events.taken, "the desk was told in the morning")
            told = events.taken[0]
            assert told["type"] == "isthmus.approval.requested.v1"
            assert told["data"]["approval"] == "OPP-1004.deal-desk.price"
            assert "isthmus approvals approve OPP-1004.deal-desk.price" in told["data"]["text"]


async def test_kept_promises_are_measured_and_nobody_is_told(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Whole(sandbox, tmp_path, monkeypatch) as w:
        await w.win(*DEALS)
        for deal in DEALS:
            await w.until(deal, "done")
        show = ("sla", "show", "--landscape", str(w.landscape), "--json")
        for _ in range(100):
            found = json.loads((await asyncio.to_thread(isthmus, *show, cwd=w.landscape)).stdout)
            if found[0]["met"] == len(DEALS):
                break
        level = next(each for each in found if each["level"] == "order-created")
        assert (level["met"], level["missed"], level["late"], level["at_risk"]) == (len(DEALS), 0, 0, 0)
        assert level["share_met"] == 1 and 0 < level["median_s"] <= level["p95_s"] < 300
        calm = await asyncio.to_thread(isthmus, "sla", "trouble", cwd=w.landscape)
        assert (calm.returncode, calm.stdout.strip()) == (0, "Everything that was promised can be in time.")
        _, text = await w.call("GET", "/metrics")
        assert f'isthmus_service_level_documents{{level="order-created",state="met"}} {len(DEALS)}.0' in text
