"""``isthmus connectors``: what is installed, and whether each connector keeps what its quality.yaml claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.showing import AsJson, Column
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.catalogue.registry import ConnectorFolder

_HELP = """Connectors: our folder for each application.

\b
What is installed?            isthmus connectors list
Do they keep their promises?  isthmus connectors check
"""
app = new_app(help=_HELP, no_args_is_help=True)
_FILES = ("mappings", "schema", "sandbox", "golden", "BEHAVIOR.md", "quality.yaml")


@dataclass(frozen=True)
class Claim:
    """One rule of a quality.yaml and what became of it: ``kept``, ``todo``, ``exempt`` or ``broken``."""

    connector: str
    rule: str
    verdict: str
    says: str


@app.command("list")
def list_connectors(as_json: AsJson = False) -> None:
    """List what is installed, with roles and operations."""
    from isthmus.catalogue.registry import connectors
    from isthmus.cli.showing import say_json, table

    rows: list[dict[str, Any]] = []
    for name, folder in connectors().items():
        if not (folder.path / "connector.yaml").exists():
            continue
        one = folder.descriptor
        ways_in = ", ".join(f"{channel} ({way.channel})" for channel, way in one.inbound.items())
        rows.append({"connector": name, "title": one.title, "roles": ", ".join(one.roles),
                     "operations": ", ".join(one.operations), "ways_in": ways_in})  # fmt: skip
    columns: list[Column] = ["connector", "title", "roles", ("Ways in", "ways_in"), "operations"]
    say_json(rows) if as_json else table(rows, columns, empty="None is installed.")


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="one connector's only")] = None,
    tests: Annotated[Path, typer.Option(help="where the tests stand that a claim names")] = Path("tests"),
    as_json: AsJson = False,
) -> None:
    """Hold each connector to its quality.yaml: every rule that is done names a test, and the test is there."""
    from isthmus.catalogue.registry import connectors
    from isthmus.cli.showing import say, say_json, table

    known = {n: f for n, f in connectors().items() if name in (None, n) and (f.path / "connector.yaml").exists()}
    if not known:
        raise LookupError(f"no connector is called {name!r}; see: isthmus connectors list")
    claims = [claim for folder in known.values() for claim in claims_of(folder, tests)]
    broken = [claim for claim in claims if claim.verdict == "broken"]
    if as_json:
        say_json([vars(claim) for claim in claims])
    else:
        table([vars(claim) for claim in claims], ["connector", "rule", "verdict", "says"], empty="Nothing is claimed.")
        say(f"{len(claims)} rules, {len(broken)} broken")
    if broken:
        raise typer.Exit(1)


def claims_of(folder: ConnectorFolder, tests: Path) -> Iterator[Claim]:
    """Every claim of a connector, proved as far as files can prove it."""
    import yaml

    for file in _FILES:
        if not (folder.path / file).exists():
            yield Claim(folder.name, f"has {file}", "broken", f"{folder.path / file} is missing")
    quality = folder.path / "quality.yaml"
    if not quality.exists():
        return
    found = yaml.safe_load(quality.read_text("utf-8")) or {}
    for rule, claim in (found.get("rules") or found).items():
        yield _judged(folder.name, str(rule), claim, tests)


def _judged(connector: str, rule: str, claim: Any, tests: Path) -> Claim:
    verdict, says = _parts(claim)
    if verdict in ("todo", "exempt"):
        return Claim(connector, rule, verdict if says or verdict == "todo" else "broken", says or "says not why")
    if verdict != "done":
        return Claim(connector, rule, "broken", f"{claim!r} is none of: done (test), todo, exempt (why)")
    named = [part.strip() for part in says.replace(";", ",").split(",") if part.strip()]
    missing = [one for one in named if not _stands(one, tests)]
    if not named or missing:
        return Claim(connector, rule, "broken", f"no such test: {', '.join(missing)}" if missing else "names no test")
    return Claim(connector, rule, "kept", ", ".join(named))


def _parts(claim: Any) -> tuple[str, str]:
    """``done`` and its test of ``{done: test}``, ``"done: test"``, ``"done (test)"`` or ``{status: done, test: …}``."""
    if isinstance(claim, dict):
        if "status" in claim:
            rest = next((str(value) for key, value in claim.items() if key != "status"), "")
            return str(claim["status"]), rest
        key, value = next(iter(claim.items()), ("", ""))
        return str(key), ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    word, _, rest = str(claim).partition(" ")
    return word.rstrip(":"), rest.strip().removeprefix("(").removesuffix(")")


def _stands(test: str, tests: Path) -> bool:
    """Whether ``path/to/test_file.py::test_name``, a file, or a bare test's name stands below ``tests``."""
    path, _, name = test.partition("::")
    if path.endswith(".py"):
        places = [place for place in (Path(path), tests / path, tests.parent / path) if place.is_file()]
        return bool(places) and (
            not name or f"def {name.split('[')[0].split('::')[-1]}(" in places[0].read_text("utf-8")
        )
    wanted = f"def {test.split('[')[0]}("
    return any(wanted in file.read_text("utf-8") for file in tests.rglob("test_*.py"))
