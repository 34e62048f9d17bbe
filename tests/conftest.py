"""What holds for all tests: where there is no browser, it is said loudly which tests did not run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "no Chromium" in str(report.longrepr)]
    if skipped:
        terminalreporter.section("BROWSER TESTS DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(
            "No Chromium was found (apt install chromium, or name one in CHROMIUM). These did not run:"
        )
        for report in skipped:
            terminalreporter.line(f"  {report.nodeid}")
