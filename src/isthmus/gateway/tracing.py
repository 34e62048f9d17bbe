"""Where a trace begins: with whoever calls us, or here. What is stored carries it on, over restarts. (W3C Trace Context.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACER = trace.get_tracer("isthmus.gateway")
_PROPAGATOR = TraceContextTextMapPropagator()


@contextmanager
def incoming(name: str, headers: Mapping[str, str], attributes: Mapping[str, Any]) -> Iterator[trace.Span]:
    """A span for a call that came in, in the caller's trace if it has one."""
    with _TRACER.start_as_current_span(
        name, context=_PROPAGATOR.extract(headers), kind=trace.SpanKind.SERVER, attributes=dict(attributes)
    ) as span:
        yield span


def traceparent() -> str | None:
    """What is stored beside the work that this call asks for, so that it goes on in this trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def without_secrets(scope: Mapping[str, Any]) -> bool:
    """Which calls the framework leaves alone: the path of a webhook or of a decision's link can hold a secret."""
    return str(scope.get("path", "")).startswith(("/webhooks/", "/approvals/", "/health/"))
