"""Speaks to the Salesforce stand-in as a plain HTTP caller would, for what no client library reaches."""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.support.running_sandbox import RunningSandbox

DATA = "/services/data/v60.0"


class Heard(NamedTuple):
    """One answer. ``text`` is what went over the wire, ``body`` the same as JSON where it is JSON."""

    status: int
    headers: dict[str, str]
    text: str
    body: Any

    @property
    def code(self) -> str:
        """The error code of a refused request."""
        return str(self.body[0]["errorCode"])


class Caller:
    """A caller with a session of its own."""

    def __init__(self, running: RunningSandbox) -> None:
        self._running = running
        self._port = running.server.ports["http"]
        self.token = ""
        self.token = self.sign_in().body["access_token"]

    def sign_in(self, **form: str) -> Heard:
        """POST to the token endpoint; client credentials unless ``form`` says otherwise."""
        known = self._running.credentials("salesforce")
        asked = form or {
            "grant_type": "client_credentials",
            "client_id": known["client_id"],
            "client_secret": known["client_secret"],
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", "/services/oauth2/token", urlencode(asked), **kind)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Heard:
        """One request; ``path`` without a leading slash is below the API's version."""
        address = path if path.startswith("/") else f"{DATA}/{path}"
        sent = {"Content-Type": "application/json", **headers} if body is not None else dict(headers)
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request(method, f"/salesforce{address}", data.encode() if isinstance(data, str) else data, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = text and "json" in found.get("content-type", "")
        return Heard(answer.status, found, text, json.loads(text) if is_json else None)

    def query(self, text: str, **headers: str) -> Heard:
        """One SOQL query."""
        return self.ask("GET", f"query?{urlencode({'q': text})}", **headers)

    def rows(self, text: str) -> list[dict[str, Any]]:
        """The rows of a query that fits one page."""
        heard = self.query(text)
        assert heard.status == 200, heard.text
        found: list[dict[str, Any]] = heard.body["records"]
        return found

    def id_of(self, number: str) -> str:
        """The id of an opportunity by its number."""
        return str(self.rows(f"SELECT Id FROM Opportunity WHERE Opportunity_Number__c = '{number}'")[0]["Id"])
