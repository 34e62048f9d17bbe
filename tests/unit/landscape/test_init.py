"""`isthmus init`: writes a landscape that the check accepts, never over something, and ejects code that really runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml
from tests.support.landscapes import findings, small_registry
from typer.testing import CliRunner, Result

from isthmus.cli.init import init
from isthmus.cli.verbs import VERBS
from isthmus.landscape.own_code import import_file
from isthmus.landscape.release import compile_release
from isthmus.landscape.schema import editor_schema


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(init)
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("eject", [False, True])
def test_what_it_writes_has_no_mistake(tmp_path: Path, eject: bool) -> None:
    folder = tmp_path / "landscape"
    result = run(str(folder), *(["--eject"] if eject else []))
    assert result.exit_code == 0, result.output
    assert findings(folder) == []
    process = compile_release(folder, registry=small_registry()).processes["quote-to-cash"]
    assert process.blueprint == "quote_to_cash"
    assert process.code.startswith("processes/quote_to_cash/process.py:") is eject


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    result = run(str(tmp_path))
    assert result.exit_code == 1
    assert "is not empty; nothing was written" in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_unknown_blueprint_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    result = run(str(tmp_path / "new"), "--blueprint", "quote_to_cahs")
    assert result.exit_code == 1
    assert 'did you mean "quote_to_cash"?' in result.output
    assert not (tmp_path / "new").exists()


def test_git_ignores_the_secrets(tmp_path: Path) -> None:
    run(str(tmp_path / "new"))
    (tmp_path / "new" / "secrets" / "sap").write_text("hunter2")
    subprocess.run(["git", "init", "-q", str(tmp_path / "new")], check=True)
    asked = ["git", "-C", str(tmp_path / "new"), "check-ignore", "-q"]
    assert subprocess.run([*asked, "secrets/sap"], check=False).returncode == 0
    assert subprocess.run([*asked, "secrets/README.md"], check=False).returncode == 1
    assert subprocess.run([*asked, ".isthmus/store.sqlite"], check=False).returncode == 0


@pytest.mark.parametrize("eject", [False, True])
def test_the_readme_tells_of_everything_that_is_there(tmp_path: Path, eject: bool) -> None:
    folder = tmp_path / "new"
    run(str(folder), *(["--eject"] if eject else []))
    told = (folder / "README.md").read_text()
    assert ("processes" in {path.name for path in folder.iterdir()}) is eject
    for path in folder.iterdir():
        assert path.name in (".gitignore", "README.md") or f"`{path.name}" in told, (
            f"README.md says nothing of {path.name}"
        )
    if eject:
        assert (folder / "processes/quote_to_cash/README.md").is_file()
    commands = re.findall(r"\bisthmus ([a-z]+)", told)
    assert set(commands) <= {verb.name for verb in VERBS}
    assert {"check", "serve", "explain", "exceptions", "map"} <= set(commands)
    assert "--environment prod" in told and "tag" in told, "it says how a change is promoted"
    for link in re.findall(r"\]\(([^)]+)\)", told):
        assert (folder / link).is_file(), link


def test_its_pages_change_no_release(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    run(str(folder))
    before = compile_release(folder, registry=small_registry()).id
    for page in folder.rglob("README.md"):
        page.unlink()
    assert compile_release(folder, registry=small_registry()).id == before


def test_an_ejected_copy_changes_the_release(tmp_path: Path) -> None:
    run(str(tmp_path / "new"), "--eject")
    registry = small_registry()
    before = compile_release(tmp_path / "new", registry=registry).id
    code = tmp_path / "new" / "processes" / "quote_to_cash" / "checks.py"
    code.write_text(code.read_text() + "\n# ours now\n")
    assert compile_release(tmp_path / "new", registry=registry).id != before
    assert "isthmus.blueprints" not in code.read_text(), "the copy imports the copy"


def test_the_editors_schema_takes_the_sample_and_refuses_mistakes(tmp_path: Path) -> None:
    run(str(tmp_path / "new"))
    schema = editor_schema(small_registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    text = (tmp_path / "new" / "isthmus.yaml").read_text()
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []
    for old, new in [
        ("connector: sap_s4hana", "connector: sap"),
        ("password: env:ISTHMUS_SAP_PASSWORD", "password: hunter2"),
        ("user: env:ISTHMUS_SAP_USER", "usr: env:ISTHMUS_SAP_USER"),
        ("shortage: park ", "shortage: pork "),
        ("within: 2 days", "within: 2"),
        ("currency: EUR", "currency: EURO"),
    ]:
        assert text.count(old) == 1
        assert list(validator.iter_errors(yaml.safe_load(text.replace(old, new)))), new


def test_an_ejected_copy_runs_and_is_the_copy(tmp_path: Path) -> None:
    run(str(tmp_path / "new"), "--eject")
    release = compile_release(tmp_path / "new", registry=small_registry())
    ejected = {name: plan for name, plan in release.processes.items() if plan.blueprint == "quote_to_cash"}
    assert len(ejected) == 3
    for name, plan in ejected.items():
        place, _, function = plan.code.partition(":")
        module = import_file(plan.folder / place)
        loaded = getattr(module, function)
        assert (loaded.name, loaded.version, loaded.starts_on) == (name, plan.version, plan.starts_on)
        assert Path(loaded.function.__code__.co_filename).is_relative_to(tmp_path / "new")
    checks = import_file(tmp_path / "new" / "processes" / "quote_to_cash" / "checks.py")
    process = import_file(tmp_path / "new" / "processes" / "quote_to_cash" / "process.py")
    assert process.check is checks.check, "neighbours are imported once, from the copy"


def test_a_blueprint_that_shares_a_sample_can_be_ejected_from_it(tmp_path: Path) -> None:
    result = run(str(tmp_path / "new"), "--blueprint", "case_to_credit", "--eject")
    assert result.exit_code == 0, result.output
    assert findings(tmp_path / "new") == []
    plan = compile_release(tmp_path / "new", registry=small_registry()).processes["case-to-credit"]
    assert plan.code == "processes/case_to_credit/process.py:case_to_credit"
    place, _, function = plan.code.partition(":")
    loaded = getattr(import_file(plan.folder / place), function)
    assert Path(loaded.function.__code__.co_filename).is_relative_to(tmp_path / "new")
