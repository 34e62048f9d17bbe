"""The gateway's own API over real HTTP: keys, one execution a key, system APIs, processes, exceptions and approvals."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.support.house import KEY, House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import setting
from typer.testing import CliRunner

from isthmus.cli.verbs import top
from isthmus.gateway.system import objects
from isthmus.orchestration.jobs.works import works
from isthmus.store import audit

pytestmark = pytest.mark.asyncio(loop_scope="module")
SHOP, SHOP_KEY = "shop", "isthmus_declared_in_the_landscape"


def declared(text: str) -> str:
    """A shop that may start processes until the end of 2027, and a price that is decided by people."""
    hash_ = hashlib.sha256(SHOP_KEY.encode()).hexdigest()
    holder = f"{{key_hash: 'sha256:{hash_}', scopes: [process:start, runs:read], expires: '2027-12-31'}}"
    return setting("price_above_tolerance", "approval")(text) + f"\naccess:\n  {SHOP}: {holder}\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with House(sandbox, tmp_path_factory.mktemp("gateway"), change=declared) as made:
        yield made


async def id_of(house: House, number: str) -> str:
    """The id of an opportunity at its source."""
    (row,) = await house.books("salesforce", "opportunity", number)
    return str(row["id"])


async def start(house: House, number: str, **headers: str) -> tuple[int, Any]:
    """Start quote-to-cash for an opportunity, so that nobody waits for the next poll."""
    quote = {"connection": "salesforce", "id": await id_of(house, number)}
    return await house.key("POST", "/api/process/quote-to-cash", {"quote": quote}, **headers)


async def answered(house: House, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    """(status, body, headers)."""
    headers = {"Authorization": f"Bearer {KEY}", **headers}
    async with house.http.request(method, path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


# Keys ---------------------------------------------------------------------------------------------


async def test_a_landscapes_key_opens_until_its_day(house: House) -> None:
    shop = {"X-API-Key": SHOP_KEY}
    assert (await house.call("GET", "/api/runs", **shop))[0] == 200
    status, told = await house.call("GET", "/api/system/erp/products?unit=emea", **shop)
    assert (status, told["title"]) == (403, "The key of shop has not the scope system:read")
    house.clock.advance(timedelta(days=365 * 3))
    try:
        assert (await house.call("GET", "/api/runs", **shop))[0] == 401
    finally:
        house.clock.advance(timedelta(days=-365 * 3))


async def test_a_key_is_made_and_revoked_on_the_command_line(house: House) -> None:
    async def isthmus(*arguments: str) -> str:
        command = [*arguments, "--database", f"sqlite:///{house.database}"]
        result = await asyncio.to_thread(CliRunner().invoke, top(), command)
        assert result.exit_code == 0, result.output
        return result.stdout

    key = (await isthmus("keys", "create", "auditor", "--scope", "runs:read")).splitlines()[0].strip()
    assert (await house.call("GET", "/api/runs", Authorization=f"Bearer {key}"))[0] == 200
    assert not await house.rows("SELECT hash FROM api_key WHERE hash = :key", key=key), "only its hash is kept"
    await isthmus("keys", "revoke", "auditor")
    assert (await house.call("GET", "/api/runs", Authorization=f"Bearer {key}"))[0] == 401


async def test_measures_are_scraped_as_the_docs_say(house: House) -> None:
    """By Prometheus's own rules: the credentials behind their type, the answer in its text format."""
    text = (Path(__file__).parents[2] / "docs/rooms/gateway.md").read_text()
    (config,) = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])["scrape_configs"]
    (create,) = re.findall(r"`isthmus (keys create [^`]+)`", text.split("**Measures.**")[1])
    command = [*create.split(), "--database", f"sqlite:///{house.database}"]
    made = await asyncio.to_thread(CliRunner().invoke, top(), command)
    key = made.stdout.splitlines()[0].strip()
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"
    for credentials, status in ((key, 200), ("guessed", 401)):
        headers = {"Authorization": f"{config['authorization']['type']} {credentials}", "Accept": accept}
        async with house.http.get(config["metrics_path"], headers=headers) as answer:
            assert answer.status == status
            if status == 200:
                families = {family.name for family in text_string_to_metric_families(await answer.text())}
                assert answer.headers["Content-Type"].startswith("text/plain; version=")
                assert any(name.startswith("isthmus_") for name in families)
    assert (await house.call("GET", "/api/runs", Authorization=f"Bearer {key}"))[0] == 403, "and opens nothing else"


