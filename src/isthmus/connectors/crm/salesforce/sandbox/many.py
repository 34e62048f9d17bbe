"""sObject Collections: up to 200 rows in one call, each with its own result, in the order of the request.

Vendor: "Create/Update/Upsert/Delete/Retrieve Multiple Records". A well-formed call is answered with 200 even when
every row failed; with ``allOrNone`` one failure takes all the others back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, not_found
from isthmus.connectors.crm.salesforce.sandbox.metadata import ObjectType
from isthmus.connectors.crm.salesforce.sandbox.org import Org, base_of, body_of
from isthmus.connectors.crm.salesforce.sandbox.rows import id_of
from isthmus.connectors.crm.salesforce.sandbox.values import stored
from isthmus.sandkit.routes import Answer, Request

_ROWS_MAX, _CHUNKS_MAX, _RETRIEVED_MAX = 200, 10, 2000
Result = dict[str, Any]


class _RolledBack(Exception):
    """Undoes the savepoint around a call of which one row failed."""


class Many:
    """Handlers of ``/composite/sobjects``."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def create(self, request: Request) -> Answer:
        """POST composite/sobjects."""
        return self._each_row(request, self._create)

    def update(self, request: Request) -> Answer:
        """PATCH composite/sobjects."""
        return self._each_row(request, self._update)

    def upsert(self, request: Request) -> Answer:
        """PATCH composite/sobjects/T/ExtField."""
        kind = self._org.kind(request.params["object"])
        field = kind.field(request.params["field"])
        if field is None or not (field.external_id or field.type == "id"):
            raise not_found()

        def one(row: dict[str, Any]) -> Result:
            if self._kind_of(row).name != kind.name:
                raise VendorError("INVALID_TYPE", f"all rows must be of type {kind.name}", [])
            return upsert_row(self._org, kind, field.name, row)

        return self._each_row(request, one)

    def delete(self, request: Request) -> Answer:
        """DELETE composite/sobjects?ids=…&allOrNone=…"""
        ids = [part.strip() for part in (request.argument("ids") or "").split(",") if part.strip()]
        _check_count(len(ids), _ROWS_MAX)
        all_or_none = (request.argument("allOrNone") or "").lower() == "true"
        return Answer(200, self._results([partial(self._delete, given) for given in ids], all_or_none))

    def retrieve(self, request: Request) -> Answer:
        """POST composite/sobjects/T {ids, fields}, or GET with both in the address: null where a row is missing."""
        kind = self._org.kind(request.params["object"])
        if request.method == "GET":
            ids, fields = ((request.argument(name) or "").split(",") for name in ("ids", "fields"))
        else:
            asked = body_of(request) or {}
            ids, fields = asked.get("ids") or [], asked.get("fields") or []
        _check_count(len(ids), _RETRIEVED_MAX)
        names = list(dict.fromkeys(name.strip() for name in fields if name.strip()))
        if not names:
            raise VendorError("MISSING_ARGUMENT", "fields must be specified")
        base = base_of(request)
        texts = [self._retrieved(kind, given, base, names) for given in ids]
        return Answer(200, f"[{','.join(texts)}]")

    def _retrieved(self, kind: ObjectType, given: str, base: str, names: list[str]) -> str:
        row_id = id_of(kind, str(given).strip())
        if row_id is None or self._org.rows.find(kind.name, row_id) is None:
            return "null"
        return self._org.row_json(kind, row_id, base, names) or "null"

    def _each_row(self, request: Request, act: Callable[[dict[str, Any]], Result]) -> Answer:
        asked = body_of(request)
        rows = asked.get("records") if isinstance(asked, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise VendorError("JSON_PARSER_ERROR", "The body needs a list named records")
        _check_count(len(rows), _ROWS_MAX)
        types = [(row.get("attributes") or {}).get("type") for row in rows]
        chunks = sum(1 for place, kind in enumerate(types) if place == 0 or kind != types[place - 1])
        if chunks > _CHUNKS_MAX:
            raise VendorError(
                "INVALID_INPUT", f"the rows make {chunks} chunks by type; at most {_CHUNKS_MAX} are allowed"
            )
        acts = [partial(act, row) for row in rows]
        return Answer(200, self._results(acts, bool(asked.get("allOrNone"))))

    def _results(self, acts: Sequence[Callable[[], Result]], all_or_none: bool) -> list[Result]:
        results: list[Result] = []
        try:
            with self._org.rows.alone():
                for act in acts:
                    results.append(self._tried(act))
                if all_or_none and not all(result["success"] for result in results):
                    raise _RolledBack
        except _RolledBack:
            message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
            undone = VendorError("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, [])
            results = [_failed(undone) if result["success"] else result for result in results]
        return results

    def _tried(self, act: Callable[[], Result]) -> Result:
        try:
            with self._org.rows.alone():
                return act()
        except VendorError as error:
            return _failed(error)

    def _create(self, row: dict[str, Any]) -> Result:
        kind = self._kind_of(row)
        return done(self._org.rows.create(kind, row))

    def _update(self, row: dict[str, Any]) -> Result:
        return update_row(self._org, self._kind_of(row), row)

    def _delete(self, given: str) -> Result:
        kind = self._org.catalogue.of_id(given)
        if kind is None:
            raise VendorError("MALFORMED_ID", f"bad id {given}", [])
        return delete_row(self._org, kind, given)

    def _kind_of(self, row: dict[str, Any]) -> ObjectType:
        name = (row.get("attributes") or {}).get("type")
        kind = self._org.catalogue.object(name) if isinstance(name, str) else None
        if kind is None:
            raise VendorError("INVALID_TYPE", f"sObject type '{name}' is not supported.", [])
        return kind


def upsert_row(org: Org, kind: ObjectType, key: str, row: dict[str, Any]) -> Result:
    """Insert or update one row by the external id that it carries. Raises VendorError."""
    field = kind.fields[key.lower()]
    given = {name: value for name, value in row.items() if name.lower() != key.lower()}
    value = next((value for name, value in row.items() if name.lower() == key.lower()), None)
    if value in (None, ""):
        if field.type == "id":
            return {**done(org.rows.create(kind, given)), "created": True}
        raise VendorError("MISSING_ARGUMENT", f"{field.name} not specified", [])
    found = org.rows.ids_by(kind, field, stored(field, value))
    if len(found) > 1:
        message = f"{field.name}: more than one record found for external id field: [{', '.join(found)}]"
        raise VendorError("DUPLICATE_EXTERNAL_ID", message, [field.name])
    if found:
        org.rows.update(kind, found[0], given)
        return {**done(found[0]), "created": False}
    if field.type == "id":
        raise VendorError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [])
    return {**done(org.rows.create(kind, {**given, field.name: value})), "created": True}


def update_row(org: Org, kind: ObjectType, row: dict[str, Any]) -> Result:
    """Update the row whose Id is among the fields. Raises VendorError."""
    given = dict(row)
    row_id = _taken_id(kind, given)
    _existing(org, kind, row_id)
    org.rows.update(kind, row_id, given)
    return done(row_id)


def delete_row(org: Org, kind: ObjectType, given: str) -> Result:
    """Delete a row by its id. Raises VendorError."""
    row_id = id_of(kind, given)
    if row_id is None:
        raise VendorError("MALFORMED_ID", f"bad id {given}", [])
    _existing(org, kind, row_id)
    org.rows.delete(kind, row_id)
    return done(row_id)


def done(row_id: str) -> Result:
    """A row's result where all went well."""
    return {"id": row_id, "success": True, "errors": []}


def _failed(error: VendorError) -> Result:
    return {"success": False, "errors": [error.in_collection()]}


def _taken_id(kind: ObjectType, given: dict[str, Any]) -> str:
    name = next((name for name in given if name.lower() == "id"), None)
    value = given.pop(name) if name else None
    if not value:
        raise VendorError("MISSING_ARGUMENT", "Id not specified in an update call", [])
    row_id = id_of(kind, str(value))
    if row_id is None:
        raise VendorError("MALFORMED_ID", f"{kind.name} ID: id value of incorrect type: {value}", ["Id"])
    return row_id


def _existing(org: Org, kind: ObjectType, row_id: str) -> None:
    """In collections and bulk a row that never was is an invalid cross reference, not a missing resource."""
    try:
        org.rows.get(kind, row_id)
    except VendorError as error:
        if error.code == "NOT_FOUND":
            raise VendorError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []) from None
        raise


def _check_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise VendorError("INVALID_INPUT", f"between 1 and {most} rows are allowed in one call, not {count}")
