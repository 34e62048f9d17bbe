"""What goes to a vendor, what comes back, and what it means: the words that transport and outbound share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isthmus.catalogue.connector import ErrorClass, Verdict


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request without sign-in: it holds no secret, so it may be stored and sent again byte for byte.

    ``path`` is relative to the connection's base address, query included, everything encoded.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(slots=True)
class Answer:
    """One whole HTTP answer.

    ``headers`` have lower-case names. ``body`` is JSON parsed without loss (fractions, and integers beyond 2**53,
    are text), None where there is none, text for XML, CSV and HTML, bytes otherwise; ``raw`` is what came.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    raw: bytes = b""
    call: Call | None = None


class NotSent(Exception):
    """Not one byte of the call was written, so nothing can have happened: no doubt.

    ``pause_s`` is how long the other side asked us to wait, in seconds, where it said so.
    """

    def __init__(self, text: str, *, pause_s: float | None = None) -> None:
        super().__init__(text)
        self.pause_s = pause_s


class SignInRefused(NotSent):
    """The vendor does not let this connection in (wrong secret, locked user), or sends its calls elsewhere: a person
    must mend its settings. ``code`` groups equal refusals, ``mend`` says what to do where it is not the usual.
    """

    def __init__(self, text: str, *, code: str = "sign-in", mend: str | None = None) -> None:
        super().__init__(text)
        self.code, self.mend = code, mend


class NoAnswer(Exception):
    """Something was, or may have been, sent and no whole answer came back: doubt."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A vendor's error, named by what to do next.

    ``code`` and ``message`` are the vendor's, ``field`` the field it names; ``pause_s`` is the pause asked for before
    a retry; ``means`` and ``mend`` are the connector's words for an order clerk, where it has some.
    """

    verdict: Verdict
    error_class: ErrorClass
    status: int
    code: str
    message: str
    field: str | None = None
    pause_s: float | None = None
    means: str | None = None
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer's headers say about the calls that are left.

    ``reset_s``: seconds until the budget is full again; ``pause_s``: seconds during which nothing should be sent.
    """

    remaining: int | None = None
    reset_s: float | None = None
    pause_s: float | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """With what a call is signed: headers (secret), where it goes, and which sign-in gave it (0: no token)."""

    headers: Mapping[str, str] = field(repr=False)
    base_url: str
    generation: int = 0
