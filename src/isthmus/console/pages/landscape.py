"""The landscape as a map of five layers drawn from the release, and the lineage of each field from system to system."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console import drawing
from isthmus.console.desk import Desk
from isthmus.landscape.release import Release
from isthmus.visibility.lineage import Flow, fields, flows


async def layers(request: Request, desk: Desk) -> Response:
    """The map, and every canonical field that flows."""
    release = desk.engine.release
    by_object: dict[str, list[str]] = defaultdict(list)
    for path in fields(release):
        by_object[path.partition(".")[0]].append(path)
    picture = drawing.layers(_rows(release, desk), _edges(release))
    return desk.page(request, "landscape.html", {"picture": picture, "fields": dict(by_object)})


async def field(request: Request, desk: Desk) -> Response:
    """One field's way. Raises LookupError where nothing reads or writes it."""
    path = request.query_params.get("path", "")
    found = flows(desk.engine.release, path)
    if not found:
        raise LookupError(f"No mapping of this landscape reads or writes {path or 'this field'}.")
    into = [flow for flow in found if flow.into_canonical]
    owner = into[0].connection if into else None
    return desk.page(request, "field.html", {"field": path, "into": into, "out": _out(found), "owner": owner})


def _out(found: list[Flow]) -> list[Flow]:
    return [flow for flow in found if not flow.into_canonical]


def _rows(release: Release, desk: Desk) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    def at(path: str, **query: Any) -> str:
        return desk.url(path, **query)

    connections = [(f"c:{name}", plan.title, at("/catalogue") + f"#{name}") for name, plan in _plans(release)]
    roles = sorted({role for unit in release.units.values() for role in unit.roles})
    watched = [(f"s:{name}", name, at("/")) for name in release.service_levels]
    return [
        (
            "governance",
            "Governance",
            [(f"d:{name}", plan.title, at("/approvals")) for name, plan in release.desks.items()],
        ),
        ("visibility", "Visibility", watched),
        (
            "orchestration",
            "Orchestration",
            [(f"p:{name}", name, at("/runs", process=name)) for name in release.processes],
        ),
        ("connectivity", "Connectivity", [(f"r:{role}", role, at("/catalogue") + f"#{role}") for role in roles]),
        ("applications", "Applications", connections),
    ]


def _plans(release: Release) -> list[tuple[str, Any]]:
    return [(name, plan.connector) for name, plan in release.connections.items()]


def _edges(release: Release) -> list[tuple[str, str]]:
    edges = [(f"p:{name}", f"r:{role}") for name, plan in release.processes.items() for role in plan.uses]
    for unit in release.units.values():
        edges += [(f"r:{role}", f"c:{connection}") for role, connection in unit.roles.items()]
    return list(dict.fromkeys(edges))
