"""Bulk API 2.0 query: a SOQL query whose rows are fetched as CSV, page by page behind a locator.

Vendor: "Bulk API 2.0 Query": the last page's ``Sforce-Locator`` is the word null. No children, no COUNT().
"""

from __future__ import annotations

import base64
import json
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.bulk_jobs import CSV, BulkJobs, as_csv, told
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.org import body_of
from isthmus.connectors.crm.salesforce.sandbox.queries import placed
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

_PAGE_MAX = 50_000


class BulkQuery(BulkJobs):
    """Handlers of ``/jobs/query``."""

    type = "query"

    def create(self, request: Request) -> Answer:
        """POST jobs/query."""
        asked = body_of(request) or {}
        operation, text = asked.get("operation"), str(asked.get("query", ""))
        if operation not in ("query", "queryAll"):
            raise VendorError("INVALIDJOB", f"Invalid operation: {operation}")
        try:
            plan, _ = self._org.plans.of(text, deleted=operation == "queryAll")
        except VendorError as error:
            raise placed(error, text) from None
        if plan.children or plan.counts:
            raise VendorError("FEATURENOTENABLED", "sub-queries and COUNT() are not supported in Bulk API 2.0 queries")
        job = self._open(asked, operation=operation, object=plan.kind.name, state="UploadComplete", query=text)
        return Answer(200, told(job, request))

    def patch(self, request: Request) -> Answer:
        """PATCH jobs/query/{id}: Aborted."""
        job = self._job(request)
        if (body_of(request) or {}).get("state") != "Aborted":
            raise VendorError("INVALIDJOB", "a query job can only be aborted")
        return self.abort(request, job)

    def info(self, request: Request) -> Answer:
        """GET jobs/query/{id}; the query runs with the first look."""
        job = self._job(request)
        return Answer(200, told(self._run(job) if job["state"] == "UploadComplete" else job, request))

    def results(self, request: Request) -> Answer:
        """GET jobs/query/{id}/results?locator&maxRecords."""
        job = self._job(request)
        if job["state"] != "JobComplete":
            raise VendorError("INVALIDJOBSTATE", f"Results of a job that is {job['state']} are not available")
        size = min(_PAGE_MAX, max(1, _whole(request.argument("maxRecords")) or _PAGE_MAX))
        start = _offset(request.argument("locator"))
        found = self._org.world.rows(
            "SELECT line FROM _bulk_row WHERE job_id = ? AND number >= ? ORDER BY number LIMIT ?",
            (job["id"], start, size),
        )
        end = start + len(found)
        locator = "null" if end >= job["processed"] else base64.b64encode(str(end).encode()).decode()
        text = as_csv(job, json.loads(job["header"]), [json.loads(row["line"]) for row in found])
        headers = {"Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(found))}
        return Answer(200, text, headers, CSV)

    def _run(self, job: Row) -> Row:
        plan, literals = self._org.plans.of(job["query"], deleted=job["operation"] == "queryAll")
        rows = plan.rows(self._org.world, literals, self._org.today())
        lines = [[_cell(kind, values[place]) for _, kind, place in plan.columns] for values in rows]
        self._keep_lines(job, lines)
        header = json.dumps([name for name, _, _ in plan.columns])
        return self._change(job, state="JobComplete", processed=len(lines), header=header)


def _cell(kind: str, value: Any) -> str:
    if value is None:
        return ""
    if kind == "boolean":
        return "true" if value else "false"
    return str(value).replace("+0000", "Z") if kind == "datetime" else str(value)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _offset(locator: str | None) -> int:
    if not locator:
        return 0
    try:
        return int(base64.b64decode(locator))
    except ValueError:
        raise VendorError("INVALID_QUERY_LOCATOR", f"Invalid locator: {locator}") from None
