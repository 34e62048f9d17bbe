"""What a text would build, found without running it: the fields of objects, and the input paths behind each.

A ``Shape`` stands for a value: either something read from the input (``sources``), or an object whose ``fields`` are
shapes again, or both where a condition chooses. It is an over-approximation: a path may be named that a run does not read,
none is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

_FIRST: Final = frozenset(
    {"filter", "reverse", "sort", "distinct", "single", "append", "merge", "map", "each", "reduce"}
)
ROOT: Final = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """``sources`` are the paths that it is read from, ``also`` what else was looked at to choose or filter it."""

    sources: frozenset[str] = frozenset()
    also: frozenset[str] = frozenset()
    fields: dict[str, Shape] = field(default_factory=dict)
    array: bool = False
    offset: int = 0
    call: Callable[[list[Shape]], Shape] | None = None

    def everything(self, also: frozenset[str] = frozenset()) -> frozenset[str]:
        """All paths behind this value itself."""
        return frozenset(path for path in self.sources | self.also | also if path)

    def whole(self) -> frozenset[str]:
        """All paths behind this value and its fields."""
        found = self.sources | self.also
        for one in self.fields.values():
            found |= one.whole()
        return found

    def walk(self, prefix: str = "", also: frozenset[str] = frozenset()) -> Iterator[tuple[str, Shape, frozenset[str]]]:
        """Path, shape and what was looked at on the way, for every field below."""
        also = also | self.also
        for name, one in self.fields.items():
            one = replace(one, offset=one.offset or self.offset)
            path = f"{prefix}.{name}" if prefix else name
            path += "[]" if one.array else ""
            yield path, one, also
            yield from one.walk(path, also)

    def step(self, name: str) -> Shape:
        """The value's field of that name."""
        found = [self.fields[name]] if name in self.fields else []
        if self.sources:
            paths = frozenset(f"{path}.{name}" if path else name for path in self.sources)
            found.append(Shape(paths))
        return replace(joined(found), also=joined(found).also | self.also)

    def because(self, looked: Iterable[str]) -> Shape:
        """The same value, chosen by looking at these paths."""
        return replace(self, also=self.also | frozenset(looked))


def joined(shapes: Iterable[Shape]) -> Shape:
    """What is one of these, or all of them put together."""
    shapes = list(shapes)
    if len(shapes) == 1:
        return shapes[0]
    fields: dict[str, Shape] = {}
    for shape in shapes:
        for name, one in shape.fields.items():
            fields[name] = joined([fields[name], one]) if name in fields else one
    return Shape(
        frozenset().union(*(shape.sources for shape in shapes)),
        frozenset().union(*(shape.also for shape in shapes)),
        fields,
        any(shape.array for shape in shapes),
        next((shape.offset for shape in shapes if shape.offset), 0),
        next((shape.call for shape in shapes if shape.call), None),
    )


def shape_of(tree: Any) -> Shape:
    """The shape of what a whole text gives."""
    root = Shape(frozenset({ROOT}))
    return _Reader(root).read(tree, root, {})


Names = dict[str, Shape]


