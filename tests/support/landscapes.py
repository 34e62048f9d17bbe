"""The sample landscape beside small connectors of the tests' own, and ways to break it."""

from __future__ import annotations

import shutil
from pathlib import Path

import isthmus.blueprints.quote_to_cash as sample_blueprint
from isthmus.catalogue.registry import Registry, registry
from isthmus.landscape.checks import every_finding
from isthmus.landscape.finding import Finding
from isthmus.landscape.reading import read_landscape

CONNECTORS = Path(__file__).parents[1] / "unit/landscape/connectors"
SAMPLE = Path(sample_blueprint.__file__).parent / "landscape"


def small_registry(connectors: Path = CONNECTORS) -> Registry:
    """The tests' own connectors instead of the installed ones of their names."""
    return registry(extra=sorted(connectors.iterdir()))


def write_sample(folder: Path) -> Path:
    """A copy of the sample landscape."""
    shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
    return folder


def replace(file: Path, old: str, new: str) -> None:
    """Change one place of a file; it must be there exactly once."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{file.name} has {old!r} {text.count(old)} times"
    file.write_text(text.replace(old, new), "utf-8")


def findings(folder: Path, known: Registry | None = None) -> list[Finding]:
    """What the check finds."""
    return every_finding(read_landscape(folder, known or small_registry()))
