"""The isthmus command without anything running: help, contracts, and commands that are written as rows."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from isthmus.cli.nearby import who
from isthmus.cli.verbs import VERBS, top
from isthmus.store import approvals, exceptions, history, runs
from isthmus.store.audit import lines
from isthmus.store.clock import instant, system_clock
from isthmus.store.migrate import migrate
from isthmus.store.runs import NewRun
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

RUN = "quote-to-cash.crm.Opportunity.006"
COMMAND = [sys.executable, "-c", "from isthmus.cli import main; main()"]


def isthmus(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(top(), list(arguments), input=given)


def said(*arguments: str) -> Any:
    """What a command prints with --json."""
    result = isthmus(*arguments, "--json")
    assert result.exit_code == 0, f"{result.output} {result.exception!r}"
    return json.loads(result.stdout)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with a parked run, its exception, and an approval that a second run waits for."""
    url = f"sqlite:///{tmp_path / 'isthmus.sqlite'}"
    migrate(url)
    transaction = Store.open_connection(url)
    transaction.begin()
    _fill(transaction)
    transaction.commit()
    return url


def _fill(tx: Transaction) -> None:
    now = instant(system_clock())
    for subject, key in (("crm/Opportunity/006", "OPP-1"), ("crm/Opportunity/007", "OPP-2")):
        new = NewRun("quote-to-cash", 1, subject, "crm", "isthmus.quote.accepted.v1", "{}", "acme-1", None)
        runs.insert_run(tx, new, now)
        tx.run(
            "UPDATE run SET business_key = :key, customer = 'Nordlicht AS', amount = '48000.00', currency = 'NOK',"
            " title = 'Inverters', input = :input, due_at = NULL WHERE id = :id",
            {"key": key, "id": new.id, "input": json.dumps({"lines": [{"product": {"number": "X-200"}}]})},
        )
    tx.run("UPDATE run SET state = 'parked' WHERE id = :id", {"id": RUN})
    exceptions.open_exception(
        tx,
        {"run_id": RUN, "group_key": "g", "title": "Item X-200 is not sold in this sales area", "error_class": "business",
         "operation": "erp.create_order", "code": "V1/302", "connection": "sap", "business_key": "OPP-1", "step": "create_order",
         "customer": "Nordlicht AS", "amount": "48000.00", "currency": "NOK", "said": "400 V1/302", "mend": "extend the item",
         "opened_at": now},
    )  # fmt: skip
    waiting = RUN.replace("006", "007")
    tx.run("UPDATE run SET state = 'waiting' WHERE id = :id", {"id": waiting})
    taken = runs.take(tx, waiting, "somebody", now)
    assert taken is not None
    fence = runs.Fence(waiting, taken["fence"])
    history.await_answer(tx, fence, name="approval deal-desk", key="", due_at=now, now=now, round_=1)
    runs.end_play(tx, fence, state="waiting", now=now)
    approvals.request(
        tx,
        {"id": "OPP-2.deal-desk", "run_id": waiting, "name": "approval deal-desk\n", "policy": "deal-desk",
         "about": "OPP-2: 300000 EUR", "requested_at": now, "due_at": now},
    )  # fmt: skip


def stored(url: str, sql: str, **values: Any) -> Any:
    return Store.open_connection(url).row(sql, values)


# Help -----------------------------------------------------------------------------------------------------------------


def test_help_lists_every_verb_and_teaches() -> None:
    text = isthmus("--help").stdout
    for verb in VERBS:
        assert verb.name in text
    assert "isthmus demo" in text


