"""Field test 28: without the right to read a poll has failed, and says so; it never ends well with nothing.

And a source that lets us in and shows strikingly little is told of, against the median of the days before.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import command
from tests.support.asking import Asker, asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.ways_in import poll

from isthmus.orchestration.volume import unusual


async def cursor(ask: Asker) -> dict[str, Any]:
    (row,) = await ask.store.read(lambda tx: tx.rows("SELECT * FROM cursor"))
    return row


async def told(ask: Asker) -> list[tuple[str, Any]]:
    await ask.store.write(lambda tx: None)
    rows = await ask.store.read(
        lambda tx: tx.rows("SELECT type, data FROM journal WHERE type LIKE 'isthmus.poll.%' ORDER BY id")
    )
    return [(row["type"].split(".")[2], json.loads(row["data"])) for row in rows]


async def test_read_permission_is_taken_away(tmp_path: Path) -> None:
    with RunningSandbox(["salesforce"]) as running:
        async with asking(tmp_path, running, {"crm": "salesforce"}) as ask:

            async def polled() -> tuple[int, str]:
                ask.clock.advance(timedelta(seconds=21))
                new = await poll(ask, "salesforce", "opportunities")
                return new, (await cursor(ask))["outcome"]

            assert await polled() == (0, "ok")
            running.desk("salesforce/set/object/Opportunity", {"readable": "false"})
            running.desk("salesforce/play/win", {"opportunity": "OPP-1001"})
            stood = await cursor(ask)
            assert await polled() == (0, "failed: access")
            assert await polled() == (0, "failed: access")
            now = await cursor(ask)
            assert (now["value"], now["tie"], now["start"]) == (stood["value"], stood["tie"], stood["start"])
            assert "Opportunity" in now["said"] and now["failures"] == 2
            words = ("jobs", "polls", "--database", str(tmp_path / "isthmus.db"))
            (shown,) = await asyncio.to_thread(lambda: command.said(*words, cwd=tmp_path))
            assert (shown["outcome"], shown["said"]) == ("failed: access", now["said"]), "people see it too"
            (failed,) = await told(ask)
            assert (failed[0], failed[1]["outcome"], failed[1]["channel"]) == (
                "failed",
                "failed: access",
                "opportunities",
            )
            running.desk("salesforce/set/object/Opportunity", {"readable": "true"})
            assert await polled() == (1, "ok"), "nothing was passed over meanwhile"
            assert [kind for kind, _ in await told(ask)] == ["failed", "recovered"]


@pytest.mark.parametrize(
    ("fault", "outcome"), [("down", "failed: down"), ("cut_before", "failed: down"), ("limited", "failed: limit")]
)
async def test_what_may_mend_itself_is_told_when_it_does_not(fault: str, outcome: str, tmp_path: Path) -> None:
    with RunningSandbox(["zendesk"]) as running:
        async with asking(tmp_path, running, {"support": "zendesk"}) as ask:
            running.desk("faults", {"rules": [{"kind": fault, "vendor": "zendesk", "operation": "GET *incremental*"}]})
            for failures in (1, 2, 3, 4):
                assert await poll(ask, "zendesk", "new_tickets") == 0
                assert (await cursor(ask))["outcome"] == outcome
                assert len(await told(ask)) == (1 if failures >= 3 else 0)
                ask.clock.advance(timedelta(minutes=6))
            running.desk("faults", {"rules": []})
            await poll(ask, "zendesk", "new_tickets")
            assert (await cursor(ask))["outcome"] == "ok"


async def test_a_key_that_is_good_no_more(tmp_path: Path) -> None:
    with RunningSandbox(["sap_s4hana"]) as running:
        async with asking(
            tmp_path, running, {"erp": "sap_s4hana"}, settings={"sap_s4hana": {"password": "old"}}
        ) as ask:
            assert await poll(ask, "sap", "orders") == 0
            assert (await cursor(ask))["outcome"] == "failed: access"
            assert [kind for kind, _ in await told(ask)] == ["failed"]


async def test_a_day_that_brought_strikingly_little_is_told(tmp_path: Path) -> None:
    with RunningSandbox(["salesforce"]) as running:
        async with asking(tmp_path, running, {"crm": "salesforce"}) as ask:
            for n in range(9):
                brought = 12 if n < 8 else 0
                if brought:
                    first = 800 + n * 20
                    made = {"first": str(first), "count": str(brought)}
                    running.desk("salesforce/play/create_opportunities", made)
                    numbers = f"OPP-{1000 + first + 1}..OPP-{1000 + first + brought}"
                    running.desk("salesforce/play/win_many", {"opportunities": numbers})
                assert await poll(ask, "salesforce", "opportunities") == brought
                ask.clock.advance(timedelta(days=1))
                running.clock.advance(timedelta(days=1))
            assert await told(ask) == []
            await poll(ask, "salesforce", "opportunities")
            ((kind, data),) = await told(ask)
            assert (kind, data["new"], data["usual"]) == ("unusual", 0, 12)


def _days(*new: int) -> list[dict[str, Any]]:
    return [{"day": f"2026-11-{28 - at:02}", "new": number, "failed": 0} for at, number in enumerate(new)]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (_days(0, *[40] * 14), True),
        (_days(7, *[40] * 14), True),
        (_days(8, *[40] * 14), False),
        (_days(0, *[40] * 6), False),  # too little is known
        (_days(0, *[9] * 14), False),  # too little is usual
        (_days(0, *[40] * 6, 0, *[40] * 6), False),  # so it was a week ago
        (_days(0, 40, 40, 40, 40, 40, 0, 40, 40, 40, 40, 40, 40, 0, 40), True),  # Sundays are none of today's business
    ],
)
def test_what_is_strikingly_little(days: list[dict[str, Any]], said: bool) -> None:
    assert (unusual(days) is not None) is said
