"""The host of the stand-ins: how they are addressed, what the desk does, how a connection is cut, and https."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import server_context
from tests.support.running_sandbox import RunningSandbox

from isthmus.sandbox.worlds import open_sandboxes
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import build
from isthmus.sandkit.faults import Faults

_TOKEN = "/oauth/tokens"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["zendesk"]) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_faults(running: RunningSandbox) -> Iterator[None]:
    yield
    running.desk("faults", {"rules": []})


def _ask(
    running: RunningSandbox, path: str, method: str = "GET", body: Any = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", running.server.ports["http"], timeout=10)
    sent = {"Authorization": f"Bearer {running.credentials('zendesk')['oauth_token']}", **headers}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, found, json.loads(text) if "json" in found.get("content-type", "") else text


def _own_address(answer: Any) -> str:
    return str(answer["user"]["url"].partition("/api/")[0])


# Addressing -----------------------------------------------------------------------------------------


def test_a_vendor_is_addressed_by_the_path_s_first_part(running: RunningSandbox) -> None:
    status, _, body = _ask(running, "/zendesk/api/v2/users/me.json")
    assert status == 200
    assert _own_address(body) == running.base_url("zendesk")


def test_a_vendor_is_addressed_by_the_host_name(running: RunningSandbox) -> None:
    status, _, body = _ask(running, "/api/v2/users/me.json", Host="zendesk.localhost:1234")
    assert status == 200
    assert _own_address(body) == "http://zendesk.localhost:1234"


def test_addresses_in_answers_are_those_the_caller_used(running: RunningSandbox) -> None:
    proxied = {"X-Forwarded-Host": "sandbox.example.com", "X-Forwarded-Proto": "https"}
    _, _, body = _ask(running, "/zendesk/api/v2/users/me", **proxied)
    assert _own_address(body) == "https://sandbox.example.com/zendesk"
    _, _, body = _ask(running, "/api/v2/users/me", **{**proxied, "X-Forwarded-Host": "zendesk.example.com"})
    assert _own_address(body) == "https://zendesk.example.com"


def test_an_unknown_vendor_is_a_404_that_says_who_is_there(running: RunningSandbox) -> None:
    status, _, body = _ask(running, "/nobody/api")
    assert status == 404
    assert "zendesk" in body["title"]


def test_a_name_nobody_knows_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="no sandbox is called nobody"):
        open_sandboxes(build(1), Clock(), Faults(1), only=["nobody"])


def test_a_world_in_a_folder_is_seeded_once(tmp_path: Path) -> None:
    first = open_sandboxes(build(1), Clock(), Faults(1), only=["zendesk"], folder=tmp_path)["zendesk"]
    with first.world.transaction():
        first.change("organization", "C-1001", {"notes": "kept"})
    first.world.close()
    again = open_sandboxes(build(1), Clock(), Faults(1), only=["zendesk"], folder=tmp_path)["zendesk"]
    assert again.show("organization", "C-1001")[0]["notes"] == "kept"
    assert "25 organizations" in again.summary()
    again.world.close()


# The desk -------------------------------------------------------------------------------------------


def test_the_desk_tells_what_stands_there(running: RunningSandbox) -> None:
    about = running.desk("")["vendors"]["zendesk"]
    assert about["title"] == "Zendesk"
    assert "organizations" in about["summary"]
    assert about["pushes_waiting"] == 0
    assert running.desk("zendesk") == about
    assert "open_ticket" in running.desk("zendesk/verbs")


def test_the_desk_shows_sets_and_plays(running: RunningSandbox) -> None:
    assert running.desk("zendesk/set/organization/C-1003", {"notes": "By hand", "plan": "gold"})["notes"] == "By hand"
    assert running.desk("zendesk/show/organization/C-1003")[0]["organization_fields"]["plan"] == "gold"
    played = running.desk("zendesk/play/open_ticket", {"customer": "C-1003", "subject": "Hello"})
    assert played["subject"] == "Hello"
    assert running.desk(f"zendesk/show/ticket/{played['ticket']}")[0]["status"] == "new"


def test_keys_at_the_desk_are_decoded_and_numbers_become_text(running: RunningSandbox) -> None:
    person = running.company.accounts[0].people[0]
    address = person.email.replace("@", "%40")
    assert running.desk(f"zendesk/show/user/{address}")[0]["email"] == person.email
    played = running.desk("zendesk/play/comment", {"ticket": 1, "body": "A number is fine", "public": False})
    assert played["ticket"] == 1


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("zendesk/play/dance", {}, "has no verb 'dance'"),
        ("zendesk/show/planet", None, "kind 'planet' is unknown"),
        ("zendesk/set/organization/C-9999", {"name": "x"}, "there is no organization 'C-9999'"),
        ("nobody", None, "no sandbox is called 'nobody'"),
        ("zendesk/odd", None, "nothing here"),
        ("faults", {"rules": [{"kind": "odd"}]}, "fault kind 'odd' is unknown"),
        ("faults", {"rules": [{"kind": "down", "when": 1}]}, "fault rule"),
        ("clock", {"advance_s": -1}, "forward only"),
    ],
)
def test_the_desk_says_what_is_wrong(running: RunningSandbox, path: str, body: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        running.desk(path, body)


def test_a_failed_change_at_the_desk_leaves_nothing(running: RunningSandbox) -> None:
    with pytest.raises(ValueError, match="not a valid value"):
        running.desk("zendesk/set/organization/C-1005", {"name": "Changed", "plan": "platinum"})
    assert running.desk("zendesk/show/organization/C-1005")[0]["name"] == running.company.account("C-1005").name


def test_faults_are_set_by_rates_and_counted(running: RunningSandbox) -> None:
    rules = [{"kind": "down", "vendor": "zendesk", "operation": "GET *", "rate": 0.5, "delay_s": 0.1}]
    assert running.desk("faults", {"rules": rules, "seed": 7})["rules"][0]["rate"] == 0.5
    statuses = [_ask(running, "/zendesk/api/v2/users/me")[0] for _ in range(30)]
    assert {200, 503} == set(statuses)
    running.desk("faults", {"rules": rules, "seed": 7})
    assert [_ask(running, "/zendesk/api/v2/users/me")[0] for _ in range(30)] == statuses
    assert {"vendor": "zendesk", "kind": "down"}.items() <= running.desk("faults")["met"][0].items()


def test_the_clock_is_moved_for_all(running: RunningSandbox) -> None:
    before = running.clock.timestamp()
    running.desk("clock", {"advance_s": 90})
    assert running.clock.timestamp() - before >= 90


def test_the_books_are_read_through_the_vendor_s_api(running: RunningSandbox) -> None:
    kinds = {row["kind"] for row in running.desk("zendesk/books")}
    assert {"customer", "user", "ticket"} <= kinds


# Cuts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "at_once", "at_last"), [("cut_before", 0, 0), ("cut_after", 1, 1), ("late", 0, 1)])
def test_a_cut_leaves_the_caller_without_an_answer(
    running: RunningSandbox, kind: str, at_once: int, at_last: int
) -> None:
    key = f"CUT-{kind}"
    rule = {"kind": kind, "operation": "POST */organizations*", "times": 1, "delay_s": 0.3}
    running.desk("faults", {"rules": [rule]})
    assert running.desk("")["vendors"]["zendesk"]["late_max_s"] == (0.3 if kind == "late" else 0)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        _ask(running, "/zendesk/api/v2/organizations", "POST", {"organization": {"name": key, "external_id": key}})
    assert len(running.desk(f"zendesk/show/organization/{key}")) == at_once
    deadline = time.monotonic() + 3
    while len(running.desk(f"zendesk/show/organization/{key}")) < at_last:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(running.desk(f"zendesk/show/organization/{key}")) == at_last
    assert _ask(running, "/zendesk/api/v2/users/me")[0] == 200  # and the server lives


def test_a_slow_answer_comes_late_but_comes(running: RunningSandbox) -> None:
    running.desk("faults", {"rules": [{"kind": "slow", "operation": "GET *", "times": 1, "delay_s": 0.3}]})
    began = time.monotonic()
    assert _ask(running, "/zendesk/api/v2/users/me")[0] == 200
    assert time.monotonic() - began >= 0.3


def test_what_a_vendor_keeps_faultless_meets_no_fault(running: RunningSandbox) -> None:
    running.desk("faults", {"rules": [{"kind": "down"}]})
    mine = running.credentials("zendesk")
    asked = {"grant_type": "client_credentials", "client_id": mine["client_id"], "client_secret": mine["client_secret"]}
    status, _, _ = _ask(running, f"/zendesk{_TOKEN}", "POST", asked, **{"Content-Type": "application/json"})
    assert status == 200
    assert _ask(running, "/zendesk/api/v2/users/me")[0] == 503


# Pushes and https -----------------------------------------------------------------------------------


class _Hook(BaseHTTPRequestHandler):
    heard: list[bytes] = []

    def do_POST(self) -> None:
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_the_host_delivers_what_vendors_push(running: RunningSandbox) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    webhook = {"name": "host", "endpoint": f"http://127.0.0.1:{server.server_port}/", "http_method": "POST"}
    webhook |= {"request_format": "json", "status": "active"}
    made = _ask(
        running,
        "/zendesk/api/v2/webhooks",
        "POST",
        {"webhook": {**webhook, "subscriptions": ["zen:event-type:ticket.created"]}},
    )
    assert made[0] == 201
    running.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "Pushed"})
    deadline = time.monotonic() + 5
    while not _Hook.heard:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert json.loads(_Hook.heard[0])["detail"]["subject"] == "Pushed"
    server.shutdown()


def test_https_beside_http(tmp_path: Path) -> None:
    context, authority = server_context(tmp_path)
    with RunningSandbox(only=["zendesk"], tls=context) as secured:
        assert secured.base_url("zendesk", "https").startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(authority))
        port = secured.server.ports["https"]
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)
        bearer = {"Authorization": f"Bearer {secured.credentials('zendesk')['oauth_token']}"}
        connection.request("GET", "/api/v2/users/me", headers={**bearer, "Host": "zendesk.localhost"})
        body = json.loads(connection.getresponse().read())
        assert _own_address(body) == "https://zendesk.localhost"
        connection.close()
        with pytest.raises(ssl.SSLError):
            stranger = http.client.HTTPSConnection("127.0.0.1", port, timeout=10)
            stranger.request("GET", "/")
