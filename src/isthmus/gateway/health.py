"""Liveness, readiness and measures."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from isthmus.gateway.access import Access
from isthmus.gateway.shapes import Health
from isthmus.orchestration.engine import Engine
from isthmus.store.transaction import Transaction
from isthmus.visibility.measures import GAUGES, Asked


def add_health(routes: APIRouter, engine: Engine, access: Access) -> None:
    """``/health/live`` and ``/health/ready``, open to everybody; ``/metrics`` for who may read measures."""

    @routes.get("/health/live", operation_id="live")
    async def live() -> Health:
        """The process answers."""
        return Health(status="alive")

    @routes.get("/health/ready", operation_id="ready")
    async def ready() -> Health:
        """The database answers."""
        await engine.store.read(lambda tx: tx.value("SELECT 1 AS one"))
        return Health(status="ready")

    @routes.get(
        "/metrics", dependencies=[Depends(access.needs("metrics:read"))], operation_id="metrics",
        response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )  # fmt: skip
    async def metrics() -> Response:
        """What is going on, for Prometheus."""
        return Response(generate_latest(await _measured(engine)), media_type=CONTENT_TYPE_LATEST)


async def _measured(engine: Engine) -> CollectorRegistry:
    levels, now = engine.release.service_levels, engine.store.clock()
    registry = CollectorRegistry()

    def work(tx: Transaction) -> None:
        for measured in GAUGES:
            gauge = Gauge(measured.name, measured.says, measured.labels, registry=registry)
            for labels, value in measured.values(Asked(tx, levels, now)):
                (gauge.labels(*labels) if labels else gauge).set(value)

    await engine.store.read(work)
    return registry
