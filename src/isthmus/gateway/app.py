"""The gateway's app: every door in one place, and an OpenAPI document that says what is really served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.routing import Route

from isthmus import __version__
from isthmus.gateway import attention, deciding, problems
from isthmus.gateway.access import Access
from isthmus.gateway.decision_links import DecisionLinks
from isthmus.gateway.document import document
from isthmus.gateway.experience.panel import Panel
from isthmus.gateway.experience.support_desk import add_support_desk
from isthmus.gateway.health import Farewell, Presence, add_health
from isthmus.gateway.idempotency import once_routes
from isthmus.gateway.limits import Limits
from isthmus.gateway.process.runs import add_processes, add_runs
from isthmus.gateway.system.objects import add_system
from isthmus.gateway.tracing import without_secrets
from isthmus.gateway.webhooks import Webhooks, doors
from isthmus.governance.access import Keys
from isthmus.orchestration.engine import Engine


def create_app(
    engine: Engine, settings: Mapping[str, Mapping[str, Any]], wake: Callable[[], None], *,
    anonymous: str | None = None, presence: Presence | None = None,
) -> FastAPI:  # fmt: skip
    """The app over an engine. ``anonymous`` lets callers in without a key, under this name (the demo only).

    ``presence`` is how it is told that the process is about to end.
    """
    presence = presence or Presence()
    app = FastAPI(
        title="Isthmus",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Farewell, presence), Middleware(Limits)],
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "exclude": without_secrets},
    )
    problems.install(app)
    ways_in = doors(engine.release, settings)
    webhooks = Webhooks(engine.store, ways_in, wake)
    app.router.routes += [
        Route("/webhooks/{connection}", webhooks.take, methods=["POST"]),
        Route("/webhooks/{connection}/{secret}", webhooks.take, methods=["POST"]),
        *DecisionLinks(engine.store, wake).routes,
    ]
    access = Access(Keys(engine.store, engine.release), anonymous)
    routes = APIRouter(route_class=once_routes(engine.store))
    add_health(routes, engine, access, presence)
    add_processes(routes, engine, access, wake)
    add_runs(routes, engine, access, wake)
    attention.add_exceptions(routes, engine, access, wake)
    deciding.add_approvals(routes, engine.store, access, wake)
    add_system(routes, engine, access, wake)
    desk = add_support_desk(routes, engine, access)
    app.router.routes += [*routes.routes, *Panel(desk, settings, engine.store.clock).routes]
    app.openapi = lambda: document(app, engine.release.name, ways_in.values())  # type: ignore[method-assign]
    return app