async def test_a_visitor_comes_in_without_a_key_in_the_demo_only(house: House, tmp_path: Path) -> None:
    assert (await house.call("GET", "/api/runs"))[0] == 401
    async with House(None, tmp_path, workers=0, anonymous="visitor") as demo:
        assert (await demo.call("GET", "/api/runs"))[0] == 200
        assert (await demo.call("GET", "/api/runs", Authorization="Bearer wrong"))[0] == 401


# One execution a key ------------------------------------------------------------------------------


async def test_the_same_key_replays_the_answer_and_another_request_is_refused(house: House) -> None:
    first = await start(house, "OPP-1006", **{"Idempotency-Key": "k-1"})
    assert first[0] == 202
    quote = {"connection": "salesforce", "id": await id_of(house, "OPP-1006")}
    status, told, headers = await answered(
        house, "POST", "/api/process/quote-to-cash", {"quote": quote}, **{"Idempotency-Key": "k-1"}
    )
    assert (status, told, headers["Idempotent-Replayed"]) == (*first, "true")
    status, told, headers = await answered(
        house,
        "POST",
        "/api/process/quote-to-cash",
        {"quote": {**quote, "id": "006other"}},
        **{"Idempotency-Key": "k-1"},
    )
    assert status == 422 and told["type"].endswith("/idempotency-key"), told
    assert (await start(house, "OPP-1006"))[1]["run"] == first[1]["run"], "without a key the subject finds its run"
    lines = await house.store.read(lambda tx: audit.lines(tx, about=first[1]["run"]))
    assert [(line["who"], line["did"], line["after"]) for line in lines[-1:]] == [
        ("tester", "process.start", '"claimed"')
    ]


def case(subject: str, **more: Any) -> dict[str, Any]:
    contact = {"name": "Eva Beispiel", "email": "eva@example.com"}
    return {
        "business_unit": "emea", "number": subject, "subject": subject, "description": "It does not turn",
        "priority": "normal", "status": "new", "contact": contact, **more,
    }  # fmt: skip


async def tickets(house: House, subject: str) -> list[dict[str, Any]]:
    return [row for row in await house.books("zendesk", "ticket") if row.get("subject") == subject]


async def test_two_at_once_under_one_key_are_one_execution(house: House) -> None:
    await house.faults({"kind": "slow", "vendor": "zendesk", "rate": 1, "delay_s": 0.2})
    named = {"Idempotency-Key": "at-once"}
    told = await asyncio.gather(
        *(answered(house, "POST", "/api/system/support/cases", case("At once"), **named) for _ in range(4))
    )
    await house.faults()
    assert [status for status, _, _ in told] == [201] * 4, told
    assert len({body["id"] for _, body, _ in told}) == 1
    assert sorted(headers.get("Idempotent-Replayed", "") for _, _, headers in told) == ["", "true", "true", "true"]
    assert len(await tickets(house, "At once")) == 1
    rows = await house.rows("SELECT * FROM run WHERE title = 'support.create_case'")
    assert len(rows) == 1 and rows[0]["business_key"].startswith("API-")


