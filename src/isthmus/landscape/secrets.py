"""Secrets are never in a landscape: it holds references, ``env:NAME`` or ``file:secrets/x``, resolved when needed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from isthmus.model.problems import Problem, Rejected

_ENVIRONMENT = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_FILE = re.compile(r"file:([^\s]+)")


class SecretMissing(Rejected):
    """A reference leads nowhere. Names the setting and the reference, never a value."""

    def __init__(self, setting: str, reference: str, why: str, mend: str) -> None:
        title = f"{setting} is {reference}, {why}"
        super().__init__(Problem(title=title, field=setting, expected="a value behind the reference", mend=mend))


def is_reference(text: object) -> bool:
    """Whether the text is ``env:NAME`` or ``file:path``."""
    return isinstance(text, str) and bool(_ENVIRONMENT.fullmatch(text) or _FILE.fullmatch(text))


def resolve(text: str, *, setting: str, folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """The value behind a reference; any other text is itself. ``file:`` paths are relative to the landscape's folder.

    Raises SecretMissing that names ``setting``.
    """
    environ = os.environ if environ is None else environ
    if name := _ENVIRONMENT.fullmatch(text):
        value = environ.get(name[1], "")
        if not value:
            raise SecretMissing(setting, text, "and that variable is not set", f"set {name[1]} in the environment")
        return value
    if path := _FILE.fullmatch(text):
        file = folder / path[1]
        try:
            value = file.read_text("utf-8").strip()
        except OSError as error:
            why = f"and that file cannot be read ({error.strerror})"
            raise SecretMissing(setting, text, why, f"write the value into {file}") from None
        if not value:
            raise SecretMissing(setting, text, "and that file is empty", f"write the value into {file}")
        return value
    return text
