"""What an answer's bytes are, by its content type: JSON, text, bytes, or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from isthmus.connectivity.transport.json_text import parse_json

_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)
_TEXT = ("text/", "application/xml", "application/csv", "application/x-www-form-urlencoded", "application/soap+xml")


def parsed(raw: bytes, headers: Mapping[str, str]) -> Any:
    """The body as ``Answer.body`` has it. Raises ValueError where what claims to be JSON is none."""
    if not raw:
        return None
    content_type = headers.get("content-type", "").lower()
    if "json" in content_type:
        return parse_json(raw)
    if content_type.startswith(_TEXT) or content_type.partition(";")[0].endswith("+xml"):
        return _text(raw, content_type)
    if not content_type:
        return _guessed(raw)
    return raw


def _guessed(raw: bytes) -> Any:
    """A body without a content type: JSON if it is, else text."""
    try:
        return parse_json(raw)
    except ValueError:
        return _text(raw, "")


def _text(raw: bytes, content_type: str) -> str:
    said = _CHARSET.search(content_type)
    try:
        return raw.decode(said[1] if said else "utf-8", errors="replace")
    except LookupError:
        return raw.decode("utf-8", errors="replace")