class _Reader:
    """Reads node by node; ``here`` is the shape of the context, ``names`` the variables in scope."""

    def __init__(self, root: Shape) -> None:
        self.root = root
        self._called: set[int] = set()

    def read(self, node: Any, here: Shape, names: Names) -> Shape:
        read = getattr(self, f"_{node.type}", None)
        shape = read(node, here, names) if read else self._any(node, here, names)
        shape = self._filtered(node.predicate, shape, names)
        if node.group is not None:
            shape = self._object(node.group, shape, names)
        return replace(shape, array=True) if node.keep_array and not shape.array else shape

    def _any(self, node: Any, here: Shape, names: Names) -> Shape:
        below = [part for part in (node.lhs, node.rhs, node.expression) if hasattr(part, "type")]
        return Shape(frozenset().union(*(self.read(part, here, names).whole() for part in below)))

    def _path(self, node: Any, here: Shape, names: Names) -> Shape:
        shape, names = here, dict(names)
        for step in node.steps:
            if step.type == "name":
                found = shape.step(str(step.value))
            elif step.type == "sort":
                looked = [self.read(term.expression, shape, names).whole() for term in step.terms]
                found = shape.because(frozenset().union(*looked))
            else:
                found = self.read(step, shape, names)
                if step.type == "unary":
                    found = replace(
                        found, array=True, also=found.also | (shape.also if shape is not here else frozenset())
                    )
            found = self._filtered(step.stages, found, names)
            if step.index:
                names[str(step.index)] = Shape()
            if step.focus:
                names[str(step.focus)] = found
            else:
                shape = found
        return shape

    def _wildcard(self, node: Any, here: Shape, names: Names) -> Shape:
        return joined([Shape(here.sources, here.also), *here.fields.values()])

    _descendant = _wildcard

    def _parent(self, node: Any, here: Shape, names: Names) -> Shape:
        return Shape(frozenset(path.rpartition(".")[0] for path in here.sources), here.also)

    def _filtered(self, filters: Any, shape: Shape, names: Names) -> Shape:
        for one in filters or ():
            if one.type == "index":
                names[str(one.value)] = Shape()
            elif one.expr.type != "number":
                shape = shape.because(self.read(one.expr, shape, names).whole())
            else:
                shape = replace(shape, array=False)
        return shape

    def _unary(self, node: Any, here: Shape, names: Names) -> Shape:
        if node.value == "{":
            return self._object(node, here, names)
        if node.value == "[":
            inner = joined([self.read(one, here, names) for one in node.expressions])
            return replace(inner, array=True)
        return self._any(node, here, names)

    def _object(self, node: Any, here: Shape, names: Names) -> Shape:
        fields: dict[str, Shape] = {}
        looked: frozenset[str] = frozenset()
        for key, value in node.lhs_object:
            shape = replace(self.read(value, here, names), offset=int(key.position or 0))
            name = str(key.value) if key.type == "string" else "*"
            if name == "*":
                looked |= self.read(key, here, names).whole()
            fields[name] = joined([fields[name], shape]) if name in fields else shape
        return Shape(fields=fields, also=looked)

    def _condition(self, node: Any, here: Shape, names: Names) -> Shape:
        looked = self.read(node.condition, here, names).whole()
        branches = [self.read(one, here, names) for one in (node.then, node._else) if one is not None]
        return joined(branches).because(looked)

    def _block(self, node: Any, here: Shape, names: Names) -> Shape:
        inner, shape = dict(names), Shape()
        for one in node.expressions:
            shape = self.read(one, here, inner)
        return shape

    def _bind(self, node: Any, here: Shape, names: Names) -> Shape:
        names[str(node.lhs.value)] = shape = self.read(node.rhs, here, names)
        return shape

    def _variable(self, node: Any, here: Shape, names: Names) -> Shape:
        if node.value == "":
            return here
        return self.root if node.value == "$" else names.get(str(node.value), Shape())

    def _lambda(self, node: Any, here: Shape, names: Names) -> Shape:
        if node.thunk:
            return self.read(node.body, here, names)

        def call(arguments: list[Shape]) -> Shape:
            given = {str(one.value): Shape() for one in node.arguments}
            given.update(zip(given, arguments, strict=False))
            if id(node) in self._called:  # it calls itself
                return Shape(frozenset().union(*(one.whole() for one in arguments)))
            self._called.add(id(node))
            try:
                return self.read(node.body, here, {**names, **given})
            finally:
                self._called.remove(id(node))

        return Shape(call=call)

    def _function(self, node: Any, here: Shape, names: Names, first: list[Shape] | None = None) -> Shape:
        arguments = [*(first or []), *(self.read(one, here, names) for one in node.arguments)]
        name = str(node.procedure.value) if node.procedure.type == "variable" else ""
        if name in names or node.procedure.type == "lambda":
            shape = self.read(node.procedure, here, names)
            if shape.call:
                return shape.call(arguments)
        if not arguments:
            return Shape(here.whole())
        return _given(name, arguments)

    def _apply(self, node: Any, here: Shape, names: Names) -> Shape:
        left = self.read(node.lhs, here, names)
        if node.rhs.type == "function":
            return self._function(node.rhs, here, names, [left])
        right = self.read(node.rhs, here, names)
        return right.call([left]) if right.call else Shape(left.whole() | right.whole())


def _given(name: str, arguments: list[Shape]) -> Shape:
    """What one of JSONata's or of our functions gives, as far as its arguments' shapes live on in it."""
    first = arguments[0]
    last = arguments[-1].call
    if name in ("map", "each") and last:
        return replace(last([first]).because(first.also), array=name == "map")
    if name == "filter" and last:
        return first.because(last([first]).whole())
    if name == "money":
        amount, currency = first.whole(), frozenset[str]().union(*(one.whole() for one in arguments[1:]))
        return Shape(fields={"amount": Shape(amount), "currency": Shape(currency)})
    if name == "lookup" or name not in _FIRST or last:
        return Shape(frozenset().union(*(one.whole() for one in arguments)))
    if name == "merge":
        return replace(first, array=False)
    if name == "append":
        return joined(arguments)
    return first.because(path for one in arguments[1:] for path in one.whole())
