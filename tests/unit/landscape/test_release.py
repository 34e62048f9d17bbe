"""A release: what runs, found by name, compiled once, known by its content, secrets resolved only when asked for."""

from __future__ import annotations

import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.landscapes import CONNECTORS, replace, small_registry, write_sample

from isthmus.landscape.finding import LandscapeProblems
from isthmus.landscape.release import Release, compile_release
from isthmus.landscape.secrets import SecretMissing
from isthmus.model.money import Money

PROMO = "fields:\n  order.extensions.promo_code: {salesforce: Opportunity.Promo__c, sap: YY1_Promo}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "landscape")


def compiled(folder: Path, environment: str = "dev") -> Release:
    return compile_release(folder, environment, registry=small_registry())


def add(folder: Path, text: str) -> None:
    file = folder / "isthmus.yaml"
    file.write_text(file.read_text() + text)


def test_it_answers_what_the_running_layers_ask(folder: Path) -> None:
    release = compiled(folder)
    connection, operation = release.operation("apac", "billing", "create_invoice")
    assert connection.name == "stripe-apac"
    assert operation.sequence[1].part == "draft"
    assert release.units["apac"].business_unit.currency == "JPY"
    assert release.units["apac"].values["sales_organization"] == "3010"
    assert release.units["apac"].values["invoice_owner"] == "erp"
    assert release.connections["sap"].settle_s == 3
    assert release.connections["sap"].limits.concurrency == 10
    assert release.connections["sap"].settings["client"] == "100", "a default of the connector is filled in"
    assert release.service_levels["order-created"].within_s == 300
    assert release.service_levels["order-created"].begins == "isthmus.quote.accepted.v1"


def test_a_process_has_its_settings_read_and_its_defaults_filled_in(folder: Path) -> None:
    process = compiled(folder).processes["quote-to-cash"]
    assert process.code == "isthmus.blueprints.quote_to_cash.process:quote_to_cash"
    assert process.starts_on == ("isthmus.quote.accepted.v1",)
    assert process.units == ("emea", "apac")
    assert process.settings["price_tolerance"] == Decimal("0.5")
    assert process.settings["shortage_until"] == timedelta(days=14)
    assert process.settings["approval"] == {
        "above": Money(amount=Decimal(250000), currency="EUR"),
        "by": "deal-desk",
        "within": timedelta(days=2),
    }


@pytest.mark.parametrize(
    ("unit", "role", "operation", "words"),
    [
        ("emae", "erp", "create_order", "no business unit is called 'emae'"),
        ("emea", "tax", "quote", "gives the role 'tax' to no connection"),
        ("emea", "erp", "creat_order", 'did you mean "create_order"?'),
    ],
)
def test_what_is_not_there_is_said_in_words(folder: Path, unit: str, role: str, operation: str, words: str) -> None:
    with pytest.raises(KeyError) as refusal:
        compiled(folder).operation(unit, role, operation)
    assert words in refusal.value.args[0]


def test_mappings_are_compiled_once_and_the_landscape_may_have_its_own(folder: Path) -> None:
    release = compiled(folder)
    mapping = release.mapping("sap", "mappings/order.outbound.jsonata")
    assert mapping is release.mapping("sap", "order.outbound.jsonata")
    context = {"values": {"sales_organization": "1710"}, "key": "OPP-1", "input": {"lines": []}}
    assert mapping(context)["ExternalDocumentID"] == "OPP-1"

    own = folder / "mappings" / "sap_s4hana"
    own.mkdir(parents=True)
    (own / "order.outbound.jsonata").write_text('/* writes: A_SalesOrder */\n{"ExternalDocumentID": "for all"}')
    assert compiled(folder).mapping("sap", "order.outbound.jsonata")(context) == {"ExternalDocumentID": "for all"}
    (folder / "mappings" / "sap").mkdir()
    (folder / "mappings" / "sap" / "order.outbound.jsonata").write_text(
        '/* writes: A_SalesOrder */\n{"ExternalDocumentID": "here"}'
    )
    changed = compiled(folder)
    assert changed.mapping("sap", "order.outbound.jsonata")(context) == {"ExternalDocumentID": "here"}
    assert changed.connections["sap"].mapping_places["order.outbound.jsonata"] == "mappings/sap/order.outbound.jsonata"


