"""The Salesforce stand-in under trouble, what it pushes, what people do there, and what its books say."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from lxml import etree
from tests.support.running_sandbox import RunningSandbox
from tests.support.salesforce_caller import Caller

from isthmus.connectors.crm.salesforce.sandbox import books

SOON_S = 8.0


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["salesforce"]) as started:
        yield started


@pytest.fixture
def caller(running: RunningSandbox) -> Iterator[Caller]:
    yield Caller(running)
    running.desk("faults", {"rules": []})


def _fault(running: RunningSandbox, kind: str, operation: str = "*", **more: Any) -> None:
    rule = {"kind": kind, "vendor": "salesforce", "operation": operation, "times": 1, **more}
    running.desk("faults", {"rules": [rule]})


def _until(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + SOON_S
    while not (found := true()):
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)
    return found


# Trouble ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code", "happened"),
    [
        ("limited", 403, "REQUEST_LIMIT_EXCEEDED", False),
        ("down", 503, "SERVER_UNAVAILABLE", False),
        ("locked", 400, "UNABLE_TO_LOCK_ROW", False),
        ("expired", 401, "INVALID_SESSION_ID", False),
        ("broken", 500, "UNKNOWN_EXCEPTION", True),
    ],
)
def test_trouble_in_the_vendors_words(
    running: RunningSandbox, caller: Caller, kind: str, status: int, code: str, happened: bool
) -> None:
    _fault(running, kind, "POST */sobjects/Account")
    heard = caller.ask("POST", "sobjects/Account", {"Name": f"Trouble {kind}"})
    assert (heard.status, heard.code) == (status, code)
    assert heard.headers["sforce-limit-info"].startswith("api-usage=")
    found = Caller(running).rows(f"SELECT Id FROM Account WHERE Name = 'Trouble {kind}'")
    assert bool(found) is happened


def test_an_expired_session_stays_expired(running: RunningSandbox, caller: Caller) -> None:
    _fault(running, "expired")
    assert [caller.ask("GET", "limits").status for _ in range(2)] == [401, 401]
    assert Caller(running).ask("GET", "limits").status == 200


def test_a_session_ends_when_it_is_idle(running: RunningSandbox, caller: Caller) -> None:
    for idle_s, status in ((5400, 200), (5400, 200), (7201, 401)):
        running.desk("clock", {"advance_s": idle_s})
        assert caller.ask("GET", "limits").status == status


def test_a_lock_in_a_collection_is_told_for_each_row(running: RunningSandbox, caller: Caller) -> None:
    _fault(running, "locked")
    rows = [{"attributes": {"type": "Account"}, "Name": "Locked"}] * 2
    heard = caller.ask("POST", "composite/sobjects", {"records": rows})
    assert heard.status == 200
    assert [r["errors"][0]["statusCode"] for r in heard.body] == ["UNABLE_TO_LOCK_ROW"] * 2


@pytest.mark.parametrize(("kind", "happens"), [("cut_before", False), ("cut_after", True), ("late", True)])
def test_the_answer_is_lost(running: RunningSandbox, caller: Caller, kind: str, happens: bool) -> None:
    _fault(running, kind, "PATCH */Opportunity/*", delay_s=0.6)
    path = f"sobjects/Opportunity/{caller.id_of('OPP-1011')}"
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        caller.ask("PATCH", path, {"ERP_Order_Number__c": f"45-{kind}"})

    def there() -> bool:
        return bool(caller.ask("GET", path).body["ERP_Order_Number__c"] == f"45-{kind}")

    if kind == "late":
        assert not there()
        _until(there)
    assert there() is happens


def test_signing_in_and_metadata_meet_no_fault(running: RunningSandbox, caller: Caller) -> None:
    running.desk("faults", {"rules": [{"kind": "down", "vendor": "salesforce"}]})
    assert caller.sign_in().status == 200
    assert caller.ask("GET", "/services/data").status == 200
    assert caller.ask("GET", "sobjects/Account/describe").status == 200
    assert caller.ask("GET", "limits").status == 503


def test_the_daily_allowance_comes_back_after_a_day(running: RunningSandbox, caller: Caller) -> None:
    running.desk("salesforce/set/limit/DailyApiRequests", {"remaining": "1"})
    assert caller.ask("GET", "limits").body["DailyApiRequests"]["Remaining"] == 0
    refused = caller.ask("GET", "limits")
    assert (refused.status, refused.body[0]["message"]) == (403, "TotalRequests Limit exceeded.")
    running.desk("clock", {"advance_s": 86_400})
    assert Caller(running).ask("GET", "limits").status == 200


# Outbound messages -----------------------------------------------------------------------------------


class Listener:
    """Receives outbound messages; answers with what ``answers`` holds next, or acknowledges."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.answers: list[tuple[int, bytes]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"].startswith("text/xml")
                listener.messages.append(etree.fromstring(body))
                status, answer = listener.answers.pop(0) if listener.answers else (200, acknowledgement("true"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/sf"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def texts(self, name: str) -> list[list[str]]:
        """The texts of all elements of a name, message by message."""
        return [[element.text for element in message.iter(f"{{*}}{name}")] for message in self.messages]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def acknowledgement(word: str) -> bytes:
    return (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<Ack>{word}</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"
    ).encode()


@pytest.fixture
def listener(running: RunningSandbox, caller: Caller) -> Iterator[Listener]:
    made = Listener()
    values = {
        "url": made.url,
        "object": "Opportunity",
        "fields": "Id,Opportunity_Number__c,StageName,Amount,IsWon,PO_Number__c",
    }
    running.desk("salesforce/set/outbound_message/Won", {**values, "when": "IsWon = true"})
    yield made
    running.desk("salesforce/set/outbound_message/Won", {"gone": "true"})
    made.close()


def test_a_won_opportunity_is_told_once(running: RunningSandbox, caller: Caller, listener: Listener) -> None:
    running.desk("salesforce/play/win", {"opportunity": "OPP-1012"})
    _until(lambda: listener.messages)
    assert listener.texts("OrganizationId") == [[running.credentials("salesforce")["organization_id"]]]
    assert listener.texts("Opportunity_Number__c") == [["OPP-1012"]]
    assert listener.texts("IsWon") == [["true"]]
    amount = caller.ask("GET", f"sobjects/Opportunity/{caller.id_of('OPP-1012')}?fields=Amount").text
    assert f'"Amount":{listener.texts("Amount")[0][0]}}}' in amount
    caller.ask("PATCH", f"sobjects/Opportunity/{caller.id_of('OPP-1012')}", {"NextStep": "still won"})
    running.desk("salesforce/play/lose", {"opportunity": "OPP-1013"})
    running.desk("salesforce/play/win", {"opportunity": "OPP-1014"})
    _until(lambda: len(listener.messages) == 2)
    assert listener.texts("Opportunity_Number__c")[1] == ["OPP-1014"]
    running.desk("salesforce/play/reopen", {"opportunity": "OPP-1014"})
    running.desk("salesforce/play/win", {"opportunity": "OPP-1014"})
    _until(lambda: len(listener.messages) == 3)


@pytest.mark.parametrize("answer", [(500, b""), (200, b"ok"), (200, acknowledgement("false"))])
def test_what_is_not_acknowledged_comes_again(
    running: RunningSandbox, listener: Listener, answer: tuple[int, bytes]
) -> None:
    listener.answers.append(answer)
    number = f"OPP-10{20 + len(answer[1]) % 7}"
    running.desk("salesforce/play/reopen", {"opportunity": number})
    running.desk("salesforce/play/win", {"opportunity": number})
    _until(lambda: listener.messages)
    running.desk("clock", {"advance_s": 2})
    _until(lambda: len(listener.messages) == 2)
    first, second = (
        [notification.findtext("{*}Id") for notification in message.iter("{*}Notification")]
        for message in listener.messages
    )
    assert first == second
    assert first[0][:3] == "04l"
    _until(lambda: running.desk("salesforce")["pushes_waiting"] == 0)


def test_a_message_may_come_twice(running: RunningSandbox, listener: Listener) -> None:
    _fault(running, "push_twice", "PUSH *")
    running.desk("salesforce/play/win", {"opportunity": "OPP-1015"})
    _until(lambda: len(listener.messages) == 2)
    assert listener.texts("Id")[0] == listener.texts("Id")[1]


def test_many_changes_at_once_share_messages(running: RunningSandbox, caller: Caller, listener: Listener) -> None:
    row = {"attributes": {"type": "Opportunity"}, "StageName": "Closed Won", "CloseDate": "2026-11-23"}
    rows = [{**row, "Name": f"Batch {n}"} for n in range(150)]
    rows[7] = {**rows[7], "Type": "no such type"}
    made = caller.ask("POST", "composite/sobjects", {"records": rows}).body
    assert [r["success"] for r in made].count(False) == 1
    _until(lambda: sum(len(ids) for ids in listener.texts("StageName")) == 149)
    assert sorted(len(names) for names in listener.texts("StageName")) == [49, 100]
    assert listener.texts("PO_Number__c") == [[], []]


def test_what_is_rolled_back_is_not_told(running: RunningSandbox, caller: Caller, listener: Listener) -> None:
    row = {"attributes": {"type": "Opportunity"}, "StageName": "Closed Won", "CloseDate": "2026-11-23", "Name": "No"}
    caller.ask("POST", "composite/sobjects", {"allOrNone": True, "records": [row, {**row, "Name": None}]})
    assert running.desk("salesforce")["pushes_waiting"] == 0
    with pytest.raises(ValueError, match="used by the outbound message 'Won'"):
        running.desk("salesforce/set/field/Opportunity.PO_Number__c", {"gone": "true"})
    with pytest.raises(ValueError, match="INVALID_FIELD"):
        running.desk("salesforce/set/outbound_message/Bad", {"url": listener.url, "object": "Account", "when": "X = 1"})
    assert listener.messages == []


def test_a_message_for_every_change(running: RunningSandbox, caller: Caller, listener: Listener) -> None:
    values = {"url": listener.url, "object": "Account", "fields": "Name", "when": "Name LIKE 'Noisy%'", "every": "true"}
    running.desk("salesforce/set/outbound_message/Noisy", values)
    made = caller.ask("POST", "sobjects/Account", {"Name": "Noisy AG"}).body["id"]
    for _ in range(2):
        assert caller.ask("PATCH", f"sobjects/Account/{made}", {"Fax": "1"}).status == 204
    _until(lambda: len(listener.messages) == 3)
    assert len({ids[-1] for ids in listener.texts("Id")}) == 1
    running.desk("salesforce/set/outbound_message/Noisy", {"gone": "true"})
    assert running.desk("salesforce/show/push")[-1]["state"] == "taken"


# What people do --------------------------------------------------------------------------------------


def test_the_verbs(running: RunningSandbox, caller: Caller) -> None:
    done = running.desk("salesforce/play/win_many", {"opportunities": "OPP-1016..OPP-1018,OPP-1019"})
    assert done["won"] == ["OPP-1016", "OPP-1017", "OPP-1018", "OPP-1019"]
    made = running.desk("salesforce/play/create_opportunity", {"n": "500", "seed": "3"})
    assert made["number"] == "OPP-1501"
    with pytest.raises(ValueError, match="OPP-1501 already"):
        running.desk("salesforce/play/create_opportunity", {"n": "500", "seed": "3"})
    made = running.desk("salesforce/play/create_opportunities", {"first": "600", "count": "3"})
    assert made["numbers"] == ["OPP-1601", "OPP-1602", "OPP-1603"]
    own = {"account": "C-1002", "product": "X-100", "quantity": "2", "unit_price": "10"}
    made = running.desk("salesforce/play/create_opportunity", own)
    assert Decimal(made["amount"]) == 20
    running.desk("salesforce/play/edit", {"object": "customer", "key": "C-1005", "Phone": "+1"})
    assert caller.rows("SELECT Phone FROM Account WHERE External_Id__c = 'C-1005'")[0]["Phone"] == "+1"
    made = running.desk("salesforce/play/create", {"object": "Product2", "Name": "New thing", "ProductCode": "N-1"})
    running.desk("salesforce/play/delete", {"object": "product", "key": "N-1"})
    assert caller.ask("GET", f"sobjects/Product2/{made['id']}").code == "ENTITY_IS_DELETED"
    for verb, arguments, said in (
        ("win", {"opportunity": "OPP-1"}, "0 rows of kind opportunity"),
        ("win", {}, "the argument 'opportunity' is missing"),
        ("edit", {"object": "customer", "key": "C-1005", "Type": "Enemy"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    ):
        with pytest.raises(ValueError, match=said):
            running.desk(f"salesforce/play/{verb}", arguments)


def test_a_merge_moves_what_the_loser_had(running: RunningSandbox, caller: Caller) -> None:
    text = (
        "SELECT Id, (SELECT Id FROM Contacts), (SELECT Id FROM Opportunities) FROM Account WHERE External_Id__c = '{}'"
    )
    master, loser = (caller.rows(text.format(key))[0] for key in ("C-1003", "C-1004"))
    running.desk("salesforce/play/merge", {"object": "customer", "master": "C-1003", "loser": "C-1004"})
    after = caller.rows(text.format("C-1003"))[0]
    for children in ("Contacts", "Opportunities"):
        had = [row[children]["totalSize"] if row[children] else 0 for row in (master, loser)]
        assert after[children]["totalSize"] == sum(had)
    assert caller.ask("GET", f"sobjects/Account/{loser['Id']}").code == "ENTITY_IS_DELETED"
    gone = caller.ask("GET", f"queryAll?q=SELECT+MasterRecordId+FROM+Account+WHERE+Id='{loser['Id']}'").body["records"]
    assert gone[0]["MasterRecordId"] == master["Id"]


def test_the_desk_shows_and_sets(running: RunningSandbox, caller: Caller) -> None:
    assert running.desk("salesforce/show/customer/C-1010")[0]["AccountNumber"] == "17100010"
    row = running.desk("salesforce/set/opportunity/OPP-1021", {"PO_Number__c": "PO-9", "NextStep": ""})
    assert (row["PO_Number__c"], row["NextStep"]) == ("PO-9", None)
    assert running.desk("salesforce/set/product/X-100", {"Description": "sunny"})["Description"] == "sunny"
    assert running.desk("salesforce/show/limit")[1]["name"] == "DailyApiRequests"
    with pytest.raises(ValueError, match="kind 'weather' is unknown"):
        running.desk("salesforce/show/weather")


# The books -------------------------------------------------------------------------------------------


def test_the_books_survive_trouble(running: RunningSandbox) -> None:
    rules = [
        {"kind": kind, "vendor": "salesforce", "rate": 0.2, "delay_s": 0.01}
        for kind in ("limited", "down", "broken", "cut_before", "cut_after", "expired", "slow")
    ]
    running.desk("faults", {"rules": rules, "seed": 5})
    rows = books.read(running.base_url("salesforce"), running.credentials("salesforce"))
    running.desk("faults", {"rules": []})
    again = running.desk("salesforce/books", {})
    assert rows == again
    company = running.company
    assert len([row for row in rows if row["kind"] == "product"]) == len(company.products)
    by_key = {row["key"]: row for row in rows if row["kind"] == "opportunity"}
    wanted = company.opportunities[1]
    row = by_key[wanted.number]
    assert row["customer"] == wanted.account
    assert row["won"] is False
    assert (row["currency"], row["unit"], row["purchase_order"]) == (
        wanted.currency,
        wanted.unit,
        wanted.purchase_order,
    )
    told = [(line["product"], Decimal(line["quantity"]), Decimal(line["unit_price"])) for line in row["lines"]]
    assert told == [(line.product, line.quantity, line.unit_price) for line in wanted.lines]
    assert Decimal(row["amount"]) == sum(line.quantity * line.unit_price for line in wanted.lines)
