"""Approvals by every way in: who may, how many, by when, with which amount; by API and by a link that decides once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.house import House

from isthmus.model import Money
from isthmus.orchestration import approval, approval_link
from isthmus.store import audit, history, journal, runs
from isthmus.store.clock import instant
from isthmus.store.transaction import Row

MEMBERS = {"finance": ["maria", "anna@sonnwerk.example"], "finance-lead": ["Carla"]}


def with_members(text: str) -> str:
    """The sample landscape, its desks with people."""
    for desk, members in MEMBERS.items():
        text = re.sub(rf"(  {desk}: {{title: [^}}]*)}}", rf"\1, members: [{', '.join(members)}]}}", text)
    return text


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(None, tmp_path, change=with_members, polls=False) as made:
        yield made


async def asked(house: House, key: str, policy: str = "finance", **more: Any) -> str:
    """A run that waits for people; the approval's id."""
    given: dict[str, Any] = {
        "within": timedelta(days=5), "amount": Money.of("119.00", "EUR"), "most": Money.of("500.00", "EUR"),
        "facts": [("Invoice", "90000001: 500.00 EUR <b>", "https://erp.example/90000001")], "requested_by": ["Rosa"],
        "remind_after": timedelta(days=1), "escalate_after": timedelta(days=3), "escalate_to": "finance-lead", **more,
    }  # fmt: skip
    question = approval.Asked(policy, f"Credit 119.00 EUR, case {key}", **given)
    now, release = house.store.clock(), house.engine.release
    new = runs.NewRun("case-to-credit", 1, f"zendesk/Ticket/{key}", "zendesk", None, "{}", release.id, None)

    def work(tx: Any) -> str:
        runs.insert_run(tx, new, instant(now), due=False)
        tx.run(
            "UPDATE run SET business_key = :key, unit = 'emea', state = 'waiting' WHERE id = :id",
            {"key": key, "id": new.id},
        )
        taken = runs.take(tx, new.id, "tester", instant(now))
        assert taken is not None
        fence = runs.Fence(taken["id"], taken["fence"])
        name = f"approval:{policy}"
        row = approval.approval_row(question, taken, key, release, name=name, key="", now=now)
        history.await_answer(tx, fence, name=name, key="", due_at=row["due_at"], now=instant(now), round_=1)
        approval.request(tx, row)
        tx.run("UPDATE run SET owner = NULL, due_at = NULL WHERE id = :id", {"id": new.id})
        return str(row["id"])

    return await house.store.write(work)


async def decide(
    house: House, id_: str, verdict: str, who: str, comment: str | None = None, amount: str | None = None
) -> Row:
    return await approval.decide(house.store, id_, verdict=verdict, who=who, comment=comment, amount=amount)  # type: ignore[arg-type]


async def answer_of(house: House, key: str) -> approval.Decision | None:
    """What the run was answered."""
    (row,) = await house.rows("SELECT result FROM history WHERE run_id LIKE :run AND kind = 'wait'", run=f"%.{key}")
    return approval.Decision.model_validate_json(row["result"]) if row["result"] else None


async def test_only_the_desk_decides_and_never_who_asked(house: House) -> None:
    id_ = await asked(house, "21", requested_by=["Rosa", "Maria"])
    for who, words in (("rosa", "asked for"), ("maria", "asked for"), ("otto", "not of the desk finance")):
        with pytest.raises(PermissionError, match=words):
            await decide(house, id_, "approved", who)
    done = await decide(house, id_, "approved", "ANNA@sonnwerk.example")
    assert (done["state"], done["decided_by"]) == ("approved", "ANNA@sonnwerk.example")
    assert await answer_of(house, "21") == approval.Decision(
        verdict="approved", by="ANNA@sonnwerk.example", amount=Money.of("119.00", "EUR")
    )
    with pytest.raises(ValueError, match="is approved already, by ANNA"):
        await decide(house, id_, "rejected", "maria", "too late")
    with pytest.raises(LookupError, match="no approval is called"):
        await decide(house, "99.finance", "approved", "maria")