def test_version() -> None:
    from isthmus import __version__

    assert isthmus("--version").stdout.strip() == f"isthmus {__version__}"


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_help(verb: str) -> None:
    result = isthmus(verb, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_a_near_miss_is_asked_back() -> None:
    result = isthmus("explan")
    assert result.exit_code == 2
    assert 'did you mean "explain"?' in result.output


def test_help_imports_nothing_heavy() -> None:
    heavy = ("pydantic", "fastapi", "uvicorn", "sqlalchemy", "dbos", "aiohttp", "opentelemetry", "yaml", "rich.console")
    code = "import sys\nfrom isthmus.cli import main\ntry: main()\nfinally: print([m for m in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert not [name for name in heavy if f"'{name}'" in done.stderr]


def test_help_answers_at_once() -> None:
    """Within twenty times of what the bare interpreter takes; the median of some runs, side by side."""

    def took(*command: str) -> float:
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - begun

    pairs = [(took(sys.executable, "-c", "pass"), took(*COMMAND, "--help")) for _ in range(9)]
    assert statistics.median(ours / bare for bare, ours in pairs) < 20


# Contracts and connectors --------------------------------------------------------------------------------------------


def test_schema_prints_a_contract() -> None:
    Draft202012Validator.check_schema(json.loads(isthmus("schema", "order").stdout))
    assert {row["object"] for row in said("schema")} >= {"order", "invoice", "customer"}
    assert "there are" in str(isthmus("schema", "ordr").exception)


def test_connectors_are_listed_and_held_to_their_claims(tmp_path: Path) -> None:
    assert {row["connector"] for row in said("connectors", "list")} == {"salesforce", "sap_s4hana", "stripe", "zendesk"}
    from isthmus.catalogue.registry import ConnectorFolder
    from isthmus.cli.connectors import claims_of

    folder, tests = tmp_path / "acme", tmp_path / "tests"
    for name in ("mappings", "schema", "sandbox", "golden"):
        (folder / name).mkdir(parents=True)
    tests.mkdir()
    (tests / "test_acme.py").write_text("def test_refresh():\n    assert True\n")
    (folder / "quality.yaml").write_text(
        "sign_in: {done: test_refresh}\nlimits: {done: test_acme.py::test_no_such}\nbulk: todo\n"
        "push: {exempt: it does not push}\nundo: {exempt: ''}\nretry: perhaps\n"
    )
    found = {claim.rule: claim.verdict for claim in claims_of(ConnectorFolder("acme", folder), tests)}
    assert found == {
        "has BEHAVIOR.md": "broken", "sign_in": "kept", "limits": "broken", "bulk": "todo", "push": "exempt",
        "undo": "broken", "retry": "broken",
    }  # fmt: skip


# Rows beside a running serve ----------------------------------------------------------------------------------------


def test_exceptions_are_listed_and_shown(database: str) -> None:
    assert [row["number"] for row in said("exceptions", "list", "--database", database)] == ["EX-1"]
    text = isthmus("exceptions", "show", "EX-1", "--database", database).stdout
    for word in ("EX-1 · Item X-200 is not sold", "48,000.00 NOK", "sap V1/302 answered", "Do: extend the item"):
        assert word in text


def test_retry_makes_the_run_due_and_is_audited(database: str) -> None:
    assert said("exceptions", "retry", "1", "--database", database)["state"] == "ready"
    run = stored(database, "SELECT * FROM run WHERE id = :id", id=RUN)
    assert (run["state"], run["round"]) == ("ready", 2)
    assert run["due_at"]
    audited = lines(Store.open_connection(database), "EX-1")
    assert [(line["who"], line["did"]) for line in audited] == [(who(), "exception.retry")]
    again = isthmus("exceptions", "retry", "EX-1", "--database", database)
    assert "ended already" in str(again.exception)


def test_edit_changes_the_input(database: str) -> None:
    change = isthmus("exceptions", "edit", "EX-1", "lines.0.product.number=X-101", "--database", database)
    assert change.exit_code == 0, change.exception
    run = stored(database, "SELECT * FROM run WHERE id = :id", id=RUN)
    assert json.loads(run["input"])["lines"][0]["product"]["number"] == "X-101"
    assert run["state"] == "parked"
    wrong = isthmus("exceptions", "edit", "EX-1", "lines.7.x=1", "--database", database)
    assert "leads nowhere" in str(wrong.exception)


def test_numbers_stay_text_in_an_edit(database: str) -> None:
    isthmus("exceptions", "edit", "EX-1", "quantity=12.50", "flag=true", "none=null", "--database", database)
    found = json.loads(stored(database, "SELECT input FROM run WHERE id = :id", id=RUN)["input"])
    assert (found["quantity"], found["flag"], found["none"]) == ("12.50", True, None)


def test_cancel_by_exception_and_by_run(database: str) -> None:
    assert said("exceptions", "cancel", "EX-1", "--database", database)["state"] == "undoing"
    assert stored(database, "SELECT state FROM run WHERE id = :id", id=RUN)["state"] == "undoing"
    assert said("runs", "cancel", "OPP-2", "--why", "test", "--database", database)["state"] == "undoing"


def test_skip_needs_a_step_that_writes(database: str) -> None:
    result = isthmus("exceptions", "skip", "EX-1", "--database", database)
    assert "not parked at a step that writes" in str(result.exception)


def test_approvals_are_decided_once(database: str) -> None:
    assert [row["id"] for row in said("approvals", "list", "--database", database)] == ["OPP-2.deal-desk"]
    done = said("approvals", "approve", "OPP-2.deal-desk", "--comment", "fine", "--database", database)
    assert (done["state"], done["decided_by"]) == ("approved", who())
    assert stored(database, "SELECT wake FROM run WHERE business_key = 'OPP-2'")["wake"] > 0
    again = isthmus("approvals", "reject", "OPP-2.deal-desk", "--database", database)
    assert "already" in str(again.exception)
    assert said("approvals", "list", "--state", "all", "--database", database)[0]["comment"] == "fine"


def test_runs_are_listed_shown_and_explained(database: str) -> None:
    found = said("runs", "list", "--state", "parked", "--database", database)
    assert [(row["key"], row["customer"]) for row in found] == [("OPP-1", "Nordlicht AS")]
    assert said("runs", "show", "OPP-1", "--database", database)["id"] == RUN
    told = isthmus("explain", "OPP-1", "--database", database).stdout
    assert 'OPP-1 "Inverters" of Nordlicht AS, 48,000.00 NOK' in told
    assert "parked as EX-1: Item X-200 is not sold in this sales area. To do: extend the item" in told
    assert said("explain", "EX-1", "--database", database)[0]["run"] == RUN
    assert "nothing here is called" in str(isthmus("explain", "nothing", "--database", database).exception)


def test_keys_keep_only_a_hash(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    made = said("keys", "create", "shop", "--scope", "process:start", "--scope", "runs:read", "--database", url)
    row = stored(url, "SELECT * FROM api_key")
    assert (row["holder"], set(row["scopes"].split())) == ("shop", {"process:start", "runs:read"})
    assert made["key"] not in str(row)
    assert 'did you mean "runs:read"?' in str(
        isthmus("keys", "create", "x", "--scope", "runs:red", "--database", url).exception
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("clock", "'clock' is reserved: in the audit it is what time alone mends or ends; take another name, such as"),
        ("The Run", "'The Run' is reserved: in the audit it is a run that ends what it had parked"),
        ("chaos", "'chaos' is reserved"),
        (" ", "' ' is no name; give one of printable characters"),
        ("shop\n", "is no name"),
    ],
)
def test_nobody_holds_a_key_under_a_name_of_isthmus_itself(tmp_path: Path, name: str, sentence: str) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    refused = isthmus("keys", "create", name, "--database", url)
    assert refused.exit_code != 0
    assert sentence in str(refused.exception)
    said("keys", "create", "clock-service", "--database", url)
    assert [row["holder"] for row in said("keys", "list", "--database", url)] == ["clock-service"], "nothing was made"


def test_a_command_is_never_noted_under_such_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "clock")
    assert who() == f"uid-{os.getuid()}"
    monkeypatch.setenv("LOGNAME", "anna")
    assert who() == "anna"


def test_keys_are_listed_and_revoked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    said("keys", "create", "shop", "--database", url)
    assert [(row["holder"], row["revoked_at"]) for row in said("keys", "list", "--database", url)] == [("shop", None)]
    assert said("keys", "revoke", "shop", "--database", url)["revoked"] == 1
    assert said("keys", "list", "--database", url)[0]["revoked_at"]
    assert "holds no living key" in str(isthmus("keys", "revoke", "shop", "--database", url).exception)


# Where nothing is ---------------------------------------------------------------------------------------------------


def test_errors_are_sentences(tmp_path: Path) -> None:
    for arguments, sentence in (
        (["runs", "list"], "say --landscape FOLDER or --database URL"),
        (["runs", "list", "--database", "sqlite:///none.sqlite"], "there is no database at none.sqlite yet"),
        (["runs", "list", "--landscape", "."], ". is no landscape: it has no isthmus.yaml"),
        (
            ["sandbox", "show", "stripe", "invoice", "--url", "http://127.0.0.1:9"],
            "nobody answers at http://127.0.0.1:9",
        ),
        (["exceptions", "retry", "seven", "--database", "sqlite:///none.sqlite"], "there is no database"),
    ):
        done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
