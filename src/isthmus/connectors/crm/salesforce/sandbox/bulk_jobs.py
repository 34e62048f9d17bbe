"""What the two kinds of Bulk API 2.0 jobs share: their rows in the world, their description, their CSV.

Vendor: "Bulk API 2.0 and Bulk API Developer Guide". A job goes on a little whenever somebody asks for it, which is
how polling finds it first UploadComplete, then InProgress, then JobComplete.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import csv
import io
import json
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, not_found
from isthmus.connectors.crm.salesforce.sandbox.ids import full_id, new_id
from isthmus.connectors.crm.salesforce.sandbox.org import Org, base_of
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
#: rows that a job does each time it is asked for
STEP = 2000
CSV = "text/csv"
_TABLES = """
CREATE TABLE IF NOT EXISTS _bulk_job (
  id TEXT PRIMARY KEY, type TEXT NOT NULL, operation TEXT NOT NULL, object TEXT NOT NULL, state TEXT NOT NULL,
  external_id TEXT, delimiter TEXT NOT NULL, line_ending TEXT NOT NULL, created_by TEXT, created TEXT NOT NULL,
  stamp TEXT NOT NULL, header TEXT, query TEXT, error TEXT, processed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS _bulk_row (
  job_id TEXT NOT NULL, number INTEGER NOT NULL, line TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  row_id TEXT, created INTEGER, error TEXT, PRIMARY KEY (job_id, number));
CREATE INDEX IF NOT EXISTS _bulk_row_state ON _bulk_row (job_id, state, number);
"""


class BulkJobs:
    """Jobs of one type: ``ingest`` or ``query``."""

    type: str

    def __init__(self, org: Org) -> None:
        self._org = org
        org.world.script(_TABLES)

    def listed(self, request: Request) -> Answer:
        """GET jobs/{type}."""
        jobs = self._org.world.rows("SELECT * FROM _bulk_job WHERE type = ? ORDER BY id DESC LIMIT 1000", (self.type,))
        return Answer(200, {"done": True, "nextRecordsUrl": None, "records": [told(job, request) for job in jobs]})

    def abort(self, request: Request, job: Row) -> Answer:
        """PATCH jobs/{type}/{id} {"state": "Aborted"}."""
        if job["state"] in ("JobComplete", "Failed", "Aborted"):
            raise VendorError("INVALIDJOBSTATE", f"Aborting already {job['state']} Job not allowed")
        return Answer(200, told(self._change(job, state="Aborted"), request))

    def delete(self, request: Request) -> Answer:
        """DELETE jobs/{type}/{id}: only of jobs that are over."""
        job = self._job(request)
        if job["state"] not in ("UploadComplete", "JobComplete", "Failed", "Aborted"):
            raise VendorError("INVALIDJOBSTATE", f"Deleting {job['state']} Job not allowed")
        for table, column in (("_bulk_row", "job_id"), ("_bulk_job", "id")):
            self._org.world.execute(f'DELETE FROM "{table}" WHERE "{column}" = ?', (job["id"],))
        return Answer(204)

    def _open(self, asked: dict[str, Any], **more: Any) -> Row:
        delimiter, ending = asked.get("columnDelimiter") or "COMMA", asked.get("lineEnding") or "LF"
        if delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
            raise VendorError("INVALIDJOB", f"Invalid columnDelimiter {delimiter} or lineEnding {ending}")
        row = {
            "id": new_id(self._org.world, "750"),
            "type": self.type,
            "delimiter": delimiter,
            "line_ending": ending,
            "created_by": self._org.rows.user,
            "created": self._org.rows.now(),
            "stamp": self._org.rows.now(),
            **more,
        }
        self._org.world.insert("_bulk_job", row)
        return self._read(row["id"]) or row

    def _job(self, request: Request) -> Row:
        row = self._read(full_id(request.params["id"]) or "")
        if row is None or row["type"] != self.type:
            raise not_found()
        return row

    def _read(self, job_id: str) -> Row | None:
        return self._org.world.row("SELECT * FROM _bulk_job WHERE id = ?", (job_id,))

    def _change(self, job: Row, **changes: Any) -> Row:
        changes["stamp"] = self._org.rows.now()
        self._org.world.update("_bulk_job", changes, {"id": job["id"]})
        return {**job, **changes}

    def _keep_lines(self, job: Row, lines: list[list[str]]) -> None:
        self._org.world.insert_many(
            "_bulk_row",
            ({"job_id": job["id"], "number": n, "line": json.dumps(line)} for n, line in enumerate(lines)),
        )


def told(job: Row, request: Request) -> dict[str, Any]:
    """A job as the API describes it."""
    ingest = job["type"] == "ingest"
    about = {
        "id": job["id"],
        "operation": job["operation"],
        "object": job["object"],
        "createdById": job["created_by"],
        "createdDate": job["created"],
        "systemModstamp": job["stamp"],
        "state": job["state"],
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(request.params["version"]),
        "jobType": "V2Ingest" if ingest else "V2Query",
        "lineEnding": job["line_ending"],
        "columnDelimiter": job["delimiter"],
        "numberRecordsProcessed": job["processed"],
        "retries": 0,
        "totalProcessingTime": job["processed"] // 10,
    }
    if not ingest:
        return about
    about |= {
        "numberRecordsFailed": job["failed"],
        "apiActiveProcessingTime": job["processed"] // 10,
        "apexProcessingTime": 0,
    }
    if job["external_id"]:
        about["externalIdFieldName"] = job["external_id"]
    if job["error"]:
        about["errorMessage"] = job["error"]
    if job["state"] == "Open":
        about["contentUrl"] = f"{base_of(request)[1:]}/jobs/ingest/{job['id']}/batches"
    return about


def as_csv(job: Row, header: list[str], lines: list[list[str]]) -> str:
    """Lines as CSV in the job's own delimiter and line ending, every cell in quotes."""
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=DELIMITERS[job["delimiter"]],
        lineterminator=LINE_ENDINGS[job["line_ending"]],
        quoting=csv.QUOTE_ALL,
    )
    writer.writerow(header)
    writer.writerows(lines)
    return out.getvalue()
