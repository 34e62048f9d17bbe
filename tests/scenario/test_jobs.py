"""Long work: queued, recorded step by step, followed, cancelled, scheduled; taken on after a SIGKILL; no pickle anywhere."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.house import House
from tests.support.postgres import drop_database, new_database
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole

from isthmus.orchestration.jobs import engine as jobs_engine
from isthmus.orchestration.jobs import need
from isthmus.orchestration.jobs.desk import JobsDesk
from isthmus.orchestration.jobs.engine import DbosJobs
from isthmus.orchestration.jobs.keeper import keep_jobs
from isthmus.store.clock import MovableClock
from isthmus.store.store import Store

RUN = """
    import asyncio, sys
    from isthmus.orchestration.jobs.engine import DbosJobs
    from isthmus.orchestration.jobs.port import Batch

    URL, HOLDER, LIVING, PAUSE = sys.argv[1], sys.argv[2], set(sys.argv[3].split(",")), float(sys.argv[4])

    async def count(arguments, cursor):
        page = cursor or 0
        with open(arguments["log"], "a") as log:
            log.write(f"{HOLDER} {page}\\n")
        await asyncio.sleep(PAUSE)
        return Batch(500, page + 1 if page + 1 < arguments["pages"] else None)

    async def main():
        jobs = DbosJobs(URL, {"count": count}, holder=HOLDER)
        await jobs.launch()
        job = await jobs.enqueue("count", {"pages": 8, "log": sys.argv[5]}, key="one")
        await jobs.hand_on(LIVING)
        print("launched", flush=True)
        while (found := await jobs.progress(job)) is None or found.state in ("queued", "running"):
            await asyncio.sleep(0.1)
        print(found.state, found.done, flush=True)
        await jobs.close()

    asyncio.run(main())
"""


def _worker(tmp_path: Path, holder: str, living: str, pause_s: float) -> subprocess.Popen[str]:
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(RUN))
    arguments = [f"sqlite:///{tmp_path}/store.sqlite", holder, living, str(pause_s), str(tmp_path / "log")]
    return subprocess.Popen([sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True)


def test_a_job_whose_worker_is_killed_goes_on_elsewhere(tmp_path: Path) -> None:
    first = _worker(tmp_path, "first", "first", 0.4)
    log = tmp_path / "log"
    until = time.monotonic() + 30
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert time.monotonic() < until, "the job did not begin"
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = _worker(tmp_path, "second", "second", 0.0)
    out, _ = second.communicate(timeout=60)
    assert out.splitlines()[-1] == "done 4000"
    pages = [line.split() for line in log.read_text().splitlines()]
    began_at = int(next(page for holder, page in pages if holder == "second"))
    assert began_at >= 2, "steps that were recorded are not done again"
    assert {int(page) for _, page in pages} == set(range(8))


def test_no_row_of_the_engine_holds_a_pickle(tmp_path: Path) -> None:
    worker = _worker(tmp_path, "only", "only", 0.0)
    out, _ = worker.communicate(timeout=60)
    assert out.splitlines()[-1] == "done 4000"
    database = sqlite3.connect(tmp_path / "store.jobs.sqlite")
    seen = 0
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in database.execute(f"SELECT * FROM {table}").fetchall():
            for value in row:
                if isinstance(value, bytes):
                    assert not value.startswith(b"\x80"), f"a pickle in {table}"
                if isinstance(value, str):
                    seen += 1
                    assert not value.startswith("gASV"), f"a pickle in {table}"
    assert seen > 10


async def test_what_is_scheduled_is_there_to_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled: list[str] = []
    worked: set[str] = set()
    seen = asyncio.Event()

    class Recorder(DbosJobs):
        """Notes what the keeper asks of the engine."""

        async def launch(self) -> None:
            worked.update(self._works)

        async def close(self) -> None:
            """Nothing was launched."""

        async def schedule(self, name: str, kind: str, arguments: Any, cron: str) -> None:
            scheduled.append(kind)

        async def hand_on(self, living: set[str]) -> int:
            seen.set()
            return 0

    monkeypatch.setattr(jobs_engine, "DbosJobs", Recorder)
    async with House(None, tmp_path, polls=False) as house:
        house.clock.advance(timedelta(seconds=-(house.clock() - midnight(house.clock())).total_seconds()))
        keeping = asyncio.create_task(keep_jobs(house.engine, house.workers[0], f"sqlite:///{house.database}"))
        await asyncio.wait_for(seen.wait(), 30)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert {"retention", "answers", "audit-head"} <= set(scheduled) <= worked


def midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(("at", "soon"), [("23:56", False), ("23:58", True), ("00:07", True), ("00:08", False)])
def test_the_engine_is_there_before_the_nights_work(at: str, soon: bool) -> None:
    now = datetime.fromisoformat(f"2026-11-23T{at}:00+00:00")
    assert need.soon(need.Nightly("publish", "audit-head", 0, 7), now) is soon


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_the_engine_waits_for_work(tmp_path: Path, database: str) -> None:
    """What is asked for from outside is seen, before anybody has made the engine's tables and after it has ended."""
    clock = MovableClock()
    clock.advance(midnight(clock()) + timedelta(hours=12) - clock())
    url = f"sqlite:///{tmp_path}/store.sqlite" if database == "sqlite" else new_database()
    store = Store(url, clock)
    try:
        assert not await need.needed(store, url)
        desk = await asyncio.to_thread(JobsDesk, url)
        assert not await need.needed(store, url)
        job = await asyncio.to_thread(desk.enqueue, "retention", {}, key="now")
        assert await need.needed(store, url)
        await asyncio.to_thread(desk.cancel, job)
        assert not await need.needed(store, url)
        await asyncio.to_thread(desk.close)
    finally:
        store.close()
        if database == "postgresql":
            drop_database(url)


async def test_unknown_kind_is_refused_in_words(tmp_path: Path) -> None:
    jobs = DbosJobs(f"sqlite:///{tmp_path}/store.sqlite", {}, holder="x")
    try:
        await jobs.enqueue("nothing", {}, key="a")
    except ValueError as error:
        assert "nothing" in str(error)
    else:
        raise AssertionError("an unknown kind was taken")
    await asyncio.sleep(0)


async def test_a_backfill_reads_the_past_again_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunningSandbox() as sandbox:
        async with Whole(sandbox, tmp_path, monkeypatch) as whole:
            await whole.win("OPP-1001", "OPP-1002")
            await whole.until("OPP-1001", "done")
            await whole.until("OPP-1002", "done")
            keeper = asyncio.create_task(keep_jobs(whole.engine, whole.worker, whole.system.database))
            desk = await asyncio.to_thread(JobsDesk, whole.system.database)
            arguments = {"connection": "salesforce", "channel": "opportunities", "since": "2026-01-01T00:00:00+00:00"}
            job = await asyncio.to_thread(desk.enqueue, "backfill", arguments, key="once")
            for _ in range(200):
                (found,) = [each for each in await asyncio.to_thread(desk.list) if each.id == job]
                if found.state in ("done", "failed"):
                    break
                await asyncio.sleep(0.1)
            assert (found.state, found.done) == ("done", 2), found
            await asyncio.sleep(0.5)
            orders = await whole.books("sap_s4hana", "order")
            assert len(orders) == 2
            await asyncio.to_thread(desk.close)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
