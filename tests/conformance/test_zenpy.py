"""zenpy, unmodified, against the Zendesk stand-in: over https, by the host name it insists on.

Only the name resolution of ``*.localhost`` is ours.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.support.certificates import server_context
from tests.support.running_sandbox import RunningSandbox
from zenpy import Zenpy
from zenpy.lib.api_objects import (
    Comment,
    CustomField,
    CustomFieldOption,
    Identity,
    Organization,
    OrganizationField,
    OrganizationMembership,
    Ticket,
    TicketField,
    User,
    UserField,
    Webhook,
)
from zenpy.lib.exception import APIException, RatelimitBudgetExceeded, RecordNotFoundException, TooManyValuesException

Connect = Callable[..., Zenpy]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    context, authority = server_context(tmp_path_factory.mktemp("tls"))
    with RunningSandbox(only=["zendesk"], tls=context) as started:
        started.authority = authority  # type: ignore[attr-defined]
        yield started


@pytest.fixture(autouse=True)
def _localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return usual("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def connect(running: RunningSandbox) -> Connect:
    def made(**given: Any) -> Zenpy:
        authority: Path = running.authority  # type: ignore[attr-defined]
        session = requests.Session()
        session.trust_env, session.verify = False, str(authority)
        mine = running.credentials("zendesk")
        given = given or {"email": mine["email"], "token": mine["api_token"]}
        domain = f"localhost:{running.server.ports['https']}"
        return Zenpy(
            subdomain="zendesk", domain=domain, session=session, disable_cache=True, ratelimit_budget=3, **given
        )

    return made


@pytest.fixture
def client(connect: Connect) -> Zenpy:
    return connect()


def _errors(problem: pytest.ExceptionInfo[APIException]) -> dict[str, Any]:
    assert problem.value.response.status_code == 422
    return dict(problem.value.response.json()["details"])


# Signing in -----------------------------------------------------------------------------------------


def test_zenpy_signs_in_with_an_api_token_and_with_oauth(running: RunningSandbox, connect: Connect) -> None:
    assert connect().users.me().role == "admin"
    assert connect(oauth_token=running.credentials("zendesk")["oauth_token"]).users.me().name == "Integration"
    with pytest.raises(APIException) as problem:
        connect(email="nobody@sonnwerk.example", token="wrong").users.me()
    assert problem.value.response.status_code == 401


def test_a_token_expires_and_another_takes_over(running: RunningSandbox, connect: Connect) -> None:
    mine = running.credentials("zendesk")
    asked = {"grant_type": "client_credentials", "client_id": mine["client_id"], "client_secret": mine["client_secret"]}

    def token() -> str:
        url = f"{running.base_url('zendesk')}/oauth/tokens"
        return str(requests.post(url, json={**asked, "expires_in": 300}, timeout=5).json()["access_token"])

    short = connect(oauth_token=token())
    assert short.users.me().email == mine["email"]
    running.desk("clock", {"advance_s": 301})
    with pytest.raises(APIException) as problem:
        short.users.me()
    assert problem.value.response.status_code == 401
    assert problem.value.response.json()["error"] == "invalid_token"
    assert connect(oauth_token=token()).users.me().email == mine["email"]


# Organizations and users ----------------------------------------------------------------------------


def test_organizations(client: Zenpy) -> None:
    asked = Organization(
        name="Zenpy One", external_id="ZP-1", organization_fields={"plan": "gold", "plan_until": "2027-11-30"}
    )
    made = client.organizations.create_or_update(asked)
    assert made.organization_fields["plan"] == "gold"
    again = Organization(external_id="ZP-1", name="Zenpy One", organization_fields={"erp_order": "17"})
    assert client.organizations.create_or_update(again).id == made.id
    made.notes = "Changed by zenpy"
    assert client.organizations.update(made).notes == "Changed by zenpy"
    assert client.organizations(id=made.id).organization_fields["erp_order"] == "17"
    assert [row.id for row in client.organizations(external_ids=["ZP-1"])] == [made.id]
    assert {row.name for row in client.organizations(ids=[made.id])} == {"Zenpy One"}
    assert client.organizations.add_tags(made.id, ["vip"])
    assert "vip" in list(client.organizations.tags(made.id))
    with pytest.raises(APIException) as problem:
        client.organizations.create(Organization(name="zenpy ONE"))
    assert _errors(problem)["name"][0]["error"] == "DuplicateValue"
    client.organizations.delete(made)
    with pytest.raises(RecordNotFoundException):
        client.organizations(id=made.id)


def test_users(client: Zenpy, running: RunningSandbox) -> None:
    organization = next(iter(client.organizations(external_ids=["C-1001"])))
    made = client.users.create_or_update(User(name="Zora", email="zora@zenpy.example", external_id="ZU-1"))
    assert client.users.create_or_update(User(name="Zora B.", email="zora@zenpy.example")).id == made.id
    assert client.users.search(query="zora@zenpy.example").count == 1
    assert next(iter(client.users.search(external_id="zu-1"))).name == "Zora B."
    member = client.organization_memberships.create(
        OrganizationMembership(user_id=made.id, organization_id=organization.id)
    )
    assert member.default is True
    assert client.users(id=made.id).organization_id == organization.id
    assert [row.id for row in client.users.organizations(made)] == [organization.id]
    assert made.id in [row.id for row in client.organizations.users(organization)]
    identity = client.users.identities.create(made, Identity(type="email", value="zora@second.example"))
    client.users.identities.verify(made, identity)
    client.users.identities.make_primary(made, identity)
    assert client.users(id=made.id).email == "zora@second.example"
    with pytest.raises(APIException) as problem:
        client.users.create(User(name="Copy", email=running.company.accounts[0].people[0].email))
    assert _errors(problem)["email"][0]["error"] == "DuplicateValue"
    client.organization_memberships.delete(member)
    assert client.users.delete(made) is not None
    assert client.users(id=made.id).active is False


def test_bulk_work_and_its_status(client: Zenpy) -> None:
    users = [User(name=f"Many {n}", email=f"many{n}@zenpy.example" if n != 1 else "wrong") for n in range(3)]
    job = client.users.create_or_update(users)
    statuses = [job.status]
    while job.status != "completed":
        job = client.job_status(id=job.id)
        statuses.append(job.status)
    assert statuses == ["queued", "queued", "working", "completed"]
    assert [row.status for row in job.results] == ["Created", "Failed", "Created"]
    with pytest.raises(TooManyValuesException):
        client.users(ids=list(range(1, 102)))


# Tickets --------------------------------------------------------------------------------------------


def test_a_ticket_s_life(client: Zenpy, running: RunningSandbox) -> None:
    fields = {field.title: field for field in client.ticket_fields()}
    person = running.company.accounts[0].people[0]
    asked = Ticket(
        subject="From zenpy",
        comment=Comment(body="Hello"),
        requester=next(iter(client.users.search(query=person.email))),
        external_id="ZT-1",
        custom_fields=[CustomField(id=fields["Dispute reason"].id, value="damaged")],
    )
    audit = client.tickets.create(asked)
    ticket = client.tickets(id=audit.ticket.id)
    assert (ticket.requester.email, ticket.organization.external_id) == (person.email, "C-1001")
    assert {"id": fields["Dispute reason"].id, "value": "damaged"} in [dict(field) for field in ticket.custom_fields]
    ticket.status = "pending"
    ticket.comment = Comment(body="An inner thought", public=False)
    assert client.tickets.update(ticket).ticket.status == "pending"
    assert [(row.body, row.public) for row in client.tickets.comments(ticket)] == [
        ("Hello", True),
        ("An inner thought", False),
    ]
    assert [event["type"] for row in client.tickets.audits(ticket) for event in row.events].count("Comment") == 2
    assert [row.id for row in client.tickets(external_id="ZT-1")] == [ticket.id]
    assert "damaged" in list(client.tickets.tags(ticket.id))
    assert client.tickets.add_tags(ticket.id, ["vip"])
    running.desk("zendesk/play/solve", {"ticket": ticket.id})
    running.desk("zendesk/play/close_solved", {})
    late = client.tickets(id=ticket.id)
    late.priority = "high"
    with pytest.raises(APIException) as problem:
        client.tickets.update(late)
    assert "closed prevents ticket update" in _errors(problem)["status"][0]["description"]
    assert late.id in [row.id for row in client.users.requested(late.requester_id)]


def test_tickets_in_bulk_are_merged_and_deleted(client: Zenpy) -> None:
    job = client.tickets.create([Ticket(subject=f"Bulk {n}", description=f"Body {n}") for n in range(3)])
    while job.status != "completed":
        job = client.job_status(id=job.id)
    one, two, three = (row.id for row in job.results)
    job = client.tickets.merge(target=one, source=two, target_comment="Merged by zenpy")
    while job.status != "completed":
        job = client.job_status(id=job.id)
    assert client.tickets(id=two).status == "closed"
    assert [row.body for row in client.tickets.comments(one)][-1] == "Merged by zenpy"
    client.tickets.delete(client.tickets(id=three))
    with pytest.raises(RecordNotFoundException):
        client.tickets(id=three)
    assert three in [row.id for row in client.tickets.deleted()]
    client.tickets.restore(three)
    assert client.tickets(id=three).subject == "Bulk 2"


# Reading --------------------------------------------------------------------------------------------


def test_lists_are_read_page_by_page(client: Zenpy, running: RunningSandbox) -> None:
    by_cursor = [row.id for row in client.users(cursor_pagination=9)]
    by_number = [row.id for row in client.users(cursor_pagination=False)]
    assert sorted(by_cursor) == sorted(by_number) and len(set(by_cursor)) == len(by_cursor) > 50
    assert len(client.users(cursor_pagination=False)[30:45:10]) == 15
    assert [row.external_id for row in client.organizations(cursor_pagination=3)][:2] == ["C-1001", "C-1003"]


def test_search_and_its_export(client: Zenpy) -> None:
    found = list(client.search(type="ticket", status_less_than="solved", sort_by="created_at", sort_order="asc"))
    assert found and {row.status for row in found} <= {"new", "open", "pending", "hold"}
    assert client.search.count(type="ticket", status_less_than="solved") == len(found)
    name = next(iter(client.organizations(external_ids=["C-1001"]))).name
    assert [row.name for row in client.search("", type="organization", name=name)] == [name]
    exported = list(client.search_export(type="user", cursor_pagination=10))
    assert len({row.id for row in exported}) == len(exported) > 20


def test_incremental_exports(client: Zenpy, running: RunningSandbox) -> None:
    running.desk("zendesk/set/limit/incremental", {"per_minute": "0"})
    running.desk("clock", {"advance_s": 61})  # what changed in the last minute is left out
    start = datetime(2020, 1, 1, tzinfo=UTC)
    tickets = [row.id for row in client.tickets.incremental(start_time=start, per_page=6)]
    assert len(set(tickets)) == len(tickets) >= 20
    users = client.users.incremental(start_time=start)
    assert len(list(users)) > 50 and users.end_of_stream is True
    organizations = client.organizations.incremental(start_time=start)
    assert "C-1001" in [row.external_id for row in organizations]
    running.desk("zendesk/set/limit/incremental", {"per_minute": "10"})


def test_zenpy_waits_when_it_is_limited_and_gives_up_with_its_budget(client: Zenpy, running: RunningSandbox) -> None:
    running.desk("faults", {"rules": [{"kind": "limited", "operation": "GET */users/me*", "times": 1}]})
    assert client.users.me().role == "admin"
    running.desk("zendesk/set/limit/account", {"per_minute": "1"})
    with pytest.raises((RatelimitBudgetExceeded, APIException)):
        for _ in range(3):
            client.users.me()
    running.desk("zendesk/set/limit/account", {"per_minute": "100000"})
    running.desk("faults", {"rules": []})


# Fields and webhooks --------------------------------------------------------------------------------


def test_fields_are_defined(client: Zenpy) -> None:
    options = [CustomFieldOption(name="North", value="north"), CustomFieldOption(name="South", value="south")]
    made = client.organization_fields.create(
        OrganizationField(key="region", title="Region", type="dropdown", custom_field_options=options)
    )
    assert "region" in [field.key for field in client.organization_fields()]
    bad = Organization(name="Nowhere", organization_fields={"region": "west"})
    with pytest.raises(APIException) as problem:
        client.organizations.create(bad)
    assert _errors(problem)["base"][0]["description"] == "Region: west is not a valid value"
    client.organization_fields.delete(made)
    assert client.user_fields.create(UserField(key="floor", title="Floor", type="integer")).key == "floor"
    number = client.ticket_fields.create(TicketField(title="Serial number", type="text"))
    assert client.ticket_fields(id=number.id).title == "Serial number"
    assert {form.name for form in client.ticket_forms()} == {"Default", "Invoice dispute"}


def test_webhooks_and_their_secret(client: Zenpy, running: RunningSandbox) -> None:
    asked = Webhook(
        name="From zenpy",
        endpoint="http://127.0.0.1:9/hook",
        http_method="POST",
        request_format="json",
        status="active",
        subscriptions=["zen:event-type:ticket.created"],
    )
    made = client.webhooks.create(asked)
    secret = client.webhooks.show_secret(made).secret
    assert made.signing_secret.secret == secret
    assert [row.name for row in client.webhooks.list(filter="zenpy")] == ["From zenpy"]
    running.desk("zendesk/play/open_ticket", {"customer": "C-1001"})
    assert client.webhooks(id=made.id).status == "active"
    assert client.webhooks.reset_secret(made).secret != secret
    changed = Webhook(
        name="Renamed", endpoint=asked.endpoint, http_method="POST", request_format="json", status="inactive"
    )
    client.webhooks.update(made.id, changed)
    assert client.webhooks(id=made.id).status == "inactive"
    client.webhooks.delete(made)
    with pytest.raises(APIException):
        client.webhooks(id=made.id)
