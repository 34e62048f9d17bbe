"""What users are: their addresses (identities), their organizations (memberships), and how they change.

Source: developer.zendesk.com, "Users", "User identities", "Organization memberships". An email is writable on
creation only; on an update it becomes a second address. External ids are compared without regard to case.
"""

from __future__ import annotations

import json
import re
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import AGENTS, GROUP_ID, Account, address
from isthmus.connectors.support.zendesk.sandbox.answers import as_id, duplicate, invalid, not_found
from isthmus.connectors.support.zendesk.sandbox.events import Events
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.connectors.support.zendesk.sandbox.organizations import tags_of
from isthmus.connectors.support.zendesk.sandbox.tables import as_text, key_of
from isthmus.sandkit.world import Row

ROLES = ("end-user", *AGENTS)
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s.,;<>\"]+(\.[^@\s.,;<>\"]+)+")
_FREE = ("phone", "alias", "details", "notes", "signature", "suspended", "time_zone", "locale_id", "ticket_restriction")
_FIXED: Row = {
    "alias": None,
    "active": True,
    "custom_role_id": None,
    "details": "",
    "iana_time_zone": "Europe/Berlin",
    "last_login_at": None,
    "locale": "en-US",
    "locale_id": 1,
    "moderator": False,
    "notes": "",
    "only_private_comments": False,
    "phone": None,
    "photo": None,
    "report_csv": False,
    "restricted_agent": True,
    "role_type": None,
    "shared": False,
    "shared_agent": False,
    "shared_phone_number": None,
    "signature": None,
    "suspended": False,
    "time_zone": "Berlin",
    "two_factor_auth_enabled": False,
    "verified": False,
}


