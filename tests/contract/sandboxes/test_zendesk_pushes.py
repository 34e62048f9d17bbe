"""The Zendesk stand-in: webhooks, what people do there, its books."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator

import pytest
from tests.support.running_sandbox import RunningSandbox
from tests.support.zendesk_desk import Desk, Hook, ticket_field


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(only=["zendesk"]) as started:
        yield started


@pytest.fixture
def desk(running: RunningSandbox) -> Iterator[Desk]:
    yield Desk(running)
    running.desk("faults", {"rules": []})


# Webhooks -------------------------------------------------------------------------------------------


@pytest.fixture
def hook(desk: Desk) -> Iterator[Hook]:
    made = Hook(desk)
    yield made
    made.close()


def test_events_are_signed_and_tell_what_changed(desk: Desk, hook: Hook) -> None:
    hook.subscribe(
        "organization.custom_field_changed", "organization.created", "ticket.status_changed", "ticket.comment_added"
    )
    desk.post("/organizations/create_or_update", "organization", external_id="HOOK-1", name="Hooked")
    desk.post(
        "/organizations/create_or_update", "organization", external_id="HOOK-1", organization_fields={"erp_order": "77"}
    )
    made = desk.running.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "Hooked"})
    desk.running.desk("zendesk/play/solve", {"ticket": made["ticket"]})
    events = {event["type"].removeprefix("zen:event-type:"): event for event in hook.wait(4)}
    created = events["organization.created"]
    assert (created["detail"]["name"], created["detail"]["external_id"]) == ("Hooked", "HOOK-1")
    assert created["subject"] == f"zen:organization:{created['detail']['id']}"
    assert isinstance(created["detail"]["id"], str) and created["zendesk_event_version"] == "2022-06-20"
    change = events["organization.custom_field_changed"]["event"]
    assert (change["field"]["title"], change["previous"], change["current"]) == ("ERP order", None, "77")
    assert events["ticket.status_changed"]["event"] == {"previous": "NEW", "current": "SOLVED"}
    assert events["ticket.comment_added"]["event"]["comment"]["is_public"] is True
    for headers, body in hook.handler.heard:
        stamp = headers["x-zendesk-webhook-signature-timestamp"]
        mac = hmac.new(hook.secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
        assert headers["x-zendesk-webhook-signature"] == base64.b64encode(mac).decode()
        assert headers["x-zendesk-webhook-id"] == hook.id and headers["x-zendesk-webhook-invocation-id"]


def test_a_push_is_sent_again_until_it_is_taken(desk: Desk, hook: Hook) -> None:
    hook.subscribe(
        "user.created", authentication={"type": "bearer_token", "data": {"token": "t"}, "add_position": "header"}
    )
    hook.handler.answers[:] = [503, 429, 200]
    desk.post("/users", "user", name="Pushed")
    hook.wait(1)
    assert desk.running.desk("zendesk")["pushes_waiting"] == 1
    desk.running.desk("clock", {"advance_s": 1})
    hook.wait(2)
    desk.running.desk("clock", {"advance_s": 3})
    first, *repeats = hook.wait(3)
    assert repeats == [first, first]
    stamps = {headers["x-zendesk-webhook-signature-timestamp"] for headers, _ in hook.handler.heard}
    assert len(stamps) > 1  # the signature is of the attempt, not of the event
    assert {headers["x-zendesk-webhook-invocation-id"] for headers, _ in hook.handler.heard}.__len__() == 1
    assert hook.handler.heard[0][0]["authorization"] == "Bearer t"
    assert "data" not in desk.get(f"/webhooks/{hook.id}")["webhook"]["authentication"]


def test_a_push_that_is_refused_for_good_is_not_sent_again(desk: Desk, hook: Hook) -> None:
    hook.subscribe("user.created")
    hook.handler.answers[:] = [400]
    desk.post("/users", "user", name="Refused push")
    hook.wait(1)
    deadline = time.monotonic() + 5
    while desk.running.desk("zendesk")["pushes_waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(hook.handler.heard) == 1
    assert desk.get(f"/webhooks/{hook.id}/invocations")["invocations"][0]["status"] == "failed"


def test_pushes_can_come_twice(desk: Desk, hook: Hook) -> None:
    hook.subscribe("user.name_changed", "user.tags_changed")
    user = desk.post("/users", "user", name="Twice")
    desk.running.desk("faults", {"rules": [{"kind": "push_twice", "operation": "PUSH *name_changed"}]})
    desk.ask("PUT", f"/users/{user['id']}", {"user": {"name": "Twice B.", "tags": ["vip"]}})
    events = hook.wait(3)
    assert sorted(event["type"].rpartition(".")[2] for event in events) == [
        "name_changed",
        "name_changed",
        "tags_changed",
    ]
    tags = next(event for event in events if event["type"].endswith("tags_changed"))
    assert tags["event"]["added"] == {"tags": ["vip"]}


def test_a_trigger_calls_a_webhook_with_a_body_of_its_own(desk: Desk, hook: Hook) -> None:
    hook.subscribe("conditional_ticket_events")
    invoice = ticket_field(desk, "Invoice number")
    body = '{"id": "{{ticket.id}}", "customer": "{{ticket.organization.external_id}}", "title": "{{ticket.title}}", '
    body += f'"invoice": "{{{{ticket.ticket_field_{invoice}}}}}", "who": "{{{{ticket.requester.email}}}}", "said": "{{{{ticket.latest_comment}}}}"}}'
    form = next(form["id"] for form in desk.get("/ticket_forms")["ticket_forms"] if form["name"] == "Invoice dispute")
    conditions = {"all": [{"field": "update_type", "operator": "is", "value": "Create"}]}
    conditions["any"] = [{"field": "ticket_form_id", "operator": "is", "value": form}]
    action = {"field": "notification_webhook", "value": [hook.id, body]}
    made = desk.post("/triggers", "trigger", title="Disputes", conditions=conditions, actions=[action])
    desk.running.desk("zendesk/play/open_ticket", {"customer": "C-1001", "subject": "No dispute"})
    played = desk.running.desk(
        "zendesk/play/open_dispute",
        {"customer": "C-1001", "invoice_number": "R-7", "reason": "damaged", "body": 'Not "so"'},
    )
    (told,) = hook.wait(1)
    person = desk.running.company.account("C-1001").people[0]
    assert told == {
        "id": str(played["ticket"]),
        "customer": "C-1001",
        "title": "Invoice R-7 is wrong",
        "invoice": "R-7",
        "who": person.email,
        "said": 'Not "so"',
    }
    assert desk.ask("PUT", f"/triggers/{made['id']}", {"trigger": {"active": False}}).body["trigger"]["active"] is False
    assert desk.ask("DELETE", f"/triggers/{made['id']}").status == 204


def test_webhooks_that_are_refused(desk: Desk, hook: Hook) -> None:
    made = hook.subscribe("user.created")
    for wrong in ({"endpoint": "nowhere"}, {"subscriptions": ["zen:event-type:moon.risen"]}, {"name": ""}):
        given = {**{k: made[k] for k in ("name", "endpoint", "http_method", "request_format", "status")}, **wrong}
        answer = desk.ask("POST", "/webhooks", {"webhook": given})
        assert (answer.status, answer.body["errors"][0]["code"]) == (400, "InvalidWebhook")
    both = ["conditional_ticket_events", "zen:event-type:user.created"]
    assert desk.ask("PATCH", f"/webhooks/{hook.id}", {"webhook": {"subscriptions": both}}).status == 400
    assert desk.ask("PATCH", f"/webhooks/{hook.id}", {"webhook": {"status": "inactive"}}).status == 204
    desk.post("/users", "user", name="Unheard")
    assert desk.running.desk("zendesk")["pushes_waiting"] == 0
    old = desk.get(f"/webhooks/{hook.id}/signing_secret")["signing_secret"]
    assert old == {"algorithm": "SHA256", "secret": hook.secret}
    assert desk.ask("POST", f"/webhooks/{hook.id}/signing_secret").body["signing_secret"] != old
    assert desk.ask("GET", "/webhooks/none").body["errors"][0]["code"] == "WebhookNotFound"
    assert [row["id"] for row in desk.ask("GET", "/webhooks?filter[name_contains]=HOO").body["webhooks"]] == [hook.id]


# People and books -----------------------------------------------------------------------------------


def test_what_people_do_there(desk: Desk) -> None:
    play = desk.running.desk
    made = play(
        "zendesk/play/open_dispute", {"email": "new@person.example", "customer": "C-1003", "invoice_number": "R-9"}
    )
    assert made["customer"] == "C-1003"
    ticket = play(f"zendesk/show/ticket/{made['ticket']}")[0]
    assert (ticket["custom_fields"]["invoice_number"], ticket["custom_fields"]["dispute_reason"]) == (
        "R-9",
        "wrong_price",
    )
    assert play("zendesk/play/solve", {"ticket": made["ticket"]})["status"] == "solved"
    assert play("zendesk/play/comment", {"ticket": made["ticket"], "body": "Not yet"})["status"] == "open"
    assert (
        play("zendesk/play/comment", {"ticket": made["ticket"], "body": "Hm", "by": "agent", "public": "no"})["status"]
        == "open"
    )
    assert (
        play(f"zendesk/set/ticket/{made['ticket']}", {"priority": "urgent", "order_number": "55"})["priority"]
        == "urgent"
    )
    person = play("zendesk/play/add_person", {"customer": "C-1003", "name": "Ann", "email": "ann@added.example"})
    assert play("zendesk/show/user/ann@added.example")[0]["id"] == person["user"]
    with pytest.raises(ValueError, match="already being used"):
        play("zendesk/play/add_person", {"customer": "C-1003", "name": "Ann", "email": "ann@added.example"})
    with pytest.raises(ValueError, match="not a valid value"):
        play("zendesk/play/open_dispute", {"customer": "C-1003", "invoice_number": "R-9", "reason": "mood"})
    with pytest.raises(ValueError, match="who writes"):
        play("zendesk/play/open_ticket", {})


def test_organizations_merge(desk: Desk) -> None:
    winner = desk.post("/organizations", "organization", name="Winner", external_id="W-1")
    loser = desk.post("/organizations", "organization", name="Loser", external_id="L-1", domain_names=["loser.example"])
    user = desk.post("/users", "user", name="Lee", email="lee@loser.example")
    ticket = desk.post("/tickets", "ticket", comment={"body": "x"}, requester_id=user["id"])
    assert user["organization_id"] == ticket["organization_id"] == loser["id"]
    merge = desk.ask("POST", f"/organizations/{loser['id']}/merge", {"organization_merge": {"winner_id": winner["id"]}})
    merged = merge.body["organization_merge"]
    assert desk.get(f"/organization_merges/{merged['id']}")["organization_merge"]["status"] == "complete"
    assert desk.ask("GET", f"/organizations/{loser['id']}").status == 404
    assert desk.get(f"/users/{user['id']}")["user"]["organization_id"] == winner["id"]
    assert desk.get(f"/tickets/{ticket['id']}")["ticket"]["organization_id"] == winner["id"]
    assert (
        desk.get(f"/users/{user['id']}/organization_memberships")["organization_memberships"][0]["organization_id"]
        == winner["id"]
    )
    assert desk.get(f"/organizations/{winner['id']}")["organization"]["domain_names"] == ["loser.example"]


def test_the_agent_s_page_shows_a_ticket_and_escapes_it(desk: Desk) -> None:
    made = desk.running.desk(
        "zendesk/play/open_ticket", {"customer": "C-1001", "subject": "<b>Bold</b>", "body": "<script>"}
    )
    page = desk.ask("GET", f"/agent/tickets/{made['ticket']}")
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page.body and "<script>" not in page.body
    assert desk.running.company.account("C-1001").name in page.body
    assert desk.ask("GET", "/agent/tickets/none").status == 404


def test_the_books_are_read_page_by_page_through_faults(desk: Desk) -> None:
    rows = [{"name": f"Book {n:03}", "external_id": f"BOOK-{n}"} for n in range(100)]
    desk.job(desk.ask("POST", "/organizations/create_many", {"organizations": rows}))
    fields = {"plan": "gold", "plan_until": "2028-02-29", "erp_order": "4711", "erp_customer": "17"}
    desk.post("/organizations/create_or_update", "organization", external_id="BOOK-7", organization_fields=fields)
    rules = [
        {"kind": kind, "operation": "GET *", "times": 2}
        for kind in ("down", "cut_after", "limited", "broken", "expired")
    ]
    desk.running.desk("faults", {"rules": rules})
    books = desk.running.desk("zendesk/books")
    customers = [row for row in books if row["kind"] == "customer"]
    assert (
        len(customers)
        == len({row["id"] for row in customers})
        == desk.get("/organizations/count")["count"]["value"]
        > 100
    )
    entitlement = next(row for row in books if row["kind"] == "entitlement" and row["key"] == "BOOK-7")
    told = {name: entitlement[name] for name in ("name", "plan", "until", "order")}
    assert told == {"name": "Book 007", "plan": "gold", "until": "2028-02-29", "order": "4711"}
    assert not any(row["key"] == "BOOK-8" for row in books if row["kind"] == "entitlement")
    made = desk.running.desk(
        "zendesk/play/open_dispute", {"customer": "C-1001", "invoice_number": "R-1", "reason": "damaged"}
    )
    ticket = next(
        r for r in desk.running.desk("zendesk/books") if r["kind"] == "ticket" and r["id"] == str(made["ticket"])
    )
    assert (ticket["invoice_number"], ticket["dispute_reason"], ticket["customer_key"]) == ("R-1", "damaged", "C-1001")
