"""Field test 32: of many records in one load each that is rejected is told with its input, its field and a retry.

The ids of the others are recorded; and nothing is doubled though the worker dies between two steps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus
from tests.support.inside import inside
from tests.support.running_sandbox import RunningSandbox
from tests.support.sales import id_of
from tests.support.whole import Whole

from isthmus.cli.bulk import asked_for
from isthmus.connectivity.system_api import crm, erp
from isthmus.model import Customer
from isthmus.orchestration.jobs.bulk import BulkWrite, as_csv, flat, keep_rows
from isthmus.orchestration.jobs.desk import JobsDesk
from isthmus.orchestration.jobs.keeper import keep_jobs
from isthmus.orchestration.jobs.port import Progress
from isthmus.store.transaction import Row

TOO_LONG = "9" * 41


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


def customers(count: int, bad: int) -> list[dict[str, Any]]:
    """Customers of the ledger; every so many-th has a number that the CRM cannot take, every other bad one a bad name."""
    every = count // bad
    made = []
    for at in range(count):
        wrong = at % every == 3 and at // every < bad
        made.append(
            {
                "id": id_of("customer", f"bulk/{at}"),
                "business_unit": "emea",
                "kind": "organization",
                "name": "Refused & Sons" if wrong and at // every % 2 else f"Kunde {at}, GmbH",
                "number": TOO_LONG if wrong and not at // every % 2 else f"88{at:06}",
                "status": "active",
                "currency": "EUR",
                "extensions": {"account_key": f"B-{at}"},
            }
        )
    return made


@asynccontextmanager
async def served(sandbox: RunningSandbox, folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[Whole]:
    rule = {"object": "Account", "when": "Name = 'Refused & Sons'", "message": "We do not sell to them"}
    async with Whole(sandbox, folder, patch) as whole:
        await whole.desk("salesforce/set/validation_rule/refused", rule)
        keeper = asyncio.create_task(keep_jobs(whole.engine, whole.worker, whole.system.database))
        yield whole
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def written(whole: Whole, folder: Path, objects: list[dict[str, Any]]) -> Progress:
    """``isthmus jobs bulk``, to its end."""
    file = folder / "customers.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in objects))
    words = ("jobs", "bulk", "crm.put_customer", str(file), "--unit", "emea", "--json")
    asked = await asyncio.to_thread(isthmus, *words, cwd=whole.landscape)
    assert asked.returncode == 0, asked.stderr
    job = json.loads(asked.stdout)["job"]
    desk = await asyncio.to_thread(JobsDesk, whole.system.database)
    for _ in range(600):
        (found,) = [each for each in await asyncio.to_thread(desk.list) if each.id == job]
        if found.state in ("done", "failed"):
            break
        await asyncio.sleep(0.1)
    await asyncio.to_thread(desk.close)
    return found


async def rows(whole: Whole, sql: str, **values: Any) -> list[Row]:
    return await whole.store.read(lambda tx: tx.rows(sql, values))


@pytest.mark.parametrize(("count", "bad"), [(60, 5), pytest.param(10_000, 37, marks=pytest.mark.long)])
async def test_each_rejected_row_is_an_exception_with_its_input(
    count: int, bad: int, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(sandbox, tmp_path, monkeypatch) as whole:
        objects = customers(count, bad)
        job = await written(whole, tmp_path, objects)
        assert (job.state, job.done, job.error) == ("done", count, None)

        # the ids of the others, by which they are known from now on
        there = {one["External_Id__c"]: one["Id"] for one in await whole.desk("salesforce/show/customer")}
        known = await rows(
            whole, "SELECT * FROM cross_reference WHERE canonical_id LIKE 'customer_%' AND type = 'Account'"
        )
        ours = {row["canonical_id"]: row["id"] for row in known}
        taken = [each for each in objects if each["number"] != TOO_LONG and not each["name"].startswith("Refused")]
        assert len(taken) == count - bad
        assert {each["id"]: there[each["extensions"]["account_key"]] for each in taken} == ours
        assert (
            len(await rows(whole, "SELECT key FROM bulk_row WHERE state = 'done' AND reference_id <> ''"))
            == count - bad
        )

        # each of the rejected, with its input, its field and what the vendor said
        refused = {each["extensions"]["account_key"]: each for each in objects if each not in taken}
        _, listed = await whole.call("GET", "/api/exceptions?limit=200")
        assert {each["business_key"] for each in listed["exceptions"]} == set(refused)
        ended = {row["key"]: row for row in await rows(whole, "SELECT * FROM bulk_row")}
        assert {row["input"] for row in ended.values()} == {""}, "nothing is kept twice"
        for each in listed["exceptions"]:
            assert ended[each["business_key"]]["run_id"] == each["run_id"]
            (run,) = await rows(whole, "SELECT input FROM run WHERE id = :id", id=each["run_id"])
            wanted = refused[each["business_key"]]
            assert wanted.items() <= json.loads(run["input"])["argument"].items()
            long = wanted["number"] == TOO_LONG
            assert each["code"] == ("STRING_TOO_LONG" if long else "FIELD_CUSTOM_VALIDATION_EXCEPTION")
            assert each["field"] == ("AccountNumber" if long else None)
            assert each["operation"] == "crm.put_customer" and each["mend"]
        await _mended(whole, listed["exceptions"], there)


async def _mended(whole: Whole, parked: list[dict[str, Any]], there: dict[str, str]) -> None:
    """One is edited and retried; the others of its kind wait. The rule goes, and all that it refused are retried at once."""
    first = next(each for each in parked if each["code"] == "STRING_TOO_LONG")
    path = f"/api/exceptions/{first['number']}"
    status, _ = await whole.call("POST", f"{path}/edit", {"changes": {"argument.number": "4711"}})
    assert status == 200
    assert (await whole.call("POST", f"{path}/retry"))[0] == 202
    await whole.desk("salesforce/set/validation_rule/refused", {"gone": "true"})
    _, groups = await whole.call("GET", "/api/exceptions/groups")
    (group,) = [each for each in groups["groups"] if each["code"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"]
    assert (await whole.call("POST", f"/api/exceptions/groups/{group['group']}/retry"))[0] == 202
    left = {each["business_key"] for each in parked if each["code"] == "STRING_TOO_LONG"} - {first["business_key"]}
    for _ in range(600):
        if not await rows(whole, "SELECT id FROM run WHERE state NOT IN ('parked', 'done')"):
            break
        await asyncio.sleep(0.05)
    _, listed = await whole.call("GET", "/api/exceptions?limit=200")
    assert {each["business_key"] for each in listed["exceptions"]} == left
    now = {one["External_Id__c"]: one["AccountNumber"] for one in await whole.desk("salesforce/show/customer")}
    assert now[first["business_key"]] == "4711"
    assert set(now) - set(there) == {each["business_key"] for each in parked} - left


async def test_steps_that_are_done_twice_record_once(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step is played again as if its worker had died before the step was recorded; the vendor is down now and then."""
    async with served(sandbox, tmp_path, monkeypatch) as whole:
        monkeypatch.setattr("isthmus.orchestration.jobs.asking.PAUSE_S", 0.01)
        objects = customers(12, 2)
        made = [Customer.model_validate(each) for each in objects]
        arguments = await keep_rows(
            whole.store, whole.engine.release, crm.put_customer, made, unit="emea", who="tester"
        )
        down = {"vendor": "salesforce", "operation": "* */jobs/ingest*", "rate": 0.3}
        await whole.faults({"kind": "cut_after", **down}, {"kind": "down", **down})
        work, cursor, steps = BulkWrite(whole.engine, whole.worker.wake), None, 0
        while cursor is not None or steps == 0:
            steps += 1
            assert steps < 500
            await work.step(arguments, cursor)
            cursor = (await work.step(arguments, cursor)).cursor
        states = await rows(whole, "SELECT state, count(*) AS n FROM bulk_row GROUP BY state ORDER BY state")
        assert [(row["state"], row["n"]) for row in states] == [("done", 10), ("refused", 2)]
        assert len(await rows(whole, "SELECT number FROM exception")) == 2
        many = inside(
            sandbox,
            "salesforce",
            lambda world: world.rows(
                'SELECT "External_Id__c", count(*) AS n FROM "Account" WHERE "External_Id__c" LIKE \'B-%\' GROUP BY 1'
            ),
        )
        assert {row["n"] for row in many} == {1} and len(many) == 10


