"""What one call may cost us before we know who calls: so many bytes, in so many seconds."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.gateway.problems import problem_response
from isthmus.model.problems import PROBLEMS_AT, Problem

BODY_MAX = 2 * 1024 * 1024
BODY_S = 15.0
_CLOSE = {"Connection": "close"}


class Limits:
    """Reads no body beyond the limits: 413 where it is larger, 408 where it comes too slowly."""

    body_max, body_s = BODY_MAX, BODY_S

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if announced.isdigit() and int(announced) > self.body_max:
            await problem_response(self.too_large(), _CLOSE)(scope, receive, send)
            return
        await self._app(scope, _Body(receive, self).receive, send)

    def too_large(self) -> Problem:
        title = f"The body is larger than {self.body_max // 1024} KiB"
        return Problem(type=PROBLEMS_AT + "too-large", title=title, status=413, mend="send less in one call")


class _Body:
    """One body on its way."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._size, self._whole = 0, False
        self._end: float | None = None

    async def receive(self) -> Message:
        """The next part. Raises HTTPException 413, 408."""
        if self._whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        self._end = self._end or loop.time() + self._limits.body_s
        try:
            async with asyncio.timeout_at(self._end):
                message: MutableMapping[str, Any] = await self._receive()
        except TimeoutError:
            title = f"The body did not come within {self._limits.body_s:.0f} s"
            raise HTTPException(408, title, _CLOSE) from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._limits.body_max:
            raise HTTPException(413, self._limits.too_large().title, _CLOSE)
        return message
