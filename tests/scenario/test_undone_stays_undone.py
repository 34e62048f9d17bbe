"""What was cancelled stays cancelled, however often the CRM tells of the same win; a new win begins anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SECRETS, Whole


async def test_only_a_new_win_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunningSandbox() as sandbox:
        async with Whole(sandbox, tmp_path, monkeypatch) as w:
            address = f"http://127.0.0.1:{w.port}/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
            chatty = {"url": address, "fields": "Id", "when": "IsWon = true", "every": "true"}
            await w.desk("salesforce/set/outbound_message/isthmus", chatty)
            await w.win("OPP-1001")
            first = await w.until("OPP-1001", "done")
            await w.call("POST", f"/api/runs/{first['id']}/cancel", {"why": "the customer withdrew"})
            await w.until("OPP-1001", "undone")
            # our own report of the cancellation, and somebody's note, are told as if it were won once more
            await w.desk("salesforce/play/edit", {"object": "Opportunity", "key": "OPP-1001", "NextStep": "call"})
            await asyncio.sleep(1)
            told = "SELECT state FROM run WHERE subject = :subject AND generation > 1"
            again = await w.store.read(lambda tx: tx.rows(told, {"subject": first["subject"]}))
            assert [row["state"] for row in again] == ["ignored"]
            assert not [o for o in await w.books("sap_s4hana", "order", "OPP-1001") if o["living"]]

            await w.desk("salesforce/play/reopen", {"opportunity": "OPP-1001"})
            await w.win("OPP-1001")
            second = await w.until("OPP-1001", "done")
            assert second["generation"] == 2
            (order,) = [o for o in await w.books("sap_s4hana", "order", "OPP-1001~2") if o["living"]]
            (won,) = await w.books("salesforce", "opportunity", "OPP-1001")
            assert (won["order_number"], won["integration_status"]) == (order["id"], "ordered")
