"""The unmodified simple-salesforce client against the stand-in: signing in, rows, queries, bulk, errors, expiry."""

from __future__ import annotations

import csv
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from tests.support.certificates import server_context
from tests.support.running_sandbox import RunningSandbox

DOMAIN = "salesforce.my"  # https://salesforce.my.salesforce.com: the client appends the rest


class _AnyHost(HTTPAdapter):
    """Verifies the throw-away certificate for localhost although the client names the vendor's host."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_hostname="localhost")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    context, ca = server_context(tmp_path_factory.mktemp("tls"))
    with RunningSandbox(only=["salesforce"], tls=context) as sandbox:
        sandbox.ca = ca  # type: ignore[attr-defined]
        yield sandbox


@pytest.fixture(autouse=True)
def resolved(running: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's host names lead to the stand-in."""
    real, port = socket.getaddrinfo, running.server.ports["https"]

    def resolve(host: Any, asked: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".salesforce.com"):
            return real("127.0.0.1", port, *args, **kwargs)
        return real(host, asked, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture(scope="module")
def session(running: RunningSandbox) -> requests.Session:
    made = requests.Session()
    made.trust_env = False  # a CA bundle in the environment would win over ours
    made.verify = str(running.ca)  # type: ignore[attr-defined]
    made.mount("https://", _AnyHost())
    return made


@pytest.fixture
def client(running: RunningSandbox, session: requests.Session) -> Salesforce:
    known = running.credentials("salesforce")
    return Salesforce(
        consumer_key=known["client_id"],
        consumer_secret=known["client_secret"],
        domain=DOMAIN,
        session=session,
        parse_float=Decimal,
    )


def test_signs_in_by_client_credentials(client: Salesforce) -> None:
    assert client.auth_type == "client-credentials"
    assert client.query("SELECT Name FROM Organization")["records"][0]["Name"] == "Sonnwerk"


def test_signs_in_by_jwt_bearer(running: RunningSandbox, session: requests.Session) -> None:
    known = running.credentials("salesforce")
    keys = {"username": known["username"], "consumer_key": known["client_id"], "privatekey": known["private_key"]}
    client = Salesforce(**keys, domain=DOMAIN, session=session)
    assert client.auth_type == "jwt-bearer"
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] >= 50


def test_signs_in_by_password(running: RunningSandbox, session: requests.Session) -> None:
    known = running.credentials("salesforce")
    client = Salesforce(
        username=known["username"],
        password=known["password"],
        consumer_key=known["client_id"],
        consumer_secret=known["client_secret"],
        domain=DOMAIN,
        session=session,
    )
    assert client.query("SELECT COUNT() FROM Product2")["totalSize"] == 200


def test_signs_in_by_soap_with_a_security_token(running: RunningSandbox, session: requests.Session) -> None:
    known = running.credentials("salesforce")
    names = {name: known[name] for name in ("username", "password", "security_token")}
    client = Salesforce(**names, domain=DOMAIN, session=session)
    assert client.sf_instance == "salesforce.my.salesforce.com"
    assert client.query("SELECT COUNT() FROM Product2")["totalSize"] == 200
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
        Salesforce(**{**names, "password": "wrong"}, domain=DOMAIN, session=session)


def test_is_refused_with_a_wrong_secret(running: RunningSandbox, session: requests.Session) -> None:
    known = running.credentials("salesforce")
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
        Salesforce(consumer_key=known["client_id"], consumer_secret="no", domain=DOMAIN, session=session)


def test_creates_reads_changes_and_deletes_a_row(client: Salesforce) -> None:
    made = client.Account.create({"Name": "Conformance GmbH", "External_Id__c": "CONF-1", "CurrencyIsoCode": "EUR"})
    assert made["success"] is True
    assert len(made["id"]) == 18
    assert client.Account.get(made["id"][:15])["Name"] == "Conformance GmbH"
    assert client.Account.update(made["id"], {"Tax_Exempt__c": True, "Phone": "+49 40 1"}) == 204
    read = client.Account.get_by_custom_id("External_Id__c", "CONF-1")
    assert (read["Tax_Exempt__c"], read["Phone"], read["attributes"]["type"]) == (True, "+49 40 1", "Account")
    assert client.Account.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound, match="ENTITY_IS_DELETED"):
        client.Account.get(made["id"])


