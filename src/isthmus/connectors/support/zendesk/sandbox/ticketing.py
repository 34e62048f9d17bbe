"""What happens to tickets: they are opened, commented, solved, closed, merged and deleted, and each change is audited.

Source: developer.zendesk.com, "Tickets", "Ticket comments", "Ticket audits", "Creating and updating tickets".
A closed ticket cannot change any more; comments are only ever added; the external id need not be unique.
"""

from __future__ import annotations

import re
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import BRAND_ID, GROUP_ID, Account, Caller, address
from isthmus.connectors.support.zendesk.sandbox.answers import as_id, bad_attribute, invalid, not_found, refusal
from isthmus.connectors.support.zendesk.sandbox.events import Events
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.connectors.support.zendesk.sandbox.organizations import tags_of
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.rules import Rules
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.sandkit.world import Row

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
_CHOICES = {
    "status": STATUSES,
    "priority": ("low", "normal", "high", "urgent"),
    "type": ("problem", "incident", "question", "task"),
}
_AUDITED = (
    *("subject", "status", "priority", "type", "requester_id", "organization_id", "assignee_id", "group_id"),
    *("external_id", "tags", "ticket_form_id", "due_at", "problem_id"),
)
_FIXED: Row = {
    "recipient": None,
    "collaborator_ids": [],
    "follower_ids": [],
    "email_cc_ids": [],
    "forum_topic_id": None,
    "problem_id": None,
    "has_incidents": False,
    "due_at": None,
    "satisfaction_rating": None,
    "sharing_agreement_ids": [],
    "followup_ids": [],
    "brand_id": BRAND_ID,
    "allow_channelback": False,
    "allow_attachments": True,
    "from_messaging_channel": False,
    "custom_status_id": None,
}
_CONFLICT = (
    "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket data and try again."
)


