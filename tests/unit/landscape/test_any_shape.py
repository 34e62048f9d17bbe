"""Whatever stands in isthmus.yaml, the check ends with findings, never with a traceback."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.landscapes import findings, small_registry, write_sample

from isthmus.landscape.release import compile_release

ODD: tuple[Any, ...] = (None, "x", [], {}, ["x"], {"x": "y"}, True, [None], {"x": None}, 'ä"{')


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*at, key))


@pytest.mark.parametrize("seed", range(10))
def test_a_broken_landscape_is_refused_in_words(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    file = write_sample(tmp_path) / "isthmus.yaml"
    whole = yaml.load(file.read_text(), yaml.BaseLoader)
    *parents, last = rng.choice([place for place in places(whole) if place])
    part = whole
    for step in parents:
        part = part[step]
    part[last] = rng.choice(ODD)
    file.write_text(yaml.safe_dump(whole, sort_keys=False, allow_unicode=True))
    known = small_registry()
    found = findings(tmp_path, known)
    if not [finding for finding in found if finding.level == "error"]:
        assert compile_release(tmp_path, "dev", registry=known).id, "what has no mistake can be compiled"
    assert all(finding.line > 0 and finding.column > 0 for finding in found)
