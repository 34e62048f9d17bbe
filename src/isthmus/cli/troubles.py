"""Errors as sentences: what went wrong and what a person can do. Only a mistake in the program shows its trace."""

from __future__ import annotations

import sys
import traceback


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
    from isthmus.landscape.finding import LandscapeProblems
    from isthmus.model.problems import IsthmusError
    from isthmus.store.transaction import StoreUnavailable

    if isinstance(error, LandscapeProblems):
        count = len(error.findings)
        return f"{error}\n{count} problem{'s' if count != 1 else ''}, nothing started"
    if isinstance(error, KeyError):
        return str(error.args[0]) if error.args and " " in str(error.args[0]) else None
    if isinstance(error, IsthmusError | StoreUnavailable | LookupError | OSError):
        return str(error)
    if isinstance(error, ValueError) and type(error).__module__ == "builtins":
        return str(error)
    return None