def test_an_own_field_goes_from_end_to_end_by_one_line(folder: Path) -> None:
    add(folder, PROMO)
    release = compiled(folder)
    quote = release.mapping("salesforce", "quote.inbound.jsonata")({"body": {"Number__c": "1", "Promo__c": "SPRING"}})
    assert quote["extensions"] == {"promo_code": "SPRING"}
    context = {"input": {"extensions": {"promo_code": "SPRING"}}, "values": {}, "key": "k"}
    assert release.mapping("sap", "order.outbound.jsonata")(context)["YY1_Promo"] == "SPRING"
    order = release.mapping("sap", "order.inbound.jsonata")({"body": {"YY1_Promo": "SPRING"}})
    assert order["extensions"] == {"promo_code": "SPRING"}
    assert "extensions" not in release.mapping("sap", "customer.inbound.jsonata")({"body": {"Name": "A"}})
    assert release.connections["salesforce"].extra_fields == {"Opportunity": ("Promo__c",)}


def test_an_own_field_goes_inside_where_the_vendor_wraps_its_object(folder: Path) -> None:
    add(folder, "fields:\n  customer.extensions.tier: {zendesk: Organization.organization_fields.tier}\n")
    mapping = compiled(folder).mapping("zendesk", "organization.outbound.jsonata")
    sent = mapping({"input": {"customer": {"name": "A"}, "extensions": {"tier": "1"}}})
    assert sent["organization"]["organization_fields"]["tier"] == "1"


def test_code_tables_take_the_landscapes_own_rows(folder: Path) -> None:
    context = {"input": {"name": "A", "addresses": [{"address": {"country": "NO"}}]}}
    assert compiled(folder).mapping("sap", "customer.outbound.jsonata")(context)["Country"] == "NO"
    (folder / "mappings" / "sap").mkdir(parents=True)
    (folder / "mappings" / "sap" / "codes.yaml").write_text("country: {NO: N2}\n")
    release = compiled(folder)
    assert release.mapping("sap", "customer.outbound.jsonata")(context)["Country"] == "N2"
    assert release.expression('$code("country", input.x)', connection="sap")({"input": {"x": "JP"}}) == "JP"


def test_the_unit_of_a_message_is_told_by_its_values(folder: Path) -> None:
    release = compiled(folder)
    assert release.unit_of("stripe-apac", {}) == "apac", "only one unit uses it"
    assert release.unit_of("sap", {"sales_organization": "3010"}) == "apac"
    assert release.unit_of("sap", {"sales_organization": 1710}) == "emea"
    assert release.unit_of("salesforce", {"unit": "emea"}) == "emea"
    assert release.unit_of("salesforce", {"unit": "latam"}) is None
    assert release.unit_of("sap", {"sales_organization": "3010", "plant": "1710"}) is None
    assert release.unit_of("sap", {}) is None
    assert release.unit_of("sap", {"distribution_channel": "10"}) is None, "both units agree"


def test_secrets_are_resolved_only_when_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(folder / "isthmus.yaml", "password: env:ISTHMUS_SAP_PASSWORD", "password: file:secrets/sap-password")
    release = compiled(folder)
    assert release.connections["sap"].settings["password"] == "file:secrets/sap-password"
    for name in ("ISTHMUS_SAP_URL", "ISTHMUS_SAP_USER"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SecretMissing, match=r"settings\.base_url is env:ISTHMUS_SAP_URL"):
        release.secret_settings("sap")
    monkeypatch.setenv("ISTHMUS_SAP_URL", "https://erp.example.com")
    monkeypatch.setenv("ISTHMUS_SAP_USER", "integration")
    with pytest.raises(SecretMissing, match="file:secrets/sap-password, and that file cannot be read"):
        release.secret_settings("sap")
    (folder / "secrets" / "sap-password").write_text("hunter2\n")
    assert release.secret_settings("sap") == {
        "base_url": "https://erp.example.com",
        "user": "integration",
        "password": "hunter2",
        "client": "100",
    }
    assert "password" not in release.public_settings("sap")
    assert release.public_settings("sap")["user"] == "integration"
    assert "hunter2" not in repr(release)


