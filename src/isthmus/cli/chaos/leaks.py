"""Looks through everything that a run leaves behind for the secrets that it used: rows, logs, traces, what was printed."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from isthmus.cli.chaos.watch import Watch
from isthmus.connectivity.shared_tokens import unsealed
from isthmus.landscape.release import Release, secret_names
from isthmus.store.transaction import Transaction

#: shorter values stand in any text by chance
_SHORTEST = 6
_REFERENCE = "env:"


def secrets_of(release: Release, environment: Mapping[str, str], tokens: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name → value: every variable that no setting open to all refers to, and every access token that was used.

    ``tokens``: connection and token, as the store seals it. The environment's variables must be set.
    """
    public = {
        value.removeprefix(_REFERENCE)
        for plan in release.connections.values()
        for name, value in plan.settings.items()
        if isinstance(value, str) and name not in secret_names(plan.connector.settings)
    }
    found = {name: value for name, value in environment.items() if name not in public and len(value) >= _SHORTEST}
    for number, (connection, sealed) in enumerate(sorted(tokens), start=1):
        found[f"token {number} of {connection}"] = unsealed(connection, release.secret_settings(connection), sealed)
    return found


def leaks(secrets: Mapping[str, str], left: Iterable[tuple[str, bytes]]) -> list[str]:
    """A sentence for each place in which a secret stands; names the secret, never its value.

    ``left``: places with what stands there.
    """
    wanted = [(name, form) for name, value in secrets.items() for form in forms(value)]
    found = {(name, place): None for place, text in left for name, form in wanted if form in text}
    return [f"the secret {name} stands in {place}" for name, place in found]


def forms(value: str) -> set[bytes]:
    """How a value may show: as it is, in an address, in JSON, and in base64 wherever in a text it began."""
    plain = value.encode()
    shown = {plain, quote(value, safe="").encode(), quote_plus(value).encode(), json.dumps(value)[1:-1].encode()}
    for before in range(3):
        whole = base64.b64encode(bytes(before) + plain)
        # what the neighbours' bits have a part in is cut off
        shown.add(whole[(0, 2, 3)[before] : len(whole) - (0, 3, 2)[(before + len(plain)) % 3]])
    return shown | {form.replace(b"+", b"-").replace(b"/", b"_") for form in shown if form != plain}


def left_behind(folder: Path, watch: Watch) -> Iterator[tuple[str, bytes]]:
    """Every file in the folder, and every row of the store (text in a file's pages may be torn)."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
    yield from watch.read(_rows)


def _rows(tx: Transaction) -> list[tuple[str, bytes]]:
    if tx.dialect == "sqlite":
        sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    else:
        sql = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()"
    tables = [row["name"] for row in tx.rows(sql)]
    return [(f"table {name}", b"\n".join(_texts(tx.rows(f'SELECT * FROM "{name}"')))) for name in tables]  # noqa: S608


def _texts(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        for value in row.values():
            yield bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "replace")
