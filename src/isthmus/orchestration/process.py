"""A business process: plain Python that reads like the procedure manual. (EIP: process manager.)

What stands outside a step must be deterministic: it is played again from the top after every wait and every death.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from isthmus.landscape.own_code import import_file


class Refused(Exception):
    """The business said no: what was done is undone in reverse, and the run ends as undone."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as its decorator describes it."""

    name: str
    version: int
    starts_on: tuple[str, ...]
    function: Callable[..., Awaitable[Any]]
    takes: type[BaseModel]
    again: bool = False
    when_undone: Callable[..., Awaitable[Any]] | None = field(default=None)


def process(
    name: str,
    *,
    version: int,
    starts_on: str | tuple[str, ...],
    again: bool = False,
    when_undone: Callable[..., Awaitable[Any]] | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Process]:
    """Make a process of ``async def f(run, object)``.

    ``again``: a message on a done run plays a new generation (a status that changes); without it the message is
    recorded as seen. ``when_undone(run, object)`` is played after everything was undone, to tell whoever must know.
    """

    def decorate(function: Callable[..., Awaitable[Any]]) -> Process:
        events = (starts_on,) if isinstance(starts_on, str) else starts_on
        hints = typing.get_type_hints(function)
        parameter = list(inspect.signature(function).parameters)[1]
        return Process(name, version, events, function, hints[parameter], again, when_undone)

    return decorate


def load_process(code: str, folder: Path | None = None) -> Process:
    """The process at ``package.module:name`` or ``path/to/file.py:name`` (relative to the landscape's folder).

    Raises ValueError that names the code and what is there instead.
    """
    place, _, name = code.rpartition(":")
    module = import_file((folder or Path()) / place) if place.endswith(".py") else importlib.import_module(place)
    found = getattr(module, name, None)
    if not isinstance(found, Process):
        there = [n for n, value in vars(module).items() if isinstance(value, Process)]
        raise ValueError(f"{code} is no process; {place} has {', '.join(there) or 'none'}")
    return found
