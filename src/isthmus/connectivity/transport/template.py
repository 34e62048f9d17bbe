"""Placeholders: ``{input.number}`` in a request line, query or header stands for a value of the context.

A template never guesses: a placeholder without a value (nothing there, null, or empty text) is refused by name, since a
look-up by an empty key would find somebody else's object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from isthmus.connectivity.transport.json_text import plain_number
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected

#: text of the value, whether it stands within quotes → text as the place demands
Quoting = Callable[[str, bool], str]

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def fill(
    template: str,
    context: Mapping[str, Any],
    *,
    what: str,
    quote: Quoting = lambda text, quoted: text,
    literal: Callable[[str], str] = str,
    quotes: str = "'",
    missing: str | None = None,
) -> str:
    """``template`` with its placeholders filled; ``what`` says for whom, in the words of an error.

    ``quote`` treats values, ``literal`` the text between them; ``quotes`` are the characters that open and close a
    quoted literal there. Raises Rejected for a placeholder without a value, or with one that is no single value,
    unless ``missing`` is to stand there instead.
    """
    parts = _parts(template, quotes)
    if len(parts) == 1:
        return literal(template)
    filled = []
    for number, (part, opened) in enumerate(parts):
        if number % 2 == 0:
            filled.append(literal(part))
        else:
            filled.append(quote(_value(part, context, what, missing), opened))
    return "".join(filled)


def header_value(text: str, *, name: str, what: str) -> str:
    """``text`` if it may stand in a header. Raises Rejected (without showing it) if it has control characters."""
    if _CONTROL.search(text):
        raise _refused(
            name, f"{what}: the header {name} would contain a line break or control character", "one line of text"
        )
    return text


@lru_cache(maxsize=4096)
def _parts(template: str, quotes: str) -> tuple[tuple[str, bool], ...]:
    """Literals and placeholders by turns, each with whether a quoted literal is open there."""
    parts, opened = [], ""
    for number, part in enumerate(_PLACEHOLDER.split(template)):
        if number % 2 == 0:
            opened = _still_open(part, opened, quotes)
        parts.append((part, bool(opened)))
    return tuple(parts)


def _still_open(text: str, opened: str, quotes: str) -> str:
    """Which quote is open after ``text``, given the one before it. A doubled quote closes and opens: no change."""
    for character in text:
        if opened:
            opened = "" if character == opened else opened
        elif character in quotes:
            opened = character
    return opened


def _value(path: str, context: Mapping[str, Any], what: str, missing: str | None) -> str:
    """The text of the value at the dotted ``path`` (``units.0.code``)."""
    found: Any = context
    for name in path.split("."):
        if type(found) is dict or isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            found = None
    if isinstance(found, str) and found:
        return str(found)
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return str(plain_number(found) if isinstance(found, float) else found)
    if missing is not None:
        return missing
    if found is None or found == "":
        raise _refused(
            path, f"{what} needs {{{path}}}, which has no value here", "a value", f"see that {path} is given"
        )
    kind = "an object" if isinstance(found, Mapping) else "a list"
    raise _refused(
        path, f"{what} needs {{{path}}} as one value, but it is {kind}", "text or a number", "name a part of it"
    )


def _refused(field: str, title: str, expected: str, mend: str | None = None) -> Rejected:
    return Rejected(
        Problem(type=PROBLEMS_AT + "cannot-ask", title=title, status=422, field=field, expected=expected, mend=mend)
    )
