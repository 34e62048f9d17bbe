"""Finds the stand-ins of the installed connectors and gives each its world."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from pathlib import Path

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.standin import Sandbox
from isthmus.sandkit.world import World


def vendors() -> list[str]:
    """The names of all connectors that bring a stand-in, in order."""
    return sorted(point.name for point in entry_points(group="isthmus.connectors"))


def open_sandboxes(
    company: Company, clock: Clock, faults: Faults, *, only: list[str] | None = None, folder: Path | None = None
) -> dict[str, Sandbox]:
    """A seeded stand-in for each connector (or those in ``only``); worlds live in memory, or as files in ``folder``.

    A world file that already holds rows is kept as it is. Raises ValueError for an unknown name.
    """
    found = {point.name: point.value for point in entry_points(group="isthmus.connectors")}
    wanted = only or sorted(found)
    if unknown := set(wanted) - set(found):
        raise ValueError(f"no sandbox is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(found))}")
    sandboxes: dict[str, Sandbox] = {}
    for name in wanted:
        made = importlib.import_module(f"{found[name]}.sandbox").VendorSandbox
        path = folder / f"{name}.sqlite" if folder else None
        fresh = path is None or not path.exists()
        sandbox: Sandbox = made(World(path), clock, faults)
        if fresh:
            with sandbox.world.transaction():
                sandbox.seed(company)
        sandboxes[name] = sandbox
    return sandboxes
