"""One trace from the webhook to the last call, over a kill and a restart; and nothing secret in anything left behind.

A real ``isthmus serve`` plays orders with faults, is killed in the middle of one, and starts again; what it sends to a
collector of telemetry, writes to its log, keeps in its database and shows over HTTP is then looked through.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support import signing
from tests.support.collector import Collector, Span
from tests.support.command import COMMAND, isthmus, said
from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SAMPLE, SECRETS, environment

from isthmus.store.store import Store
from isthmus.store.transaction import Row

ORDERS = ("OPP-1001", "OPP-1002", "OPP-1003", "OPP-1017")
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CALLER = PARENT.split("-")[1]
SERVER, CLIENT = 2, 3


# In one process -----------------------------------------------------------------------------------


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Every tracer of ours records, whatever another test has set up in this process."""
    import sys

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    ours = [module for name, module in sys.modules.items() if name.startswith("isthmus.")]
    found = [
        (module, name) for module in ours for name, value in vars(module).items() if isinstance(value, trace.Tracer)
    ]
    assert len(found) >= 3, "gateway, play and wire have a tracer each"
    for module, name in found:
        monkeypatch.setattr(module, name, provider.get_tracer("isthmus"))
    return exporter


async def test_one_trace_from_webhook_to_last_call(
    recorded: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunningSandbox() as sandbox:
        async with House(sandbox, tmp_path, polls=False) as house:
            sent = _sent_headers(house)
            (deal,) = await house.books("salesforce", "opportunity", "OPP-1001")
            await house.win("OPP-1001")
            body = signing.outbound_message(sandbox.credentials("salesforce")["organization_id"], deal["id"])
            path = f"/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
            async with house.http.post(path, data=body, headers={"traceparent": PARENT}) as answer:
                assert answer.status == 200
            run = await house.until("OPP-1001", "done")
            calls = await house.calls(run["id"])
            events = await house.rows("SELECT trace_id FROM journal WHERE run_id = :id", id=run["id"])
            status, shown = await house.key("GET", f"/api/runs/{run['id']}")
            started = await house.key(
                "POST", "/api/process/quote-to-cash", _quote(deal), traceparent=PARENT.replace("4bf9", "5bf9")
            )
            case = {"business_unit": "emea", "number": "1", "subject": "Traced", "priority": "low", "status": "new"}
            await house.key("POST", "/api/system/support/cases", case, traceparent=PARENT.replace("4bf9", "6bf9"))
            (asked,) = await house.rows("SELECT traceparent FROM run WHERE process = 'system-call'")
            command = ["runs", "show", run["id"], "--database", f"sqlite:///{house.database}"]
            told = await asyncio.to_thread(lambda: isthmus(*command, cwd=tmp_path).stdout)
    spans = {
        span.context.span_id: span for span in recorded.get_finished_spans() if span.context.trace_id == int(CALLER, 16)
    }
    (webhook,) = [span for span in spans.values() if span.name == "webhook salesforce"]
    assert webhook.parent.span_id == int("00f067aa0ba902b7", 16), "the caller's span is its parent"
    (play,) = [span for span in spans.values() if span.name == "run quote-to-cash"]
    assert play.parent.span_id == webhook.context.span_id
    wire = [span for span in spans.values() if span.kind is trace.SpanKind.CLIENT]
    assert all(span.parent.span_id == play.context.span_id for span in wire)
    assert len(wire) >= len(calls) > 8, "every call of the run, and the sign-ins and tokens besides"
    assert {call["trace_id"] for call in calls} == {event["trace_id"] for event in events} == {CALLER}
    assert (status, shown["trace_id"]) == (200, CALLER)
    assert CALLER in told
    # the vendors hear it too, and what is asked over the API begins in its caller's trace
    ids = {f"{span.context.span_id:016x}" for span in wire}
    assert {header.split("-")[2] for header in sent if header.split("-")[1] == CALLER} == ids
    assert started[0] == 202 and asked["traceparent"].split("-")[1] == CALLER.replace("4bf9", "6bf9")


def _quote(deal: Row) -> dict[str, Any]:
    return {"quote": {"connection": "salesforce", "id": deal["id"]}}


def _sent_headers(house: House) -> list[str]:
    """The traceparent of every request that leaves."""
    sent: list[str] = []
    for connection in house.engine.connections.values():
        wire = connection._wire
        exchanged = wire._exchanged

        async def listening(
            method: str, address: Any, headers: dict[str, str], *rest: Any, _to: Any = exchanged
        ) -> Any:
            sent.append(headers["traceparent"])
            return await _to(method, address, headers, *rest)

        wire._exchanged = listening  # type: ignore[method-assign]
    return sent


# Over a kill --------------------------------------------------------------------------------------


@dataclass
class Story:
    """What was left behind."""

    folder: Path
    secrets: dict[str, str]
    database: str = ""
    runs: dict[str, Row] = field(default_factory=dict)
    attempts: dict[str, list[Row]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    shown: str = ""
    log: str = ""
    killed_at: str = ""
    spans: list[Span] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)
    telemetry: bytes = b""

    def of(self, key: str) -> list[Span]:
        """The spans of a run's trace."""
        found = self.runs[key]["traceparent"].split("-")[1]
        return [span for span in self.spans if span.trace == found]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    shutil.copytree(SAMPLE, folder / "acme")
    with RunningSandbox() as sandbox, Collector() as collector, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        told = Story(folder, _secrets(sandbox))
        variables = {
            **environment(sandbox), "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
        }  # fmt: skip
        with _serving(told, port, variables) as first:
            _push_to(sandbox, port)
            sandbox.desk(
                "faults", {"seed": 3, "rules": [{"kind": "slow", "operation": "POST */A_SalesOrder", "delay_s": 2}]}
            )
            sandbox.desk("salesforce/play/win_many", {"opportunities": ",".join(ORDERS)})
            store = Store.open_connection(told.database)
            _until(lambda: store.value("SELECT count(*) AS n FROM effect WHERE operation = 'create_order'") == 3)
            time.sleep(0.4)
            first.kill()
            first.wait()
        told.killed_at = "2 s before the orders were there"
        store.begin()
        store.run("UPDATE worker SET expires_at = 0")
        store.commit()
        sandbox.desk("faults", {"seed": 3, "rules": _TROUBLE})
        with _serving(told, port, variables):
            ended = "SELECT count(*) AS n FROM run WHERE process = 'quote-to-cash' AND owner IS NULL AND state IN ('done', 'parked')"
            _until(lambda: store.value(ended) == len(ORDERS), 40)
            _look_at_everything(told, f"http://127.0.0.1:{port}", sandbox)
            for row in store.rows("SELECT * FROM run"):
                told.runs[row["business_key"]] = row
                told.attempts[row["business_key"]] = store.rows(
                    "SELECT * FROM attempt WHERE run_id = :id", {"id": row["id"]}
                )
        told.spans, told.lines = list(collector.spans()), list(collector.lines())
        told.telemetry = b"".join(body for bodies in collector.bodies.values() for body in bodies)
        told.log = (folder / "log").read_text()
        yield told


_TROUBLE = [
    {"kind": "limited", "rate": 0.05},
    {"kind": "down", "rate": 0.05},
    {"kind": "cut_after", "rate": 0.05},
    {"kind": "expired", "vendor": "salesforce", "times": 1},
]


class _serving:
    """``isthmus serve`` as a process; its log goes to a file. Ended by SIGTERM, unless it was killed."""

    def __init__(self, told: Story, port: int, variables: dict[str, str]) -> None:
        self._told, self._variables = told, variables
        self._command = [*COMMAND, "serve", "acme", "--port", str(port), "--json"]

    def __enter__(self) -> subprocess.Popen[str]:
        self._log = (self._told.folder / "log").open("a")
        self._process = subprocess.Popen(
            self._command, cwd=self._told.folder, env={**os.environ, **self._variables}, stdout=subprocess.PIPE,
            stderr=self._log, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (self._told.folder / "log").read_text()
        self._told.database = json.loads(line)["database"]
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(30) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()


def _push_to(sandbox: RunningSandbox, port: int) -> None:
    url = f"http://127.0.0.1:{port}/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
    values = {"url": url, "object": "Opportunity", "fields": "Id,SystemModstamp", "when": "IsWon = true"}
    sandbox.desk("salesforce/set/outbound_message/isthmus", values)


def _until(condition: Any, within_s: float = 20) -> None:
    ends = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def test_the_trace_goes_on_after_a_kill(story: Story) -> None:
    """The trace that a webhook began in a process that was killed is ended by the next one."""
    for key in ("OPP-1001", "OPP-1002", "OPP-1003"):
        assert story.runs[key]["state"] == "done", story.runs[key]["problem"]
        assert story.runs[key]["fence"] >= 2, "it was played by two processes"
        own = story.runs[key]["traceparent"].split("-")[1]
        assert {attempt["trace_id"] for attempt in story.attempts[key]} == {own}, (
            "the calls before the kill and after it"
        )
        spans = {span.id: span for span in story.of(key)}
        webhooks = [span for span in spans.values() if span.name == "webhook salesforce" and span.kind == SERVER]
        assert len(webhooks) == 1, "sent before the kill"
        plays = [span for span in spans.values() if span.name == "run quote-to-cash"]
        assert plays and all(play.parent == webhooks[0].id for play in plays)
        last = [span for span in spans.values() if span.kind == CLIENT and span.parent in {play.id for play in plays}]
        assert {span.attributes["isthmus.connection"] for span in last} >= {"salesforce", "zendesk"}, (
            "up to the last call"
        )
    traces = {story.runs[key]["traceparent"].split("-")[1] for key in ORDERS}
    assert len(traces) >= 1


def test_every_line_of_the_log_names_its_trace(story: Story) -> None:
    in_traces = re.findall(r"  trace=([0-9a-f]{32})$", story.log, re.MULTILINE)
    known = {span.trace for span in story.spans}
    sent = [line for line in story.lines if line.trace.strip("0")]
    parked = story.runs["OPP-1017"]["traceparent"].split("-")[1]
    assert [line.body for line in sent if line.trace == parked], "why OPP-1017 waits for a person"
    assert any(line.body.startswith("worker ") for line in story.lines), "the log is exported as well"
    assert set(in_traces) <= known
    assert len(sent) == len(in_traces), "what is written in a trace is sent in it"


def test_people_are_shown_the_trace(story: Story) -> None:
    run = story.runs["OPP-1001"]
    trace_id = run["traceparent"].split("-")[1]
    assert json.loads(story.answers[f"/api/runs/{run['id']}"])["trace_id"] == trace_id
    assert trace_id in story.shown
    events = json.loads(story.answers[f"/api/runs/{run['id']}"])["calls"]
    assert {call["trace_id"] for call in events} == {trace_id}


# Secrets ------------------------------------------------------------------------------------------


def _secrets(sandbox: RunningSandbox) -> dict[str, str]:
    """Every secret of this enterprise, by name, in each form in which it may show."""
    known = environment(sandbox)
    names = ("SECRET", "PASSWORD", "KEY", "TOKEN")
    found = {name: value for name, value in known.items() if any(name.endswith(each) for each in names)}
    assert len(found) >= 8
    pairs = {
        "sap sign-in": f"{known['ISTHMUS_SAP_USER']}:{known['ISTHMUS_SAP_PASSWORD']}",
        "zendesk sign-in": f"{known['ISTHMUS_ZENDESK_EMAIL']}/token:{known['ISTHMUS_ZENDESK_TOKEN']}",
    }
    found |= {
        f"{name} in Base64": base64.b64encode(value.encode()).decode() for name, value in {**found, **pairs}.items()
    }
    found |= {
        f"{name} quoted": quoted
        for name, value in found.items()
        if (quoted := urllib.parse.quote(value, safe="")) != value
    }
    return found


def _look_at_everything(told: Story, url: str, sandbox: RunningSandbox) -> None:
    """Ask every GET route of the document for what there is, and some that fail; keep every answer."""
    scopes = [part for scope in ("runs:read", "system:read", "metrics:read") for part in ("--scope", scope)]
    key = said("keys", "create", "looker", *scopes, cwd=told.folder / "acme")["key"]
    told.secrets["an API key"] = key
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {key}"

    def ask(path: str) -> Any:
        answer = session.get(url + path, timeout=20)
        told.answers[path] = (
            f"{answer.headers}\n\n{answer.text}" if "json" not in answer.headers["Content-Type"] else answer.text
        )
        return answer.json() if "json" in answer.headers["Content-Type"] else None

    runs = ask("/api/runs?limit=500")["runs"]
    ask("/api/exceptions?state=ended")
    parked = [each["number"] for each in ask("/api/exceptions")["exceptions"]]
    given = {
        "run_id": [run["id"] for run in runs],
        "number": parked,
        "approval_id": ["none"],
        "id": ["1", "'"],
        "group": ["x"],
    }
    for path, item in ask("/openapi.json")["paths"].items():
        for name in re.findall(r"{(\w+)}", path) or [""]:
            for value in given.get(name, [""])[:6] if "get" in item else []:
                asked = path.replace(f"{{{name}}}", urllib.parse.quote(value, safe=""))
                ask(asked + ("?unit=emea" if "/system/" in path else ""))
    sandbox.desk("faults", {"rules": [{"kind": "down", "rate": 1}]})
    for path in ("/api/system/crm/quotes?unit=emea", "/api/system/support/cases/1?unit=emea"):
        ask(path + "&limit=1" if "?" in path and "quotes" in path else path)
    told.shown = "".join(
        isthmus(*command, cwd=told.folder / "acme").stdout
        for command in (("runs", "list"), ("runs", "show", "OPP-1001"), ("explain", "OPP-1001"), ("exceptions", "list"))
    )


def test_no_secret_is_left_behind(story: Story) -> None:
    """Database, log, spans, HTTP answers and command lines hold no secret of the environment, in any form."""
    path = Path(story.database.removeprefix("sqlite:///"))
    files = [each for each in story.folder.rglob("*") if each.is_file()]
    assert path in files and len(story.answers) > 25 and len(story.spans) > 50 and len(story.log) > 200
    left = {str(file.relative_to(story.folder)): file.read_bytes() for file in files}
    left |= {f"GET {asked}": answer.encode() for asked, answer in story.answers.items()}
    left |= {"telemetry": story.telemetry, "command line": story.shown.encode()}
    leaks = [
        f"{name} in {place}"
        for place, held in left.items()
        for name, value in story.secrets.items()
        if value.encode() in held
    ]
    assert not leaks, leaks
    # bearer tokens of the vendors are made on the way: none stands where a header was written down
    for place, held in left.items():
        assert not re.search(rb"(?i)authorization['\"]?[:=] ?['\"]?(bearer|basic) [A-Za-z0-9+/=._-]{8,}", held), place
    tokens = Store.open_connection(story.database).rows("SELECT sealed FROM token WHERE sealed IS NOT NULL")
    assert tokens and all(row["sealed"].startswith("gAAAA") for row in tokens), "tokens are sealed"


def test_the_search_finds_what_is_there(story: Story) -> None:
    """The search itself can find: a user's name, which is no secret, stands in what was searched."""
    left = (
        story.telemetry
        + "".join(story.answers.values()).encode()
        + Path(story.database.removeprefix("sqlite:///")).read_bytes()
    )
    assert b"OPP-1001" in left and b"quote-to-cash" in left
