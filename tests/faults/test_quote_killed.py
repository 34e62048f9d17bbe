"""One order of quote to cash, killed at every write and every call over the real stand-ins: each system has it once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.engine import Place, kill_everywhere
from tests.support.house import sample_release
from tests.support.lives import Company
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import environment

from isthmus.sandbox.proof import judge

SYSTEMS = {"crm": "salesforce", "erp": "sap_s4hana", "billing": "stripe", "support": "zendesk"}


class Scene:
    """The sample company over stand-ins; every place has a deal of its own."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._release = sample_release()
        self._settings = {name: self._release.secret_settings(name) for name in self._release.connections}
        self._numbers: dict[int, str] = {}

    def killed(self, only: Callable[[int], bool]) -> int:
        """Kill at each wanted point; how many there were."""
        return kill_everywhere(self._win, self._audit, only=only, made=lambda: Company(self._release, self._settings))

    def _win(self, place: Place) -> None:
        """A deal with a plan, whose customer the support desk does not know yet."""
        assert isinstance(place, Company)
        sold = {"account": "C-1003", "product": "S-109", "quantity": "3"}
        deal = self._sandbox.desk("salesforce/play/create_opportunity", sold)
        self._sandbox.desk("salesforce/play/win", {"opportunity": deal["number"]})
        place.starts.append(("quote-to-cash", "isthmus.quote.accepted.v1", f"salesforce/Opportunity/{deal['id']}"))
        self._numbers[id(place)] = deal["number"]

    def _audit(self, place: Place) -> None:
        number = self._numbers[id(place)]
        assert set(place.runs().values()) == {"done"}, place.exceptions()
        verdict = judge({role: self._sandbox.desk(f"{name}/books") for role, name in SYSTEMS.items()}, asked=[number])
        assert (verdict.holds, verdict.completed, verdict.entitlements) == (True, 1, 1), verdict.findings
        assert place.sql("SELECT key FROM effect WHERE state = 'intended' AND doubt = 1") == []


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with RunningSandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(sandbox).items():
            patch.setenv(name, value)
        yield Scene(sandbox)


def test_killed_at_some_seeded_points(scene: Scene, record_property: Callable[[str, Any], None]) -> None:
    dice = random.Random("quote to cash")
    visited = scene.killed(lambda _: dice.random() < 0.06)
    assert visited >= 4
    record_property("crash points", f"{visited} on SQLite")


@pytest.mark.long
def test_killed_at_every_point(scene: Scene, record_property: Callable[[str, Any], None]) -> None:
    visited = scene.killed(lambda _: True)
    assert visited >= 60
    record_property("crash points", f"{visited} on SQLite")