class People:
    """The acts on users, used by their endpoints, by bulk work, by tickets and by people."""

    def __init__(self, account: Account, fields: Fields, events: Events) -> None:
        self._account, self._fields, self._events = account, fields, events
        self._shelf = account.users

    def create_or_update(self, given: Row) -> tuple[Row, bool]:
        """The user after it, and whether it is new. Matches by external id, else by any email address."""
        found = None
        if given.get("external_id"):
            found = self._shelf.find("external_key", key_of(str(given["external_id"])))
        if found is None and given.get("email"):
            found = self.by_email(str(given["email"]))
        return (self.create(given), True) if found is None else (self.update(found, given), False)

    def create(self, given: Row) -> Row:
        """A new user. Raises Refusal 422."""
        now = self._account.now()
        email = str(given["email"]).strip() if given.get("email") else None
        body: Row = {"id": 0, "name": "", "email": email, "created_at": now, "updated_at": now, **_FIXED}
        body |= {"external_id": None, "organization_id": None, "role": "end-user", "tags": [], "user_fields": {}}
        body["verified"] = bool(given.get("verified", False))
        body = self._applied(body, given)
        if not body["name"]:
            raise invalid("name", "Name: is too short (minimum is 1 characters)", "ValueTooShort")
        body["default_group_id"] = GROUP_ID if body["role"] in AGENTS else None
        organization_id = body["organization_id"]
        if organization_id is None and email:
            organization_id = self._organization_of(email)
        body["organization_id"] = organization_id
        body["id"] = self._account.new_id()
        addresses = [{"type": "email", "value": email, "verified": body["verified"]}] if email else []
        for found in [*addresses, *(given.get("identities") or [])]:
            self.add_identity(body, found, quietly=True)
        self._shelf.add(body, self._account.clock.timestamp())
        if organization_id is not None:
            self.join(body, organization_id, default=True, quietly=True)
        if self._events.heard("user"):
            self._events.tell("user", "created", body, {})
        return body

    def update(self, before: Row, given: Row) -> Row:
        """The user with what was given; nothing is touched where nothing differs. Raises Refusal 422."""
        after = self._applied(before, given)
        email = str(given.get("email") or "").strip()
        if email and key_of(email) != key_of(before["email"]):
            self._second_address(after, email)
        if after == before:
            return before
        after["updated_at"] = self._account.now()
        if after["organization_id"] != before["organization_id"]:
            self._change_organization(after, before["organization_id"])
        if after["role"] != before["role"]:
            self._account.sign_ins_changed()
        self._shelf.keep(after, self._account.clock.timestamp())
        self._events.tell_changes("user", before, after)
        old, new = before["user_fields"], after["user_fields"]
        self._events.tell_fields("user", after, old, new, self._fields.of("user"))
        return after

    def delete(self, row: Row) -> Row:
        """Delete softly: the user stays to be seen, inactive, and gives its addresses free."""
        self._account.sign_ins_changed()
        row |= {"active": False, "updated_at": self._account.now()}
        self._shelf.keep(row, self._account.clock.timestamp(), deleted=True)
        for table in ("identity", "membership"):
            self._account.world.execute(f"DELETE FROM {table} WHERE user_id = ?", (row["id"],))  # noqa: S608
        self._events.tell("user", "deleted", row, {})
        return row

    def one(self, row_id: int, *, deleted: bool = False) -> Row:
        """A user by id. Raises Refusal 404."""
        found = self._shelf.get(row_id, deleted=deleted)
        if found is None:
            raise not_found()
        return found

    def by_email(self, email: str) -> Row | None:
        """The user to whom an address belongs, the first or a second one."""
        sql = "SELECT user_id FROM identity WHERE type = 'email' AND value_key = ?"
        user_id = self._account.world.value(sql, (key_of(email),))
        return None if user_id is None else self._shelf.get(user_id)

    def present(self, body: Row, root: str) -> Row:
        """The user as it goes out."""
        shown = {"url": address(root, "users", body["id"]), **body}
        shown["user_fields"] = self._fields.shown("user", body["user_fields"])
        return shown

    # Addresses ------------------------------------------------------------------------------------

    def add_identity(self, user: Row, given: Row, *, quietly: bool = False) -> Row:
        """One more address of a user. Raises Refusal 422 for one that is wrong or somebody's already."""
        kind, value = str(given.get("type") or "email"), str(given.get("value") or "").strip()
        if kind == "email" and not _EMAIL.fullmatch(value):
            raise invalid("email", f"Email: {value} is not properly formatted")
        world = self._account.world
        if world.row("SELECT 1 FROM identity WHERE type = ? AND value_key = ?", (kind, key_of(value))):
            name = "Email" if kind == "email" else "Value"
            raise duplicate(
                "email" if kind == "email" else "value", f"{name}: {value} is already being used by another user"
            )
        first = user["email"] == value and kind == "email"
        now = self._account.now()
        body = {"id": self._account.new_id(), "user_id": user["id"], "type": kind, "value": value}
        body |= {"verified": bool(given.get("verified")), "primary": first, "created_at": now, "updated_at": now}
        if kind == "email":
            body |= {"undeliverable_count": 0, "deliverable_state": "deliverable"}
        stored = {"id": body["id"], "user_id": user["id"], "type": kind, "value_key": key_of(value)}
        world.insert("identity", {**stored, "body": as_text(body)})
        if not quietly and self._events.heard("user"):
            self._events.tell("user", "identity_created", user, {"identity": {**body, "id": str(body["id"])}})
        return body

    def identities(self, user_id: int) -> list[Row]:
        """The addresses of a user, the first one first."""
        sql = "SELECT body FROM identity WHERE user_id = ? ORDER BY id"
        found = [json.loads(row["body"]) for row in self._account.world.rows(sql, (user_id,))]
        return sorted(found, key=lambda row: not row["primary"])

    def keep_identity(self, row: Row) -> None:
        """Write a changed address back."""
        row["updated_at"] = self._account.now()
        stored = {"value_key": key_of(row["value"]), "body": as_text(row)}
        self._account.world.update("identity", stored, {"id": row["id"]})

    def make_primary(self, user: Row, chosen: Row) -> None:
        """Make one email address the user's first one."""
        for row in self.identities(user["id"]):
            if row["type"] == "email" and row["primary"] != (row["id"] == chosen["id"]):
                self.keep_identity({**row, "primary": row["id"] == chosen["id"]})
        user |= {"email": chosen["value"], "updated_at": self._account.now()}
        self._shelf.keep(user, self._account.clock.timestamp())

    def _second_address(self, user: Row, email: str) -> None:
        if user["email"] is None:
            user["email"] = email
            self.add_identity(user, {"value": email})
        elif all(
            row["type"] != "email" or key_of(row["value"]) != key_of(email) for row in self.identities(user["id"])
        ):
            self.add_identity(user, {"value": email})

    # Memberships ----------------------------------------------------------------------------------

    def join(self, user: Row, organization_id: int, *, default: bool, quietly: bool = False) -> Row:
        """Make a user a member of an organization; where they are one already, that membership."""
        world = self._account.world
        sql = "SELECT body FROM membership WHERE user_id = ? AND organization_id = ?"
        found = world.value(sql, (user["id"], organization_id))
        if default:
            no_default = "UPDATE membership SET body = json_set(body, '$.default', json('false')) WHERE user_id = ?"
            world.execute(no_default, (user["id"],))
        if found is not None:
            body = {**json.loads(found), "default": default or json.loads(found)["default"]}
            world.update("membership", {"body": as_text(body)}, {"id": body["id"]})
            return body
        now, name = self._account.now(), self._organization(organization_id)["name"]
        body = {"id": self._account.new_id(), "user_id": user["id"], "organization_id": organization_id}
        body |= {
            "default": default,
            "organization_name": name,
            "view_tickets": True,
            "created_at": now,
            "updated_at": now,
        }
        stored = {"id": body["id"], "user_id": user["id"], "organization_id": organization_id}
        world.insert("membership", {**stored, "body": as_text(body)})
        if not quietly and self._events.heard("user"):
            event = {"organization": {"id": str(organization_id), "name": name}}
            self._events.tell("user", "organization_membership_created", user, event)
        return body

    def _change_organization(self, user: Row, old: int | None) -> None:
        if user["organization_id"] is not None:
            self.join(user, user["organization_id"], default=True)
            return
        sql = "DELETE FROM membership WHERE user_id = ? AND organization_id = ?"
        self._account.world.execute(sql, (user["id"], old))

    def _applied(self, before: Row, given: Row) -> Row:
        after = {**before, **{name: given[name] for name in _FREE if name in given}}
        if given.get("name") is not None:
            after["name"] = str(given["name"]).strip()
        if given.get("role") is not None:
            if given["role"] not in ROLES:
                raise invalid("role", f"Role: {given['role']} is not one of {', '.join(ROLES)}")
            after["role"] = given["role"]
        if "external_id" in given:
            after["external_id"] = str(given["external_id"]) if given["external_id"] else None
            holder = self._shelf.find("external_key", key_of(after["external_id"])) if after["external_id"] else None
            if holder is not None and holder["id"] != before["id"]:
                raise duplicate("external_id", "External has already been taken")
        if "organization_id" in given:
            given_id = given["organization_id"]
            after["organization_id"] = self._organization(given_id)["id"] if given_id else None
        if given.get("tags") is not None:
            after["tags"] = tags_of(given["tags"])
        fields = given.get("user_fields")
        if isinstance(fields, dict):
            values, tags = before["user_fields"], after["tags"]
            after["user_fields"], after["tags"] = self._fields.applied("user", values, fields, tags)
        return after

    def _organization(self, organization_id: Any) -> Row:
        found = self._account.organizations.get(as_id(organization_id, "organization_id"))
        if found is None:
            raise invalid("organization", f"Organization: {organization_id} is invalid")
        return found

    def _organization_of(self, email: str) -> int | None:
        domain = email.rpartition("@")[2].lower()
        sql = "SELECT organization_id FROM organization_domain WHERE domain = ? LIMIT 1"
        found: int | None = self._account.world.value(sql, (domain,))
        return found
