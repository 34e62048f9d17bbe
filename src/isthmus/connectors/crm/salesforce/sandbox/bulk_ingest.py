"""Bulk API 2.0 ingest: one CSV in, and for each of its rows a line among the successful, failed or unprocessed ones.

Vendor: "Bulk API 2.0 Ingest". ``#N/A`` empties a field, an empty cell leaves it alone; a header that names no field
fails the whole job.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.bulk_jobs import CSV, DELIMITERS, STEP, BulkJobs, as_csv, told
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.many import delete_row, done, update_row, upsert_row
from isthmus.connectors.crm.salesforce.sandbox.metadata import ObjectType
from isthmus.connectors.crm.salesforce.sandbox.org import body_of
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

_OPERATIONS = ("insert", "update", "upsert", "delete")
_OVER = ("JobComplete", "Failed", "Aborted")


class Ingest(BulkJobs):
    """Handlers of ``/jobs/ingest``."""

    type = "ingest"

    def create(self, request: Request) -> Answer:
        """POST jobs/ingest."""
        asked = body_of(request) or {}
        operation, name = asked.get("operation"), str(asked.get("object", ""))
        kind = self._org.catalogue.object(name)
        if kind is None:
            raise VendorError("INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API.")
        if operation == "hardDelete":
            raise VendorError("FEATURENOTENABLED", "hardDelete is not enabled for this user")
        if operation not in _OPERATIONS:
            raise VendorError("INVALIDJOB", f"Invalid operation: {operation}")
        if asked.get("contentType", "CSV") != "CSV":
            raise VendorError("INVALIDJOB", "contentType must be CSV")
        key = asked.get("externalIdFieldName")
        field = kind.field(key) if key else None
        if operation == "upsert" and (field is None or not (field.external_id or field.type == "id")):
            message = f"External ID was blank for {kind.name}. An External ID must be specified for upsert."
            raise VendorError("INVALIDJOB", message if not key else f"Invalid External ID: {key}")
        external = field.name if field and operation == "upsert" else None
        job = self._open(asked, operation=operation, object=kind.name, state="Open", external_id=external)
        return Answer(200, told(job, request))

    def upload(self, request: Request) -> Answer:
        """PUT jobs/ingest/{id}/batches: once for each job."""
        job = self._job(request)
        if job["state"] != "Open":
            raise VendorError(
                "INVALIDJOBSTATE", f"Data can be uploaded to an Open job only, this one is {job['state']}"
            )
        if job["header"] is not None:
            message = (
                f"Found multiple contents for job: <{job['id'][:15]}>, make sure you only do 'PUT' once on a given Job"
            )
            raise VendorError("INVALIDBATCH", message)
        try:
            text = request.body.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise VendorError("INVALIDBATCH", "the content is not UTF-8") from None
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=DELIMITERS[job["delimiter"]]) if line]
        if not lines:
            raise VendorError("INVALIDBATCH", "the content is empty")
        self._keep_lines(job, lines[1:])
        self._change(job, header=json.dumps(lines[0]))
        return Answer(201)

    def patch(self, request: Request) -> Answer:
        """PATCH jobs/ingest/{id}: UploadComplete or Aborted."""
        job, state = self._job(request), (body_of(request) or {}).get("state")
        if state == "Aborted":
            return self.abort(request, job)
        if state != "UploadComplete":
            raise VendorError("INVALIDJOB", f"Invalid state: {state}")
        if job["state"] != "Open":
            raise VendorError("INVALIDJOBSTATE", f"Closing already {job['state']} Job not allowed")
        return Answer(200, told(self._change(job, state="UploadComplete"), request))

    def info(self, request: Request) -> Answer:
        """GET jobs/ingest/{id}; the job goes on with it."""
        job = self._job(request)
        if job["state"] in ("UploadComplete", "InProgress"):
            job = self._go_on(job)
        return Answer(200, told(job, request))

    def successful(self, request: Request) -> Answer:
        """GET jobs/ingest/{id}/successfulResults."""
        return self._results(request, "done", ["sf__Id", "sf__Created"])

    def failed(self, request: Request) -> Answer:
        """GET jobs/ingest/{id}/failedResults."""
        return self._results(request, "failed", ["sf__Id", "sf__Error"])

    def unprocessed(self, request: Request) -> Answer:
        """GET jobs/ingest/{id}/unprocessedrecords."""
        return self._results(request, "waiting", [])

    def _go_on(self, job: Row) -> Row:
        header = json.loads(job["header"] or "[]")
        kind = self._org.rows.kind(job["object"])
        if wrong := _wrong_header(kind, header, job):
            return self._change(job, state="Failed", error=wrong)
        sql = "SELECT * FROM _bulk_row WHERE job_id = ? AND state = 'waiting' ORDER BY number LIMIT ?"
        waiting = self._org.world.rows(sql, (job["id"], STEP))
        failed = sum(not self._row(job, kind, header, row) for row in waiting)
        left = self._org.world.row(sql, (job["id"], 1))
        return self._change(
            job,
            state="InProgress" if left else "JobComplete",
            processed=job["processed"] + len(waiting),
            failed=job["failed"] + failed,
        )

    def _row(self, job: Row, kind: ObjectType, header: list[str], row: Row) -> bool:
        """Do one line; whether it went well."""
        line = json.loads(row["line"])
        try:
            with self._org.rows.alone():
                result = self._done(job, kind, header, line)
        except VendorError as error:
            given = next((cell for name, cell in zip(header, line, strict=False) if name.lower() == "id"), None)
            changes = {"state": "failed", "error": error.in_csv(), "row_id": given}
        else:
            changes = {"state": "done", "row_id": result["id"], "created": int(result.get("created", False))}
        self._org.world.update("_bulk_row", changes, {"job_id": job["id"], "number": row["number"]})
        return changes["state"] == "done"

    def _done(self, job: Row, kind: ObjectType, header: list[str], line: list[str]) -> dict[str, Any]:
        if len(line) != len(header):
            message = f"Number of columns {len(line)} does not match the header's {len(header)}"
            raise VendorError("INVALID_INPUT", message, [])
        given = _fields(header, line)
        if job["operation"] == "insert":
            return {**done(self._org.rows.create(kind, given)), "created": True}
        if job["operation"] == "upsert":
            return upsert_row(self._org, kind, job["external_id"], given)
        if job["operation"] == "update":
            return update_row(self._org, kind, given)
        return delete_row(self._org, kind, str(next(iter(given.values()), "")))

    def _results(self, request: Request, state: str, columns: list[str]) -> Answer:
        job = self._job(request)
        if job["state"] not in _OVER:
            raise VendorError("INVALIDJOBSTATE", f"Results of a job that is {job['state']} are not available")
        sql = "SELECT * FROM _bulk_row WHERE job_id = ? AND state = ? ORDER BY number"
        found = self._org.world.rows(sql, (job["id"], state))
        lines = [[*_outcome(row), *json.loads(row["line"])] for row in found]
        return Answer(200, as_csv(job, [*columns, *json.loads(job["header"] or "[]")], lines), content_type=CSV)


def _outcome(row: Row) -> list[str]:
    """What stands before a line's own cells in the results."""
    if row["state"] == "done":
        return [row["row_id"], "true" if row["created"] else "false"]
    return [row["row_id"] or "", row["error"]] if row["state"] == "failed" else []


def _wrong_header(kind: ObjectType, header: list[str], job: Row) -> str | None:
    for name in header:
        relationship, _, inner = name.partition(".")
        known = kind.field(name) if not inner else kind.parents.get(relationship.lower())
        if known is None:
            return f"InvalidBatch : Field name not found : {name}"
    if job["operation"] == "delete" and [name.lower() for name in header] != ["id"]:
        return "InvalidBatch : The 'delete' batch must contain only ids"
    if job["external_id"] and job["external_id"].lower() not in [name.lower() for name in header]:
        return f"InvalidBatch : Field name not found : {job['external_id']}"
    return None


def _fields(header: list[str], line: list[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, cell in zip(header, line, strict=True):
        value = None if cell == "#N/A" else cell
        relationship, _, inner = name.partition(".")
        if cell != "":
            given[relationship] = {inner: value} if inner else value
    return given
