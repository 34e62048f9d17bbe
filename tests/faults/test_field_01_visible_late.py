"""Field test 1: a record that is shown ten minutes after the time it carries is still read, and once only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.support.asking import asking
from tests.support.running_sandbox import RunningSandbox
from tests.support.ways_in import poll

LATE_S = 600


async def test_three_polls_read_what_became_visible_ten_minutes_late(tmp_path: Path) -> None:
    with RunningSandbox(["salesforce"]) as running:
        async with asking(tmp_path, running, {"crm": "salesforce"}) as ask:

            async def won(n: int, late_s: int = 0) -> int:
                """One more is won; it looks so much older. How many the next poll finds."""
                number = running.desk("salesforce/play/create_opportunity", {"n": str(n)})["number"]
                edit = {"object": "Opportunity", "key": number, "StageName": "Closed Won"}
                running.desk("salesforce/play/edit", edit | ({"visible_late_s": str(late_s)} if late_s else {}))
                ask.clock.advance(timedelta(seconds=21))
                return await poll(ask, "salesforce", "opportunities")

            await poll(ask, "salesforce", "opportunities")
            assert await won(701) == 1, "the cursor stands at the present now"
            assert await won(702, LATE_S) == 1
            assert await won(703) == 1
            rows = await ask.store.read(lambda tx: tx.rows("SELECT subject, version FROM message ORDER BY id"))
            assert len({row["subject"] for row in rows}) == len(rows)
            assert len(rows) == 3
