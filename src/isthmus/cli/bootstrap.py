"""The composition root: from a landscape's folder to a system that can work. The only place that sets up telemetry."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.landscape.release import Release
    from isthmus.orchestration.engine import Engine
    from isthmus.store.store import Store

_STANDARD_OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"


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


async def open_system(folder: Path, environment: str, database: str | None = None) -> System:
    """Compile the landscape, resolve its secrets, bring the database up to date, put the parts together.

    Raises LandscapeProblems, SecretMissing, StoreUnavailable; nothing is started then.
    """
    from isthmus.landscape.release import compile_release
    from isthmus.orchestration.engine import Engine
    from isthmus.store.migrate import migrate
    from isthmus.store.store import Store

    release = compile_release(folder, environment)
    settings = {name: release.secret_settings(name) for name in release.connections}
    url = database_url(folder, environment, database or release.environment.database)
    set_up_telemetry(release.environment.otlp, folder)
    migrate(url)
    store = Store(url)
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
    """Give spans their ids, and send them (and the log) where the environment says.

    ``otlp`` is an OTLP/HTTP address or a reference to one; the standard variable OTEL_EXPORTER_OTLP_ENDPOINT counts
    where the landscape names none. Without either nothing leaves the process, and trace ids are there all the same.
    """
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from isthmus import __version__
    from isthmus.landscape.secrets import resolve

    resource = Resource.create({"service.name": "isthmus", "service.version": __version__})
    tracers = TracerProvider(resource=resource)
    endpoint = resolve(otlp, setting="environments.otlp", folder=folder) if otlp else os.environ.get(_STANDARD_OTLP)
    if endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
        _send_log(endpoint, resource)
    trace.set_tracer_provider(tracers)


def _send_log(endpoint: str, resource: Any) -> None:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint.rstrip('/')}/v1/logs")))
    logging.getLogger("isthmus").addHandler(LoggingHandler(logging.INFO, loggers))
