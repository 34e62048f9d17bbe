"""A caller of the Zendesk stand-in without any client library, and a receiver of what it pushes."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.running_sandbox import RunningSandbox


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


class Desk:
    """A caller of the vendor's API, without any client library."""

    def __init__(self, running: RunningSandbox) -> None:
        self.running = running
        self.mine = running.credentials("zendesk")
        self._connection = http.client.HTTPConnection("127.0.0.1", running.server.ports["http"], timeout=10)
        pair = f"{self.mine['email']}/token:{self.mine['api_token']}"
        self.basic = "Basic " + base64.b64encode(pair.encode()).decode()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        path = path if path.startswith(("/oauth", "/agent")) else f"/api/v2{path}"
        sent = {"Authorization": self.basic, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        try:
            self._connection.request(method, f"/zendesk{path}", raw, sent)
            answer = self._connection.getresponse()
            text = answer.read()
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            raise
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in found.get("content-type", "")
        return Answer(answer.status, found, json.loads(text) if is_json and text else text.decode())

    def get(self, path: str, **query: Any) -> Any:
        text = "?" + urllib.parse.urlencode(
            {k.replace("__", "[") + ("]" if "__" in k else ""): v for k, v in query.items()}
        )
        answer = self.ask("GET", path + (text if query else ""))
        assert answer.status == 200, answer
        return answer.body

    def post(self, path: str, name: str, /, **values: Any) -> Any:
        answer = self.ask("POST", path, {name: values})
        assert answer.status in (200, 201), answer
        return answer.body[name]

    def follow(self, url: str) -> Any:
        _, _, rest = url.partition("/zendesk/api/v2")
        answer = self.ask("GET", rest)
        assert answer.status == 200, answer
        return answer.body

    def job(self, answer: Answer) -> tuple[list[str], list[dict[str, Any]]]:
        """The statuses a job went through, and its results."""
        assert answer.status == 200, answer
        job, seen = answer.body["job_status"], [answer.body["job_status"]["status"]]
        while job["status"] != "completed":
            job = self.follow(job["url"])["job_status"]
            seen.append(job["status"])
            assert len(seen) < 20
        return seen, job["results"]


def errors_of(answer: Answer) -> dict[str, list[dict[str, str]]]:
    assert answer.status == 422, answer
    assert answer.body["error"] == "RecordInvalid"
    assert answer.body["description"] == "Record validation errors"
    return dict(answer.body["details"])


def ticket_field(desk: Desk, title: str) -> int:
    return int(next(row["id"] for row in desk.get("/ticket_fields")["ticket_fields"] if row["title"] == title))


class _Hook(BaseHTTPRequestHandler):
    heard: list[tuple[dict[str, str], bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(type(self).answers.pop(0) if type(self).answers else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class Hook:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.handler = type("Handler", (_Hook,), {"heard": [], "answers": []})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def subscribe(self, *names: str, **more: Any) -> dict[str, Any]:
        types = [name if name.startswith("cond") else f"zen:event-type:{name}" for name in names]
        given = {
            "name": "hook",
            "endpoint": self.url,
            "http_method": "POST",
            "request_format": "json",
            "status": "active",
        }
        made: dict[str, Any] = self.desk.post("/webhooks", "webhook", **{**given, "subscriptions": types, **more})
        self.id, self.secret = made["id"], made["signing_secret"]["secret"]
        return made

    def wait(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 5
        while len(self.handler.heard) < count:
            assert time.monotonic() < deadline, f"heard {len(self.handler.heard)} of {count}"
            time.sleep(0.01)
        return [json.loads(body) for _, body in self.handler.heard]

    def close(self) -> None:
        self.desk.ask("DELETE", f"/webhooks/{self.id}")
        self._server.shutdown()
        self._server.server_close()
