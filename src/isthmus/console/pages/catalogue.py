"""The catalogue: what can be asked of whom. System, process and experience APIs, connectors and blueprints, and where to try."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.landscape.release import Release
from isthmus.store import keys
from isthmus.store.transaction import Row


async def listed(request: Request, desk: Desk) -> Response:
    """All APIs with their versions, what they use, and who may call."""
    release = desk.engine.release
    made: list[Row] = await desk.store.read(keys.list_keys)
    facts = {
        "processes": release.processes,
        "roles": _roles(release),
        "connections": release.connections,
        "holders": [
            *({"name": holder.name, "scopes": holder.scopes} for holder in release.access.values()),
            *({"name": row["holder"], "scopes": row["scopes"].split()} for row in made if not row["revoked_at"]),
        ],
    }
    return desk.page(request, "catalogue.html", facts)


def _roles(release: Release) -> dict[str, dict[str, Any]]:
    """Role → who fills it for whom, what it can be asked, and which processes ask it."""
    found: dict[str, dict[str, Any]] = {}
    for unit in release.units.values():
        for role, connection in unit.roles.items():
            entry = found.setdefault(role, {"units": {}, "operations": set(), "asked_by": {}})
            entry["units"][unit.code] = connection
            entry["operations"] |= set(release.connections[connection].connector.operations)
    for name, plan in release.processes.items():
        for role, operations in plan.uses.items():
            for operation in operations if role in found else ():
                found[role]["asked_by"].setdefault(operation, []).append(name)
    return {role: {**found[role], "operations": sorted(found[role]["operations"])} for role in sorted(found)}
