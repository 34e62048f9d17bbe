"""The Zendesk stand-in: search, incremental exports, limits, faults."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.zendesk_desk import Desk, ticket_field


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["zendesk"]) as started:
        yield started


@pytest.fixture
def desk(running: RunningSandbox) -> Iterator[Desk]:
    yield Desk(running)
    running.desk("faults", {"rules": []})


# Search ---------------------------------------------------------------------------------------------


def test_search_knows_types_fields_dates_and_words(desk: Desk) -> None:
    invoice = ticket_field(desk, "Invoice number")
    fields = [{"id": invoice, "value": "SEARCH-7"}]
    ticket = desk.post(
        "/tickets",
        "ticket",
        subject="Findable thing",
        comment={"body": "needle in hay"},
        custom_fields=fields,
        priority="high",
    )
    for query in (
        f"type:ticket custom_field_{invoice}:SEARCH-7",
        "type:ticket fieldvalue:SEARCH-7",
        "needle priority>normal",
        'type:ticket "needle in" created>1hours -status:solved',
        f'subject:"Findable thing" requester:{desk.mine["email"]} status<solved status:new status:open',
        "type:ticket subject:findable* solved:none needle",
        f"type:ticket needle created>={ticket['created_at']}",
    ):
        found = desk.get("/search.json", query=query)
        assert [row["id"] for row in found["results"]] == [ticket["id"]], query
        assert found["results"][0]["result_type"] == "ticket"
        assert desk.get("/search/count", query=query) == {"count": 1}
    for query in (
        "type:user needle",
        "needle created<1days priority<low",
        "type:ticket planet:mars",
        "needle -status:new",
    ):
        assert desk.get("/search", query=query)["count"] == 0, query
    assert (
        desk.get("/search", query="type:organization external_id:c-1001")["results"][0]["result_type"] == "organization"
    )
    desk.post(
        "/organizations/create_or_update", "organization", external_id="C-1015", organization_fields={"plan": "bronze"}
    )
    assert desk.get("/search", query="type:organization plan:bronze")["count"] >= 1
    name = desk.running.company.account("C-1001").name
    assert all(u["organization_id"] for u in desk.get("/search", query=f'type:user organization:"{name}"')["results"])


def test_search_ends_at_a_thousand_and_the_export_goes_on(desk: Desk) -> None:
    answer = desk.ask("GET", "/search?query=type:user&page=11&per_page=100")
    assert (answer.status, answer.body["error"]) == (422, "invalid")
    assert desk.ask("GET", "/search").status == 422
    assert desk.ask("GET", "/search/export?query=x").body["errors"][0]["code"] == "InvalidParameter"
    seen, page = [], desk.get("/search/export", query="role:end-user", filter__type="user", page__size=20)
    while True:
        seen += [row["id"] for row in page["results"]]
        if not page["meta"]["has_more"]:
            break
        page = desk.follow(page["links"]["next"])
    assert len(seen) == len(set(seen)) == desk.get("/search/count", query="type:user role:end-user")["count"]


def test_the_index_can_lag(desk: Desk) -> None:
    desk.running.desk("zendesk/set/setting/search_lag_s", {"value": "30"})
    desk.post("/tickets", "ticket", comment={"body": "freshwords"})
    assert desk.get("/search", query="freshwords")["count"] == 0
    desk.running.desk("clock", {"advance_s": 31})
    assert desk.get("/search", query="freshwords")["count"] == 1
    desk.running.desk("zendesk/set/setting/search_lag_s", {"value": "0"})


# Exports and limits ---------------------------------------------------------------------------------


@pytest.fixture
def unlimited(desk: Desk) -> Iterator[Desk]:
    desk.running.desk("zendesk/set/limit/incremental", {"per_minute": "0"})
    yield desk
    desk.running.desk("zendesk/set/limit/incremental", {"per_minute": "10"})


def test_the_cursor_export_reads_each_once_and_leaves_out_the_last_minute(unlimited: Desk) -> None:
    desk = unlimited
    desk.running.desk("clock", {"advance_s": 61})
    fresh = desk.post("/tickets", "ticket", comment={"body": "fresh"})
    seen, page = [], desk.get("/incremental/tickets/cursor.json", start_time=0, per_page=7)
    while True:
        seen += [row["id"] for row in page["tickets"]]
        if page["end_of_stream"]:
            break
        page = desk.follow(page["after_url"])
    assert len(seen) == len(set(seen)) and fresh["id"] not in seen
    assert desk.get("/incremental/tickets/cursor", cursor=page["after_cursor"])["tickets"] == []
    desk.ask("DELETE", f"/tickets/{seen[0]}")
    desk.running.desk("clock", {"advance_s": 61})
    later = desk.get("/incremental/tickets/cursor", cursor=page["after_cursor"])
    assert [(row["id"], row["status"]) for row in later["tickets"]] == [(fresh["id"], "new"), (seen[0], "deleted")]
    assert later["end_of_stream"] is True
    assert later["tickets"][0]["generated_timestamp"] > 0


def test_the_time_export_repeats_the_second_at_which_it_ended(unlimited: Desk) -> None:
    desk = unlimited
    organization = desk.post("/organizations", "organization", name="Exported", external_id="EX-1")
    desk.running.desk("clock", {"advance_s": 61})
    page = desk.get("/incremental/organizations.json", start_time=0, per_page=2)
    assert page["count"] == len(page["organizations"]) >= 2  # all rows of the last second belong to the page
    assert page["end_of_stream"] is False
    ends = desk.get("/incremental/organizations", start_time=0)
    assert ends["end_of_stream"] is True
    assert organization["id"] in [row["id"] for row in ends["organizations"]]
    again = desk.follow(ends["next_page"])
    assert organization["id"] in [row["id"] for row in again["organizations"]]
    desk.ask("DELETE", f"/organizations/{organization['id']}")
    desk.running.desk("clock", {"advance_s": 61})
    gone = desk.get("/incremental/organizations", start_time=ends["end_time"])["organizations"]
    assert [row["deleted_at"] is not None for row in gone if row["id"] == organization["id"]] == [True]


def test_exports_that_are_refused(unlimited: Desk) -> None:
    now = int(unlimited.running.clock.timestamp())
    for path in (
        f"tickets/cursor?start_time={now}",
        "tickets",
        "users/cursor?cursor=x",
        f"organizations?start_time={now - 30}",
    ):
        assert unlimited.ask("GET", f"/incremental/{path}").status == 400
    assert unlimited.ask("GET", "/incremental/organizations/cursor?start_time=0").status == 404


def test_the_export_of_users_shows_deleted_ones(unlimited: Desk) -> None:
    user = unlimited.post("/users", "user", name="Deleted")
    unlimited.ask("DELETE", f"/users/{user['id']}")
    unlimited.running.desk("clock", {"advance_s": 61})
    users = unlimited.get("/incremental/users/cursor", start_time=0)["users"]
    assert [row["id"] for row in users if not row["active"]] == [user["id"]]


def test_incremental_exports_are_limited_to_ten_a_minute(desk: Desk) -> None:
    now = desk.running.clock.timestamp()
    desk.running.desk("clock", {"advance_s": 60 - now % 60 + 0.5})
    answers = [desk.ask("GET", "/incremental/users?start_time=0") for _ in range(11)]
    assert [answer.status for answer in answers[:10]] == [200] * 10
    assert answers[9].headers["zendesk-ratelimit-incremental"].startswith("total=10; remaining=0; resets=")
    last = answers[10]
    assert (last.status, last.headers["content-type"]) == (429, "text/plain; charset=utf-8")
    assert last.body == "Number of allowed API requests per minute exceeded"
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert desk.ask("GET", "/users/me").status == 200
    desk.running.desk("clock", {"advance_s": int(last.headers["retry-after"])})
    assert desk.ask("GET", "/incremental/users?start_time=0").status == 200


def test_the_account_s_limit_stands_on_every_answer(desk: Desk) -> None:
    for answer in (desk.ask("GET", "/users/me"), desk.ask("GET", "/nowhere"), desk.ask("GET", "/tickets/999999")):
        assert int(answer.headers["x-rate-limit"]) == 100_000
        assert int(answer.headers["ratelimit-remaining"]) == int(answer.headers["x-rate-limit-remaining"]) > 0
        assert 0 < int(answer.headers["ratelimit-reset"]) <= 60
    desk.running.desk("zendesk/set/limit/account", {"per_minute": "2"})
    statuses = [desk.ask("GET", "/users/me").status for _ in range(3)]
    desk.running.desk("zendesk/set/limit/account", {"per_minute": "100000"})
    assert statuses == [200, 200, 429]
    desk.running.desk("zendesk/set/limit/update_organization", {"per_minute": "1"})
    row = desk.get("/organizations/search", external_id="C-1003")["organizations"][0]
    answers = [desk.ask("PUT", f"/organizations/{row['id']}", {"organization": {"notes": n}}) for n in "ab"]
    desk.running.desk("zendesk/set/limit/update_organization", {"per_minute": "0"})
    assert [answer.status for answer in answers] == [200, 429]
    assert "zendesk-ratelimit-update-organization" in answers[0].headers


# Faults ---------------------------------------------------------------------------------------------


def _fault(desk: Desk, kind: str, operation: str = "*", **more: Any) -> None:
    desk.running.desk("faults", {"rules": [{"kind": kind, "operation": operation, "times": 1, **more}]})


@pytest.mark.parametrize(
    ("kind", "status", "kept"), [("limited", 429, 0), ("down", 503, 0), ("broken", 500, 1), ("locked", 409, 0)]
)
def test_the_vendor_s_own_troubles(desk: Desk, kind: str, status: int, kept: int) -> None:
    _fault(desk, kind, "POST */organizations*")
    body = {"organization": {"name": f"Trouble {kind}", "external_id": f"TR-{kind}"}}
    answer = desk.ask("POST", "/organizations/create_or_update.json", body)
    assert answer.status == status
    assert "x-rate-limit" in answer.headers
    if kind in ("limited", "down"):
        assert int(answer.headers["retry-after"]) > 0 and isinstance(answer.body, str)
    assert desk.get("/organizations/search", external_id=f"TR-{kind}")["count"] == kept
    assert desk.ask("POST", "/organizations/create_or_update.json", body).status == (200 if kept else 201)


@pytest.mark.parametrize("kind", ["cut_after", "late"])
def test_the_row_is_there_though_the_caller_saw_nothing(desk: Desk, kind: str) -> None:
    _fault(desk, kind, "POST */tickets", delay_s=0.1)
    body, key = (
        {"ticket": {"comment": {"body": kind}, "external_id": f"CUT-{kind}"}},
        {"Idempotency_Key": f"cut-{kind}"},
    )
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        desk.ask("POST", "/tickets", body, **key)
    time.sleep(0.2)
    found = desk.get("/tickets", external_id=f"CUT-{kind}")["tickets"]
    assert len(found) == 1
    again = desk.ask("POST", "/tickets", body, **key)  # the key saves the caller
    assert (again.headers["x-idempotency-lookup"], again.body["ticket"]["id"]) == ("hit", found[0]["id"])
    assert len(desk.get("/tickets", external_id=f"CUT-{kind}")["tickets"]) == 1


def test_an_expired_token_must_be_asked_for_again(desk: Desk) -> None:
    mine = {"client_id": desk.mine["client_id"], "client_secret": desk.mine["client_secret"]}
    asked = {"grant_type": "client_credentials", **mine}
    bearer = f"Bearer {desk.ask('POST', '/oauth/tokens', asked).body['access_token']}"
    assert desk.ask("GET", "/users/me", Authorization=bearer).status == 200
    _fault(desk, "expired")
    assert [desk.ask("GET", "/users/me", Authorization=bearer).status for _ in range(2)] == [401, 401]
    fresh = f"Bearer {desk.ask('POST', '/oauth/tokens', asked).body['access_token']}"
    assert desk.ask("GET", "/users/me", Authorization=fresh).status == 200
    _fault(desk, "expired")
    assert desk.ask("GET", "/users/me").status == 200  # an API token does not expire
