"""Ten broken landscapes: each is the sample with one thing wrong, found by `isthmus check` with its place and remedy.

The connectors are the shipped ones, copied so that they can be broken too. The expected place is where the broken text
stands in its file, so that the sample and the connectors may grow.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from tests.support.landscapes import replace, write_sample
from typer.testing import CliRunner, Result

from isthmus.catalogue.document import read_document
from isthmus.catalogue.registry import blueprints, connectors, registry
from isthmus.cli.check import check
from isthmus.cli.init import eject_process

USED = ("salesforce", "sap_s4hana", "stripe", "zendesk")


class Desk:
    """A copy of the sample landscape and of the connectors, to be broken, and the command to find it."""

    def __init__(self, folder: Path) -> None:
        self.landscape = write_sample(folder / "landscape")
        self.file = self.landscape / "isthmus.yaml"
        self.connectors = folder / "connectors"
        for name, found in connectors().items():
            if name in USED:
                leave = shutil.ignore_patterns("sandbox", "__pycache__", "golden")
                shutil.copytree(found.path, self.connectors / name, ignore=leave)

    def check(self, *arguments: str) -> Result:
        app = typer.Typer()
        app.command()(check)
        return CliRunner().invoke(app, [str(self.landscape), *arguments])

    def own_mapping(self, owner: str, connector: str, file: str) -> Path:
        """Take a connector's mapping into the landscape."""
        place = self.landscape / "mappings" / owner / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.connectors / connector / "mappings" / file, place)
        return place


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    shown = registry(extra=sorted(made.connectors.iterdir()))
    monkeypatch.setattr("isthmus.catalogue.registry.registry", lambda: shown)
    return made


def without(file: Path, *path: str) -> None:
    """Take a key and all that is indented below it out of a YAML file."""
    lines = file.read_text().split("\n")
    at = read_document(file).key_at(*path)
    assert lines[at.line - 1].strip().startswith(f"{path[-1]}:")
    end = at.line
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" " * at.column)):
        end += 1
    file.write_text("\n".join(lines[: at.line - 1] + lines[end:]))


def secret_in_clear_text(desk: Desk) -> None:
    replace(desk.file, "api_key: env:ISTHMUS_STRIPE_EMEA_KEY", "api_key: not-a-reference")


def unknown_key(desk: Desk) -> None:
    replace(desk.file, "    invoice_owner: erp                          # whose", "    invoice_ownr: erp  # whose")


def unknown_connection(desk: Desk) -> None:
    replace(desk.file, "erp: sap, billing: stripe-apac", "erp: sap-apac, billing: stripe-apac")


def unknown_connector(desk: Desk) -> None:
    replace(desk.file, "connector: sap_s4hana", "connector: sap_s4hanna")


def mapping_writes_unknown_field(desk: Desk) -> None:
    own = desk.own_mapping("sap", "sap_s4hana", "order.outbound.jsonata")
    replace(own, '"SalesOrganization":', '"SalesOrganisation":')


def mapping_is_not_jsonata(desk: Desk) -> None:
    own = desk.own_mapping("sap_s4hana", "sap_s4hana", "order.inbound.jsonata")
    own.write_text('/* writes: order */\n{\n  "number": body.SalesOrder,\n  "currency": body..TransactionCurrency\n}\n')


def write_without_once(desk: Desk) -> None:
    without(desk.connectors / "sap_s4hana" / "connector.yaml", "operations", "create_order", "once")


def native_without_probe(desk: Desk) -> None:
    without(desk.connectors / "stripe" / "connector.yaml", "operations", "ensure_customer", "once", "probe")


def step_that_cannot_be_undone(desk: Desk) -> None:
    eject_process(desk.landscape, blueprints()["quote_to_cash"])
    code = desk.landscape / "processes" / "quote_to_cash" / "process.py"
    replace(code, "checked.order, undo=erp.cancel_order)", "checked.order)")


def amount_in_unknown_currency(desk: Desk) -> None:
    replace(desk.file, "above: 250000 EUR", "above: 250000 EUA")


@dataclass(frozen=True)
class Said:
    """What must be said. ``THERE`` in the place is where ``at`` first stands in the file."""

    place: str
    what: str
    remedy: str
    at: str = ""


