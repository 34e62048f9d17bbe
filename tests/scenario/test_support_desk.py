"""One customer in one call: warm without any vendor, cold side by side, and no part fails the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.test_order_status import Followed
from tests.support.house import KEY, House
from tests.support.running_sandbox import RunningSandbox

from isthmus.gateway.experience.desk_examples import EXAMPLE, EXAMPLE_V1
from isthmus.gateway.experience.desk_shapes import CustomerView, CustomerViewV1
from isthmus.governance.access import key_hash
from isthmus.store import keys

CUSTOMERS = "/api/experience/support-desk/customers"
PATIENT = {"Prefer": "wait=10"}
VENDORS = ("salesforce", "sap_s4hana", "stripe", "zendesk")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
async def house(sandbox: RunningSandbox, tmp_path: Path) -> AsyncIterator[Followed]:
    sandbox.desk("faults", {"rules": []})
    async with Followed(sandbox, tmp_path) as standing:
        yield standing
    sandbox.desk("faults", {"rules": []})


async def read(house: House, where: str, **headers: str) -> dict[str, Any]:
    status, found = await house.key("GET", CUSTOMERS + where, **headers)
    assert status == 200, found
    shown: dict[str, Any] = found
    return shown


@pytest.fixture(scope="module")
def number(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The number of a customer with an order, an invoice and an entitlement, sold by a house that stands no more."""

    async def sell() -> None:
        async with Followed(sandbox, tmp_path_factory.mktemp("sold")) as house:
            await house._listen()
            await house.win("OPP-1001")
            await house.until("OPP-1001", "done", timeout_s=60)

    asyncio.run(sell())
    return str(sandbox.company.account("C-1001").number)


async def test_cold_then_warm_without_any_call_to_a_vendor(
    house: Followed, sandbox: RunningSandbox, number: str
) -> None:
    cold = await read(house, f"/{number}", **PATIENT)
    assert cold["customer"]["number"] == number
    (order,) = [each for each in cold["orders"] if each["request_number"] == "OPP-1001"]
    assert {line["status"] for line in order["lines"]} == {"confirmed"}
    assert order["next_date"]
    (invoice,) = [each for each in cold["invoices"] if each["order"] == order["number"]]
    assert invoice["total"] == order["total"] and invoice["open"]["amount"] == "0.00"
    assert [each["plan"] for each in cold["entitlements"]] == ["gold"]
    assert set(cold["sources"]) == {"customer", "account", "orders", "deliveries", "invoices", "desk", "cases"}
    assert all(each["as_of"] and "unavailable" not in each for each in cold["sources"].values())
    person = cold["customer"]["people"][0]["email"]
    sandbox.desk("faults", {"rules": [{"kind": "down", "vendor": vendor} for vendor in VENDORS]})
    for where in (
        f"/{number}", f"/{cold['customer']['id']}", f"?order={order['number']}", "?order=OPP-1001",
        f"?email={person.upper()}", f"?domain={person.partition('@')[2]}",
    ):  # fmt: skip
        warm = await read(house, where)
        assert {**warm, "sources": None} == {**cold, "sources": None}, where
        assert not any("unavailable" in each for each in warm["sources"].values()), where


async def test_what_is_down_is_told_of_its_part_with_what_was_last_known(
    house: Followed, sandbox: RunningSandbox, number: str
) -> None:
    sandbox.desk("faults", {"rules": [{"kind": "down", "vendor": "stripe"}]})
    found = await read(house, f"/{number}", **PATIENT)
    assert found["orders"] and "unavailable" not in found["sources"]["orders"]
    invoices = found["sources"]["invoices"]
    assert invoices["role"] == "billing" and invoices["unavailable"] and "stale_since" not in invoices
    sandbox.desk("faults", {"rules": []})
    await _breaker_closes(house)
    whole = await read(house, f"/{number}", **PATIENT)
    sandbox.desk("faults", {"rules": [{"kind": "down", "vendor": "stripe"}]})
    stale = await read(house, f"/{number}", **PATIENT, **{"Cache-Control": "no-cache"})
    assert stale["sources"]["invoices"]["stale_since"] >= whole["sources"]["invoices"]["as_of"]
    assert stale["invoices"] == whole["invoices"], "what was last known is shown"
    assert stale["sources"]["orders"]["as_of"] > whole["sources"]["orders"]["as_of"]


