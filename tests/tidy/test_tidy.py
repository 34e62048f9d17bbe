"""Rules of taste as tests of the code: a rule that is not a test is a wish."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "isthmus"
MODULES = sorted(path for path in SOURCE.rglob("*.py"))
LINES_MAX, FUNCTION_LINES_MAX, DESCRIPTOR_LINES_MAX, QUIRKS_LINES_MAX = 400, 60, 250, 150

#: what the glossary says never to say, as whole words of names (CamelCase and snake_case are split)
BANNED = {
    *(
        "dto",
        "dao",
        "util",
        "utils",
        "helper",
        "helpers",
        "common",
        "core",
        "misc",
        "manager",
        "facade",
        "tenant",
        "saga",
    ),
    *("dlq", "orm", "impl", "service", "services", "transformer", "fatal", "dead"),
}
#: rooms may not be called so at all
BANNED_ROOMS = {"common", "utils", "core", "helpers", "services", "base"}
VENDORS = re.compile(
    r"salesforce|\bsap\b|s4hana|s/4|stripe|zendesk|hubspot|netsuite|servicenow|freshdesk|coupa|intacct", re.IGNORECASE
)


def _names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno


def _words(name: str) -> set[str]:
    plain = re.sub(r"[Ss]ervice_?[Ll]evels?", "", name)  # the field's own word
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", plain)}


def _inside(path: Path, *rooms: str) -> bool:
    return path.relative_to(SOURCE).parts[0] in rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_module_is_tidy(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    complaints = []
    if not ast.get_docstring(tree):
        complaints.append("has no docstring that says what it is for")
    if (lines := text.count("\n")) > LINES_MAX:
        complaints.append(f"has {lines} lines; {LINES_MAX} are enough for a room")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > FUNCTION_LINES_MAX and not _declares_routes(node):
                complaints.append(
                    f"line {node.lineno}: {node.name} has {length} lines; {FUNCTION_LINES_MAX} do one thing"
                )
    if not _inside(path, "connectors"):
        for name, line in [*_names(tree), (path.stem, 1)]:
            if bad := _words(name) & BANNED:
                complaints.append(f"line {line}: {name} says {', '.join(bad)}; see docs/glossary.md")
    assert not complaints, "\n".join(complaints)


def _declares_routes(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A function whose body is a table of small functions counts by those."""
    inner = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return len(inner) >= 3


def test_no_room_has_a_name_that_says_nothing() -> None:
    rooms = {part for path in MODULES for part in path.relative_to(SOURCE).parts[:-1]}
    assert not rooms & BANNED_ROOMS


def test_no_vendor_is_named_outside_connectors() -> None:
    """Except where a landscape is written or shown: the blueprints' samples, the command's help and the demo."""
    found = []
    for path in MODULES:
        if _inside(path, "connectors", "cli") or path.name == "company.py":
            continue
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if match := VENDORS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number} names {match[0]}")
    assert not found, "\n".join(found)


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def test_a_sandbox_imports_only_its_kit() -> None:
    """One that shared code with its connector would agree with its mistakes."""
    sandboxes = [path for path in MODULES if "sandbox" in path.parts and "connectors" in path.parts]
    assert len(sandboxes) > 20
    wrong = []
    for path in sandboxes:
        own = ".".join(
            ("isthmus", *path.relative_to(SOURCE).parts[: path.relative_to(SOURCE).parts.index("sandbox") + 1])
        )
        for name in _imports(path):
            if name.startswith("isthmus.") and not name.startswith((own, "isthmus.sandkit")):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_blueprints_import_only_what_a_user_may() -> None:
    wrong = []
    for path in SOURCE.joinpath("blueprints").rglob("*.py"):
        for name in _imports(path):
            allowed = name == "isthmus" or name.startswith(("isthmus.model", "isthmus.blueprints"))
            public = name.startswith("isthmus.") and name.count(".") == 1
            if name.startswith("isthmus") and not (allowed or public):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_nobody_imports_connectors() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in MODULES
        if not _inside(path, "connectors")
        for name in _imports(path)
        if name.startswith("isthmus.connectors")
    ]
    assert not wrong, "\n".join(wrong)


def test_connector_folders_have_the_same_files() -> None:
    for descriptor in SOURCE.joinpath("connectors").rglob("connector.yaml"):
        folder = descriptor.parent
        for name in ("mappings", "schema", "sandbox", "golden", "BEHAVIOR.md", "quality.yaml"):
            assert (folder / name).exists(), f"{folder.relative_to(ROOT)} has no {name}"
        assert len(descriptor.read_text().splitlines()) <= DESCRIPTOR_LINES_MAX, f"{descriptor} wants to be a program"
        quirks = folder / "quirks.py"
        assert not quirks.exists() or len(quirks.read_text().splitlines()) <= QUIRKS_LINES_MAX


def test_no_file_names_this_machine_or_a_registry() -> None:
    pattern = "[p]ypi\\.[o]rg|[p]ythonhosted|[n]pmjs\\.|[d]eb\\.[d]ebian|/[w]ork/(main|steering|\\.library)|/[f]arm/"
    found = subprocess.run(["git", "grep", "-nIiE", pattern], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not found.stdout, found.stdout
