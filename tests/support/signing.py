"""How the vendors sign what they push, written from their documentation, for callers who are or pretend to be them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any


def stripe(body: bytes, secret: str, *, at: float | None = None, more: str = "") -> dict[str, str]:
    """Headers of a Stripe event: ``t`` in seconds, ``v1`` the HMAC-SHA256 of ``t.body``; ``more`` is put before it."""
    stamp = int(time.time() if at is None else at)
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},{more}v1={signature}", "Content-Type": "application/json"}


def zendesk(body: bytes, secret: str, *, at: datetime | None = None) -> dict[str, str]:
    """Headers of a Zendesk event: Base64 of the HMAC-SHA256 over time and body."""
    stamp = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    signature = base64.b64encode(hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()).decode()
    return {
        "X-Zendesk-Webhook-Signature": signature,
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
        "Content-Type": "application/json",
    }


def stripe_event(id_: str = "evt_1", **more: Any) -> bytes:
    """An event about a paid invoice."""
    about = {"object": "invoice", "id": "in_1"}
    return json.dumps(
        {"id": id_, "type": "invoice.paid", "created": 1760000000, "data": {"object": about}, **more}
    ).encode()


def zendesk_event(id_: str = "zd-1") -> bytes:
    """An event about a new ticket."""
    detail = {"id": "35436", "tags": ["printer"], "status": "NEW"}
    event = {"id": id_, "type": "zen:event-type:ticket.created", "time": "2026-11-23T10:00:00Z", "detail": detail}
    return json.dumps(event).encode()


def outbound_message(organization: str, *opportunities: str, id_: str = "04l1") -> bytes:
    """A Salesforce Outbound Message with a notification for each opportunity."""
    notifications = "".join(
        f"<Notification><Id>{id_}{number}</Id><sObject xsi:type='sf:Opportunity'"
        f" xmlns:sf='urn:sobject.enterprise.soap.sforce.com'><sf:Id>{each}</sf:Id>"
        "<sf:SystemModstamp>2026-11-23T10:00:00.000Z</sf:SystemModstamp></sObject></Notification>"
        for number, each in enumerate(opportunities)
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'"
        " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><soapenv:Body>"
        "<notifications xmlns='http://soap.sforce.com/2005/09/outbound'>"
        f"<OrganizationId>{organization}</OrganizationId><ActionId>04k1</ActionId><SessionId xsi:nil='true'/>"
        f"{notifications}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()
