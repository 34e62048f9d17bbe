"""Keeps the engine of jobs beside a worker: launched once it has its lease, fed with what the dead left, closed with it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.jobs.engine import DbosJobs
from isthmus.orchestration.jobs.works import works
from isthmus.store import workers
from isthmus.store.transaction import StoreUnavailable

log = logging.getLogger("isthmus.jobs")
HAND_ON_S = 10.0
RAW_CALLS_DAYS = 30


async def keep_jobs(engine: Engine, worker: Worker, url: str) -> None:
    """Run until cancelled. Raw calls older than a month are forgotten every night."""
    while not worker.holder:  # noqa: ASYNC110 - once, at the start
        await asyncio.sleep(0.05)
    jobs = DbosJobs(url, works(engine, worker.wake), holder=worker.holder)
    await jobs.launch()
    try:
        await jobs.schedule("forget raw calls", "retention", {"days": RAW_CALLS_DAYS}, "17 3 * * *")
        while True:
            with suppress(StoreUnavailable):
                living = {row["holder"] for row in await engine.store.read(workers.living)}
                if handed := await jobs.hand_on(living | {worker.holder}):
                    log.warning("%s jobs of dead workers go on", handed)
            await asyncio.sleep(HAND_ON_S)
    finally:
        await jobs.close()