def test_its_id_is_its_content(folder: Path, tmp_path: Path) -> None:
    first = compiled(folder).id
    assert first.startswith("sonnwerk-")
    assert compiled(write_sample(tmp_path / "elsewhere")).id == first, "the same content has the same id anywhere"
    assert compiled(folder, "prod").id == first, "a release is promoted unchanged"

    file = folder / "isthmus.yaml"
    file.write_text("# a comment\n" + file.read_text())
    (folder / "README.md").write_text("other words")
    (folder / "secrets" / "sap").write_text("a secret")
    assert compiled(folder).id == first, "what cannot change what happens does not count"

    replace(file, "price_tolerance: 0.5 %", "price_tolerance: 0.6 %")
    second = compiled(folder).id
    assert second != first
    own = folder / "mappings" / "sap" / "order.inbound.jsonata"
    own.parent.mkdir(parents=True)
    own.write_text('/* writes: order */\n{"number": body.SalesOrder}')
    assert compiled(folder).id not in (first, second)


def test_a_connectors_files_are_part_of_it_but_its_stand_in_is_not(folder: Path, tmp_path: Path) -> None:
    connectors = Path(shutil.copytree(CONNECTORS, tmp_path / "connectors"))

    def now() -> str:
        return compile_release(folder, registry=small_registry(connectors)).id

    first = now()
    (connectors / "zendesk" / "sandbox").mkdir()
    (connectors / "zendesk" / "sandbox" / "play.py").write_text("x = 1")
    (connectors / "zendesk" / "BEHAVIOR.md").write_text("odd")
    assert now() == first
    replace(connectors / "zendesk" / "connector.yaml", "title: A help desk", "title: Another help desk")
    assert now() != first


def test_what_does_not_hold_together_is_not_compiled(folder: Path) -> None:
    replace(folder / "isthmus.yaml", "connector: sap_s4hana", "connector: sap")
    with pytest.raises(LandscapeProblems) as problems:
        compiled(folder)
    assert any('names "sap", which is not a connector' in finding.what for finding in problems.value.findings)


def test_an_environment_that_is_not_there_is_a_finding(folder: Path) -> None:
    with pytest.raises(LandscapeProblems) as problems:
        compiled(folder, "production")
    [finding] = problems.value.findings
    assert (finding.line, finding.column) == (9, 1)
    assert finding.mend == 'did you mean "prod"?' or finding.mend == "there are dev, prod"
    assert compiled(folder, "prod").environment.database == "env:ISTHMUS_DATABASE"


def test_a_decision_table_decides_by_its_first_row(folder: Path) -> None:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "deal.yaml").write_text(
        "title: Who agrees\n"
        "rows:\n"
        "  - when: $decimal_compare(input.amount, '100000') = 1\n"
        "    then: {by: deal-desk, within: 2 days}\n"
        "  - when: input.country = 'NO'\n"
        "    then: {by: order-desk}\n"
    )
    rule = compiled(folder).rules["deal"]
    assert rule.decide({"input": {"amount": "100000.01", "country": "NO"}}) == {
        "by": "deal-desk",
        "within": timedelta(days=2),
    }
    assert rule.decide({"input": {"amount": "1.00", "country": "NO"}}) == {"by": "order-desk"}
    assert rule.decide({"input": {"amount": "1.00", "country": "DE"}}) is None


def test_a_plain_condition_says_what_each_field_must_be(folder: Path) -> None:
    (folder / "rules" / "credit.yaml").write_text(
        "title: Who agrees\n"
        "rows:\n"
        "  - when: {amount: {above: 100 EUR, up_to: 500 EUR}, reason: [price, quantity], proved: true}\n"
        "    then: {by: deal-desk}\n"
    )
    rule = compiled(folder).rules["credit"]
    fits: dict[str, Any] = {"amount": {"amount": "500.00", "currency": "EUR"}, "reason": "price", "proved": True}
    assert rule.decide(fits) == {"by": "deal-desk"}
    for name, other in (
        ("amount", {"amount": "100.00", "currency": "EUR"}),
        ("amount", {"amount": "500.01", "currency": "EUR"}),
        ("amount", {"amount": "300", "currency": "JPY"}),
        ("amount", None),
        ("reason", "quality"),
        ("proved", False),
    ):
        assert rule.decide({**fits, name: other}) is None, (name, other)
