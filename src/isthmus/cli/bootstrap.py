"""The composition root: from a landscape's folder to a system that can work. The only place that sets up telemetry."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.landscape.release import Release
    from isthmus.orchestration.engine import Engine
    from isthmus.store.store import Store

_STANDARD_OTLP, _STANDARD_SAMPLER = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER"
_SEVERITIES = ((logging.ERROR, "ERROR"), (logging.WARNING, "WARN"), (logging.INFO, "INFO"))


@dataclass
class System:
    """A release over its database, ready to work."""

    release: Release
    settings: Mapping[str, Mapping[str, Any]]
    database: str
    store: Store
    engine: Engine

    async def close(self) -> None:
        """Let go of connections and database."""
        await self.engine.close()
        self.store.close()


async def open_system(folder: Path, environment: str, database: str | None = None, *, to_stay: bool = False) -> System:
    """Compile the landscape, resolve its secrets, bring the database up to date, put the parts together.

    ``to_stay``: this process will stand for days, so what it needs at the start alone is done in another one.

    Raises LandscapeProblems, SecretMissing, StoreUnavailable; nothing is started then.
    """
    from isthmus.landscape.release import compile_release
    from isthmus.orchestration.engine import Engine
    from isthmus.store.migrate import migrate, migrate_apart
    from isthmus.store.store import Store

    release = compile_release(folder, environment)
    settings = {name: release.secret_settings(name) for name in release.connections}
    url = database_url(folder, environment, database or release.environment.database)
    set_up_telemetry(release.environment.otlp, folder)
    (migrate_apart if to_stay else migrate)(url)
    store = Store(url)
    set_up_measures(release, url, folder)
    return System(release, settings, url, store, Engine(store, release, settings))


def database_url(folder: Path, environment: str, written: str) -> str:
    """The address of a database as an environment writes it: ``sqlite``, a path, a reference, or an address."""
    from isthmus.landscape.secrets import resolve

    value = resolve(written, setting=f"environments.{environment}.database", folder=folder)
    if value.startswith("postgres"):
        return value
    if value == "sqlite":
        value = f".isthmus/{environment}.sqlite"
    path = Path(value.removeprefix("sqlite:///"))
    # what an address names is meant from here, what a landscape names from its folder
    root = Path() if value.startswith("sqlite:///") else folder
    path = (root / path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def set_up_telemetry(otlp: str | None, folder: Path) -> None:
    """Give work its trace ids, and send spans and log where the environment says.

    ``otlp`` is an OTLP/HTTP address or a reference to one; the standard variable OTEL_EXPORTER_OTLP_ENDPOINT counts
    where the landscape names none. Without either nothing is recorded, and trace ids are there all the same. With one
    everything is recorded, whatever a caller's flags say, unless OTEL_TRACES_SAMPLER decides otherwise.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

    from isthmus import __version__
    from isthmus.landscape.secrets import resolve

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    endpoint = resolve(otlp, setting="environments.otlp", folder=folder) if otlp else os.environ.get(_STANDARD_OTLP)
    resource = Resource.create({"service.name": "isthmus", "service.version": __version__})
    if not endpoint:
        trace.set_tracer_provider(TracerProvider(resource=resource, sampler=ALWAYS_OFF))
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers = TracerProvider(resource=resource, sampler=None if os.environ.get(_STANDARD_SAMPLER) else ALWAYS_ON)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(tracers)
    _send_log(endpoint, resource)


def set_up_measures(release: Release, database: str, folder: Path) -> None:
    """Send the measures that ``/metrics`` tells, under the same names, where the environment sends its telemetry."""
    from isthmus.landscape.secrets import resolve

    otlp = release.environment.otlp
    endpoint = resolve(otlp, setting="environments.otlp", folder=folder) if otlp else os.environ.get(_STANDARD_OTLP)
    if not endpoint:
        return
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    from isthmus import __version__
    from isthmus.store.clock import system_clock
    from isthmus.store.store import Store
    from isthmus.visibility.measures import GAUGES, Asked, Gauge

    def observing(gauge: Gauge) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            tx = Store.open_connection(database)
            try:
                values = list(gauge.values(Asked(tx, release.service_levels, system_clock())))
            finally:
                tx.close()
            return [Observation(value, dict(zip(gauge.labels, labels, strict=True))) for labels, value in values]

        return observe

    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint.rstrip('/')}/v1/metrics"))
    instance = f"{socket.gethostname()}:{os.getpid()}"
    named = {"service.name": "isthmus", "service.version": __version__, "service.instance.id": instance}
    resource = Resource.create(named)
    metrics.set_meter_provider(MeterProvider([reader], resource=resource))
    meter = metrics.get_meter("isthmus")
    for gauge in GAUGES:
        meter.create_observable_gauge(gauge.name, [observing(gauge)], description=gauge.says)


def _send_log(endpoint: str, resource: Any) -> None:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint.rstrip('/')}/v1/logs")))
    logging.getLogger("isthmus").addHandler(_ToTelemetry(loggers))


class _ToTelemetry(logging.Handler):
    """Hands log lines to OpenTelemetry, which adds the trace in which they were written."""

    def __init__(self, loggers: Any) -> None:
        super().__init__(logging.INFO)
        self._logger = loggers.get_logger("isthmus")

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one line over."""
        from opentelemetry._logs import SeverityNumber

        severity = next((name for level, name in _SEVERITIES if record.levelno >= level), SeverityNumber.DEBUG.name)
        self._logger.emit(
            timestamp=int(record.created * 1e9),
            severity_number=SeverityNumber[severity],
            severity_text=record.levelname,
            body=self.format(record),
            attributes={"logger": record.name},
        )


def tune_memory() -> None:
    """Let the collector look seldom, and never again at what was made so far: modules, models, compiled mappings.

    What a play makes is freed as it ends, by counting; only cycles are collected, and each look at young objects
    costs as much as it finds alive: with a hundred plays under way at once that was a sixth of the time.
    """
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def set_up_log() -> None:
    """Log to standard error: warnings of everybody, news of ours, each line with its trace id."""
    handler = logging.StreamHandler()
    handler.addFilter(_trace_id)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s%(trace)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("isthmus").setLevel(logging.INFO)


def _trace_id(record: logging.LogRecord) -> bool:
    """Put the trace in which a line was written on it."""
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    record.trace = f"  trace={context.trace_id:032x}" if context.is_valid else ""
    return True
