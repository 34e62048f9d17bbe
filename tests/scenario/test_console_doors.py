"""The console's doors: who comes in, what they may do, and what keeps other sites, injected text and guesses out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox

from isthmus.console.app import ROOT, create_console
from isthmus.governance.people import FAILURES_MAX, password_text
from isthmus.store import people
from isthmus.store.clock import instant

PASSWORD = "long enough for a test"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(None, tmp_path)


class Browser:
    """A visitor with cookies, who follows no redirects by himself."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._session = aiohttp.ClientSession(house.url, cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str) -> tuple[int, str, aiohttp.ClientResponse]:
        async with self._session.get(ROOT + path, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer

    async def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[int, str, aiohttp.ClientResponse]:
        async with self._session.post(ROOT + path, data=form, allow_redirects=False, headers=headers) as answer:
            return answer.status, await answer.text(), answer

    async def sign_in(self, name: str, password: str = PASSWORD) -> int:
        return (await self.post("/sign-in", {"name": name, "password": password, "then": ""}))[0]

    async def token(self) -> str:
        found = re.search(r'name="token" value="([^"]+)"', (await self.get("/audit"))[1])
        assert found
        return found[1]


async def open_doors(house: House, **roles: str) -> None:
    house.app.mount(ROOT, create_console(house.engine, house._wake))
    for name, role in roles.items():
        row = {"name": name, "password": password_text(PASSWORD), "roles": role, "now": instant(house.clock())}
        await house.store.write(lambda tx, row=row: people.put_person(tx, row))


async def test_nobody_comes_in_without_signing_in(house: House) -> None:
    async with house, Browser(house) as browser:
        await open_doors(house, anna="admin")
        app = next(route.app for route in house.app.routes if getattr(route, "path", "") == ROOT)
        paths = [(method, route.path) for route in app.routes for method in getattr(route, "methods", None) or ()]
        assert len(paths) > 15
        for method, path in paths:
            filled = path.replace("{number:int}", "1").replace("{run_id:path}", "x").replace("{approval_id:path}", "x")
            if filled.startswith(("/sign-in", "/oidc", "/static")):
                continue
            asked = browser.get(filled) if method != "POST" else browser.post(filled, {})
            status, text, answer = await asked
            assert status == 303 and "/sign-in" in answer.headers["Location"], (method, path, text)


async def test_wrong_passwords_say_nothing_and_block(house: House) -> None:
    async with house, Browser(house) as browser:
        await open_doors(house, anna="viewer")
        unknown = await browser.post("/sign-in", {"name": "nobody", "password": PASSWORD})
        wrong = await browser.post("/sign-in", {"name": "anna", "password": "guessed at last"})
        assert unknown[0] == wrong[0] == 401
        assert "Name or password is wrong" in unknown[1] and "Name or password is wrong" in wrong[1]
        for _ in range(FAILURES_MAX):
            await browser.sign_in("anna", "guessed at last")
        assert await browser.sign_in("anna") == 401, "even the right one waits"
        house.clock.advance(timedelta(minutes=5))
        assert await browser.sign_in("anna") == 303
        house.clock.advance(timedelta(hours=11))
        assert (await browser.get("/"))[0] == 303, "a session ends"


async def test_a_form_of_another_site_does_nothing(house: House) -> None:
    async with house, Browser(house) as browser:
        await open_doors(house, anna="admin")
        assert await browser.sign_in("anna") == 303
        token = await browser.token()
        path = "/exceptions/group/retry"
        assert (await browser.post(path, {"group": "x"}))[0] == 403
        assert (await browser.post(path, {"group": "x", "token": "made up"}))[0] == 403
        other = await browser.post(path, {"group": "x", "token": token}, Origin="https://evil.example")
        assert other[0] == 403 and "another site" in other[1]
        assert (await browser.post(path, {"group": "x", "token": token}))[0] == 404, "ours is heard"
        assert (await browser.post("/sign-out", {"token": "made up"}))[0] == 403
        assert (await browser.get("/"))[0] == 200
        assert (await browser.post("/sign-out", {"token": token}))[0] == 303
        assert (await browser.get("/"))[0] == 303


async def test_who_only_looks_changes_nothing(house: House) -> None:
    async with house, Browser(house) as browser:
        await open_doors(house, vera="viewer", otto="operator")
        await browser.sign_in("vera")
        token = {"token": await browser.token()}
        for path in ("/exceptions/group/retry", "/exceptions/1/retry", "/approvals/x"):
            status, text, _ = await browser.post(path, token)
            assert status == 403 and "access roles" in text, path
        assert (await browser.get("/runs"))[0] == 200
    async with Browser(house):
        pass


async def test_no_page_lets_anything_of_others_in(house: House) -> None:
    async with house, Browser(house) as browser:
        await open_doors(house, anna="admin")
        await browser.sign_in("anna")
        _, text, answer = await browser.get("/runs?text=%3Cscript%3Ealert(1)%3C/script%3E&said=%3Cb%3Ehello")
        assert "<script>alert" not in text and "<b>hello" not in text
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "style=" not in text and "onclick" not in text
        _, _, signed = await browser.post("/sign-in", {"name": "anna", "password": PASSWORD, "then": "//evil.example"})
        assert signed.headers["Location"] == f"{ROOT}/"
        assert "HttpOnly" in signed.headers["Set-Cookie"] and "SameSite=strict" in signed.headers["Set-Cookie"]


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


async def test_personal_data_is_masked(sandbox: RunningSandbox, tmp_path: Path) -> None:
    async with House(sandbox, tmp_path) as house, Browser(house) as browser:
        await open_doors(house, anna="admin")
        await browser.sign_in("anna")
        await house._listen()
        await house.win("OPP-1001")
        run = await house.until("OPP-1001", "done")
        effects = await house.effects(run["id"])
        mail = next(found[0] for e in effects if (found := re.search(r"[\w.+-]+@[\w-]+\.[\w.]+", e["arguments"])))
        _, text, _ = await browser.get(f"/runs/{run['id']}")
        assert "•••" in text and mail not in text