def test_upserts_by_external_id(client: Salesforce) -> None:
    assert client.Account.upsert("External_Id__c/CONF-2", {"Name": "Twice AG"}) == 201
    assert client.Account.upsert("External_Id__c/CONF-2", {"Name": "Twice AG 2"}) == 200
    assert (
        client.query("SELECT Name FROM Account WHERE External_Id__c = 'conf-2'")["records"][0]["Name"] == "Twice AG 2"
    )


def test_money_is_exact(client: Salesforce) -> None:
    number = client.query("SELECT Id FROM Opportunity WHERE Opportunity_Number__c = 'OPP-1006'")["records"][0]["Id"]
    read = client.query(
        f"SELECT Amount, (SELECT Quantity, UnitPrice, TotalPrice FROM OpportunityLineItems) FROM Opportunity WHERE Id = '{number}'"
    )["records"][0]
    lines = read["OpportunityLineItems"]["records"]
    assert sum(Decimal(str(line["Quantity"])) * Decimal(str(line["UnitPrice"])) for line in lines) == read["Amount"]


def test_reads_page_after_page(client: Salesforce) -> None:
    headers = {"Sforce-Query-Options": "batchSize=200"}
    first = client.query("SELECT Id FROM PricebookEntry ORDER BY Id", headers=headers)
    assert (len(first["records"]), first["done"], first["totalSize"]) == (200, False, 1800)
    every = client.query_all("SELECT Id, Product2.ProductCode FROM PricebookEntry ORDER BY Id", headers=headers)
    assert len({row["Id"] for row in every["records"]}) == 1800
    more = client.query_more(first["nextRecordsUrl"].rsplit("/", 1)[1])
    assert more["records"][0]["Id"] == every["records"][200]["Id"]


def test_lists_deleted_and_changed_rows(client: Salesforce) -> None:
    start = datetime.now(UTC) - timedelta(minutes=1)
    made = client.Contact.create({"LastName": "Short-lived"})["id"]
    client.Contact.delete(made)
    end = datetime.now(UTC) + timedelta(minutes=1)
    assert made in [row["id"] for row in client.Contact.deleted(start, end)["deletedRecords"]]
    assert made not in client.Contact.updated(start, end)["ids"]
    found = client.query_all(f"SELECT Id, IsDeleted FROM Contact WHERE Id = '{made}'", include_deleted=True)
    assert found["records"][0]["IsDeleted"] is True
    assert client.query(f"SELECT Id FROM Contact WHERE Id = '{made}'")["totalSize"] == 0


def test_describes_the_organization(client: Salesforce) -> None:
    everything = client.describe()
    assert everything is not None
    assert {"Account", "Opportunity", "PricebookEntry", "Entitlement"} <= {o["name"] for o in everything["sobjects"]}
    fields = {field["name"]: field for field in client.Opportunity.describe()["fields"]}
    number = fields["Opportunity_Number__c"]
    assert (number["externalId"], number["unique"], number["length"]) == (True, True, 40)
    assert fields["StageName"]["nillable"] is False
    assert "Closed Won" in [value["value"] for value in fields["StageName"]["picklistValues"]]
    assert client.Account.metadata()["objectDescribe"]["keyPrefix"] == "001"
    assert client.is_sandbox() is False


def test_tells_limits_and_usage(client: Salesforce) -> None:
    limits = client.limits()["DailyApiRequests"]
    client.query("SELECT COUNT() FROM Account")
    usage = client.api_usage["api-usage"]
    assert usage.total == limits["Max"]
    assert usage.used == limits["Max"] - limits["Remaining"] + 1


def test_composite_refers_to_earlier_parts(client: Salesforce) -> None:
    body = {
        "allOrNone": True,
        "compositeRequest": [
            {
                "method": "POST",
                "url": "/services/data/v59.0/sobjects/Account",
                "referenceId": "a",
                "body": {"Name": "Composite AG"},
            },
            {
                "method": "POST",
                "url": "/services/data/v59.0/sobjects/Contact",
                "referenceId": "c",
                "body": {"LastName": "Referred", "AccountId": "@{a.id}"},
            },
        ],
    }
    done = client.restful("composite", method="POST", data=json.dumps(body))
    assert done is not None
    statuses = [part["httpStatusCode"] for part in done["compositeResponse"]]
    assert statuses == [201, 201]


