"""REST as most vendors speak it: quoting, JSON and form bodies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
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
    return "&".join([f"{_name(name)}={_text(text)}" for name, text in pairs(body)]).encode()


def pairs(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields of a value by names with brackets, as ``form`` writes them. Raises TypeError."""
    found: list[tuple[str, str]] = []
    for name, inner in value.items():
        _collect(str(name), inner, found)
    return found


def _collect(name: str, value: Any, found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        found.append((name, str(value)))
    elif value is None:
        found.append((name, ""))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _collect(f"{name}[{key}]", inner, found)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _collect(f"{name}[{number}]", inner, found)
    elif isinstance(value, bool):
        found.append((name, "true" if value else "false"))
    elif isinstance(value, int):
        found.append((name, str(value)))
    elif isinstance(value, float):
        found.append((name, str(plain_number(value))))
    else:
        raise TypeError(f"{name} is a {type(value).__name__}, which has no place in a form; give it as text")


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    return quote_plus(name, safe="[]")


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    return quote_plus(text)
