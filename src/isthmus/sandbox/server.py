"""One HTTP server for all stand-ins: ``/<vendor>/…`` or a host name that begins with the vendor's name.

aiohttp's server is used because it can abort a connection, which is how an answer gets lost.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import unquote

from aiohttp import web

from isthmus.sandbox.desk import Desk
from isthmus.sandbox.tls import OnePort
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.standin import Cut, Sandbox

_MAX_BODY = 160 * 1024 * 1024
DESK = "/_sandbox"


class SandboxServer:
    """Serves stand-ins until closed. ``await start()`` returns once every port listens."""

    def __init__(self, sandboxes: Mapping[str, Sandbox], *, host: str = "127.0.0.1") -> None:
        self.sandboxes = dict(sandboxes)
        self._host = host
        self._desk = Desk(self.sandboxes)
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.ServerRunner | None = None
        self._both: OnePort | None = None
        self.ports: dict[str, int] = {}

    async def start(
        self, port: int = 0, *, tls_port: int | None = None, tls: ssl.SSLContext | None = None, one_port: bool = False
    ) -> None:
        """Listen on ``port`` (0: any free one) and, with ``tls``, on ``tls_port`` too; see ``ports``.

        With ``one_port`` both HTTP and HTTPS are spoken on ``port``.
        """
        handlers = web.Server(self._serve, access_log=None)
        self._runner = web.ServerRunner(handlers)
        await self._runner.setup()
        if tls is not None and one_port:
            self._both = OnePort(handlers, tls)
            self.ports["http"] = self.ports["https"] = await self._both.listen(self._host, port)
        else:
            self.ports["http"] = await self._listen(port, None)
            if tls is not None:
                self.ports["https"] = await self._listen(tls_port or 0, tls)
        for sandbox in self.sandboxes.values():
            for push in sandbox.pushes:
                self._keep(push.run())

    async def close(self) -> None:
        """Stop listening and delivering."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._both is not None:
            await self._both.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def base_url(self, vendor: str, scheme: str = "http") -> str:
        """The address of one stand-in's root."""
        return f"{scheme}://{self._host}:{self.ports[scheme]}/{vendor}"

    async def _listen(self, port: int, tls: ssl.SSLContext | None) -> int:
        assert self._runner is not None
        site = web.TCPSite(self._runner, self._host, port, ssl_context=tls, backlog=1024)
        await site.start()
        assert self._runner.addresses
        return int(self._runner.addresses[-1][1])

    def _keep(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            with suppress(asyncio.CancelledError):
                await work

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, incoming: web.BaseRequest) -> web.StreamResponse:
        incoming._client_max_size = _MAX_BODY
        path, _, query_string = incoming.raw_path.partition("?")
        scheme = incoming.headers.get("X-Forwarded-Proto", incoming.scheme)
        host = incoming.headers.get("X-Forwarded-Host", incoming.host)
        body = await incoming.read() if incoming.body_exists else b""
        vendor, prefix = self._vendor(host, path)
        request = Request(
            method=incoming.method,
            path="",
            raw_path=path[len(prefix) :] or "/",
            query_string=query_string,
            headers={name.lower(): value for name, value in incoming.headers.items()},
            body=body,
            root=f"{scheme}://{host}{prefix}",
        )
        request.path = unquote(request.raw_path)
        if path.startswith(DESK):
            return _response(await self._desk.answer(request))
        if vendor is None:
            known = ", ".join(self.sandboxes)
            return _response(Answer(404, {"title": f"No sandbox at {path}; there are {known}"}))
        return await self._played(self.sandboxes[vendor].answer, request, incoming)

    async def _played(
        self, answer: Callable[[Request], Awaitable[Answer]], request: Request, incoming: web.BaseRequest
    ) -> web.StreamResponse:
        try:
            return _response(await answer(request))
        except Cut as cut:
            if cut.later is not None:
                self._keep(cut.later())
            if incoming.transport is not None:
                incoming.transport.abort()
            raise asyncio.CancelledError from None

    def _vendor(self, host: str, path: str) -> tuple[str | None, str]:
        first = path.split("/", 2)[1] if path.startswith("/") else ""
        if first in self.sandboxes:
            return first, f"/{first}"
        label = host.split(":")[0].split(".")[0].replace("-", "_")
        return (label, "") if label in self.sandboxes else (None, "")


def _response(answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    body = answer.encoded()
    if answer.status != 204 and (body or answer.body is not None):
        headers.setdefault("Content-Type", answer.content_type)
    response = web.Response(status=answer.status, body=body or None)
    for name, value in headers.items():
        # several cookies travel as one value per line
        for part in value.split("\n") if name.lower() == "set-cookie" else [value]:
            response.headers.add(name, part)
    return response
