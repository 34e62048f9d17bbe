"""``isthmus explain``: where it is, what happened, why, and whose turn it is, by anybody's number."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole, setting


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


async def explained(w: Whole, anything: str) -> dict[str, Any]:
    place = ("--landscape", str(w.landscape), "--database", w.system.database, "--json")
    done = await asyncio.to_thread(isthmus, "explain", anything, *place, cwd=w.landscape)
    assert done.returncode == 0, done.stderr
    (one,) = [each for each in json.loads(done.stdout) if each["run"].startswith("quote-to-cash")]
    return dict(one)


def texts(told: dict[str, Any]) -> str:
    return "\n".join(line["text"] for line in told["lines"])


async def test_parked_waiting_undone_and_complete_by_anybodys_number(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = setting("approval", "{above: 100 EUR, by: deal-desk, within: 2 days}")
    async with Whole(sandbox, tmp_path, monkeypatch, change=approval) as w:
        await w.win("OPP-1017")
        run = await w.until("OPP-1017", "parked")
        parked = await w.exception_of("OPP-1017")
        number = f"EX-{parked['number']}"
        await w.call("POST", f"/api/exceptions/{number}/assign", {"assignee": "order-desk"})
        for name in ("OPP-1017", number, run["subject"].rpartition("/")[2]):
            told = await explained(w, name)
            assert told["run"] == run["id"], name
        assert "It is parked." in told["title"]
        assert parked["title"] in texts(told)
        assert told["next"].startswith("order-desk: ")
        assert told["next"].endswith(f"isthmus exceptions retry {number}")

        await w.win("OPP-1001")
        await w.until("OPP-1001", "waiting")
        told = await explained(w, "OPP-1001")
        assert "It waits." in told["title"]
        assert told["next"].startswith("deal-desk decides by ")
        _, found = await w.call("GET", "/api/approvals")
        assert found["approvals"][0]["id"] in told["next"]
        await w.call("POST", f"/api/approvals/{found['approvals'][0]['id']}/approve", {})
        await w.until("OPP-1001", "done")
        (order,) = [each for each in await w.books("sap_s4hana", "order", "OPP-1001") if each["living"]]
        (invoice,) = [each for each in await w.books("stripe", "invoice", "OPP-1001") if each["living"]]
        for name in (order["id"], invoice["id"]):
            told = await explained(w, name)
            assert told["title"].startswith("OPP-1001"), name
            assert told["next"] == "Nobody; it is complete."
        assert any(order["id"] in each for each in told["elsewhere"])

        await w.call("POST", f"/api/runs/{told['run']}/cancel", {"why": "ordered twice"})
        await w.until("OPP-1001", "undone")
        told = await explained(w, order["id"])
        assert "It was undone." in told["title"]
        assert "cancelled by visitor: ordered twice" in texts(told)
        assert "undone since" in texts(told)
        assert told["next"].startswith("Nobody; it is reversed.")