BROKEN: dict[Callable[[Desk], None], Said] = {
    secret_in_clear_text: Said(
        "isthmus.yaml:THERE",
        "connections.stripe-emea.settings.api_key holds a secret in clear text",
        "put it in the environment and write  env:ISTHMUS_STRIPE_EMEA_API_KEY"
        "  or in a file and write  file:secrets/stripe-emea-api_key",
        at="not-a-reference",
    ),
    unknown_key: Said(
        "isthmus.yaml:THERE",
        "business_units.emea.invoice_ownr is not a key that is known here",
        'did you mean "invoice_owner"?',
        at="invoice_ownr",
    ),
    unknown_connection: Said(
        "isthmus.yaml:THERE",
        'business_units.apac.roles.erp names "sap-apac", which is not a connection',
        'there is only "sap"',
        at="sap-apac",
    ),
    unknown_connector: Said(
        "isthmus.yaml:THERE",
        'connections.sap.connector names "sap_s4hanna", which is not a connector',
        'did you mean "sap_s4hana"?',
        at="sap_s4hanna",
    ),
    mapping_writes_unknown_field: Said(
        "mappings/sap/order.outbound.jsonata:THERE",
        'writes "SalesOrganisation"; A_SalesOrder has no such field',
        'did you mean "SalesOrganization"?',
        at='"SalesOrganisation":',
    ),
    mapping_is_not_jsonata: Said(
        "mappings/sap_s4hana/order.inbound.jsonata:4:19",
        "'..' cannot stand here",
        "expected '}'; add what is missing before it",
    ),
    write_without_once: Said(
        "sap_s4hana/connector.yaml:THERE",
        "operations.create_order writes and does not say once: a repeat could do it twice",
        "write  once: {upsert: true}, once: {probe: …} or once: {native: …, probe: …}, or reads: true",
        at="create_order:",
    ),
    native_without_probe: Said(
        "stripe/connector.yaml:THERE",
        "operations.ensure_customer.once: once.native needs a probe behind it, "
        "for the time after the vendor forgot the key",
        "",
        at="native: {header: Idempotency-Key",
    ),
    step_that_cannot_be_undone: Said(
        "processes/quote_to_cash/process.py:THERE",
        "the step erp.create_order writes and says neither undo= nor stays=",
        'write  undo=erp.<operation>  or  stays="why it may remain"',
        at="erp.create_order, ",
    ),
    amount_in_unknown_currency: Said(
        "isthmus.yaml:THERE",
        "processes.quote-to-cash.settings.approval.above is '250000 EUA'",
        "'EUA' is not a currency of ISO 4217; an amount is written  250000 EUR",
        at="250000 EUA",
    ),
}


def place(desk: Desk, said: Said) -> str:
    file = said.place.partition(":")[0]
    folder = desk.connectors if (desk.connectors / file).exists() else desk.landscape
    lines = (folder / file).read_text().splitlines()
    found = ((number, text.index(said.at) + 1) for number, text in enumerate(lines, 1) if said.at in text)
    return said.place.replace("THERE", "{}:{}".format(*next(found)) if said.at else "")


def test_the_sample_has_no_problem(desk: Desk) -> None:
    result = desk.check()
    assert result.exit_code == 0, result.output
    assert result.output.startswith("No problems: this is release sonnwerk-")


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda breaks: breaks.__name__)
def test_one_mistake_is_found_with_place_and_remedy(desk: Desk, breaks: Callable[[Desk], None]) -> None:
    breaks(desk)
    said = BROKEN[breaks]
    where = place(desk, said)
    result = desk.check()
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert f"{where}  {said.what}" in lines, result.output
    if said.remedy:
        assert lines[lines.index(f"{where}  {said.what}") + 1] == " " * (len(where) + 2) + said.remedy
    assert lines[-1].split(" (")[0] == "1 problem, nothing started", result.output


def test_all_are_found_at_once(desk: Desk) -> None:
    for breaks in BROKEN:
        if breaks is not unknown_connector:  # whoever has no connector has no settings, roles and mappings to check
            breaks(desk)
    result = desk.check()
    for breaks, said in BROKEN.items():
        if breaks is not unknown_connector:
            assert f"{place(desk, said)}  {said.what}" in result.output.splitlines(), breaks.__name__
    assert "9 problems, nothing started" in result.output


def test_json_has_the_same_in_parts(desk: Desk) -> None:
    secret_in_clear_text(desk)
    result = desk.check("--json")
    said = json.loads(result.output)
    assert result.exit_code == 1
    assert said["release"] is None
    [problem] = [problem for problem in said["problems"] if problem["level"] == "error"]
    assert f"{problem['file']}:{problem['line']}:{problem['column']}" == place(desk, BROKEN[secret_in_clear_text])
    assert "not-a-reference" not in result.output, "a secret was shown"


def test_no_landscape_says_what_to_do(desk: Desk) -> None:
    desk.file.unlink()
    result = desk.check()
    assert result.exit_code == 1
    assert "there is no landscape in this folder" in result.output
    assert "isthmus init" in result.output
