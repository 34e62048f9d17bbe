"""Python source in the making: lines that know which piece of the mapping they stand for, and places to read from.

A *place* is a local variable that paths start at. Its getter and its fields on the way are computed once, where the
variable gets its value, however many paths go through them: that is half of the compiler's speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Kind = Literal["any", "bool", "int", "text", "object", "array", "raw", "objects"]
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


@dataclass(slots=True)
class Hoist:
    """A spot in the source where lines can still be put later."""

    depth: int
    lines: list[Line] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Puts a line there. It must not be able to fail: it runs whether it is needed or not."""
        self.lines.append(Line(self.depth, text, 0, ""))


class Source:
    """The lines so far, and the names that are taken."""

    def __init__(self) -> None:
        self.lines: list[Line | Hoist] = []
        self.depth = 1
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

    def hoist(self) -> Hoist:
        """A spot here."""
        spot = Hoist(self.depth)
        self.lines.append(spot)
        return spot

    @contextmanager
    def block(self, opening: str) -> Iterator[None]:
        """``opening:`` and what is added inside, one deeper."""
        self.add(f"{opening}:")
        self.depth += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.add("pass")
        self.depth -= 1

    @contextmanager
    def aside(self) -> Iterator[list[Line | Hoist]]:
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
        """All lines, those put in later included."""
        found: list[Line] = []
        for line in self.lines:
            found.extend(line.lines if isinstance(line, Hoist) else [line])
        return found


class Place:
    """A local variable that paths read from. ``single`` says that it is never an array, ``object`` that it is a dict."""

    def __init__(self, source: Source, code: str, *, single: bool = False, known: bool = False) -> None:
        self.code, self.single, self.known = code, single or known, known
        self._source, self._hoist = source, source.hoist()
        self._getter = ""
        self._fields: dict[str, Place] = {}

    def leaf(self, name: str) -> str:
        """The code that reads the last step of a path."""
        if not self._getter:
            self._getter = self._source.name("g")
            get = f"{self.code}.get"
            self._hoist.add(
                f"{self._getter} = {get}" if self.known else
                f"{self._getter} = {get} if type({self.code}) is dict else getter({self.code})"
            )  # fmt: skip
        return f"{self._getter}({name!r}, A)"

    def step(self, name: str) -> Place:
        """The place of a step that others follow."""
        if name not in self._fields:
            local, get = self._source.name("p"), f"{self.code}.get({name!r}, A)"
            self._hoist.add(
                f"{local} = {get}" if self.known else
                f"{local} = {get} if type({self.code}) is dict else step({self.code}, {name!r})"
            )  # fmt: skip
            self._fields[name] = place = Place.__new__(Place)
            place.code, place.single, place.known = local, False, False
            place._source, place._hoist, place._getter, place._fields = self._source, self._hoist, "", {}
        return self._fields[name]


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function that the mapping defines: the Python name, and how many arguments it takes."""

    code: str
    arity: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at a point of the mapping: the context, the root, the variables."""

    here: Place
    root: Place
    names: dict[str, Place | UserFunction]

    def with_here(self, here: Place) -> Scope:
        """The same with another context."""
        return replace(self, here=here)

    def inner(self) -> Scope:
        """A block's own scope."""
        return replace(self, names=dict(self.names))
