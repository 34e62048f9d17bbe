"""SAP Gateway: takes a request for one of the services, finds out what it wants, and answers in JSON or Atom.

Reads are generic; what can be changed, and how, is the business of the applications in ``operations``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.connectors.erp.sap_s4hana.sandbox import atom, batch, errors
from isthmus.connectors.erp.sap_s4hana.sandbox.calls import ROOT, Call, read_options, read_segments
from isthmus.connectors.erp.sap_s4hana.sandbox.drafts import Draft, read_body, read_changes, read_draft, replaced
from isthmus.connectors.erp.sap_s4hana.sandbox.edm import moment
from isthmus.connectors.erp.sap_s4hana.sandbox.entries import JsonWriter, address_of, etag_of, result_entry
from isthmus.connectors.erp.sap_s4hana.sandbox.filters import parameter_value
from isthmus.connectors.erp.sap_s4hana.sandbox.metadata import metadata_document
from isthmus.connectors.erp.sap_s4hana.sandbox.operations import Operations
from isthmus.connectors.erp.sap_s4hana.sandbox.reading import (
    Node,
    Place,
    Shape,
    grow,
    one_row,
    place_of,
    read_count,
    read_page,
    shape_of,
)
from isthmus.connectors.erp.sap_s4hana.sandbox.schema import Function, ODataService
from isthmus.connectors.erp.sap_s4hana.sandbox.sessions import Sessions
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.routes import Answer, Refusal, Request
from isthmus.sandkit.world import Row

_JSON, _XML = "application/json;charset=utf-8", "application/xml;charset=utf-8"
_ATOM = "application/atom+xml;type={};charset=utf-8"
_VERSION = {"dataserviceversion": "2.0"}
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Gateway:
    """Answers the paths below ``/sap/opu/odata/sap/``."""

    def __init__(self, system: System, sessions: Sessions, offered: Operations) -> None:
        self._system, self._sessions = system, sessions
        self._operations = offered
        self._documents: dict[tuple[str, int], bytes] = {}

    def handle(self, request: Request) -> Answer:
        """Play one HTTP request. Raises Refusal, so that what was written is rolled back."""
        user = self._sessions.user(request)
        headers: dict[str, str] = {}
        if request.method in ("GET", "HEAD"):
            headers = self._sessions.fetched(request, user)
        else:
            self._sessions.check(request, user)
        try:
            answer = self._answer(request)
        except errors.ODataError as error:
            asked = read_options(request.query_string).get("$format")
            wants_json = asked == "json" if asked else "application/json" in request.headers.get("accept", "")
            service = request.params.get("path", "").partition("/")[0]
            raise Refusal(self.refused(error, service, wants_json, headers)) from None
        answer.headers = {**_VERSION, **headers, **answer.headers}
        if request.method == "HEAD":
            answer.body = None
        return answer

    def refused(self, error: errors.ODataError, service: str, wants_json: bool, headers: Mapping[str, str]) -> Answer:
        """The answer to something that SAP refuses."""
        stamp = f"{moment(self._system.now()):%Y%m%d%H%M%S.%f}0"
        body: Any = errors.as_json(error, service, stamp) if wants_json else errors.as_xml(error, stamp)
        return Answer(error.status, body, {**_VERSION, **headers, **error.headers}, _JSON if wants_json else _XML)

    def _answer(self, request: Request) -> Answer:
        path = request.raw_path[len(ROOT) :]
        first, _, rest = path.partition("/")
        service = self._service(request.params.get("path", first).partition("/")[0])
        method = request.headers.get("x-http-method", request.method).upper()
        if request.method != "POST":
            method = request.method
        call = Call(
            method,
            service,
            f"{request.root}{ROOT}{service.path}",
            read_segments(rest),
            read_options(request.query_string),
            request.headers,
            request.body,
        )
        if call.segments and call.segments[0].name == "$batch":
            return batch.answer(call, self._system, self.perform, self.refused)
        return self.perform(call)

    def _service(self, name: str) -> ODataService:
        service = self._system.dictionary.services.get(name)
        if service is None:
            text = f"No service found for namespace '', name '{name}', version '0001'"
            raise errors.ODataError(404, errors.Message("/IWFND/MED/170", text))
        return service

    def perform(self, call: Call) -> Answer:
        """Play one operation, alone or out of a batch. Raises ODataError."""
        name = call.segments[0].name if call.segments else ""
        if not name:
            return self._service_document(call)
        if name == "$metadata":
            return Answer(200, self._metadata(call.service), content_type=_XML)
        if name in call.service.functions:
            return self._function(call, call.service.functions[name])
        place = place_of(self._system, call)
        if call.method in ("GET", "HEAD"):
            return self._read(call, place)
        change = {"POST": self._create, "PATCH": self._update, "MERGE": self._update, "PUT": self._update}.get(
            call.method, self._delete
        )
        if place.prop or place.tail:
            raise errors.not_allowed()
        return change(call, place)

    # Documents about the service ----------------------------------------------------------------------

    def _service_document(self, call: Call) -> Answer:
        if call.method not in ("GET", "HEAD"):
            raise errors.not_allowed()
        if call.json_wanted:
            return _json(200, {"d": {"EntitySets": list(call.service.entities)}})
        return Answer(200, atom.service_document(call.service, call.root), content_type=_XML)

    def _metadata(self, service: ODataService) -> bytes:
        key = (service.path, self._system.dictionary.version)
        if key not in self._documents:
            self._documents = {k: v for k, v in self._documents.items() if k[1] == key[1]}
            self._documents[key] = metadata_document(service, self._operations.methods())
        return self._documents[key]

    # Reads --------------------------------------------------------------------------------------------

    def _read(self, call: Call, place: Place) -> Answer:
        if place.entity.name not in self._operations.readable:
            raise errors.not_allowed()
        if place.tail == "$count":
            return Answer(
                200, str(read_count(self._system, place, call.options)), content_type="text/plain;charset=utf-8"
            )
        if place.prop:
            return self._property(call, place)
        if place.single and not place.tail:
            return self._entity(call, place)
        return self._links(call, place) if place.tail == "$links" else self._collection(call, place)

    def _property(self, call: Call, place: Place) -> Answer:
        assert place.prop is not None
        value, prop = one_row(self._system, place)[place.prop], place.entity.properties[place.prop]
        if place.tail == "$value":
            return Answer(200, "" if value is None else prop.text(value), content_type="text/plain;charset=utf-8")
        if not call.json_wanted:
            return Answer(200, atom.property_document(prop, value), content_type=_XML)
        wire = prop.wire()
        return _json(200, {"d": {prop.name: value if wire is None else wire(value)}})

    def _entity(self, call: Call, place: Place) -> Answer:
        row = one_row(self._system, place)
        shape = shape_of(call.service, place.entity, call.options)
        node = grow(self._system, call.service, place.entity, [row], shape)[0]
        return self._entry(200, call, node, shape)

    def _collection(self, call: Call, place: Place) -> Answer:
        shape = shape_of(call.service, place.entity, call.options)
        page = read_page(self._system, place, call.options)
        nodes = grow(self._system, call.service, place.entity, page.rows, shape)
        here = self._here(place)
        if call.json_wanted:
            return _text(200, JsonWriter(call.service, call.root).feed(nodes, shape, page, here), {})
        writer = atom.AtomWriter(call.service, call.root, self._system.now())
        return Answer(200, writer.feed(nodes, shape, page, here), content_type=_ATOM.format("feed"))

    def _links(self, call: Call, place: Place) -> Answer:
        rows = [one_row(self._system, place)] if place.single else read_page(self._system, place, call.options).rows
        found = [f"{call.root}/{address_of(place.entity, row)}" for row in rows]
        if not call.json_wanted:
            return Answer(200, atom.links_document(found), content_type=_XML)
        uris = [{"uri": address} for address in found]
        return _json(200, {"d": uris[0] if place.single else {"results": uris}})

    def _here(self, place: Place) -> str:
        if place.parent is None:
            return place.entity.name
        parent, navigation, row = place.parent
        return f"{address_of(parent, row)}/{navigation.name}"

    def _entry(
        self, status: int, call: Call, node: Node, shape: Shape, headers: Mapping[str, str] | None = None
    ) -> Answer:
        etag = etag_of(node.entity, node.row)
        named = {**(headers or {}), **({"ETag": etag} if etag else {})}
        if call.json_wanted:
            return _text(status, JsonWriter(call.service, call.root).entry(node, shape), named)
        body = atom.AtomWriter(call.service, call.root, self._system.now()).entry(node, shape)
        return Answer(status, body, named, _ATOM.format("entry"))

    # Changes ------------------------------------------------------------------------------------------

    def _create(self, call: Call, place: Place) -> Answer:
        if place.single:
            raise errors.not_allowed()
        create = self._operations.create.get(place.entity.name)
        if create is None:
            raise errors.not_allowed()
        self._check_media_type(call)
        draft = read_draft(call.service, place.entity, read_body(call.body))
        draft.values.update(place.where)
        made = create(draft)
        node = made if isinstance(made, Node) else self._grown(call, draft, made)
        location = f"{call.root}/{address_of(node.entity, node.row)}"
        headers = {"Location": location, **self._operations.notes(place.entity.name)}
        return self._entry(201, call, node, draft.shape(), headers)

    def _grown(self, call: Call, draft: Draft, row: Row) -> Node:
        return grow(self._system, call.service, draft.entity, [row], draft.shape())[0]

    def _update(self, call: Call, place: Place) -> Answer:
        update = self._operations.update.get(place.entity.name)
        if update is None or not place.single:
            raise errors.not_allowed()
        self._check_media_type(call)
        row = self._matched(call, place)
        changes = read_changes(call.service, place.entity, read_body(call.body))
        update(row, replaced(place.entity, changes) if call.method == "PUT" else changes)
        return Answer(204)

    def _delete(self, call: Call, place: Place) -> Answer:
        delete = self._operations.delete.get(place.entity.name)
        if call.method != "DELETE" or delete is None or not place.single:
            raise errors.not_allowed()
        delete(self._matched(call, place))
        return Answer(204)

    def _matched(self, call: Call, place: Place) -> Row:
        """The row to change, after If-Match: 428 without it, 412 where it is stale."""
        row = one_row(self._system, place)
        etag, wanted = etag_of(place.entity, row), call.headers.get("if-match")
        if etag is not None:
            if wanted is None:
                raise errors.precondition_required()
            if wanted != "*" and etag not in [tag.strip() for tag in wanted.split(",")]:
                raise errors.precondition_failed()
        return row

    def _check_media_type(self, call: Call) -> None:
        if "json" not in call.headers.get("content-type", ""):
            text = "The Data Service Request has a media type that is not supported; expected application/json"
            raise errors.ODataError(415, errors.Message("/IWFND/CM_CONSUMER/115", text))

    # Functions ----------------------------------------------------------------------------------------

    def _function(self, call: Call, function: Function) -> Answer:
        if call.method != function.method:
            raise errors.not_allowed()
        values: dict[str, Any] = {}
        for prop in function.parameters.values():
            text = call.options.get(prop.name)
            if text is None:
                raise errors.ODataError(400, errors.Message(errors.VALUE, "Invalid Function Import Parameter"))
            values[prop.name] = parameter_value(prop, text)
        act: Callable[[Mapping[str, Any]], list[Row]] = self._operations.functions[(call.service.name, function.name)]
        found = act(values)
        if not call.json_wanted:
            body = atom.result_document(call.service, function.name, function.returns, list(found))
            return Answer(200, body, content_type=_XML)
        entries = [result_entry(call.service, function.returns, values) for values in found]
        return _json(200, {"d": {"results": entries} if function.many else {function.name: entries[0]}})


def _text(status: int, entry: str, headers: dict[str, str]) -> Answer:
    return Answer(status, f'{{"d":{entry}}}', headers, _JSON)


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, _ENCODER.encode(body), dict(headers or {}), _JSON)
