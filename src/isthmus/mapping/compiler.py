"""Translates a syntax tree to the lines of one Python function: values, objects, operators, conditions, blocks.

Paths stand in ``compile_paths``, calls in ``compile_calls``. What is outside the part of JSONata that mappings use raises
``NotCompiled``. The lines hold only names that are made here and constants by ``repr``: nothing of a mapping's text
becomes code.
"""

from __future__ import annotations

from typing import Any, Final

from isthmus.mapping import compile_calls, compile_paths
from isthmus.mapping.built_ins import TABLE
from isthmus.mapping.emitter import PRESENT, Line, NotCompiled, Place, Scope, Source, Value
from isthmus.mapping.errors import Refused
from isthmus.mapping.functions import Registered
from isthmus.mapping.syntax import begin, near

_ARITHMETIC: Final = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "remainder", "..": "span"}
_ORDER: Final = {"<": "less", "<=": "less_or_equal", ">": "more", ">=": "more_or_equal"}


class Compiler:
    """Emits a tree's Python. ``emit`` gives a value, ``emit_raw`` one that may still be an uncollapsed list."""

    def __init__(self, functions: dict[str, Registered]) -> None:
        self.functions = functions
        self.source = Source()
        self.constants: dict[str, Any] = {}

    def function(self, tree: Any) -> list[Line]:
        """The body of the function ``run(root)``."""
        self.source.add("here = [root] if type(root) is list else root")
        root, here = Place(self.source, "root"), Place(self.source, "here")
        value = self.emit(tree, Scope(here, root, root, {}))
        self.source.add(f"return {value.code}")
        return self.source.all_lines()

    def emit(self, node: Any, scope: Scope) -> Value:
        """The value of a node, as JSONata's evaluate gives it."""
        with self.source.at(begin(node)):
            value = self.emit_raw(node, scope)
            return self.collapsed(value)

    def emit_raw(self, node: Any, scope: Scope) -> Value:
        """The value of a node, its filters and grouping applied, before a sequence of one collapses."""
        emit = getattr(self, f"_{node.type}", None)
        if emit is None:
            raise NotCompiled(f"{node.type}: {node.value or ''}".rstrip(": "), begin(node))
        value: Value = emit(node, scope)
        for one in node.predicate or ():
            value = compile_paths.filtered(self, one, value, scope)
        if node.group is not None:
            value = compile_paths.group(self, node.group, value, scope)
        if node.keep_array and node.type != "path":
            if value.kind not in ("raw", "objects"):
                raise NotCompiled("[] behind something that is no path", begin(node))
            return Value(self.source.hold(f"keep({value.code})"))
        return value

    def collapsed(self, value: Value) -> Value:
        """The value of an uncollapsed list."""
        if value.kind not in ("raw", "objects"):
            return value
        return Value(self.source.hold(f"collapse({value.code})"))

    def test(self, value: Value) -> str:
        """The code that is true where JSONata takes the value for true."""
        if value.kind in ("bool", "int", "text", "object"):
            return value.code
        name = self.source.hold(value.code)
        return f"({name} if type({name}) is str else truthy({name}))"

    def fallible(self, code: str, kind: Any = "any") -> Value:
        """The value of something that can fail: computed here, so that the error knows where."""
        name = self.source.name()
        self.source.add(f"{name} = {code}")
        return Value(name, kind)

    def _string(self, node: Any, scope: Scope) -> Value:
        return Value(repr(str(node.value)), "text", True)

    def _number(self, node: Any, scope: Scope) -> Value:
        return Value(repr(int(node.value)), "int", True)

    def _value(self, node: Any, scope: Scope) -> Value:
        return Value(repr(node.value), "any" if node.value is None else "bool", True)

    def _path(self, node: Any, scope: Scope) -> Value:
        return compile_paths.path(self, node, scope)

    def _function(self, node: Any, scope: Scope) -> Value:
        return compile_calls.call(self, node, scope)

    def _apply(self, node: Any, scope: Scope) -> Value:
        return compile_calls.apply(self, node, scope)

    def _lambda(self, node: Any, scope: Scope) -> Value:
        if node.thunk:
            return self.emit_raw(node.body, scope)
        raise NotCompiled("a function that is neither called nor handed on at once", begin(node))

    def _variable(self, node: Any, scope: Scope) -> Value:
        return Value(self.place(node, scope).code)

    def place(self, node: Any, scope: Scope) -> Place:
        """The place of a variable."""
        if node.value in ("", "$"):
            return scope.root if node.value else scope.value
        found = scope.names.get(str(node.value))
        if found is None and node.value not in TABLE and node.value not in self.functions:
            raise _unbound(node, scope)
        if not isinstance(found, Place):
            raise NotCompiled(f"${node.value} as a value", begin(node))
        return found

    def _unary(self, node: Any, scope: Scope) -> Value:
        if node.value == "{":
            return self.object(node, scope)
        if node.value == "[":
            array = self._array(node, scope)
            return Value(f"Constructed({array.code})", "array") if node.consarray else array
        return self.fallible(f"negate({self.emit(node.expression, scope).code})")

    def object(self, node: Any, scope: Scope) -> Value:
        """An object constructor. On a context that is an array it builds one object of all its items."""
        if any(key.type != "string" for key, _ in node.lhs_object):
            return compile_paths.group(self, node, Value(scope.here.code), scope)
        if not scope.here.regrouped:
            here = self.source.name("c")
            self.source.add(f"{here} = {scope.here.code}")
            scope = scope.with_here(Place(self.source, here, regrouped=True))
        made = self.source.name("o")
        self.source.add(f"{made} = {{}}")
        written: set[str] = set()
        for key, value in node.lhs_object:
            if key.value in written:
                raise Refused(
                    f"two fields of the object are called {key.value!r}", "a name for each", offset=int(key.position)
                )
            written.add(key.value)
            self._field(made, str(key.value), value, scope)
        return Value(made, "object")

    def _field(self, made: str, key: str, node: Any, scope: Scope) -> None:
        with self.source.building(key), self.source.at(begin(node)):
            value = self.emit(node, scope)
            if value.kind in PRESENT or value.literal:
                self.source.add(f"{made}[{key!r}] = {value.code}")
            elif value.code.isidentifier():
                self.source.add(f"if {value.code} is not A: {made}[{key!r}] = {value.code}")
            else:
                name = self.source.name()
                self.source.add(f"if ({name} := {value.code}) is not A: {made}[{key!r}] = {name}")

    def _array(self, node: Any, scope: Scope) -> Value:
        if len(node.expressions) == 1:
            with self.source.at(begin(node.expressions[0])):
                only = self.emit_raw(node.expressions[0], scope)
            if only.kind == "objects":
                return Value(only.code, "array")
            values = [(node.expressions[0], self.collapsed(only))]
        else:
            values = [(one, self.emit(one, scope)) for one in node.expressions]
        made = self.source.name("a")
        plain = [value.code for one, value in values if self._is_item(one, value)]
        if len(plain) == len(values):
            self.source.add(f"{made} = [{', '.join(plain)}]")
            return Value(made, "array")
        self.source.add(f"{made} = []")
        for one, value in values:
            self.source.add(f"{made}.append({value.code})" if self._is_item(one, value) else
                            f"appended({made}, {value.code})")  # fmt: skip
        return Value(made, "array")

    @staticmethod
    def _is_item(node: Any, value: Value) -> bool:
        """An array written inside an array stays one item; any other array gives its items."""
        return value.literal or (value.kind in PRESENT and (value.kind != "array" or node.value == "["))

    def _binary(self, node: Any, scope: Scope) -> Value:
        sign = str(node.value)
        if sign in ("and", "or"):
            return self._logic(node, scope, sign)
        if sign == "&":
            return self._concatenation(node, scope)
        left = self.emit(node.lhs, scope)
        if sign == "in" and _only_texts(node.rhs):
            return Value(f"({left.code} in {tuple(str(one.value) for one in node.rhs.expressions)!r})", "bool")
        right = self.emit(node.rhs, scope)
        if sign == ".." and self.source.loops and not _is_short(node):
            raise NotCompiled("a range inside a loop, which nothing bounds", begin(node))
        if sign in _ARITHMETIC:
            return self.fallible(f"{_ARITHMETIC[sign]}({left.code}, {right.code})")
        if sign in _ORDER:
            return self.fallible(f"{_ORDER[sign]}({left.code}, {right.code})")
        if sign == "in":
            return Value(f"included({left.code}, {right.code})", "bool")
        return self._equality(sign, left, right)

    def _equality(self, sign: str, left: Value, right: Value) -> Value:
        if left.literal and not right.literal:
            left, right = right, left
        if right.literal and not left.literal and right.kind != "int":
            compare = ("==", "!=") if right.kind == "text" else ("is", "is not")
            if sign == "=":
                return Value(f"({left.code} {compare[0]} {right.code})", "bool")
            name = self.source.hold(left.code)
            return Value(f"({name} is not A and {name} {compare[1]} {right.code})", "bool")
        return Value(f"{'equal' if sign == '=' else 'unequal'}({left.code}, {right.code})", "bool")

    def _logic(self, node: Any, scope: Scope, sign: str) -> Value:
        left = self.test(self.emit(node.lhs, scope))
        with self.source.aside() as lines:
            right = self.test(self.emit(node.rhs, scope))
        if not lines:
            return Value(f"(True if {left} {sign} {right} else False)", "bool")
        name = self.source.name()
        self.source.add(f"{name} = True if {left} else False")
        self.source.add(f"if {name}:" if sign == "and" else f"if not {name}:")
        self.source.lines.extend(lines)
        self.source.depth += 1
        self.source.add(f"{name} = True if {right} else False")
        self.source.depth -= 1
        return Value(name, "bool")

    def _concatenation(self, node: Any, scope: Scope) -> Value:
        texts = []
        for one in _operands(node):
            value = self.emit(one, scope)
            if value.kind == "text":
                texts.append(value.code)
            else:
                name = self.source.hold(value.code)
                texts.append(f"({name} if type({name}) is str else text({name}))")
        return self.fallible(" + ".join(texts), "text")

    def _condition(self, node: Any, scope: Scope) -> Value:
        if _is_coalescing(node):
            value = self.emit(node.then, scope)
            name = self.source.hold(value.code)
            return self._choice(f"{name} is not A", Value(name, value.kind), node._else, scope)
        test = self.test(self.emit(node.condition, scope))
        with self.source.aside() as lines:
            then = self.emit(node.then, scope)
        if lines:
            chosen = self.source.name()
            self.source.add(f"if {test}:")
            self.source.lines.extend(lines)
            self._assign_deeper(chosen, then)
            self.source.add("else:")
            self.source.depth += 1
            other = self.emit(node._else, scope) if node._else is not None else Value("A")
            self.source.depth -= 1
            self._assign_deeper(chosen, other)
            return Value(chosen, then.kind if then.kind == other.kind else "any")
        return self._choice(test, then, node._else, scope)

    def _choice(self, test: str, then: Value, otherwise: Any, scope: Scope) -> Value:
        """``then`` if the test holds, which needs no lines of its own; else what the other node gives."""
        with self.source.aside() as lines:
            other = self.emit(otherwise, scope) if otherwise is not None else Value("A")
        kind = then.kind if then.kind == other.kind else "any"
        if not lines:
            return Value(f"({then.code} if {test} else {other.code})", kind)
        chosen = self.source.name()
        self.source.add(f"if {test}: {chosen} = {then.code}")
        self.source.add("else:")
        self.source.lines.extend(lines)
        self._assign_deeper(chosen, other)
        return Value(chosen, kind)

    def _assign_deeper(self, name: str, value: Value) -> None:
        self.source.depth += 1
        self.source.add(f"{name} = {value.code}")
        self.source.depth -= 1

    def _block(self, node: Any, scope: Scope) -> Value:
        inner, bound, value = scope.inner(), set[str](), Value("A")
        for position, one in enumerate(node.expressions):
            if one.type == "bind":
                value = self._bound(one, inner, bound)
            elif position == len(node.expressions) - 1:
                value = self.emit(one, inner)
            else:
                self.emit(one, inner)
        return value

    def _bound(self, node: Any, scope: Scope, bound: set[str]) -> Value:
        name = str(node.lhs.value)
        if name in bound:
            raise NotCompiled(f"${name} bound twice in a block", begin(node))
        if node.rhs.type == "lambda" and not node.rhs.thunk:
            scope.names[name] = compile_calls.define(self, node.rhs, scope)
            bound.add(name)
            return Value("A")
        value = self._bound(node.rhs, scope, bound) if node.rhs.type == "bind" else self.emit(node.rhs, scope)
        local = self.source.name("x")
        self.source.add(f"{local} = {value.code}")
        scope.names[name] = Place(self.source, local)
        bound.add(name)
        return Value(local, value.kind)


def _is_short(node: Any) -> bool:
    """``1..5`` as it stands there."""
    return bool(node.lhs.type == node.rhs.type == "number" and node.rhs.value - node.lhs.value < 100)


def _unbound(node: Any, scope: Scope) -> Refused:
    mend = near(str(node.value), scope.names) or "bind it before, in the same block or one around it"
    return Refused(f"${node.value} has no value here", "a variable that is bound", mend, offset=begin(node))


def _operands(node: Any) -> list[Any]:
    if node.type == "binary" and node.value == "&" and node.predicate is None and node.group is None:
        return [*_operands(node.lhs), *_operands(node.rhs)]
    return [node]


def _only_texts(node: Any) -> bool:
    return node.type == "unary" and node.value == "[" and all(one.type == "string" for one in node.expressions)


def _is_coalescing(node: Any) -> bool:
    """``a ?? b`` reaches us as ``$exists(a) ? a : b``, with a call that stands nowhere in the text."""
    condition = node.condition
    return bool(
        condition.type == "function" and condition.position == 0 and condition.procedure.position == 0
        and condition.procedure.value == "exists" and condition.procedure.id is None
    )  # fmt: skip
