"""A caller of the Stripe stand-in without any client library, and a receiver of what it pushes."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.running_sandbox import RunningSandbox


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["error"]
        return found


def form(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested values as bracketed pairs."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from form(value, f"{name}[{key}]" if name else str(key))
    elif isinstance(values, list):
        for at, value in enumerate(values):
            yield from form(value, f"{name}[{at}]")
    else:
        yield name, str(values).lower() if isinstance(values, bool) else str(values)


class Caller:
    """Calls with the key of one account; ``ask`` answers anything, the others insist on 200."""

    def __init__(self, running: RunningSandbox, account: str = "api_key") -> None:
        self.running = running
        self.key = running.credentials("stripe")[account]
        self._connection = http.client.HTTPConnection("127.0.0.1", running.server.ports["http"], timeout=10)

    def ask(self, method: str, path: str, values: Any = None, **headers: str) -> Answer:
        sent = {"Authorization": f"Bearer {self.key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = values if isinstance(values, str) else urllib.parse.urlencode(list(form(values or {})))
        body = None
        if method == "GET":
            path += f"?{text}" if text else ""
        else:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            body = text
        try:
            self._connection.request(method, f"/stripe/v1{path}", body, sent)
            answer = self._connection.getresponse()
            raw = answer.read()
        except (ConnectionError, http.client.HTTPException):
            self._connection.close()
            raise
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(raw))

    def post(self, path: str, /, **values: Any) -> Any:
        answer = self.ask("POST", path, values)
        assert answer.status == 200, answer.body
        return answer.body

    def get(self, path: str, values: Any = None) -> Any:
        answer = self.ask("GET", path, values)
        assert answer.status == 200, answer.body
        return answer.body

    def refused(self, path: str, /, **values: Any) -> dict[str, Any]:
        answer = self.ask("POST", path, values)
        assert answer.status >= 400, answer.body
        return answer.error

    def customer(self, card: str = "", **values: Any) -> str:
        """A new customer, with a card as their default."""
        if card:
            values |= {"payment_method": card, "invoice_settings": {"default_payment_method": card}}
        return str(self.post("/customers", **{"name": "Solar Buyer", "email": "buyer@solar.example", **values})["id"])

    def draft(self, *amounts: int, currency: str = "eur", **values: Any) -> Any:
        """A draft with lines of these amounts, for a new customer where none is given."""
        customer = values.pop("customer", None) or self.customer()
        invoice = self.post("/invoices", customer=customer, currency=currency, **values)
        lines = [{"amount": amount, "description": f"Line {at}"} for at, amount in enumerate(amounts)]
        return self.post(f"/invoices/{invoice['id']}/add_lines", lines=lines) if lines else invoice

    def open_invoice(self, *amounts: int, **values: Any) -> Any:
        """A finalized invoice."""
        return self.post(f"/invoices/{self.draft(*amounts, **values)['id']}/finalize")

    def faults(self, *rules: dict[str, Any]) -> None:
        self.running.desk("faults", {"rules": list(rules)})

    def play(self, verb: str, **arguments: str) -> Any:
        return self.running.desk(f"stripe/play/{verb}", arguments)


class Hook:
    """A webhook's receiver; it answers the first ``refusals`` deliveries with 500."""

    def __init__(self, caller: Caller, *events: str, refusals: int = 0) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self._refusals = refusals
        hook = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                hook._refusals -= 1
                self.send_response(500 if hook._refusals >= 0 else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        made = caller.post("/webhook_endpoints", url=url, enabled_events=list(events))
        self._caller, self.id, self.secret = caller, made["id"], made["secret"]

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The events heard, once there are ``count``."""
        until = time.monotonic() + 5
        while len(self.heard) < count and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.heard) >= count, f"heard {len(self.heard)} of {count}"
        return [json.loads(body) for _, body in self.heard]

    def close(self) -> None:
        self._caller.ask("DELETE", f"/webhook_endpoints/{self.id}")
        self._server.shutdown()
        self._server.server_close()
