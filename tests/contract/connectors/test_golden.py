"""Every connector's examples: what goes into a mapping, what comes out, and that it is what the mapping writes; every mapping
has one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from isthmus.catalogue.registry import ConnectorFolder, connectors
from isthmus.cli.contract import breaches, promised
from isthmus.cli.map import difference
from isthmus.mapping.mapping import compile_mapping

FOLDERS = {name: folder for name, folder in connectors().items() if any((folder.path / "golden").glob("*.json"))}


def examples() -> list[Any]:
    return list(_examples())


def _examples() -> Iterator[Any]:
    for name, folder in FOLDERS.items():
        for file in sorted((folder.path / "golden").glob("*.json")):
            found = json.loads(file.read_text("utf-8"))
            for case in found if isinstance(found, list) else [found]:
                yield pytest.param(folder, case, id=f"{name}/{file.stem}")


@pytest.mark.parametrize(("folder", "case"), examples())
def test_an_example_comes_out_as_it_stands(folder: ConnectorFolder, case: dict[str, Any]) -> None:
    file = case["mapping"].removeprefix("mappings/")
    mapping = compile_mapping(folder.mapping_text(file), file=file, codes=folder.codes())
    assert mapping.engine == "python", mapping.why_not_compiled
    made = json.loads(json.dumps(mapping(case["context"]), default=str))
    assert list(difference(case["expect"], made)) == []
    if name := promised(folder, mapping.text):
        refused = [problem.field for problem in breaches(folder, name, made, case["context"])]
        assert refused == case.get("refused", [])


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_mapping_has_an_example(folder: ConnectorFolder) -> None:
    shown = set()
    for file in (folder.path / "golden").glob("*.json"):
        found = json.loads(file.read_text("utf-8"))
        shown |= {case["mapping"].removeprefix("mappings/") for case in (found if isinstance(found, list) else [found])}
    assert {file for file in folder.mapping_files() if file.endswith(".jsonata")} <= shown
