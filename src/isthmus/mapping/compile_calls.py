"""Compiles calls: JSONata's functions, ours, those that a mapping defines, and those that take a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from isthmus.mapping.built_ins import TABLE
from isthmus.mapping.emitter import PRESENT, NotCompiled, Place, Scope, UserFunction, Value
from isthmus.mapping.patterns import pattern
from isthmus.mapping.syntax import begin

if TYPE_CHECKING:
    from isthmus.mapping.compiler import Compiler

#: applies a function to Python expressions, gives its value
Applied = Callable[[list[str]], Value]


def call(compiler: Compiler, node: Any, scope: Scope, first: Value | None = None) -> Value:
    """A call; ``first`` is what ``~>`` hands on as its first argument."""
    procedure = node.procedure
    if procedure.type != "variable" or procedure.value in ("", "$"):
        raise NotCompiled("a call of something that is no name", begin(node))
    name = str(procedure.value)
    defined = scope.names.get(name)
    if isinstance(defined, Place):
        raise NotCompiled(f"${name} called, which holds a value", begin(node))
    if defined is None and name in _TAKING_FUNCTIONS and (name != "sort" or len(node.arguments) + bool(first) == 2):
        return _taking_function(compiler, name, node, scope, first)
    values = [first] if first else []
    values += [_argument(compiler, node, place, scope, len(values)) for place in range(len(node.arguments))]
    if isinstance(defined, UserFunction):
        return compiler.fallible(_user_call(defined, [value.code for value in values]))
    return _named(compiler, name, values, scope, begin(node))


def _argument(compiler: Compiler, node: Any, place: int, scope: Scope, before: int) -> Value:
    argument, name = node.arguments[place], str(node.procedure.value)
    if argument.type != "regex":
        return compiler.emit(argument, scope)
    new = node.arguments[place + 1] if len(node.arguments) > place + 1 else None
    by_text = new is not None and new.type == "string" and "$" not in str(new.value)
    if place + before != 1 or not (name in ("contains", "split") or (name == "replace" and by_text)):
        raise NotCompiled(f"a pattern in ${name}", begin(argument))
    constant = compiler.source.name("pattern")
    compiler.constants[constant] = pattern(argument)
    return Value(constant, "pattern")


def apply(compiler: Compiler, node: Any, scope: Scope) -> Value:
    """``left ~> right``"""
    if node.lhs.type in ("lambda", "partial", "apply") and node.lhs.type != "apply":
        raise NotCompiled("functions chained by ~>", begin(node))
    if node.lhs.type == "variable" and isinstance(scope.names.get(str(node.lhs.value)), UserFunction):
        raise NotCompiled("functions chained by ~>", begin(node))
    if node.rhs.predicate is not None or node.rhs.group is not None:
        raise NotCompiled("a filter behind ~>", begin(node))
    left = compiler.emit(node.lhs, scope)
    if node.rhs.type == "function":
        return call(compiler, node.rhs, scope, left)
    if node.rhs.type != "variable":
        raise NotCompiled("~> to something that is no function's name", begin(node))
    return _function(compiler, node.rhs, scope)([left.code])


def define(compiler: Compiler, node: Any, scope: Scope) -> UserFunction:
    """``$name := function($a, $b){…}``"""
    if node.signature is not None:
        raise NotCompiled("a function with a signature", begin(node))
    source, name = compiler.source, compiler.source.name("u")
    parameters = {str(one.value): source.name("a") for one in node.arguments}
    with source.block(f"def {name}({', '.join(f'{one}=A' for one in parameters.values())})"):
        inner = scope.inner()
        for parameter, local in parameters.items():
            inner.names[parameter] = Place(source, local)
        source.add(f"return {compiler.emit(node.body, inner).code}")
    return UserFunction(name, len(parameters))


def _named(compiler: Compiler, name: str, values: list[Value], scope: Scope, offset: int) -> Value:
    codes = [value.code for value in values]
    if name in compiler.functions:
        return compiler.fallible(f"f_{name}({', '.join(codes)})")
    built_in = TABLE.get(name)
    if built_in is None:
        raise NotCompiled(f"${name}", offset)
    if built_in.context and len(codes) == built_in.least - 1:
        codes.insert(0, scope.value.code)
    if not built_in.least <= len(codes) <= built_in.most:
        raise NotCompiled(f"${name} with {len(codes)} arguments", offset)
    if name == "exists" and values and (values[0].kind in PRESENT or values[0].literal):
        return Value("True", "bool")
    if name == "exists":
        return Value(f"({codes[0]} is not A)", "bool")
    if name in ("not", "boolean") and values and values[0].kind in ("bool", "int", "text", "object"):
        return Value(f"(False if {codes[0]} else True)" if name == "not" else f"bool({codes[0]})", "bool")
    if name == "string" and values and values[0].kind == "text":
        return values[0]
    return compiler.fallible(f"b_{name}({', '.join(codes)})", "int" if name == "count" else "any")


def _taking_function(compiler: Compiler, name: str, node: Any, scope: Scope, first: Value | None) -> Value:
    """Emits the array, then lets the function's own emitter loop over it."""
    given = list(node.arguments)
    value = first or compiler.emit(given.pop(0), scope)
    if not given or len(given) > (2 if name == "reduce" else 1):
        raise NotCompiled(f"${name} with {len(node.arguments)} arguments", begin(node))
    initial = compiler.source.hold(compiler.emit(given[1], scope).code) if len(given) == 2 else "A"
    array = compiler.source.hold(value.code)
    return _TAKING_FUNCTIONS[name](compiler, array, given[0], scope, initial)