async def test_who_started_a_run_by_hand_cannot_approve_it(house: House) -> None:
    note = {"at": instant(house.store.clock()), "who": "anna@sonnwerk.example", "did": "process.start"}
    run_id = runs.NewRun("case-to-credit", 1, "zendesk/Ticket/22", "zendesk", None, "{}", "r", None).id
    await house.store.write(lambda tx: audit.note(tx, **note, about=run_id, after="new"))
    id_ = await asked(house, "22")
    with pytest.raises(PermissionError, match=r"asked for 22\.finance, so somebody else"):
        await decide(house, id_, "approved", "anna@sonnwerk.example")
    await decide(house, id_, "approved", "maria")


async def test_a_rejection_and_another_amount_need_a_reason(house: House) -> None:
    id_ = await asked(house, "23")
    for verdict, amount in (("rejected", None), ("approved", "80.00")):
        with pytest.raises(ValueError, match="give a comment"):
            await decide(house, id_, verdict, "maria", " ", amount)
    for amount in ("0", "500.01", "80.001", "many"):
        with pytest.raises(ValueError, match=r"amount|agreed"):
            await decide(house, id_, "approved", "maria", "so much", amount)
    done = await decide(house, id_, "approved", "maria", "two of three were broken", "80.00")
    assert (done["decided_amount"], done["amount"]) == ("80.00", "119.00")
    answer = await answer_of(house, "23")
    assert answer is not None and answer.amount == Money.of("80.00", "EUR")


async def test_two_people_must_agree_to_the_same_amount(house: House) -> None:
    id_ = await asked(house, "24", needed=2)
    first = await decide(house, id_, "approved", "maria")
    assert first["state"] == "requested"
    assert await answer_of(house, "24") is None
    with pytest.raises(ValueError, match=r"maria has decided 24\.finance already"):
        await decide(house, id_, "approved", "maria")
    other = await decide(house, id_, "approved", "anna@sonnwerk.example", "less", "100.00")
    assert other["state"] == "requested", "a changed amount makes the earlier yes void"
    await approval.delegate(house.store, id_, who="maria", to="otto")
    last = await decide(house, id_, "approved", "otto", "less", "100.00")
    assert (last["state"], last["decided_by"]) == ("approved", "anna@sonnwerk.example, otto")
    answer = await answer_of(house, "24")
    assert answer is not None and answer.amount == Money.of("100.00", "EUR")


async def test_one_no_is_enough_and_many_at_once_decide_once(house: House) -> None:
    id_ = await asked(house, "25", needed=2)
    await decide(house, id_, "approved", "maria")
    done = await decide(house, id_, "rejected", "anna@sonnwerk.example", "no contract")
    assert (done["state"], done["comment"]) == ("rejected", "no contract")
    both = await asked(house, "26")
    results = await asyncio.gather(
        decide(house, both, "approved", "maria"), decide(house, both, "rejected", "anna@sonnwerk.example", "no"),
        return_exceptions=True,
    )  # fmt: skip
    assert sorted(isinstance(result, ValueError) for result in results) == [False, True]


async def test_weeks_pass_reminded_escalated_and_still_decided(house: House) -> None:
    """By the clock alone: a reminder each day, the higher desk from the third on, and whoever is late is too late."""
    id_ = await asked(house, "27")
    with pytest.raises(PermissionError):
        await decide(house, id_, "approved", "Carla")
    for _ in range(3):
        house.clock.advance(timedelta(days=1, minutes=1))
        await approval.remind_and_escalate(house.store)
    assert await approval.remind_and_escalate(house.store) == 0, "told once"
    events = await house.store.read(lambda tx: journal.events_of(tx, "case-to-credit.zendesk.Ticket.27"))
    words = [row["type"].split(".")[2] for row in events]
    assert words.count("reminded") >= 2 and words.count("escalated") == 1, words
    done = await decide(house, id_, "approved", "carla")
    assert done["decided_by"] == "carla"
    lines = await house.store.read(lambda tx: audit.lines(tx, about=id_, limit=20))
    assert {line["did"] for line in lines} == {"approval.escalate", "approval.approved"}


