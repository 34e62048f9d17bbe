"""The console in a real browser: sign in, find an order, read its picture, mend and replay, approve, follow a field."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.browser import browser_page, faults, shoot
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import setting

from isthmus.console.app import ROOT, create_console
from isthmus.governance.people import password_text
from isthmus.store import people
from isthmus.store.clock import instant

pytestmark = pytest.mark.browser
PASSWORD = "long enough for a test"
ASKING = setting("price_above_tolerance", "approval")


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
async def house(sandbox: RunningSandbox, tmp_path: Path) -> AsyncIterator[House]:
    """Three deals: one is done, one waits for approval, two are parked for one reason."""
    async with House(sandbox, tmp_path, change=ASKING) as w:
        w.app.mount(ROOT, create_console(w.engine, w._wake))
        await let_in(w, "anna", "operator approver")
        await let_in(w, "vera", "viewer")
        await w._listen()
        await w.desk(f"sap_s4hana/set/customer/{await customer_of(w, 'OPP-1021')}", {"order_block": "01"})
        await w.win("OPP-1001", "OPP-1004", "OPP-1017", "OPP-1021")
        await w.until("OPP-1001", "done", timeout_s=60)
        await w.until("OPP-1004", "waiting", timeout_s=60)
        await w.until("OPP-1017", "parked", timeout_s=60)
        await w.until("OPP-1021", "parked", timeout_s=60)
        yield w


async def customer_of(w: House, key: str) -> str:
    """The number by which the ERP knows the customer of a deal."""
    (deal,) = await w.books("salesforce", "opportunity", key)
    return str(deal["customer_number"])


async def let_in(w: House, name: str, roles: str) -> None:
    row = {"name": name, "password": password_text(PASSWORD), "roles": roles, "now": instant(w.clock())}
    await w.store.write(lambda tx: people.put_person(tx, row))


async def sign_in(page: Any, name: str, password: str = PASSWORD) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_people_find_read_mend_decide_and_follow(house: House) -> None:
    async with browser_page(house.url) as page:
        # a deep link leads through the door and on to where it leads
        await page.goto("/console/exceptions")
        await sign_in(page, "anna")
        await page.get_by_role("heading", name="Exceptions", exact=True).wait_for()
        await find_and_read(page, house)
        await mend_and_replay(page, house)
        await mend_all(page, house)
        await decide(page, house)
        await follow(page)


async def find_and_read(page: Any, w: House) -> None:
    """By the number that the ERP gave it."""
    done = await w.run_of("OPP-1001")
    assert done is not None
    order = next(e["reference_number"] for e in await w.effects(done["id"]) if e["operation"] == "create_order")
    await page.get_by_label("Find a run").fill(order)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="OPP-1001 ").first.wait_for()
    picture = page.locator("svg.sequence")
    assert await picture.get_by_text("create order").count() >= 1
    titles = set(await picture.locator(":scope > text").all_text_contents())
    assert {"Isthmus", "Salesforce", "SAP S/4HANA", "Stripe", "Zendesk"} <= titles
    await shoot(page, "run")
    await page.get_by_text("What was answered").first.click()
    assert order in await page.locator("pre:visible").first.text_content()


async def mend_and_replay(page: Any, w: House) -> None:
    await page.get_by_role("link", name="Exceptions").click()
    await shoot(page, "exceptions")
    await page.get_by_role("row", name="OPP-1017").get_by_role("link").first.click()
    await page.locator("summary", has_text="lines[0]").click()
    field = page.get_by_label("lines[0].name", exact=True)
    assert "BT-153" in await page.locator("tr", has=field).locator("small").text_content(), "schema help"
    await field.fill("as agreed on Monday")
    await shoot(page, "exception")
    await page.get_by_role("button", name="Show what it would do").click()
    await page.locator("ins", has_text="as agreed on Monday").wait_for()
    assert await page.locator(".steps .again").count() >= 1
    await shoot(page, "preview")
    await page.get_by_role("button", name="Only change").click()
    await page.get_by_text("lines[0].name is changed").wait_for()
    history = page.locator("[data-part=history]")
    await history.get_by_text("exception edit").wait_for()
    await history.locator("summary", has_text="after").click()
    assert "as agreed on Monday" in await history.locator("pre:visible").text_content()
    await page.get_by_role("button", name="Replay", exact=True).click()
    await history.get_by_text("exception retry").wait_for()
    await w.until("OPP-1017", "parked", timeout_s=60)  # it is blocked still


async def mend_all(page: Any, w: House) -> None:
    """Two are parked for one reason: one mend, shown before it is done, and both go on."""
    await page.goto("/console/exceptions")
    group = page.get_by_role("row", name="The ERP has blocked this customer").first
    await group.get_by_role("link").click()
    await page.get_by_label("purchase_order_number", exact=True).fill("PO-MENDED")
    await page.get_by_role("button", name="Show what it would do").click()
    assert await page.locator("ins", has_text="PO-MENDED").count() == 2
    for key in ("OPP-1017", "OPP-1021"):
        await w.desk(f"sap_s4hana/set/customer/{await customer_of(w, key)}", {"order_block": "none"})
    watching = await page.context.new_page()
    run = await w.run_of("OPP-1021")
    assert run is not None
    await watching.goto(f"/console/runs/{run['id']}")
    await watching.locator("[data-part=state] .state", has_text="parked").wait_for()
    await page.get_by_role("button", name="Change and replay all 2").click()
    await page.get_by_text("2 are played again").wait_for()
    # the page that stands open tells by itself that it is over: nobody loads it again
    await watching.locator("[data-part=state] .state", has_text="done").wait_for()
    await watching.close()
    for key in ("OPP-1017", "OPP-1021"):
        run = await w.until(key, "done", timeout_s=60)
        (order,) = [each for each in await w.effects(run["id"]) if each["operation"] == "create_order"]
        assert "PO-MENDED" in order["request"], "what was mended is what was sent"


async def decide(page: Any, w: House) -> None:
    await page.get_by_role("link", name="Approvals").click()
    await page.get_by_role("row", name="OPP-1004").get_by_role("link").click()
    await page.get_by_role("button", name="Reject").click()
    await page.get_by_role("heading", name="This cannot be done").wait_for()
    await page.go_back()
    await page.get_by_label("Why").fill("agreed on the phone")
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_text("It is approved").wait_for()
    await w.until("OPP-1004", "done", timeout_s=60)


async def follow(page: Any) -> None:
    await page.get_by_role("link", name="Landscape").click()
    await shoot(page, "landscape")
    await page.locator("summary", has_text="quote").first.click()
    await page.get_by_role("link", name="number", exact=True).first.click()
    await page.get_by_role("heading", name="Comes from").wait_for()
    assert await page.locator(".ways").first.get_by_text("Salesforce").count() >= 1
    await shoot(page, "field")


async def test_nothing_serious_is_in_the_way_of_anybody(house: House) -> None:
    """All pages, light and dark, for axe."""
    number = (await house.exception_of("OPP-1017"))["number"]
    run, asked = await house.run_of("OPP-1001"), (await house.key("GET", "/api/approvals"))[1]["approvals"][0]["id"]
    assert run is not None
    paths = {
        "sign-in": "/sign-in", "today": "/", "runs": "/runs", "run": f"/runs/{run['id']}", "exceptions": "/exceptions",
        "exception": f"/exceptions/{number}", "approvals": "/approvals", "approval": f"/approvals/{asked}",
        "landscape": "/landscape", "field": "/landscape/field?path=quote.number", "catalogue": "/catalogue",
        "audit": "/audit",
    }  # fmt: skip
    found: dict[str, list[str]] = {}
    async with browser_page(house.url) as page:
        for name, path in paths.items():
            await page.goto(f"/console{path}")
            for scheme, rules in (("dark", ["color-contrast"]), ("light", [])):
                await page.emulate_media(color_scheme=scheme)
                if wrong := await faults(page, *rules):
                    found[f"{name} {scheme}"] = wrong
                if name == "today" and scheme == "dark":
                    await shoot(page, "dark")
            if name in ("sign-in", "today", "runs", "approvals", "catalogue", "audit"):
                await shoot(page, name)
            if name == "sign-in":
                await sign_in(page, "anna")
    assert not found
