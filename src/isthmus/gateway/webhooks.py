"""Takes a vendor's call: prove who calls, store raw with its messages, acknowledge. It interprets nothing else.

(EIP: channel adapter, guaranteed delivery.)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus.catalogue.connector import HmacVerify, Inbound, PathVerify
from isthmus.connectivity.inbound.split import Splitter
from isthmus.connectivity.inbound.verify import verify
from isthmus.gateway.problems import not_found, problem_response, unavailable
from isthmus.gateway.tracing import incoming, traceparent
from isthmus.landscape.release import Release
from isthmus.model.problems import IsthmusError
from isthmus.store import calls, messages
from isthmus.store.store import Store
from isthmus.store.transaction import StoreUnavailable

log = logging.getLogger("isthmus.gateway")
_KEPT_HEADERS = ("content-type", "user-agent", "x-request-id")


@dataclass(frozen=True, slots=True)
class Door:
    """One way in: a connection's channel, by what rule its vendor is believed, how its calls are split."""

    connection: str
    channel: str
    inbound: Inbound
    rule: HmacVerify | PathVerify
    splitter: Splitter
    settings: Mapping[str, Any]

    @property
    def secret_in_path(self) -> bool:
        """Whether the vendor signs nothing, and the address is the secret."""
        return isinstance(self.rule, PathVerify)


def doors(release: Release, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Door]:
    """Connection → its door: one for each whose vendor pushes, and whose secret the landscape gives."""
    found: dict[str, Door] = {}
    for name, plan in release.connections.items():
        for channel, inbound in plan.connector.inbound.items():
            rule = inbound.verify
            if inbound.channel != "webhook" or rule is None:
                continue
            if not settings[name].get(rule.secret):
                log.warning("connection %s takes no webhooks: its setting %s is not given", name, rule.secret)
                continue
            splitter = Splitter(inbound, file=f"{plan.connector.connector} {channel}")
            found[name] = Door(name, channel, inbound, rule, splitter, settings[name])
    return found


class Webhooks:
    """Takes calls at the doors of a release."""

    def __init__(self, store: Store, doors: Mapping[str, Door], wake: Callable[[], None]) -> None:
        self._store, self._doors, self._wake = store, doors, wake

    async def take(self, request: Request) -> Response:
        """``POST /webhooks/{connection}``, or ``/webhooks/{connection}/{secret}`` where the address is the secret."""
        connection = request.path_params["connection"]
        try:
            door = self._doors.get(connection)
            if door is None or ("secret" in request.path_params and not door.secret_in_path):
                raise not_found(f"No connection called {connection[:100]!r} takes webhooks here", "see /openapi.json")
            with incoming(f"webhook {connection}", request.headers, {"isthmus.connection": connection}) as span:
                response = await self._taken(request, door)
                span.set_attribute("http.response.status_code", response.status_code)
                return response
        except IsthmusError as error:
            return problem_response(error.problem)
        except StoreUnavailable as error:
            log.warning("a webhook of %s was not taken: %s", connection, error)
            return problem_response(unavailable())

    async def _taken(self, request: Request, door: Door) -> Response:
        body = await request.body()
        parsed: list[Any] = []

        def parse() -> Any:
            if not parsed:
                parsed.append(door.splitter.parse(body))
            return parsed[0]

        verify(
            door.rule,
            headers=request.headers,
            body=body,
            settings=door.settings,
            now=self._store.clock(),
            path_secret=request.path_params.get("secret"),
            parsed=parse,
        )
        parts = door.splitter.split(parse())
        await self._keep(
            request, door, body, [messages.NewMessage(p.id, p.subject, p.type, p.version, p.body) for p in parts]
        )
        acknowledge = door.inbound.acknowledge
        return Response(acknowledge.body, acknowledge.status, media_type=acknowledge.content_type)

    async def _keep(self, request: Request, door: Door, body: bytes, parts: list[messages.NewMessage]) -> None:
        """Store the call with its messages; back when they stand."""
        headers = json.dumps({name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers})
        row = calls.call_row(
            door.connection, door.channel, body, self._store.clock(), headers=headers, traceparent=traceparent()
        )
        if await self._store.write(lambda tx: messages.store_call(tx, row, parts)):
            self._wake()
