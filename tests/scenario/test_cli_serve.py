"""``isthmus serve`` as a process, with commands beside it that write rows, and workers that come and go."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus, running, said
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import environment

from isthmus.cli.init import write_landscape
from isthmus.store.store import Store


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as started:
        yield started


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    from isthmus.catalogue.registry import registry

    known = registry()
    write_landscape(tmp_path / "acme", known.blueprints["quote_to_cash"], known)
    return tmp_path / "acme"


def get(url: str, key: str = "") -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def until(condition: Callable[[], Any], within_s: float = 30) -> Any:
    ends = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.1)
    return found


def state_of(key: str, cwd: Path) -> str | None:
    rows = said("runs", "list", "--text", key, "--process", "quote-to-cash", cwd=cwd)
    return rows[0]["state"] if rows else None


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what a process has loaded is read from /proc")
def test_an_idle_worker_has_loaded_only_what_it_needs(sandbox: RunningSandbox, acme: Path, tmp_path: Path) -> None:
    """Migration, engine of jobs and reader of XML come when they are needed: together they are half of a worker."""
    with running("serve", "acme", "--port", "0", cwd=tmp_path, environment=environment(sandbox)) as facts:
        until(lambda: get(f"{facts['url']}/health/ready") == {"status": "ready"})
        loaded = Path(f"/proc/{facts['process'].pid}/maps").read_text()
    assert "pydantic_core" in loaded
    assert [name for name in ("sqlalchemy", "psycopg", "lxml") if name in loaded] == []


def test_it_serves_and_commands_beside_it_write_rows(sandbox: RunningSandbox, acme: Path, tmp_path: Path) -> None:
    with running("serve", "acme", "--port", "0", cwd=tmp_path, environment=environment(sandbox)) as facts:
        hook = f"{facts['url']}/webhooks/salesforce/{environment(sandbox)['ISTHMUS_SF_WEBHOOK_SECRET']}"
        message = {"object": "Opportunity", "when": "IsWon = true", "fields": "Id,SystemModstamp", "url": hook}
        sandbox.desk("salesforce/set/outbound_message/isthmus", message)
        sandbox.desk("salesforce/play/win_many", {"opportunities": "OPP-1001,OPP-1017"})
        until(lambda: state_of("OPP-1001", tmp_path) == "done")
        until(lambda: state_of("OPP-1017", tmp_path) == "parked")
        _keys_open_the_api(facts["url"], tmp_path)
        _a_mend_and_a_retry_go_through(sandbox, tmp_path)
        told = isthmus("explain", "OPP-1001", cwd=tmp_path).stdout
        assert "Salesforce says: quote accepted" in told
        assert "SAP S/4HANA: order 45" in told
        shown = isthmus("runs", "show", "OPP-1001", cwd=tmp_path).stdout
        assert "create_order" in shown
        assert "Who was asked" in shown
    assert not (tmp_path / ".isthmus/serve.json").exists()
    left = Store.open_connection(facts["database"]).row("SELECT count(*) AS n FROM worker WHERE holder IS NOT NULL")
    assert left == {"n": 0}, "a drained worker gives its slot back"


def _keys_open_the_api(url: str, cwd: Path) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(f"{url}/api/runs")
    assert refused.value.code == 401
    key = said("keys", "create", "shop", "--scope", "runs:read", cwd=cwd)["key"]
    assert {run["key"] for run in get(f"{url}/api/runs?process=quote-to-cash", key)["runs"]} == {"OPP-1001", "OPP-1017"}


def _a_mend_and_a_retry_go_through(sandbox: RunningSandbox, cwd: Path) -> None:
    number = said("exceptions", "list", cwd=cwd)[0]["number"]
    said("exceptions", "retry", number, cwd=cwd)
    again = until(lambda: [e for e in said("exceptions", "list", cwd=cwd) if e["number"] != number])
    assert again[0]["title"] == "The ERP has blocked this customer for new orders (credit)", (
        "without the mend it parks again"
    )
    sandbox.desk("sap_s4hana/set/customer/17100010", {"order_block": "none"})
    said("exceptions", "retry", again[0]["number"], cwd=cwd)
    until(lambda: state_of("OPP-1017", cwd) == "done")


def test_web_and_worker_are_processes_of_their_own(sandbox: RunningSandbox, acme: Path, tmp_path: Path) -> None:
    """What the web stored while no worker lived is played by the one that comes; killed, another takes over."""
    variables = environment(sandbox)
    with running("serve", "acme", "--as", "web", "--port", "0", cwd=tmp_path, environment=variables) as web:
        hook = f"{web['url']}/webhooks/salesforce/{variables['ISTHMUS_SF_WEBHOOK_SECRET']}"
        message = {"object": "Opportunity", "when": "IsWon = true", "fields": "Id,SystemModstamp", "url": hook}
        sandbox.desk("salesforce/set/outbound_message/isthmus", message)
        sandbox.desk("salesforce/play/win", {"opportunity": "OPP-1002"})
        database = Store.open_connection(web["database"])
        until(lambda: database.value("SELECT count(*) AS n FROM message") == 1)
        assert database.value("SELECT count(*) AS n FROM run") == 0
        killed = running("serve", "acme", "--as", "worker", cwd=tmp_path, environment=variables)
        first = killed.__enter__()
        assert first["url"] is None
        os.kill(first["process"].pid, signal.SIGKILL)
        first["process"].wait()
        with running("serve", "acme", "--as", "worker", cwd=tmp_path, environment=variables):
            until(lambda: database.value("SELECT state FROM run WHERE business_key = 'OPP-1002'") == "done", 40)
        with pytest.raises(AssertionError):
            killed.__exit__(None, None, None)


def test_what_keeps_it_from_starting_is_said(acme: Path, tmp_path: Path) -> None:
    missing = isthmus("serve", "acme", "--port", "0", cwd=tmp_path)
    assert missing.returncode == 1
    assert "ISTHMUS_SF_URL" in missing.stderr
    assert "Traceback" not in missing.stderr
    text = (acme / "isthmus.yaml").read_text()
    (acme / "isthmus.yaml").write_text(text.replace("erp: sap,", "erp: sop,"))
    broken = isthmus("serve", "acme", "--port", "0", cwd=tmp_path)
    assert 'did you mean "sap"?' in broken.stderr
    assert "nothing started" in broken.stderr
    opened = isthmus("serve", "acme", "--visitor", "all", "--host", "0.0.0.0", cwd=tmp_path)
    assert "on this machine only" in opened.stderr


class Collector(ThreadingHTTPServer):
    """Takes what is exported by OTLP over HTTP: path → bodies."""

    def __init__(self) -> None:
        taken: dict[str, list[bytes]] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                taken.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        super().__init__(("127.0.0.1", 0), Handler)
        self.taken = taken
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_spans_leave_where_a_collector_is_named(sandbox: RunningSandbox, acme: Path, tmp_path: Path) -> None:
    """The spans of webhook, run and calls reach the collector under the trace id that the run shows."""
    collector = Collector()
    variables = environment(sandbox) | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    with running("serve", "acme", "--port", "0", cwd=tmp_path, environment=variables) as facts:
        hook = f"{facts['url']}/webhooks/salesforce/{variables['ISTHMUS_SF_WEBHOOK_SECRET']}"
        message = {"object": "Opportunity", "when": "IsWon = true", "fields": "Id,SystemModstamp", "url": hook}
        sandbox.desk("salesforce/set/outbound_message/isthmus", message)
        sandbox.desk("salesforce/play/win", {"opportunity": "OPP-1001"})
        until(lambda: state_of("OPP-1001", tmp_path) == "done")
        trace = said("runs", "show", "OPP-1001", cwd=tmp_path)["trace_id"]
    collector.shutdown()
    spans = b"".join(collector.taken["/v1/traces"])
    assert spans.count(bytes.fromhex(trace)) >= 2, "the webhook's span and the run's, in one trace"
    assert b"run quote-to-cash" in spans
    assert b"".join(collector.taken["/v1/logs"]).count(b"has slot") == 1
