"""What people look at and administrators set: for ``isthmus sandbox show`` and ``isthmus sandbox set``."""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox import seeding
from isthmus.connectors.crm.salesforce.sandbox.api_limit import ApiLimit
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.ids import full_id
from isthmus.connectors.crm.salesforce.sandbox.metadata import Field, ObjectType, new_field
from isthmus.connectors.crm.salesforce.sandbox.org import Org
from isthmus.connectors.crm.salesforce.sandbox.outbound import Outbound
from isthmus.connectors.crm.salesforce.sandbox.sign_in import public_key
from isthmus.sandkit.world import Row, quoted

#: what people call the objects, and the fields by which they find a row
KINDS = {
    "opportunity": ("Opportunity", ("Opportunity_Number__c", "Name")),
    "line": ("OpportunityLineItem", ("OpportunityId", "ProductCode")),
    "customer": ("Account", ("External_Id__c", "AccountNumber", "Name")),
    "product": ("Product2", ("ProductCode", "External_Id__c", "Name")),
    "price": ("PricebookEntry", ("ProductCode",)),
    "contact": ("Contact", ("External_Id__c", "Email", "Name")),
    "order": ("Order", ("OrderNumber", "OrderReferenceNumber")),
    "quote": ("Quote", ("QuoteNumber", "Name")),
    "case": ("Case", ("CaseNumber", "Subject")),
    "entitlement": ("Entitlement", ("Name",)),
    "contract": ("Contract", ("ContractNumber",)),
    "user": ("User", ("Username",)),
}
_TABLES = {"outbound_message": "_outbound_message", "validation_rule": "_validation_rule", "bulk_job": "_bulk_job"}
_ALIASES = {"text": "string", "checkbox": "boolean", "number": "double", "longtext": "textarea", "decimal": "double"}


