"""Is there a desk for every approval that a process's settings ask for?"""

from __future__ import annotations

from typing import Any

from isthmus.landscape.conforming import Path, dotted
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import FILE, Landscape


def check_approvers(landscape: Landscape, findings: Findings) -> None:
    """The desk that each process's approval names."""
    desks = landscape.names("desks")
    for name, entry in landscape.entries("processes"):
        for path, desk in _approvers(entry.get("settings"), ("processes", name, "settings")):
            if desk not in desks:
                what = f'{dotted(path)} names "{desk}", which is not a desk'
                mend = did_you_mean(desk, desks) if desks else f"write  desks: {{{desk}: {{title: …}}}}"
                findings.error(FILE, landscape.document.at(*path), what, mend=mend)


def _approvers(settings: Any, path: Path) -> list[tuple[Path, str]]:
    """Every ``by`` of a setting that is an approval, such as ``approval: {above: …, by: deal-desk}``."""
    if not isinstance(settings, dict):
        return []
    found: list[tuple[Path, str]] = []
    for key, value in settings.items():
        if isinstance(value, dict) and isinstance(value.get("by"), str):
            found.append(((*path, key, "by"), value["by"]))
    return found
