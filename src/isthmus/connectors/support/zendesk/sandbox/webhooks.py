"""The webhooks API: endpoints that events or triggers are sent to, and their signing secrets.

Source: developer.zendesk.com, "Webhooks API". A webhook hears events, or triggers (``conditional_ticket_events``),
never both. Errors are lists, ids are texts. The stand-in sends POST with JSON only.
"""

from __future__ import annotations

import json
import secrets
from urllib.parse import urlsplit

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On
from isthmus.connectors.support.zendesk.sandbox.answers import listed_error, no_content, ok, sent_object
from isthmus.connectors.support.zendesk.sandbox.events import CONDITIONAL, TYPES, Events, ulid
from isthmus.connectors.support.zendesk.sandbox.pages import Listing, page
from isthmus.connectors.support.zendesk.sandbox.tables import as_text
from isthmus.sandkit.routes import Answer, Refusal, Request
from isthmus.sandkit.world import Row

_GIVEN = (
    *("name", "description", "endpoint", "http_method", "request_format", "status", "subscriptions"),
    *("authentication", "custom_headers"),
)


class Webhooks:
    """Endpoints below ``/webhooks``."""

    def __init__(self, account: Account, events: Events) -> None:
        self._account, self._events = account, events

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/webhooks", self._listed, admin=True)
        on("POST", "/webhooks", self._created, admin=True)
        on("GET", "/webhooks/{id}", self._shown, admin=True)
        on("PUT", "/webhooks/{id}", self._updated, admin=True)
        on("PATCH", "/webhooks/{id}", self._updated, admin=True)
        on("DELETE", "/webhooks/{id}", self._deleted, admin=True)
        on("GET", "/webhooks/{id}/signing_secret", self._secret, admin=True)
        on("POST", "/webhooks/{id}/signing_secret", self._secret_reset, admin=True)
        on("GET", "/webhooks/{id}/invocations", self._invocations, admin=True)

    def add(self, given: Row, user_id: int) -> tuple[Row, str]:
        """A new webhook and its secret. Raises Refusal 400."""
        now = self._account.now()
        body: Row = {
            "id": ulid(),
            "status": "active",
            "http_method": "POST",
            "request_format": "json",
            "description": "",
        }
        body |= {"subscriptions": [], "created_at": now, "created_by": str(user_id), "updated_at": now}
        body = _checked({**body, **{name: given[name] for name in _GIVEN if name in given}})
        body["updated_by"] = str(user_id)
        secret = secrets.token_urlsafe(32)
        stored = {"id": body["id"], "name": body["name"], "status": body["status"], "secret": secret}
        self._account.world.insert("webhook", {**stored, "body": as_text(body)})
        self._events.forget()
        return body, secret

    def change(self, body: Row, given: Row, user_id: int) -> Row:
        """A webhook with what was given. Raises Refusal 400."""
        body = _checked({**body, **{name: given[name] for name in _GIVEN if name in given}})
        body |= {"updated_at": self._account.now(), "updated_by": str(user_id)}
        stored = {"name": body["name"], "status": body["status"], "body": as_text(body)}
        self._account.world.update("webhook", stored, {"id": body["id"]})
        self._events.forget()
        return body

    def remove(self, webhook_id: str) -> None:
        """Take a webhook away, with what is queued for it."""
        self._account.world.execute("DELETE FROM webhook WHERE id = ?", (webhook_id,))
        mine = "state = 'queued' AND json_extract(context, '$.webhook') = ?"
        self._account.world.execute(f"UPDATE _push SET state = 'given up' WHERE {mine}", (webhook_id,))  # noqa: S608
        self._events.forget()

    def one(self, webhook_id: str) -> Row:
        """A webhook by id. Raises Refusal 404."""
        found = self._account.world.value("SELECT body FROM webhook WHERE id = ?", (webhook_id,))
        if found is None:
            raise listed_error(404, "WebhookNotFound", "Webhook not found", f"There is no webhook {webhook_id}")
        return dict(json.loads(found))

    def _listed(self, request: Request, caller: Caller) -> Answer:
        arguments = dict(request.query)
        where, values = "instr(lower(name), ?) > 0", [(arguments.get("filter[name_contains]") or "").lower()]
        if "filter[status]" in arguments:
            where, values = f"{where} AND status = ?", [*values, arguments["filter[status]"]]
        listing = Listing("webhooks", "webhook", where, values, {"id": "id", "name": "name", "status": "status"})
        return ok(page(request, self._account.world, listing, _shown, by_cursor=True))

    def _shown(self, request: Request, caller: Caller) -> Answer:
        return ok({"webhook": _shown(self.one(request.params["id"]))})

    def _created(self, request: Request, caller: Caller) -> Answer:
        if request.argument("clone_webhook_id"):
            given = self.one(str(request.argument("clone_webhook_id")))
        else:
            given = sent_object(request, "webhook")
        body, secret = self.add(given, caller.user_id)
        return ok({"webhook": {**_shown(body), "signing_secret": {"algorithm": "SHA256", "secret": secret}}}, 201)

    def _updated(self, request: Request, caller: Caller) -> Answer:
        body, given = self.one(request.params["id"]), sent_object(request, "webhook")
        if request.method == "PUT":
            must = [
                name for name in ("name", "endpoint", "http_method", "request_format", "status") if name not in given
            ]
            if must:
                raise _wrong(f"{must[0]} is required")
        self.change(body, given, caller.user_id)
        return no_content()

    def _deleted(self, request: Request, caller: Caller) -> Answer:
        self.remove(self.one(request.params["id"])["id"])
        return no_content()

    def _secret(self, request: Request, caller: Caller) -> Answer:
        body = self.one(request.params["id"])
        secret = self._account.world.value("SELECT secret FROM webhook WHERE id = ?", (body["id"],))
        return ok({"signing_secret": {"algorithm": "SHA256", "secret": secret}})

    def _secret_reset(self, request: Request, caller: Caller) -> Answer:
        body, secret = self.one(request.params["id"]), secrets.token_urlsafe(32)
        self._account.world.update("webhook", {"secret": secret}, {"id": body["id"]})
        return ok({"signing_secret": {"algorithm": "SHA256", "secret": secret}}, 201)

    def _invocations(self, request: Request, caller: Caller) -> Answer:
        sql = "SELECT * FROM _push WHERE json_extract(context, '$.webhook') = ? ORDER BY number DESC LIMIT 100"
        rows = self._account.world.rows(sql, (self.one(request.params["id"])["id"],))
        meta = {"has_more": False, "after_cursor": None, "before_cursor": None}
        links = {"prev": None, "next": None}
        return ok({"invocations": [_invocation(row) for row in rows], "meta": meta, "links": links})


