"""Every test that the page of promises names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/promises.md").read_text())


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: part.rpartition("/")[2])
def test_the_test_of_a_promise_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async )?(def {name}\(|{name} = )", (ROOT / "tests" / file).read_text(), re.MULTILINE)


def test_promises_name_tests() -> None:
    assert len(NAMED) > 40
