"""Looks through a folder of mapping files for those that would run on a slow engine."""

from __future__ import annotations

from pathlib import Path

import yaml

from isthmus.mapping.mapping import compile_mapping


def uncompiled(folder: Path) -> list[str]:
    """Why each ``*.jsonata`` below the folder that does not compile to Python does not: ``file:line:column: what``.

    Code tables are read from the ``codes.yaml`` beside a file. Raises ``MappingError`` where a mapping is wrong.
    """
    found = []
    for path in sorted(folder.rglob("*.jsonata")):
        tables = path.with_name("codes.yaml")
        codes = yaml.safe_load(tables.read_text("utf-8")) if tables.exists() else None
        mapping = compile_mapping(path.read_text("utf-8"), file=str(path.relative_to(folder)), codes=codes)
        if mapping.engine != "python":
            found.append(mapping.why_not_compiled)
    return found
