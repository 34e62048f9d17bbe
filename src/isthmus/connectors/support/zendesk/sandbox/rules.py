"""Triggers, simply: when a ticket is made or changes and meets conditions, call a webhook with a body of one's own.

Source: developer.zendesk.com, "Triggers", "Conditions reference"; support.zendesk.com, "Placeholders reference".
Conditions on ``update_type``, ``status``, ``priority``, ``type``, ``ticket_form_id``, ``organization_id``,
``current_tags``, ``comment_is_public`` and ``custom_fields_{id}`` are understood, others are refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import invalid, no_content, not_found, ok, path_id, sent_object
from isthmus.connectors.support.zendesk.sandbox.events import CONDITIONAL, Events
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, page
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

_PLAIN = ("status", "priority", "type", "ticket_form_id", "organization_id", "assignee_id", "requester_id", "group_id")
_OPERATORS = ("is", "is_not", "changed", "not_changed", "value", "includes", "not_includes", "present", "not_present")
_PLACEHOLDER = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


class Rules:
    """Endpoints below ``/triggers``, and the playing of what they say."""

    def __init__(self, account: Account, events: Events) -> None:
        self._account, self._events = account, events
        self._active: list[Row] | None = None

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/triggers", self._listed)
        on("POST", "/triggers", self._created, admin=True)
        on("GET", "/triggers/{id}", self._shown)
        on("PUT", "/triggers/{id}", self._updated, admin=True)
        on("DELETE", "/triggers/{id}", self._deleted, admin=True)

    def play(self, ticket: Row, before: Row | None, comment: Row | None) -> None:
        """Play every active trigger whose conditions this ticket meets now."""
        for rule in self._in_force():
            conditions = rule["conditions"]
            met = all(_meets(c, ticket, before, comment) for c in conditions.get("all") or [])
            either = conditions.get("any") or []
            if met and (not either or any(_meets(c, ticket, before, comment) for c in either)):
                self._act(rule, ticket, comment)

    def _act(self, rule: Row, ticket: Row, comment: Row | None) -> None:
        for action in rule["actions"]:
            webhook_id, template = action["value"][0], action["value"][1] if len(action["value"]) > 1 else ""
            sql = "SELECT body FROM webhook WHERE id = ? AND status = 'active'"
            found = self._account.world.value(sql, (webhook_id,))
            if found is not None:
                text = template if isinstance(template, str) else as_text(template)
                body = _PLACEHOLDER.sub(lambda m: self._filled(m.group(1), ticket, comment), text)
                self._events.send(webhook_id, json.loads(found)["endpoint"], body.encode(), f"trigger:{rule['title']}")

    def _filled(self, name: str, ticket: Row, comment: Row | None) -> str:
        """A placeholder's value, escaped for the JSON it stands in."""
        kind, _, attribute = name.removeprefix("ticket.").partition(".")
        value: Any = ticket.get({"title": "subject", "form_id": "ticket_form_id"}.get(kind, kind))
        if kind in ("requester", "assignee"):
            value = (self._account.users.get(ticket[f"{kind}_id"] or 0) or {}).get(attribute or "name")
        elif kind == "organization":
            row = self._account.organizations.get(ticket["organization_id"] or 0) or {}
            custom = attribute.removeprefix("custom_fields.")
            value = (
                row.get("organization_fields", {}).get(custom) if custom != attribute else row.get(attribute or "name")
            )
        elif kind == "latest_comment":
            value = comment["body"] if comment else ticket["description"]
        elif kind.startswith("ticket_field_"):
            value = ticket["custom_fields"].get(kind.removeprefix("ticket_field_"))
        elif kind == "tags":
            value = " ".join(ticket["tags"])
        return "" if value is None else json.dumps(str(value), ensure_ascii=False)[1:-1]

    def _in_force(self) -> list[Row]:
        if self._active is None:
            rows = self._account.world.rows("SELECT body FROM rule WHERE active = 1 ORDER BY id")
            self._active = [json.loads(row["body"]) for row in rows]
        return self._active

    # What callers ask -----------------------------------------------------------------------------

    def _listed(self, request: Request, caller: Caller) -> Answer:
        return ok(page(request, self._account.world, Listing("triggers", "rule"), lambda body: _shown(request, body)))

    def _shown(self, request: Request, caller: Caller) -> Answer:
        return ok({"trigger": _shown(request, self._one(request))})

    def _created(self, request: Request, caller: Caller) -> Answer:
        now = self._account.now()
        body: Row = {
            "id": self._account.new_id(),
            "active": True,
            "created_at": now,
            "updated_at": now,
            "description": None,
        }
        body = self._checked({**body, "conditions": {}, "actions": []}, sent_object(request, "trigger"))
        stored = {"id": body["id"], "active": int(body["active"]), "body": as_text(body)}
        self._account.world.insert("rule", stored)
        self._active = None
        return ok({"trigger": _shown(request, body)}, 201)

    def _updated(self, request: Request, caller: Caller) -> Answer:
        body = self._checked(self._one(request), sent_object(request, "trigger"))
        body["updated_at"] = self._account.now()
        stored = {"active": int(body["active"]), "body": as_text(body)}
        self._account.world.update("rule", stored, {"id": body["id"]})
        self._active = None
        return ok({"trigger": _shown(request, body)})

    def _deleted(self, request: Request, caller: Caller) -> Answer:
        self._account.world.execute("DELETE FROM rule WHERE id = ?", (self._one(request)["id"],))
        self._active = None
        return no_content()

    def _one(self, request: Request) -> Row:
        found = self._account.world.value("SELECT body FROM rule WHERE id = ?", (path_id(request),))
        if found is None:
            raise not_found()
        return dict(json.loads(found))

    def _checked(self, body: Row, given: Row) -> Row:
        names = ("title", "active", "conditions", "actions", "description", "category_id", "position")
        body = {**body, **{name: given[name] for name in names if name in given}}
        if not body.get("title"):
            raise invalid("title", "Title: cannot be blank", "BlankValue")
        for condition in [*(body["conditions"].get("all") or []), *(body["conditions"].get("any") or [])]:
            field = str(condition.get("field"))
            known = field in (*_PLAIN, "update_type", "current_tags", "comment_is_public")
            if not (known or field.startswith("custom_fields_")) or condition.get("operator", "is") not in _OPERATORS:
                raise invalid("conditions", f"Conditions: {field} {condition.get('operator')} is not supported")
        for action in body["actions"]:
            value = action.get("value")
            if action.get("field") != "notification_webhook" or not isinstance(value, list) or not value:
                raise invalid("actions", "Actions: only notification_webhook with [webhook id, body] is supported")
            self._must_be_conditional(str(value[0]))
        return body

    def _must_be_conditional(self, webhook_id: str) -> None:
        found = self._account.world.value("SELECT body FROM webhook WHERE id = ?", (webhook_id,))
        if found is None or json.loads(found)["subscriptions"] != [CONDITIONAL]:
            raise invalid("actions", f"Actions: webhook {webhook_id} is not subscribed to {CONDITIONAL}")


def _shown(request: Request, body: Row) -> Row:
    return {"url": address(request.root, "triggers", body["id"]), **body}


def _meets(condition: Row, ticket: Row, before: Row | None, comment: Row | None) -> bool:
    field, operator, wanted = condition["field"], condition.get("operator", "is"), condition.get("value")
    if field == "update_type":
        return (wanted == "Create") is (before is None)
    if field == "comment_is_public":
        return comment is not None and str(wanted).lower() in ("not_relevant", str(comment["public"]).lower())
    if field == "current_tags":
        has = any(tag in ticket["tags"] for tag in str(wanted or "").split())
        return has is (operator == "includes")
    now, was = _value(field, ticket), _value(field, before) if before else None
    match operator:
        case "changed":
            return now != was
        case "not_changed":
            return now == was
        case "value":  # changed to
            return now != was and now == str(wanted)
        case "present" | "not_present":
            return (now is not None) is (operator == "present")
    return (now == str(wanted)) is (operator == "is")


def _value(field: str, ticket: Row) -> str | None:
    handle = field.removeprefix("custom_fields_")
    value = ticket["custom_fields"].get(handle) if handle != field else ticket.get(field)
    return None if value is None else str(value)
