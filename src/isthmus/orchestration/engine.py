"""Puts the parts together for one release: what a worker and the gateway need to work. Opens nothing by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from isthmus.connectivity.identity import Identities
from isthmus.connectivity.outbound.binding import Bindings
from isthmus.connectivity.outbound.calling import Caller
from isthmus.connectivity.outbound.connections import Connections
from isthmus.connectivity.outbound.effect import Deliverer, Epoch
from isthmus.connectivity.outbound.reading import Reader
from isthmus.connectivity.outbound.send import Sender
from isthmus.landscape.release import Release
from isthmus.orchestration.play import Player
from isthmus.orchestration.process import Process
from isthmus.orchestration.releases import Releases
from isthmus.orchestration.take_in import TakeIn
from isthmus.store import epoch
from isthmus.store.clock import instant, moment
from isthmus.store.messages import Start, Wake
from isthmus.store.store import Store
from isthmus.store.transaction import Row
from isthmus.visibility.read_model import ReadModel


class Engine:
    """One release over one store: connections, senders, player. ``close`` lets go of the connections."""

    def __init__(self, store: Store, release: Release, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """``settings``: connection → its settings with secrets resolved."""
        self.store, self.release = store, release
        self.releases = Releases(store, release)
        accounts = Connections(store, release, settings)
        self._accounts, self.connections, self.throttles = accounts, accounts.present, accounts.throttles
        self.identities = Identities(store)
        self.bindings = Bindings(accounts, self.identities)
        self.caller = Caller(store, self.throttles)
        self.known = ReadModel(store)
        self.reader = Reader(store, self.bindings, self.caller, self.known)
        self.deliverer = Deliverer(store, self.caller)
        self.sender = Sender(store, self.bindings, self.reader, self.deliverer)
        self.processes: dict[str, Process] = {process.name: process for process in self.releases.processes()}
        self.take_in = TakeIn(store, self.reader, self.identities)
        self.player = Player(store, self.sender, self.reader, self.take_in, self.releases)

    async def prepare(self) -> None:
        """Before anything is played: keep the release, and learn from the store whether a backup was restored."""
        await self.releases.keep()
        if await self.store.read(epoch.is_copy):
            await self.store.write(lambda tx: epoch.begin_in_copy(tx, instant(self.store.clock())))
        found = await self.store.read(epoch.current)
        self.deliverer.epoch = Epoch(found["number"], moment(found["began_at"])) if found else None

    def plan(self, message: Row) -> list[Start | Wake]:
        """What a message means: the first take of its channel that matches names the event.

        Which processes start on it, and whether runs that wait for it are woken.
        """
        plan = self.release.connections.get(message["connection"])
        channel = plan.connector.inbound.get(message["channel"]) if plan else None
        if plan is None or channel is None:
            return self._starts(message["type"] if message["channel"] == "api" else None)
        body = json.loads(message["body"])
        told = {**body, "settings": self.release.public_settings(plan.name)}
        take = next((t for t in channel.takes if t.when is None or self.release.expression(t.when)(told)), None)
        if take is None:
            return []
        about = self.release.expression(take.wakes)(body) if take.wakes else None
        return [*self._starts(take.event), *([Wake(take.event, str(about))] if about else [])]

    def _starts(self, event: str | None) -> list[Start | Wake]:
        return [
            Start(process.name, process.version, event, process.again)
            for process in self.processes.values()
            if event is not None and event in process.starts_on
        ]

    async def close(self) -> None:
        """Close every connection."""
        await self._accounts.close()
