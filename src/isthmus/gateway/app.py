"""The gateway's app: every door in one place, and an OpenAPI document that says what is really served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

from isthmus import __version__
from isthmus.gateway import attention, health, problems
from isthmus.gateway.access import SCOPES, Access
from isthmus.gateway.process import runs
from isthmus.gateway.system import objects
from isthmus.gateway.webhooks import Webhooks
from isthmus.orchestration.engine import Engine


def create_app(
    engine: Engine, settings: Mapping[str, Mapping[str, Any]], wake: Callable[[], None], *, anonymous: str | None = None
) -> FastAPI:
    """The app over an engine. ``anonymous`` lets callers in without a key (the demo only)."""
    app = FastAPI(
        title="Isthmus",
        version=__version__,
        description=f"System and process APIs of landscape {engine.release.name}. Scopes: "
        + "; ".join(f"`{scope}` {what}" for scope, what in SCOPES.items()),
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    access = Access(engine.store, engine.release, anonymous)
    webhooks = Webhooks(engine.store, engine.release, settings, wake)
    app.router.routes += [
        Route("/webhooks/{connection}", webhooks.take, methods=["POST"]),
        Route("/webhooks/{connection}/{secret}", webhooks.take, methods=["POST"]),
    ]
    app.include_router(health.router(engine.store))
    app.include_router(runs.router(engine, access, wake))
    app.include_router(attention.router(engine.store, access, wake, engine.release.id))
    app.include_router(objects.router(engine, access, wake))
    return app
