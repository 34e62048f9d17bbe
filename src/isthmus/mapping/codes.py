"""Code tables: a vendor's words for units, countries or states beside ours, from the connector's ``codes.yaml``.

A table maps the key to its meaning; ``$code(table, key)`` reads it forward, ``$code_of(table, meaning)`` backward.
Where several keys have one meaning, the one listed first is the one that ``$code_of`` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.values import ABSENT


class Codes:
    """A connector's code tables, both ways. Raises ``ValueError`` where a key is not text (YAML reads NO as false)."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self.tables = {name: dict(table) for name, table in tables.items()}
        self._forward: dict[str, dict[str, Any]] = {}
        self._backward: dict[str, dict[str, str]] = {}
        for name, table in tables.items():
            forward = {_key(name, key): meaning for key, meaning in table.items()}
            backward: dict[str, str] = {}
            for key, meaning in forward.items():
                if type(meaning) in (str, int):
                    backward.setdefault(str(meaning), key)
            self._forward[name], self._backward[name] = forward, backward

    def code(self, table: Any, key: Any) -> Any:
        """The meaning of a key; an unknown table or key is refused, absent and null pass."""
        return _look(self._forward, table, key)

    def code_of(self, table: Any, meaning: Any) -> Any:
        """The first key that has this meaning."""
        return _look(self._backward, table, meaning)

    def check(self, table: str) -> None:
        """Raises ``Refused`` where there is no such table."""
        if table not in self._forward:
            near = get_close_matches(table, self._forward, 1)
            raise Refused(
                f"there is no code table {table!r}",
                f"one of {', '.join(sorted(self._forward)) or 'none: mappings/codes.yaml has no table'}",
                f"did you mean {near[0]!r}?" if near else "add it to mappings/codes.yaml",
            )


def _look(tables: Mapping[str, Mapping[str, Any]], table: Any, key: Any) -> Any:
    if key is ABSENT or key is None:
        return key
    try:
        return tables[table][key if type(key) is str else str(key)]
    except (KeyError, TypeError):
        pass
    known = sorted(tables.get(table, ())) if isinstance(table, str) else []
    if not known:
        raise Refused(f"there is no code table {shown(table)}", f"one of {', '.join(sorted(tables)) or 'none'}")
    raise Refused(
        f"{shown(key)} is not in the code table {table!r}",
        f"one of {', '.join(known[:12])}{' …' if len(known) > 12 else ''}",
        "add it to mappings/codes.yaml, or correct the value where it comes from",
    )


def _key(table: str, key: Any) -> str:
    if type(key) is str:
        return key
    if type(key) is int:
        return str(key)
    raise ValueError(
        f"code table {table!r}: {key!r} is not text; put it in quotes, for YAML reads NO, ON and 1.0 its way"
    )
