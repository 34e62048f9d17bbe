"""Every account at a vendor that a release names, with its gate; those of earlier releases are opened when asked for.

A run keeps the release it began with, so its calls are rendered, signed and understood as that release says. The gate
and the access token are the account's, whatever the release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.connectivity.outbound.throttle import Throttle
from isthmus.connectivity.shared_tokens import SharedTokens
from isthmus.connectivity.transport.connection import Connection
from isthmus.landscape.release import Release
from isthmus.store.store import Store


class Connections:
    """The connections of the present release by name (``present``), and of earlier ones."""

    def __init__(self, store: Store, release: Release, settings: Mapping[str, Mapping[str, Any]]) -> None:
        self._store, self._release = store, release
        self._tokens = SharedTokens(store, settings)
        self.throttles: dict[str, Throttle] = {}
        self.present = {name: self._open(release, name, settings[name]) for name in release.connections}
        self._earlier: dict[tuple[str, str], Connection] = {}

    def of(self, release: Release, name: str) -> Connection:
        """A release's connection. Raises SecretMissing where an earlier one needs a setting that is gone."""
        if release.id == self._release.id:
            return self.present[name]
        known = self._earlier.get((release.id, name))
        if known is None:
            settings = release.secret_settings(name)
            self._tokens.know(name, settings)
            known = self._earlier[release.id, name] = self._open(release, name, settings)
        return known

    async def close(self) -> None:
        """Close every connection."""
        for connection in [*self.present.values(), *self._earlier.values()]:
            await connection.close()

    def _open(self, release: Release, name: str, settings: Mapping[str, Any]) -> Connection:
        plan = release.connections[name]
        if name not in self.throttles:
            self.throttles[name] = Throttle(self._store, name, plan.limits)
        return Connection(
            name,
            plan.connector,
            settings,
            self._tokens,
            self._store.clock,
            mappings=lambda file: release.mapping(name, file),
            hosts=plan.hosts,
        )
