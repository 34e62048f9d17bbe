"""The port on DBOS, in its plain form: a workflow of recorded steps, a queue, schedules. The only importer of dbos.

Steps run on Isthmus's own loop, because connections belong to it; the engine's threads only wait for them.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID
from dbos._serialization import Serializer

from isthmus.orchestration.jobs.need import system_url
from isthmus.orchestration.jobs.port import Batch, JobState, Progress, Work

QUEUE = "isthmus"
VERSION = "isthmus-jobs-1"
_STATES: dict[str, JobState] = {
    "PENDING": "running",
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "SUCCESS": "done",
    "CANCELLED": "cancelled",
}


class JsonText(Serializer):
    """Inputs, outputs and events as JSON text: no pickle in any row."""

    def serialize(self, data: Any) -> str:
        """JSON; an instant as ISO 8601, what else is not JSON (an exception) as text."""
        return json.dumps(data, default=lambda value: value.isoformat() if isinstance(value, datetime) else repr(value))

    def deserialize(self, serialized_data: str) -> Any:
        """The value again."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """How rows say by what they were written."""
        return "isthmus_json"


class _Desk:
    """What the engine's functions need of this process; there is one engine in a process."""

    loop: asyncio.AbstractEventLoop
    works: Mapping[str, Work]


_desk = _Desk()


@DBOS.step(name="isthmus.batch")
def _batch(kind: str, arguments: dict[str, Any], cursor: Any) -> dict[str, Any]:
    work = _desk.works[kind]
    made: Batch = asyncio.run_coroutine_threadsafe(_awaited(work, arguments, cursor), _desk.loop).result()
    return {"done": made.done, "cursor": made.cursor}


async def _awaited(work: Work, arguments: Mapping[str, Any], cursor: Any) -> Batch:
    return await work(arguments, cursor)


@DBOS.workflow(name="isthmus.job", max_recovery_attempts=1_000_000)
def _job(kind: str, arguments: dict[str, Any]) -> int:
    done: int = 0
    cursor: Any = None
    while True:
        made = _batch(kind, arguments, cursor)
        done, cursor = done + made["done"], made["cursor"]
        DBOS.set_event("done", done)
        if cursor is None:
            return done


@DBOS.workflow(name="isthmus.scheduled")
def _scheduled(at: Any, context: Any) -> None:
    # after the serializer an instant is text
    with SetWorkflowID(f"{context['name']}.{at}"):
        DBOS.enqueue_workflow(QUEUE, _job, context["kind"], context["arguments"])


class DbosJobs:
    """Jobs on DBOS. ``url`` is the store's; SQLite gets a file of its own beside it."""

    def __init__(self, url: str, works: Mapping[str, Work], *, holder: str) -> None:
        """``works``: kind → its step. ``holder`` is this worker's lease, so that the dead can be told."""
        self._url, self._works, self._holder = url, dict(works), holder

    async def launch(self) -> None:
        """Start the engine in this process."""
        _desk.loop, _desk.works = asyncio.get_running_loop(), self._works
        url = system_url(self._url)
        config: DBOSConfig = {
            "name": "isthmus",
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": self._holder,
            "serializer": JsonText(),
            "log_level": "WARNING",
            "scheduler_polling_interval_sec": 5.0,
        }
        await asyncio.to_thread(_launch, config, url)

    async def close(self) -> None:
        """Stop the engine; what runs goes on elsewhere, or here later."""
        await asyncio.to_thread(DBOS.destroy)

    async def enqueue(self, kind: str, arguments: Mapping[str, Any], *, key: str) -> str:
        """See the port. Raises ValueError for an unknown kind."""
        if kind not in self._works:
            raise ValueError(f"no job is of kind {kind!r}; there are {', '.join(self._works)}")
        job_id = f"{kind}.{key}"

        def put() -> None:
            with SetWorkflowID(job_id):
                DBOS.enqueue_workflow(QUEUE, _job, kind, dict(arguments))

        await asyncio.to_thread(put)
        return job_id

    async def schedule(self, name: str, kind: str, arguments: Mapping[str, Any], cron: str) -> None:
        """See the port."""
        context = {"name": name, "kind": kind, "arguments": dict(arguments)}

        def put() -> None:
            if any(found["schedule_name"] == name for found in DBOS.list_schedules()):
                DBOS.delete_schedule(name)
            DBOS.create_schedule(schedule_name=name, workflow_fn=_scheduled, schedule=cron, context=context)

        await asyncio.to_thread(put)

    async def progress(self, job_id: str) -> Progress | None:
        """See the port."""
        found = await asyncio.to_thread(DBOS.list_workflows, workflow_ids=[job_id])
        return await asyncio.to_thread(_progress, found[0]) if found else None

    async def cancel(self, job_id: str) -> None:
        """See the port."""
        await asyncio.to_thread(DBOS.cancel_workflow, job_id)

    async def list(self, limit: int = 100) -> list[Progress]:
        """See the port."""
        found = await asyncio.to_thread(DBOS.list_workflows, name="isthmus.job", limit=limit, sort_desc=True)
        return [await asyncio.to_thread(_progress, each) for each in found]

    async def hand_on(self, living: set[str]) -> int:
        """See the port."""
        pending = await asyncio.to_thread(DBOS.list_workflows, name="isthmus.job", status="PENDING", load_input=False)
        dead = [each.workflow_id for each in pending if each.executor_id not in living]
        if dead:
            await asyncio.to_thread(DBOS.resume_workflows, dead, queue_name=QUEUE)
        return len(dead)


def _launch(config: DBOSConfig, url: str) -> None:
    if url.startswith("sqlite"):
        # the engine itself leaves SQLite in its slow mode
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=2, polling_interval_sec=0.2)


def _progress(found: Any) -> Progress:
    return progress_of(found, int(DBOS.get_event(found.workflow_id, "done", timeout_seconds=0) or 0))


def progress_of(found: Any, done: int) -> Progress:
    """The engine's status in our words."""
    kind = found.input["args"][0] if found.input else found.workflow_id.split(".")[0]
    error = str(found.error) if found.error else None
    return Progress(found.workflow_id, kind, _STATES.get(found.status, "failed"), done, error)
