"""What webhooks hear: events of organizations, users and tickets, pushed to those who subscribed.

Bodies, headers and signature after developer.zendesk.com: "Webhook event types", "Organization events",
"User events", "Ticket events", "Anatomy of a webhook request", "Verifying webhook authenticity". The signature
is base64(HMAC-SHA256(secret, timestamp + body)) with nothing between timestamp and body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Mapping
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import ACCOUNT_ID, Account, iso
from isthmus.connectors.support.zendesk.sandbox.fields import Definition
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.push import Push, PushPolicy
from isthmus.sandkit.world import Row

PREFIX = "zen:event-type:"
CONDITIONAL = "conditional_ticket_events"
#: attribute of a row → the event that says that it changed
CHANGES: dict[str, dict[str, str]] = {
    "organization": {"name": "name_changed", "external_id": "external_id_changed", "tags": "tags_changed"},
    "user": {
        "name": "name_changed",
        "external_id": "external_id_changed",
        "tags": "tags_changed",
        "role": "role_changed",
        "active": "active_changed",
        "notes": "notes_changed",
        "details": "details_changed",
        "suspended": "suspended_changed",
    },
    "ticket": {
        "status": "status_changed",
        "subject": "subject_changed",
        "priority": "priority_changed",
        "type": "type_changed",
        "external_id": "external_id_changed",
        "tags": "tags_changed",
        "requester_id": "requester_changed",
        "organization_id": "organization_changed",
        "assignee_id": "agent_assignment_changed",
        "group_id": "group_assignment_changed",
        "ticket_form_id": "form_changed",
    },
}
_OTHERS = {
    "organization": ("created", "deleted", "custom_field_changed"),
    "user": ("created", "deleted", "custom_field_changed", "identity_created", "organization_membership_created"),
    "ticket": ("created", "soft_deleted", "undeleted", "merged", "comment_added", "custom_field_changed"),
}
TYPES = frozenset(
    f"{PREFIX}{kind}.{name}" for kind, names in CHANGES.items() for name in (*names.values(), *_OTHERS[kind])
)
#: a receiver that answers one of these will not be asked again; 409, 429, 5xx and silence mean "try again"
_FINAL = frozenset(range(200, 500)) - {408, 409, 429}
_RETRIES_S = (1, 3, 10, 30, 60)
_TIMEOUT_S = 12.0


class Events:
    """Turns changes into pushes, in the transaction of the change."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self._account = account
        self._wanted: dict[str, list[Row]] | None = None
        # delivery is at least once, and it may be lost: after five repeats the vendor gives up
        policy = PushPolicy(
            prepare=self._headers,
            acknowledged=lambda status, _: status in _FINAL,
            pauses_s=_RETRIES_S,
            timeout_s=_TIMEOUT_S,
        )
        self.push = Push("zendesk", account.world, account.clock, faults, policy)

    def forget(self) -> None:
        """Read the subscriptions again: a webhook changed."""
        self._wanted = None

    def heard(self, kind: str) -> bool:
        """Whether anybody listens to events of this kind of row."""
        return any(name.startswith(f"{PREFIX}{kind}.") for name in self._subscriptions())

    def tell(self, kind: str, what: str, detail: Row, event: Mapping[str, Any], actor_id: int | None = None) -> None:
        """One event, to all who subscribed to it. ``detail`` is the row as it is now, ``actor_id`` who did it."""
        name = f"{PREFIX}{kind}.{what}"
        for webhook in self._subscriptions().get(name, ()):
            body = {
                "account_id": ACCOUNT_ID,
                "detail": _detail(kind, detail, actor_id),
                "event": dict(event),
                "id": str(uuid.uuid4()),
                "subject": f"zen:{kind}:{detail['id']}",
                "time": self._account.now(),
                "type": name,
                "zendesk_event_version": "2022-06-20",
            }
            self.send(webhook["id"], webhook["endpoint"], as_text(body).encode(), name)

    def tell_changes(self, kind: str, before: Row, after: Row, actor_id: int | None = None) -> None:
        """An event for each attribute that changed and has one."""
        if not self.heard(kind):
            return
        for attribute, what in CHANGES[kind].items():
            old, new = before.get(attribute), after.get(attribute)
            if old == new:
                continue
            event: Row = {"previous": _text(attribute, old), "current": _text(attribute, new)}
            if attribute == "tags":
                added, removed = sorted(set(new or ()) - set(old or ())), sorted(set(old or ()) - set(new or ()))
                event = {"added": {"tags": added}, "removed": {"tags": removed}}
            self.tell(kind, what, after, event, actor_id)

    def tell_fields(self, kind: str, detail: Row, before: Row, after: Row, fields: Mapping[str, Definition]) -> None:
        """An event for each custom field whose value changed."""
        if not self.heard(kind):
            return
        for handle, field in fields.items():
            old, new = before.get(handle), after.get(handle)
            if old != new:
                about = {"id": str(field.id), "title": field.title, "type": field.type}
                self.tell(kind, "custom_field_changed", detail, {"field": about, "previous": old, "current": new})

    def send(self, webhook_id: str, url: str, body: bytes, about: str) -> None:
        """Queue one call of a webhook."""
        context = {"webhook": webhook_id, "invocation": ulid()}
        self.push.enqueue(url, body, about=about, context=context)

    def _subscriptions(self) -> dict[str, list[Row]]:
        if self._wanted is None:
            self._wanted = {}
            for row in self._account.world.rows("SELECT body FROM webhook WHERE status = 'active'"):
                webhook = json.loads(row["body"])
                for name in webhook["subscriptions"]:
                    self._wanted.setdefault(name, []).append(webhook)
        return self._wanted

    def _headers(self, row: Row, timestamp: float) -> dict[str, str]:
        context = json.loads(row["context"])
        stored = self._account.world.row("SELECT secret, body FROM webhook WHERE id = ?", (context["webhook"],))
        secret, webhook = (stored["secret"], json.loads(stored["body"])) if stored else ("", {})
        stamp = iso(timestamp)
        return {
            **(webhook.get("custom_headers") or {}),
            **_authorization(webhook.get("authentication") or {}),
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Zendesk Webhook",
            "X-Zendesk-Account-Id": str(ACCOUNT_ID),
            "X-Zendesk-Webhook-Id": context["webhook"],
            "X-Zendesk-Webhook-Invocation-Id": context["invocation"],
            "X-Zendesk-Webhook-Signature": signature(secret, stamp, row["body"]),
            "X-Zendesk-Webhook-Signature-Timestamp": stamp,
        }


