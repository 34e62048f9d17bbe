"""Do API keys' scopes name roles and processes that exist, and approvals desks that exist?"""

from __future__ import annotations

from typing import Any

from isthmus.landscape.conforming import dotted
from isthmus.landscape.finding import Findings, did_you_mean
from isthmus.landscape.reading import FILE, Landscape


def check_access(landscape: Landscape, findings: Findings) -> None:
    """Scopes, and the desk that a process's approval names."""
    known = {"system": landscape.known_roles, "process": set(landscape.names("processes"))}
    for name, entry in landscape.entries("access"):
        scopes = entry.get("scopes")
        for at, scope in enumerate(scopes if isinstance(scopes, list) else ()):
            area, _, rest = str(scope).partition(":")
            word = rest.partition(":")[0]
            if area in known and word not in known[area]:
                here = ("access", name, "scopes", at)
                what = f'{dotted(here)} is "{scope}"; there is no {area} called "{word}"'
                findings.error(FILE, landscape.document.at(*here), what, mend=did_you_mean(word, known[area]))
    desks = landscape.names("desks")
    for name, entry in landscape.entries("processes"):
        for path, desk in _approvers(entry.get("settings"), ("processes", name, "settings")):
            if desk not in desks:
                what = f'{dotted(path)} names "{desk}", which is not a desk'
                mend = did_you_mean(desk, desks) if desks else f"write  desks: {{{desk}: {{title: …}}}}"
                findings.error(FILE, landscape.document.at(*path), what, mend=mend)


def _approvers(settings: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Every ``by`` of a setting that is an approval, such as ``approval: {above: …, by: deal-desk}``."""
    if not isinstance(settings, dict):
        return []
    found = []
    for key, value in settings.items():
        if isinstance(value, dict) and isinstance(value.get("by"), str):
            found.append(((*path, key, "by"), value["by"]))
    return found