async def test_what_cannot_be_told_apart_or_sent_is_refused_before_anything_is(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Whole(sandbox, tmp_path, monkeypatch) as whole:
        one, two = customers(8, 2)[:2]

        async def refused(what: Any, *objects: dict[str, Any], unit: str = "emea") -> str:
            made = [Customer.model_validate(each) for each in objects]
            with pytest.raises(ValueError, match=r"\w") as error:
                await keep_rows(whole.store, whole.engine.release, what, made, unit=unit, who="tester")
            return str(error.value)

        same = {**two, "extensions": one["extensions"]}
        assert "the same External_Id__c as object 1: B-0" in await refused(crm.put_customer, one, same)
        assert "nothing for External_Id__c" in await refused(crm.put_customer, {**one, "extensions": {}})
        assert "one by one only" in await refused(erp.ensure_customer, one)
        assert "no business unit is called" in await refused(crm.put_customer, one, unit="moon")

        file = tmp_path / "wrong.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in (one, {**two, "status": "sleeping"})))
        for name, said in (("crm.put_customer", "wrong.jsonl:2"), ("crm.put_customers", "crm.put_customer")):
            with pytest.raises(ValueError, match=said):
                await asked_for(whole.store, whole.landscape, "dev", name, file, "emea")
        assert await rows(whole, "SELECT key FROM bulk_row") == []


def test_what_is_nested_is_a_column_with_dots() -> None:
    assert flat({"A": 1, "B": {"C": True, "D": None}, "E": None}) == {"A": "1", "B.C": "true"}
    assert (
        as_csv([{"k": "1", "a": 'x,"y"'}, {"k": "2", "b": "two\nlines"}]) == b'k,a,b\n1,"x,""y""",\n2,,"two\nlines"\n'
    )
