"""The demo as a stranger types it, and what it says when something does not hold."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus
from typer.testing import CliRunner

from isthmus.cli.demo.script import Script, command_path, filled, read_script
from isthmus.cli.demo.verb import demo
from isthmus.cli.verbs import new_app


def test_once_for_machines(tmp_path: Path) -> None:
    """Seventeen deals: those with a fate of their own among them. Everything is mended, nothing lost or doubled."""
    done = isthmus("demo", "--once", "--json", "--opportunities", "17", "--seed", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert (found["opportunities"], found["completed"], found["parked"], found["mended"]) == (17, 12, 5, 5)
    assert (found["lost"], found["doubled"], found["cents_off"], found["unasked"], found["unreported"]) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert (found["disputes"], found["credited"], found["rejected"], found["waiting"]) == (5, 3, 1, 1), found[
        "disputed"
    ]
    by_kind = {one["kind"]: one["became"] for one in found["disputed"]}
    assert "the receipt of the goods was confirmed" in by_kind["rejected by rule"]
    assert "the bank" in by_kind["chargeback"]
    assert all("credit note" in by_kind[kind] for kind in ("escalated", "by API", "for you"))
    assert found["numbered"] == found["legal_invoices"] > 0
    assert found["faults"] > 0
    assert all(len(one["commands"]) == 2 for one in found["parked_for"]), "a mend and a replay for each"
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(11, 17))
def test_many_seeds(tmp_path: Path, seed: int) -> None:
    done = isthmus("demo", "--once", "--json", "--seed", str(seed), cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("holds", [True, False])
def test_a_proof_that_fails_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, holds: bool) -> None:
    monkeypatch.setattr("isthmus.cli.demo.stage.standing", lambda *_: nullcontext())
    monkeypatch.setattr("isthmus.cli.demo.verb._played", lambda *_: holds)
    app = new_app()
    app.command()(demo)
    assert CliRunner().invoke(app, ["--json"]).exit_code == (0 if holds else 1)


def test_the_script_names_every_variable_of_the_landscape() -> None:
    import re

    import isthmus.blueprints.quote_to_cash as blueprint

    script = read_script()
    assert blueprint.__file__
    landscape = Path(blueprint.__file__).parent.joinpath("landscape/isthmus.yaml").read_text()
    asked = set(re.findall(r"env:(ISTHMUS_(?:SF|SAP|STRIPE|ZENDESK)_\w+)", landscape))
    given = set(script.whole["environment"]) | {
        name for hook in script.whole["webhooks"] for name in hook.get("gives", {})
    }
    assert asked == given


@pytest.mark.parametrize(
    ("title", "mend", "command"),
    [
        ("X-105 was quoted at 195.34 CHF, the ERP's price is 205.11 (5.0 % off, 0.5 % is allowed)", "agree on the price",
         "play sap_s4hana change_price material=X-105 price=195.34 currency=CHF"),
        ("Not everything can be delivered: 0 of 11 X-113 (line 10); 3 of 4 X-163 (line 20)", "receive stock",
         "play sap_s4hana receive_stock material=X-113 quantity=100000"),
        ("The ERP has blocked this customer for new orders (credit)", "have customer 17100010 released in the ERP, then replay",
         "set sap_s4hana customer 17100010 order_block=none"),
        ("The customer's credit limit does not cover this order (B)", "raise the limit",
         "set sap_s4hana credit_limit 17100001 limit=999999999"),
        ("Something nobody has thought of", "look", None),
    ],
)  # fmt: skip
def test_mends(title: str, mend: str, command: str | None) -> None:
    facts = {"customer_number": "17100001"}
    assert read_script().mend({"title": title, "mend": mend}, facts) == command


def test_the_script_changes_only_what_the_landscape_says(tmp_path: Path) -> None:
    """Each change finds its place, and what comes of it is a landscape: people with keys, and a desk above another."""
    import yaml

    from isthmus.cli.demo.stage import write_landscape_of

    script = read_script()
    landscape = write_landscape_of(script, tmp_path, dict.fromkeys(script.whole["people"], "a key"))
    written = yaml.safe_load((landscape / "isthmus.yaml").read_text())
    assert set(written["access"]) == set(script.whole["people"])
    assert written["desks"]["finance-lead"]["members"] == ["carla"]
    deciders = {kind.get("decides") for kind in script.whole["disputes"]["kinds"]} - {None}
    assert {*deciders, script.whole["disputes"]["once"]} <= set(script.whole["people"])
    broken = {**script.whole, "landscape": [{"in": "isthmus.yaml", "says": "nobody: says this", "becomes": ""}]}
    with pytest.raises(ValueError, match="nobody: says this"):
        write_landscape_of(Script(broken), tmp_path / "again", {})


def test_gaps_are_filled_or_named() -> None:
    facts: dict[str, Any] = {"stripe": {"base_url": "http://x"}, "gateway": "http://g"}
    assert filled({"a": ["{stripe.base_url}/v1", 1]}, facts) == {"a": ["http://x/v1", 1]}
    with pytest.raises(KeyError, match="nobody"):
        filled("{nobody}", facts)
    assert command_path("set sap_s4hana customer 171 order_block=none") == (
        ["sap_s4hana", "set", "customer", "171"],
        {"order_block": "none"},
    )


def test_numbers_of_opportunities() -> None:
    assert read_script().numbers(3) == ["OPP-1001", "OPP-1002", "OPP-1003"]
