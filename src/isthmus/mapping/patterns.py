"""Regular expressions in compiled mappings: those that Python reads as JSONata does, and that cannot run away.

A repeated group can make matching take exponential time on a hostile text, so texts with one go to a slower engine, which
has a clock.
"""

from __future__ import annotations

import re
from typing import Any, Final

from isthmus.mapping.emitter import NotCompiled

_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")
#: what the two languages read differently: look-behind, named groups, unicode classes, references back
_OTHER_WORDS: Final = re.compile(r"\(\?(?![:=!])|\\[pPkuAZ1-9]")
_TOKEN: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\$|[^\\\[$]+", re.DOTALL)


def pattern(node: Any) -> re.Pattern[str]:
    """The pattern of a ``/…/`` in the text. Raises ``NotCompiled``."""
    given: re.Pattern[str] = node.value
    text = given.pattern
    if _REPEATED_GROUP.search(text) or _OTHER_WORDS.search(text) or "[^]" in text or "[]" in text:
        raise NotCompiled(f"/{text}/", int(node.position or 0))
    flags = given.flags & (re.IGNORECASE | re.MULTILINE) | re.ASCII
    if not flags & re.MULTILINE:
        # Python's $ also matches before a newline at the end, JSONata's does not
        text = "".join(r"\Z" if part == "$" else part for part in _TOKEN.findall(text))
    try:
        found = re.compile(text, flags)
    except re.error as wrong:
        raise NotCompiled(f"/{text}/: {wrong}", int(node.position or 0)) from None
    if found.match(""):
        raise NotCompiled(f"/{text}/ matches nothing at all", int(node.position or 0))
    return found
