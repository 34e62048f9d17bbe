"""Is everybody who acts here called by a name of their own? Names under which Isthmus itself acts are taken."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.landscape.conforming import Path, dotted
from isthmus.landscape.finding import Findings
from isthmus.landscape.reading import FILE, Landscape
from isthmus.store.actors import checked


def check_actors(landscape: Landscape, findings: Findings) -> None:
    """Holders of keys, and the members of desks."""
    for path, name, is_key in _named(landscape):
        try:
            checked(name)
        except ValueError as error:
            at = landscape.document.key_at(*path) if is_key else landscape.document.at(*path)
            what, _, mend = str(error).partition("; ")
            findings.error(FILE, at, f"{dotted(path)}: {what}", mend=mend)


def _named(landscape: Landscape) -> Iterator[tuple[Path, str, bool]]:
    """Where a name stands, the name, and whether it is a key of the file."""
    for name, _ in landscape.entries("access"):
        yield ("access", name), name, True
    for desk, entry in landscape.entries("desks"):
        members = entry.get("members")
        for at, member in enumerate(members if isinstance(members, list) else []):
            if isinstance(member, str):
                yield ("desks", desk, "members", at), member, False
