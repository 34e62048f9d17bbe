"""Pictures in text: who was asked what, in order, as a sequence of arrows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isthmus.visibility.timeline import Timeline

_WIDTH = 15
_SIGNS = {"answered": "●", "looked": "○", "refused": "✗", "troubled": "~", "cut": "?", "not sent": "·"}


def calls_picture(run: Timeline, titles: Mapping[str, str] | None = None) -> list[str]:
    """Lines of a sequence picture: one column a connection, one line a call."""
    if not run["calls"]:
        return []
    columns = list(dict.fromkeys(call["connection"] for call in run["calls"]))
    names = [(titles or {}).get(column, column)[: _WIDTH - 2] for column in columns]
    lines = ["", "Who was asked", "  isthmus  " + "".join(f"{name:^{_WIDTH}}" for name in names)]
    lines += [_line(call, columns) for call in run["calls"]]
    lines.append("  " + "  ".join(f"{sign} {word}" for word, sign in _SIGNS.items() if _met(run, word)))
    return lines


def _line(call: Mapping[str, Any], columns: list[str]) -> str:
    at = columns.index(call["connection"])
    sign = _SIGNS.get(call["outcome"], "●")
    reach = "─" * (_WIDTH * at + _WIDTH // 2 - 1)
    rest = "".join(f"{'│':^{_WIDTH}}" for _ in columns[at + 1 :])
    tail = " " * (_WIDTH - _WIDTH // 2 - 1)
    part = f"/{call['part']}" if call["part"] else ""
    status = f" {call['status']}" if call["status"] else ""
    return f"     ├─────{reach}{sign}{tail}{rest}  {call['step']}{part}{status}"


def _met(run: Timeline, word: str) -> bool:
    return any(call["outcome"] == word for call in run["calls"])
