"""Webhook endpoints: addresses that events are pushed to, each with a secret that is told once.

docs.stripe.com/api/webhook_endpoints.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from .account import Account, Body
from .errors import ParameterError
from .event_types import EVENT_TYPES
from .events import API_VERSION, one_event
from .lists import EVENT_LIST, listing
from .operation import Ask, merge, merge_metadata, new_metadata, operation, refuse_unless, retrieval

_MOST = 16


def create(account: Account, ask: Ask) -> Body:
    """A new endpoint; only this answer shows its secret."""
    held = account.world.value(
        "SELECT count(*) FROM object WHERE account = ? AND kind = 'webhook_endpoint'", (account.id,)
    )
    refuse_unless(held < _MOST, f"You have reached the maximum of {_MOST} test webhook endpoints.")
    secret = account.new_id("whsec").replace("whsec_1", "whsec_")
    endpoint: Body = {
        "id": account.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": ask.get("api_version"),
        "application": None,
        "created": account.now,
        "description": ask.get("description"),
        "enabled_events": _checked_events(ask["enabled_events"]),
        "livemode": False,
        "metadata": new_metadata(ask.given),
        "status": "enabled",
        "url": _checked_url(ask["url"]),
    }
    account.add(endpoint, hidden={"secret": secret})
    return {**endpoint, "secret": secret}


def _modify(account: Account, ask: Ask) -> Body:
    endpoint = account.get("webhook_endpoint", ask.id)
    merge(endpoint, ask, "description")
    if "enabled_events" in ask:
        endpoint["enabled_events"] = _checked_events(ask["enabled_events"])
    if "url" in ask:
        endpoint["url"] = _checked_url(ask["url"])
    if "disabled" in ask:
        endpoint["status"] = "disabled" if ask["disabled"] else "enabled"
    merge_metadata(endpoint, ask)
    return account.save(endpoint)


def _delete(account: Account, ask: Ask) -> Body:
    return account.remove(account.get("webhook_endpoint", ask.id))


def _checked_events(names: list[str] | None) -> list[str]:
    for at, name in enumerate(names or []):
        if name != "*" and name not in EVENT_TYPES:
            raise ParameterError(
                f"Invalid enabled_events[{at}]: {name} is not an event type of {API_VERSION}.",
                param=f"enabled_events[{at}]",
            )
    if not names:
        raise ParameterError("Invalid array: enabled_events must not be empty.", param="enabled_events")
    return names


def _checked_url(url: str) -> str:
    """Stripe's test mode takes plain http too, but only absolute addresses."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ParameterError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
    return url


def _event(account: Account, ask: Ask) -> str:
    return one_event(account, ask.id)


OPERATIONS = (
    EVENT_LIST,
    operation("GET", "/v1/events/{id}", _event),
    operation(
        "POST",
        "/v1/webhook_endpoints",
        create,
        "url! enabled_events![] api_version connect:bool description metadata:metadata",
    ),
    listing("/v1/webhook_endpoints", "webhook_endpoint"),
    retrieval("/v1/webhook_endpoints/{id}", "webhook_endpoint"),
    operation(
        "POST",
        "/v1/webhook_endpoints/{id}",
        _modify,
        "url enabled_events[] description disabled:bool metadata:metadata",
    ),
    operation("DELETE", "/v1/webhook_endpoints/{id}", _delete),
)
