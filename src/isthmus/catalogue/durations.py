"""Spans of time as people write them in YAML: ``3s``, ``10m``, ``2 days``, ``PT15M``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WORDS = {"second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "day": "d", "millisecond": "ms"}
_SHORT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*")
_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def parse_duration(value: Any) -> timedelta:
    """``3s``, ``10m``, ``2 hours``, ``1d`` or ISO 8601 (``PT15M``, ``P2D``).

    Raises ValueError that shows how one is written. A bare number has no unit and is refused.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value)
    if (iso := _ISO.fullmatch(text)) and len(text) > 2:
        days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if short := _SHORT.fullmatch(text):
        word = short[2].lower()
        unit = word if word in _UNITS else _WORDS.get(word.rstrip("s") if word != "s" else word, "")
        if unit:
            return timedelta(seconds=float(short[1]) * _UNITS[unit])
    raise ValueError(f"{value!r} is not a duration; write a number with its unit, such as 3s, 10m, 2 hours or P2D")
