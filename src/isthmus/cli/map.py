"""``isthmus map``: tries a mapping. What goes in, what comes out, how that differs from what was expected, and whether it
is what the mapping says it writes: a canonical object, or the vendor's."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.catalogue.registry import ConnectorFolder
    from isthmus.mapping.mapping import Mapping
    from isthmus.model.problems import Problem

_HELP = """Mappings: JSONata files that turn a vendor's object into ours, or ours into a vendor's.

\b
All of a connector's examples:   isthmus map test salesforce
One mapping's examples, whole:   isthmus map test salesforce quote.inbound.jsonata
An object of your own:           isthmus map test salesforce quote.inbound.jsonata --input order.json
With a landscape's overrides:    isthmus map test sap order.outbound.jsonata --landscape acme --input quote.json

The result is held against the canonical object that the mapping writes, or against the vendor's in schema/.
"""
app = new_app(help=_HELP, no_args_is_help=True)
_MISSING = object()


@dataclass(frozen=True)
class Example:
    """What goes into a mapping, and what should come out; ``refused``: the fields at which the contract says no."""

    mapping: str
    title: str
    context: Any
    expect: Any = _MISSING
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A mapping tried on one context. ``differs`` is path, expected, got; None where nothing was expected.

    ``contract`` is the object that the result was held against, None for a question; ``problems`` where it is none.
    """

    example: Example
    output: Any
    differs: list[tuple[str, Any, Any]] | None
    contract: str | None
    problems: list[Problem]

    @property
    def wrong(self) -> bool:
        """It is not what was expected, or not what the mapping says it writes."""
        return bool(self.differs) or {problem.field for problem in self.problems} != {*self.example.refused}

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        differs = None if self.differs is None else [
            {"path": path, "expected": _shown(wanted), "got": _shown(got)} for path, wanted, got in self.differs
        ]  # fmt: skip
        return {
            "mapping": self.example.mapping,
            "case": self.example.title,
            "input": self.example.context,
            "output": self.output,
            "differs": differs,
            "contract": self.contract,
            "problems": [problem.to_json() for problem in self.problems],
        }


@app.callback()
def mappings() -> None:
    """Mappings."""


