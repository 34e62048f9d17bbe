"""Names written as one line of words, where a list literal would fill a page."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


def pairs(text: str) -> dict[str, str]:
    """``a=1 b=2`` as a dict."""
    return dict(word.split("=", 1) for word in text.split())
