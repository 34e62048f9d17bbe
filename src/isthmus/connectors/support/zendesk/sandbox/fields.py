"""Custom fields of organizations, users and tickets: their definitions, and what values they take.

Organizations and users name their fields by key, tickets by id. A drop-down's value is also a tag of its
row, and a date of an organization or user comes back as an instant at midnight (a ticket's stays a date).
What names a field that is not there is passed over in silence, as the vendor does.
Sources: developer.zendesk.com, "Organization fields", "User fields", "Ticket fields"; the silence:
support.zendesk.com article 4418443326106.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import (
    as_id,
    duplicate,
    invalid,
    no_content,
    not_found,
    ok,
    part,
    path_id,
    sent,
    sent_object,
)
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, page
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.sandkit.routes import Answer, Refusal, Request
from isthmus.sandkit.world import Row

OWNERS = ("organization", "user", "ticket")
TYPES = ("text", "textarea", "checkbox", "date", "integer", "decimal", "regexp", "dropdown", "tagger")
_CHOICES = ("dropdown", "tagger")
_KEY = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Definition:
    """A field. ``handle`` is how rows name it: its key, or a ticket field's id as text."""

    id: int
    owner: str
    key: str
    type: str
    title: str
    choices: tuple[str, ...]
    pattern: str

    @property
    def handle(self) -> str:
        """Under what name a row holds the value."""
        return str(self.id) if self.owner == "ticket" else self.key


class Fields:
    """The definitions, remembered between requests until one changes."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known: dict[str, dict[str, Definition]] = {}

    def serve(self, on: On) -> None:
        """The endpoints ``/organization_fields``, ``/user_fields`` and ``/ticket_fields``."""
        for owner in OWNERS:
            on("GET", f"/{owner}_fields", self._listed)
            on("POST", f"/{owner}_fields", self._created, admin=True)
            on("GET", f"/{owner}_fields/{{id}}", self._shown)
            on("PUT", f"/{owner}_fields/{{id}}", self._updated, admin=True)
            on("DELETE", f"/{owner}_fields/{{id}}", self._deleted, admin=True)
            on("GET", f"/{owner}_fields/{{id}}/options", self._options)
            on("POST", f"/{owner}_fields/{{id}}/options", self._option_kept, admin=True)

    def of(self, owner: str) -> dict[str, Definition]:
        """The custom fields of one kind of row by handle, in order."""
        if owner not in self._known:
            sql = "SELECT key, body FROM field WHERE owner = ? ORDER BY position, id"
            found = [_definition(owner, row["key"], json.loads(row["body"])) for row in self._rows(sql, owner)]
            self._known[owner] = {d.handle: d for d in found}
        return self._known[owner]

    def named(self, owner: str, key: str) -> Definition:
        """A field by its key (for a ticket field, the key it was seeded under). Raises ValueError."""
        for definition in self.of(owner).values():
            if key in (definition.key, definition.title, definition.handle):
                return definition
        known = ", ".join(d.key for d in self.of(owner).values())
        raise ValueError(f"{owner} has no custom field {key!r}; there are {known}")

    def shown(self, owner: str, values: Mapping[str, Any]) -> Row:
        """Every field with its value or None."""
        return {handle: values.get(handle) for handle in self.of(owner)}

    def applied(self, owner: str, values: Row, given: Mapping[str, Any], tags: list[str]) -> tuple[Row, list[str]]:
        """Values and tags after some were given. Raises Refusal 422 for a value its field does not take."""
        after, tags = dict(values), list(tags)
        for handle, value in given.items():
            definition = self.of(owner).get(str(handle))
            if definition is None:
                continue
            before = after.get(definition.handle)
            after[definition.handle] = now = _checked(definition, value)
            if definition.type in _CHOICES and now != before:
                tags = [tag for tag in tags if tag != before] + ([now] if now and now not in tags else [])
        return after, tags

    def add(self, owner: str, given: Row, key: str = "") -> Row:
        """Define a field. Raises Refusal 422."""
        kind, title = given.get("type"), str(given.get("title") or "")
        if owner == "ticket" and kind == "dropdown":
            kind = "tagger"
        if kind not in TYPES:
            raise invalid("type", f"Type: {kind} is not supported")
        if not title:
            raise invalid("title", "Title: cannot be blank", "BlankValue")
        row_id = self._account.new_id()
        key = key or (str(row_id) if owner == "ticket" else str(given.get("key") or ""))
        if not _KEY.fullmatch(key):
            raise invalid("key", f"Key: {key} is invalid")
        if self._account.world.row("SELECT 1 FROM field WHERE owner = ? AND key = ?", (owner, key)):
            raise duplicate("key", f"Key: {key} has already been taken")
        now = self._account.now()
        position = int(given.get("position") or self._account.world.value("SELECT count(*) FROM field") + 1)
        body = {"id": row_id, "type": kind, "title": title, "raw_title": title, "position": position, "active": True}
        pattern = given.get("regexp_for_validation")
        body |= {"description": given.get("description") or "", "regexp_for_validation": pattern, "tag": None}
        body |= {"created_at": now, "updated_at": now, **({} if owner == "ticket" else {"key": key, "system": False})}
        if owner == "ticket":
            flags = ("required", "visible_in_portal", "editable_in_portal", "required_in_portal")
            body |= {**{flag: bool(given.get(flag)) for flag in flags}, "removable": True, "title_in_portal": title}
        if kind in _CHOICES:
            body["custom_field_options"] = self._choices(given.get("custom_field_options") or [])
        stored = {"id": row_id, "owner": owner, "key": key, "position": position, "body": as_text(body)}
        self._account.world.insert("field", stored)
        self._known.clear()
        return body

    def remove(self, owner: str, row_id: int) -> None:
        """Take a field away; what rows held in it is no longer shown. Raises Refusal 404."""
        if not self._account.world.execute("DELETE FROM field WHERE owner = ? AND id = ?", (owner, row_id)):
            raise not_found()
        self._known.clear()

    def change(self, owner: str, row_id: int, given: Row) -> Row:
        """Change a definition's title, description or choices. Raises Refusal 404, 422."""
        body = self._body(owner, row_id)
        for name in ("title", "description", "active", "position", "regexp_for_validation", "required"):
            if name in given:
                body[name] = given[name]
        body["raw_title"] = body["title"]
        if "custom_field_options" in given and body["type"] in _CHOICES:
            body["custom_field_options"] = self._choices(given["custom_field_options"])
        body["updated_at"] = self._account.now()
        self._account.world.update("field", {"body": as_text(body), "position": body["position"]}, {"id": row_id})
        self._known.clear()
        return body

    def _rows(self, sql: str, *values: Any) -> list[Row]:
        return self._account.world.rows(sql, values)

    def _body(self, owner: str, row_id: int) -> Row:
        found = self._account.world.value("SELECT body FROM field WHERE owner = ? AND id = ?", (owner, row_id))
        if found is None:
            raise not_found()
        return dict(json.loads(found))

    def _choices(self, given: list[Row]) -> list[Row]:
        values = [str(choice.get("value") or "") for choice in given]
        if not values or not all(values):
            raise invalid("custom_field_options", "Custom field options: cannot be blank", "BlankValue")
        if len(set(values)) < len(values):
            raise duplicate("custom_field_options", "Custom field options: values must be unique")
        made = []
        for choice in given:
            name = choice.get("name") or choice["value"]
            row_id = choice.get("id") or self._account.new_id()
            made.append({"id": row_id, "name": name, "raw_name": name, "value": choice["value"]})
        return made

    # What callers ask -----------------------------------------------------------------------------

    def _listed(self, request: Request, caller: Caller) -> Answer:
        owner = _owner(request)
        listing = Listing(f"{owner}_fields", "field", "owner = ?", (owner,), {"position": "position", "id": "id"})
        return ok(page(request, self._account.world, listing, lambda body: _shown(request, owner, body)))

    def _shown(self, request: Request, caller: Caller) -> Answer:
        return self._answer(request, self._body(_owner(request), path_id(request)))

    def _created(self, request: Request, caller: Caller) -> Answer:
        owner = _owner(request)
        return self._answer(request, self.add(owner, sent_object(request, f"{owner}_field")), 201)

    def _updated(self, request: Request, caller: Caller) -> Answer:
        owner = _owner(request)
        return self._answer(request, self.change(owner, path_id(request), sent_object(request, f"{owner}_field")))

    def _deleted(self, request: Request, caller: Caller) -> Answer:
        self.remove(_owner(request), path_id(request))
        return no_content()

    def _options(self, request: Request, caller: Caller) -> Answer:
        choices = self._body(_owner(request), path_id(request)).get("custom_field_options", [])
        return ok({"custom_field_options": choices, "count": len(choices), "next_page": None, "previous_page": None})

    def _option_kept(self, request: Request, caller: Caller) -> Answer:
        owner, row_id, given = _owner(request), path_id(request), part(sent(request), "custom_field_option")
        choices = self._body(owner, row_id).get("custom_field_options", [])
        mine = as_id(given["id"]) if given.get("id") else None
        kept = [choice for choice in choices if choice["id"] != mine] + [{**given, "id": mine}]
        body = self.change(owner, row_id, {"custom_field_options": kept})
        return ok({"custom_field_option": body["custom_field_options"][-1]}, 200 if mine else 201)

    def _answer(self, request: Request, body: Row, status: int = 200) -> Answer:
        owner = _owner(request)
        return ok({f"{owner}_field": _shown(request, owner, body)}, status)