def _map(compiler: Compiler, array: str, function: Any, scope: Scope, initial: str) -> Value:
    source, found, item, index = _loop_names(compiler)
    with source.block(f"for {index}, {item} in enumerate(members({array}))"):
        result = _function(compiler, function, scope)([item, index, f"members({array})"])
        name = source.hold(result.code)
        source.add(
            f"{found}.append({name})" if result.kind == "object" else f"if {name} is not A: {found}.append({name})"
        )
    return Value(found, "objects" if result.kind == "object" else "raw")


def _filter(compiler: Compiler, array: str, function: Any, scope: Scope, initial: str) -> Value:
    source, found, item, index = _loop_names(compiler)
    # both engines take null for nothing here, and only here
    with source.block(f"for {index}, {item} in enumerate(() if {array} is None else members({array}))"):
        result = _function(compiler, function, scope)([item, index, f"members({array})"])
        source.add(f"if {compiler.test(result)}: {found}.append({item})")
    return Value(found, "raw")


def _each(compiler: Compiler, array: str, function: Any, scope: Scope, initial: str) -> Value:
    source, found, item, key = _loop_names(compiler)
    with source.block(f"for {key}, {item} in fields({array})"):
        result = _function(compiler, function, scope)([item, key, array])
        name = source.hold(result.code)
        source.add(f"if {name} is not A: {found}.append({name})")
    return Value(found, "raw")


def _sift(compiler: Compiler, array: str, function: Any, scope: Scope, initial: str) -> Value:
    source, found, item, key = _loop_names(compiler)
    source.add(f"{found} = {{}}")
    with source.block(f"for {key}, {item} in fields({array})"):
        result = _function(compiler, function, scope)([item, key, array])
        source.add(f"if {compiler.test(result)}: {found}[{key}] = {item}")
    return Value(f"({found} or A)")


def _reduce(compiler: Compiler, array: str, function: Any, scope: Scope, initial: str) -> Value:
    if function.type != "lambda" or len(function.arguments) < 2:
        raise NotCompiled("$reduce without a function of two arguments", begin(function))
    source, found, item, index = _loop_names(compiler)
    source.add(f"{found} = {initial}")
    with source.block(f"for {index}, {item} in enumerate(members({array}))"):
        with source.block(f"if {index} == 0 and {initial} is A"):
            source.add(f"{found} = {item}")
            source.add("continue")
        result = _function(compiler, function, scope)([found, item, index, f"members({array})"])
        source.add(f"{found} = bounded({result.code})")
    return Value(f"(A if {array} is A else {found})")


def _sort(compiler: Compiler, array: str, function: Any, scope: Scope, initial: str) -> Value:
    source, name = compiler.source, compiler.source.name("u")
    with source.block(f"def {name}(a, b)"):
        source.add(f"return {_function(compiler, function, scope)(['a', 'b']).code}")
    return compiler.fallible(f"b_sort_by({array}, {name})")


_TAKING_FUNCTIONS: Final[dict[str, Callable[[Compiler, str, Any, Scope, str], Value]]] = {
    "map": _map, "filter": _filter, "each": _each, "sift": _sift, "reduce": _reduce, "sort": _sort,
}  # fmt: skip


def _function(compiler: Compiler, node: Any, scope: Scope) -> Applied:
    """What a node that stands for a function does with arguments: a ``function(…){…}``, or a function's name."""
    if node.type == "lambda" and not node.thunk and node.signature is None:
        return lambda arguments: _inlined(compiler, node, scope, arguments)
    if node.type != "variable":
        raise NotCompiled("a function that is made where it is handed on", begin(node))
    name = str(node.value)
    defined = scope.names.get(name)
    if isinstance(defined, UserFunction):
        return lambda arguments: compiler.fallible(_user_call(defined, arguments))
    known = compiler.functions.get(name) or TABLE.get(name)
    if defined is not None or known is None or (known.least, known.most) != (1, 1):
        raise NotCompiled(f"${name} handed on", begin(node))
    return lambda arguments: _named(compiler, name, [Value(arguments[0])], scope, begin(node))


def _inlined(compiler: Compiler, node: Any, scope: Scope, arguments: list[str]) -> Value:
    """The body of a function, written where it is called once."""
    inner = scope.inner()
    for parameter, code in zip(node.arguments, arguments, strict=False):
        inner.names[str(parameter.value)] = Place(compiler.source, compiler.source.hold(code))
    for parameter in node.arguments[len(arguments) :]:
        inner.names[str(parameter.value)] = Place(compiler.source, compiler.source.hold("A"))
    return compiler.emit(node.body, inner)


def _user_call(function: UserFunction, arguments: list[str]) -> str:
    return f"{function.code}({', '.join(arguments[: function.arity])})"


def _loop_names(compiler: Compiler) -> tuple[Any, str, str, str]:
    source = compiler.source
    found, item, index = source.name("r"), source.name("i"), source.name("n")
    source.add(f"{found} = []")
    return source, found, item, index
