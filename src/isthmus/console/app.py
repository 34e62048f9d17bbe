"""The console's app, served beside the gateway: server state drawn as pages, every page a deep link.

No page holds script or style of its own, so the policy allows only our two files. Who changes something proves it twice:
by the cookie, which no other site can make a browser send, and by the token that only our own form knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.console import doors
from isthmus.console.desk import Desk, Forbidden
from isthmus.console.live import live
from isthmus.console.pages import approvals, audit, catalogue, exceptions, landscape, mending, runs, today
from isthmus.orchestration.engine import Engine

ROOT = "/console"
_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}
Page = Callable[[Request, Desk], Awaitable[Response]]


def create_console(engine: Engine, wake: Callable[[], None], *, anonymous: str | None = None) -> Starlette:
    """The app, to be mounted at ``/console``. ``anonymous`` lets visitors in without signing in (the demo only)."""
    desk = Desk(engine, wake, ROOT, anonymous)

    def get(path: str, page: Page, scope: str | None = "runs:read") -> Route:
        return Route(path, _guarded(desk, page, scope), methods=["GET"])

    def post(path: str, page: Page, scope: str) -> Route:
        return Route(path, _guarded(desk, page, scope), methods=["POST"])

    routes = [
        Mount("/static", StaticFiles(directory=_HERE / "static")),
        Route("/sign-in", doors.sign_in(desk), methods=["GET", "POST"]),
        Route("/oidc/sign-in", doors.to_provider(desk), methods=["GET"]),
        Route("/oidc/back", doors.from_provider(desk), methods=["GET"]),
        Route("/sign-out", doors.sign_out(desk), methods=["POST"]),
        get("/", today.today),
        get("/live", live),
        get("/runs", runs.listed),
        get("/runs/{run_id:path}", runs.one),
        get("/exceptions", exceptions.listed),
        get("/exceptions/group", exceptions.group),
        post("/exceptions/group/retry", exceptions.retry_group, "exceptions:write"),
        post("/exceptions/group/edit", mending.edit_group, "exceptions:write"),
        get("/exceptions/{number:int}", exceptions.one),
        post("/exceptions/{number:int}/edit", mending.edit, "exceptions:write"),
        post("/exceptions/{number:int}/{verb}", exceptions.change, "exceptions:write"),
        get("/approvals", approvals.inbox),
        get("/approvals/{approval_id:path}", approvals.one),
        post("/approvals/{approval_id:path}", approvals.decide, "approvals:decide"),
        get("/landscape", landscape.layers),
        get("/landscape/field", landscape.field),
        get("/catalogue", catalogue.listed),
        get("/audit", audit.listed),
    ]
    return Starlette(routes=routes, middleware=[Middleware(_Hardened)])


def _guarded(desk: Desk, page: Page, scope: str | None) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(request: Request) -> Response:
        visitor = await desk.visitor(request)
        if visitor is None:
            there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(desk.url("/sign-in", then=there), 303)
        request.state.visitor = visitor
        try:
            if scope is not None and not visitor.may(scope):
                raise Forbidden(scope)
            if request.method == "POST":
                await desk.check_token(request)
            return await page(request, desk)
        except Forbidden as error:
            return desk.says(request, "You may not do this", str(error), 403)
        except PermissionError as error:
            return desk.says(request, "You may not do this", str(error), 403)
        except LookupError as error:
            return desk.says(request, "There is no such thing", str(error.args[0]), 404)
        except ValueError as error:
            return desk.says(request, "This cannot be done", str(error), 409)

    return guarded


class _Hardened:
    """Sets the headers that keep other sites and injected text out, on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS.items()]
            await send(message)

        await self._app(scope, receive, hardened)
