"""Documentation cannot lie: rooms, decisions, links and words are held against the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
#: rooms that are told on another room's page
TOLD_ELSEWHERE = {
    "sandkit": "sandbox",
    "catalogue": "connectors",
    "blueprints": "orchestration",
    "cli": None,
    "console": None,
    "governance": None,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_every_room_has_a_page() -> None:
    rooms = {
        path.name for path in (ROOT / "src/isthmus").iterdir() if path.is_dir() and (path / "__init__.py").exists()
    }
    for room in rooms:
        page = TOLD_ELSEWHERE.get(room, room)
        assert page is None or (DOCS / "rooms" / f"{page}.md").exists(), f"docs/rooms/{page}.md is missing"


def test_decisions_are_listed() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text()
    for page in (DOCS / "decisions").glob("0*.md"):
        assert page.name in listed, f"{page.name} is not in the list"


def test_modules_that_pages_name_exist() -> None:
    for page in (DOCS / "rooms").glob("*.md"):
        for name in set(re.findall(r"`([a-z_]+\.py)`", page.read_text())) - {"quirks.py"}:
            assert list((ROOT / "src/isthmus").rglob(name)), f"{page.name} names {name}"


def test_store_page_names_every_table() -> None:
    from isthmus.store.schema import metadata

    told = (DOCS / "rooms" / "store.md").read_text()
    small = {"setting", "api_key", "answered"}
    missing = [table for table in metadata.tables if table not in small and f"`{table}`" not in told]
    assert not missing, f"docs/rooms/store.md does not tell of {missing}"


def test_sandbox_page_names_every_fault() -> None:
    from isthmus.sandkit.faults import KINDS

    told = (DOCS / "rooms" / "sandbox.md").read_text()
    assert not [kind for kind in KINDS if f"`{kind}`" not in told]


def test_mapping_page_names_every_function() -> None:
    from isthmus.mapping.functions import registered

    told = (DOCS / "rooms" / "mapping.md").read_text()
    missing = [name for name in registered({}) if f"${name}" not in told]
    assert not missing, f"docs/rooms/mapping.md does not tell of {missing}"
