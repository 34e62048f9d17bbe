"""Who acts in the audit without being a person or a holder of a key: Isthmus itself, under names that nobody else may have."""

from __future__ import annotations

CLOCK = "clock"
RUN = "the run"
NEWER_MESSAGE = "a newer message"

#: reserved name → who it is
RESERVED = {
    CLOCK: "what time alone mends or ends",
    "the clock": "what time alone mends or ends",
    RUN: "a run that ends what it had parked",
    NEWER_MESSAGE: "a message that takes the place of a parked one",
    "chaos": "the people that isthmus chaos plays",
    "demo visitor": "whoever comes without a key in the demo",
    "isthmus": "Isthmus itself",
    "system": "Isthmus itself",
}


def checked(name: str) -> str:
    """``name``, if somebody may act under it. Raises ValueError that says why not and what to do."""
    plain = " ".join(name.split())
    if not plain or plain != name or not plain.isprintable():
        raise ValueError(f"{name!r} is no name; give one of printable characters, such as  webshop")
    if (who := RESERVED.get(plain.casefold())) is not None:
        raise ValueError(f"{name!r} is reserved: in the audit it is {who}; take another name, such as  {_other(plain)}")
    return name


def _other(name: str) -> str:
    return f"{name.casefold().replace(' ', '-')}-service"
