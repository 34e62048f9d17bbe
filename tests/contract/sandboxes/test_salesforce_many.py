"""The Salesforce stand-in's calls with many rows: composite, collections, batch, tree and bulk."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.salesforce_caller import DATA, Caller, Heard


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["salesforce"]) as started:
        yield started


@pytest.fixture(scope="module")
def caller(running: RunningSandbox) -> Caller:
    return Caller(running)


def _count(caller: Caller, name: str) -> int:
    return int(caller.query(f"SELECT COUNT() FROM Account WHERE Name LIKE '{name}'").body["totalSize"])


def _account(name: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Account"}, "Name": name, **fields}


# Composite -------------------------------------------------------------------------------------------


def _composite(caller: Caller, *parts: dict[str, Any], all_or_none: bool = False) -> Heard:
    return caller.ask("POST", "composite", {"allOrNone": all_or_none, "compositeRequest": list(parts)})


def _part(name: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": f"{DATA}/{path}", "body": body}


def test_a_composite_with_references(caller: Caller) -> None:
    heard = _composite(
        caller,
        _part("a", "POST", "sobjects/Account", {"Name": "Comp"}),
        _part("c", "POST", "sobjects/Contact", {"LastName": "Comp", "AccountId": "@{a.id}"}),
        _part("q", "GET", "query?q=SELECT+Id,Name+FROM+Account+WHERE+Id='@{a.id}'"),
        _part("u", "PATCH", "sobjects/Account/@{q.records[0].Id}", {"Phone": "of @{q.records[0].Name}"}),
    )
    results = heard.body["compositeResponse"]
    assert [r["httpStatusCode"] for r in results] == [201, 201, 200, 204]
    assert results[0]["httpHeaders"]["Location"] == f"{DATA}/sobjects/Account/{results[0]['body']['id']}"
    assert results[3]["body"] is None
    assert caller.rows("SELECT Phone FROM Account WHERE Name = 'Comp'")[0]["Phone"] == "of Comp"


def test_all_or_none_takes_everything_back(caller: Caller) -> None:
    parts = (
        _part("a", "POST", "sobjects/Account", {"Name": "Halted"}),
        _part("b", "POST", "sobjects/Account", {}),
        _part("c", "GET", "sobjects/Account/@{a.id}"),
    )
    results = _composite(caller, *parts, all_or_none=True).body["compositeResponse"]
    assert [(r["httpStatusCode"], r["body"][0]["errorCode"]) for r in results] == [
        (400, "PROCESSING_HALTED"),
        (400, "REQUIRED_FIELD_MISSING"),
        (400, "PROCESSING_HALTED"),
    ]
    assert _count(caller, "Halted") == 0
    results = _composite(caller, *parts).body["compositeResponse"]
    assert [r["httpStatusCode"] for r in results] == [201, 400, 200]


def test_a_reference_to_a_failure_halts_its_user(caller: Caller) -> None:
    results = _composite(
        caller,
        _part("a", "POST", "sobjects/Account", {}),
        _part("b", "GET", "sobjects/Account/@{a.id}"),
    ).body["compositeResponse"]
    assert [r["body"][0]["errorCode"] for r in results] == ["REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"]


def test_a_composite_counts_once_and_is_checked_as_a_whole(caller: Caller) -> None:
    def used() -> int:
        return int(caller.ask("GET", "limits").headers["sforce-limit-info"].split("=")[1].split("/")[0])

    before = used()
    _composite(caller, *(_part(f"r{n}", "GET", "limits") for n in range(25)))
    assert used() == before + 2
    assert _composite(caller, *(_part(f"r{n}", "GET", "limits") for n in range(26))).status == 400
    assert _composite(caller, *(_part("same", "GET", "limits") for _ in range(2))).status == 400
    assert _composite(caller, {**_part("h", "GET", "limits"), "httpHeaders": {"Accept": "x"}}).status == 400
    assert _composite(caller, *(_part(f"q{n}", "GET", "query?q=x") for n in range(6))).status == 400


def test_a_batch_goes_on_or_halts(caller: Caller) -> None:
    parts = [
        {"method": "GET", "url": "v60.0/sobjects/Nothing"},
        {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"Name": "Batched"}},
    ]
    heard = caller.ask("POST", "composite/batch", {"batchRequests": parts}).body
    assert (heard["hasErrors"], [r["statusCode"] for r in heard["results"]]) == (True, [404, 201])
    heard = caller.ask("POST", "composite/batch", {"haltOnError": True, "batchRequests": parts}).body
    assert [r["statusCode"] for r in heard["results"]] == [404, 412]
    assert _count(caller, "Batched") == 1


def test_a_tree_is_made_whole_or_not_at_all(caller: Caller) -> None:
    def tree(last_name: str | None) -> dict[str, Any]:
        contact = {"attributes": {"type": "Contact", "referenceId": "c1"}, "LastName": last_name}
        account = {
            "attributes": {"type": "Account", "referenceId": "a1"},
            "Name": "Tree",
            "Contacts": {"records": [contact]},
        }
        return {"records": [account]}

    failed = caller.ask("POST", "composite/tree/Account", tree(None))
    assert (failed.status, failed.body["hasErrors"]) == (400, True)
    assert failed.body["results"][0]["referenceId"] == "c1"
    assert _count(caller, "Tree") == 0
    made = caller.ask("POST", "composite/tree/Account", tree("Leaf"))
    assert (made.status, [r["referenceId"] for r in made.body["results"]]) == (201, ["a1", "c1"])
    assert caller.rows("SELECT Account.Name FROM Contact WHERE LastName = 'Leaf'")[0]["Account"]["Name"] == "Tree"


# Collections -----------------------------------------------------------------------------------------


def test_each_row_of_a_collection_has_its_own_result(caller: Caller) -> None:
    rows = [_account("Coll 1"), _account("Coll 2", Type="Enemy"), _account("Coll 3")]
    heard = caller.ask("POST", "composite/sobjects", {"allOrNone": False, "records": rows})
    assert (heard.status, [r["success"] for r in heard.body]) == (200, [True, False, True])
    error = heard.body[1]["errors"][0]
    assert (error["statusCode"], error["fields"]) == ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Type"])
    assert "errorCode" not in error
    heard = caller.ask("POST", "composite/sobjects", {"allOrNone": True, "records": rows})
    assert [r["errors"][0]["statusCode"] for r in heard.body] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]
    assert _count(caller, "Coll %") == 2


def test_collections_update_upsert_retrieve_and_delete(caller: Caller) -> None:
    rows = [_account(f"Up {n}", External_Id__c=f"UPC-{n}") for n in range(3)]
    made = caller.ask("PATCH", "composite/sobjects/Account/External_Id__c", {"records": rows}).body
    assert [(r["success"], r["created"]) for r in made] == [(True, True)] * 3
    again = caller.ask("PATCH", "composite/sobjects/Account/External_Id__c", {"records": rows[:2]}).body
    assert [(r["id"], r["created"]) for r in again] == [(r["id"], False) for r in made[:2]]
    changes = [{"attributes": {"type": "Account"}, "id": made[0]["id"], "Phone": "7"}, _account("no id")]
    updated = caller.ask("PATCH", "composite/sobjects", {"records": changes}).body
    assert [r["success"] for r in updated] == [True, False]
    assert updated[1]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    ids = [made[1]["id"], "001000000000001AAA", made[0]["id"]]
    read = caller.ask("POST", "composite/sobjects/Account", {"ids": ids, "fields": ["Phone", "Name"]}).body
    assert [row and (row["Name"], row["Phone"]) for row in read] == [("Up 1", None), None, ("Up 0", "7")]
    gone = caller.ask("DELETE", f"composite/sobjects?ids={','.join(ids)}&allOrNone=true").body
    assert [r["errors"][0]["statusCode"] for r in gone][1] == "INVALID_CROSS_REFERENCE_KEY"
    assert _count(caller, "Up %") == 3
    gone = caller.ask("DELETE", f"composite/sobjects?ids={','.join(ids)}&allOrNone=false").body
    assert [r["success"] for r in gone] == [True, False, True]


def test_collections_have_bounds(caller: Caller) -> None:
    assert caller.ask("POST", "composite/sobjects", {"records": [_account("x")] * 201}).status == 400
    mixed = [row for n in range(6) for row in (_account("x"), {"attributes": {"type": "Contact"}, "LastName": "x"})]
    assert caller.ask("POST", "composite/sobjects", {"records": mixed}).status == 400
    assert _count(caller, "x") == 0


# Bulk ------------------------------------------------------------------------------------------------


def _ingest(caller: Caller, operation: str, text: str, **more: str) -> str:
    asked = {"object": "Account", "operation": operation, "contentType": "CSV", **more}
    job = caller.ask("POST", "jobs/ingest", asked).body
    assert (job["state"], job["id"][:3]) == ("Open", "750")
    assert caller.ask("PUT", f"/{job['contentUrl']}", text, **{"Content-Type": "text/csv"}).status == 201
    closed = caller.ask("PATCH", f"jobs/ingest/{job['id']}", {"state": "UploadComplete"})
    assert closed.body["state"] == "UploadComplete"
    return str(job["id"])


def _lines(heard: Heard) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(heard.text)))


def test_a_large_job_goes_through_its_states(caller: Caller) -> None:
    text = "Name,External_Id__c,Phone\n" + "".join(
        f"Large {n},L-{n},{'9' * 41 if n % 100 == 7 else n}\n" for n in range(4500)
    )
    job = _ingest(caller, "upsert", text, externalIdFieldName="External_Id__c")
    states = []
    while not states or states[-1]["state"] != "JobComplete":
        states.append(caller.ask("GET", f"jobs/ingest/{job}").body)
    assert [(s["state"], s["numberRecordsProcessed"]) for s in states] == [
        ("InProgress", 2000),
        ("InProgress", 4000),
        ("JobComplete", 4500),
    ]
    assert states[-1]["numberRecordsFailed"] == 45
    failed = _lines(caller.ask("GET", f"jobs/ingest/{job}/FAILEDRESULTS"))
    assert [row["External_Id__c"] for row in failed] == [f"L-{n}" for n in range(7, 4500, 100)]
    assert all(row["sf__Error"].startswith("STRING_TOO_LONG:") for row in failed)
    good = _lines(caller.ask("GET", f"jobs/ingest/{job}/successfulResults"))
    assert len({row["sf__Id"] for row in good}) == 4455
    assert _count(caller, "Large %") == 4455


def test_empty_cells_leave_and_na_clears(caller: Caller) -> None:
    made = caller.ask("POST", "sobjects/Account", {"Name": "Cells", "Phone": "1", "Fax": "2"}).body["id"]
    job = _ingest(
        caller, "update", f"Id;Phone;Fax;Parent.External_Id__c\n{made};;#N/A;C-1001\n", columnDelimiter="SEMICOLON"
    )
    assert caller.ask("GET", f"jobs/ingest/{job}").body["state"] == "JobComplete"
    row = caller.rows(f"SELECT Phone, Fax, Parent.External_Id__c FROM Account WHERE Id = '{made}'")[0]
    assert (row["Phone"], row["Fax"], row["Parent"]["External_Id__c"]) == ("1", None, "C-1001")


def test_a_job_that_is_wrong_fails_whole(caller: Caller) -> None:
    job = _ingest(caller, "insert", "Name,Nothing__c\na,b\n")
    told = caller.ask("GET", f"jobs/ingest/{job}").body
    assert (told["state"], told["errorMessage"]) == ("Failed", "InvalidBatch : Field name not found : Nothing__c")
    assert len(_lines(caller.ask("GET", f"jobs/ingest/{job}/unprocessedrecords"))) == 1
    twice = caller.ask("PUT", f"jobs/ingest/{job}/batches", "Name\nx\n", **{"Content-Type": "text/csv"})
    assert twice.code == "INVALIDJOBSTATE"
    assert caller.ask("PATCH", f"jobs/ingest/{job}", {"state": "Aborted"}).code == "INVALIDJOBSTATE"
    assert caller.ask("DELETE", f"jobs/ingest/{job}").status == 204
    assert caller.ask("GET", f"jobs/ingest/{job}").status == 404


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"object": "Nothing", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Account", "operation": "hardDelete"}, "FEATURENOTENABLED"),
        ({"object": "Account", "operation": "upsert"}, "INVALIDJOB"),
        ({"object": "Account", "operation": "upsert", "externalIdFieldName": "Phone"}, "INVALIDJOB"),
    ],
)
def test_jobs_that_cannot_be(caller: Caller, asked: dict[str, str], code: str) -> None:
    assert caller.ask("POST", "jobs/ingest", asked).code == code


def test_a_bulk_query_has_no_children(caller: Caller) -> None:
    def create(text: str) -> Heard:
        return caller.ask("POST", "jobs/query", {"operation": "query", "query": text})

    assert create("SELECT Id, (SELECT Id FROM Contacts) FROM Account").code == "FEATURENOTENABLED"
    assert create("SELECT Nope FROM Account").code == "INVALID_FIELD"
    job = create("SELECT Id, IsWon, CreatedDate, Amount, Account.Name FROM Opportunity").body
    assert caller.ask("GET", f"jobs/query/{job['id']}/results").code == "INVALIDJOBSTATE"
    assert caller.ask("GET", f"jobs/query/{job['id']}").body["state"] == "JobComplete"
    heard = caller.ask("GET", f"jobs/query/{job['id']}/results?maxRecords=30")
    assert (heard.headers["sforce-numberofrecords"], heard.headers["sforce-locator"] != "null") == ("30", True)
    rest = caller.ask("GET", f"jobs/query/{job['id']}/results?locator={heard.headers['sforce-locator']}")
    assert (rest.headers["sforce-numberofrecords"], rest.headers["sforce-locator"]) == ("1", "null")
    row = _lines(heard)[0]
    assert (row["IsWon"], row["CreatedDate"][-1], "." in row["Amount"] or row["Amount"].isdigit()) == (
        "false",
        "Z",
        True,
    )
