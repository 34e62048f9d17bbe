"""``Idempotency-Key`` on every route that changes something: one execution, its answer replayed; not the business key.

The key is taken before the request is executed, so of two that come at once one waits for the other's answer. What was
answered with an error is not kept: nothing was done. (IETF draft-ietf-httpapi-idempotency-key-header-07: 422 where the
key was used for another request, 409 while the first is under way.)
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from isthmus.gateway.access import gate_of
from isthmus.gateway.answers import AnsweringRoute
from isthmus.gateway.problems import problem
from isthmus.store import keys
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY_MAX = 255
#: how long a second request waits for the answer of the first, and when the first is taken for dead
WAIT_S = 12.0
DEAD_S = 60.0
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def once_routes(store: Store) -> type[APIRoute]:
    """The class of routes that ask who calls first, and execute a request once for each Idempotency-Key of a caller."""

    class OnceRoute(AnsweringRoute):
        """Lets in who may come in, and executes a request with an Idempotency-Key once."""

        def get_route_handler(self) -> Handler:
            """The usual handler, behind the gate and the look for a kept answer."""
            handle, gate = super().get_route_handler(), gate_of(self)
            if gate is None:
                return handle

            async def handled(request: Request) -> Response:
                caller = await gate(request)  # before anything of the body is read
                key = None if self.methods == {"GET"} else request.headers.get(HEADER)
                if key is None:
                    return await handle(request)
                return await _Once(store, caller.name, key, await _hash(request)).answer(lambda: handle(request))

            return handled

    return OnceRoute


class _Once:
    """One request under a caller's key."""

    def __init__(self, store: Store, holder: str, key: str, request_hash: str) -> None:
        if not 0 < len(key) <= KEY_MAX:
            raise problem(400, "invalid-field", f"{HEADER} has 1 to {KEY_MAX} characters", field=HEADER)
        self._store, self._named, self._hash = store, {"holder": holder, "key": key}, request_hash

    async def answer(self, execute: Callable[[], Awaitable[Response]]) -> Response:
        """The kept answer, or that of ``execute``, which is kept from now on."""
        while (standing := await self._take()) is not None:
            if (row := await self._answered(standing)) is not None:
                return _replayed(row)
        try:
            response = await execute()
        except BaseException:
            self._store.ride(lambda tx: keys.let_go(tx, **self._named))
            raise
        status, body = response.status_code, bytes(response.body).decode()
        await self._store.write(lambda tx: keys.keep_answer(tx, **self._named, status=status, body=body))
        return response

    async def _take(self) -> Row | None:
        now = self._store.clock()
        at, before = instant(now), instant(now - timedelta(seconds=DEAD_S))
        return await self._store.write(
            lambda tx: keys.hold_answer(tx, **self._named, request_hash=self._hash, now=at, before=before)
        )

    async def _answered(self, standing: Row) -> Row | None:
        """The row once it has its answer, None where its request failed.

        Raises 422 where it is another request's, 409 where it takes too long.
        """
        row: Row | None = standing
        until = asyncio.get_running_loop().time() + WAIT_S
        while row is not None:
            if row["request_hash"] != self._hash:
                mend = "use a new key for a new request"
                raise problem(422, "idempotency-key", f"This {HEADER} was used for another request", mend=mend)
            if row["status"]:
                return row
            if asyncio.get_running_loop().time() > until:
                mend = "send it again in a moment"
                raise problem(409, "in-progress", f"The request with this {HEADER} is under way", mend=mend)
            await asyncio.sleep(0.03)
            row = await self._store.read(lambda tx: keys.kept_answer(tx, **self._named))
        return None


def _replayed(row: Row) -> Response:
    return Response(row["body"], row["status"], {REPLAYED: "true"}, media_type="application/json")


async def _hash(request: Request) -> str:
    """What was asked: method, path, query and body; the body as JSON means it, not as it is written."""
    body = await request.body()
    try:
        meant = json.dumps(json.loads(body), sort_keys=True).encode() if body else b""
    except (ValueError, RecursionError):
        meant = body
    parts = (request.method.encode(), request.url.path.encode(), request.url.query.encode(), meant)
    return hashlib.sha256(b"\n".join(parts)).hexdigest()
