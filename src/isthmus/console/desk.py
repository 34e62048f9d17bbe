"""What every page has at hand: the engine, who is looking, and how a page is drawn."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from isthmus.console.drawing import environment
from isthmus.console.oidc import Provider
from isthmus.governance import people
from isthmus.governance.access import SCOPES
from isthmus.governance.people import Visitor
from isthmus.landscape.secrets import resolve
from isthmus.orchestration.engine import Engine

COOKIE = "isthmus_session"


class Forbidden(Exception):
    """Signed in, and may not do this."""

    def __init__(self, scope: str) -> None:
        may = [role for role, scopes in people.ROLES.items() if scope in scopes]
        super().__init__(f"To {SCOPES[scope]} you need one of the access roles {', '.join(may)}.")


class Desk:
    """Shared by all pages of one console."""

    def __init__(self, engine: Engine, wake: Callable[[], None], root: str, anonymous: str | None) -> None:
        self.engine, self.store, self.wake, self.root = engine, engine.store, wake, root
        self._anonymous, self._token = anonymous, secrets.token_urlsafe(24)
        self._templates = environment(root, engine.release)
        self.local_people, self.provider = engine.release.local_people, self._provider()

    def _provider(self) -> Provider | None:
        release = self.engine.release
        oidc = release.oidc
        if oidc is None:
            return None
        written, setting = oidc.client_secret, "console.oidc.client_secret"
        return Provider(
            oidc, lambda: written and resolve(written, setting=setting, folder=release.folder), self.store.clock
        )

    def outside(self, request: Request, path: str) -> str:
        """The whole address of a page, as browsers reach it: by ``console_url``, else as this request came."""
        written = self.engine.release.environment.console_url
        if written is None:
            return str(request.base_url.replace(path=self.root, query="")) + path
        folder = self.engine.release.folder
        return resolve(written, setting="environments.console_url", folder=folder).rstrip("/") + path

    def url(self, path: str, /, **query: Any) -> str:
        """An address in the console."""
        asked = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.root}{path}" + (f"?{urlencode(asked)}" if asked else "")

    async def visitor(self, request: Request) -> Visitor | None:
        """Who is looking; None where nobody is signed in."""
        if cookie := request.cookies.get(COOKIE):
            found = await people.visitor(self.store, cookie)
            if found is not None:
                return found
        if self._anonymous:
            return Visitor(self._anonymous, ("admin",), self._token)
        return None

    async def check_token(self, request: Request) -> None:
        """Refuse a form that is not ours. Raises PermissionError."""
        origin = request.headers.get("origin")
        if origin and urlsplit(origin).netloc != request.headers.get("host"):
            raise PermissionError("The form came from another site.")
        form = await self.form(request)
        if not hmac.compare_digest(str(form.get("token", "")), self.who(request).token):
            raise PermissionError("The form is out of date: load the page again and repeat what you did.")

    async def form(self, request: Request) -> FormData:
        """The form that was sent; read once."""
        if not hasattr(request.state, "form"):
            request.state.form = await request.form()
        found: FormData = request.state.form
        return found

    def who(self, request: Request) -> Visitor:
        """Who is looking, on a page that needs somebody."""
        found: Visitor = request.state.visitor
        return found

    def page(self, request: Request, template: str, facts: Mapping[str, Any], status: int = 200) -> Response:
        """A page drawn for whoever is looking."""
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        shown = {
            "visitor": visitor,
            "path": request.url.path.removeprefix(self.root) or "/",
            "anonymous": self._anonymous,
        }
        text = self._templates.get_template(template).render({**shown, "query": request.query_params, **facts})
        return HTMLResponse(text, status, {"Cache-Control": "no-store"})

    def says(self, request: Request, title: str, text: str, status: int) -> Response:
        """A page that only says something."""
        return self.page(request, "says.html", {"title": title, "text": text}, status)

    def done(self, path: str, said: str, /, **query: Any) -> Response:
        """Back to a page, which says what was done."""
        return RedirectResponse(self.url(path, said=said, **query), 303)
