"""Retention and the erasure of a person: contents go, what counts stays, and what is in work is not touched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole

KEEP = """
retention: {calls: 1 days, runs: 2 days, attempts: 3 days, events: 3 days, audit: 4 days}
audit:
  key: file:secrets/audit.pem
  publish:
    - {file: heads.txt}
"""


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


def everything(w: Whole) -> dict[str, str]:
    """Table → all its text."""
    import sqlite3

    connection = sqlite3.connect(w.system.database.removeprefix("sqlite:///"))
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    text = {
        table: "\n".join(
            " ".join(v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in row)
            for row in connection.execute(f"SELECT * FROM {table}")
        )
        for table in tables
    }
    connection.close()
    return text


async def command(w: Whole, *words: str, code: int = 0) -> Any:
    done = await asyncio.to_thread(isthmus, *words, "--landscape", str(w.landscape), "--json", cwd=w.landscape)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


PERSON = "Blocked AG"


async def test_a_person_is_forgotten_and_the_chain_still_holds(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Whole(sandbox, tmp_path, monkeypatch, change=lambda text: text + KEEP) as w:
        assert (await asyncio.to_thread(isthmus, "audit", "key", cwd=w.landscape)).returncode == 0
        await w.win("OPP-1017")
        await w.until("OPP-1017", "parked")
        asked = ("--person", PERSON, "--request", "DSR-12")

        # what is in work is told, and kept
        found = {row["table"]: row for row in await command(w, "retention", "plan", *asked[:2])}
        assert found["run"] == {"table": "run", "over": 0, "in_work": 1}
        await command(w, "retention", "apply", *asked, code=1)
        assert (await w.run_of("OPP-1017") or {})["customer"] == PERSON

        await w.desk("sap_s4hana/set/customer/17100010", {"order_block": "none"})
        await command(w, "exceptions", "retry", f"EX-{(await w.exception_of('OPP-1017'))['number']}")
        done = await w.until("OPP-1017", "done")
        await command(w, "audit", "publish")
        assert {"run", "effect", "history", "exception"} <= {
            name for name, text in everything(w).items() if PERSON in text
        }
        await command(w, "retention", "apply", *asked)
        assert [name for name, text in everything(w).items() if PERSON in text] == []

        verdict = await command(w, "audit", "verify", "--heads", str(w.landscape / "heads.txt"))
        assert (verdict["holds"], verdict["heads"]) == (True, 1)
        told = (await command(w, "audit", "list", "DSR-12"))[0]
        assert told["did"] == "person.erase" and PERSON not in json.dumps(told)
        # what counts stays: state, money, what was made
        kept = await w.run_of("OPP-1017")
        assert kept and (kept["state"], kept["amount"]) == ("done", done["amount"])
        assert any(effect["reference_number"] for effect in await w.effects(done["id"]))
        refused = await asyncio.to_thread(isthmus, "runs", "cancel", done["id"], cwd=w.landscape)
        assert refused.returncode == 1 and "were forgotten; reverse by hand" in refused.stderr


async def test_contents_go_when_their_time_is_over(
    sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shorter(text: str) -> str:
        return text + "\nretention: {calls: 1s, runs: 1s, attempts: 1s, audit: 3650 days}\n"

    async with Whole(sandbox, tmp_path, monkeypatch, change=shorter) as w:
        await w.win("OPP-1001", "OPP-1017")
        done, waits = await w.until("OPP-1001", "done"), await w.until("OPP-1017", "parked")
        await asyncio.sleep(1.1)
        plan = {row["kind"]: row for row in await command(w, "retention", "plan")}
        assert plan["runs"]["rows"] > 5 and plan["calls"]["rows"] >= 2
        assert plan["events"] == {"kind": "events", "keep_days": None, "rows": 0}, "what is not named is kept"

        forgotten = await command(w, "retention", "apply")
        assert forgotten["runs"] >= plan["runs"]["rows"]
        assert all(not effect["arguments"] and effect["arguments_hash"] for effect in await w.effects(done["id"]))
        kept = await w.run_of("OPP-1017")
        assert kept and kept["input"] and kept["customer"] == PERSON, "what waits for a person is not over"
        assert waits["id"] == kept["id"]
        assert (await command(w, "audit", "list"))[0]["did"] == "retention.apply"
