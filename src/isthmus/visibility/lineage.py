"""Where a canonical field comes from and where it goes: read off the mappings that a release runs, nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from isthmus.landscape.release import ConnectionPlan, Release
from isthmus.mapping.lineage import lineage


@dataclass(frozen=True)
class Flow:
    """One step of a field's way: a canonical field and the vendor's fields on one connection, with the place it says so."""

    connection: str
    vendor: str
    #: ``quote.lines[].quantity``
    canonical: str
    #: as the vendor calls them
    fields: tuple[str, ...]
    into_canonical: bool
    file: str
    line: int


def fields(release: Release) -> list[str]:
    """Every canonical field that some mapping reads or writes, in order."""
    return sorted({flow.canonical for flow in _all(release)})


def flows(release: Release, path: str) -> list[Flow]:
    """The ways of one field, inbound ones first."""
    found = [flow for flow in _all(release) if flow.canonical == path]
    return sorted(found, key=lambda flow: (not flow.into_canonical, flow.connection, flow.file, flow.line))


@lru_cache(maxsize=4)
def _all(release: Release) -> tuple[Flow, ...]:
    found: list[Flow] = []
    for plan in release.connections.values():
        for file, text in plan.mappings.items():
            if file.endswith(".inbound.jsonata"):
                found += _inbound(plan, file, text)
            elif file.endswith(".outbound.jsonata"):
                found += _outbound(plan, file, text)
    return tuple(found)


def _inbound(plan: ConnectionPlan, file: str, text: str) -> list[Flow]:
    about = file.partition(".")[0]
    return [
        Flow(
            plan.name, plan.connector.title, f"{about}.{flow.target}",
            tuple(source.removeprefix("body.") for source in flow.sources), True, plan.mapping_places[file], flow.line,
        )
        for flow in lineage(text, file=file) if flow.sources
    ] + [
        Flow(plan.name, plan.connector.title, f"{about}.{own.target}", (own.source,), True, "isthmus.yaml", 1)
        for own in plan.additions.get(file, ())
    ]  # fmt: skip


def _outbound(plan: ConnectionPlan, file: str, text: str) -> list[Flow]:
    about = file.partition(".")[0]
    found: dict[tuple[str, int], list[str]] = {}
    for flow in lineage(text, file=file):
        for source in flow.sources:
            if source.startswith("input."):
                found.setdefault((f"{about}.{source.removeprefix('input.')}", flow.line), []).append(flow.target)
    return [
        Flow(plan.name, plan.connector.title, canonical, tuple(targets), False, plan.mapping_places[file], line)
        for (canonical, line), targets in found.items()
    ]