def test_bulk_tells_each_row_its_fate(client: Salesforce, tmp_path: Path) -> None:
    rows = [
        {"Name": f"Bulk {n}", "External_Id__c": f"BULK-{n}", "Phone": "1" * (5 if n != 3 else 50)} for n in range(8)
    ]
    result = client.bulk2.Account.upsert(records=rows, external_id_field="External_Id__c", wait=0.05)[0]
    assert (result["numberRecordsProcessed"], result["numberRecordsFailed"]) == (8, 1)
    failed = list(csv.DictReader(client.bulk2.Account.get_failed_records(result["job_id"]).splitlines()))
    assert failed[0]["External_Id__c"] == "BULK-3"
    assert failed[0]["sf__Error"].startswith("STRING_TOO_LONG:Phone: data value too large")
    good = list(csv.DictReader(client.bulk2.Account.get_successful_records(result["job_id"]).splitlines()))
    assert {row["sf__Created"] for row in good} == {"true"}
    assert len(client.bulk2.Account.get_unprocessed_records(result["job_id"]).splitlines()) == 1
    deleted = client.bulk2.Account.delete(records=[{"Id": row["sf__Id"]} for row in good], wait=0.05)[0]
    assert deleted["numberRecordsFailed"] == 0
    assert client.query("SELECT COUNT() FROM Account WHERE External_Id__c LIKE 'BULK-%'")["totalSize"] == 0


def test_bulk_query_pages_by_locator(client: Salesforce) -> None:
    pages = list(
        client.bulk2.PricebookEntry.query(
            "SELECT Id, UnitPrice, Product2.ProductCode FROM PricebookEntry", max_records=700, wait=0.05
        )
    )
    rows = [row for page in pages for row in csv.DictReader(str(page).splitlines())]
    assert [len(str(page).splitlines()) - 1 for page in pages] == [700, 700, 400]
    assert len({row["Id"] for row in rows}) == 1800
    assert rows[0]["Product2.ProductCode"].startswith("X-")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Nothing__c FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing__c", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account GROUP BY Name", "MALFORMED_QUERY"),
    ],
)
def test_wrong_queries_are_refused(client: Salesforce, query: str, code: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.query(query)
    assert refused.value.content[0]["errorCode"] == code


def test_wrong_rows_are_refused(client: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest) as missing:
        client.Opportunity.create({"Name": "No stage"})
    assert missing.value.content[0] == {
        "message": "Required fields are missing: [StageName, CloseDate]",
        "errorCode": "REQUIRED_FIELD_MISSING",
        "fields": ["StageName", "CloseDate"],
    }
    first = client.query("SELECT Id, External_Id__c FROM Account WHERE External_Id__c = 'C-1001'")["records"][0]
    with pytest.raises(SalesforceMalformedRequest) as twice:
        client.Account.create({"Name": "Second", "External_Id__c": "C-1001"})
    assert twice.value.content[0]["errorCode"] == "DUPLICATE_VALUE"
    assert first["Id"][:15] in twice.value.content[0]["message"]
    with pytest.raises(SalesforceResourceNotFound):
        client.Nothing__c.get("001000000000000")


def test_a_used_up_day_is_a_403(running: RunningSandbox, client: Salesforce) -> None:
    running.desk("salesforce/set/limit/DailyApiRequests", {"remaining": "0"})
    try:
        with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
            client.query("SELECT Id FROM Account")
    finally:
        running.desk("salesforce/set/limit/DailyApiRequests", {"remaining": "1000000"})


def test_an_expired_session_is_renewed_by_the_client(running: RunningSandbox, client: Salesforce) -> None:
    before = client.session_id
    running.desk("salesforce/set/session/all", {"expired": "true"})
    assert client.query("SELECT COUNT() FROM Account")["totalSize"] >= 50
    assert client.session_id != before


def test_a_bare_session_ends_with_401(running: RunningSandbox, client: Salesforce, session: requests.Session) -> None:
    bare = Salesforce(
        session_id=client.session_id, instance_url="https://salesforce.my.salesforce.com", session=session
    )
    running.desk("salesforce/set/session/all", {"expired": "true"})
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        bare.query("SELECT Id FROM Account")
