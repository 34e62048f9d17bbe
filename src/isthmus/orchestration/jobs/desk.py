"""Jobs asked for from outside a worker: rows in the engine's tables, which whoever serves carries out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbos import DBOS, DBOSClient, EnqueueOptions

from isthmus.orchestration.jobs.engine import QUEUE, VERSION, JsonText, progress_of
from isthmus.orchestration.jobs.need import system_url
from isthmus.orchestration.jobs.port import Progress


class JobsDesk:
    """Asks, follows and cancels; plays nothing."""

    def __init__(self, url: str) -> None:
        """``url`` is the store's. The engine's tables are made where no worker has needed them yet."""
        place = system_url(url)
        DBOS.migrate(place)
        self._client = DBOSClient(system_database_url=place, serializer=JsonText(), application_name="isthmus")

    def enqueue(self, kind: str, arguments: Mapping[str, Any], *, key: str) -> str:
        """Queue a job, once for each ``key``; its id."""
        options: EnqueueOptions = {
            "queue_name": QUEUE,
            "workflow_name": "isthmus.job",
            "workflow_id": f"{kind}.{key}",
            "app_version": VERSION,
        }
        self._client.enqueue(options, kind, dict(arguments))
        return f"{kind}.{key}"

    def list(self, limit: int = 100) -> list[Progress]:
        """Jobs, newest first."""
        found = self._client.list_workflows(name="isthmus.job", limit=limit, sort_desc=True)
        return [progress_of(each, self._done(each.workflow_id)) for each in found]

    def cancel(self, job_id: str) -> None:
        """Stop at the next step. Raises LookupError where there is no such job."""
        if not self._client.list_workflows(workflow_ids=[job_id]):
            raise LookupError(f"no job is called {job_id!r}; see: isthmus jobs list")
        self._client.cancel_workflow(job_id)

    def close(self) -> None:
        """Let go of the database."""
        self._client.destroy()

    def _done(self, job_id: str) -> int:
        return int(self._client.get_event(job_id, "done", timeout_seconds=0) or 0)
