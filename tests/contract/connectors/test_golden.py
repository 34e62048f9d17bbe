"""Every connector's golden files: a mapping, the context it is given, and what must come of it, to the letter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isthmus.catalogue.registry import ConnectorFolder, connectors
from isthmus.mapping.mapping import compile_mapping

FOLDERS = {name: folder for name, folder in connectors().items() if list((folder.path / "golden").glob("*.json"))}
FILES = [
    pytest.param(folder, file, id=f"{name}/{file.stem}")
    for name, folder in FOLDERS.items()
    for file in sorted((folder.path / "golden").glob("*.json"))
]


@pytest.mark.parametrize(("folder", "file"), FILES)
def test_a_mapping_gives_what_its_golden_file_expects(folder: ConnectorFolder, file: Path) -> None:
    golden = json.loads(file.read_text("utf-8"))
    text = folder.mapping_text(golden["mapping"])
    mapping = compile_mapping(text, file=golden["mapping"], codes=folder.codes())
    made = json.loads(json.dumps(mapping(golden["context"])))
    assert made == golden["expect"]


@pytest.mark.parametrize("name", FOLDERS)
def test_every_mapping_has_a_golden_file_and_is_compiled(name: str) -> None:
    folder = FOLDERS[name]
    proved = {
        json.loads(file.read_text("utf-8"))["mapping"].removeprefix("mappings/")
        for file in (folder.path / "golden").glob("*.json")
    }
    assert set(folder.mapping_files()) <= proved
    for file in folder.mapping_files():
        compiled = compile_mapping(folder.mapping_text(file), file=file, codes=folder.codes())
        assert compiled.engine == "python", compiled.why_not_compiled
