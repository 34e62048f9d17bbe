"""REST as most vendors speak it: quoting, JSON and form bodies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_plus

from isthmus.connectivity.transport.json_text import plain_number

#: characters that open a literal in query languages within a parameter (SOQL, search syntaxes)
QUOTES = "'\""


def in_literal(text: str) -> str:
    """``text`` for a place within quotes: query languages of REST vendors escape with a backslash."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')


def form(body: Mapping[str, Any]) -> bytes:
    """``body`` as application/x-www-form-urlencoded with brackets: ``lines[0][price]=…``, order kept.

    None becomes empty text (which clears a field), a bool ``true`` or ``false``; empty lists and objects say nothing.
    """
    return "&".join(f"{quote_plus(name, safe='[]')}={quote_plus(text)}" for name, text in pairs(body)).encode()


def pairs(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a value by names with brackets, as ``form`` writes them. Raises TypeError."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from pairs(inner, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from pairs(inner, f"{name}[{number}]")
    elif value is None:
        yield name, ""
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif isinstance(value, float):
        yield name, str(plain_number(value))
    elif isinstance(value, str | int):
        yield name, str(value)
    else:
        raise TypeError(f"{name} is a {type(value).__name__}, which has no place in a form; give it as text")
