"""The Zendesk stand-in: signing in, organizations, users, custom fields."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterator

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


# Signing in -----------------------------------------------------------------------------------------


def test_the_shapes_of_signing_in_that_are_refused(desk: Desk) -> None:
    wrong = base64.b64encode(f"{desk.mine['email']}/token:nonsense".encode()).decode()
    password = base64.b64encode(f"{desk.mine['email']}:secret".encode()).decode()
    for header in (f"Basic {wrong}", f"Basic {password}", "Basic ???", "", "Digest x"):
        answer = desk.ask("GET", "/users/me", Authorization=header)
        assert (answer.status, answer.body) == (401, {"error": "Couldn't authenticate you"})
    answer = desk.ask("GET", "/users/me", Authorization="Bearer nonsense")
    assert (answer.status, answer.body["error"]) == (401, "invalid_token")


def test_oauth_client_credentials_and_their_end(desk: Desk) -> None:
    mine = {"client_id": desk.mine["client_id"], "client_secret": desk.mine["client_secret"]}
    asked = {"grant_type": "client_credentials", **mine, "scope": "read", "expires_in": 300}
    granted = desk.ask("POST", "/oauth/tokens", asked).body
    assert (granted["token_type"], granted["scope"], granted["expires_in"]) == ("bearer", "read", 300)
    bearer = f"Bearer {granted['access_token']}"
    assert desk.ask("GET", "/users/me.json", Authorization=bearer).body["user"]["role"] == "admin"
    refused = desk.ask("POST", "/organizations", {"organization": {"name": "No"}}, Authorization=bearer)
    assert (refused.status, refused.body["error"]) == (403, "Forbidden")
    desk.running.desk("clock", {"advance_s": 301})
    assert desk.ask("GET", "/users/me", Authorization=bearer).status == 401
    form = urllib.parse.urlencode({"grant_type": "client_credentials", **mine}).encode()
    again = desk.ask("POST", "/oauth/tokens", form, Content_Type="application/x-www-form-urlencoded")
    assert again.body["scope"] == "read write"


def test_oauth_refuses(desk: Desk) -> None:
    mine = {"grant_type": "client_credentials", "client_id": desk.mine["client_id"]}
    assert desk.ask("POST", "/oauth/tokens", {**mine, "client_secret": "x"}).body["error"] == "invalid_client"
    assert desk.ask("POST", "/oauth/tokens", {"grant_type": "password"}).body["error"] == "unsupported_grant_type"
    mine["client_secret"] = desk.mine["client_secret"]
    assert desk.ask("POST", "/oauth/tokens", {**mine, "expires_in": 1}).body["error"] == "invalid_request"


def test_an_end_user_may_ask_but_not_administer(desk: Desk) -> None:
    person = desk.running.company.accounts[0].people[0]
    pair = base64.b64encode(f"{person.email}/token:{desk.mine['api_token']}".encode()).decode()
    mine = {"Authorization": f"Basic {pair}"}
    assert desk.ask("GET", "/users/me", **mine).body["user"]["email"] == person.email
    assert desk.ask("GET", "/organizations", **mine).status == 403
    made = desk.ask("POST", "/tickets", {"ticket": {"comment": {"body": "Hello"}, "status": "solved"}}, **mine)
    assert (made.status, made.body["ticket"]["status"]) == (201, "new")
    agent = base64.b64encode(f"rosa.lindgren@sonnwerk.example/token:{desk.mine['api_token']}".encode()).decode()
    assert desk.ask("GET", "/webhooks", Authorization=f"Basic {agent}").status == 403


def test_an_api_token_that_was_switched_off(desk: Desk) -> None:
    desk.running.desk(f"zendesk/set/token/{desk.mine['api_token']}", {"active": "false"})
    assert desk.ask("GET", "/users/me").status == 401
    desk.running.desk(f"zendesk/set/token/{desk.mine['api_token']}", {"active": "true"})
    assert desk.ask("GET", "/users/me").status == 200
    assert all(desk.mine["api_token"] not in str(row) for row in desk.running.desk("zendesk/show/token"))


# Organizations --------------------------------------------------------------------------------------


def test_organizations_are_created_or_updated_by_external_id(desk: Desk) -> None:
    asked = {
        "name": "Upsert One",
        "external_id": "UP-1",
        "organization_fields": {"plan": "gold", "plan_until": "2027-11-30"},
    }
    first = desk.ask("POST", "/organizations/create_or_update.json", {"organization": asked})
    assert first.status == 201
    made = first.body["organization"]
    assert made["url"].endswith(f"/api/v2/organizations/{made['id']}.json") and first.headers["location"] == made["url"]
    assert made["organization_fields"] == {
        "plan": "gold",
        "plan_until": "2027-11-30T00:00:00+00:00",  # a date comes back as an instant
        "erp_customer": None,
        "erp_order": None,
        "crm_account": None,
        "business_unit": None,
        **dict.fromkeys(("open_orders", "next_delivery", "open_amount", "overdue_amount")),
    }
    assert made["tags"] == ["gold"]  # and a choice is a tag
    again = desk.ask(
        "POST",
        "/organizations/create_or_update",
        {"organization": {"external_id": "up-1", "organization_fields": {"plan": "silver", "erp_order": "1001"}}},
    )
    assert again.status == 200
    after = again.body["organization"]
    assert (after["id"], after["name"], after["tags"]) == (made["id"], "Upsert One", ["silver"])
    assert after["organization_fields"]["plan_until"].startswith("2027-11-30")
    by_id = desk.post("/organizations/create_or_update", "organization", id=made["id"], external_id="UP-1b")
    assert (by_id["id"], by_id["external_id"]) == (made["id"], "UP-1b")


def test_an_update_that_changes_nothing_touches_nothing(desk: Desk) -> None:
    before = desk.get("/organizations/search", external_id="C-1007")["organizations"][0]
    desk.running.desk("clock", {"advance_s": 5})
    assert (
        desk.post("/organizations/create_or_update", "organization", external_id="C-1007", name=before["name"])
        == before
    )


def test_names_and_external_ids_are_unique_without_regard_to_case(desk: Desk) -> None:
    account = desk.running.company.account("C-1001")
    name = account.name.upper()
    errors = errors_of(desk.ask("POST", "/organizations", {"organization": {"name": name}}))
    assert errors == {"name": [{"description": f"Name: {name} has already been taken", "error": "DuplicateValue"}]}
    errors = errors_of(desk.ask("POST", "/organizations", {"organization": {"name": "Fresh", "external_id": "c-1001"}}))
    assert errors["external_id"][0]["error"] == "DuplicateValue"
    errors = errors_of(desk.ask("POST", "/organizations", {"organization": {"name": " "}}))
    assert errors["name"][0]["error"] == "BlankValue"
    other = desk.get("/organizations/search", external_id="C-1003")["organizations"][0]
    errors_of(desk.ask("PUT", f"/organizations/{other['id']}", {"organization": {"name": account.name}}))
    assert desk.get(f"/organizations/{other['id']}")["organization"] == other


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"plan": "platinum"}, "Plan: platinum is not a valid value"),
        ({"plan_until": "soon"}, "Plan until: soon is not a date"),
    ],
)
def test_values_that_a_field_does_not_take(desk: Desk, fields: dict[str, str], says: str) -> None:
    body = {"organization": {"external_id": "C-1001", "organization_fields": fields}}
    assert errors_of(desk.ask("POST", "/organizations/create_or_update", body))["base"][0]["description"] == says


def test_unknown_attributes_and_fields_are_passed_over_in_silence(desk: Desk) -> None:
    body = {"external_id": "C-1009", "colour": "red", "organization_fields": {"planet": "mars"}}
    answer = desk.ask("POST", "/organizations/create_or_update", {"organization": body})
    assert answer.status == 200
    assert "colour" not in answer.body["organization"]
    assert "planet" not in answer.body["organization"]["organization_fields"]


def test_organizations_are_searched_shown_counted_and_deleted(desk: Desk) -> None:
    made = desk.post("/organizations", "organization", name="Short Lived", external_id="SL-1")
    ids = f"{made['id']},{desk.get('/organizations/search', external_id='c-1001')['organizations'][0]['id']}"
    assert desk.get("/organizations/show_many", ids=ids)["organizations"][0]["name"] == "Short Lived"
    assert len(desk.get("/organizations/show_many", external_ids="SL-1,C-1003,none")["organizations"]) == 2
    assert desk.get("/organizations/search", name="short lived")["count"] == 1
    assert desk.get("/organizations/autocomplete", name="short")["organizations"][0]["id"] == made["id"]
    count = desk.get("/organizations/count")["count"]["value"]
    assert desk.ask("DELETE", f"/organizations/{made['id']}").status == 204
    assert desk.ask("GET", f"/organizations/{made['id']}").body == {
        "error": "RecordNotFound",
        "description": "Not found",
    }
    assert desk.get("/organizations/count")["count"]["value"] == count - 1
    assert desk.post("/organizations", "organization", name="Short Lived", external_id="SL-1")["id"] != made["id"]


# Users ----------------------------------------------------------------------------------------------


def test_users_are_matched_by_external_id_and_by_any_address(desk: Desk) -> None:
    first = desk.ask(
        "POST", "/users/create_or_update", {"user": {"name": "Uta", "email": "uta@up.example", "external_id": "U-1"}}
    )
    assert first.status == 201
    uta = first.body["user"]
    moved = desk.ask("POST", "/users/create_or_update", {"user": {"external_id": "u-1", "email": "uta@new.example"}})
    assert moved.status == 200
    assert moved.body["user"]["email"] == "uta@up.example"  # on an update an email becomes a second address
    values = [(row["value"], row["primary"]) for row in desk.get(f"/users/{uta['id']}/identities")["identities"]]
    assert values == [("uta@up.example", True), ("uta@new.example", False)]
    by_second = desk.ask("POST", "/users/create_or_update", {"user": {"email": "UTA@new.example", "name": "Uta B."}})
    assert (by_second.status, by_second.body["user"]["id"]) == (200, uta["id"])
    errors_of(desk.ask("POST", "/users", {"user": {"name": "Other", "email": "uta@new.example"}}))


def test_what_users_are_refused_for(desk: Desk) -> None:
    person = desk.running.company.accounts[0].people[0]
    errors = errors_of(desk.ask("POST", "/users", {"user": {"name": "X", "email": person.email}}))
    says = f"Email: {person.email} is already being used by another user"
    assert errors == {"email": [{"description": says, "error": "DuplicateValue"}]}
    assert "email" in errors_of(desk.ask("POST", "/users", {"user": {"name": "X", "email": "no address"}}))
    assert "name" in errors_of(desk.ask("POST", "/users", {"user": {"email": "nameless@x.example"}}))
    assert "role" in errors_of(desk.ask("POST", "/users", {"user": {"name": "X", "role": "king"}}))
    assert "organization" in errors_of(desk.ask("POST", "/users", {"user": {"name": "X", "organization_id": 1}}))
    errors = errors_of(desk.ask("POST", "/users", {"user": {"name": "X", "external_id": "c-1001-1"}}))
    assert errors["external_id"][0]["error"] == "DuplicateValue"
    assert desk.ask("POST", "/users", {"person": {}}).status == 400
    assert desk.ask("POST", "/users", b"{oops").status == 400


def test_users_join_organizations_by_domain_and_by_membership(desk: Desk) -> None:
    account = desk.running.company.account("C-1001")
    user = desk.post("/users", "user", name="New Person", email=f"new.person@{account.domain}")
    acme = desk.get("/organizations/search", external_id="C-1001")["organizations"][0]
    assert user["organization_id"] == acme["id"]
    other = desk.get("/organizations/search", external_id="C-1003")["organizations"][0]
    member = desk.post(
        "/organization_memberships", "organization_membership", user_id=user["id"], organization_id=other["id"]
    )
    assert (member["default"], member["organization_name"]) == (False, other["name"])
    errors_of(
        desk.ask(
            "POST",
            "/organization_memberships",
            {"organization_membership": {"user_id": user["id"], "organization_id": other["id"]}},
        )
    )
    desk.ask("PUT", f"/users/{user['id']}/organization_memberships/{member['id']}/make_default")
    assert desk.get(f"/users/{user['id']}")["user"]["organization_id"] == other["id"]
    assert {o["id"] for o in desk.get(f"/users/{user['id']}/organizations")["organizations"]} == {
        acme["id"],
        other["id"],
    }
    assert user["id"] in [u["id"] for u in desk.get(f"/organizations/{other['id']}/users")["users"]]
    assert desk.ask("DELETE", f"/organization_memberships/{member['id']}").status == 204
    assert desk.get(f"/users/{user['id']}")["user"]["organization_id"] == acme["id"]


def test_users_are_found_and_softly_deleted(desk: Desk) -> None:
    user = desk.post("/users", "user", name="Gone Soon", email="gone@soon.example", external_id="G-1")
    assert desk.get("/users/search", query="gone@soon.example")["count"] == 1
    assert desk.get("/users/search", query='role:end-user name:"gone soon"')["count"] == 1
    assert desk.get("/users/search", external_id="g-1")["users"][0]["id"] == user["id"]
    assert desk.get("/users/show_many", external_ids="G-1,C-1001-1")["count"] == 2
    assert {u["role"] for u in desk.get("/users", role="agent")["users"]} == {"agent"}
    assert desk.ask("DELETE", f"/users/{user['id']}").body["user"]["active"] is False
    assert desk.get(f"/users/{user['id']}")["user"]["active"] is False
    assert desk.get("/users/search", external_id="g-1")["count"] == 0
    assert desk.ask("PUT", f"/users/{user['id']}", {"user": {"name": "x"}}).status == 404
    assert desk.post("/users", "user", name="Gone Soon", email="gone@soon.example")["id"] != user["id"]


def test_identities_change_the_first_address(desk: Desk) -> None:
    user = desk.post("/users", "user", name="Ida", email="ida@one.example")
    second = desk.post(f"/users/{user['id']}/identities", "identity", type="email", value="ida@two.example")
    assert second["verified"] is False
    assert desk.ask("PUT", f"/users/{user['id']}/identities/{second['id']}/verify").body["identity"]["verified"] is True
    rows = desk.ask("PUT", f"/users/{user['id']}/identities/{second['id']}/make_primary").body["identities"]
    assert [row["value"] for row in rows if row["primary"]] == ["ida@two.example"]
    assert desk.get(f"/users/{user['id']}")["user"]["email"] == "ida@two.example"
    assert desk.ask("DELETE", f"/users/{user['id']}/identities/{rows[1]['id']}").status == 204
    assert desk.ask("GET", f"/users/{user['id']}/identities/{rows[1]['id']}").status == 404


# Fields and other furniture -------------------------------------------------------------------------


def test_a_field_that_an_administrator_adds_shows_everywhere_at_once(desk: Desk) -> None:
    added = desk.running.desk("zendesk/set/field/Organization.region", {"type": "dropdown", "choices": "north, south"})
    assert (added["name"], added["choices"]) == ("organization.region", ["north", "south"])
    row = desk.get("/organizations/search", external_id="C-1001")["organizations"][0]
    assert row["organization_fields"]["region"] is None
    keys = [field["key"] for field in desk.get("/organization_fields", page__size=100)["organization_fields"]]
    assert {"plan", "erp_customer", "business_unit"} < set(keys) and keys[-1] == "region"
    changed = desk.post(
        "/organizations/create_or_update", "organization", external_id="C-1001", organization_fields={"region": "north"}
    )
    assert (changed["organization_fields"]["region"], "north" in changed["tags"]) == ("north", True)
    desk.running.desk("zendesk/set/field/organization.region", {"gone": "true"})
    again = desk.post(
        "/organizations/create_or_update", "organization", external_id="C-1001", organization_fields={"region": "south"}
    )
    assert "region" not in again["organization_fields"]


def test_fields_by_the_api(desk: Desk) -> None:
    made = desk.post(
        "/user_fields", "user_field", type="regexp", title="Code", key="code", regexp_for_validation="[A-Z]{2}"
    )
    assert "base" in errors_of(desk.ask("POST", "/users", {"user": {"name": "X", "user_fields": {"code": "abc"}}}))
    errors_of(desk.ask("POST", "/user_fields", {"user_field": {"type": "text", "title": "Again", "key": "code"}}))
    errors_of(desk.ask("POST", "/user_fields", {"user_field": {"type": "hologram", "title": "X", "key": "x"}}))
    assert desk.ask("DELETE", f"/user_fields/{made['id']}").status == 204
    assert desk.ask("GET", f"/user_fields/{made['id']}").status == 404
    reason = ticket_field(desk, "Dispute reason")
    option = {"custom_field_option": {"name": "Too late", "value": "too_late"}}
    assert desk.ask("POST", f"/ticket_fields/{reason}/options", option).status == 201
    values = [row["value"] for row in desk.get(f"/ticket_fields/{reason}/options")["custom_field_options"]]
    assert "too_late" in values and "wrong_price" in values
    desk.post("/tickets", "ticket", comment={"body": "x"}, custom_fields=[{"id": reason, "value": "too_late"}])
    number = desk.post("/ticket_fields", "ticket_field", type="integer", title="Boxes")["id"]
    ticket = desk.post("/tickets", "ticket", comment={"body": "x"}, custom_fields=[{"id": number, "value": 7}])
    assert {"id": number, "value": "7"} in ticket["custom_fields"]
    desk.ask("DELETE", f"/ticket_fields/{number}")


def test_what_else_stands_in_the_account(desk: Desk) -> None:
    forms = {form["name"]: form for form in desk.get("/ticket_forms")["ticket_forms"]}
    assert ticket_field(desk, "Dispute reason") in forms["Invoice dispute"]["ticket_field_ids"]
    assert desk.get(f"/ticket_forms/{forms['Default']['id']}")["ticket_form"]["default"] is True
    assert desk.get("/account/settings")["settings"]["api"]["api_token_access"] is True
    assert desk.get("/groups")["groups"][0]["name"] == "Support"
    assert desk.get("/brands")["count"] == 1
    assert desk.ask("GET", "/nowhere").body == {"error": "InvalidEndpoint", "description": "Not found"}
    answer = desk.ask("GET", "/tickets/abc")
    assert (answer.status, answer.body["error"]["title"]) == (400, "Invalid attribute")
