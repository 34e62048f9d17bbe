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
    us = worker.holder  # the worker may come to lease another slot; the engine keeps this name
    jobs = DbosJobs(url, works(engine, worker.wake), holder=us)
    try:
        await jobs.launch()
        await jobs.schedule("forget old contents", "retention", {}, "17 3 * * *")
        await jobs.schedule("forget kept answers", "answers", {}, "27 * * * *")
        await jobs.schedule("publish the audit's head", "audit-head", {}, "7 0 * * *")
        while True:
            with suppress(StoreUnavailable):
                living = {row["holder"] for row in await engine.store.read(workers.living)}
                if handed := await jobs.hand_on(living | {us}):
                    log.warning("%s jobs of dead workers go on", handed)
            await asyncio.sleep(HAND_ON_S)
    finally:
        await jobs.close()
