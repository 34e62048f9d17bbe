"""Organizations: the customers, with a unique name, a unique external id and custom fields.

Source: developer.zendesk.com, "Organizations". Names and external ids are compared without regard to case.
"""

from __future__ import annotations

from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import (
    as_id,
    duplicate,
    invalid,
    listed_values,
    no_content,
    not_found,
    ok,
    part,
    path_id,
    sent,
    sent_object,
)
from isthmus.connectors.support.zendesk.sandbox.events import Events
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, all_of, page
from isthmus.connectors.support.zendesk.sandbox.tables import Shelf, as_text, key_of
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

_FREE = ("details", "notes", "group_id", "shared_tickets", "shared_comments")
SORTS = {"id": "id", "name": "name_key", "created_at": "created_at", "updated_at": "updated_at"}


class Organizations:
    """Endpoints below ``/organizations``, and the acts that other topics and people use."""

    def __init__(self, account: Account, fields: Fields, events: Events) -> None:
        self._account, self._fields, self._events = account, fields, events
        self._shelf = account.organizations

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/organizations", self._listed)
        on("POST", "/organizations", self._created)
        on("POST", "/organizations/create_or_update", self._upserted)
        on("GET", "/organizations/show_many", self._shown_many)
        on("GET", "/organizations/search", self._searched)
        on("GET", "/organizations/autocomplete", self._completed)
        on("GET", "/organizations/count", self._counted)
        on("GET", "/organizations/{id}", self._shown)
        on("PUT", "/organizations/{id}", self._updated)
        on("DELETE", "/organizations/{id}", self._deleted)
        on("POST", "/organizations/{id}/merge", self._merged, admin=True)

    # Acts -----------------------------------------------------------------------------------------

    def create_or_update(self, given: Row) -> tuple[Row, bool]:
        """The organization after it, and whether it is new. Matches by id, else by external id."""
        found = None
        if given.get("id"):
            found = self._shelf.get(as_id(given["id"]))
        elif given.get("external_id"):
            found = self._shelf.find("external_key", key_of(str(given["external_id"])))
        return (self.create(given), True) if found is None else (self.update(found, given), False)

    def create(self, given: Row) -> Row:
        """A new organization. Raises Refusal 422."""
        now = self._account.now()
        body: Row = {"id": 0, "name": "", "shared_tickets": False, "shared_comments": False, "external_id": None}
        body |= {"created_at": now, "updated_at": now, "domain_names": [], "details": "", "notes": "", "group_id": None}
        body |= {"tags": [], "organization_fields": {}, "deleted_at": None}
        body = self._applied(body, given)
        if not body["name"]:
            raise invalid("name", "Name: cannot be blank", "BlankValue")
        body["id"] = self._account.new_id()
        self._shelf.add(body, self._account.clock.timestamp())
        self._keep_domains(body)
        if self._events.heard("organization"):
            self._events.tell("organization", "created", body, {})
        return body

    def update(self, before: Row, given: Row) -> Row:
        """The organization with what was given; nothing is touched where nothing differs. Raises Refusal 422."""
        after = self._applied(before, given)
        if after == before:
            return before
        after["updated_at"] = self._account.now()
        self._shelf.keep(after, self._account.clock.timestamp())
        if after["domain_names"] != before["domain_names"]:
            self._keep_domains(after)
        self._events.tell_changes("organization", before, after)
        old, new = before["organization_fields"], after["organization_fields"]
        self._events.tell_fields("organization", after, old, new, self._fields.of("organization"))
        return after

    def delete(self, row: Row) -> None:
        """Delete it; its people and tickets stay, without an organization."""
        row["deleted_at"] = row["updated_at"] = self._account.now()
        self._shelf.keep(row, self._account.clock.timestamp(), deleted=True)
        self._account.world.execute("DELETE FROM organization_domain WHERE organization_id = ?", (row["id"],))
        self._account.world.execute("DELETE FROM membership WHERE organization_id = ?", (row["id"],))
        self._hand_over(row["id"], None)
        self._events.tell("organization", "deleted", row, {})

    def merge(self, loser: Row, winner: Row) -> None:
        """Give the loser's people, tickets and domains to the winner, and delete the loser."""
        if loser["id"] == winner["id"]:
            raise invalid("winner_id", "Winner: cannot be the organization itself")
        moved = [*winner["domain_names"], *(d for d in loser["domain_names"] if d not in winner["domain_names"])]
        world = self._account.world
        world.execute(
            "UPDATE OR IGNORE membership SET organization_id = :winner,"
            " body = json_set(body, '$.organization_id', :winner, '$.organization_name', :name)"
            " WHERE organization_id = :loser",
            {"winner": winner["id"], "loser": loser["id"], "name": winner["name"]},
        )
        self._hand_over(loser["id"], winner["id"])
        self.delete(loser)
        self.update(winner, {"domain_names": moved})

    def one(self, row_id: int) -> Row:
        """An organization by id. Raises Refusal 404."""
        found = self._shelf.get(row_id)
        if found is None:
            raise not_found()
        return found

    def present(self, body: Row, root: str) -> Row:
        """The organization as it goes out."""
        shown = {"url": address(root, "organizations", body["id"]), **body}
        shown["organization_fields"] = self._fields.shown("organization", body["organization_fields"])
        if shown["deleted_at"] is None:
            del shown["deleted_at"]
        return shown

    def _applied(self, before: Row, given: Row) -> Row:
        after = {**before, **{name: given[name] for name in _FREE if name in given}}
        if given.get("name") is not None:
            after["name"] = str(given["name"]).strip()
            self._must_be_free(after, "name", "name_key", f"Name: {after['name']} has already been taken")
        if "external_id" in given:
            after["external_id"] = str(given["external_id"]) if given["external_id"] else None
            self._must_be_free(after, "external_id", "external_key", "External has already been taken")
        if given.get("domain_names") is not None:
            after["domain_names"] = [str(domain).lower() for domain in given["domain_names"]]
        if given.get("tags") is not None:
            after["tags"] = tags_of(given["tags"])
        fields = given.get("organization_fields")
        if isinstance(fields, dict):
            after["organization_fields"], after["tags"] = self._fields.applied(
                "organization", before["organization_fields"], fields, after["tags"]
            )
        return after

    def _must_be_free(self, row: Row, attribute: str, column: str, sentence: str) -> None:
        sql = f"SELECT id FROM organization WHERE {column} = ? AND deleted = 0"  # noqa: S608
        holder = self._account.world.value(sql, (key_of(row[attribute]),))
        if holder is not None and holder != row["id"]:
            raise duplicate(attribute, sentence)

    def _keep_domains(self, row: Row) -> None:
        world = self._account.world
        world.execute("DELETE FROM organization_domain WHERE organization_id = ?", (row["id"],))
        for domain in row["domain_names"]:
            world.insert("organization_domain", {"domain": domain, "organization_id": row["id"]})

    def _hand_over(self, old: int, new: int | None) -> None:
        stamp = self._account.clock.timestamp()
        for table in ("user", "ticket"):
            self._account.world.execute(
                f"UPDATE {table} SET organization_id = ?, generated = ?,"  # noqa: S608
                " body = json_set(body, '$.organization_id', ?, '$.updated_at', ?), updated_at = ?"
                " WHERE organization_id = ?",
                (new, stamp, new, self._account.now(), self._account.now(), old),
            )

    # What callers ask -----------------------------------------------------------------------------

    def _answer(self, request: Request, body: Row, status: int = 200) -> Answer:
        answer = ok({"organization": self.present(body, request.root)}, status)
        if status == 201:
            answer.headers["Location"] = address(request.root, "organizations", body["id"])
        return answer

    def _listed(self, request: Request, caller: Caller) -> Answer:
        return self._page(request, "deleted = 0", ())

    def _page(self, request: Request, where: str, values: tuple[Any, ...]) -> Answer:
        listing = Listing("organizations", "organization", where, values, SORTS)
        return ok(page(request, self._account.world, listing, lambda body: self.present(body, request.root)))

    def _shown(self, request: Request, caller: Caller) -> Answer:
        return self._answer(request, self.one(path_id(request)))

    def _created(self, request: Request, caller: Caller) -> Answer:
        return self._answer(request, self.create(sent_object(request, "organization")), 201)

    def _upserted(self, request: Request, caller: Caller) -> Answer:
        body, new = self.create_or_update(sent_object(request, "organization"))
        return self._answer(request, body, 201 if new else 200)

    def _updated(self, request: Request, caller: Caller) -> Answer:
        body = self.one(path_id(request))
        return self._answer(request, self.update(body, sent_object(request, "organization")))

    def _deleted(self, request: Request, caller: Caller) -> Answer:
        self.delete(self.one(path_id(request)))
        return no_content()

    def _merged(self, request: Request, caller: Caller) -> Answer:
        given = part(sent(request), "organization_merge")
        loser, winner = self.one(path_id(request)), self.one(as_id(given.get("winner_id"), "winner_id"))
        self.merge(loser, winner)
        merge_id = f"01{loser['id']}{winner['id']}"
        made = {"id": merge_id, "loser_id": loser["id"], "winner_id": winner["id"], "status": "complete"}
        made["url"] = address(request.root, "organization_merges", merge_id)
        self._account.world.insert("organization_merge", {"id": merge_id, "body": as_text(made)})
        return ok({"organization_merge": made})

    def _shown_many(self, request: Request, caller: Caller) -> Answer:
        found = many(request, self._shelf)
        return ok(all_of("organizations", [self.present(row, request.root) for row in found]))

    def _searched(self, request: Request, caller: Caller) -> Answer:
        external_id, name = request.argument("external_id"), request.argument("name")
        if external_id is not None:
            return self._page(request, "deleted = 0 AND external_key = ?", (key_of(external_id),))
        return self._page(request, "deleted = 0 AND name_key = ?", (key_of(name),))

    def _completed(self, request: Request, caller: Caller) -> Answer:
        start = key_of(request.argument("name")) or ""
        return self._page(request, "deleted = 0 AND substr(name_key, 1, ?) = ?", (len(start), start))

    def _counted(self, request: Request, caller: Caller) -> Answer:
        return ok(counted(self._account, "organization"))


def many(request: Request, shelf: Shelf) -> list[Row]:
    """The rows of a ``show_many`` request, by ``ids`` or ``external_ids``; those not there are left out."""
    ids, externals = listed_values(request, "ids"), listed_values(request, "external_ids")
    found = [shelf.get(as_id(value, "ids")) for value in ids]
    found += [shelf.find("external_key", key_of(value)) for value in externals]
    return [row for row in found if row is not None]


def counted(account: Account, table: str) -> Row:
    """The answer of a ``count`` endpoint."""
    value = account.world.value(f"SELECT count(*) FROM {table} WHERE deleted = 0")  # noqa: S608
    return {"count": {"value": value, "refreshed_at": account.now()}}


def tags_of(given: Any) -> list[str]:
    """Tags as stored: in lower case, each once; a text of several is split at blanks."""
    words = given.split() if isinstance(given, str) else [str(tag) for tag in given]
    return list(dict.fromkeys(word.strip().lower() for word in words if word.strip()))