class Desk:
    """Shows and changes the organization from inside."""

    def __init__(self, org: Org, limit: ApiLimit, outbound: Outbound) -> None:
        self._org, self._limit, self._outbound = org, limit, outbound

    def show(self, kind: str, key: str | None) -> list[Row]:
        """Rows of one kind; ``key`` narrows. Raises ValueError for a kind that does not exist."""
        if kind == "limit":
            return [{"name": name, **values} for name, values in self._limit.as_json().items()]
        if kind == "session":
            return self._org.world.rows("SELECT user_id, used_at FROM _session")
        if kind == "push":
            return self._org.world.rows("SELECT number, url, about, attempts, state, answer FROM _push ORDER BY number")
        if kind == "field":
            return self._fields(key)
        if kind in _TABLES:
            sql = f"SELECT * FROM {_TABLES[kind]}"
            return [row for row in self._org.world.rows(sql) if key in (None, row.get("name"), row.get("id"))]
        if kind not in KINDS:
            raise ValueError(
                f"kind {kind!r} is unknown; there are {', '.join((*KINDS, *_TABLES, 'field', 'limit', 'push'))}"
            )
        if key is not None:
            return found(self._org, kind, key)
        return self._org.world.rows(f'SELECT * FROM {quoted(KINDS[kind][0])} WHERE "IsDeleted" = 0')

    def change(self, kind: str, key: str, values: Mapping[str, str]) -> Row:
        """Set something; the row after it. Raises ValueError in words for people."""
        special = {
            "field": self._field,
            "object": self._permission,
            "outbound_message": self._message,
            "validation_rule": self._validation,
            "session": self._session,
            "limit": self._remaining,
            "connected_app": self._app,
        }
        self._org.rows.user = seeding.user_id(self._org, seeding.ADMIN)
        try:
            if kind in special:
                return special[kind](key, values)
            if kind not in KINDS:
                raise ValueError(f"kind {kind!r} cannot be set; there are {', '.join((*special, *KINDS))}")
            row = the_row(self._org, kind, key)
            object_type = self._org.rows.kind(KINDS[kind][0])
            with self._org.conditions.undone_on_error():
                self._org.rows.update(object_type, row["Id"], given(values))
            self._outbound.send()
            return self._org.rows.get(object_type, row["Id"])
        except VendorError as error:
            raise ValueError(f"{error.code}: {error.message}") from None

    def _fields(self, key: str | None) -> list[Row]:
        name, _, field_name = (key or "").partition(".")
        return [
            {"object": kind.name, "field": f.name, "type": f.type, "length": f.length, "custom": f.custom}
            for kind in self._org.catalogue.objects.values()
            for f in kind.fields.values()
            if (not name or name.lower() == kind.name.lower())
            and (not field_name or field_name.lower() == f.name.lower())
        ]

    def _field(self, key: str, values: Mapping[str, str]) -> Row:
        object_name, _, name = key.partition(".")
        kind = self._kind(object_name)
        known = kind.field(name)
        if _true(values.get("gone")):
            if known is None:
                raise ValueError(f"{kind.name} has no field {name!r}")
            self._unused(kind, known)
            self._org.catalogue.remove(kind.name, known.name)
            return {"object": kind.name, "field": known.name, "gone": True}
        if known is not None:
            raise ValueError(f"{kind.name} has a field {known.name} already")
        if not re.fullmatch(r"[A-Za-z]\w*__c", name):
            raise ValueError(f"a custom field is called like Promo_Code__c, not {name!r}")
        self._org.catalogue.add(kind.name, _new_field(name, values))
        return self._fields(f"{kind.name}.{name}")[0]

    def _permission(self, key: str, values: Mapping[str, str]) -> Row:
        """What the profile of API users lets them read: a query of another object meets an object that is not there."""
        name, readable = self._kind(key).name, _true(values.get("readable"))
        if readable:
            self._org.unreadable.discard(name)
        else:
            self._org.unreadable.add(name)
        return {"object": name, "readable": readable}

    def _unused(self, kind: ObjectType, field: Field) -> None:
        for row in self._org.world.rows(
            "SELECT name, fields, condition FROM _outbound_message WHERE object = ?", (kind.name,)
        ):
            if re.search(rf"\b{field.name}\b", f"{row['fields']} {row['condition']}", re.IGNORECASE):
                raise ValueError(f"{kind.name}.{field.name} is used by the outbound message {row['name']!r}")

    def _message(self, key: str, values: Mapping[str, str]) -> Row:
        if _true(values.get("gone")):
            self._org.conditions.remove("_outbound_message", key)
            return {"name": key, "gone": True}
        kind = self._kind(values.get("object", "Opportunity"))
        url, fields = values.get("url", ""), values.get("fields", "Id")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"outbound message {key!r} needs url, an http or https address, not {url!r}")
        if "." in fields:
            raise ValueError(f"an outbound message carries the object's own fields only, not {fields!r}")
        condition = values.get("when") or "Id != null"
        return self._org.conditions.set_message(key, url, kind, fields, condition, _true(values.get("every")))

    def _validation(self, key: str, values: Mapping[str, str]) -> Row:
        if _true(values.get("gone")):
            self._org.conditions.remove("_validation_rule", key)
            return {"name": key, "gone": True}
        kind = self._kind(values.get("object", ""))
        return self._org.conditions.set_validation(key, kind, values.get("when", ""), values.get("message", key))

    def _session(self, key: str, values: Mapping[str, str]) -> Row:
        return {"session": key, "expired": self._org.sign_in.expire()}

    def _remaining(self, key: str, values: Mapping[str, str]) -> Row:
        remaining = values.get("remaining", "")
        if key.lower() not in ("dailyapirequests", "daily", "api") or not remaining.isdigit():
            raise ValueError(f"limit takes DailyApiRequests remaining=NUMBER, not {key} {dict(values)}")
        self._limit.leave(int(remaining))
        return {"name": "DailyApiRequests", **self._limit.as_json()["DailyApiRequests"]}

    def _app(self, key: str, values: Mapping[str, str]) -> Row:
        """Register a connected app, or the certificate of one for the JWT bearer flow."""
        known = self._org.world.row("SELECT * FROM _connected_app WHERE client_id = ?", (key,))
        row = known or {
            "client_id": key,
            "client_secret": "",
            "certificate": None,
            "run_as": seeding.INTEGRATION,
        }
        changes = {name: value for name, value in values.items() if name in ("client_secret", "certificate", "run_as")}
        if "certificate" in changes:
            changes["certificate"] = public_key(changes["certificate"])
        if known:
            self._org.world.update("_connected_app", changes, {"client_id": key})
        else:
            self._org.world.insert("_connected_app", row | changes)
        return {
            "client_id": key,
            "run_as": (row | changes)["run_as"],
            "certificate": bool((row | changes)["certificate"]),
        }

    def _kind(self, name: str) -> ObjectType:
        kind = self._org.catalogue.object(name)
        if kind is None:
            raise ValueError(
                f"there is no object {name!r}; there are {', '.join(k.name for k in self._org.catalogue.objects.values())}"
            )
        return kind


def found(org: Org, kind: str, key: str) -> list[Row]:
    """The rows of a kind that people mean by ``key``: an id, or the value of a field by which they find it."""
    object_name, fields = KINDS[kind]
    row_id = full_id(key)
    for field in ("Id", *fields):
        sql = f'SELECT * FROM {quoted(object_name)} WHERE {quoted(field)} = ? AND "IsDeleted" = 0'
        if rows := org.world.rows(sql, (row_id or key if field == "Id" else key,)):
            return rows
    return []


def the_row(org: Org, kind: str, key: str) -> Row:
    """The one row that people mean. Raises ValueError."""
    rows = found(org, kind, key)
    if len(rows) != 1:
        raise ValueError(f"{len(rows)} rows of kind {kind} are known as {key!r}; expected one")
    return rows[0]


def given(values: Mapping[str, str]) -> dict[str, Any]:
    """What people typed, as fields: an empty value empties the field."""
    return {name: None if value == "" else value for name, value in values.items()}


def _new_field(name: str, values: Mapping[str, str]) -> Field:
    kind = values.get("type", "string").lower()
    mode = "cu" + ("x" if _true(values.get("external_id")) else "") + ("q" if _true(values.get("unique")) else "")
    mode += "r" if _true(values.get("required")) else ""
    size = values.get("length") or values.get("size") or ""
    return new_field(name, _ALIASES.get(kind, kind), size, mode, values.get("reference", ""), values.get("values", ""))


def _true(value: str | None) -> bool:
    return str(value or "").lower() in ("true", "yes", "1", "on")