@app.command()
def test(
    connector: Annotated[str, typer.Argument(help="a connector, or a connection of the landscape")],
    mapping: Annotated[str | None, typer.Argument(help="one file of its mappings/")] = None,
    given: Annotated[Path | None, typer.Option("--input", help="JSON: a context (with body or input), or the object alone; - reads stdin")] = None,
    expect: Annotated[Path | None, typer.Option(help="JSON that should come out")] = None,
    landscape: Annotated[Path | None, typer.Option("--landscape", "-l", help="apply this landscape's overrides and own fields")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Run mappings on the connector's examples (golden/*.json), or on an object of your own. Ends with 1 where one is wrong."""
    from isthmus.cli.showing import say_json

    bench = _bench(connector, landscape)
    if given is not None:
        if mapping is None:
            raise ValueError("--input goes into one mapping; name it: " + ", ".join(bench.folder.mapping_files()))
        wanted = json.loads(expect.read_text("utf-8")) if expect else _MISSING
        tried = [bench.tried(Example(mapping, str(given), {**bench.known, **_context(_read(given))}, wanted))]
    else:
        tried = [bench.tried(example) for example in _golden(bench.folder, mapping)]
        if not tried:
            of = f"of {mapping} " if mapping else ""
            raise LookupError(f"{bench.folder.name} has no example {of}in golden/; give one with --input")
    if as_json:
        say_json([one.to_json() for one in tried])
    else:
        _show(tried, whole=mapping is not None)
    if any(one.wrong for one in tried):
        raise typer.Exit(1)


def difference(wanted: Any, got: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ: path, expected, got. A key that is absent and one that is null are the same."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted({*wanted, *got}, key=str):
            yield from difference(wanted.get(key), got.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(wanted, list) and isinstance(got, list):
        for at in range(max(len(wanted), len(got))):
            one = wanted[at] if at < len(wanted) else _MISSING
            other = got[at] if at < len(got) else _MISSING
            yield from difference(one, other, f"{path}[{at}]")
    elif wanted != got or isinstance(wanted, bool) is not isinstance(got, bool):
        yield path or "(the whole)", wanted, got


@dataclass(frozen=True)
class Bench:
    """A connector's mappings, ready to be tried; ``known`` is what a landscape adds to a context that lacks it."""

    folder: ConnectorFolder
    compiled: Callable[[str], Mapping]
    known: dict[str, Any]

    def tried(self, example: Example) -> Tried:
        """Try one example."""
        from isthmus.cli.contract import breaches, promised

        mapping = self.compiled(example.mapping)
        # what goes over a wire is JSON: exact numbers are compared by their digits
        output = json.loads(json.dumps(mapping(example.context), default=str))
        differs = None if example.expect is _MISSING else list(difference(example.expect, output))
        name, own = promised(self.folder, mapping.text), {field.target.replace("[]", "") for field in mapping.additions}
        problems = breaches(self.folder, name, copy.deepcopy(output), example.context, own) if name else []
        return Tried(example, output, differs, name, problems)


def _bench(name: str, landscape: Path | None) -> Bench:
    if landscape is not None:
        return _landscapes_bench(name, landscape)
    from isthmus.catalogue.registry import connectors
    from isthmus.landscape.finding import did_you_mean
    from isthmus.mapping.mapping import compile_mapping

    known = connectors()
    if name not in known:
        raise LookupError(f"no connector is called {name!r}; {did_you_mean(name, known)}")
    folder = known[name]

    def compiled(file: str) -> Mapping:
        if file not in folder.mapping_files():
            raise LookupError(f"{name} has no mapping {file!r}; {did_you_mean(file, folder.mapping_files())}")
        return compile_mapping(folder.mapping_text(file), file=folder.shown(f"mappings/{file}"), codes=folder.codes())

    return Bench(folder, compiled, {})


def _landscapes_bench(name: str, landscape: Path) -> Bench:
    from isthmus.connectivity.outbound.binding import release_units
    from isthmus.landscape.release import compile_release
    from isthmus.landscape.secrets import is_reference

    release = compile_release(landscape)
    if name not in release.connections:
        raise LookupError(f"the landscape has no connection {name!r}; it has {', '.join(release.connections)}")
    unit = next((unit for unit in release.units.values() if name in unit.roles.values()), None)
    settings = release.connections[name].settings  # what stands in the environment is not asked for
    said = {key: value for key, value in settings.items() if not is_reference(value)}
    known: dict[str, Any] = {"settings": said, "units": release_units(release)}
    if unit is not None:
        known |= {"unit": unit.code, "values": dict(unit.values)}
    return Bench(release.connections[name].folder, lambda file: release.mapping(name, file), known)


def _golden(folder: ConnectorFolder, mapping: str | None) -> Iterator[Example]:
    for file in sorted((folder.path / "golden").glob("*.json")):
        found = json.loads(file.read_text("utf-8"))
        for number, case in enumerate(found if isinstance(found, list) else [found], start=1):
            name = str(case["mapping"]).removeprefix("mappings/")
            if mapping in (None, name):
                title = file.stem if not isinstance(found, list) else f"{file.stem}.{number}"
                yield Example(
                    name, title, case["context"], case.get("expect", _MISSING), tuple(case.get("refused", ()))
                )


def _read(file: Path) -> Any:
    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    try:
        return json.loads(text, parse_float=str)
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from None


def _context(found: Any) -> dict[str, Any]:
    if isinstance(found, dict) and ("body" in found or "input" in found):
        return found
    return {"body": found, "input": found}


def _show(tried: list[Tried], *, whole: bool) -> None:
    from isthmus.cli.showing import console, say

    for one in tried:
        mark = "✗" if one.wrong else "·" if one.differs is None and one.contract is None else "✔"
        say(f"{mark} {one.example.mapping}  {one.example.title}", "red" if one.wrong else "green")
        if whole:
            for title, value in (("in", one.example.context), ("out", one.output)):
                say(f"  {title}", "bold")
                console().print_json(json.dumps(value, ensure_ascii=False), indent=2)
        for path, wanted, got in one.differs or ():
            say(f"    {path}")
            say(f"      expected {_text(wanted)}", "green")
            say(f"      got      {_text(got)}", "red")
        if one.wrong or whole:
            _show_contract(one)
    wrong = sum(one.wrong for one in tried)
    say(
        f"{len(tried)} tried, {wrong} {'is' if wrong == 1 else 'are'} wrong"
        if wrong
        else f"{len(tried)} tried, all right"
    )


def _show_contract(one: Tried) -> None:
    from isthmus.cli.showing import say

    if one.contract is None:
        say("  a question: it writes no object")
    elif not one.problems:
        say(f"  a valid {one.contract}" if one.output is not None else f"  no {one.contract} comes out")
    else:
        say(f"  no valid {one.contract}", "bold")
    for problem in one.problems:
        say(f"    {problem.detail or problem.title}", "red")
        say(f"      {problem.mend}")
    for field in {*one.example.refused} - {problem.field for problem in one.problems}:
        say(f"    {field} was to be refused, and is not", "red")


def _shown(value: Any) -> Any:
    return None if value is _MISSING else value


def _text(value: Any) -> str:
    return "nothing" if value is _MISSING else json.dumps(value, ensure_ascii=False)
