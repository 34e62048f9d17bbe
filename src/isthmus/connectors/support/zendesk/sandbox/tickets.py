"""The endpoints of tickets, their comments and audits, and of tags.

Source: developer.zendesk.com, "Tickets", "Ticket comments", "Ticket audits", "Tags". ``Idempotency-Key`` is heard on
``POST /tickets`` only and kept for two hours.
"""

from __future__ import annotations

import hashlib
import json

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import (
    as_id,
    invalid,
    listed_values,
    no_content,
    not_found,
    ok,
    path_id,
    refusal,
    sent,
    sent_object,
)
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations, counted, tags_of
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, all_of, page
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.connectors.support.zendesk.sandbox.ticketing import Ticketing
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

SORTS = {name: name for name in ("id", "created_at", "updated_at", "status", "external_id")}
KEY_LASTS_S = 2 * 3600
KEY_LENGTH_MAX = 255
_OF_CONVERSATION = {"id": "id", "created_at": "created_at"}


class Tickets:
    """Endpoints below ``/tickets``, and the lists of tickets of users and organizations."""

    def __init__(self, account: Account, ticketing: Ticketing, people: People, organizations: Organizations) -> None:
        self._account, self._ticketing = account, ticketing
        self._people, self._organizations = people, organizations

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/tickets", self._listed)
        on("POST", "/tickets", self._created, anybody=True)
        on("GET", "/tickets/show_many", self._shown_many)
        on("GET", "/tickets/count", self._counted)
        on("GET", "/tickets/{id}", self._shown)
        on("PUT", "/tickets/{id}", self._updated)
        on("DELETE", "/tickets/{id}", self._deleted)
        on("GET", "/tickets/{id}/comments", self._comments)
        on("GET", "/tickets/{id}/audits", self._audits)
        on("GET", "/tickets/{id}/audits/{audit}", self._audit)
        on("GET", "/deleted_tickets", self._gone)
        on("PUT", "/deleted_tickets/{id}/restore", self._restored)
        on("GET", "/organizations/{id}/tickets", self._of_organization)
        on("GET", "/users/{id}/tickets/requested", self._requested)
        on("GET", "/users/{id}/tickets/assigned", self._assigned)
        for kind in ("tickets", "users", "organizations"):
            on("GET", f"/{kind}/{{id}}/tags", self._tags)
            on("PUT", f"/{kind}/{{id}}/tags", self._tags_added)
            on("POST", f"/{kind}/{{id}}/tags", self._tags_set)
            on("DELETE", f"/{kind}/{{id}}/tags", self._tags_removed)

    def _present(self, request: Request, body: Row) -> Row:
        return self._ticketing.present(body, request.root)

    def _page(self, request: Request, where: str, *values: object, name: str = "tickets") -> Answer:
        listing = Listing(name, "ticket", where, values, SORTS)
        answer = page(request, self._account.world, listing, lambda body: self._present(request, body))
        return ok({**answer, **self._sideloaded(request, answer[name])})

    def _sideloaded(self, request: Request, shown: list[Row]) -> Row:
        """The users and organizations of the tickets shown, where ``include`` asks for them."""
        asked, more = listed_values(request, "include"), {}
        if "users" in asked:
            ids = {row[name] for row in shown for name in ("requester_id", "submitter_id", "assignee_id")}
            users = [self._account.users.get(row_id) for row_id in sorted(ids - {None})]
            more["users"] = [self._people.present(row, request.root) for row in users if row]
        if "organizations" in asked:
            ids = {row["organization_id"] for row in shown}
            rows = [self._account.organizations.get(row_id) for row_id in sorted(ids - {None})]
            more["organizations"] = [self._organizations.present(row, request.root) for row in rows if row]
        return more

    # Reading --------------------------------------------------------------------------------------

    def _listed(self, request: Request, caller: Caller) -> Answer:
        external_id = request.argument("external_id")
        if external_id is not None:
            return self._page(request, "deleted = 0 AND external_id = ?", external_id)
        return self._page(request, "deleted = 0")

    def _of_organization(self, request: Request, caller: Caller) -> Answer:
        row = self._organizations.one(path_id(request))
        return self._page(request, "deleted = 0 AND organization_id = ?", row["id"])

    def _requested(self, request: Request, caller: Caller) -> Answer:
        return self._page(request, "deleted = 0 AND requester_id = ?", self._people.one(path_id(request))["id"])

    def _assigned(self, request: Request, caller: Caller) -> Answer:
        return self._page(request, "deleted = 0 AND assignee_id = ?", self._people.one(path_id(request))["id"])

    def _gone(self, request: Request, caller: Caller) -> Answer:
        listing = Listing("deleted_tickets", "ticket", "deleted = 1", (), SORTS)
        return ok(page(request, self._account.world, listing, _deleted_shown))

    def _shown(self, request: Request, caller: Caller) -> Answer:
        shown = self._present(request, self._ticketing.one(path_id(request)))
        return ok({"ticket": shown, **self._sideloaded(request, [shown])})

    def _shown_many(self, request: Request, caller: Caller) -> Answer:
        found = [self._account.tickets.get(as_id(value, "ids")) for value in listed_values(request, "ids")]
        shown = [self._present(request, row) for row in found if row]
        return ok({**all_of("tickets", shown), **self._sideloaded(request, shown)})

    def _counted(self, request: Request, caller: Caller) -> Answer:
        return ok(counted(self._account, "ticket"))

    def _comments(self, request: Request, caller: Caller) -> Answer:
        ticket = self._ticketing.one(path_id(request))
        listing = Listing("comments", "comment", "ticket_id = ?", (ticket["id"],), _OF_CONVERSATION)
        answer = page(request, self._account.world, listing, lambda body: body)
        if "users" in listed_values(request, "include"):
            users = [self._account.users.get(n) for n in sorted({row["author_id"] for row in answer["comments"]})]
            answer["users"] = [self._people.present(row, request.root) for row in users if row]
        return ok(answer)

    def _audits(self, request: Request, caller: Caller) -> Answer:
        ticket = self._ticketing.one(path_id(request))
        listing = Listing("audits", "audit", "ticket_id = ?", (ticket["id"],), _OF_CONVERSATION)
        return ok(page(request, self._account.world, listing, lambda body: body))

    def _audit(self, request: Request, caller: Caller) -> Answer:
        sql = "SELECT body FROM audit WHERE id = ? AND ticket_id = ?"
        found = self._account.world.value(sql, (path_id(request, "audit"), path_id(request)))
        if found is None:
            raise not_found()
        return ok({"audit": json.loads(found)})

    # Writing --------------------------------------------------------------------------------------

    def _created(self, request: Request, caller: Caller) -> Answer:
        key = request.headers.get("idempotency-key")
        if key is None:
            return self._create(request, caller)
        if not 0 < len(key) <= KEY_LENGTH_MAX:
            sentence = f"The idempotency key must have 1 to {KEY_LENGTH_MAX} characters"
            raise refusal(400, "IdempotentRequestError", sentence)
        known = self._remembered(key, request)
        if known is not None:
            return known
        answer = self._create(request, caller)
        expires = self._account.clock.timestamp() + KEY_LASTS_S
        row = (key, _digest(request), as_text(answer.body), expires)
        self._account.world.execute("INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?)", row)
        answer.headers["x-idempotency-lookup"] = "miss"
        return answer

    def _remembered(self, key: str, request: Request) -> Answer | None:
        sql = "SELECT * FROM idempotency WHERE key = ? AND expires > ?"
        known = self._account.world.row(sql, (key, self._account.clock.timestamp()))
        if known is None:
            return None
        if known["digest"] != _digest(request):
            sentence = "Request parameters don't match the given idempotency key"
            raise refusal(400, "IdempotentRequestError", sentence)
        answer = ok(json.loads(known["answer"]), 201)
        answer.headers["x-idempotency-lookup"] = "hit"
        return answer

    def _create(self, request: Request, caller: Caller) -> Answer:
        given = sent_object(request, "ticket")
        if not caller.is_agent:
            given = {
                name: given[name] for name in ("subject", "comment", "custom_fields", "external_id") if name in given
            }
        body, audit = self._ticketing.create(given, caller)
        answer = ok({"ticket": self._present(request, body), "audit": audit}, 201)
        answer.headers["Location"] = address(request.root, "tickets", body["id"])
        return answer

    def _updated(self, request: Request, caller: Caller) -> Answer:
        before = self._ticketing.one(path_id(request))
        body, audit = self._ticketing.update(before, sent_object(request, "ticket"), caller)
        return ok({"ticket": self._present(request, body), "audit": audit})

    def _deleted(self, request: Request, caller: Caller) -> Answer:
        self._ticketing.delete(self._ticketing.one(path_id(request)), caller)
        return no_content()

    def _restored(self, request: Request, caller: Caller) -> Answer:
        found = self._account.tickets.get(path_id(request), deleted=True)
        if found is None or found["status"] != "deleted":
            raise not_found()
        self._ticketing.restore(found, caller)
        return ok({})

    # Tags -----------------------------------------------------------------------------------------

    def _tags(self, request: Request, caller: Caller) -> Answer:
        return ok({"tags": self._tagged(request)["tags"]})

    def _tags_added(self, request: Request, caller: Caller) -> Answer:
        row, given = self._tagged(request), _given_tags(request)
        return self._retagged(request, row, [*row["tags"], *given], caller)

    def _tags_set(self, request: Request, caller: Caller) -> Answer:
        answer = self._retagged(request, self._tagged(request), _given_tags(request), caller)
        answer.status = 201
        return answer

    def _tags_removed(self, request: Request, caller: Caller) -> Answer:
        row, given = self._tagged(request), _given_tags(request)
        return self._retagged(request, row, [tag for tag in row["tags"] if tag not in given], caller)

    def _tagged(self, request: Request) -> Row:
        kind, row_id = request.raw_path.split("/")[3], path_id(request)
        if kind == "tickets":
            return self._ticketing.one(row_id)
        return self._people.one(row_id) if kind == "users" else self._organizations.one(row_id)

    def _retagged(self, request: Request, row: Row, tags: list[str], caller: Caller) -> Answer:
        kind = request.raw_path.split("/")[3]
        if kind == "tickets":
            return ok({"tags": self._ticketing.update(row, {"tags": tags}, caller)[0]["tags"]})
        keeper = self._people if kind == "users" else self._organizations
        return ok({"tags": keeper.update(row, {"tags": tags})["tags"]})


def _given_tags(request: Request) -> list[str]:
    given = sent(request)
    if not isinstance(given, dict) or "tags" not in given:
        raise invalid("tags", "Tags: cannot be blank", "BlankValue")
    return tags_of(given["tags"])


def _deleted_shown(body: Row) -> Row:
    shown = {name: body[name] for name in ("id", "subject", "description")}
    return {**shown, "deleted_at": body["updated_at"], "previous_state": body.get("status_before")}


def _digest(request: Request) -> str:
    same = json.dumps([request.query, sent(request)], sort_keys=True)
    return hashlib.sha256(same.encode()).hexdigest()
