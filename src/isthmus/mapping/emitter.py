"""Python source in the making: lines that know which piece of the mapping they stand for, and places to read from.

A *place* is a local variable that paths start at. What they read from it is read once, where the variable gets its value,
however many paths go through it: that is half of the compiler's speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["any", "pattern", "bool", "int", "text", "object", "array", "raw", "objects"]
#: what cannot be absent
PRESENT: Final = ("bool", "int", "text", "object", "array")


class NotCompiled(Exception):
    """A construct outside the compiled subset; a slower engine takes the text."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what, self.offset = what, offset


@dataclass(frozen=True, slots=True)
class Value:
    """A Python expression that stands for a JSONata value; it can be evaluated any number of times, without effect.

    ``raw`` and ``objects`` are uncollapsed lists (``objects`` of objects only). ``literal`` marks constants.
    """

    code: str
    kind: Kind = "any"
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of Python, and what it stands for: an offset in the mapping, a path in the output."""

    depth: int
    text: str
    offset: int
    target: str


class Source:
    """The lines so far, and the names that are taken."""

    def __init__(self) -> None:
        self.lines: list[Line | Place] = []
        self.depth = 1
        self.loops = 0
        self.offset = 0
        self.target = ""
        self._count = 0

    def add(self, text: str) -> None:
        """A line at the present depth."""
        self.lines.append(Line(self.depth, text, self.offset, self.target))

    def reword(self, position: int, text: str) -> None:
        """Another text for a line that is there already."""
        line = self.lines[position]
        if isinstance(line, Line):
            self.lines[position] = replace(line, text=text)

    def name(self, prefix: str = "v") -> str:
        """A local name that nobody has yet."""
        self._count += 1
        return f"{prefix}{self._count}"

    def hold(self, code: str) -> str:
        """A local variable with this value; a name stays itself."""
        if code.isidentifier():
            return code
        name = self.name()
        self.add(f"{name} = {code}")
        return name

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """``opening:`` and what is added inside, one deeper; something must be."""
        self.add(f"{opening}:")
        repeats = opening.startswith(("for ", "def "))
        self.depth, self.loops = self.depth + 1, self.loops + repeats
        yield
        self.depth, self.loops = self.depth - 1, self.loops - repeats

    @contextmanager
    def aside(self) -> Iterator[list[Line | Place]]:
        """Lines one deeper that are kept aside; put them in with ``lines.extend``, under an ``if`` or ``else``."""
        outside, self.lines = self.lines, []
        self.depth += 1
        try:
            yield self.lines
        finally:
            self.lines = outside
            self.depth -= 1

    @contextmanager
    def at(self, offset: int) -> Iterator[None]:
        """What is added inside stands for this offset of the mapping."""
        before, self.offset = self.offset, offset or self.offset
        yield
        self.offset = before

    @contextmanager
    def building(self, part: str) -> Iterator[None]:
        """What is added inside builds this part of the output: a field's name, or ``[]`` for the items of an array."""
        before = self.target
        self.target = before + part if part == "[]" or not before else f"{before}.{part}"
        yield
        self.target = before

    def all_lines(self) -> list[Line]:
        """All lines, with what is read from each place where it got its value."""
        found: list[Line] = []
        for line in self.lines:
            found.extend(line.lines() if isinstance(line, Place) else [line])
        return found


class Place:
    """A local variable that paths read from.

    ``regrouped`` says that an array in it is put together to one value first, as an object constructor does with its
    context; there is then no array of items to go through.
    """

    def __init__(self, source: Source, code: str, *, regrouped: bool = False) -> None:
        self.code, self.regrouped = code, regrouped
        self._source, self._depth = source, source.depth
        self._leaves: dict[str, str] = {}
        self._steps: dict[str, Place] = {}
        source.lines.append(self)

    def leaf(self, name: str) -> str:
        """The local variable with the last step of a path."""
        if name not in self._leaves:
            self._leaves[name] = self._source.name()
        return self._leaves[name]

    def step(self, name: str) -> Place:
        """The place of a step that others follow."""
        if name not in self._steps:
            place = Place.__new__(Place)
            place.code, place.regrouped = self._source.name("p"), False
            place._source, place._depth, place._leaves, place._steps = self._source, self._depth, {}, {}
            self._steps[name] = place
        return self._steps[name]

    def lines(self) -> list[Line]:
        """What reads it. None of it can fail, for it runs whether it is needed or not."""
        fast = [(local, f"{self.code}.get({name!r}, A)") for name, local in self._leaves.items()]
        slow = [(local, f"leaf({self.code}, {name!r})") for name, local in self._leaves.items()]
        for name, place in self._steps.items():
            fast.append((place.code, f"{self.code}.get({name!r}, A)"))
            slow.append((place.code, f"step({self.code}, {name!r})"))
        texts = self._texts(fast, slow)
        found = [Line(self._depth + text.startswith(" "), text.strip(), 0, "") for text in texts]
        for place in self._steps.values():
            found.extend(place.lines())
        return found

    def _texts(self, fast: list[tuple[str, str]], slow: list[tuple[str, str]]) -> list[str]:
        if self.regrouped and not fast:
            return [f"if type({self.code}) is not dict: {self.code} = regrouped({self.code})"]
        if not fast:
            return []
        if len(fast) == 1 and not self.regrouped:
            return [f"{fast[0][0]} = {fast[0][1]} if type({self.code}) is dict else {slow[0][1]}"]
        together = [f" {self.code} = regrouped({self.code})"] if self.regrouped else []
        return [
            f"if type({self.code}) is dict:",
            *(f" {local} = {code}" for local, code in fast),
            "else:",
            *together,
            *(f" {local} = {code}" for local, code in slow),
        ]


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function that the mapping defines: the Python name, and how many arguments it takes."""

    code: str
    arity: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a point of the mapping: the context, ``$``, the root ``$$``, the variables.

    ``$`` is the context, but for a root that is an array: there the context is an array of that one array.
    """

    here: Place
    value: Place
    root: Place
    names: dict[str, Place | UserFunction]

    def with_here(self, here: Place) -> Scope:
        """The same with another context."""
        return replace(self, here=here, value=here)

    def inner(self) -> Scope:
        """A block's own scope."""
        return replace(self, names=dict(self.names))
