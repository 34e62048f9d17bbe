"""The Zendesk stand-in: tickets, bulk work, pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.zendesk_desk import Desk, errors_of, ticket_field


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["zendesk"]) as started:
        yield started


@pytest.fixture
def desk(running: RunningSandbox) -> Iterator[Desk]:
    yield Desk(running)
    running.desk("faults", {"rules": []})


# Tickets --------------------------------------------------------------------------------------------


def test_a_ticket_is_opened_commented_and_audited(desk: Desk) -> None:
    reason, invoice = ticket_field(desk, "Dispute reason"), ticket_field(desk, "Invoice number")
    person = desk.running.company.accounts[0].people[0]
    fields = [{"id": reason, "value": "wrong_price"}, {"id": invoice, "value": "R-1"}, {"id": 1, "value": "unknown"}]
    asked = {"subject": "Wrong", "comment": {"body": "Too dear"}, "custom_fields": fields, "tags": ["vip"]}
    made = desk.ask(
        "POST", "/tickets", {"ticket": {**asked, "requester": {"email": person.email}, "external_id": "T-1"}}
    )
    assert made.status == 201
    ticket, audit = made.body["ticket"], made.body["audit"]
    values = {field["id"]: field["value"] for field in ticket["custom_fields"]}
    assert (values[reason], values[invoice], 1 in values) == ("wrong_price", "R-1", False)
    assert ticket["tags"] == ["vip", "wrong_price"]
    assert (ticket["status"], ticket["description"], ticket["via"]["channel"]) == ("new", "Too dear", "api")
    assert {event["type"] for event in audit["events"]} == {"Create", "Comment"}
    reply = {"ticket": {"comment": {"body": "Looking", "public": False}, "status": "pending", "custom_fields": []}}
    changed = desk.ask("PUT", f"/tickets/{ticket['id']}.json", reply).body
    change = next(event for event in changed["audit"]["events"] if event["type"] == "Change")
    assert (change["field_name"], change["previous_value"], change["value"]) == ("status", "new", "pending")
    comments = desk.get(f"/tickets/{ticket['id']}/comments", include="users")
    assert [(row["body"], row["public"]) for row in comments["comments"]] == [("Too dear", True), ("Looking", False)]
    assert comments["users"][0]["email"] == desk.mine["email"]
    audits = desk.get(f"/tickets/{ticket['id']}/audits")["audits"]
    assert [row["id"] for row in audits] == [audit["id"], changed["audit"]["id"]]
    assert desk.get(f"/tickets/{ticket['id']}/audits/{audit['id']}")["audit"] == audit


def test_external_ids_of_tickets_need_not_be_unique(desk: Desk) -> None:
    for body in ("one", "two"):
        desk.post("/tickets", "ticket", comment={"body": body}, external_id="SAME")
    found = desk.get("/tickets", external_id="SAME")["tickets"]
    assert [row["description"] for row in found] == ["one", "two"]
    assert desk.get("/search", query="type:ticket external_id:SAME")["count"] == 2


@pytest.mark.parametrize(
    ("ticket", "attribute"),
    [
        ({"subject": "no comment"}, "base"),
        ({"comment": {"body": "x"}, "status": "odd"}, "status"),
        ({"comment": {"body": "x"}, "requester_id": 1}, "requester"),
        ({"comment": {"body": "x"}, "requester": {"email": "nobody@new.example"}}, "name"),
        ({"comment": {"body": "x"}, "organization_id": 1}, "organization"),
        ({"comment": {"body": "x"}, "ticket_form_id": 1}, "ticket_form"),
    ],
)
def test_tickets_that_are_refused(desk: Desk, ticket: dict[str, Any], attribute: str) -> None:
    assert attribute in errors_of(desk.ask("POST", "/tickets", {"ticket": ticket}))


def test_a_choice_and_an_assignee_must_exist(desk: Desk) -> None:
    reason = ticket_field(desk, "Dispute reason")
    body = {"comment": {"body": "x"}, "custom_fields": [{"id": reason, "value": "mood"}]}
    assert "base" in errors_of(desk.ask("POST", "/tickets", {"ticket": body}))
    person = desk.get("/users/search", external_id="C-1001-1")["users"][0]
    body = {"comment": {"body": "x"}, "assignee_id": person["id"]}
    assert "assignee" in errors_of(desk.ask("POST", "/tickets", {"ticket": body}))


def test_a_closed_ticket_does_not_change_any_more(desk: Desk) -> None:
    ticket = desk.post("/tickets", "ticket", comment={"body": "x"})
    solved = desk.ask("PUT", f"/tickets/{ticket['id']}", {"ticket": {"status": "solved"}}).body["ticket"]
    assert solved["assignee_id"] is not None  # who solves it has it
    assert ticket["id"] in desk.running.desk("zendesk/play/close_solved", {})["closed"]
    answer = desk.ask("PUT", f"/tickets/{ticket['id']}", {"ticket": {"tags": ["late"]}})
    assert errors_of(answer)["status"][0]["description"] == "Status: closed prevents ticket update"
    assert desk.get(f"/tickets/{ticket['id']}")["ticket"]["status"] == "closed"


def test_who_asked_opens_again_what_was_solved_and_an_agent_does_not(desk: Desk) -> None:
    mine = desk.post("/tickets", "ticket", comment={"body": "my own"})
    solved = {"status": "solved", "comment": {"body": "Done"}}
    assert desk.ask("PUT", f"/tickets/{mine['id']}", {"ticket": solved}).body["ticket"]["status"] == "solved"
    person = desk.get("/users/search", external_id="C-1001-1")["users"][0]
    theirs = desk.post("/tickets", "ticket", comment={"body": "theirs"}, requester_id=person["id"])
    assert desk.ask("PUT", f"/tickets/{theirs['id']}", {"ticket": solved}).body["ticket"]["status"] == "solved"
    answer = {"comment": {"body": "Not done", "author_id": person["id"]}}
    assert desk.ask("PUT", f"/tickets/{theirs['id']}", {"ticket": answer}).body["ticket"]["status"] == "open"


def test_a_safe_update_of_an_outdated_ticket_is_a_conflict(desk: Desk) -> None:
    ticket = desk.post("/tickets", "ticket", comment={"body": "x"})
    desk.running.desk("clock", {"advance_s": 2})
    safe = {"safe_update": True, "updated_stamp": ticket["updated_at"]}
    assert desk.ask("PUT", f"/tickets/{ticket['id']}", {"ticket": {"priority": "high", **safe}}).status == 200
    late = desk.ask("PUT", f"/tickets/{ticket['id']}", {"ticket": {"priority": "low", **safe}})
    assert (late.status, late.body["error"]) == (409, "UpdateConflict")
    assert desk.get(f"/tickets/{ticket['id']}")["ticket"]["priority"] == "high"


def test_the_idempotency_key_of_a_ticket(desk: Desk) -> None:
    body, key = {"ticket": {"subject": "Once", "comment": {"body": "x"}}}, {"Idempotency_Key": "k-1"}
    first = desk.ask("POST", "/tickets", body, **key)
    assert (first.status, first.headers["x-idempotency-lookup"]) == (201, "miss")
    second = desk.ask("POST", "/tickets.json", body, **key)
    assert (second.status, second.headers["x-idempotency-lookup"]) == (201, "hit")
    assert second.body == first.body
    other = desk.ask("POST", "/tickets", {"ticket": {"comment": {"body": "y"}}}, **key)
    assert (other.status, other.body["error"]) == (400, "IdempotentRequestError")
    refused = desk.ask("POST", "/tickets", {"ticket": {}}, Idempotency_Key="k-2")
    assert refused.status == 422
    assert desk.ask("POST", "/tickets", body, Idempotency_Key="k-2").headers["x-idempotency-lookup"] == "miss"
    assert desk.ask("POST", "/tickets", body, Idempotency_Key="k" * 256).status == 400
    assert (
        "x-idempotency-lookup"
        not in desk.ask("PUT", f"/tickets/{first.body['ticket']['id']}", {"ticket": {}}, **key).headers
    )
    desk.running.desk("clock", {"advance_s": 2 * 3600 + 1})
    third = desk.ask("POST", "/tickets", body, **key)
    assert third.headers["x-idempotency-lookup"] == "miss"
    assert third.body["ticket"]["id"] != first.body["ticket"]["id"]


def test_tags_are_added_set_and_removed(desk: Desk) -> None:
    ticket = desk.post("/tickets", "ticket", comment={"body": "x"}, tags=["One", "two"])
    path = f"/tickets/{ticket['id']}/tags"
    assert desk.ask("PUT", path, {"tags": ["three"]}).body == {"tags": ["one", "two", "three"]}
    assert desk.ask("DELETE", path, {"tags": ["two"]}).body == {"tags": ["one", "three"]}
    assert desk.ask("POST", path, {"tags": ["four"]}).body == {"tags": ["four"]}
    assert desk.get(path) == {"tags": ["four"]}
    organization = desk.get("/organizations/search", external_id="C-1011")["organizations"][0]
    assert desk.ask("PUT", f"/organizations/{organization['id']}/tags", {"tags": ["x"]}).body == {"tags": ["x"]}
    assert desk.get(f"/organizations/{organization['id']}")["organization"]["tags"] == ["x"]


def test_a_deleted_ticket_is_gone_but_can_come_back(desk: Desk) -> None:
    ticket = desk.post("/tickets", "ticket", comment={"body": "x"}, subject="Gone")
    assert desk.ask("DELETE", f"/tickets/{ticket['id']}").status == 204
    assert desk.ask("GET", f"/tickets/{ticket['id']}").status == 404
    gone = next(row for row in desk.get("/deleted_tickets")["deleted_tickets"] if row["id"] == ticket["id"])
    assert gone["previous_state"] == "new"
    assert desk.ask("PUT", f"/deleted_tickets/{ticket['id']}/restore").status == 200
    assert desk.get(f"/tickets/{ticket['id']}", include="users,organizations")["ticket"]["status"] == "new"
    assert desk.ask("PUT", f"/deleted_tickets/{ticket['id']}/restore").status == 404


# Bulk work ------------------------------------------------------------------------------------------


def test_bulk_work_goes_through_its_states_and_fails_in_part(desk: Desk) -> None:
    users = [
        {"name": "Bulk A", "email": "a@bulk.example", "external_id": "BULK-A"},
        {"external_id": "C-1001-1", "phone": "+49 40 1"},
        {"name": "Bulk C", "email": "not an address"},
        {"name": "Bulk D", "email": "d@bulk.example"},
    ]
    answer = desk.ask("POST", "/users/create_or_update_many", {"users": users})
    assert desk.get("/users/search", query="email:a@bulk.example")["count"] == 0  # not done yet
    seen, results = desk.job(answer)
    assert seen == ["queued", "queued", "working", "completed"]
    assert [row["status"] for row in results] == ["Created", "Updated", "Failed", "Created"]
    assert results[2]["error"] == "UserCreateError" and "not properly formatted" in results[2]["details"]
    assert desk.get(f"/users/{results[3]['id']}")["user"]["email"] == "d@bulk.example"


def test_bulk_work_is_done_after_a_while_though_nobody_asks(desk: Desk) -> None:
    rows = [{"name": f"Many {n}", "external_id": f"MANY-{n}"} for n in range(3)]
    job = desk.ask("POST", "/organizations/create_many", {"organizations": rows}).body["job_status"]
    assert desk.get("/organizations/search", external_id="MANY-2")["count"] == 0
    desk.running.desk("clock", {"advance_s": 3})
    assert desk.get("/organizations/search", external_id="MANY-2")["count"] == 1
    assert desk.get("/job_statuses/show_many", ids=job["id"])["job_statuses"][0]["status"] == "completed"
    assert job["id"] in [row["id"] for row in desk.get("/job_statuses")["job_statuses"]]
    ids = "MANY-0,MANY-1,MANY-9"
    patch = {"organization": {"notes": "all the same"}}
    _, results = desk.job(desk.ask("PUT", f"/organizations/update_many?external_ids={ids}", patch))
    assert [row["status"] for row in results] == ["Updated", "Updated", "Failed"]
    _, results = desk.job(desk.ask("DELETE", "/organizations/destroy_many?external_ids=MANY-0,MANY-1,MANY-2"))
    assert [row["success"] for row in results] == [True, True, True]
    assert desk.get("/organizations/search", external_id="MANY-2")["count"] == 0


def test_tickets_in_bulk_and_merged(desk: Desk) -> None:
    tickets = [{"subject": f"B{n}", "comment": {"body": "x"}} for n in range(3)] + [{"subject": "empty"}]
    _, results = desk.job(desk.ask("POST", "/tickets/create_many", {"tickets": tickets}))
    assert [row["status"] for row in results] == ["Created", "Created", "Created", "Failed"]
    assert [row["index"] for row in results] == [0, 1, 2, 3]
    one, two, three = (row["id"] for row in results[:3])
    batch = {"tickets": [{"id": one, "priority": "low"}, {"id": 99999, "priority": "low"}]}
    _, results = desk.job(desk.ask("PUT", "/tickets/update_many", batch))
    assert [row["status"] for row in results] == ["Updated", "Failed"]
    _, results = desk.job(desk.ask("POST", f"/tickets/{one}/merge", {"ids": [two], "target_comment": "Both here"}))
    assert desk.get(f"/tickets/{two}")["ticket"]["status"] == "closed"
    assert desk.get(f"/tickets/{one}/comments")["comments"][-1]["body"] == "Both here"
    desk.job(desk.ask("DELETE", f"/tickets/destroy_many?ids={one},{three}"))
    assert desk.get("/tickets/show_many", ids=f"{one},{two},{three}")["count"] == 1


def test_bulk_work_is_bounded(desk: Desk) -> None:
    assert desk.ask("POST", "/users/create_many", {"users": [{}] * 101}).body["error"] == "TooManyValues"
    assert desk.ask("POST", "/users/create_many", {"users": "x"}).status == 400
    ids = ",".join(str(n) for n in range(101))
    assert desk.ask("GET", f"/tickets/show_many?ids={ids}").body["error"] == "TooManyValues"
    answers = [desk.ask("POST", "/tickets/create_many", {"tickets": []}) for _ in range(31)]
    assert answers[29].status == 200
    assert (answers[30].status, answers[30].body["error"]) == (429, "TooManyJobs")
    desk.running.desk("clock", {"advance_s": 3})


# Pages ----------------------------------------------------------------------------------------------


def test_cursor_pages_go_through_everything_once(desk: Desk) -> None:
    seen: list[int] = []
    page = desk.get("/organizations.json", page__size=4)
    while True:
        assert set(page["meta"]) == {"has_more", "after_cursor", "before_cursor"}
        seen += [row["id"] for row in page["organizations"]]
        if not page["meta"]["has_more"]:
            break
        assert "/api/v2/organizations.json?" in page["links"]["next"]
        page = desk.follow(page["links"]["next"])
    assert seen == sorted(set(seen)) and len(seen) == desk.get("/organizations/count")["count"]["value"]
    back = desk.follow(page["links"]["prev"])
    assert [row["id"] for row in back["organizations"]] == [
        n for n in seen if n not in {r["id"] for r in page["organizations"]}
    ][-4:]


def test_cursor_pages_are_sorted_with_ties(desk: Desk) -> None:
    seen, page = [], desk.get("/tickets", page__size=7, sort="-status")
    while True:
        seen += [(row["status"], row["id"]) for row in page["tickets"]]
        if not page["meta"]["has_more"]:
            break
        page = desk.follow(page["links"]["next"])
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == desk.get("/tickets/count")["count"]["value"]


def test_numbered_pages(desk: Desk) -> None:
    first = desk.get("/users", per_page=20, sort_by="created_at", sort_order="desc")
    assert first["previous_page"] is None and len(first["users"]) == 20
    second = desk.follow(first["next_page"])
    assert second["count"] == first["count"] > 40
    assert not {row["id"] for row in first["users"]} & {row["id"] for row in second["users"]}
    assert "page=1" in second["previous_page"]
    assert len(desk.get("/users", per_page=1000)["users"]) <= 100


def test_pages_that_are_refused(desk: Desk) -> None:
    answer = desk.ask("GET", "/tickets?page[size]=101")
    assert (answer.status, answer.body["errors"][0]["code"]) == (400, "InvalidPaginationParameter")
    assert desk.ask("GET", "/tickets?page[size]=2&page[after]=nonsense").status == 400
    assert desk.ask("GET", "/tickets?page[size]=2&sort=colour").status == 400
    assert desk.ask("GET", "/tickets?page=101&per_page=100").body["error"] == "InvalidPaginationDepth"
    assert desk.ask("GET", "/tickets?page=zero").status == 400
