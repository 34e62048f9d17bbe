"""Every change is an event: kept for 30 days, listed, and pushed to the webhook endpoints that asked for it.

An event shows its object as it stood (``snapshot``); events and stored answers that show the same share it.

docs.stripe.com/api/events, /webhooks: ``Stripe-Signature: t=…,v1=HMAC-SHA256(secret, "t.body")``; at least once,
in no certain order, until the endpoint answers 2xx.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isthmus.sandkit.push import Push, PushPolicy
from isthmus.sandkit.world import Row, World

from .errors import missing_object

if TYPE_CHECKING:
    from .account import Account

API_VERSION = "2026-10-28.endive"
KEPT_S = 30 * 24 * 3600

TABLES = """
CREATE TABLE IF NOT EXISTS event (
  number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL,
  created INTEGER NOT NULL, snapshot INTEGER NOT NULL, previous TEXT, pending INTEGER NOT NULL, request TEXT NOT NULL,
  UNIQUE (account, id));
CREATE TABLE IF NOT EXISTS snapshot (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_order ON event (account, number);
CREATE INDEX IF NOT EXISTS event_type ON event (account, type, number);
"""


class Events:
    """Writes events and queues their deliveries, in the transaction of the change itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.push: Push | None = None

    def announce(self, account: Account, kind: str, text: str, previous: str | None = None) -> None:
        """Keep one event about an object as it stands (``text``), and queue it for every endpoint that wants it."""
        if account.endpoints is None:
            account.endpoints = self._endpoints(account.id)
        endpoints = [(e, secret) for e, secret in account.endpoints if {"*", kind} & set(e["enabled_events"])]
        row = {
            "id": account.new_id("evt"),
            "type": kind,
            "created": account.now,
            "snapshot": account.snapshot(text),
            "previous": previous,
            "pending": len(endpoints),
            "request": account.request_text,
        }
        self._world.execute(
            "INSERT INTO event (account, id, type, created, snapshot, previous, pending, request) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (account.id, *row.values()),
        )
        if endpoints and self.push is not None:
            body = event_text({**row, "text": text}).encode()
            for endpoint, secret in endpoints:
                self.push.enqueue(endpoint["url"], body, about=kind, context={"secret": secret})

    def _endpoints(self, account: str) -> list[tuple[dict[str, Any], str]]:
        rows = self._world.rows(
            "SELECT body, hidden FROM object WHERE account = ? AND kind = 'webhook_endpoint'", (account,)
        )
        found = [(json.loads(row["body"]), json.loads(row["hidden"])["secret"]) for row in rows]
        return [(endpoint, secret) for endpoint, secret in found if endpoint["status"] == "enabled"]


def event_text(row: Row) -> str:
    """An event as Stripe answers and pushes it."""
    previous = f',"previous_attributes":{row["previous"]}' if row["previous"] else ""
    return (
        f'{{"id":"{row["id"]}","object":"event","api_version":"{API_VERSION}","created":{row["created"]},'
        f'"data":{{"object":{row["text"]}{previous}}},"livemode":false,'
        f'"pending_webhooks":{row["pending"]},"request":{row["request"]},"type":"{row["type"]}"}}'
    )


def one_event(account: Account, identity: str) -> str:
    """One event as JSON. Raises StripeError where it is unknown or older than 30 days."""
    row = account.world.row(
        "SELECT event.*, text FROM event JOIN snapshot s ON s.number = snapshot "
        "WHERE account = ? AND id = ? AND created >= ?",
        (account.id, identity, account.now - KEPT_S),
    )
    if row is None:
        raise missing_object("event", identity, "id")
    return event_text(row)


def policy() -> PushPolicy:
    """How Stripe delivers: signed with the attempt's time, taken when the answer is 2xx."""
    return PushPolicy(prepare=_signed, acknowledged=lambda status, body: 200 <= status < 300)


def _signed(row: Row, timestamp: float) -> Mapping[str, str]:
    at = int(timestamp)
    secret = json.loads(row["context"])["secret"]
    signature = hmac.new(secret.encode(), f"{at}.".encode() + row["body"], hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": f"t={at},v1={signature}",
    }