class Ticketing:
    """The acts on tickets, used by their endpoints, by bulk work and by people."""

    def __init__(self, account: Account, fields: Fields, people: People, events: Events, rules: Rules) -> None:
        self._account, self._fields, self._people = account, fields, people
        self._events, self._rules = events, rules
        self._shelf = account.tickets

    def create(self, given: Row, caller: Caller) -> tuple[Row, Row]:
        """A new ticket and its audit. Raises Refusal 422."""
        comment = self._comment(given.get("comment") or {"body": given.get("description")}, caller)
        if comment is None:
            raise invalid("base", "Description: cannot be blank", "BlankValue")
        requester, now = self._requester(given, caller), self._account.now()
        body: Row = {
            "id": 0,
            "external_id": None,
            "via": via(caller),
            "created_at": now,
            "updated_at": now,
            "type": None,
        }
        body |= {"subject": _first_words(comment["body"]), "raw_subject": "", "description": comment["body"]}
        body |= {
            "priority": None,
            "status": "new",
            **_FIXED,
            "tags": [],
            "custom_fields": {},
            "is_public": comment["public"],
        }
        body |= {"requester_id": requester["id"], "submitter_id": caller.user_id, "assignee_id": None}
        body |= {"organization_id": requester["organization_id"], "group_id": GROUP_ID, "solved_at": None}
        body |= {"ticket_form_id": self._form(None)}
        body = self._applied(body, given)
        if body["status"] == "new" and body["assignee_id"]:
            body["status"] = "open"
        self._mark_solved(body, "new", caller)
        body["id"] = self._account.new_ticket_id()
        audit = self._audit(body, [*self._created(body), comment], caller, given)
        self._shelf.add(body, self._account.clock.timestamp())
        if self._events.heard("ticket"):
            self._events.tell("ticket", "created", body, {}, caller.user_id)
        self._rules.play(body, None, comment)
        return body, audit

    def update(self, before: Row, given: Row, caller: Caller) -> tuple[Row, Row]:
        """The ticket with what was given, and the audit. Raises Refusal 409, 422."""
        if before["status"] == "closed":
            raise invalid("status", "Status: closed prevents ticket update", "ClosedTicket")
        if given.get("safe_update") and given.get("updated_stamp") != before["updated_at"]:
            raise refusal(409, "UpdateConflict", _CONFLICT)
        comment = self._comment(given.get("comment"), caller)
        after = self._applied(before, given)
        if comment and "status" not in given and self._is_customers_answer(before, comment):
            after["status"] = "open"
        self._mark_solved(after, before["status"], caller)
        if comment:
            after["is_public"] = before["is_public"] or comment["public"]
        changes = self._changes(before, after)
        if not changes and not comment:
            return before, self._unkept_audit(before, [], caller)
        after["updated_at"] = self._account.now()
        audit = self._audit(after, [*changes, *([comment] if comment else [])], caller, given)
        self._shelf.keep(after, self._account.clock.timestamp())
        self._tell(before, after, comment, caller)
        self._rules.play(after, before, comment)
        return after, audit

    def delete(self, row: Row, caller: Caller) -> None:
        """Delete softly: exports still show it, with the status ``deleted``."""
        row |= {"status_before": row["status"], "status": "deleted", "updated_at": self._account.now()}
        self._shelf.keep(row, self._account.clock.timestamp(), deleted=True)
        self._events.tell("ticket", "soft_deleted", row, {}, caller.user_id)

    def restore(self, row: Row, caller: Caller) -> None:
        """Bring a deleted ticket back."""
        row |= {"status": row.pop("status_before"), "updated_at": self._account.now()}
        self._shelf.keep(row, self._account.clock.timestamp())
        self._events.tell("ticket", "undeleted", row, {}, caller.user_id)

    def merge(self, target: Row, source: Row, given: Row, caller: Caller) -> None:
        """Close one ticket in favour of another; both are told in a private comment."""
        closing = str(given.get("source_comment") or f"This request was closed and merged into request #{target['id']}")
        telling = str(
            given.get("target_comment") or f"Request #{source['id']} was closed and merged into this request."
        )
        tags = [*source["tags"], "closed_by_merge"]
        self.update(source, {"status": "closed", "tags": tags, "comment": {"body": closing, "public": False}}, caller)
        self.update(target, {"comment": {"body": telling, "public": False}}, caller)
        self._events.tell("ticket", "merged", source, {"target_ticket_id": str(target["id"])}, caller.user_id)

    def one(self, row_id: int) -> Row:
        """A ticket by id. Raises Refusal 404."""
        found = self._shelf.get(row_id)
        if found is None:
            raise not_found()
        return found

    def present(self, body: Row, root: str) -> Row:
        """The ticket as it goes out."""
        shown = {"url": address(root, "tickets", body["id"]), **body, "raw_subject": body["subject"]}
        values = self._fields.shown("ticket", body["custom_fields"])
        shown["custom_fields"] = shown["fields"] = [{"id": int(h), "value": v} for h, v in values.items()]
        for name in ("solved_at", "status_before"):
            shown.pop(name, None)
        return shown

    # What is written ------------------------------------------------------------------------------

    def _applied(self, before: Row, given: Row) -> Row:
        after = dict(before)
        for name in ("subject", "external_id", "due_at", "problem_id"):
            if name in given:
                after[name] = None if given[name] is None else given[name] if name == "problem_id" else str(given[name])
        for name, choices in _CHOICES.items():
            if given.get(name) is not None and given[name] not in choices:
                raise invalid(name, f"{name.capitalize()}: {given[name]} is not one of {', '.join(choices)}")
            if given.get(name) is not None or (name in given and name != "status"):
                after[name] = given[name]
        for name in ("assignee_id", "group_id", "organization_id", "ticket_form_id", "requester_id"):
            if name in given:
                after[name] = self._referred(name, given[name])
        if given.get("assignee_email"):
            found = self._people.by_email(str(given["assignee_email"]))
            after["assignee_id"] = self._referred("assignee_id", found["id"] if found else 0)
        if given.get("tags") is not None:
            after["tags"] = tags_of(given["tags"])
        gone = tags_of(given.get("remove_tags") or [])
        kept = [tag for tag in after["tags"] if tag not in gone]
        after["tags"] = tags_of([*kept, *(given.get("additional_tags") or [])])
        after["custom_fields"], after["tags"] = self._fields.applied(
            "ticket", before["custom_fields"], _field_values(given), after["tags"]
        )
        return after

    def _referred(self, name: str, value: Any) -> int | None:
        if value is None:
            return None
        row_id, what = as_id(value, name), name.removesuffix("_id")
        if name == "ticket_form_id":
            return self._form(row_id)
        shelf = self._account.organizations if what == "organization" else self._account.users
        row = {"id": row_id} if what == "group" else shelf.get(row_id)
        if row is None or (what == "assignee" and row["role"] == "end-user"):
            raise invalid(what, f"{what.capitalize()}: {value} is invalid")
        return row_id

    def _form(self, row_id: int | None) -> int | None:
        world = self._account.world
        if row_id is None:
            first: int | None = world.value("SELECT id FROM ticket_form ORDER BY position LIMIT 1")
            return first
        if world.row("SELECT 1 FROM ticket_form WHERE id = ?", (row_id,)) is None:
            raise invalid("ticket_form", f"Ticket form: {row_id} is invalid")
        return row_id

    def _requester(self, given: Row, caller: Caller) -> Row:
        asked = given.get("requester")
        if given.get("requester_id"):
            found = self._account.users.get(as_id(given["requester_id"], "requester_id"))
            if found is None:
                raise invalid("requester", f"Requester: {given['requester_id']} is invalid")
            return found
        if isinstance(asked, dict):
            known = self._people.by_email(str(asked.get("email") or ""))
            return known or self._people.create({"name": asked.get("name"), "email": asked.get("email")})
        return self._people.one(caller.user_id)

    def _mark_solved(self, row: Row, before: str, caller: Caller) -> None:
        if row["status"] == "solved" and before != "solved":
            row["solved_at"] = self._account.now()
            if row["assignee_id"] is None and caller.is_agent and caller.user_id > 0:
                row["assignee_id"] = caller.user_id

    def _is_customers_answer(self, ticket: Row, comment: Row) -> bool:
        """An end user's comment opens again what waits or is solved."""
        author = self._account.users.get(comment["author_id"])
        return ticket["status"] in ("pending", "hold", "solved") and author is not None and author["role"] == "end-user"

    def _comment(self, given: Any, caller: Caller) -> Row | None:
        if given is None:
            return None
        if isinstance(given, str):
            given = {"body": given}
        if not isinstance(given, dict):
            raise bad_attribute("comment", "an object")
        html = str(given.get("html_body") or "")
        text = str(given.get("body") or re.sub(r"<[^>]+>", "", html)).strip()
        if not text:
            return None
        author_id = as_id(given.get("author_id") or caller.user_id, "author_id")
        is_public = given.get("public", True) not in (False, "false")
        body = {"id": 0, "type": "Comment", "author_id": author_id, "body": text, "html_body": html or _as_html(text)}
        return body | {"plain_body": text, "public": is_public, "attachments": [], "audit_id": 0, "via": via(caller)}

    # What is remembered of it ---------------------------------------------------------------------

    def _created(self, row: Row) -> list[Row]:
        names = [name for name in _AUDITED if row.get(name)]
        events = [{"type": "Create", "field_name": name, "value": _said(row[name])} for name in names]
        return events + [
            {"type": "Create", "field_name": h, "value": _said(v)} for h, v in row["custom_fields"].items()
        ]

    def _changes(self, before: Row, after: Row) -> list[Row]:
        pairs = [(name, before.get(name), after.get(name)) for name in _AUDITED]
        old, new = before["custom_fields"], after["custom_fields"]
        pairs += [(handle, old.get(handle), new.get(handle)) for handle in new]
        return [
            {"type": "Change", "field_name": name, "value": _said(now), "previous_value": _said(was)}
            for name, was, now in pairs
            if was != now
        ]

    def _audit(self, ticket: Row, events: list[Row], caller: Caller, given: Row) -> Row:
        audit, world = self._unkept_audit(ticket, events, caller), self._account.world
        if isinstance(custom := given.get("metadata"), dict):
            audit["metadata"] = {**audit["metadata"], "custom": custom}
        for event in events:
            event["id"] = self._account.new_id()
            if event["type"] == "Comment":
                event["audit_id"] = audit["id"]
                comment = {**event, "created_at": audit["created_at"], "metadata": audit["metadata"]}
                stored = {"id": event["id"], "ticket_id": ticket["id"], "created_at": audit["created_at"]}
                world.insert("comment", {**stored, "body": as_text(comment)})
        stored = {"id": audit["id"], "ticket_id": ticket["id"], "created_at": audit["created_at"]}
        world.insert("audit", {**stored, "body": as_text(audit)})
        return audit

    def _unkept_audit(self, ticket: Row, events: list[Row], caller: Caller) -> Row:
        audit: Row = {
            "id": self._account.new_id(),
            "ticket_id": ticket["id"],
            "created_at": self._account.now(),
            "events": events,
        }
        return audit | {"author_id": caller.user_id, "metadata": {"system": {}, "custom": {}}, "via": via(caller)}

    def _tell(self, before: Row, after: Row, comment: Row | None, caller: Caller) -> None:
        self._events.tell_changes("ticket", before, after, caller.user_id)
        old, new = before["custom_fields"], after["custom_fields"]
        self._events.tell_fields("ticket", after, old, new, self._fields.of("ticket"))
        if comment and self._events.heard("ticket"):
            author = self._account.users.get(comment["author_id"]) or {"name": "", "role": "admin"}
            who = {"id": str(comment["author_id"]), "name": author["name"], "is_staff": author["role"] != "end-user"}
            said = {"id": str(comment["id"]), "body": comment["body"], "is_public": comment["public"], "author": who}
            self._events.tell("ticket", "comment_added", after, {"comment": said}, caller.user_id)


def via(caller: Caller) -> Row:
    """Through which channel something came."""
    return {"channel": caller.channel, "source": {"from": {}, "to": {}, "rel": None}}


def _field_values(given: Row) -> Row:
    asked = given.get("custom_fields") or given.get("fields") or []
    if isinstance(asked, dict):
        return asked
    if not isinstance(asked, list) or not all(isinstance(item, dict) and "id" in item for item in asked):
        raise bad_attribute("custom_fields", "an array of objects with id and value")
    return {str(item["id"]): item.get("value") for item in asked}


def _said(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _first_words(text: str) -> str:
    return text.splitlines()[0][:80]


def _as_html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    return f'<div class="zd-comment" dir="auto">{escaped}</div>'
