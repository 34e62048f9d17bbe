"""Liveness, readiness and measures."""

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.gateway.access import Access
from isthmus.gateway.problems import problem
from isthmus.gateway.shapes import Health
from isthmus.orchestration.engine import Engine
from isthmus.store.transaction import Transaction
from isthmus.visibility.measures import GAUGES, Asked


class Presence:
    """Whether this process wants calls. ``leaving``: readiness says no, and every answer ends its connection.

    What still comes in is answered all the same, so that a balancer has the time to notice.
    """

    leaving = False


class Farewell:
    """While we are leaving, the last answer on a connection says that it is the last (ASGI middleware)."""

    def __init__(self, app: ASGIApp, presence: Presence) -> None:
        self._app, self._presence = app, presence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and end the connection where we leave."""

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._presence.leaving:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, last)


def add_health(routes: APIRouter, engine: Engine, access: Access, presence: Presence) -> None:
    """``/health/live`` and ``/health/ready``, open to everybody; ``/metrics`` for who may read measures."""

    @routes.get("/health/live", operation_id="live")
    async def live() -> Health:
        """The process answers."""
        return Health(status="alive")

    @routes.get("/health/ready", operation_id="ready")
    async def ready() -> Health:
        """The database answers, and this process is not about to go."""
        if presence.leaving:
            raise problem(503, "leaving", "This process is about to end; others take calls", mend="ask another")
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
