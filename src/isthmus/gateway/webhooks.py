"""Takes a vendor's call: prove who calls, store raw with its messages, acknowledge. It interprets nothing else.

(EIP: channel adapter, guaranteed delivery.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.requests import Request
from starlette.responses import Response

from isthmus.catalogue.connector import Inbound
from isthmus.connectivity.inbound.split import Splitter
from isthmus.connectivity.inbound.verify import verify
from isthmus.gateway.problems import not_found, problem_response
from isthmus.landscape.release import Release
from isthmus.model.problems import PROBLEMS_AT, IsthmusError, Problem
from isthmus.store import calls, messages
from isthmus.store.store import Store
from isthmus.store.transaction import StoreUnavailable

BODY_MAX = 2 * 1024 * 1024
_KEPT_HEADERS = ("content-type", "user-agent", "x-request-id")
_tracer = trace.get_tracer("isthmus")
_propagator = TraceContextTextMapPropagator()


class Webhooks:
    """The doors of a release: one for each connection whose vendor pushes."""

    def __init__(
        self, store: Store, release: Release, settings: Mapping[str, Mapping[str, Any]], wake: Callable[[], None]
    ) -> None:
        self._store, self._release, self._settings, self._wake = store, release, settings, wake
        self._doors: dict[str, tuple[str, Inbound, Splitter]] = {}
        for connection, plan in release.connections.items():
            for name, channel in plan.connector.inbound.items():
                if channel.channel == "webhook":
                    self._doors[connection] = (
                        name,
                        channel,
                        Splitter(channel, file=f"{plan.connector.connector} {name}"),
                    )

    async def take(self, request: Request) -> Response:
        """``POST /webhooks/{connection}`` and ``/webhooks/{connection}/{secret}``."""
        try:
            return await self._taken(request)
        except IsthmusError as error:
            return problem_response(error.problem)
        except StoreUnavailable:
            title = "The database cannot be reached; nothing was acknowledged, deliver again"
            return problem_response(
                Problem(type=PROBLEMS_AT + "unavailable", title=title, status=503), {"Retry-After": "2"}
            )

    async def _taken(self, request: Request) -> Response:
        connection = request.path_params["connection"]
        door = self._doors.get(connection)
        if door is None:
            raise not_found(f"No connection called {connection!r} takes webhooks", "see the landscape's connections")
        name, channel, splitter = door
        body = await _body(request)
        parsed: list[Any] = []

        def parse() -> Any:
            if not parsed:
                parsed.append(splitter.parse(body))
            return parsed[0]

        assert channel.verify is not None
        verify(
            channel.verify,
            headers={key.lower(): value for key, value in request.headers.items()},
            body=body,
            settings=self._settings[connection],
            now=self._store.clock(),
            path_secret=request.path_params.get("secret"),
            parsed=parse,
        )
        parts = splitter.split(parse())
        await self._keep(
            request,
            connection,
            name,
            body,
            [messages.NewMessage(p.id, p.subject, p.type, p.version, p.body) for p in parts],
        )
        acknowledge = channel.acknowledge
        return Response(acknowledge.body, acknowledge.status, media_type=acknowledge.content_type)

    async def _keep(
        self, request: Request, connection: str, channel: str, body: bytes, parts: list[messages.NewMessage]
    ) -> None:
        context = _propagator.extract(dict(request.headers))
        with _tracer.start_as_current_span(f"webhook {connection}", context=context, kind=trace.SpanKind.SERVER):
            carrier: dict[str, str] = {}
            _propagator.inject(carrier)
        headers = json.dumps({name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers})
        row = calls.call_row(
            connection, channel, body, self._store.clock(), headers=headers, traceparent=carrier.get("traceparent")
        )
        if await self._store.write(lambda tx: messages.store_call(tx, row, parts)):
            self._wake()


async def _body(request: Request) -> bytes:
    """The body, up to the limit. Raises 413."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > BODY_MAX:
        raise _too_large()
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_MAX:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> IsthmusError:
    title = f"The body is larger than {BODY_MAX // 1024} KiB"
    return IsthmusError(
        Problem(type=PROBLEMS_AT + "too-large", title=title, status=413, mend="send fewer messages in one call")
    )
