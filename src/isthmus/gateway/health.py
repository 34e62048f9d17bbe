"""Liveness, readiness and measures."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from isthmus.gateway.access import Access
from isthmus.gateway.shapes import Health
from isthmus.store import exceptions, messages, permits, runs, workers
from isthmus.store.clock import moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction


def add_health(routes: APIRouter, store: Store, access: Access) -> None:
    """``/health/live`` and ``/health/ready``, open to everybody; ``/metrics`` for who may read measures."""

    @routes.get("/health/live", operation_id="live")
    async def live() -> Health:
        """The process answers."""
        return Health(status="alive")

    @routes.get("/health/ready", operation_id="ready")
    async def ready() -> Health:
        """The database answers."""
        await store.read(lambda tx: tx.value("SELECT 1 AS one"))
        return Health(status="ready")

    @routes.get(
        "/metrics", dependencies=[Depends(access.needs("metrics:read"))], operation_id="metrics",
        response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def metrics() -> Response:
        """What is going on, for Prometheus."""
        return Response(generate_latest(await _measured(store)), media_type=CONTENT_TYPE_LATEST)


async def _measured(store: Store) -> CollectorRegistry:
    def work(tx: Transaction) -> tuple[dict[str, int], list[Row], Row | None, list[Row], list[Row]]:
        return (
            runs.counts(tx),
            exceptions.groups(tx),
            messages.oldest_new(tx),
            workers.living(tx),
            permits.all_permits(tx),
        )

    counts, groups, oldest, living, connections = await store.read(work)
    registry = CollectorRegistry()
    by_state = Gauge("isthmus_runs", "Runs by state", ["state"], registry=registry)
    for state, number in counts.items():
        by_state.labels(state).set(number)
    parked = Gauge(
        "isthmus_exceptions_open", "Open exceptions by operation and code", ["operation", "code"], registry=registry
    )
    for group in groups:
        parked.labels(group["operation"] or "", group["code"] or "").inc(group["n"])
    waiting = Gauge("isthmus_messages_waiting", "Messages that nobody has claimed", registry=registry)
    age = Gauge(
        "isthmus_oldest_message_age_seconds", "Age of the oldest message that nobody has claimed", registry=registry
    )
    waiting.set(oldest["waiting"] if oldest else 0)
    received = oldest["received_at"] if oldest else None
    age.set((store.clock() - moment(received)).total_seconds() if received else 0)
    Gauge("isthmus_workers", "Workers that live", registry=registry).set(len(living))
    breakers = Gauge(
        "isthmus_connection_open", "1 where a connection's circuit breaker is open", ["connection"], registry=registry
    )
    for row in connections:
        until = row["open_until"]
        breakers.labels(row["connection"]).set(1 if until and moment(until) > store.clock() else 0)
    return registry