async def test_another_holders_key_and_a_failure_are_nobodys_answer(house: House) -> None:
    named = {"Idempotency-Key": "k-2"}
    wrong = await answered(house, "POST", "/api/system/support/cases", case("Again", priority="enormous"), **named)
    assert wrong[0] == 422
    again = await answered(house, "POST", "/api/system/support/cases", case("Again", priority="enormous"), **named)
    assert again[0] == 422 and "Idempotent-Replayed" not in again[2], "nothing was done, so nothing is replayed"
    assert (await house.call("POST", "/api/process/quote-to-cash", {}, **named, **{"X-API-Key": SHOP_KEY}))[0] == 422
    right = await answered(house, "POST", "/api/system/support/cases", case("Again"), **named)
    assert right[0] == 201, right


async def test_who_died_with_a_key_in_hand_is_taken_over(house: House) -> None:
    named = {"Idempotency-Key": "orphan"}
    body = case("Orphan")
    await answered(house, "POST", "/api/system/support/cases", body, **named)
    await house.store.write(lambda tx: tx.run("UPDATE answered SET status = 0, body = '' WHERE key = 'orphan'"))
    house.clock.advance(timedelta(seconds=61))
    status, _, headers = await answered(house, "POST", "/api/system/support/cases", body, **named)
    assert (status, headers.get("Idempotent-Replayed")) == (201, None), "it is executed again, and finds its run"
    assert len(await tickets(house, "Orphan")) == 1


async def test_an_answer_is_kept_for_a_day(house: House) -> None:
    """The work that is scheduled every hour forgets what is older, and nothing else."""
    forget = works(house.engine, lambda: None)["answers"]

    async def kept() -> set[str]:
        return {row["key"] for row in await house.rows("SELECT key FROM answered")}

    assert (await start(house, "OPP-1012", **{"Idempotency-Key": "old"}))[0] == 202
    house.clock.advance(timedelta(hours=23))
    try:
        assert (await start(house, "OPP-1012", **{"Idempotency-Key": "new"}))[0] in (200, 202)
        await forget({}, None)
        assert {"old", "new"} <= await kept()
        house.clock.advance(timedelta(hours=2))
        batch = await forget({}, None)
        assert "old" not in await kept() and "new" in await kept() and batch.done >= 1 and batch.cursor is None
    finally:
        house.clock.advance(timedelta(hours=-25))


# System APIs --------------------------------------------------------------------------------------


async def test_objects_are_searched_and_read_whatever_vendor_fills_the_role(house: House) -> None:
    status, found = await house.key("GET", "/api/system/erp/products?unit=emea&number=X-101")
    assert status == 200
    (product,) = found["items"]
    status, same = await house.key("GET", f"/api/system/erp/products/{product['source']['id']}?unit=emea")
    assert (status, same["id"], same["number"]) == (200, product["id"], "X-101")
    status, found = await house.key("GET", "/api/system/crm/quotes?unit=emea&number=OPP-1001")
    (quote,) = found["items"]
    status, same = await house.key("GET", f"/api/system/crm/quotes/{quote['source']['id']}?unit=emea")
    assert (status, same["number"]) == (200, "OPP-1001")
    amounts = list(str(same["lines"]).split("'amount': ")[1:])
    assert amounts and all(each[0] == "'" for each in amounts), "no digit of money is lost in a float"
    name = house.sandbox.company.accounts[0].name
    status, found = await house.key("GET", f"/api/system/crm/customers?unit=emea&name={name}")
    assert name in [each["name"] for each in found["items"]]
    for customer in found["items"]:
        by_vendor = await house.key("GET", f"/api/system/crm/customers/{customer['source']['id']}?unit=emea")
        by_ours = await house.key("GET", f"/api/system/crm/customers/{customer['id']}?unit=emea")
        assert by_vendor == by_ours and by_vendor[0] == 200


