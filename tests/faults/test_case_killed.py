"""A dispute's run, killed at every write and every call: one credit in the ledger, one in billing, each word said once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support import disputes
from tests.support.engine import Points
from tests.support.house import House, sample_release
from tests.support.lives import Company, CompanyLife
from tests.support.running_sandbox import RunningSandbox
from tests.support.sap_caller import CREDITS, SapCaller
from tests.support.stripe_caller import Caller as Till
from tests.support.whole import environment

from isthmus.landscape.release import Release

AMOUNT, NET = "23.80", Decimal("20.00")


class Scene:
    """An invoice that is delivered and paid, and any number of disputes about it."""

    def __init__(
        self, sandbox: RunningSandbox, release: Release, settings: dict[str, Any], invoice: dict[str, Any], buyer: str
    ) -> None:
        self.sandbox, self.release, self.settings = sandbox, release, settings
        self.invoice, self.buyer = invoice, buyer
        self.sap, self.till = SapCaller(sandbox), Till(sandbox)

    def dispute(self) -> tuple[Company, str]:
        """A new ticket, and a place where its run is to be played."""
        given = {
            "customer": self.buyer,
            "invoice_number": self.invoice["id"],
            "reason": "wrong_price",
            "disputed_amount": f"{AMOUNT} EUR",
        }
        ticket = str(self.sandbox.desk("zendesk/play/open_dispute", given)["ticket"])
        place = Company(self.release, self.settings)
        place.starts.append(("case-to-credit", "isthmus.case.disputed.v1", f"zendesk/Ticket/{ticket}"))
        return place, ticket

    def audit(self, place: Company, ticket: str) -> None:
        """What must stand in the end, by the vendors' own books."""
        assert set(place.runs().values()) == {"done"}, place.exceptions()
        mine = f"PurchaseOrderByCustomer eq 'ISTHMUS-{ticket}' and OverallSDDocumentRejectionSts ne 'C'"
        requests = self.sap.read(f"{CREDITS}/A_CreditMemoRequest", filter=mine)["results"]
        notes = self.till.get("/credit_notes", {"limit": 100})["data"]
        notes = [n for n in notes if n["metadata"]["case"] == ticket and n["status"] == "issued"]
        assert [(Decimal(r["TotalNetAmount"]), r["HeaderBillingBlockReason"]) for r in requests] == [(NET, "")]
        assert [(n["total_excluding_tax"], n["total"], n["refunds"][0]["amount_refunded"]) for n in notes] == [
            (2000, 2380, 2380)
        ]
        said = [each["body"] for each in self.sandbox.desk(f"zendesk/show/comment/{ticket}")]
        assert len(said) == len(set(said)) == 4, said
        hanging = place.sql("SELECT key FROM effect WHERE state = 'intended' AND doubt = 1")
        assert hanging == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with RunningSandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in environment(sandbox).items():
            patch.setenv(name, value)
        invoice, buyer = asyncio.run(_sold(sandbox, tmp_path_factory.mktemp("sold")))
        release = sample_release()
        settings = {name: release.secret_settings(name) for name in release.connections}
        yield Scene(sandbox, release, settings, invoice, buyer)


async def _sold(sandbox: RunningSandbox, folder: Path) -> tuple[dict[str, Any], str]:
    async with House(sandbox, folder, anonymous="visitor") as house:
        await house._listen()
        return await disputes.sold(house), await disputes.buyer(house)


def killed(scene: Scene, only: Callable[[int], bool]) -> int:
    """Count the points of one life, then end a life at each that is wanted, finish, and audit; how many there were."""
    place, ticket = scene.dispute()
    with place:
        points = Points()
        assert place.live(points)
        scene.audit(place, ticket)
    visited = 0
    for number in range(1, points.passed + 1):
        if not only(number):
            continue
        visited += 1
        place, ticket = scene.dispute()
        with place:
            died = Points(number)
            alive = place.live(died)
            where = died.names[-1] if not alive else "(not reached)"
            try:
                place.finish()
                scene.audit(place, ticket)
            except AssertionError as error:
                raise AssertionError(f"killed at point {number}, {where}: {error}") from error
    return visited


def test_killed_at_a_seeded_tenth_of_the_points(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    dice = random.Random("case")
    visited = killed(scene, lambda _: dice.random() < 0.1)
    assert visited >= 8
    with capsys.disabled():
        print(f"\ncase to credit: killed at {visited} points")


@pytest.mark.long
def test_killed_at_every_point(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    visited = killed(scene, lambda _: True)
    assert visited >= 100
    with capsys.disabled():
        print(f"\ncase to credit: killed at each of {visited} points")


def test_played_again_from_history_it_asks_nobody(scene: Scene) -> None:
    place, ticket = scene.dispute()
    with place:
        assert place.live()
        scene.audit(place, ticket)
        before = place.sql("SELECT result FROM run")[0]["result"]
        place.sql("UPDATE run SET state = 'ready', due_at = created_at, result = NULL")
        place.starts.clear()
        life = place.life()
        assert isinstance(life, CompanyLife)
        with life:
            assert life.until_quiet()
            assert life.calls == [], "everything is remembered"
        assert place.sql("SELECT result FROM run")[0]["result"] == before
        scene.audit(place, ticket)