def ulid() -> str:
    """An id as webhooks and their invocations have."""
    return "01" + "".join(random.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=24))


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What proves that a push is ours."""
    return base64.b64encode(hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()).decode()


def _authorization(authentication: Row) -> dict[str, str]:
    data = authentication.get("data") or {}
    match authentication.get("type"):
        case "basic_auth":
            pair = f"{data.get('username')}:{data.get('password')}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        case "bearer_token":
            return {"Authorization": f"Bearer {data.get('token')}"}
        case "api_key":
            return {str(data.get("name")): str(data.get("value"))}
    return {}


def _text(attribute: str, value: Any) -> Any:
    """Ids travel as text in events, and a ticket's status, priority and type in capitals."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.upper() if value and attribute in ("status", "priority", "type") else value


_DETAILS = {
    "organization": ("external_id", "group_id", "id", "name", "shared_comments", "shared_tickets"),
    "user": ("default_group_id", "email", "external_id", "id", "organization_id", "role"),
    "ticket": (
        *("assignee_id", "brand_id", "description", "external_id", "group_id", "id", "is_public", "organization_id"),
        *("priority", "requester_id", "status", "subject", "submitter_id", "tags", "type"),
    ),
}


def _detail(kind: str, row: Row, actor_id: int | None) -> Row:
    detail = {name: _text(name, row.get(name)) for name in _DETAILS[kind]}
    if kind == "ticket":
        channel = "web_service" if row["via"]["channel"] == "api" else row["via"]["channel"]
        detail |= {"form_id": _text("form_id", row.get("ticket_form_id")), "via": {"channel": channel}}
        detail["actor_id"] = str(actor_id)
    return {**detail, "created_at": row["created_at"], "updated_at": row["updated_at"]}
