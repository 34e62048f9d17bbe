"""Ten broken landscapes: each is the sample with one thing wrong, found by `isthmus check` with its place and remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from tests.support.landscapes import CONNECTORS, replace, small_registry, write_sample
from typer.testing import CliRunner, Result

from isthmus.cli.check import check


class Desk:
    """A copy of the sample landscape and of the connectors, to be broken, and the command to find it."""

    def __init__(self, folder: Path) -> None:
        self.landscape = write_sample(folder / "landscape")
        self.file = self.landscape / "isthmus.yaml"
        self.connectors = shutil.copytree(CONNECTORS, folder / "connectors")

    def check(self, *arguments: str) -> Result:
        app = typer.Typer()
        app.command()(check)
        return CliRunner().invoke(app, [str(self.landscape), *arguments])

    def eject(self) -> Path:
        """Take the process's code into the landscape, and give its folder."""
        from isthmus.catalogue.registry import blueprints
        from isthmus.cli.init import eject_process

        eject_process(self.landscape, blueprints()["quote_to_cash"])
        return self.landscape / "processes" / "quote_to_cash"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    monkeypatch.setattr("isthmus.catalogue.registry.registry", lambda: small_registry(made.connectors))
    return made


def secret_in_clear_text(desk: Desk) -> None:
    replace(desk.file, "api_key: env:ISTHMUS_STRIPE_EMEA_KEY", "api_key: not-a-reference")


def unknown_key(desk: Desk) -> None:
    replace(desk.file, "    invoice_owner: erp                          # whose", "    invoice_ownr: erp  # whose")


def unknown_connection(desk: Desk) -> None:
    replace(
        desk.file,
        "{crm: salesforce, erp: sap, billing: stripe-apac",
        "{crm: salesforce, erp: sap-apac, billing: stripe-apac",
    )


def unknown_connector(desk: Desk) -> None:
    replace(desk.file, "connector: sap_s4hana", "connector: sap_s4hanna")


def mapping_writes_unknown_field(desk: Desk) -> None:
    own = desk.landscape / "mappings" / "sap" / "order.outbound.jsonata"
    own.parent.mkdir(parents=True)
    own.write_text((desk.connectors / "sap_s4hana/mappings/order.outbound.jsonata").read_text())
    replace(own, '"SalesOrganization"', '"SalesOrganisation"')


def mapping_is_not_jsonata(desk: Desk) -> None:
    own = desk.landscape / "mappings" / "sap_s4hana" / "order.inbound.jsonata"
    own.parent.mkdir(parents=True)
    own.write_text('/* writes: order */\n{\n  "number": body.SalesOrder,\n  "currency": body..TransactionCurrency\n}\n')


def write_without_once(desk: Desk) -> None:
    file = desk.connectors / "sap_s4hana" / "connector.yaml"
    replace(
        file, '    once:\n      probe: {request: "GET orders?key={key}", found: "value[0]", all: "value[living]"}\n', ""
    )


def native_without_probe(desk: Desk) -> None:
    file = desk.connectors / "stripe" / "connector.yaml"
    replace(
        file,
        '    mapping: customer.outbound.jsonata\n    once: {native: {header: Idempotency-Key, keeps: 24h}, probe: {request: GET customers, found: "data[0]"}}',
        "    mapping: customer.outbound.jsonata\n    once: {native: {header: Idempotency-Key, keeps: 24h}}",
    )


def step_that_cannot_be_undone(desk: Desk) -> None:
    replace(desk.eject() / "process.py", "checked.order, undo=erp.cancel_order)", "checked.order)")


def amount_in_unknown_currency(desk: Desk) -> None:
    replace(desk.file, "above: 250000 EUR", "above: 250000 EUA")