def _owner(request: Request) -> str:
    return request.raw_path.split("/")[3].removesuffix("_fields")


def _shown(request: Request, owner: str, body: Row) -> Row:
    return {"url": address(request.root, f"{owner}_fields", body["id"]), **body}


def _definition(owner: str, key: str, body: Row) -> Definition:
    choices = tuple(choice["value"] for choice in body.get("custom_field_options", ()))
    pattern = body.get("regexp_for_validation") or ""
    return Definition(body["id"], owner, key, body["type"], body["title"], choices, pattern)


def _checked(definition: Definition, value: Any) -> Any:
    """A value in the form in which the vendor gives it back. Raises Refusal 422."""
    if value is None or value == "":
        return None
    text = str(value)
    if definition.type in _CHOICES and text not in definition.choices:
        raise _refused(definition, f"{text} is not a valid value")
    if definition.type == "checkbox":
        if value not in (True, False, "true", "false", "1", "0"):
            raise _refused(definition, f"{text} is not true or false")
        return value in (True, "true", "1")
    if definition.type == "integer":
        if not re.fullmatch(r"-?\d+", text):
            raise _refused(definition, f"{text} is not a number")
        return int(text) if definition.owner != "ticket" else text
    if definition.type == "decimal" and not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise _refused(definition, f"{text} is not a number")
    if definition.type == "regexp" and not re.fullmatch(definition.pattern, text):
        raise _refused(definition, f"{text} does not match {definition.pattern}")
    return _dated(definition, text) if definition.type == "date" else text


def _dated(definition: Definition, text: str) -> str:
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise _refused(definition, f"{text} is not a date") from None
    return day.isoformat() if definition.owner == "ticket" else f"{day.isoformat()}T00:00:00+00:00"


def _refused(definition: Definition, why: str) -> Refusal:
    return invalid("base", f"{definition.title}: {why}")
