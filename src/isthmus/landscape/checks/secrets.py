"""Does anything anywhere look like a key? Names the place and never the value."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from isthmus.catalogue.document import Position
from isthmus.landscape.conforming import Path, dotted
from isthmus.landscape.finding import Findings
from isthmus.landscape.reading import FILE, Landscape
from isthmus.landscape.release import secret_names
from isthmus.landscape.secrets import is_reference

_MEND = "put it in the environment and write  env:NAME  or in a file and write  file:secrets/name"
#: what nothing but a secret looks like
_SURE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b[a-z]{2,8}_(?:live|test|prod)_\w{8,}"
    r"|\b(?:wh|gh|sk|pk|rk)[a-z]{0,4}_[A-Za-z0-9]{16,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\."
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|://[^/\s:@]+:[^/\s@]+@"
)
_WORD = re.compile(r"[A-Za-z0-9+/=_\-.!~$]{20,}")


def check_secrets(landscape: Landscape, findings: Findings) -> None:
    """Every scalar of isthmus.yaml, every line of the landscape's own mappings and rules."""
    for path, value in _scalars(landscape.document.value, ()):
        if _declared_secret(landscape, path):
            continue
        if is_reference(value):
            _check_place(landscape, path, value, findings)
        elif _SURE.search(value) or (not _declared(landscape, path) and _random(value)):
            what = f"{dotted(path)} looks like a secret in clear text"
            findings.error(FILE, landscape.document.at(*path), what, mend=_MEND)
    texts = {landscape.shown(file): file.read_text("utf-8", errors="replace") for file in landscape.overrides.values()}
    texts |= {document.file: document.text for document in landscape.rules.values()}
    for file, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if found := _SURE.search(line):
                at = Position(number, found.start() + 1)
                findings.error(file, at, "looks like a secret in clear text", mend="take it out of the file")


def _check_place(landscape: Landscape, path: Path, value: str, findings: Findings) -> None:
    file = PurePosixPath(value.removeprefix("file:"))
    if value.startswith("file:") and not file.is_absolute() and (file.parts[0] != "secrets" or ".." in file.parts):
        at = landscape.document.at(*path)
        what = f"{dotted(path)} is read from {file}, which is not in secrets/"
        findings.warning(FILE, at, what, mend="move the file to secrets/, which git ignores, or give an absolute path")


def _declared_secret(landscape: Landscape, path: Path) -> bool:
    """What ``check_connections`` reports already, and hashes."""
    if len(path) == 4 and path[0] == "connections" and path[2] == "settings":
        schema = landscape.settings_schema(str(path[1]))
        return schema is not None and path[3] in secret_names(schema) and not is_reference(_at(landscape, path))
    return len(path) == 3 and path[0] == "access" and path[2] == "key_hash"


def _declared(landscape: Landscape, path: Path) -> bool:
    """What is known and not secret, such as a client id."""
    if path == ("console", "oidc", "client_id"):
        return True
    if len(path) != 4 or path[0] != "connections" or path[2] != "settings":
        return False
    schema = landscape.settings_schema(str(path[1]))
    return schema is not None and path[3] in schema.get("properties", {})


def _at(landscape: Landscape, path: Path) -> Any:
    value = landscape.document.value
    for step in path:
        value = value[step]
    return value


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _scalars(item, (*path, at))
    elif isinstance(value, str):
        yield path, value


def _random(text: str) -> bool:
    """A long word of letters and digits in which hardly anything repeats; addresses and plain words are none."""
    if not _WORD.fullmatch(text) or not re.search(r"\d", text) or not re.search(r"[A-Za-z]", text):
        return False
    if "." in text and all(re.fullmatch(r"[a-z][a-z0-9_]*|v\d+", part) for part in text.split(".")):
        return False
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) > 3.5 and len(re.findall(r"\d", text)) >= 3
