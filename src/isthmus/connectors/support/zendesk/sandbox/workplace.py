"""What an account is set up with: settings, groups, brands, ticket forms, finished merges.

Source: developer.zendesk.com, "Account settings", "Groups", "Brands", "Ticket forms".
"""

from __future__ import annotations

import json

from isthmus.connectors.support.zendesk.sandbox.account import BRAND_ID, GROUP_ID, Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import invalid, not_found, ok, path_id, sent_object
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, all_of, page
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

_BORN = "2020-01-06T08:00:00Z"
_SETTINGS: Row = {
    "active_features": {
        "csat": False,
        "ticket_forms": True,
        "user_org_fields": True,
        "organization_access_enabled": True,
    },
    "api": {"accepted_api_agreement": True, "api_password_access": False, "api_token_access": True},
    "brands": {"default_brand_id": BRAND_ID, "require_brand_on_new_tickets": False},
    "limits": {"attachment_size": 52_428_800},
    "tickets": {"comments_public_by_default": True, "tagging": True, "list_newest_comments_first": True},
    "user": {"tagging": True, "multiple_organizations": True, "have_gravatars_enabled": False},
}


class Workplace:
    """Endpoints that tell how the account is set up."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/account/settings", lambda request, caller: ok({"settings": _SETTINGS}))
        on("GET", "/groups", lambda request, caller: ok(all_of("groups", [_group(request)])))
        on("GET", "/groups/{id}", self._group)
        on("GET", "/brands", lambda request, caller: ok(all_of("brands", [_brand(request)])))
        on("GET", "/ticket_forms", self._forms)
        on("POST", "/ticket_forms", self._form_created, admin=True)
        on("GET", "/ticket_forms/{id}", self._form)
        on("GET", "/organization_merges/{id}", self._merge)

    def form_named(self, name: str) -> int:
        """The id of a ticket form."""
        sql = "SELECT id FROM ticket_form WHERE json_extract(body, '$.name') = ?"
        return int(self._account.world.value(sql, (name,)))

    def add_form(self, name: str, field_ids: list[int], *, default: bool = False) -> Row:
        """A new ticket form with these custom fields."""
        world, now = self._account.world, self._account.now()
        position = world.value("SELECT count(*) FROM ticket_form") + 1
        body: Row = {"id": self._account.new_id(), "name": name, "raw_name": name, "display_name": name}
        body |= {
            "position": position,
            "active": True,
            "default": default,
            "end_user_visible": True,
            "in_all_brands": True,
        }
        body |= {"restricted_brand_ids": [], "ticket_field_ids": field_ids, "created_at": now, "updated_at": now}
        world.insert("ticket_form", {"id": body["id"], "position": position, "body": as_text(body)})
        return body

    def _forms(self, request: Request, caller: Caller) -> Answer:
        listing = Listing("ticket_forms", "ticket_form", sorts={"position": "position", "id": "id"}, sort="position")
        return ok(page(request, self._account.world, listing, lambda body: _form_shown(request, body)))

    def _form(self, request: Request, caller: Caller) -> Answer:
        found = self._account.world.value("SELECT body FROM ticket_form WHERE id = ?", (path_id(request),))
        if found is None:
            raise not_found()
        return ok({"ticket_form": _form_shown(request, json.loads(found))})

    def _form_created(self, request: Request, caller: Caller) -> Answer:
        given = sent_object(request, "ticket_form")
        if not given.get("name"):
            raise invalid("name", "Name: cannot be blank", "BlankValue")
        body = self.add_form(str(given["name"]), list(given.get("ticket_field_ids") or []))
        return ok({"ticket_form": _form_shown(request, body)}, 201)

    def _group(self, request: Request, caller: Caller) -> Answer:
        if path_id(request) != GROUP_ID:
            raise not_found()
        return ok({"group": _group(request)})

    def _merge(self, request: Request, caller: Caller) -> Answer:
        found = self._account.world.value("SELECT body FROM organization_merge WHERE id = ?", (request.params["id"],))
        if found is None:
            raise not_found()
        return ok({"organization_merge": json.loads(found)})


def _form_shown(request: Request, body: Row) -> Row:
    return {"url": address(request.root, "ticket_forms", body["id"]), **body}


def _group(request: Request) -> Row:
    group = {"url": address(request.root, "groups", GROUP_ID), "id": GROUP_ID, "name": "Support", "description": ""}
    return {**group, "default": True, "deleted": False, "is_public": True, "created_at": _BORN, "updated_at": _BORN}


def _brand(request: Request) -> Row:
    brand = {"url": address(request.root, "brands", BRAND_ID), "id": BRAND_ID, "name": "Sonnwerk", "active": True}
    return {**brand, "default": True, "subdomain": "sonnwerk", "created_at": _BORN, "updated_at": _BORN}
