"""Keeps the engine of jobs beside a worker: launched once there is work, fed with what the dead left, closed with it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.orchestration.jobs.need import NIGHTLY, needed
from isthmus.orchestration.jobs.works import works
from isthmus.store import workers
from isthmus.store.transaction import StoreUnavailable

log = logging.getLogger("isthmus.jobs")
HAND_ON_S = 10.0
LOOK_S = 1.0


async def keep_jobs(engine: Engine, worker: Worker, url: str) -> None:
    """Run until cancelled, through losses of the database too. Every night old contents go."""
    while not worker.holder:  # noqa: ASYNC110 - once, at the start
        await asyncio.sleep(0.05)
    while True:
        try:
            await _keep(engine, worker, url)
        except Exception as error:
            log.warning("jobs begin again in a moment: %s", error)
            await asyncio.sleep(HAND_ON_S)


async def _keep(engine: Engine, worker: Worker, url: str) -> None:
    while not await needed(engine.store, url):  # noqa: ASYNC110 - nobody tells us: whoever asks writes a row
        await asyncio.sleep(LOOK_S)
    from isthmus.orchestration.jobs.engine import DbosJobs

    us = worker.holder  # the worker may come to lease another slot; the engine keeps this name
    jobs = DbosJobs(url, works(engine, worker.wake), holder=us)
    try:
        await jobs.launch()
        for each in NIGHTLY:
            await jobs.schedule(each.name, each.kind, {}, each.cron)
        while True:
            with suppress(StoreUnavailable):
                living = {row["holder"] for row in await engine.store.read(workers.living)}
                if handed := await jobs.hand_on(living | {us}):
                    log.warning("%s jobs of dead workers go on", handed)
            await asyncio.sleep(HAND_ON_S)
    finally:
        await jobs.close()
