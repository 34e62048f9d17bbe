"""Puts the parts together for one release: what a worker and the gateway need to work. Opens nothing by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from isthmus.connectivity.identity import Identities
from isthmus.connectivity.outbound.binding import Bindings
from isthmus.connectivity.outbound.calling import Caller
from isthmus.connectivity.outbound.effect import Deliverer, Epoch
from isthmus.connectivity.outbound.reading import Reader
from isthmus.connectivity.outbound.send import Sender
from isthmus.connectivity.outbound.throttle import Throttle
from isthmus.connectivity.shared_tokens import SharedTokens
from isthmus.connectivity.transport.connection import Connection
from isthmus.landscape.release import Release
from isthmus.orchestration.play import Player
from isthmus.orchestration.process import Process, load_process
from isthmus.orchestration.system_call import system_call
from isthmus.orchestration.take_in import TakeIn
from isthmus.store import epoch
from isthmus.store.clock import moment
from isthmus.store.messages import Start
from isthmus.store.store import Store
from isthmus.store.transaction import Row


class Engine:
    """One release over one store: connections, senders, player. ``close`` lets go of the connections."""

    def __init__(self, store: Store, release: Release, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """``settings``: connection → its settings with secrets resolved."""
        self.store, self.release = store, release
        tokens = SharedTokens(store, settings)
        self.connections = {
            name: Connection(
                name,
                plan.connector,
                settings[name],
                tokens,
                store.clock,
                mappings=lambda file, name=name: release.mapping(name, file),  # type: ignore[misc]
            )
            for name, plan in release.connections.items()
        }
        self.throttles = {name: Throttle(store, name, plan.limits) for name, plan in release.connections.items()}
        self.identities = Identities(store)
        self.bindings = Bindings(self.connections, self.identities)
        self.caller = Caller(store, self.throttles)
        self.reader = Reader(store, self.bindings, self.caller)
        self.deliverer = Deliverer(store, self.caller)
        self.sender = Sender(store, self.bindings, self.reader, self.deliverer)
        self.processes: dict[str, Process] = {
            name: load_process(plan.code, plan.folder) for name, plan in release.processes.items()
        }
        self.processes[system_call.name] = system_call
        self.take_in = TakeIn(store, self.reader, self.identities)
        self.player = Player(store, self.sender, self.reader, self.take_in, self.release_of, self.process_of)

    async def prepare(self) -> None:
        """Learn from the store what must be known before anything is played: whether a backup was restored."""
        found = await self.store.read(epoch.current)
        self.deliverer.epoch = Epoch(found["number"], moment(found["began_at"])) if found else None

    def release_of(self, _id: str) -> Release:
        """The release by its id."""
        return self.release

    def process_of(self, name: str, version: int) -> Process:
        """A process by name and version. Raises KeyError where this worker has not got it."""
        found = self.processes.get(name)
        if found is None or found.version != version:
            raise KeyError(f"this worker plays no {name} version {version}; it has {', '.join(self.processes)}")
        return found

    def plan(self, message: Row) -> list[Start]:
        """Which processes a message starts: the first take of its channel that matches names the event."""
        plan = self.release.connections.get(message["connection"])
        channel = plan.connector.inbound.get(message["channel"]) if plan else None
        if channel is None:
            event = message["type"] if message["channel"] == "api" else None
        else:
            body = json.loads(message["body"])
            event = next(
                (t.event for t in channel.takes if t.when is None or self.release.expression(t.when)(body)),
                None,
            )
        return [
            Start(process.name, process.version, event, process.again)
            for process in self.processes.values()
            if event is not None and event in process.starts_on
        ]

    async def close(self) -> None:
        """Close every connection."""
        for connection in self.connections.values():
            await connection.close()
