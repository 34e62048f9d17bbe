"""The Salesforce stand-in's SOQL: what it finds, in which order, on how many pages, and what it does not understand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.salesforce_caller import DATA, Caller

from isthmus.connectors.crm.salesforce.sandbox.day_words import span


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["salesforce"]) as started:
        yield started


@pytest.fixture(scope="module")
def caller(running: RunningSandbox) -> Caller:
    made = Caller(running)
    for name, phone, revenue in (("Zed", None, "9"), ("Zac", "1", "10"), ("Z_%", "2", None), ("O'Brien", "3", "-1")):
        row = {"Name": name, "Phone": phone, "AnnualRevenue": revenue, "Sic": "query"}
        assert made.ask("POST", "sobjects/Account", row).status == 201
    return made


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Name = 'zed'", "Zed"),
        ("Name != 'Zed'", "Zac Z_% O'Brien"),
        ("Phone != '1'", "Zed Z_% O'Brien"),
        ("NOT Phone = '1'", "Zed Z_% O'Brien"),
        ("Phone = null", "Zed"),
        ("Phone = ''", "Zed"),
        ("Phone != NULL AND (NOT Name LIKE 'Z%')", "O'Brien"),
        ("Name LIKE 'Z_c'", "Zac"),
        (r"Name LIKE 'Z\_\%'", "Z_%"),
        (r"Name = 'O\'Brien'", "O'Brien"),
        ("AnnualRevenue > 9.5", "Zac"),
        ("AnnualRevenue >= 9.00", "Zed Zac"),
        ("AnnualRevenue IN (10, -1)", "Zac O'Brien"),
        ("AnnualRevenue NOT IN (10, -1)", "Zed Z_%"),
        ("Phone IN ('1', null)", "Zed Zac"),
        ("Phone NOT IN ('1', null)", "Z_% O'Brien"),
        ("Tax_Exempt__c = false AND (Name = 'Zed' OR Name = 'Zac')", "Zed Zac"),
        ("CreatedDate = TODAY", "Zed Zac Z_% O'Brien"),
        ("CreatedDate < TODAY", ""),
        ("CreatedDate >= LAST_N_DAYS:3 AND CreatedDate <= NEXT_WEEK", "Zed Zac Z_% O'Brien"),
        ("CreatedDate > 2001-01-01T00:00:00Z AND CreatedDate < 2999-01-01T00:00:00+02:00", "Zed Zac Z_% O'Brien"),
        ("Owner.Name = 'Isthmus Integration'", "Zed Zac Z_% O'Brien"),
        ("Id IN (SELECT AccountId FROM Opportunity)", ""),
        ("Id NOT IN (SELECT AccountId FROM Opportunity WHERE IsWon = false) AND Name = 'Zed'", "Zed"),
    ],
)
def test_conditions(caller: Caller, condition: str, found: str) -> None:
    text = f"SELECT Name FROM Account WHERE Sic = 'query' AND ({condition}) ORDER BY CreatedDate, Id"
    assert [row["Name"] for row in caller.rows(text)] == found.split()


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("Name", "O'Brien Z_% Zac Zed"),
        ("name DESC", "Zed Zac Z_% O'Brien"),
        ("AnnualRevenue, Name", "Z_% O'Brien Zed Zac"),
        ("AnnualRevenue DESC", "Z_% Zac Zed O'Brien"),
        ("AnnualRevenue DESC NULLS LAST", "Zac Zed O'Brien Z_%"),
        ("AnnualRevenue ASC NULLS LAST LIMIT 2", "O'Brien Zed"),
        ("AnnualRevenue NULLS FIRST LIMIT 2 OFFSET 1", "O'Brien Zed"),
    ],
)
def test_order(caller: Caller, order: str, found: str) -> None:
    assert [r["Name"] for r in caller.rows(f"SELECT Name FROM Account WHERE Sic = 'query' ORDER BY {order}")] == (
        found.split()
    )


def test_parents_and_children(running: RunningSandbox, caller: Caller) -> None:
    wanted = running.company.opportunities[4]
    row = caller.rows(
        "SELECT Account.Owner.Name, account.name, (SELECT Product2.ProductCode, Quantity FROM OpportunityLineItems "
        "WHERE Quantity > 0 ORDER BY Id), (SELECT Id FROM Orders) FROM Opportunity "
        f"WHERE Opportunity_Number__c = '{wanted.number}'"
    )[0]
    assert row["Account"]["Name"] == running.company.account(wanted.account).name
    assert row["Account"]["Owner"]["attributes"]["type"] == "User"
    assert [(line["Product2"]["ProductCode"], line["Quantity"]) for line in row["OpportunityLineItems"]["records"]] == [
        (line.product, int(line.quantity)) for line in wanted.lines
    ]
    assert row["Orders"] is None
    limited = caller.rows("SELECT Id, (SELECT Id FROM Contacts LIMIT 1) FROM Account WHERE External_Id__c LIKE 'C-%'")
    assert {row["Contacts"]["totalSize"] for row in limited} == {1}


def test_numbers_leave_as_they_were_kept(caller: Caller) -> None:
    row = {"Name": "Exact", "CurrencyIsoCode": "KWD", "StageName": "Prospecting", "CloseDate": "2026-12-01"}
    path = f"sobjects/Opportunity/{caller.ask('POST', 'sobjects/Opportunity', row).body['id']}"
    for given, kept in (("12480.00", "12480.00"), ("0.1", "0.1"), ("123456789012.345", "123456789012.345"), ("7", "7")):
        assert caller.ask("PATCH", path, f'{{"Amount":{given}}}').status == 204
        assert f'"Amount":{kept},' in caller.ask("GET", path).text
        assert f'"Amount":{kept}}}' in caller.query(f"SELECT Amount FROM Opportunity WHERE Id = '{path[-18:]}'").text
    assert caller.ask("PATCH", path, '{"Amount":1.0005}').status == 204
    assert '"Amount":1.001,' in caller.ask("GET", path).text


def test_pages_and_their_locators(caller: Caller) -> None:
    asked = {"Sforce-Query-Options": "batchSize=200"}
    first = caller.query("SELECT Id FROM PricebookEntry ORDER BY Id", **asked).body
    assert first["nextRecordsUrl"].startswith(f"{DATA}/query/01g")
    assert first["nextRecordsUrl"].endswith("-200")
    seen, page = [row["Id"] for row in first["records"]], first
    while not page["done"]:
        page = caller.ask("GET", page["nextRecordsUrl"]).body
        seen += [row["Id"] for row in page["records"]]
    assert (len(seen), len(set(seen))) == (1800, 1800)
    assert "nextRecordsUrl" not in page
    assert (
        len(caller.query("SELECT Id FROM Product2", **{"Sforce-Query-Options": "batchSize=1"}).body["records"]) == 200
    )


def test_the_eleventh_cursor_closes_the_first(caller: Caller) -> None:
    asked = {"Sforce-Query-Options": "batchSize=200"}
    opened = [caller.query("SELECT Id FROM PricebookEntry", **asked).body["nextRecordsUrl"] for _ in range(11)]
    assert caller.ask("GET", opened[0]).code == "INVALID_QUERY_LOCATOR"
    assert caller.ask("GET", opened[1]).status == 200


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("SELECT FROM Account", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY", "unexpected token: 'x'"),
        ("SELECT Id FROM Account LIMIT 1 LIMIT 2", "MALFORMED_QUERY", "unexpected token: 'LIMIT'"),
        ("SELECT Id, Id FROM Account", "MALFORMED_QUERY", "duplicate field selected"),
        ("SELECT MAX(Name) FROM Account", "MALFORMED_QUERY", "unexpected token: '('"),
        ("SELECT Id FROM Account WHERE Name = 'a", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2026-01-01T00:00:00", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Account WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Account WHERE Tax_Exempt__c = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Account WHERE Description = 'long'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Nobody.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Nobody'"),
        ("SELECT Id, (SELECT Id FROM Nothings) FROM Account", "INVALID_TYPE", "Didn't understand relationship"),
        ("SELECT Id FROM Account WHERE Id = 'junk'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: junk"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id"),
        ("SELECT Id FROM Account LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset"),
    ],
)
def test_what_it_does_not_understand(caller: Caller, text: str, code: str, said: str) -> None:
    heard = caller.query(text)
    assert (heard.status, heard.code) == (400, code)
    assert said in heard.body[0]["message"]


def test_a_literal_cannot_escape_its_quotes(caller: Caller) -> None:
    evil = r"x\' OR Name != \'"
    assert caller.rows(f"SELECT Id FROM Account WHERE Name = '{evil}'") == []
    assert caller.query("SELECT Id FROM Account WHERE Name = '' OR Name = 'Zed'").body["totalSize"] == 1


def test_a_cursor_by_stamp_misses_nothing(caller: Caller) -> None:
    start = caller.rows("SELECT SystemModstamp FROM Account ORDER BY SystemModstamp DESC LIMIT 1")[0]["SystemModstamp"]
    literal = start.replace("+0000", "Z")
    assert caller.rows(f"SELECT Id FROM Account WHERE SystemModstamp > {literal}") == []
    made = caller.ask("POST", "sobjects/Account", {"Name": "Newest"}).body["id"]
    text = f"SELECT Id FROM Account WHERE SystemModstamp >= {literal} ORDER BY SystemModstamp, Id"
    assert [row["Id"] for row in caller.rows(text)][-1] == made


def test_a_late_change_carries_an_old_stamp(running: RunningSandbox, caller: Caller) -> None:
    known = running.company.accounts[3].key
    late = {"object": "customer", "key": known, "Fax": "late", "visible_late_s": "600"}
    stamp = running.desk("salesforce/play/edit", late)["stamp"]
    moved = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z")
    assert timedelta(seconds=590) < datetime.now(UTC) - moved < timedelta(seconds=620)


@pytest.mark.parametrize(
    ("word", "first", "after"),
    [
        ("today", date(2026, 11, 23), date(2026, 11, 24)),
        ("yesterday", date(2026, 11, 22), date(2026, 11, 23)),
        ("this_week", date(2026, 11, 22), date(2026, 11, 29)),
        ("last_week", date(2026, 11, 15), date(2026, 11, 22)),
        ("next_month", date(2026, 12, 1), date(2027, 1, 1)),
        ("this_quarter", date(2026, 10, 1), date(2027, 1, 1)),
        ("last_year", date(2025, 1, 1), date(2026, 1, 1)),
        ("last_n_days:7", date(2026, 11, 16), date(2026, 11, 24)),
        ("next_n_days:7", date(2026, 11, 24), date(2026, 12, 1)),
        ("last_n_months:2", date(2026, 9, 1), date(2026, 11, 1)),
        ("next_n_quarters:1", date(2027, 1, 1), date(2027, 4, 1)),
        ("n_days_ago:1", date(2026, 11, 22), date(2026, 11, 23)),
        ("last_90_days", date(2026, 8, 25), date(2026, 11, 24)),
    ],
)
def test_date_literals_are_spans(word: str, first: date, after: date) -> None:
    assert span(word, date(2026, 11, 23)) == (first, after)  # a Monday
