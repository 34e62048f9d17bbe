"""The stand-in itself: wires system, gateway and people together, and plays SAP's troubles."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.connectors.erp.sap_s4hana.sandbox import errors
from isthmus.connectors.erp.sap_s4hana.sandbox.administration import Administration
from isthmus.connectors.erp.sap_s4hana.sandbox.gateway import Gateway
from isthmus.connectors.erp.sap_s4hana.sandbox.operations import Applications, operations
from isthmus.connectors.erp.sap_s4hana.sandbox.play import Play
from isthmus.connectors.erp.sap_s4hana.sandbox.seed import seed
from isthmus.connectors.erp.sap_s4hana.sandbox.sessions import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Sessions
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.standin import Sandbox, Verb
from isthmus.sandkit.world import Row, World

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "MERGE", "DELETE")
_TOKEN_PATHS = ("/sap/bc/sec/oauth2/token", "/oauth/token")
_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p></body></html>"
_HTML = "text/html;charset=utf-8"


class VendorSandbox(Sandbox):
    """SAP S/4HANA's order-to-cash services over OData v2."""

    name = "sap_s4hana"
    title = "SAP S/4HANA"

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        super().__init__(world, clock, faults)
        self._system = System(world, clock)
        self._apps = Applications(self._system)
        self._sessions = Sessions(clock)
        self._gateway = Gateway(self._system, self._sessions, operations(self._system, self._apps))
        self._play = Play(self._system, self._apps)
        self._administration = Administration(self._system, self._apps, self._sessions)
        for path in _TOKEN_PATHS:
            self.routes.add("POST", path, self._sessions.issue)
        for method in _METHODS:
            self.routes.add(method, "/sap/opu/odata/sap/{path:path}", self._gateway.handle)
            self.routes.add(method, "/sap/opu/odata/SAP/{path:path}", self._gateway.handle)

    def seed(self, company: Company) -> None:
        """Fill the world with the seed company."""
        seed(self._system, self._apps.availability, company)

    def credentials(self) -> dict[str, str]:
        """Basic and OAuth credentials."""
        return {"user": USERNAME, "password": PASSWORD, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def summary(self) -> str:
        """What stands in the world, in a few words."""
        count = self.world.value("SELECT count(*) FROM _organization")
        return f"{count} sales organisations"

    def faultless(self, request: Request) -> bool:
        """Token endpoints and metadata meet no faults."""
        return request.raw_path in _TOKEN_PATHS or request.raw_path.endswith("/$metadata")

    def trouble(self, kind: str, request: Request) -> Answer:
        """SAP's own form of each trouble.

        ``expired`` ends the caller's bearer token and session and then plays the request: a bearer gets 401, a
        write with basic authentication 403 for its CSRF token, a read with basic authentication needs no session.
        """
        if kind == "limited":
            about = {"error": {"code": "429", "message": {"lang": "en", "value": "Too Many Requests"}}}
            return Answer(429, about, {"Retry-After": "1"})
        if kind == "down":
            return Answer(503, _PAGE.format("Service Unavailable", "No free work process"), {}, _HTML)
        if kind == "expired":
            self._sessions.expire(request)
            return self.play(request)
        if kind == "broken":
            text = "An exception was raised: No more memory available to add rows to an internal table"
            return self._refused(errors.ODataError(500, errors.Message("SY/530", text)), request)
        if kind == "locked":
            text = "Sales document is currently being processed by user BATCH_USER"
            return self._refused(errors.business("V1/042", text), request)
        return Answer(404, _PAGE.format("Not Found", "The requested resource does not exist"), {}, _HTML)

    def _refused(self, error: errors.ODataError, request: Request) -> Answer:
        wants_json = "application/json" in request.headers.get("accept", "") or "$format=json" in request.query_string
        service = request.raw_path.removeprefix("/sap/opu/odata/sap/").partition("/")[0]
        return self._gateway.refused(error, service, wants_json, {})

    def verbs(self) -> Mapping[str, Verb]:
        """What people can do there."""
        return self._play.verbs()

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of one kind in plain words."""
        return self._administration.show(kind, key)

    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """Change one row as an administrator would."""
        return self._administration.change(kind, key, values)
