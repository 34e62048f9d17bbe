"""The customer beside the ticket, in the support tool's own page: signed, framed by that tool only, without any script."""

from __future__ import annotations

import asyncio
import html
import re
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox

SECRET = "panel-secret-of-the-app-0123456789"


def with_panel(text: str) -> str:
    """The sample landscape, whose support tool has the app."""
    line = "      webhook_secret: env:ISTHMUS_ZENDESK_WEBHOOK_SECRET\n"
    assert line in text
    return text.replace(line, f"{line}      panel_secret: env:ISTHMUS_ZENDESK_PANEL_SECRET\n")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


async def page_of(sandbox: RunningSandbox, ticket: int) -> str:
    """The ticket as an agent's browser gets it."""
    address = f"{sandbox.base_url('zendesk')}/agent/tickets/{ticket}"

    def get() -> str:
        with urllib.request.urlopen(address) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(get)


async def test_the_ticket_page_shows_the_customer_in_its_side_bar(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISTHMUS_ZENDESK_PANEL_SECRET", SECRET)
    person = sandbox.company.account("C-1001").people[0]
    asked = {"customer": "C-1001", "email": person.email, "subject": "Question", "body": "Hello"}
    ticket = sandbox.desk("zendesk/play/open_ticket", asked)["ticket"]
    async with House(sandbox, tmp_path, change=with_panel, polls=False) as house:
        assert "<iframe" not in await page_of(sandbox, ticket), "no app is installed yet"
        panel = f"{house.url}/experience/support-desk/zendesk/panel"
        for name, value in (("panel_url", panel), ("panel_secret", SECRET)):
            await house.desk(f"zendesk/set/setting/{name}", {"value": value})
        found = re.search(r'<iframe [^>]*src="([^"]+)"', await page_of(sandbox, ticket))
        assert found is not None
        address = html.unescape(found[1])
        async with aiohttp.ClientSession() as browser:
            async with browser.get(address) as answer:
                assert answer.status == 200
                shown, policy = await answer.text(), answer.headers["Content-Security-Policy"]
            assert html.escape(sandbox.company.account("C-1001").name) in shown and f"#{ticket} Question" in shown
            tool = urlsplit(sandbox.base_url("zendesk"))
            assert f"frame-ancestors {tool.scheme}://{tool.netloc}" in policy and "default-src 'none'" in policy
            assert "<script" not in shown and "DE100000000" not in shown, "no tax number for agents"

            for wrong in (
                address.replace("token=", "token=x"),
                re.sub(r"ticket=\d+", "ticket=1", address),
                re.sub(r"&token=.*", "", address),
            ):
                async with browser.get(wrong) as answer:
                    assert answer.status == 401, wrong
                    assert sandbox.company.account("C-1001").name not in await answer.text()
            house.clock.advance(timedelta(minutes=6))
            async with browser.get(address) as answer:
                assert answer.status == 401, "an address is good for minutes"
            async with browser.get(panel.replace("zendesk", "salesforce")) as answer:
                assert answer.status == 404
