"""What is going on, in numbers: the same names for Prometheus and for OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from isthmus.landscape.release import ServiceLevel
from isthmus.store import exceptions, messages, permits, runs, service_levels, workers
from isthmus.store.clock import moment
from isthmus.store.transaction import Transaction
from isthmus.visibility.service_levels import measure

Values = Iterator[tuple[tuple[str, ...], float]]
#: ended promises are counted over this time
OVER = timedelta(hours=24)


class Asked(NamedTuple):
    """What a measure is taken of."""

    tx: Transaction
    levels: Mapping[str, ServiceLevel]
    now: datetime


class Gauge(NamedTuple):
    """One measure: its name, what it says, its labels, and how its values are found."""

    name: str
    says: str
    labels: tuple[str, ...]
    values: Callable[[Asked], Values]


def _runs(asked: Asked) -> Values:
    for state, number in runs.counts(asked.tx).items():
        yield (state,), number


def _exceptions(asked: Asked) -> Values:
    found: dict[tuple[str, ...], float] = {}
    for group in exceptions.groups(asked.tx):
        key = (group["operation"] or "", group["code"] or "")
        found[key] = found.get(key, 0) + group["n"]
    yield from found.items()


def _waiting(asked: Asked) -> Values:
    oldest = messages.oldest_new(asked.tx)
    yield (), oldest["waiting"] if oldest else 0


def _age(asked: Asked) -> Values:
    oldest = messages.oldest_new(asked.tx)
    received = oldest["received_at"] if oldest else None
    yield (), (asked.now - moment(received)).total_seconds() if received else 0


def _workers(asked: Asked) -> Values:
    yield (), len(workers.living(asked.tx))


def _breakers(asked: Asked) -> Values:
    for row in permits.all_permits(asked.tx):
        until = row["open_until"]
        yield (row["connection"],), 1 if until and moment(until) > asked.now else 0


def _levels(asked: Asked) -> Values:
    for level in measure(asked.tx, asked.levels, asked.now, OVER):
        for state in ("on_time", "at_risk", "late", "met", "missed"):
            yield (level.level, state), getattr(level, state)


def _alerts(asked: Asked) -> Values:
    found: dict[tuple[str, ...], float] = {(level.tell,): 0 for level in asked.levels.values()}
    for row in service_levels.open_alerts(asked.tx):
        found[row["desk"],] = found.get((row["desk"],), 0) + 1
    yield from found.items()


GAUGES = (
    Gauge("isthmus_runs", "Runs by state", ("state",), _runs),
    Gauge("isthmus_exceptions_open", "Open exceptions by operation and code", ("operation", "code"), _exceptions),
    Gauge("isthmus_messages_waiting", "Messages that nobody has claimed", (), _waiting),
    Gauge("isthmus_oldest_message_age_seconds", "Age of the oldest message that nobody has claimed", (), _age),
    Gauge("isthmus_workers", "Workers that live", (), _workers),
    Gauge("isthmus_connection_open", "1 where a connection's circuit breaker is open", ("connection",), _breakers),
    Gauge(
        "isthmus_service_level_documents",
        "Documents under a service level: open ones by how they stand, those of the last 24 hours by how they ended",
        ("level", "state"),
        _levels,
    ),
    Gauge("isthmus_alerts_open", "Open alerts by desk", ("desk",), _alerts),
)