BROKEN: dict[Callable[[Desk], None], tuple[str, str]] = {
    secret_in_clear_text: (
        "isthmus.yaml:40:16  connections.stripe-emea.settings.api_key holds a secret in clear text",
        "put it in the environment and write  env:ISTHMUS_STRIPE_EMEA_API_KEY"
        "  or in a file and write  file:secrets/stripe-emea-api_key",
    ),
    unknown_key: (
        "isthmus.yaml:73:5  business_units.emea.invoice_ownr is not a key that is known here",
        'did you mean "invoice_owner"?',
    ),
    unknown_connection: (
        'isthmus.yaml:83:35  business_units.apac.roles.erp names "sap-apac", which is not a connection',
        'there is only "sap"',
    ),
    unknown_connector: (
        'isthmus.yaml:30:16  connections.sap.connector names "sap_s4hanna", which is not a connector',
        'did you mean "sap_s4hana"?',
    ),
    mapping_writes_unknown_field: (
        'mappings/sap/order.outbound.jsonata:3:3  writes "SalesOrganisation"; A_SalesOrder has no such field',
        'did you mean "SalesOrganization"?',
    ),
    mapping_is_not_jsonata: (
        "mappings/sap_s4hana/order.inbound.jsonata:4:19  '..' cannot stand here",
        "expected '}'; add what is missing before it",
    ),
    write_without_once: (
        "sap_s4hana/connector.yaml:36:3  operations.create_order writes and does not say once: "
        "a repeat could do it twice",
        "write  once: {upsert: true}, once: {probe: …} or once: {native: …, probe: …}, or reads: true",
    ),
    native_without_probe: (
        "stripe/connector.yaml:35:11  operations.ensure_customer.once: once.native needs a probe behind it, "
        "for the time after the vendor forgot the key",
        "",
    ),
    step_that_cannot_be_undone: (
        "processes/quote_to_cash/process.py:LINE:28  the step erp.create_order writes and says neither undo= nor stays=",
        'write  undo=erp.<operation>  or  stays="why it may remain"',
    ),
    amount_in_unknown_currency: (
        "isthmus.yaml:99:25  processes.quote-to-cash.settings.approval.above is '250000 EUA'",
        "'EUA' is not a currency of ISO 4217; an amount is written  250000 EUR",
    ),
}


def test_the_sample_has_no_problem(desk: Desk) -> None:
    result = desk.check()
    assert result.exit_code == 0, result.output
    assert result.output.startswith("No problems: this is release sonnwerk-")


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda breaks: breaks.__name__)
def test_one_mistake_is_found_with_place_and_remedy(desk: Desk, breaks: Callable[[Desk], None]) -> None:
    breaks(desk)
    first, remedy = BROKEN[breaks]
    if "LINE" in first:  # the blueprint's own code moves; its text does not
        code = (desk.landscape / first.partition(":")[0]).read_text().splitlines()
        first = first.replace(
            "LINE", str(1 + next(at for at, line in enumerate(code) if "step(erp.create_order" in line))
        )
    result = desk.check()
    lines = result.output.splitlines()
    assert result.exit_code == 1
    errors = [line for line in lines if line[0] != " " and "  warning: " not in line]
    assert errors[-1] == "1 problem, nothing started" or errors[-1].startswith("1 problem, nothing started (")
    place, _, words = first.partition("  ")
    at = next((number for number, line in enumerate(lines) if line.startswith(f"{place}  {words}")), None)
    assert at is not None, result.output
    if remedy:
        assert lines[at + 1] == " " * (len(place) + 2) + remedy


def test_all_ten_are_found_at_once(desk: Desk) -> None:
    for breaks in BROKEN:
        if breaks is not unknown_connector:  # whoever has no connector has no settings, roles and mappings to check
            breaks(desk)
    result = desk.check()
    for breaks, (first, _) in BROKEN.items():
        if breaks is not unknown_connector:
            file, _, words = first.partition("  ")
            assert words in result.output, f"{breaks.__name__}: {file}"
    assert "9 problems, nothing started" in result.output


def test_json_has_the_same_in_parts(desk: Desk) -> None:
    secret_in_clear_text(desk)
    result = desk.check("--json")
    said = json.loads(result.output)
    assert result.exit_code == 1
    assert said["release"] is None
    [problem] = [problem for problem in said["problems"] if problem["level"] == "error"]
    assert (problem["file"], problem["line"], problem["column"]) == ("isthmus.yaml", 40, 16)
    assert "not-a-reference" not in result.output, "a secret was shown"


def test_no_landscape_says_what_to_do(tmp_path: Path, desk: Desk) -> None:
    desk.file.unlink()
    result = desk.check()
    assert result.exit_code == 1
    assert "there is no landscape in this folder" in result.output
    assert "isthmus init" in result.output
