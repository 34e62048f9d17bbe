"""The resources of one row: create, read, change, upsert by external id, delete, and what changed lately.

Vendor: REST API Developer Guide, "sObject Rows", "sObject Rows by External ID", "Conditional Request Headers".
"""

# ruff: noqa: S608 - every identifier comes from the world's own metadata
from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox import describe
from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, not_found
from isthmus.connectors.crm.salesforce.sandbox.metadata import Field, ObjectType
from isthmus.connectors.crm.salesforce.sandbox.org import Org, base_of, fields_of
from isthmus.connectors.crm.salesforce.sandbox.rows import id_of
from isthmus.connectors.crm.salesforce.sandbox.values import instant_text, parse_instant, stored
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row, quoted

#: from this version on an upsert that updates answers 200 with a body instead of 204
_UPSERT_TELLS = 46.0
_LOOK_BACK = timedelta(days=30)


class SObjects:
    """Handlers of ``/sobjects/…``."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def create(self, request: Request) -> Answer:
        """POST sobjects/T (and sobjects/T/Id, the insert with Id as external id)."""
        kind = self._org.kind(request.params["object"])
        row_id = self._org.rows.create(kind, fields_of(request))
        return _created(request, kind, row_id, {})

    def read(self, request: Request) -> Answer:
        """GET sobjects/T/id, with ``fields`` and conditional headers."""
        kind, row = self._row(request)
        return self._told(request, kind, row)

    def update(self, request: Request) -> Answer:
        """PATCH sobjects/T/id."""
        kind, row = self._row(request)
        _check_precondition(request, kind, row)
        self._org.rows.update(kind, row["Id"], fields_of(request))
        return Answer(204)

    def delete(self, request: Request) -> Answer:
        """DELETE sobjects/T/id."""
        kind, row = self._row(request)
        self._org.rows.delete(kind, row["Id"])
        return Answer(204)

    def read_by(self, request: Request) -> Answer:
        """GET sobjects/T/ExtField/value."""
        kind, field, value = self._key(request)
        row_id = self._only(request, kind, field, value)
        return self._told(request, kind, self._org.rows.get(kind, row_id))

    def delete_by(self, request: Request) -> Answer:
        """DELETE sobjects/T/ExtField/value."""
        kind, field, value = self._key(request)
        self._org.rows.delete(kind, self._only(request, kind, field, value))
        return Answer(204)

    def upsert(self, request: Request) -> Answer:
        """PATCH sobjects/T/ExtField/value: 201 created, 200 or 204 updated, 300 where several rows match."""
        kind, field, value = self._key(request)
        given = fields_of(request)
        named = next((name for name in given if name.lower() in ("id", field.name.lower())), None)
        if named is not None:
            raise VendorError("INVALID_FIELD", f"The {named} field should not be specified in the sobject data.")
        found = self._matches(kind, field, value)
        if len(found) > 1:
            return _choices(request, kind, found)
        told = float(request.params["version"]) >= _UPSERT_TELLS
        if found:
            self._org.rows.update(kind, found[0], given)
            return (
                Answer(200, {"id": found[0], "success": True, "errors": [], "created": False}) if told else Answer(204)
            )
        if field.type == "id" or (request.argument("updateOnly") or "").lower() == "true":
            raise not_found()
        row_id = self._org.rows.create(kind, {**given, field.name: value})
        return _created(request, kind, row_id, {"created": True} if told else {})

    def objects(self, request: Request) -> Answer:
        """GET sobjects."""
        return Answer(200, describe.everything(self._org.catalogue, base_of(request)))

    def about(self, request: Request) -> Answer:
        """GET sobjects/T."""
        kind = self._org.kind(request.params["object"])
        return Answer(200, {"objectDescribe": describe.summary(kind, base_of(request)), "recentItems": []})

    def describe(self, request: Request) -> Answer:
        """GET sobjects/T/describe."""
        kind = self._org.kind(request.params["object"])
        return Answer(200, describe.in_full(self._org.catalogue, kind, base_of(request)))

    def updated(self, request: Request) -> Answer:
        """GET sobjects/T/updated?start&end."""
        kind, start, end = self._span(request)
        sql = f'SELECT "Id" FROM {quoted(kind.name)} WHERE "LastModifiedDate" >= ? AND "LastModifiedDate" < ?'
        found = self._org.world.rows(f'{sql} AND "IsDeleted" = 0', (start, end))
        return Answer(200, {"ids": [row["Id"] for row in found], "latestDateCovered": end})

    def deleted(self, request: Request) -> Answer:
        """GET sobjects/T/deleted?start&end."""
        kind, start, end = self._span(request)
        sql = f'SELECT "Id", "LastModifiedDate" FROM {quoted(kind.name)} WHERE "IsDeleted" = 1'
        found = self._org.world.rows(f'{sql} AND "LastModifiedDate" >= ? AND "LastModifiedDate" < ?', (start, end))
        earliest = instant_text(self._org.clock.now() - _LOOK_BACK)
        told = [{"id": row["Id"], "deletedDate": row["LastModifiedDate"]} for row in found]
        return Answer(200, {"deletedRecords": told, "earliestDateAvailable": earliest, "latestDateCovered": end})

    def _row(self, request: Request) -> tuple[ObjectType, Row]:
        kind = self._org.kind(request.params["object"])
        row_id = id_of(kind, request.params["id"])
        if row_id is None:
            message = f"Provided external ID field does not exist or is not accessible: {request.params['id']}"
            raise VendorError("NOT_FOUND", message)
        return kind, self._org.rows.get(kind, row_id)

    def _told(self, request: Request, kind: ObjectType, row: Row) -> Answer:
        if _unchanged(request, kind, row):
            return Answer(304)
        _check_precondition(request, kind, row)
        names = [name.strip() for name in (request.argument("fields") or "").split(",") if name.strip()]
        text = self._org.row_json(kind, row["Id"], base_of(request), names or None)
        headers = {"Last-Modified": format_datetime(_modified(row), usegmt=True)}
        if kind.name == "Account":
            headers["ETag"] = _tag(row)
        return Answer(200, text, headers)

    def _key(self, request: Request) -> tuple[ObjectType, Field, Any]:
        """The object, its external id field and the value that an address names."""
        kind = self._org.kind(request.params["object"])
        field = kind.field(request.params["field"])
        if field is None or not (field.external_id or field.type == "id"):
            raise not_found()
        return kind, field, stored(field, request.params["value"])

    def _matches(self, kind: ObjectType, field: Field, value: Any) -> list[str]:
        return [] if value is None else self._org.rows.ids_by(kind, field, value)

    def _only(self, request: Request, kind: ObjectType, field: Field, value: Any) -> str:
        found = self._matches(kind, field, value)
        if not found:
            raise not_found()
        if len(found) > 1:
            raise Several(_choices(request, kind, found))
        return found[0]

    def _span(self, request: Request) -> tuple[ObjectType, str, str]:
        kind = self._org.kind(request.params["object"])
        start, end = (parse_instant(request.argument(name) or "") for name in ("start", "end"))
        if start is None or end is None:
            raise VendorError(
                "INVALID_REPLICATION_DATE", "start and end must be dateTime values, e.g. 2026-01-02T03:04:05+00:00"
            )
        if start >= end:
            raise VendorError("INVALID_REPLICATION_DATE", "startDate must be before endDate")
        if start < self._org.clock.now() - _LOOK_BACK:
            raise VendorError("INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
        return kind, instant_text(start), instant_text(end)


class Several(VendorError):
    """More than one row has the external id: 300 with their addresses."""

    def __init__(self, choices: Answer) -> None:
        super().__init__("MULTIPLE_CHOICES", "The external ID provided matches more than one record", status=300)
        self._choices = choices

    def answer(self) -> Answer:
        """The list of addresses instead of an error."""
        return self._choices


def _created(request: Request, kind: ObjectType, row_id: str, more: dict[str, Any]) -> Answer:
    place = {"Location": f"{base_of(request)}/sobjects/{kind.name}/{row_id}"}
    return Answer(201, {"id": row_id, "success": True, "errors": [], **more}, place)


def _choices(request: Request, kind: ObjectType, found: list[str]) -> Answer:
    return Answer(300, [f"{base_of(request)}/sobjects/{kind.name}/{row_id}" for row_id in found])


def _modified(row: Row) -> datetime:
    moment = parse_instant(row["LastModifiedDate"])
    assert moment is not None
    return moment.replace(microsecond=0)


def _tag(row: Row) -> str:
    digest = hashlib.sha1((row["Id"] + row["SystemModstamp"]).encode(), usedforsecurity=False).digest()
    return f'"{base64.b64encode(digest).decode()}"'


def _header_date(request: Request, name: str) -> datetime | None:
    value = request.headers.get(name)
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).replace(tzinfo=UTC)
    except ValueError:
        raise VendorError("BAD_REQUEST", f"the value of the header {name} is not a date: {value}") from None


def _tags(request: Request, name: str) -> list[str]:
    return [tag.strip().replace('-gzip"', '"') for tag in request.headers.get(name, "").split(",") if tag.strip()]


def _unchanged(request: Request, kind: ObjectType, row: Row) -> bool:
    if kind.name == "Account" and _tag(row) in _tags(request, "if-none-match"):
        return True
    since = _header_date(request, "if-modified-since")
    return since is not None and _modified(row) <= since


def _check_precondition(request: Request, kind: ObjectType, row: Row) -> None:
    """412 where the row changed since; the dates have whole seconds only."""
    since = _header_date(request, "if-unmodified-since")
    tags = _tags(request, "if-match") if kind.name == "Account" else []
    if (since is not None and _modified(row) > since) or (tags and "*" not in tags and _tag(row) not in tags):
        raise VendorError("PRECONDITION_FAILED", "The record was modified since the given precondition")
