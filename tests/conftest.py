"""What holds for all tests: the end tells how many crash points were visited, and loudly what did not run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.support.browser import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if chromium() is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="no Chromium is installed"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    _tell_crash_points(terminalreporter)
    _tell_of_browsers(terminalreporter)


def _tell_crash_points(terminalreporter: Any) -> None:
    """Points at which a worker was killed; tests record the property ``crash points``: ``81 on SQLite``."""
    points: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "crash points":
                count, _, where = value.partition(" ")
                points[where] += int(count)
    if points:
        told = ", ".join(f"{count} {where}" for where, count in points.items())
        terminalreporter.line(f"Crash points visited: {points.total()} ({told})")


def _tell_of_browsers(terminalreporter: Any) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if "no Chromium" in str(report.longrepr)]
    if skipped:
        terminalreporter.section("BROWSER TESTS DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(
            "No Chromium was found (apt install chromium, or name one in CHROMIUM). These did not run:"
        )
        for report in skipped:
            terminalreporter.line(f"  {report.nodeid}")
