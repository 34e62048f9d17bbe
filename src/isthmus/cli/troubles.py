"""Errors as sentences: what went wrong and what a person can do. Only a mistake in the program shows its trace."""

from __future__ import annotations

import sys
import traceback
from typing import Any


def told(error: Exception) -> int:
    """Tell an error on stderr; the exit code."""
    sentence = _sentence(error)
    if sentence is None:
        traceback.print_exception(error)
        print("This is a mistake in Isthmus, not in what you typed.", file=sys.stderr)  # noqa: T201 - for people
        return 70
    print(sentence, file=sys.stderr)  # noqa: T201 - for people
    return 1


def _sentence(error: Exception) -> str | None:
    if isinstance(error, _loaded("isthmus.landscape.finding", "LandscapeProblems")):
        count = len(error.findings)
        return f"{error}\n{count} problem{'s' if count != 1 else ''}, nothing started"
    if isinstance(error, KeyError):
        return str(error.args[0]) if error.args and " " in str(error.args[0]) else None
    ours = _loaded("isthmus.model.problems", "IsthmusError"), _loaded("isthmus.store.transaction", "StoreUnavailable")
    if isinstance(error, (LookupError, OSError, *ours)):
        return str(error)
    if isinstance(error, ValueError) and type(error).__module__ == "builtins":
        return str(error)
    return None


def _loaded(module: str, name: str) -> Any:
    """A class of ours if its module is loaded; where it is not, nothing of that class can have been raised."""
    return getattr(sys.modules.get(module), name, ())
