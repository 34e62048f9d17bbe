"""The stand-in itself: which address is answered by what, who may ask, and how often.

Everything below ``/services/data`` needs a session and counts as one call; the versions list, the token endpoint and
the SOAP login do not.
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox import seeding
from isthmus.connectors.crm.salesforce.sandbox.api_limit import ApiLimit
from isthmus.connectors.crm.salesforce.sandbox.bulk_ingest import Ingest
from isthmus.connectors.crm.salesforce.sandbox.bulk_query import BulkQuery
from isthmus.connectors.crm.salesforce.sandbox.composite import Composite
from isthmus.connectors.crm.salesforce.sandbox.desk import Desk
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, not_found
from isthmus.connectors.crm.salesforce.sandbox.many import Many
from isthmus.connectors.crm.salesforce.sandbox.org import Org, base_of
from isthmus.connectors.crm.salesforce.sandbox.outbound import POLICY, Outbound
from isthmus.connectors.crm.salesforce.sandbox.play import Play
from isthmus.connectors.crm.salesforce.sandbox.queries import Queries
from isthmus.connectors.crm.salesforce.sandbox.sobjects import SObjects
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.push import Push
from isthmus.sandkit.routes import Answer, Handler, Refusal, Request, Routes
from isthmus.sandkit.standin import Sandbox, Verb
from isthmus.sandkit.world import Row, World

_DATA = "/services/data"
_VERSIONS = range(40, 71)
_VERSION = re.compile(r"/services/data/v(\d+)\.0(?:/|$)", re.IGNORECASE)
_METADATA = re.compile(r"/services/data/v[^/]+(?:/sobjects(?:/[^/]+/describe)?)?")
_BATCHES = re.compile(r"/jobs/ingest/[^/]+/batches", re.IGNORECASE)


class VendorSandbox(Sandbox):
    """Salesforce: one multi-currency organization of the seed company."""

    name = "salesforce"
    title = "Salesforce"

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        super().__init__(world, clock, faults)
        self.routes = Routes(ignore_case=True)
        self.org = Org(world, clock)
        self.limit = ApiLimit(clock)
        self.push = Push(self.name, world, clock, faults, POLICY)
        self.pushes = [self.push]
        self.outbound = Outbound(self.org, self.push)
        self._desk = Desk(self.org, self.limit, self.outbound)
        self._play = Play(self.org, self.outbound)
        self._add_routes()

    def seed(self, company: Company) -> None:
        """Fill the world with the company's customers, products, prices and open opportunities."""
        seeding.seed(self.org, company)
        self._play.company = company

    def credentials(self) -> dict[str, str]:
        """All ways in; an integration needs ``client_id`` and ``client_secret`` only."""
        return seeding.credentials(self.org)

    def verbs(self) -> Mapping[str, Verb]:
        """What salespeople and administrators do."""
        return self._play.verbs()

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of one kind, for people."""
        return self._desk.show(kind, key)

    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """Change one row as an administrator."""
        return self._desk.change(kind, key, values)

    def summary(self) -> str:
        """What stands in the world."""
        rows = self.org.world
        counted = {name: rows.value(f'SELECT count(*) FROM "{name}" WHERE "IsDeleted" = 0') for name in _COUNTED}
        return ", ".join(f"{counted[name]} {plural}" for name, plural in _COUNTED.items())

    def faultless(self, request: Request) -> bool:
        """Sign-in, the versions and metadata meet no trouble."""
        path = request.raw_path.rstrip("/").lower()
        metadata = request.method == "GET" and bool(_METADATA.fullmatch(path))
        return metadata or not path.startswith(f"{_DATA}/")

    def play(self, request: Request) -> Answer:
        """One request: session, allowance, version, then its handler in one transaction."""
        request.raw_path = request.raw_path.rstrip("/") or "/"
        if not request.raw_path.startswith(f"{_DATA}/"):
            return super().play(request)
        self.outbound.root = request.root
        try:
            self._admit(request)
        except VendorError as error:
            return self._told(error.answer())
        return self._told(super().play(request))

    def trouble(self, kind: str, request: Request) -> Answer:
        """The vendor's own words for each trouble."""
        if kind == "not_found":
            if allowed := self.routes.methods(request):
                message = f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(allowed)}"
                return self._told(VendorError("METHOD_NOT_ALLOWED", message).answer())
            return self._told(not_found().answer())
        if kind == "expired":
            self.org.sign_in.expire(request)
        code, message = _TROUBLES[kind]
        error = VendorError(code, message, [] if kind == "locked" else None)
        if kind == "locked" and (count := _rows_in(request)):
            return self._told(Answer(200, [{"success": False, "errors": [error.in_collection()]}] * count))
        return self._told(error.answer())

    def _told(self, answer: Answer) -> Answer:
        answer.headers["Sforce-Limit-Info"] = self.limit.header
        return answer

    def _admit(self, request: Request) -> None:
        user = self.org.sign_in.user_of(request)
        if user is None:
            raise VendorError("INVALID_SESSION_ID", "Session expired or invalid")
        self.org.rows.user = user
        self.limit.count()
        version = _VERSION.match(request.raw_path)
        if version is None or int(version[1]) not in _VERSIONS:
            raise not_found()
        if request.body and request.method != "GET":
            wanted = "text/csv" if _BATCHES.search(request.raw_path) else "application/json"
            given = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if given != wanted:
                raise VendorError(
                    "UNSUPPORTED_MEDIA_TYPE", f"Content-Type {given or 'none'} is not supported; expected {wanted}"
                )

    def _inner(self, request: Request) -> Answer:
        handler = self.routes.find(request)
        return self.trouble("not_found", request) if handler is None else handler(request)

    def _add_routes(self) -> None:
        org = self.org
        rows, many, queries = SObjects(org), Many(org), Queries(org)
        composite, ingest, bulk_query = Composite(org, self._inner), Ingest(org), BulkQuery(org)
        for method, path, handler in (
            ("GET", "/query", queries.query),
            ("GET", "/query/{locator}", queries.more),
            ("GET", "/queryAll", queries.query_all),
            ("GET", "/queryAll/{locator}", queries.more),
            ("GET", "/sobjects/{object}/updated", rows.updated),
            ("GET", "/sobjects/{object}/deleted", rows.deleted),
            ("GET", "/sobjects/{object}/describe", rows.describe),
            ("POST", "/sobjects/{object}/Id", rows.create),
            ("PATCH", "/sobjects/{object}/{id}", rows.update),
            ("GET", "/sobjects/{object}/{id}", rows.read),
            ("DELETE", "/sobjects/{object}/{id}", rows.delete),
            ("PATCH", "/sobjects/{object}/{field}/{value}", rows.upsert),
            ("GET", "/sobjects/{object}/{field}/{value}", rows.read_by),
            ("DELETE", "/sobjects/{object}/{field}/{value}", rows.delete_by),
            ("POST", "/sobjects/{object}", rows.create),
            ("GET", "/sobjects/{object}", rows.about),
            ("GET", "/sobjects", rows.objects),
            ("POST", "/composite", composite.composite),
            ("POST", "/composite/batch", composite.batch),
            ("POST", "/composite/tree/{object}", composite.tree),
            ("POST", "/composite/sobjects", many.create),
            ("PATCH", "/composite/sobjects", many.update),
            ("DELETE", "/composite/sobjects", many.delete),
            ("POST", "/composite/sobjects/{object}", many.retrieve),
            ("GET", "/composite/sobjects/{object}", many.retrieve),
            ("PATCH", "/composite/sobjects/{object}/{field}", many.upsert),
            ("GET", "/limits", self._limits),
            ("GET", "", self._resources),
            ("POST", "/jobs/ingest", ingest.create),
            ("GET", "/jobs/ingest", ingest.listed),
            ("GET", "/jobs/ingest/{id}", ingest.info),
            ("PATCH", "/jobs/ingest/{id}", ingest.patch),
            ("DELETE", "/jobs/ingest/{id}", ingest.delete),
            ("PUT", "/jobs/ingest/{id}/batches", ingest.upload),
            ("GET", "/jobs/ingest/{id}/successfulResults", ingest.successful),
            ("GET", "/jobs/ingest/{id}/failedResults", ingest.failed),
            ("GET", "/jobs/ingest/{id}/unprocessedrecords", ingest.unprocessed),
            ("POST", "/jobs/query", bulk_query.create),
            ("GET", "/jobs/query", bulk_query.listed),
            ("GET", "/jobs/query/{id}", bulk_query.info),
            ("PATCH", "/jobs/query/{id}", bulk_query.patch),
            ("DELETE", "/jobs/query/{id}", bulk_query.delete),
            ("GET", "/jobs/query/{id}/results", bulk_query.results),
        ):
            self.routes.add(method, f"{_DATA}/v{{version}}{path}", self._saving(handler))
        sign_in = org.sign_in
        self.routes.add("GET", _DATA, self._versions)
        self.routes.add("POST", "/services/oauth2/token", sign_in.token)
        self.routes.add("POST", "/services/oauth2/revoke", sign_in.revoke)
        self.routes.add("GET", "/services/oauth2/revoke", sign_in.revoke)
        self.routes.add("GET", "/services/oauth2/userinfo", sign_in.identity)
        self.routes.add("GET", "/id/{organization}/{user}", sign_in.identity)
        self.routes.add("POST", "/services/Soap/u/{version}", sign_in.soap)

    def _saving(self, handler: Callable[[Request], Answer]) -> Handler:
        """The handler with its refusals as answers and its outbound messages queued in the same transaction."""

        def run(request: Request) -> Answer:
            try:
                with self.org.conditions.undone_on_error():
                    answer = handler(request)
            except VendorError as error:
                raise Refusal(error.answer()) from None
            if self.org.conditions.waiting:
                self.outbound.send()
            return answer

        return run

    def _limits(self, request: Request) -> Answer:
        return Answer(200, self.limit.as_json())

    def _versions(self, request: Request) -> Answer:
        listed = [{"label": f"Version {n}", "url": f"{_DATA}/v{n}.0", "version": f"{n}.0"} for n in _VERSIONS]
        return Answer(200, listed)

    def _resources(self, request: Request) -> Answer:
        base = base_of(request)
        named = ("sobjects", "query", "queryAll", "composite", "limits", "jobs")
        told: dict[str, Any] = {name: f"{base}/{name}" for name in named}
        told["identity"] = f"{request.root}/id/{self.org.sign_in.organization()}/{self.org.rows.user}"
        return Answer(200, told)


_COUNTED = {"Account": "accounts", "Product2": "products", "Opportunity": "opportunities"}
_TROUBLES = {
    "limited": ("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    "down": ("SERVER_UNAVAILABLE", "The server is temporarily unavailable. Please try again later."),
    "broken": ("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support"),
    "expired": ("INVALID_SESSION_ID", "Session expired or invalid"),
    "locked": ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records"),
}


def _rows_in(request: Request) -> int:
    """How many rows a collections call names; 0 for other calls."""
    if "/composite/sobjects" not in request.raw_path or request.method == "GET":
        return 0
    if request.method == "DELETE":
        return len((request.argument("ids") or "").split(","))
    try:
        asked = request.json()
    except ValueError:
        return 0
    return len(asked.get("records") or []) if isinstance(asked, dict) else 0
