"""The endpoints of users, their identities and their memberships.

Source: developer.zendesk.com, "Users", "User identities", "Organization memberships".
"""

from __future__ import annotations

import json

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import (
    as_id,
    duplicate,
    forbidden,
    no_content,
    not_found,
    ok,
    path_id,
    sent_object,
)
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations, counted, many
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, all_of, page
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

SORTS = {"id": "id", "created_at": "created_at", "updated_at": "updated_at", "role": "role"}


class Users:
    """Endpoints below ``/users`` and ``/organization_memberships``."""

    def __init__(self, account: Account, people: People, organizations: Organizations) -> None:
        self._account, self._people, self._organizations = account, people, organizations

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/users", self._listed)
        on("POST", "/users", self._created)
        on("POST", "/users/create_or_update", self._upserted)
        on("GET", "/users/me", self._me, anybody=True)
        on("GET", "/users/show_many", self._shown_many)
        on("GET", "/users/count", self._counted)
        on("GET", "/users/{id}", self._shown)
        on("PUT", "/users/{id}", self._updated)
        on("DELETE", "/users/{id}", self._deleted)
        on("GET", "/organizations/{id}/users", self._of_organization)
        on("GET", "/users/{id}/organizations", self._organizations_of)
        on("GET", "/users/{id}/identities", self._identities)
        on("POST", "/users/{id}/identities", self._identity_created)
        on("GET", "/users/{id}/identities/{identity}", self._identity_shown)
        on("PUT", "/users/{id}/identities/{identity}", self._identity_updated)
        on("DELETE", "/users/{id}/identities/{identity}", self._identity_deleted)
        on("PUT", "/users/{id}/identities/{identity}/make_primary", self._identity_first)
        on("PUT", "/users/{id}/identities/{identity}/verify", self._identity_verified)
        on("GET", "/organization_memberships", self._memberships)
        on("POST", "/organization_memberships", self._membership_created)
        on("GET", "/organization_memberships/{membership}", self._membership_shown)
        on("DELETE", "/organization_memberships/{membership}", self._membership_deleted)
        on("GET", "/users/{id}/organization_memberships", self._memberships_of_user)
        on("POST", "/users/{id}/organization_memberships", self._membership_created)
        on("GET", "/organizations/{id}/organization_memberships", self._memberships_of_organization)
        on("PUT", "/users/{id}/organization_memberships/{membership}/make_default", self._membership_default)

    # Users ----------------------------------------------------------------------------------------

    def _answer(self, request: Request, body: Row, status: int = 200) -> Answer:
        answer = ok({"user": self._people.present(body, request.root)}, status)
        if status == 201:
            answer.headers["Location"] = address(request.root, "users", body["id"])
        return answer

    def _page(self, request: Request, where: str, *values: object) -> Answer:
        listing = Listing("users", "user", where, values, SORTS)
        return ok(page(request, self._account.world, listing, lambda body: self._people.present(body, request.root)))

    def _listed(self, request: Request, caller: Caller) -> Answer:
        roles = [value for name, value in request.query if name in ("role", "role[]")]
        if roles:
            return self._page(request, f"deleted = 0 AND role IN ({', '.join('?' for _ in roles)})", *roles)
        return self._page(request, "deleted = 0")

    def _of_organization(self, request: Request, caller: Caller) -> Answer:
        row = self._organizations.one(path_id(request))
        where = "deleted = 0 AND id IN (SELECT user_id FROM membership WHERE organization_id = ?)"
        return self._page(request, where, row["id"])

    def _me(self, request: Request, caller: Caller) -> Answer:
        return self._answer(request, self._people.one(caller.user_id))

    def _shown(self, request: Request, caller: Caller) -> Answer:
        return self._answer(request, self._people.one(path_id(request), deleted=True))

    def _shown_many(self, request: Request, caller: Caller) -> Answer:
        found = many(request, self._account.users)
        return ok(all_of("users", [self._people.present(row, request.root) for row in found]))

    def _counted(self, request: Request, caller: Caller) -> Answer:
        return ok(counted(self._account, "user"))

    def _created(self, request: Request, caller: Caller) -> Answer:
        given = self._allowed(sent_object(request, "user"), caller)
        return self._answer(request, self._people.create(given), 201)

    def _upserted(self, request: Request, caller: Caller) -> Answer:
        given = self._allowed(sent_object(request, "user"), caller)
        body, new = self._people.create_or_update(given)
        return self._answer(request, body, 201 if new else 200)

    def _updated(self, request: Request, caller: Caller) -> Answer:
        given = self._allowed(sent_object(request, "user"), caller)
        return self._answer(request, self._people.update(self._people.one(path_id(request)), given))

    def _deleted(self, request: Request, caller: Caller) -> Answer:
        row = self._people.one(path_id(request))
        if row["role"] == "admin" and caller.role != "admin":
            raise forbidden()
        return self._answer(request, self._people.delete(row))

    def _allowed(self, given: Row, caller: Caller) -> Row:
        if given.get("role") not in (None, "end-user") and caller.role != "admin":
            raise forbidden()
        return given

    def _organizations_of(self, request: Request, caller: Caller) -> Answer:
        user = self._people.one(path_id(request))
        where = "deleted = 0 AND id IN (SELECT organization_id FROM membership WHERE user_id = ?)"
        listing = Listing("organizations", "organization", where, (user["id"],))
        show = self._organizations.present
        return ok(page(request, self._account.world, listing, lambda body: show(body, request.root)))

    # Identities -----------------------------------------------------------------------------------

    def _identity(self, request: Request) -> Row:
        user_id, row_id = path_id(request), path_id(request, "identity")
        sql = "SELECT body FROM identity WHERE id = ? AND user_id = ?"
        found = self._account.world.value(sql, (row_id, user_id))
        if found is None:
            raise not_found()
        return dict(json.loads(found))

    def _identity_answer(self, request: Request, row: Row, status: int = 200) -> Answer:
        return ok({"identity": _identity_shown(row, request.root)}, status)

    def _identities(self, request: Request, caller: Caller) -> Answer:
        user = self._people.one(path_id(request))
        listing = Listing("identities", "identity", "user_id = ?", (user["id"],))
        world = self._account.world
        return ok(page(request, world, listing, lambda body: _identity_shown(body, request.root)))

    def _identity_created(self, request: Request, caller: Caller) -> Answer:
        user = self._people.one(path_id(request))
        row = self._people.add_identity(user, sent_object(request, "identity"))
        return self._identity_answer(request, row, 201)

    def _identity_shown(self, request: Request, caller: Caller) -> Answer:
        return self._identity_answer(request, self._identity(request))

    def _identity_updated(self, request: Request, caller: Caller) -> Answer:
        row, given = self._identity(request), sent_object(request, "identity")
        row |= {name: given[name] for name in ("verified", "value") if name in given}
        self._people.keep_identity(row)
        return self._identity_answer(request, row)

    def _identity_deleted(self, request: Request, caller: Caller) -> Answer:
        self._account.world.execute("DELETE FROM identity WHERE id = ?", (self._identity(request)["id"],))
        return no_content()

    def _identity_first(self, request: Request, caller: Caller) -> Answer:
        user = self._people.one(path_id(request))
        self._people.make_primary(user, self._identity(request))
        rows = [_identity_shown(row, request.root) for row in self._people.identities(user["id"])]
        return ok(all_of("identities", rows))

    def _identity_verified(self, request: Request, caller: Caller) -> Answer:
        row = {**self._identity(request), "verified": True}
        self._people.keep_identity(row)
        return self._identity_answer(request, row)

    # Memberships ----------------------------------------------------------------------------------

    def _membership(self, request: Request) -> Row:
        sql = "SELECT body FROM membership WHERE id = ?"
        found = self._account.world.value(sql, (path_id(request, "membership"),))
        if found is None:
            raise not_found()
        return dict(json.loads(found))

    def _membership_page(self, request: Request, where: str, *values: object) -> Answer:
        listing = Listing("organization_memberships", "membership", where, values)
        return ok(page(request, self._account.world, listing, lambda body: _membership_shown(body, request.root)))

    def _memberships(self, request: Request, caller: Caller) -> Answer:
        return self._membership_page(request, "1")

    def _memberships_of_user(self, request: Request, caller: Caller) -> Answer:
        return self._membership_page(request, "user_id = ?", self._people.one(path_id(request))["id"])

    def _memberships_of_organization(self, request: Request, caller: Caller) -> Answer:
        return self._membership_page(request, "organization_id = ?", self._organizations.one(path_id(request))["id"])

    def _membership_shown(self, request: Request, caller: Caller) -> Answer:
        return ok({"organization_membership": _membership_shown(self._membership(request), request.root)})

    def _membership_created(self, request: Request, caller: Caller) -> Answer:
        given = sent_object(request, "organization_membership")
        user = self._people.one(as_id(request.params.get("id") or given.get("user_id"), "user_id"))
        organization = self._organizations.one(as_id(given.get("organization_id"), "organization_id"))
        sql = "SELECT 1 FROM membership WHERE user_id = ? AND organization_id = ?"
        if self._account.world.row(sql, (user["id"], organization["id"])):
            raise duplicate("user_id", "User: has already been taken")
        default = bool(given.get("default")) or user["organization_id"] is None
        if default:
            self._people.update(user, {"organization_id": organization["id"]})
        row = self._people.join(user, organization["id"], default=default)
        return ok({"organization_membership": _membership_shown(row, request.root)}, 201)

    def _membership_deleted(self, request: Request, caller: Caller) -> Answer:
        row = self._membership(request)
        self._account.world.execute("DELETE FROM membership WHERE id = ?", (row["id"],))
        user = self._people.one(row["user_id"])
        if user["organization_id"] == row["organization_id"]:
            sql = "SELECT organization_id FROM membership WHERE user_id = ? ORDER BY id"
            self._people.update(user, {"organization_id": self._account.world.value(sql, (user["id"],))})
        return no_content()

    def _membership_default(self, request: Request, caller: Caller) -> Answer:
        row = self._membership(request)
        self._people.update(self._people.one(row["user_id"]), {"organization_id": row["organization_id"]})
        return self._memberships_of_user(request, caller)


def _identity_shown(row: Row, root: str) -> Row:
    return {"url": address(root, f"users/{row['user_id']}/identities", row["id"]), **row}


def _membership_shown(row: Row, root: str) -> Row:
    return {"url": address(root, "organization_memberships", row["id"]), **row}
