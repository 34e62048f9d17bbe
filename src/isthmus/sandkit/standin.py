"""What every vendor's stand-in is: routes over a world, with faults between the two.

The host (room ``sandbox``) finds a class ``VendorSandbox(Sandbox)`` in each connector's ``sandbox`` package.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company
from isthmus.sandkit.faults import Fault, Faults
from isthmus.sandkit.push import Push
from isthmus.sandkit.routes import Answer, Refusal, Request, Routes
from isthmus.sandkit.world import Row, World


class Cut(Exception):
    """The connection must be cut without an answer; ``later`` is what still happens, after ``delay_s``."""

    def __init__(self, later: Callable[[], Awaitable[None]] | None = None) -> None:
        super().__init__("connection cut on purpose")
        self.later = later


@dataclass(frozen=True, slots=True)
class Verb:
    """Something people do in the real system: ``isthmus sandbox play VENDOR VERB name=value …``.

    ``act`` takes the arguments as text and returns a JSON object that says what became of it; it raises
    ValueError with a sentence for people.
    """

    summary: str
    arguments: tuple[str, ...]
    act: Callable[[Mapping[str, str]], Mapping[str, Any]]


class Sandbox(ABC):
    """A vendor's stand-in over its own world. All handlers are plain functions and run one at a time."""

    name: str  # the connector's name, also the first path segment
    title: str  # what people call the vendor's application

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        self.world, self.clock, self.faults = world, clock, faults
        self.routes = Routes()
        self.pushes: list[Push] = []

    # What each vendor says for itself -------------------------------------------------------------

    @abstractmethod
    def seed(self, company: Company) -> None:
        """Fill an empty world with the seed company as this vendor would hold it."""

    @abstractmethod
    def credentials(self) -> dict[str, str]:
        """How to sign in, as ``isthmus sandbox --json`` prints it (without ``base_url``)."""

    @abstractmethod
    def trouble(self, kind: str, request: Request) -> Answer:
        """The vendor's own answer to ``limited``, ``down``, ``broken``, ``expired`` (after invalidating the
        caller's token), ``locked`` and ``not_found`` (a path the vendor does not know)."""

    @abstractmethod
    def verbs(self) -> Mapping[str, Verb]:
        """What people can do there (the vendor's ``play.py``)."""

    @abstractmethod
    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of one kind (customer, product, order, invoice, …) for ``isthmus sandbox show``; ``key`` narrows."""

    @abstractmethod
    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """Change one row as an administrator there would, for ``isthmus sandbox set``; the row after it.

        Raises ValueError that names the kind, key or value and what was expected.
        """

    def faultless(self, request: Request) -> bool:
        """Requests that no fault may touch (token endpoints, metadata)."""
        return False

    def summary(self) -> str:
        """What stands in the world, in a few words for the demo's header."""
        return ""

    # How a request is played ----------------------------------------------------------------------

    async def answer(self, request: Request) -> Answer:
        """Play one request, with the fault it meets. Raises Cut where the connection must be cut."""
        fault = None if self.faultless(request) else self.faults.pick(self.name, f"{request.method} {request.raw_path}")
        if fault is None:
            return self.play(request)
        return await self._troubled(request, fault)

    def play(self, request: Request) -> Answer:
        """Play one request in one transaction of the world."""
        handler = self.routes.find(request)
        if handler is None:
            return self.trouble("not_found", request)
        try:
            with self.world.transaction():
                return handler(request)
        except Refusal as refusal:
            return refusal.answer

    async def _troubled(self, request: Request, fault: Fault) -> Answer:
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
            return self.play(request)
        if fault.kind == "cut_before":
            raise Cut
        if fault.kind == "cut_after":
            self.play(request)
            raise Cut
        if fault.kind == "late":
            raise Cut(later=self._later(request, fault.delay_s))
        if fault.kind == "broken":
            return self._broken(request)
        return self.trouble(fault.kind, request)

    def _broken(self, request: Request) -> Answer:
        """The effect happens and the answer is a 500; vendors that store answers override this."""
        self.play(request)
        return self.trouble("broken", request)

    def _later(self, request: Request, delay_s: float) -> Callable[[], Awaitable[None]]:
        async def happen() -> None:
            await asyncio.sleep(delay_s)
            self.play(request)

        return happen
