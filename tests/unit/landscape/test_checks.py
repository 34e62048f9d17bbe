"""Every kind of mistake that the check knows, beyond the ten of the scenario: one place, one sentence, one remedy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest
from tests.support.landscapes import CONNECTORS, findings, replace, small_registry, write_sample

from isthmus.catalogue.registry import Registry, blueprints
from isthmus.cli.init import eject_process
from isthmus.governance.access import SCOPES
from isthmus.landscape.shape import Scope


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "landscape")


@pytest.fixture
def connectors(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONNECTORS, tmp_path / "connectors"))


def said(folder: Path, known: Registry | None = None) -> list[str]:
    return [str(finding).replace("\n", " | ") for finding in findings(folder, known)]


def only(folder: Path, known: Registry | None = None) -> str:
    found = said(folder, known)
    assert len(found) == 1, "\n".join(found)
    first, _, remedy = found[0].partition(" | ")
    return f"{first} | {remedy.strip()}"


IN_THE_FILE = [
    ("connections:\n  salesforce:", "connections:\n  Sales Force:", "connections.Sales Force is not a name that can stand"),
    ("dev: {database: sqlite} ", "dev: {databse: sqlite} ", 'environments.dev.databse is not a key that is known here | did you mean "database"?'),
    ("      organization_id: env:ISTHMUS_SF_ORGANIZATION_ID\n", "", "connections.salesforce.settings has no organization_id | write  organization_id: text"),
    ("user: env:ISTHMUS_SAP_USER", "usr: env:ISTHMUS_SAP_USER", 'connections.sap.settings.usr is not a key that is known here | did you mean "user"?'),
    ("      user: env:ISTHMUS_SAP_USER\n", "      user: a\n      client: '1'\n", "connections.sap.settings.client is '1' | text like ^[0-9]{3}$ is expected"),
    ("    settle: 3s\n  sap:", "    settle: 3\n  sap:", "connections.salesforce.settle is '3' | a number with its unit is expected, such as  3s, 10m, 2 hours or 2 days"),
    ("    settle: 3s\n  sap:", "    limits: {concurrency: 0}\n  sap:", "connections.salesforce.limits.concurrency is 0 | at least 1 is expected"),
    ("currency: EUR", "currency: EUA", "business_units.emea.currency is 'EUA' | a code of ISO 4217"),
    ("country: DE}\n    tax", "country: Germany}\n    tax", "is 'Germany'"),
    ("time_zone: Europe/Berlin", "time_zone: Europe/Hamburg", "business_units.emea.time_zone is 'Europe/Hamburg' | a time zone of the IANA database"),
    ("number: DE811907980", "number: '811907980'", "a VAT number of DE that begins with DE"),
    ("    legal_name: Sonnwerk Europe GmbH\n", "", "business_units.emea has no legal_name | write  legal_name: text"),
    ("language: de", "language: Deutsch", "language is 'Deutsch'"),
    ("    invoice_owner: erp                          # whose", "    parent: world # whose", 'parent names "world", which is not another business unit'),
    ("erp: sap, billing: stripe-emea", "erp: zendesk, billing: stripe-emea", 'roles.erp names "zendesk"; A help desk does not play the role "erp" | it plays support'),
    ("erp: sap, billing: stripe-emea", "erp: sap, tax: sap, billing: stripe-emea", 'roles.tax: no connection plays a role called "tax"'),
    (", support: zendesk}\n    values: {sales_organization: \"3010\"", "}\n    values: {sales_organization: \"3010\"", 'business_units.apac has no role "support", which the process quote-to-cash uses'),
    ("by: deal-desk", "by: dealdesk", 'processes.quote-to-cash.settings.approval.by names "dealdesk", which is not a desk | did you mean "deal-desk"?'),
    ("shortage: park ", "shortage: pork ", "processes.quote-to-cash.settings.shortage is 'pork' | did you mean \"park\"?"),
    ("price_tolerance: 0.5 %", "price_tolerance: 0.5", "processes.quote-to-cash.settings.price_tolerance is '0.5' | a percentage from 0 to 100 with its sign"),
    ("  deal-desk: {title: Deal desk}", "  deal-desk: {title: Deal desk, members: [maria, Clock]}", "desks.deal-desk.members[1]: 'Clock' is reserved: in the audit it is what time alone mends or ends | take another name, such as  clock-service"),
    ("\ndesks:", "\naccess:\n  chaos: {key_hash: 'sha256:" + "0" * 64 + "', scopes: [runs:read]}\n\ndesks:", "access.chaos: 'chaos' is reserved"),
    ("within: 5 minutes", "within: 5", "is '5' | a number with its unit"),
    ("tell: order-desk", "tell: oder-desk", 'tell names "oder-desk", which is not a desk | did you mean "order-desk"?'),
    ("from: quote.accepted", "from: Accepted Quotes", "an event is expected"),
    ("to: order.created", "to: order.created, until: x", "until is not a key that is known here"),
    ("from: quote.accepted", "from: quote.acepted", 'warning: service_levels.order-created.from waits for "quote.acepted", which nothing in this landscape emits | did you mean "quote.accepted"?'),
    ("landscape: sonnwerk\n", "landscape: sonnwerk\nlandscape: other\n", "the key 'landscape' stands here twice"),
    ("  payment-report:   ", "  payment-rapport:   ", 'has no process called \'payment-rapport\' | did you mean "payment-report"?'),
    ("    blueprint: quote_to_cash@1\n    settings:", "    blueprint: quote_to_cash@2\n    settings:", "processes.quote-to-cash.blueprint asks for quote_to_cash@2; installed is quote_to_cash@1"),
    ("    blueprint: quote_to_cash@1\n    settings:", "    blueprint: quote_to_cahs@1\n    settings:", 'names "quote_to_cahs", which is not a blueprint | did you mean "quote_to_cash"?'),
    ("    blueprint: quote_to_cash@1\n    settings:", "    blueprint: quote_to_cash\n    settings:", "a blueprint with its version is expected, such as  quote_to_cash@1"),
    ("    blueprint: quote_to_cash@1\n    settings:", "    settings:", "names neither a blueprint nor code"),
    ("    blueprint: quote_to_cash@1\n    settings:", "    code: processes/own.py:play\n    settings:", "names processes/own.py, which is not there"),
    ("    blueprint: quote_to_cash@1\n    settings:", "    blueprint: quote_to_cash@1\n    units: [emae]\n    settings:", 'units names "emae", which is not a business unit | did you mean "emea"?'),
    ("database: env:ISTHMUS_DATABASE ", "database: postgresql://isthmus:hunter2@db/isthmus ", "environments.prod.database looks like a secret in clear text"[3:]),
    ("title: Order desk", "title: kJ8sLq02mVx7TzRw4PbN1c", "desks.order-desk.title looks like a secret in clear text"),
    ("otlp: env:ISTHMUS_OTLP", "otlp: file:keys/otlp", "warning: environments.prod.otlp is read from keys/otlp, which is not in secrets/"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), IN_THE_FILE, ids=[case[1].strip()[:40] for case in IN_THE_FILE])
def test_a_mistake_in_isthmus_yaml(folder: Path, old: str, new: str, words: str) -> None:
    replace(folder / "isthmus.yaml", old, new)
    found = "\n".join(" | ".join(part.strip() for part in line.split(" | ")) for line in said(folder))
    assert words in found
    assert "hunter2" not in found
    assert "kJ8sLq02" not in found


def add(folder: Path, text: str) -> None:
    file = folder / "isthmus.yaml"
    file.write_text(file.read_text() + text)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("order.extensions.promo_code: {salesforce: Opportunity.Promo__c, sap: YY1_Promo}", None),
        ("order.extensions.promo_code: {sap: YY1_Promo, type: decimal, title: Promotion}", None),
        ("customer.extensions.metadata_vip: {stripe-emea: customer.metadata.vip}", None),
        ("ordr.extensions.promo_code: {sap: YY1_Promo}", 'extends "ordr", which is not a canonical object with extensions | did you mean "order"?'),
        ("order.promo_code: {sap: YY1_Promo}", "such as  order.extensions.promo_code"),
        ("order.extensions.promo_code: {sapp: YY1_Promo}", 'names "sapp", which is neither a connection nor a connector in use | did you mean "sap"?'),
        ("order.extensions.promo_code: {salesforce: Oportunity.Promo__c}", '"Oportunity", which is not an object of A pipeline that we know | did you mean "Opportunity"?'),
        ("order.extensions.promo_code: {salesforce: Promo__c}", "does not say which object of A pipeline carries Promo__c"),
        ("order.extensions.promo_code: {sap: YY1_Promo, type: number}", "type is 'number'"),
    ],
)  # fmt: skip
def test_own_fields(folder: Path, line: str, words: str | None) -> None:
    add(folder, f"fields:\n  {line}\n")
    if words is None:
        assert said(folder) == []
    else:
        assert words in only(folder)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{key_hash: 'sha256:" + 64 * "a" + "', scopes: [system:read, process:start]}", None),
        ("{key_hash: 0123456789abcdef, scopes: [system:read]}", "sha256: and 64 hexadecimal digits are expected"),
        (
            "{key_hash: 'sha256:" + 64 * "a" + "', scopes: [system:raed]}",
            "scopes[0] is 'system:raed' | did you mean \"system:read\"?",
        ),
        (
            "{key_hash: 'sha256:" + 64 * "a" + "', scopes: [everything]}",
            "scopes[0] is 'everything'",
        ),
        ("{key_hash: 'sha256:" + 64 * "a" + "', scopes: [runs:read], expires: never}", "a date is expected"),
    ],
)
def test_access(folder: Path, entry: str, words: str | None) -> None:
    add(folder, f"access:\n  reporting: {entry}\n")
    if words is None:
        assert said(folder) == []
    else:
        assert words in only(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: Who pays\nrows:\n  - {when: input.kind = 'rush', then: {by: deal-desk}}\n  - then: {by: order-desk}\n", None),
        ("title: Who pays\nrows:\n  - {when: input.kind =, then: {by: deal-desk}}\n", "rules/who.yaml:3:"),
        ("title: Who pays\nrows:\n  - {wenn: a, then: {who: x}}\n", 'rows[0].wenn is not a key that is known here | did you mean "when"?'),
        ("title: Who pays\nrows:\n  - {when: {unit: emea, amount: {up_to: 5}}, then: {who: x}}\n", "rows[0].when.amount.up_to is '5' | an amount with its currency is expected, such as  250000 EUR"),
        ("title: Who pays\nrows:\n  - then: {by: finanse}\n", 'rows[0].then.by names "finanse", which is not a desk | did you mean "finance"?'),
        ("title: Who pays\nrows:\n  - then: {by: finance, within: soon}\n", "rows[0].then.within is 'soon' | a number with its unit is expected"),
        ("title: Who pays\nrows:\n  - then: {who: x}\n  - {when: a, then: {who: y}}\n", "warning: rows[0] has no condition"),
        ("title: Who pays\nrows: []\n", "rows is empty"),
        ("title: Who pays\n\trows: []\n", "is not YAML"),
    ],
)  # fmt: skip
def test_rules(folder: Path, text: str, words: str | None) -> None:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "who.yaml").write_text(text)
    if words is None:
        assert said(folder) == []
    else:
        assert words in only(folder)


@pytest.mark.parametrize(
    ("owner", "file", "text", "words"),
    [
        ("sap", "order.outbound.jsonata", '{"SalesOrder": key}', ":1:1  does not say what it writes"),
        ("sap", "order.outbound.jsonata", '/* writes: A_SalesOrder */\n{"SalesOrder": key}', ':2:2  writes "SalesOrder", which A_SalesOrder lets nobody write'),
        ("sap", "order.outbound.jsonata", '/* writes: A_SalesOrder */\n{"to_Item": [{"Materiel": key}]}', ':2:15  writes "Materiel"; A_SalesOrderItem has no such field | did you mean "Material"?'),
        ("sap", "order.outbound.jsonata", '/* writes: A_SalesOrdr */\n{"SalesOrder": key}', ":1:12  writes A_SalesOrdr, which is neither an object of sap_s4hana nor a canonical one | did you mean \"A_SalesOrder\"?"),
        ("sap_s4hana", "order.inbound.jsonata", '/* writes: order */\n{"partners": {"sold_too": {}}}', ':2:15  writes "sold_too"; order.partners has no such field | did you mean "sold_to"?'),
        ("sap_s4hana", "order.inbound.jsonata", '/* writes: order */\n{"extensions": {"anything": body.X}}', None),
        ("sapp", "order.inbound.jsonata", "/* writes: order */\n{}", ":1:1  mappings/sapp is not the name of a connection or of a connector in use"),
        ("sap", "ordr.inbound.jsonata", "/* writes: order */\n{}", ":1:1  sap_s4hana has no mapping called ordr.inbound.jsonata, so this one is never used | did you mean \"order.inbound.jsonata\"?"),
        ("sap", "order.inbound.jsonata", '/* writes: order */\n{"number": "sk_live_0123456789abcdef"}', ":2:13  looks like a secret in clear text"),
        ("sap", "codes.yaml", "country: {FR: FR}\n", None),
    ],
)  # fmt: skip
def test_own_mappings(folder: Path, owner: str, file: str, text: str, words: str | None) -> None:
    place = folder / "mappings" / owner / file
    place.parent.mkdir(parents=True)
    place.write_text(text)
    if words is None:
        assert said(folder) == []
    else:
        assert f"mappings/{owner}/{file}{words}" in only(folder)


@pytest.mark.parametrize(
    ("connector", "old", "new", "words"),
    [
        ("sap_s4hana", "    answer: customer.inbound.jsonata", "    answer: custumer.inbound.jsonata", 'connector.yaml:34:13  operations.read_customer.answer names custumer.inbound.jsonata, which is not in mappings/ | did you mean "customer.inbound.jsonata"?'),
        ("sap_s4hana", 'found: "value[0]"}}\n    reference', 'found: "value[0"}}\n    reference', "operations.ensure_customer.once.probe.found:"),
        ("sap_s4hana", 'user: "{settings.user}"', 'user: "{settings.usr}"', "auth.user asks for the setting 'usr', which settings does not declare | did you mean \"user\"?"),
        ("sap_s4hana", "limits: {concurrency: 10}", "limits: {concurency: 10}", 'limits.concurency is not a key that is known here | did you mean "concurrency"?'),
        ("sap_s4hana", "verdict: retry, class: limit", "verdict: retries, class: limit", "errors[0].verdict is 'retries' | did you mean \"retry\"?"),
        ("salesforce", "read: read_quote}", "read: read_qoute}", "names 'read_qoute', which is not an operation that reads | did you mean \"read_quote\"?"),
        ("salesforce", "equals: {organizationId:", "equals: {'organizationId =':", "inbound.won.verify.equals.organizationId =:"),
        ("salesforce", "secret: webhook_secret, equals", "secret: hook_secret, equals", "names the setting 'hook_secret', which settings does not declare"),
        ("stripe", '        once: {native: {header: Idempotency-Key, keeps: 24h}, probe: {request: GET invoices, found: "data[0]"}}\n', "", "connector.yaml:41:9  operations.create_invoice, part draft, writes and does not say once"),
        ("stripe", "connector: stripe\n", "connector: stripe\nconnector: till\n", "stripe/connector.yaml:2:1  the key 'connector' stands here twice"),
        ("sap_s4hana", "user: {type: string}", "user: {type: strin}", "settings.properties.user.type is 'strin' | did you mean \"string\"?"),
        ("sap_s4hana", "user: {type: string}", "user: {type: string, format: emial}", "settings.properties.user.format is 'emial'"),
        ("sap_s4hana", 'pattern: "^[0-9]{3}$"', 'pattern: "^[0-9{3}$"', "a regular expression is expected"),
        ("sap_s4hana", "user: {type: string}", "user: {type: string, secret: true}", "settings.properties.user.secret is not a key that is known here"),
        ("zendesk", "  grant_entitlement:", "  give_entitlement:", "isthmus.yaml:"),
    ],
)  # fmt: skip
def test_connectors(folder: Path, connectors: Path, connector: str, old: str, new: str, words: str) -> None:
    replace(connectors / connector / "connector.yaml", old, new)
    found = "\n".join(
        " | ".join(part.strip() for part in line.split(" | ")) for line in said(folder, small_registry(connectors))
    )
    assert words in found
    if connector == "zendesk":
        assert (
            "business_units.emea.roles.support: A help desk cannot support.grant_entitlement, which the process quote-to-cash uses"
            in found
        )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("order, undo=erp.cancel_order)", "order, stays='')", "the step erp.create_order writes and says neither undo= nor stays="),
        ("order, undo=erp.cancel_order)", "order, undo=None)", "the step erp.create_order writes and says neither undo= nor stays="),
        ("order, undo=erp.cancel_order)", "order, undo=erp.search_orders)", 'asks for erp.search_orders, which blueprint.yaml does not name under uses'),
        ('run.approval("deal-desk"', 'run.approval("price-desk"', 'asks the desk "price-desk" for an approval; the landscape has no such desk'),
        ("async def in_stock(", "async def in_stock((", "is not Python"),
    ],
)  # fmt: skip
def test_own_code(folder: Path, old: str, new: str, words: str) -> None:
    eject_process(folder, blueprints()["quote_to_cash"])
    assert said(folder) == []
    replace(folder / "processes/quote_to_cash/process.py", old, new)
    found = only(folder)
    assert found.startswith("processes/quote_to_cash/process.py:")
    assert words in found


def test_own_code_needs_its_descriptor(folder: Path) -> None:
    eject_process(folder, blueprints()["quote_to_cash"])
    (folder / "processes/quote_to_cash/blueprint.yaml").unlink()
    assert all("has no blueprint.yaml beside it" in line for line in said(folder) if "warning" not in line)


def test_the_scopes_that_may_be_given_are_those_the_gateway_asks_for() -> None:
    assert set(get_args(Scope)) == set(SCOPES)
