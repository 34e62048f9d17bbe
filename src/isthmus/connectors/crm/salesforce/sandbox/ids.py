"""Record ids: 15 characters that are case-sensitive, or 18 with a checksum that makes case irrelevant.

The checksum has one character for each five of the id; its bits say which of the five are upper case
(vendor: "What are Salesforce ID's composed of?", article 000385203).
"""

from __future__ import annotations

from functools import lru_cache

from isthmus.sandkit.world import World

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
#: the letters after the object's prefix: the instance on which the record was made
_INSTANCE = "5g0000"
_FIRST = 100_000


def new_id(world: World, prefix: str) -> str:
    """The next id of an object type, 18 characters."""
    number = world.next_number(f"id/{prefix}", _FIRST)
    counted = ""
    while number:
        number, rest = divmod(number, 62)
        counted = _DIGITS[rest] + counted
    short = prefix + _INSTANCE + counted.rjust(6, "0")
    return short + checksum(short)


def checksum(short: str) -> str:
    """The three characters that make 15 into 18."""
    made = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(short[start : start + 5]) if "A" <= letter <= "Z")
        made += _CHECK[bits]
    return made


@lru_cache(maxsize=65536)
def full_id(given: str) -> str | None:
    """The 18-character form of an id of 15 or 18 characters; None where it is malformed."""
    if not given.isalnum() or not given.isascii():
        return None
    if len(given) == 15:
        return given + checksum(given)
    if len(given) != 18:
        return None
    if checksum(given[:15]) == given[15:]:
        return given
    return _recased(given)


def _recased(given: str) -> str | None:
    """An 18-character id whose case was lost, restored from its checksum."""
    short = ""
    for start, check in zip((0, 5, 10), given[15:].upper(), strict=True):
        bits = _CHECK.find(check)
        if bits < 0:
            return None
        for place, letter in enumerate(given[start : start + 5]):
            short += letter.upper() if bits >> place & 1 else letter.lower()
    return short + given[15:].upper() if checksum(short) == given[15:].upper() else None