def _shown(body: Row) -> Row:
    """A webhook as it goes out: its credentials stay inside."""
    shown = dict(body)
    if body.get("authentication"):
        shown["authentication"] = {k: v for k, v in body["authentication"].items() if k != "data"}
    return shown


def _invocation(row: Row) -> Row:
    status = int((row["answer"] or "0").split()[0])
    state = "success" if 200 <= status < 300 else "pending" if row["state"] == "queued" else "failed"
    return {"id": json.loads(row["context"])["invocation"], "status": state, "status_code": status}


def _checked(body: Row) -> Row:
    """A webhook that can be. Raises Refusal 400 otherwise."""
    target = urlsplit(str(body.get("endpoint") or ""))
    if not body.get("name"):
        raise _wrong("name is required")
    if target.scheme not in ("http", "https") or not target.netloc:
        raise _wrong(f"endpoint {body.get('endpoint')!r} is not an absolute address")
    if body["http_method"] != "POST" or body["request_format"] != "json":
        raise _wrong("http_method must be POST and request_format must be json")
    if body["status"] not in ("active", "inactive"):
        raise _wrong(f"status {body['status']!r} must be active or inactive")
    wanted = body["subscriptions"]
    unknown = [name for name in wanted if name != CONDITIONAL and name not in TYPES]
    if unknown:
        raise _wrong(f"subscription {unknown[0]!r} is not an event type")
    if CONDITIONAL in wanted and len(wanted) > 1:
        raise _wrong(f"{CONDITIONAL} cannot be combined with event types")
    return body


def _wrong(detail: str) -> Refusal:
    return listed_error(400, "InvalidWebhook", "Invalid webhook", detail)