async def test_what_is_not_there_or_not_said_is_told_in_words(house: House) -> None:
    before = await house.rows("SELECT count(*) AS n FROM cross_reference")
    for path, status in {
        "/api/system/erp/orders/999999?unit=emea": 404,
        "/api/system/erp/customers/999999?unit=emea": 404,
        "/api/system/crm/customers/001000000000000AAA?unit=emea": 404,
        "/api/system/crm/customers/customer_nobody?unit=emea": 422,
        "/api/system/erp/orders/1": 422,
        "/api/system/erp/orders/%20?unit=emea": 422,
        "/api/experience/support-desk/customers?ticket=%C2%9A1": 422,
        "/api/experience/support-desk/customers/%20": 422,
        "/api/system/erp/orders/1?unit=mars": 422,
        "/api/system/erp/orders?unit=emea&limit=0": 422,
        "/api/system/erp/orders?unit=emea&colour=blue": 422,
        "/api/system/erp/nothing": 404,
        "/api/system/crm/orders": 404,
    }.items():
        got, told = await house.key("GET", path)
        assert got == status, (path, told)
        assert told["title"] and told["status"] == status
    assert await house.rows("SELECT count(*) AS n FROM cross_reference") == before, "a look leaves nothing behind"


async def test_a_wrong_object_is_told_field_by_field(house: House) -> None:
    status, told = await house.key("POST", "/api/system/erp/orders", {"business_unit": "emea", "lines": [{"id": "1"}]})
    assert status == 422 and told["title"].startswith("This is no valid order: ")
    fields = {each["field"]: each for each in told["problems"]}
    assert fields["lines[0].unit_price"]["title"] == "Unit price is missing" and "currency" in fields
    assert "map it" not in str(told), "a caller has nothing to map"
    status, told = await house.key("POST", "/api/system/support/cases", case("x", contact={"name": 5}))
    assert (status, told["field"]) == (422, "contact.name")
    for text, kind, status in (
        ("{", "application/json", 400),
        ("{}", "text/plain", 415),
        ("[" * 200_000, "application/json", 400),
    ):
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": kind}
        async with house.http.post("/api/system/support/cases", data=text, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (status, "application/problem+json"), await answer.text()
        if kind == "application/json":
            async with house.http.post("/api/process/quote-to-cash", data=text, headers=headers) as answer:
                assert answer.status == 400, await answer.text()


async def test_a_case_is_created_and_updated_through_the_role(house: House) -> None:
    status, made = await house.key("POST", "/api/system/support/cases", case("Update me"))
    assert status == 201, made
    ticket = made["source"]["id"]
    status, read = await house.key("GET", f"/api/system/support/cases/{ticket}?unit=emea")
    assert (status, read["id"], read["subject"]) == (200, made["id"], "Update me")
    path = f"/api/system/support/cases/{ticket}"
    status, changed = await house.key("PUT", path, case("Update me", priority="urgent", number=read["number"]))
    assert (status, changed["priority"], changed["id"]) == (200, "urgent", made["id"])
    assert len(await tickets(house, "Update me")) == 1
    assert (await house.key("GET", f"{path}?unit=emea"))[1]["priority"] == "urgent"
    other = await house.key("PUT", "/api/system/support/cases/424242424242", case("Nowhere"))
    assert other[0] == 404, other
    wrong = await house.key("PUT", path, case("x", id="case_01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    assert (wrong[0], wrong[1]["field"]) == (422, "id")
    assert (await house.key("PUT", f"{path}?unit=apac", case("x")))[0] == 422


async def test_an_order_is_created_once_under_its_key(house: House) -> None:
    await house.win("OPP-1001")
    await start(house, "OPP-1001")
    await house.until("OPP-1001", "done")
    (sold,) = await house.books("sap_s4hana", "order", "OPP-1001")
    status, order = await house.key("GET", f"/api/system/erp/orders/{sold['id']}?unit=emea")
    assert status == 200
    order = {name: value for name, value in order.items() if name not in ("id", "number", "source", "references")}
    order["purchase_order_number"] = "SYSTEM-1"
    order["lines"][0]["quantity"]["value"], quantity = "-1", order["lines"][0]["quantity"]["value"]
    status, told = await house.key("POST", "/api/system/erp/orders", order)
    wrong = next(each for each in told["problems"] if each["field"].startswith("lines[0].quantity"))
    assert (status, wrong["title"], wrong["value"]) == (422, "Quantity must be greater than 0", "-1"), told
    order["lines"][0]["quantity"]["value"] = quantity
    named = {"Idempotency-Key": "order/1?#%"}
    status, made = await house.key("POST", "/api/system/erp/orders", order, **named)
    assert status == 201, made
    assert made["number"] != sold["id"]
    assert (await house.key("POST", "/api/system/erp/orders", order, **named)) == (201, made)
    rows = [o for o in await house.books("sap_s4hana", "order") if o["purchase_order"] == "SYSTEM-1"]
    assert len(rows) == 1 and len(rows[0]["key"]) <= 35, "our key fits the vendor's field"
    assert Decimal(rows[0]["net_amount"]) == Decimal(sold["net_amount"])


async def test_a_change_outlives_its_request(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "WAIT_S", 0.3)
    await house.faults({"kind": "limited", "vendor": "zendesk", "rate": 1})
    status, told = await house.key("POST", "/api/system/support/cases", case("Later"))
    assert status == 202, told
    await house.faults()
    for _ in range(200):
        _, run = await house.key("GET", told["links"]["self"])
        if run["state"] == "done":
            break
        await asyncio.sleep(0.05)
    assert run["state"] == "done" and run["result"]["subject"] == "Later"
    assert len(await tickets(house, "Later")) == 1


async def test_a_refused_change_is_an_exception_with_a_remedy(house: House) -> None:
    body = case("Refused", contact={"name": "Eva", "email": "no address"})
    status, told = await house.key("POST", "/api/system/support/cases", body)
    if status == 422:
        pytest.fail(f"our own contract refused it before the vendor could: {told}")
    assert (status, told["state"]) == (202, "parked"), told
    _, run = await house.key("GET", told["links"]["self"])
    assert run["exceptions"][0]["title"] == told["title"]
    assert (await house.key("POST", f"{told['links']['self']}/cancel", {"why": "a typing error"}))[0] == 202


async def test_a_system_that_is_down_is_a_bad_gateway(house: House) -> None:
    await house.faults({"kind": "down", "vendor": "sap_s4hana", "rate": 1})
    status, told = await house.key("GET", "/api/system/erp/orders/4500001?unit=emea")
    await house.faults()
    assert (status, told["type"].rpartition("/")[2]) == (502, "down")
    await house.store.write(lambda tx: tx.run("DELETE FROM permit"))


# Processes, exceptions, approvals -----------------------------------------------------------------


async def test_a_process_is_started_followed_and_cancelled(house: House) -> None:
    await house.win("OPP-1010")
    status, started = await start(house, "OPP-1010")
    assert status == 202 and started["links"]["self"] == f"/api/runs/{started['run']}"
    await house.until("OPP-1010", "done")
    status, run = await house.key("GET", started["links"]["self"])
    assert (status, run["state"], run["key"]) == (200, "done", "OPP-1010")
    assert {"isthmus.quote.accepted.v1", "isthmus.order.created.v1"} <= {event["type"] for event in run["events"]}
    assert len({call["trace_id"] for call in run["calls"]}) == 1 and run["calls"][0]["trace_id"] == run["trace_id"]
    status, found = await house.key("GET", "/api/runs?state=done&process=quote-to-cash&text=OPP-1010")
    assert [each["id"] for each in found["runs"]] == [started["run"]]
    assert (await house.key("POST", f"/api/runs/{started['run']}/cancel", {"why": "changed his mind"}))[0] == 202
    await house.until("OPP-1010", "undone")
    status, told = await house.key("POST", f"/api/runs/{started['run']}/cancel")
    assert status == 409 and "undone already" in told["title"]
    status, told = await house.key("GET", "/api/runs/quote-to-cash.nobody")
    assert status == 404
    wrong = {"quote": {"connection": "zendesk", "id": "1"}}
    status, told = await house.key("POST", "/api/process/quote-to-cash", wrong)
    assert (status, told["field"]) == (422, "quote.connection") and "salesforce" in told["title"]


async def test_pages_of_runs_follow_one_another(house: House) -> None:
    seen: list[str] = []
    query = "limit=3"
    for _ in range(50):
        status, page = await house.key("GET", f"/api/runs?{query}")
        assert status == 200
        seen += [run["id"] for run in page["runs"]]
        if page["next"] is None:
            break
        query = f"limit=3&before={page['next']}"
    assert len(seen) == len(set(seen)) == (await house.rows("SELECT count(*) AS n FROM run"))[0]["n"]


async def test_an_exception_is_shown_edited_retried_and_skipped(house: House) -> None:
    await house.win("OPP-1008")
    await start(house, "OPP-1008")
    await house.until("OPP-1008", "parked")
    status, found = await house.key("GET", "/api/exceptions")
    entry = next(each for each in found["exceptions"] if each["business_key"] == "OPP-1008")
    path = f"/api/exceptions/{entry['number']}"
    status, shown = await house.key("GET", path)
    assert (status, shown["code"]) == (200, "V1/302") and shown["mend"] and shown["customer"]
    status, told = await house.key("POST", f"{path}/edit", {"changes": {"lines.7.product.number": "X"}})
    assert status == 409 and "leads nowhere" in told["title"]
    _, run = await house.key("GET", f"/api/runs/{entry['run_id']}")
    at = next(n for n, line in enumerate(run["input"]["lines"]) if line["product"]["number"] == "X-122")
    lines = run["input"]["lines"]
    good = next(line for line in lines if line["product"]["number"] != "X-122")
    changes = {f"lines.{at}.product": good["product"]}
    assert (await house.key("POST", f"{path}/edit", {"changes": changes}))[0] == 200
    status, told = await house.key("POST", f"{path}/retry")
    assert (status, told["state"]) == (202, "ready")
    await house.until("OPP-1008", "done", "parked", "waiting")
    assert (await house.key("POST", f"{path}/retry"))[0] == 409, "it ended already"
    assert (await house.key("GET", "/api/exceptions/EX-99999"))[0] == 404
    assert (await house.key("GET", "/api/exceptions/EX-x"))[0] == 422
    lines = await house.store.read(lambda tx: audit.lines(tx, about=entry["number"]))
    assert {(line["who"], line["did"]) for line in lines} == {
        ("tester", "exception.edit"),
        ("tester", "exception.retry"),
    }
    assert (await house.store.read(audit.walk)).first_break is None


async def test_an_approval_is_decided_once_by_name(house: House) -> None:
    await house.win("OPP-1004")
    quote = {"connection": "salesforce", "id": await id_of(house, "OPP-1004")}
    await house.call("POST", "/api/process/quote-to-cash", {"quote": quote}, **{"X-API-Key": SHOP_KEY})
    await house.until("OPP-1004", "waiting")
    _, found = await house.key("GET", "/api/approvals")
    asked = next(each for each in found["approvals"] if each["id"].startswith("OPP-1004"))
    path = f"/api/approvals/{asked['id']}"
    assert (await house.call("POST", f"{path}/approve", {}, **{"X-API-Key": SHOP_KEY}))[0] == 403
    told = await asyncio.gather(
        *(house.key("POST", f"{path}/{verb}", {"comment": "ok"}) for verb in ("approve", "reject"))
    )
    assert sorted(status for status, _ in told) == [200, 409]
    decided = next(body for status, body in told if status == 200)
    assert decided["decided_by"] == "tester" and decided["comment"] == "ok"
    await house.until("OPP-1004", "done", "undone")
    assert (await house.key("POST", "/api/approvals/nothing/approve"))[0] == 404
    _, found = await house.key("GET", f"/api/approvals?state={decided['state']}")
    assert asked["id"] in [each["id"] for each in found["approvals"]]
