"""``isthmus init``: writes a blueprint's sample landscape, and on demand the process's own code beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from isthmus.catalogue.registry import BlueprintFolder, Registry

_LANDSCAPE = "landscape"
_FILE = "isthmus.yaml"
#: whose sample landscape shows the others too
_SHARED = "quote_to_cash"


def init(
    folder: Annotated[Path, typer.Argument(help="an empty folder, or one that is not there yet")],
    blueprint: Annotated[str, typer.Option(help="whose sample landscape")] = "quote_to_cash",
    eject: Annotated[bool, typer.Option("--eject", help="copy the process's code too, to change it")] = False,
) -> None:
    """Write a landscape to begin with. Refuses a folder that holds something."""
    from isthmus.catalogue.registry import registry
    from isthmus.landscape.finding import did_you_mean

    known = registry()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        _refuse(f"{folder} is not empty; nothing was written", "name a new folder")
    found = known.blueprints.get(blueprint)
    sample = next((b for b in (found, known.blueprints.get(_SHARED)) if b and _has_landscape(b)), None)
    if found is None or sample is None:
        _refuse(
            f"no blueprint with a sample landscape is called {blueprint!r}", did_you_mean(blueprint, known.blueprints)
        )
        return
    written = write_landscape(folder, sample, known)
    if eject:
        written += eject_process(folder, found)
    for path in sorted(written):
        typer.echo(f"  {path.relative_to(folder).as_posix()}")
    typer.echo(f"Next: set the variables that {_FILE} names, then  isthmus check {folder}")


def _has_landscape(blueprint: BlueprintFolder) -> bool:
    return (blueprint.path / _LANDSCAPE / _FILE).is_file()


def write_landscape(folder: Path, blueprint: BlueprintFolder, registry: Registry) -> list[Path]:
    """Copy the blueprint's sample, and write the schema that editors check it by. Gives what was written."""
    import json

    from isthmus.landscape.schema import editor_schema

    sample = blueprint.path / _LANDSCAPE
    written = []
    for source in sorted(path for path in sample.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        place = folder / source.relative_to(sample)
        if place.suffix == ".template":
            place = place.with_name(f".{place.stem}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source.read_bytes())
        written.append(place)
    schema = folder / "isthmus.schema.json"
    schema.write_text(json.dumps(editor_schema(registry), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return [*written, schema]


def eject_process(folder: Path, blueprint: BlueprintFolder) -> list[Path]:
    """Copy the blueprint's code to ``processes/<blueprint>/`` and let the landscape name it instead."""
    from isthmus.catalogue.document import read_document

    target = folder / "processes" / blueprint.name
    written = []
    for source in sorted(path for path in blueprint.path.rglob("*") if path.is_file()):
        inside = source.relative_to(blueprint.path)
        if inside.parts[0] == _LANDSCAPE or "__pycache__" in inside.parts:
            continue
        place = target / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_own(source, blueprint))
        written.append(place)
    file = folder / _FILE
    lines = file.read_text("utf-8").split("\n")
    document = read_document(file)
    for name, process in blueprint.descriptor.processes.items():
        at = document.key_at("processes", name, "blueprint")
        module, _, function = process.code.partition(":")
        place = target.relative_to(folder) / f"{module.replace('.', '/')}.py"
        line = lines[at.line - 1]
        asked = f"blueprint: {blueprint.descriptor.blueprint}@{blueprint.descriptor.version}"
        lines[at.line - 1] = line.replace(asked, f"code: {place.as_posix()}:{function}")
    file.write_text("\n".join(lines), "utf-8")
    return written


def _own(source: Path, blueprint: BlueprintFolder) -> bytes:
    """The file as it shall stand in the landscape: Python that imports its neighbours imports the copies."""
    if source.suffix != ".py" or blueprint.module is None:
        return source.read_bytes()
    text = source.read_text("utf-8").replace(f"from {blueprint.module}.", "from .")
    return text.replace(f"from {blueprint.module} import", "from . import").encode()


def _refuse(what: str, mend: str) -> None:
    typer.echo(f"{what}; {mend}", err=True)
    raise typer.Exit(1)