async def test_by_the_api_with_facts_amounts_and_an_inbox(house: House) -> None:
    id_ = await asked(house, "28", policy="order-desk")
    status, shown = await house.key("GET", f"/api/approvals/{id_}")
    assert (status, shown["amount"], shown["most"], shown["needed"]) == (200, "119.00", "500.00", 1)
    assert shown["facts"] == [
        {"label": "Invoice", "words": "90000001: 500.00 EUR <b>", "link": "https://erp.example/90000001"}
    ]
    finance = await asked(house, "29")
    _, mine = await house.key("GET", "/api/approvals?who=tester")
    assert [each["id"] for each in mine["approvals"]] == [id_], "a desk without members is open to all, finance is not"
    status, refused = await house.key("POST", f"/api/approvals/{finance}/approve", {})
    assert (status, refused["title"][:33]) == (403, "tester is not of the desk finance")
    assert (await house.key("POST", f"/api/approvals/{id_}/reject", {}))[0] == 409
    assert (await house.key("POST", f"/api/approvals/{id_}/delegate", {"to": "rosa"}))[0] == 403
    status, done = await house.key("POST", f"/api/approvals/{id_}/approve", {"amount": "90.50", "comment": "as agreed"})
    assert (status, done["state"], done["decided_amount"], done["consents"][0]["way"]) == (
        200,
        "approved",
        "90.50",
        "api",
    )
    assert (await house.key("GET", "/api/approvals/nothing"))[0] == 404


async def test_a_link_shows_and_only_its_form_decides_once(house: House) -> None:
    id_ = await asked(house, "30")
    with pytest.raises(PermissionError):
        await approval_link.make_link(house.store, id_, for_="Rosa", made_by="ops")
    path = await approval_link.make_link(house.store, id_, for_="maria", made_by="ops")
    for _ in range(3):  # scanners follow links
        async with house.http.get(path) as answer:
            page = await answer.text()
            assert answer.status == 200 and "Content-Security-Policy" in answer.headers
            assert answer.headers["Cache-Control"] == "no-store"
    assert "500.00 EUR &lt;b&gt;" in page and 'value="119.00"' in page
    async with house.http.head(path) as answer:
        assert answer.status == 200
    async with house.http.post(path, data={"verdict": "approved"}) as answer:
        assert answer.status == 400, "without the form's confirmation nothing is decided"
    assert (await house.rows("SELECT state FROM approval WHERE id = :id", id=id_))[0]["state"] == "requested"
    forged = path[:-4] + ("AAAA" if not path.endswith("AAAA") else "BBBB")
    for wrong in (forged, "/approvals/nothing", path.replace(".", "x.", 1)):
        async with house.http.get(wrong) as answer:
            assert answer.status == 410
    form = {"confirm": "yes", "verdict": "approved", "amount": "100.00", "comment": "one was fine"}
    async with house.http.post(path, data={**form, "comment": ""}) as answer:
        assert answer.status == 409
    async with house.http.post(path, data=form) as answer:
        assert answer.status == 200, await answer.text()
    (row,) = await house.rows("SELECT * FROM approval WHERE id = :id", id=id_)
    assert (row["state"], row["decided_by"], row["decided_amount"]) == ("approved", "maria", "100.00")
    for method in ("GET", "POST"):
        async with house.http.request(method, path, data=form) as answer:
            assert answer.status == 410
    lines = await house.store.read(lambda tx: audit.lines(tx, about=id_, limit=20))
    assert {(line["did"], line["who"]) for line in lines} == {("approval.link", "ops"), ("approval.approved", "maria")}


async def test_a_link_is_over_after_a_week(house: House) -> None:
    id_ = await asked(house, "31", within=timedelta(days=30), escalate_after=None, escalate_to=None)
    path = await approval_link.make_link(house.store, id_, for_="maria", made_by="ops")
    house.clock.advance(timedelta(days=8))
    async with house.http.post(path, data={"confirm": "yes", "verdict": "approved"}) as answer:
        assert answer.status == 410 and "is over since" in await answer.text()
    again = await approval_link.make_link(house.store, id_, for_="maria", made_by="ops")
    async with house.http.post(again, data={"confirm": "yes", "verdict": "approved"}) as answer:
        assert answer.status == 200
