"""Several requests in one: composite with references between them, batch without, and trees of new rows.

Vendor: "Composite", "Composite Batch", "sObject Tree". All of them count as one API call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.connectors.crm.salesforce.sandbox.metadata import ObjectType
from isthmus.connectors.crm.salesforce.sandbox.org import Org, body_of
from isthmus.sandkit.routes import Answer, Refusal, Request

_SUBREQUESTS_MAX, _READS_MAX, _TREE_MAX = 25, 5, 200
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.\w+|\[\d+\])*)\}")
_FORBIDDEN = {"accept", "authorization", "content-type"}
_ALLOWED = re.compile(r"/services/data/v[\d.]+/(?:sobjects|query|queryAll|composite/sobjects|limits)\b", re.IGNORECASE)
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."


class _RolledBack(Exception):
    """Undoes the savepoint around a composite of which one part failed."""


@dataclass(slots=True)
class Part:
    """What became of one subrequest. ``told`` is its body as JSON, for later references; None where it failed."""

    reference: str
    answer: Answer
    told: Any = None


class Composite:
    """Handlers of ``/composite``, ``/composite/batch`` and ``/composite/tree``."""

    def __init__(self, org: Org, inner: Callable[[Request], Answer]) -> None:
        """``inner`` answers one subrequest without signing in or counting again; it raises Refusal."""
        self._org, self._inner = org, inner

    def composite(self, request: Request) -> Answer:
        """POST composite."""
        asked = body_of(request)
        parts = asked.get("compositeRequest") if isinstance(asked, dict) else None
        _check(parts)
        assert isinstance(parts, list)
        done: list[Part] = []
        try:
            with self._org.rows.alone():
                for part in parts:
                    done.append(self._part(request, part, done))
                    if asked.get("allOrNone") and done[-1].answer.status >= 400:
                        raise _RolledBack
        except _RolledBack:
            failed = done[-1]
            halted = VendorError("PROCESSING_HALTED", _HALTED).answer()
            done = [failed if p["referenceId"] == failed.reference else Part(p["referenceId"], halted) for p in parts]
        return Answer(200, f'{{"compositeResponse":[{",".join(_as_text(part) for part in done)}]}}')

    def batch(self, request: Request) -> Answer:
        """POST composite/batch."""
        asked = body_of(request)
        parts = asked.get("batchRequests") if isinstance(asked, dict) else None
        if not isinstance(parts, list) or not 1 <= len(parts) <= _SUBREQUESTS_MAX:
            raise VendorError("INVALID_INPUT", f"batchRequests needs 1 to {_SUBREQUESTS_MAX} subrequests")
        texts, failed = [], False
        for part in parts:
            if failed and asked.get("haltOnError"):
                message = "The request was halted since another request in the batch failed"
                answer = VendorError("BATCH_PROCESSING_HALTED", message, status=412).answer()
            else:
                address = str(part.get("url", ""))
                address = address if address.startswith("/") else f"/services/data/{address}"
                answer = self._answered(request, str(part.get("method", "GET")), address, part.get("richInput"), {})
            failed = failed or answer.status >= 400
            texts.append(f'{{"statusCode":{answer.status},"result":{_body(answer)}}}')
        return Answer(200, f'{{"hasErrors":{"true" if failed else "false"},"results":[{",".join(texts)}]}}')

    def tree(self, request: Request) -> Answer:
        """POST composite/tree/T: all the rows, or none."""
        kind = self._org.kind(request.params["object"])
        asked = body_of(request)
        results: list[dict[str, Any]] = []
        try:
            with self._org.rows.alone():
                for row in asked.get("records") or []:
                    self._plant(kind, row, {}, results)
                if not 1 <= len(results) <= _TREE_MAX:
                    raise VendorError("INVALID_INPUT", f"a tree has 1 to {_TREE_MAX} rows, not {len(results)}")
        except VendorError as error:
            reference = results[-1]["referenceId"] if results else None
            failure = {"referenceId": reference, "errors": [error.in_collection()]}
            return Answer(400, {"hasErrors": True, "results": [failure]})
        return Answer(201, {"hasErrors": False, "results": results})

    def _plant(
        self, kind: ObjectType, row: Mapping[str, Any], parent: dict[str, str], results: list[dict[str, Any]]
    ) -> None:
        own = {n: v for n, v in row.items() if not (isinstance(v, dict) and "records" in v) and n != "attributes"}
        result: dict[str, Any] = {"referenceId": (row.get("attributes") or {}).get("referenceId")}
        results.append(result)
        result["id"] = self._org.rows.create(kind, {**own, **parent})
        for name, value in row.items():
            if not (isinstance(value, dict) and "records" in value):
                continue
            found = kind.children.get(name.lower())
            if found is None:
                raise VendorError("INVALID_FIELD", f"No such relation '{name}' on sobject of type {kind.name}")
            child, reference = self._org.rows.kind(found[0]), found[1]
            for inner in value["records"]:
                self._plant(child, inner, {reference.name: result["id"]}, results)

    def _part(self, request: Request, part: Mapping[str, Any], done: list[Part]) -> Part:
        reference = str(part["referenceId"])
        known = {earlier.reference: earlier for earlier in done}
        try:
            address = _filled_text(str(part["url"]), known)
            body = _filled(part.get("body"), known)
        except VendorError as error:
            return Part(reference, error.answer())
        headers = {name.lower(): str(value) for name, value in (part.get("httpHeaders") or {}).items()}
        answer = self._answered(request, str(part["method"]), address, body, headers)
        told = json.loads(_body(answer), parse_float=str) if answer.status < 300 else None
        return Part(reference, answer, told)

    def _answered(self, request: Request, method: str, address: str, body: Any, headers: dict[str, str]) -> Answer:
        path, _, query_string = address.partition("?")
        if not _ALLOWED.match(path):
            return VendorError("NOT_FOUND", "The requested resource does not exist").answer()
        inner = Request(
            method=method.upper(),
            path=path,
            raw_path=path.rstrip("/"),
            query_string=query_string,
            headers={"content-type": "application/json", **headers},
            body=b"" if body is None else json.dumps(body).encode(),
            root=request.root,
        )
        try:
            with self._org.rows.alone():
                return self._inner(inner)
        except Refusal as refusal:
            return refusal.answer


def _check(parts: Any) -> None:
    """What makes the whole composite wrong."""
    if not isinstance(parts, list) or not 1 <= len(parts) <= _SUBREQUESTS_MAX:
        raise VendorError("INVALID_INPUT", f"compositeRequest needs 1 to {_SUBREQUESTS_MAX} subrequests")
    references = [part.get("referenceId") for part in parts]
    for part in parts:
        if not all(isinstance(part.get(name), str) for name in ("method", "url", "referenceId")):
            raise VendorError("JSON_PARSER_ERROR", "each subrequest needs method, url and referenceId")
        if references.count(part["referenceId"]) > 1:
            raise VendorError("INVALID_INPUT", f"Duplicate ReferenceId provided in the request: {part['referenceId']}")
        if named := _FORBIDDEN & {name.lower() for name in part.get("httpHeaders") or {}}:
            raise VendorError("INVALID_INPUT", f"subrequests cannot set the header {named.pop()}")
    reads = [part for part in parts if re.search(r"/(?:query|queryAll|composite/sobjects)\b", part["url"])]
    if len(reads) > _READS_MAX:
        raise VendorError("INVALID_INPUT", f"at most {_READS_MAX} subrequests can be queries or collections")


def _filled(value: Any, known: dict[str, Part]) -> Any:
    """A body with its references replaced."""
    if isinstance(value, dict):
        return {name: _filled(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, known) for inner in value]
    if not isinstance(value, str):
        return value
    if match := _REFERENCE.fullmatch(value):
        return _referred(match, known)
    return _REFERENCE.sub(lambda m: str(_referred(m, known)), value)


def _filled_text(address: str, known: dict[str, Part]) -> str:
    return _REFERENCE.sub(lambda m: quote(str(_referred(m, known)), safe=""), address)


def _referred(match: re.Match[str], known: dict[str, Part]) -> Any:
    part = known.get(match[1])
    value: Any = part.told if part else None
    for name, place in re.findall(r"\.(\w+)|\[(\d+)\]", match[2]):
        try:
            value = value[int(place)] if place else value[name]
        except (KeyError, IndexError, TypeError):
            value = None
    if value is None:
        message = f"Invalid reference specified. No value for {match[0][2:-1]} found in {match[1]}"
        raise VendorError("PROCESSING_HALTED", message)
    return value


def _body(answer: Answer) -> str:
    return answer.encoded().decode() or "null"


def _as_text(part: Part) -> str:
    headers = json.dumps({name: value for name, value in part.answer.headers.items() if name == "Location"})
    return (
        f'{{"body":{_body(part.answer)},"httpHeaders":{headers},"httpStatusCode":{part.answer.status},'
        f'"referenceId":{json.dumps(part.reference)}}}'
    )
