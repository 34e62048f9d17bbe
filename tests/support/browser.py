"""A real browser: the Chromium of this machine, driven by Playwright, without a net."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

#: screenshots of each page, made by every test run
SHOTS = Path(__file__).parents[2] / ".shots"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def chromium() -> str | None:
    """Where Chromium is; CHROMIUM names another."""
    return os.environ.get("CHROMIUM") or next((found for name in _NAMES if (found := shutil.which(name))), None)


@asynccontextmanager
async def browser_page(address: str, **options: Any) -> AsyncIterator[Any]:
    """A page of a new browser, at an address. What its console calls an error fails the test."""
    from playwright.async_api import async_playwright

    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        context = await browser.new_context(base_url=address, viewport={"width": 1280, "height": 900}, **options)
        page = await context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda said: errors.append(said.text) if _is_wrong(said) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            await browser.close()
    assert not errors, errors


def _is_wrong(said: Any) -> bool:
    """Not where a whole page was refused: that is an answer, and the test sees it."""
    refused = said.text.startswith("Failed to load resource") and "/static/" not in said.location.get("url", "")
    return said.type == "error" and not refused


async def shoot(page: Any, name: str) -> None:
    """Keep a screenshot."""
    SHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


async def faults(page: Any, *rules: str) -> list[str]:
    """What axe finds wrong for people who see or hear otherwise: serious and critical ones; of these rules, or of all."""
    from axe_playwright_python.async_playwright import Axe

    found = await Axe().run(page, options={"runOnly": list(rules)} if rules else None)
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:160]}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
