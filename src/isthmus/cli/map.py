"""``isthmus map``: tries a mapping. What goes in, what comes out, and how that differs from what was expected."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.catalogue.registry import ConnectorFolder
    from isthmus.mapping.mapping import Mapping

_HELP = """Mappings: JSONata files that turn a vendor's object into ours, or ours into a vendor's.

\b
All of a connector's examples:   isthmus map test salesforce
One mapping's examples, whole:   isthmus map test salesforce quote.inbound.jsonata
An object of your own:           isthmus map test salesforce quote.inbound.jsonata --input order.json
With a landscape's overrides:    isthmus map test sap order.outbound.jsonata --landscape acme --input quote.json
"""
app = new_app(help=_HELP, no_args_is_help=True)
_MISSING = object()


@dataclass(frozen=True)
class Tried:
    """A mapping tried on one context. ``differs`` is path, expected, got; None where nothing was expected."""

    mapping: str
    case: str
    context: Any
    output: Any
    differs: list[tuple[str, Any, Any]] | None

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        differs = None if self.differs is None else [
            {"path": path, "expected": _shown(wanted), "got": _shown(got)} for path, wanted, got in self.differs
        ]  # fmt: skip
        return {
            "mapping": self.mapping,
            "case": self.case,
            "input": self.context,
            "output": self.output,
            "differs": differs,
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
    """Run mappings on the connector's examples (golden/*.json), or on an object of your own. Ends with 1 where one differs."""
    from isthmus.cli.showing import say_json

    folder, compiled = _mappings(connector, landscape)
    if given is not None:
        if mapping is None:
            raise ValueError("--input goes into one mapping; name it: " + ", ".join(folder.mapping_files()))
        wanted = json.loads(expect.read_text("utf-8")) if expect else _MISSING
        tried = [_try(compiled(mapping), mapping, str(given), _context(_read(given)), wanted)]
    else:
        tried = [
            _try(compiled(file), file, case, context, wanted)
            for case, file, context, wanted in _golden(folder, mapping)
        ]
        if not tried:
            raise LookupError(
                f"{folder.name} has no example {f'of {mapping} ' if mapping else ''}in golden/; give one with --input"
            )
    if as_json:
        say_json([one.to_json() for one in tried])
    else:
        _show(tried, whole=mapping is not None)
    if any(one.differs for one in tried):
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


def _mappings(name: str, landscape: Path | None) -> tuple[ConnectorFolder, Any]:
    if landscape is not None:
        from isthmus.landscape.release import compile_release

        release = compile_release(landscape)
        if name not in release.connections:
            raise LookupError(f"the landscape has no connection {name!r}; it has {', '.join(release.connections)}")
        return release.connections[name].folder, lambda file: release.mapping(name, file)
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

    return folder, compiled


def _golden(folder: ConnectorFolder, mapping: str | None) -> Iterator[tuple[str, str, Any, Any]]:
    for file in sorted((folder.path / "golden").glob("*.json")):
        found = json.loads(file.read_text("utf-8"))
        for number, case in enumerate(found if isinstance(found, list) else [found], start=1):
            name = str(case["mapping"]).removeprefix("mappings/")
            if mapping in (None, name):
                title = file.stem if not isinstance(found, list) else f"{file.stem}.{number}"
                yield title, name, case["context"], case.get("expect", _MISSING)


def _try(compiled: Mapping, file: str, case: str, context: Any, wanted: Any) -> Tried:
    # what goes over a wire is JSON: exact numbers are compared by their digits
    output = json.loads(json.dumps(compiled(context), default=str))
    differs = None if wanted is _MISSING else list(difference(wanted, output))
    return Tried(file, case, context, output, differs)


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
        mark = "✗" if one.differs else "✔" if one.differs is not None else "·"
        say(f"{mark} {one.mapping}  {one.case}", "red" if one.differs else "green")
        if whole:
            for title, value in (("in", one.context), ("out", one.output)):
                say(f"  {title}", "bold")
                console().print_json(json.dumps(value, ensure_ascii=False), indent=2)
        for path, wanted, got in one.differs or ():
            say(f"    {path}")
            say(f"      expected {_text(wanted)}", "green")
            say(f"      got      {_text(got)}", "red")
    wrong = sum(bool(one.differs) for one in tried)
    say(f"{len(tried)} tried, {wrong} differ" if wrong else f"{len(tried)} tried, none differs")


def _shown(value: Any) -> Any:
    return None if value is _MISSING else value


def _text(value: Any) -> str:
    return "nothing" if value is _MISSING else json.dumps(value, ensure_ascii=False)
