"""The Salesforce stand-in's rows: strict about what it takes, exact about what it tells, itself when it saves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.salesforce_caller import DATA, Caller

from isthmus.connectors.crm.salesforce.sandbox import VendorSandbox
from isthmus.connectors.crm.salesforce.sandbox.sign_in import new_key_pair
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import build
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.routes import Request
from isthmus.sandkit.world import World

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["salesforce"]) as started:
        yield started


@pytest.fixture
def caller(running: RunningSandbox) -> Caller:
    return Caller(running)


# Coming in -------------------------------------------------------------------------------------------


def test_the_versions_need_no_session_and_everything_else_does(caller: Caller) -> None:
    caller.token = ""
    assert {"v40.0", "v70.0"} <= {v["url"].rsplit("/", 1)[1] for v in caller.ask("GET", "/services/data").body}
    refused = caller.ask("GET", "sobjects")
    assert (refused.status, refused.code) == (401, "INVALID_SESSION_ID")
    assert refused.headers["sforce-limit-info"].startswith("api-usage=")


def test_only_versions_that_exist_are_answered(caller: Caller) -> None:
    for version, status in (("v39.0", 404), ("v40.0", 200), ("v70.0", 200), ("v71.0", 404), ("60", 404)):
        assert caller.ask("GET", f"/services/data/{version}/limits").status == status


def test_each_way_in_answers_with_its_own_members(running: RunningSandbox, caller: Caller) -> None:
    by_client = caller.sign_in().body
    assert {"signature", "issued_at", "api_instance_url"} <= set(by_client)
    assert by_client["issued_at"].isdigit()
    assert len(by_client["issued_at"]) == 13
    known = running.credentials("salesforce")
    by_jwt = caller.sign_in(grant_type=JWT_GRANT, assertion=_assertion(known, exp=str(int(time.time()) + 180))).body
    assert set(by_jwt) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert caller.ask("GET", f"/id/{by_jwt['id'].split('/id/')[1]}").body["username"] == known["username"]


@pytest.mark.parametrize(
    ("changes", "described"),
    [
        ({"aud": "https://elsewhere.example"}, "audience is invalid"),
        ({"exp": 1_000_000_000}, "expired authorization code"),
        ({"sub": "nobody@sonnwerk.example"}, "user hasn't approved this consumer"),
    ],
)
def test_a_wrong_assertion_is_refused(
    running: RunningSandbox, caller: Caller, changes: dict[str, Any], described: str
) -> None:
    assertion = _assertion(running.credentials("salesforce"), **changes)
    refused = caller.sign_in(grant_type=JWT_GRANT, assertion=assertion)
    assert (refused.status, refused.body) == (400, {"error": "invalid_grant", "error_description": described})


def test_an_assertion_needs_the_registered_key(running: RunningSandbox, caller: Caller) -> None:
    private, public = new_key_pair()
    known = {**running.credentials("salesforce"), "private_key": private, "client_id": "another.app"}
    assert caller.sign_in(grant_type=JWT_GRANT, assertion=_assertion(known)).body["error"] == "invalid_client_id"
    forged = _assertion({**running.credentials("salesforce"), "private_key": private})
    assert caller.sign_in(grant_type=JWT_GRANT, assertion=forged).body["error_description"] == "invalid assertion"
    running.desk("salesforce/set/connected_app/another.app", {"certificate": public})
    assert caller.sign_in(grant_type=JWT_GRANT, assertion=_assertion(known)).status == 200


def test_a_revoked_session_is_over(caller: Caller) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert caller.ask("POST", "/services/oauth2/revoke", f"token={caller.token}", **form).status == 200
    assert caller.ask("GET", "limits").code == "INVALID_SESSION_ID"


# What is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "nothing", None, {}, 404, "NOT_FOUND"),
        ("PUT", "sobjects/Account", None, {}, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "sobjects/Account", "<xml/>", {"Content-Type": "text/xml"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "sobjects/Account", "{", {}, 400, "JSON_PARSER_ERROR"),
        ("POST", "sobjects/Account", {"Name": "x", "Nothing__c": 1}, {}, 400, "INVALID_FIELD"),
        ("POST", "sobjects/Account", {}, {}, 400, "REQUIRED_FIELD_MISSING"),
        ("POST", "sobjects/Account", {"Name": "x" * 256}, {}, 400, "STRING_TOO_LONG"),
        (
            "POST",
            "sobjects/Account",
            {"Name": "x", "Type": "Enemy"},
            {},
            400,
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        ("POST", "sobjects/Account", {"Name": "x", "ParentId": "junk"}, {}, 400, "MALFORMED_ID"),
        ("POST", "sobjects/Account", {"Name": "x", "ParentId": "003000000000001"}, {}, 400, "MALFORMED_ID"),
        (
            "POST",
            "sobjects/Account",
            {"Name": "x", "ParentId": "001000000000001"},
            {},
            400,
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        ("POST", "sobjects/Account", {"Name": "x", "AnnualRevenue": "much"}, {}, 400, "JSON_PARSER_ERROR"),
        ("POST", "sobjects/Account", {"Name": "x", "AnnualRevenue": 1e19}, {}, 400, "NUMBER_OUTSIDE_VALID_RANGE"),
        ("POST", "sobjects/Account", {"Name": "x", "IsDeleted": True}, {}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("POST", "sobjects/Contact", {"LastName": "x", "Email": "nobody"}, {}, 400, "INVALID_EMAIL_ADDRESS"),
        (
            "POST",
            "sobjects/User",
            {"LastName": "x"},
            {},
            400,
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        ),
        ("GET", "sobjects/Account/junk", None, {}, 404, "NOT_FOUND"),
        ("GET", "sobjects/Account/001000000000001AAA", None, {}, 404, "NOT_FOUND"),
        ("PATCH", "sobjects/Account/External_Id__c/C-1001", {"External_Id__c": "C-1"}, {}, 400, "INVALID_FIELD"),
        ("PATCH", "sobjects/Account/Name/C-1001", {"Phone": "1"}, {}, 404, "NOT_FOUND"),
        ("GET", "query/01g5g0000000Q0xAAE-200", None, {}, 400, "INVALID_QUERY_LOCATOR"),
        ("GET", "sobjects/Account/updated?start=yesterday&end=today", None, {}, 400, "INVALID_REPLICATION_DATE"),
    ],
)
def test_what_is_wrong_is_refused_in_the_vendors_way(
    caller: Caller, method: str, path: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    heard = caller.ask(method, path, body, **headers)
    assert (heard.status, heard.code) == (status, code)
    assert set(heard.body[0]) <= {"message", "errorCode", "fields"}


def test_a_reference_to_a_deleted_row_is_refused(caller: Caller) -> None:
    made = caller.ask("POST", "sobjects/Account", {"Name": "Gone AG"}).body["id"]
    assert caller.ask("DELETE", f"sobjects/Account/{made}").status == 204
    assert caller.ask("POST", "sobjects/Contact", {"LastName": "x", "AccountId": made}).code == "ENTITY_IS_DELETED"
    for method, body in (("GET", None), ("PATCH", {"Phone": "1"}), ("DELETE", None)):
        heard = caller.ask(method, f"sobjects/Account/{made}", body)
        assert (heard.status, heard.code) == (404, "ENTITY_IS_DELETED")


def test_a_validation_rule_refuses(running: RunningSandbox, caller: Caller) -> None:
    rule = {"object": "Opportunity", "when": "PO_Number__c = 'FORBIDDEN'", "message": "Not this number"}
    running.desk("salesforce/set/validation_rule/No_forbidden_PO", rule)
    path = f"sobjects/Opportunity/{caller.id_of('OPP-1020')}"
    refused = caller.ask("PATCH", path, {"PO_Number__c": "FORBIDDEN"})
    assert (refused.code, refused.body[0]["message"]) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not this number")
    assert caller.ask("GET", path).body["PO_Number__c"] != "FORBIDDEN"
    running.desk("salesforce/set/validation_rule/No_forbidden_PO", {"gone": "true"})
    assert caller.ask("PATCH", path, {"PO_Number__c": "FORBIDDEN"}).status == 204


# Rows ------------------------------------------------------------------------------------------------


def test_ids_have_two_forms(caller: Caller) -> None:
    full = caller.id_of("OPP-1002")
    for given in (full, full[:15], full.lower()):
        assert caller.ask("GET", f"sobjects/Opportunity/{given}").body["Id"] == full
    assert caller.rows(f"SELECT Id FROM Opportunity WHERE Id = '{full[:15]}'")[0]["Id"] == full
    assert caller.ask("GET", f"sobjects/Opportunity/{full[:-1]}9").status == 404


def test_an_upsert_tells_what_became_of_it(running: RunningSandbox, caller: Caller) -> None:
    path = "sobjects/Account/External_Id__c/UP-1"
    assert caller.ask("PATCH", f"{path}?updateOnly=true", {"Name": "Up"}).status == 404
    made = caller.ask("PATCH", path, {"Name": "Up"})
    assert (made.status, made.body["created"]) == (201, True)
    again = caller.ask("PATCH", path, {"Phone": "1"})
    assert (again.status, again.body["created"], again.body["id"]) == (200, False, made.body["id"])
    old = caller.ask("PATCH", f"/services/data/v45.0/{path}", {"Phone": "2"})
    assert (old.status, old.text) == (204, "")
    running.desk("salesforce/set/field/Account.Old_Key__c", {"type": "text", "external_id": "true"})
    for name in ("One", "Two"):
        assert caller.ask("POST", "sobjects/Account", {"Name": name, "Old_Key__c": "same"}).status == 201
    several = caller.ask("PATCH", "sobjects/Account/Old_Key__c/same", {"Phone": "3"})
    assert (several.status, len(several.body)) == (300, 2)
    assert all(address.startswith(f"{DATA}/sobjects/Account/001") for address in several.body)
    assert caller.ask("GET", "sobjects/Account/Old_Key__c/same").status == 300
    assert caller.rows("SELECT Id FROM Account WHERE Old_Key__c = 'same' AND Phone = '3'") == []


def test_a_parent_may_be_named_by_its_external_id(caller: Caller) -> None:
    made = caller.ask("POST", "sobjects/Contact", {"LastName": "Ref", "Account": {"External_Id__c": "C-1002"}})
    assert made.status == 201
    row = caller.rows(f"SELECT Account.External_Id__c FROM Contact WHERE Id = '{made.body['id']}'")[0]
    assert row["Account"]["External_Id__c"] == "C-1002"
    unknown = caller.ask("POST", "sobjects/Contact", {"LastName": "Ref", "Account": {"External_Id__c": "C-0"}})
    assert (unknown.code, "C-0 not found" in unknown.body[0]["message"]) == ("INVALID_FIELD", True)


def test_null_clears_and_absence_leaves(caller: Caller) -> None:
    made = caller.ask("POST", "sobjects/Account", {"Name": "N", "Phone": "1", "Fax": "2"}).body["id"]
    assert caller.ask("PATCH", f"sobjects/Account/{made}", {"Phone": None}).status == 204
    read = caller.ask("GET", f"sobjects/Account/{made}?fields=Phone,Fax").body
    assert (read["Phone"], read["Fax"]) == (None, "2")
    assert caller.ask("PATCH", f"sobjects/Account/{made}", {"Name": None}).code == "REQUIRED_FIELD_MISSING"


def test_every_change_moves_the_stamp(caller: Caller) -> None:
    path = f"sobjects/Opportunity/{caller.id_of('OPP-1003')}"
    seen = [caller.ask("GET", path).body["SystemModstamp"]]
    for note in "abc":
        caller.ask("PATCH", path, {"Integration_Note__c": note})
        seen.append(caller.ask("GET", path).body["SystemModstamp"])
    assert seen == sorted(set(seen))
    assert all(stamp.endswith("+0000") and stamp[-9] == "." for stamp in seen)


def test_a_stale_precondition_is_a_412(caller: Caller) -> None:
    path = f"sobjects/Account/{caller.rows('SELECT Id FROM Account ORDER BY Id LIMIT 1')[0]['Id']}"
    first = caller.ask("GET", path)
    since = {"If-Unmodified-Since": first.headers["last-modified"]}
    assert caller.ask("PATCH", path, {"Fax": "1"}, **{"If-Unmodified-Since": formatdate(1, usegmt=True)}).status == 412
    assert caller.ask("PATCH", path, {"Fax": "1"}, **{"If-Match": first.headers["etag"]}).status == 204
    assert caller.ask("PATCH", path, {"Fax": "2"}, **{"If-Match": first.headers["etag"]}).status == 412
    assert caller.ask("PATCH", path, {"Fax": "2"}, **{"If-Unmodified-Since": "soon"}).status == 400
    later = caller.ask("GET", path).headers["last-modified"]
    assert caller.ask("PATCH", path, {"Fax": "3"}, **{"If-Unmodified-Since": later}).status == 204
    assert caller.ask("GET", path, **{"If-Modified-Since": formatdate(time.time() + 60, usegmt=True)}).status == 304
    assert since["If-Unmodified-Since"].endswith("GMT")


# What objects do by themselves -----------------------------------------------------------------------


def test_an_opportunity_is_the_sum_of_its_lines(caller: Caller) -> None:
    opportunity = caller.id_of("OPP-1008")
    path = f"sobjects/Opportunity/{opportunity}"
    line = caller.rows(f"SELECT Id, UnitPrice FROM OpportunityLineItem WHERE OpportunityId = '{opportunity}' LIMIT 1")[
        0
    ]
    assert caller.ask("PATCH", path, {"Amount": 1, "NextStep": "ignored, not refused"}).status == 204
    before = caller.ask("GET", path).body
    assert (before["Amount"] != 1, before["NextStep"]) == (True, "ignored, not refused")
    assert caller.ask("PATCH", f"sobjects/OpportunityLineItem/{line['Id']}", {"Quantity": "2.5"}).status == 204
    total = caller.rows(f"SELECT TotalPrice FROM OpportunityLineItem WHERE OpportunityId = '{opportunity}'")
    assert caller.ask("GET", path).body["Amount"] == pytest.approx(sum(row["TotalPrice"] for row in total))


def test_stages_decide_what_is_won(caller: Caller) -> None:
    path = f"sobjects/Opportunity/{caller.id_of('OPP-1009')}"
    for stage, closed, won, probability in (
        ("Closed Won", True, True, 100),
        ("Closed Lost", True, False, 0),
        ("Qualification", False, False, 10),
    ):
        assert caller.ask("PATCH", path, {"StageName": stage}).status == 204
        read = caller.ask("GET", path).body
        assert (read["IsClosed"], read["IsWon"], read["Probability"]) == (closed, won, probability)
    assert caller.ask("PATCH", path, {"IsWon": True}).code == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_line_fits_its_opportunity(caller: Caller) -> None:
    opportunity = caller.id_of("OPP-1001")
    other = caller.rows("SELECT Id FROM PricebookEntry WHERE CurrencyIsoCode = 'NOK' LIMIT 1")[0]["Id"]
    line = {"OpportunityId": opportunity, "PricebookEntryId": other, "Quantity": 1, "UnitPrice": 1}
    refused = caller.ask("POST", "sobjects/OpportunityLineItem", line)
    assert (refused.code, refused.body[0]["fields"]) == ("FIELD_INTEGRITY_EXCEPTION", ["PricebookEntryId"])
    both = {"UnitPrice": 1, "TotalPrice": 1, "Product2Id": caller.rows("SELECT Id FROM Product2 LIMIT 1")[0]["Id"]}
    refused = caller.ask("POST", "sobjects/OpportunityLineItem", {"OpportunityId": opportunity, "Quantity": 1, **both})
    assert refused.code == "FIELD_INTEGRITY_EXCEPTION"


def test_an_activated_order_is_fixed(caller: Caller) -> None:
    account = caller.rows("SELECT Id FROM Account WHERE External_Id__c = 'C-1001'")[0]["Id"]
    entry = caller.rows("SELECT Id, UnitPrice FROM PricebookEntry WHERE CurrencyIsoCode = 'EUR' LIMIT 1")[0]
    order = {"AccountId": account, "EffectiveDate": "2026-11-23", "Status": "Draft"}
    path = f"sobjects/Order/{caller.ask('POST', 'sobjects/Order', order).body['id']}"
    assert caller.ask("PATCH", path, {"Status": "Activated"}).code == "FAILED_ACTIVATION"
    item = {"OrderId": path[-18:], "PricebookEntryId": entry["Id"], "Quantity": 3, "UnitPrice": "19.99"}
    assert caller.ask("POST", "sobjects/OrderItem", item).status == 201
    assert caller.ask("PATCH", path, {"Status": "Activated"}).status == 204
    assert '"TotalAmount":59.97,' in caller.ask("GET", path).text
    assert caller.ask("POST", "sobjects/OrderItem", item).code == "FIELD_INTEGRITY_EXCEPTION"
    assert caller.rows("SELECT OrderNumber FROM Order")[0]["OrderNumber"] == "00000100"


def test_what_belongs_to_a_row_goes_with_it(caller: Caller) -> None:
    opportunity = caller.id_of("OPP-1010")
    assert caller.rows(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{opportunity}'")
    assert caller.ask("DELETE", f"sobjects/Opportunity/{opportunity}").status == 204
    assert not caller.rows(f"SELECT Id FROM OpportunityLineItem WHERE OpportunityId = '{opportunity}'")
    case = {"Subject": "Held", "AccountId": caller.ask("POST", "sobjects/Account", {"Name": "With case"}).body["id"]}
    assert caller.ask("POST", "sobjects/Case", case).status == 201
    assert caller.ask("DELETE", f"sobjects/Account/{case['AccountId']}").code == "DELETE_FAILED"


def test_the_lighter_objects_complete_themselves(caller: Caller) -> None:
    def make(name: str, **fields: Any) -> dict[str, Any]:
        heard = caller.ask("POST", f"sobjects/{name}", fields)
        assert heard.status == 201, heard.text
        read: dict[str, Any] = caller.ask("GET", f"sobjects/{name}/{heard.body['id']}").body
        return read

    account = caller.rows("SELECT Id, (SELECT Id FROM Contacts LIMIT 1) FROM Account WHERE External_Id__c = 'C-1006'")[
        0
    ]
    contact = account["Contacts"]["records"][0]["Id"]
    case = make("Case", Subject="Broken", ContactId=contact)
    assert (case["AccountId"], case["Status"], case["IsClosed"]) == (account["Id"], "New", False)
    assert make("CaseComment", ParentId=case["Id"], CommentBody="Looked at it")["ParentId"] == case["Id"]
    assert caller.ask("PATCH", f"sobjects/Case/{case['Id']}", {"Status": "Closed"}).status == 204
    assert caller.ask("GET", f"sobjects/Case/{case['Id']}").body["ClosedDate"] is not None
    entitlement = make("Entitlement", Name="Gold", AccountId=account["Id"], EndDate="2001-01-01")
    assert entitlement["Status"] == "Expired"
    contract = make("Contract", AccountId=account["Id"], StartDate="2026-12-01", ContractTerm=12)
    assert (contract["EndDate"], contract["StatusCode"]) == ("2027-11-30", "Draft")
    early = {"AccountId": account["Id"], "Status": "Activated"}
    assert caller.ask("POST", "sobjects/Contract", early).code == "INVALID_STATUS"
    assert make("Task", Subject="Call", WhoId=contact, WhatId=account["Id"], Status="Completed")["IsClosed"] is True
    assert make("Event", Subject="Visit", WhatId=account["Id"], DurationInMinutes=30)["WhatId"] == account["Id"]
    opportunity = caller.rows("SELECT Id, CurrencyIsoCode FROM Opportunity WHERE CurrencyIsoCode = 'EUR' LIMIT 1")[0]
    quote = make("Quote", Name="Offer", OpportunityId=opportunity["Id"])
    entry = caller.rows("SELECT Id FROM PricebookEntry WHERE CurrencyIsoCode = 'EUR' LIMIT 1")[0]["Id"]
    make("QuoteLineItem", QuoteId=quote["Id"], PricebookEntryId=entry, Quantity=3, UnitPrice="33.335", Discount=10)
    assert '"TotalPrice":90.00,' in caller.ask("GET", f"sobjects/Quote/{quote['Id']}").text


def test_a_world_in_a_file_is_found_again(tmp_path: Path) -> None:
    def play(sandbox: VendorSandbox, method: str, path: str, body: str = "", token: str = "") -> Any:
        headers = {"host": "x", "content-type": "application/json", "authorization": f"Bearer {token}"}
        return sandbox.play(Request(method, path, path, "", headers, body.encode(), "http://x"))

    first = VendorSandbox(World(tmp_path / "sf.sqlite"), Clock(), Faults())
    with first.world.transaction():
        first.seed(build(1))
    known = first.credentials()
    form = f"grant_type=client_credentials&client_id={known['client_id']}&client_secret={known['client_secret']}"
    token = play(first, "POST", "/services/oauth2/token", form).body["access_token"]
    assert play(first, "POST", f"{DATA}/sobjects/Account", '{"Name":"Kept"}', token).status == 201
    first.world.close()
    second = VendorSandbox(World(tmp_path / "sf.sqlite"), Clock(), Faults())
    assert second.credentials() == known
    assert second.summary() == "51 accounts, 200 products, 31 opportunities"
    assert second.verbs()["create_opportunity"].act({"n": "40"})["number"] == "OPP-1041"
    assert play(second, "GET", f"{DATA}/sobjects/Account/External_Id__c/C-1001", token=token).status == 200


# Metadata --------------------------------------------------------------------------------------------


def test_an_added_field_is_everywhere_at_once_and_a_gone_one_nowhere(running: RunningSandbox, caller: Caller) -> None:
    assert caller.query("SELECT Promo_Code__c FROM Opportunity").code == "INVALID_FIELD"
    running.desk("salesforce/set/field/Opportunity.Promo_Code__c", {"type": "text", "length": "8"})
    described = caller.ask("GET", "sobjects/Opportunity/describe").body["fields"]
    field = next(f for f in described if f["name"] == "Promo_Code__c")
    assert (field["type"], field["length"], field["custom"], field["label"]) == ("string", 8, True, "Promo Code")
    path = f"sobjects/Opportunity/{caller.id_of('OPP-1004')}"
    assert caller.ask("PATCH", path, {"Promo_Code__c": "123456789"}).code == "STRING_TOO_LONG"
    assert caller.ask("PATCH", path, {"promo_code__c": "SUN"}).status == 204
    assert caller.rows("SELECT Promo_Code__c FROM Opportunity WHERE Promo_Code__c != null")[0]["Promo_Code__c"] == "SUN"
    running.desk("salesforce/set/field/Opportunity.Promo_Code__c", {"gone": "true"})
    assert caller.query("SELECT Promo_Code__c FROM Opportunity").code == "INVALID_FIELD"
    assert "Promo_Code__c" not in caller.ask("GET", path).body
    with pytest.raises(ValueError, match="there is no object"):
        running.desk("salesforce/set/field/Nothing.A__c", {"type": "text"})


def _assertion(known: dict[str, str], **changes: Any) -> str:
    claims = {
        "iss": known["client_id"],
        "sub": known["username"],
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }
    return jwt.encode({**claims, **changes}, known["private_key"], algorithm="RS256")
