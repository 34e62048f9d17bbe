"""The values that mappings work on: JSON's own, and three markers that JSON has no word for.

A value is ``dict``, ``list``, ``str``, ``int``, ``bool`` or ``None`` (JSON's null), as a JSON parser gives it. Decimals
are text. ``ABSENT`` is what JSONata calls *undefined*: nothing there, which is not the same as null.
"""

from __future__ import annotations

from typing import Any, Final


class Absent:
    """The type of ``ABSENT``: no value at all. A constructor drops the key of an absent value; null stays null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "absent"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


class JsonNumber(str):
    """Text that the encoder writes as a bare JSON number with exactly these digits (``12.50``, never a float)."""

    __slots__ = ()


class Sequence(list[Any]):
    """What a path found in several places. It is an array, but of a kind that collapses: one item stands for itself."""

    __slots__ = ()


class Constructed(list[Any]):
    """An array built as a step of a path (``lines.[id, name]``): it stays whole where others are flattened."""

    __slots__ = ()
