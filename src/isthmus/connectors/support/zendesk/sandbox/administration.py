"""What an administrator sees and changes there: ``isthmus sandbox show`` and ``set``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller
from isthmus.connectors.support.zendesk.sandbox.answers import sentence_of
from isthmus.connectors.support.zendesk.sandbox.fields import OWNERS, Fields
from isthmus.connectors.support.zendesk.sandbox.limits import NAMES, Limits
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.signin import SignIn
from isthmus.connectors.support.zendesk.sandbox.tables import key_of
from isthmus.connectors.support.zendesk.sandbox.ticketing import Ticketing
from isthmus.connectors.support.zendesk.sandbox.webhooks import Webhooks
from isthmus.sandkit.routes import Refusal
from isthmus.sandkit.world import Row

_YES = ("true", "1", "yes")
_ALIASES = {"customer": "organization", "account": "organization", "contact": "user", "case": "ticket"}
KINDS = ("organization", "user", "ticket", "field", "webhook", "token", "limit", "setting")
#: attributes that are set as they are; every other name is a custom field's key
_OWN: dict[str, tuple[str, ...]] = {
    "organization": ("name", "external_id", "details", "notes", "tags", "domain_names", "group_id"),
    "user": (
        "name",
        "external_id",
        "email",
        "phone",
        "role",
        "notes",
        "details",
        "tags",
        "organization_id",
        "suspended",
    ),
    "ticket": (
        "subject",
        "status",
        "priority",
        "type",
        "external_id",
        "tags",
        "assignee_id",
        "ticket_form_id",
        "comment",
    ),
}


class Administration:
    """Looks and changes through the same acts that callers use, so that webhooks hear of it."""

    def __init__(
        self,
        account: Account,
        *,
        fields: Fields,
        organizations: Organizations,
        people: People,
        ticketing: Ticketing,
        webhooks: Webhooks,
        limits: Limits,
        signin: SignIn,
    ) -> None:
        self._account, self._fields, self._organizations = account, fields, organizations
        self._people, self._ticketing, self._webhooks = people, ticketing, webhooks
        self._limits, self._signin = limits, signin

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of a kind. Raises ValueError for an unknown kind."""
        if kind == "comment":
            return self._comments_shown(key)
        kind = _kind(kind)
        if kind in OWNERS:
            return [self._shown(kind, row) for row in self._rows(kind, key)]
        shows: dict[str, Callable[[], list[Row]]] = {
            "field": self._fields_shown,
            "webhook": self._webhooks_shown,
            "token": self._tokens_shown,
            "limit": lambda: [{"name": name, "per_minute": self._limits.figure(name)} for name in NAMES],
            "setting": lambda: self._account.world.rows("SELECT name, value FROM setting ORDER BY name"),
        }
        return [row for row in shows[kind]() if key is None or key in (str(value) for value in row.values())]

    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """One row after the change; ``gone=true`` takes it away. Raises ValueError."""
        kind = _kind(kind)
        acts: dict[str, Callable[[str, Mapping[str, str]], Row]] = {
            "field": self._change_field,
            "webhook": self._change_webhook,
            "token": self._change_token,
            "limit": self._change_limit,
            "setting": self._change_setting,
        }
        try:
            return acts[kind](key, values) if kind in acts else self._change_row(kind, key, values)
        except Refusal as refused:
            raise ValueError(f"{kind} {key}: {sentence_of(refused.answer)}") from None

    def _comments_shown(self, ticket: str | None) -> list[Row]:
        sql = "SELECT body FROM comment WHERE ticket_id = ? ORDER BY id"
        return [json.loads(row["body"]) for row in self._account.world.rows(sql, (int(ticket or 0),))]

    # Organizations, users, tickets ----------------------------------------------------------------

    def _rows(self, kind: str, key: str | None) -> list[Row]:
        shelf = {"organization": self._account.organizations, "user": self._account.users}.get(
            kind, self._account.tickets
        )
        if key is None:
            return shelf.where("1")
        if key.isdigit() and (row := shelf.get(int(key))):
            return [row]
        if kind == "ticket":
            return shelf.where("external_id = ?", (key,))
        if kind == "user" and "@" in key:
            found = self._people.by_email(key)
            return [found] if found else []
        columns = ("external_key", "name_key") if kind == "organization" else ("external_key",)
        rows = [row for column in columns if (row := shelf.find(column, key_of(key)))]
        return rows[:1]

    def _shown(self, kind: str, row: Row) -> Row:
        present = {"organization": self._organizations.present, "user": self._people.present}
        shown = present.get(kind, self._ticketing.present)(row, "")
        if kind == "ticket":
            named = self._fields.of("ticket").items()
            shown["custom_fields"] = {field.key: row["custom_fields"].get(handle) for handle, field in named}
        return {name: value for name, value in shown.items() if name not in ("url", "fields")}

    def _change_row(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        found = self._rows(kind, key)
        if not found:
            raise ValueError(f"there is no {kind} {key!r}; expected an id, an external id, or a name or address")
        row, who = found[0], Caller(-1, "admin", channel="web")
        if values.get("gone") in _YES:
            self._take_away(kind, row, who)
            return {"id": row["id"], "gone": True}
        given: Row = {name: _value(name, text) for name, text in values.items() if name in _OWN[kind]}
        custom = {name: text or None for name, text in values.items() if name not in _OWN[kind]}
        handles = {self._fields.named(kind, name).handle: text for name, text in custom.items()}
        if kind == "organization":
            return self._shown(kind, self._organizations.update(row, {**given, "organization_fields": handles}))
        if kind == "user":
            return self._shown(kind, self._people.update(row, {**given, "user_fields": handles}))
        return self._shown(kind, self._ticketing.update(row, {**given, "custom_fields": handles}, who)[0])

    def _take_away(self, kind: str, row: Row, who: Caller) -> None:
        if kind == "organization":
            self._organizations.delete(row)
        elif kind == "user":
            self._people.delete(row)
        else:
            self._ticketing.delete(row, who)

    # Fields, webhooks, tokens, limits ---------------------------------------------------------------

    def _fields_shown(self) -> list[Row]:
        return [
            {"owner": f.owner, "key": f.key, "name": f"{f.owner}.{f.key}", "id": f.id, "type": f.type, "title": f.title}
            | {"choices": list(f.choices)}
            for owner in OWNERS
            for f in self._fields.of(owner).values()
        ]

    def _change_field(self, key: str, values: Mapping[str, str]) -> Row:
        owner, _, name = key.partition(".")
        owner = _ALIASES.get(owner.lower(), owner.lower()).removesuffix("_fields")
        if owner not in OWNERS or not name:
            raise ValueError(f"field {key!r} is unknown; expected {' or '.join(f'{o}.key' for o in OWNERS)}")
        if values.get("gone") in _YES:
            self._fields.remove(owner, self._fields.named(owner, name).id)
            return {"name": key, "gone": True}
        given: Row = {"key": name, "title": values.get("title") or name.replace("_", " ").capitalize()}
        choices = [word.strip() for word in values.get("choices", "").split(",") if word.strip()]
        if choices:
            given["custom_field_options"] = [{"name": word.capitalize(), "value": word} for word in choices]
        if any(name in (f.key, f.title) for f in self._fields.of(owner).values()):
            self._fields.change(owner, self._fields.named(owner, name).id, given)
        else:
            self._fields.add(owner, {**given, "type": values.get("type", "text")}, name)
        return next(row for row in self._fields_shown() if row["name"] == f"{owner}.{name}")

    def _webhooks_shown(self) -> list[Row]:
        rows = self._account.world.rows("SELECT body FROM webhook ORDER BY name")
        bodies = [json.loads(row["body"]) for row in rows]
        return [{n: b[n] for n in ("id", "name", "endpoint", "status", "subscriptions")} for b in bodies]

    def _change_webhook(self, key: str, values: Mapping[str, str]) -> Row:
        found = next((row for row in self._webhooks_shown() if key in (row["id"], row["name"])), None)
        if found is None:
            raise ValueError(f"there is no webhook {key!r}; expected its id or name")
        if values.get("gone") in _YES:
            self._webhooks.remove(found["id"])
            return {"id": found["id"], "gone": True}
        given: Row = dict(values)
        if "subscriptions" in given:
            given["subscriptions"] = [name.strip() for name in values["subscriptions"].split(",") if name.strip()]
        self._webhooks.change(self._webhooks.one(found["id"]), given, -1)
        return next(row for row in self._webhooks_shown() if row["id"] == found["id"])

    def _tokens_shown(self) -> list[Row]:
        """Tokens by their first characters: enough to tell them apart."""
        world = self._account.world
        api = [
            {
                "kind": "api",
                "token": row["token"][:10] + "…",
                "description": row["description"],
                "active": bool(row["active"]),
            }
            for row in world.rows("SELECT * FROM api_token")
        ]
        return api + [
            {"kind": "oauth", "token": row["token"][:10] + "…", "user_id": row["user_id"], "scope": row["scope"]}
            for row in world.rows("SELECT * FROM oauth_token")
        ]

    def _change_token(self, key: str, values: Mapping[str, str]) -> Row:
        """``active=true|false`` of an API token (a new one where none is called so); ``gone=true`` of any."""
        world = self._account.world
        self._signin.forget()
        if values.get("gone") in _YES:
            gone = world.execute("DELETE FROM oauth_token WHERE token = ?", (key,))
            gone += world.execute("DELETE FROM api_token WHERE token = ? OR description = ?", (key, key))
            if not gone:
                raise ValueError("there is no such token; expected the whole token, or an API token's description")
            return {"gone": True}
        active = int(values.get("active", "true") in _YES)
        sql = "UPDATE api_token SET active = ? WHERE token = ? OR description = ?"
        if not world.execute(sql, (active, key, key)):
            description = values.get("description", "")
            world.insert("api_token", {"token": key, "description": description, "active": active})
        return {"token": key[:10] + "…", "active": bool(active)}

    def _change_limit(self, key: str, values: Mapping[str, str]) -> Row:
        text = values.get("per_minute", "")
        if not text.isdigit():
            raise ValueError(f"limit {key}: per_minute={text!r} must be a number (0 is off)")
        self._limits.set(key, int(text))
        return {"name": key, "per_minute": int(text)}

    def _change_setting(self, key: str, values: Mapping[str, str]) -> Row:
        if key in ("panel_url", "panel_secret"):
            self._account.set(key, values.get("value", ""))
            return {"name": key, "value": values.get("value", "") if key == "panel_url" else "…"}
        if key != "search_lag_s":
            raise ValueError(f"setting {key!r} is unknown; there are search_lag_s, panel_url and panel_secret")
        self._account.set(key, str(float(values.get("value", ""))))
        return {"name": key, "value": values["value"]}


def _kind(kind: str) -> str:
    kind = _ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is unknown; there are {', '.join(KINDS)}")
    return kind


def _value(name: str, text: str) -> Any:
    if name in ("tags", "domain_names"):
        return [word for word in text.replace(",", " ").split() if word]
    if name == "comment":
        return {"body": text}
    return text or None
