"""Compiles paths: ``input.lines[quantity != "0"].{"id": id}``, their filters, sorting and grouping.

Plain names in front are read from places. From the first step that is more than a name, each step is a loop that fills a
list with what it found; the lists are flattened as ``sequences`` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.mapping.emitter import NotCompiled, Place, Scope, Value
from isthmus.mapping.syntax import begin
from isthmus.mapping.tree import every

if TYPE_CHECKING:
    from isthmus.mapping.compiler import Compiler


def path(compiler: Compiler, node: Any, scope: Scope) -> Value:
    """A path, from its first step to its last."""
    _check(node)
    keep = bool(node.keep_singleton_array or node.keep_array)
    place, steps, fresh = _start(compiler, node, scope)
    if node.steps[0].consarray:
        return _from_array(compiler, place, steps, scope, keep)
    while len(steps) > 1 and _plain(steps[0]):
        place, steps, fresh = place.step(str(steps[0].value)), steps[1:], False
    if not steps:
        return _kept(compiler, Value(place.code), keep)
    if _plain(steps[0]):
        if keep:
            return _kept(compiler, Value(f"named_in({place.code}, {steps[0].value!r})", "raw"), keep)
        return Value(place.leaf(str(steps[0].value)))
    found = Value(f"first_items({place.code})" if fresh else _items(place))
    for position, step in enumerate(steps):
        found = _step(compiler, step, found.code, scope, last=position == len(steps) - 1)
    return _kept(compiler, found, keep)


def filtered(compiler: Compiler, stage: Any, value: Value, scope: Scope) -> Value:
    """``value[predicate]``, raw."""
    if stage.type != "filter":
        raise NotCompiled("a position bound by #", int(stage.position or 0))
    source, predicate = compiler.source, stage.expr
    if predicate.type == "number":
        return Value(source.hold(f"at({value.code}, {int(predicate.value)})"), "raw")
    given, kept, item = source.hold(value.code), source.name("r"), source.name("i")
    source.add(f"{kept} = []")
    over = given if value.kind in ("raw", "objects", "array") else f"members({given})"
    index = source.name("n")
    opening = len(source.lines)
    with source.block(f"for {index}, {item} in enumerate({over})"):
        test = compiler.emit(predicate, scope.with_here(Place(source, item)))
        if test.kind == "bool":
            source.add(f"if {test.code}: {kept}.append({item})")
        else:
            length = f"len({given})" if over == given else f"len(members({given}))"
            source.add(f"{kept}.extend([{item}] * chosen({test.code}, {index}, {length}))")
    if test.kind == "bool":
        source.reword(opening, f"for {item} in {over}:")
    return Value(kept, "objects" if value.kind == "objects" else "raw")


def group(compiler: Compiler, node: Any, value: Value, scope: Scope) -> Value:
    """``value{key: value, …}``"""
    source, pairs = compiler.source, []
    for key, content in node.lhs_object:
        names = []
        for part in (key, content):
            name, item = source.name("k"), source.name("i")
            target = str(key.value) if key.type == "string" else "*"
            with source.block(f"def {name}({item})"), source.building(target):
                result = compiler.emit(part, scope.with_here(Place(source, item)))
                source.add(f"return {result.code}")
            names.append(name)
        pairs.append(f"({', '.join(names)}), ")
    return compiler.fallible(f"grouped({value.code}, ({''.join(pairs)}))", "object")


def _start(compiler: Compiler, node: Any, scope: Scope) -> tuple[Place, list[Any], bool]:
    """Where the path starts, its other steps, and whether nothing has been taken apart yet."""
    first = node.steps[0]
    if first.type == "name":
        return scope.here, list(node.steps), True
    if first.type == "variable" and first.predicate is None and first.group is None:
        return compiler.place(first, scope), list(node.steps[1:]), False
    if first.consarray and (first.type != "unary" or first.predicate or _reads_context(first)):
        raise NotCompiled("an array at the start of a path", begin(first))
    if first.type != "variable" and not first.consarray and not scope.here.regrouped:
        return scope.here, list(node.steps), True
    value = compiler.source.hold(compiler.emit(first, scope).code)
    if first.consarray:
        value = compiler.source.hold(f"list({value})")
    return Place(compiler.source, value), list(node.steps[1:]), False


def _from_array(compiler: Compiler, place: Place, steps: list[Any], scope: Scope, keep: bool) -> Value:
    """A path that starts at an array it builds; it stays an array where it is empty."""
    if keep:
        raise NotCompiled("[] behind an array that a path starts at", begin(steps[0]))
    found = Value(place.code)
    for position, step in enumerate(steps):
        found = _step(compiler, step, found.code, scope, last=position == len(steps) - 1)
    name = compiler.source.hold(f"collapse({found.code}) if {place.code} else {place.code}")
    return Value(name)


def _step(compiler: Compiler, step: Any, over: str, scope: Scope, *, last: bool) -> Value:
    """One step over everything found before it; what it finds, flattened, as the next step or the end needs it."""
    source = compiler.source
    if step.type == "sort":
        return _sorted(compiler, step, over, scope)
    found, item = source.name("r"), source.name("i")
    source.add(f"{found} = []")
    with source.block(f"for {item} in {over}"), source.at(begin(step)):
        if step.type == "unary" and step.value == "{" and not step.stages:
            return_kind = _objects(compiler, step, item, found, scope)
        else:
            return_kind = ""
            _anything(compiler, step, item, found, scope)
    if return_kind:
        return Value(found, "objects")
    return Value(source.hold(f"{'final' if last else 'flat'}({found})"), "raw")


def _objects(compiler: Compiler, step: Any, item: str, found: str, scope: Scope) -> str:
    source = compiler.source
    with source.building("[]"):
        if all(key.type == "string" for key, _ in step.lhs_object):
            here = Place(source, item, regrouped=True)
        else:
            here = Place(source, item)
        made = compiler.emit(step, scope.with_here(here))
        source.add(f"{found}.append({made.code})")
    return "objects"


def _anything(compiler: Compiler, step: Any, item: str, found: str, scope: Scope) -> None:
    source = compiler.source
    if step.type == "name":
        name = repr(str(step.value))
        value = Value(f"{item}.get({name}, A) if type({item}) is dict else lookup({item}, {name})")
    else:
        value = compiler.emit(step, scope.with_here(Place(source, item)))
    for stage in step.stages or ():
        value = filtered(compiler, stage, value, scope)
    if value.kind in ("raw", "objects"):
        source.add(f"{found}.append(as_found({value.code}))")
    else:
        name = source.hold(value.code)
        source.add(f"if {name} is not A: {found}.append({name})")


def _sorted(compiler: Compiler, step: Any, over: str, scope: Scope) -> Value:
    source, terms = compiler.source, []
    for term in step.terms:
        name, item = source.name("k"), source.name("i")
        with source.block(f"def {name}({item})"):
            key = compiler.emit(term.expression, scope.with_here(Place(source, item)))
            source.add(f"return {key.code}")
        terms.append(f"({name}, {bool(term.descending)}), ")
    value = compiler.fallible(f"ordered(list({over}), ({''.join(terms)}))", "raw")
    for stage in step.stages or ():
        value = filtered(compiler, stage, value, scope)
    return value


def _kept(compiler: Compiler, value: Value, keep: bool) -> Value:
    if not keep:
        return value
    if value.kind not in ("raw", "objects"):
        raise NotCompiled("[] behind something that is no path", 0)
    return Value(compiler.source.hold(f"keep({value.code})"))


def _items(place: Place) -> str:
    return f"({place.code} if type({place.code}) is list else items({place.code}))"


def _plain(step: Any) -> bool:
    return step.type == "name" and not step.stages


def _reads_context(node: Any) -> bool:
    return any(one.type == "variable" and one.value == "" for one in every(node))


def _check(node: Any) -> None:
    for step in node.steps:
        if step.tuple or step.focus or step.index or step.ancestor is not None:
            raise NotCompiled("a variable or parent bound inside a path", begin(step))
        if step.type == "name" and (step.predicate or step.group):
            raise NotCompiled("a filter on text that a path starts with", begin(step))
    if node.tuple or node.seeking_parent:
        raise NotCompiled("a parent (%) in a path", begin(node))
