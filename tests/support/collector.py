"""Takes spans and log lines over OTLP/HTTP, as a collector of telemetry does."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it was sent; ids are hexadecimal, ``parent`` is empty where there is none."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    attributes: dict[str, str]
    failed: bool


@dataclass(frozen=True)
class Line:
    """A log line as it was sent."""

    body: str
    trace: str


class Collector(ThreadingHTTPServer):
    """``with Collector() as collector: collector.url``; what came is in ``bodies``, by path."""

    def __init__(self) -> None:
        bodies: dict[str, list[bytes]] = {}

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                bodies.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        super().__init__(("127.0.0.1", 0), Taking)
        self.bodies, self.url = bodies, f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def spans(self) -> Iterator[Span]:
        """Every span that came."""
        for body in self.bodies.get("/v1/traces", []):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                assert _values(resource.resource.attributes)["service.name"] == "isthmus"
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    yield Span(
                        span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.kind,
                        _values(span.attributes), span.status.code == 2,
                    )  # fmt: skip

    def lines(self) -> Iterator[Line]:
        """Every log line that came."""
        for body in self.bodies.get("/v1/logs", []):
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                for record in (record for scope in resource.scope_logs for record in scope.log_records):
                    yield Line(record.body.string_value, record.trace_id.hex())


def _values(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in attributes}