async def test_what_is_late_goes_on_and_is_there_the_next_time(
    house: Followed, sandbox: RunningSandbox, number: str
) -> None:
    slow = {"kind": "slow", "vendor": "zendesk", "delay_s": 2}
    sandbox.desk("faults", {"rules": [slow]})
    found = await read(house, f"/{number}")
    assert found["sources"]["desk"]["unavailable"] == "no answer within 800 ms"
    assert found["sources"]["cases"]["unavailable"].startswith("it needs desk")
    sandbox.desk("faults", {"rules": []})
    await asyncio.sleep(2.5)
    there = await house.rows("SELECT part FROM known_part WHERE part = 'desk'")
    assert there, "the late answer was kept"


async def test_what_happens_behind_our_back_is_seen_and_says_how_fresh_it_is(
    house: Followed, sandbox: RunningSandbox, number: str
) -> None:
    cold = await read(house, f"/{number}", **PATIENT)
    order = next(each["number"] for each in cold["orders"] if each["request_number"] == "OPP-1001")
    delivery = (await house.played("deliver", order=order, item="10", quantity="3"))["delivery"]
    await house.played("goods_issue", delivery=delivery, carrier="DHL", tracking="JD9")
    await house.hear()
    sandbox.desk("faults", {"rules": [{"kind": "down", "vendor": vendor} for vendor in VENDORS]})
    warm = await read(house, f"/{number}", **{"Cache-Control": "max-age=86400"})
    (line,) = [
        line for each in warm["orders"] if each["number"] == order for line in each["lines"] if line["line"] == 10
    ]
    assert (line["shipped"], line["status"]) == ("3", "partly_shipped")
    assert [p for each in warm["orders"] for d in each["deliveries"] for p in d["packages"]] == [
        {"carrier": "DHL", "tracking_number": "JD9"}
    ]
    assert warm["sources"]["orders"]["as_of"] > cold["sources"]["orders"]["as_of"], "the poll has seen all since"


async def test_each_field_is_seen_by_who_may_see_it(house: Followed, sandbox: RunningSandbox, number: str) -> None:
    for name, scopes in (
        ("agent", "support-desk:read"),
        ("clerk", "support-desk:read finance:read"),
        ("other", "runs:read"),
    ):
        hash_ = key_hash(f"isthmus_{name}")
        await house.store.write(
            lambda tx, n=name, s=scopes, h=hash_: keys.put_key(
                tx, hash_=h, holder=n, scopes=s, now="2026-11-23T00:00:00Z"
            )  # type: ignore[misc]
        )
    where = f"{CUSTOMERS}/{number}"
    _, clerk = await house.call("GET", where, Authorization="Bearer isthmus_clerk", **PATIENT)
    _, agent = await house.call("GET", where, Authorization="Bearer isthmus_agent")
    assert clerk["customer"]["tax_numbers"] and clerk["credit"]["payment_terms"]
    assert "tax_numbers" not in agent["customer"] and "payment_terms" not in agent["credit"]
    assert agent["orders"] == clerk["orders"]
    assert (await house.call("GET", where, Authorization="Bearer isthmus_other"))[0] == 403
    assert (await house.call("GET", where))[0] == 401


async def test_the_old_version_says_when_it_ends(house: Followed, sandbox: RunningSandbox, number: str) -> None:
    await read(house, f"/{number}", **PATIENT)
    async with house.http.get(
        f"/api/experience/support-desk/v1/customers/{number}", headers={"Authorization": f"Bearer {KEY}"}
    ) as answer:
        assert answer.headers["Deprecation"].startswith("@") and answer.headers["Sunset"].endswith("GMT")
        assert answer.headers["Link"] == f'<{CUSTOMERS}>; rel="successor-version"'
        found = await answer.json()
    assert found["orders"][0]["state"] in ("confirmed", "in_fulfilment") and found["entitlement"]["plan"] == "gold"


async def test_who_cannot_be_found_is_a_problem_in_words(house: Followed) -> None:
    for where, status in (("/nobody", 404), ("?ticket=99999999", 404), ("?email=a@b.example&order=1", 422), ("", 422)):
        got, found = await house.key("GET", CUSTOMERS + where)
        assert (got, found["status"]) == (status, status), where


def test_the_examples_are_answers() -> None:
    for model, example in ((CustomerView, EXAMPLE), (CustomerViewV1, EXAMPLE_V1)):
        made = model.model_validate(example).model_dump(mode="json", exclude_none=True)
        assert all(made[name] for name in example if example[name])


async def _breaker_closes(house: House) -> None:
    """Let the pauses pass that a vendor's trouble has brought."""
    house.clock.advance(timedelta(minutes=5))
