"""``$batch``: several operations in one request, change sets as one unit that happens whole or not at all.

``multipart/mixed`` as in the OData v2 batch conventions. The answer is 202 with a part for each retrieve and a
nested multipart for each change set; a change set that fails is answered by one single part with its error.
Inside a change set ``$1`` stands for the entity that the operation with ``Content-ID: 1`` made.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from isthmus.connectors.erp.sap_s4hana.sandbox.calls import Call, read_options, read_segments, split_address
from isthmus.connectors.erp.sap_s4hana.sandbox.errors import Message, ODataError
from isthmus.connectors.erp.sap_s4hana.sandbox.system import System
from isthmus.sandkit.routes import Answer

Perform = Callable[[Call], Answer]
Refused = Callable[[ODataError, str, bool, Mapping[str, str]], Answer]
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_NEWLINE = b"\r\n"


@dataclass(slots=True)
class Part:
    """One part of a multipart body: its headers in lower case and its content."""

    headers: dict[str, str]
    content: bytes


def answer(call: Call, system: System, perform: Perform, refused: Refused) -> Answer:
    """Play a batch. Raises ODataError for a body that is no batch."""
    if call.method != "POST":
        raise ODataError(405, Message("/IWFND/CM_BEC/014", "$batch takes POST only"))
    made = [
        _change_set(call, part, system, perform, refused)
        if "multipart/mixed" in part.headers.get("content-type", "")
        else _wrapped(_single(call, part, perform, refused, {}, inside=False)[0])
        for part in _parts(call.body, call.headers.get("content-type", ""))
    ]
    boundary = uuid.uuid4().hex.upper()
    return Answer(202, _joined(made, boundary), content_type=f"multipart/mixed; boundary={boundary}")


def _change_set(call: Call, part: Part, system: System, perform: Perform, refused: Refused) -> bytes:
    boundary, references = uuid.uuid4().hex.upper(), dict[str, str]()
    made: list[bytes] = []
    try:
        with system.world.transaction():
            for inner in _parts(part.content, part.headers["content-type"]):
                done, name = _single(call, inner, perform, refused, references, inside=True)
                if done.status >= 400:
                    raise _Failed(done)
                if name and "Location" in done.headers:
                    references[name] = split_address(done.headers["Location"])[0]
                made.append(_wrapped(done, name))
    except _Failed as failed:
        return _wrapped(failed.answer)
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode() + _joined(made, boundary)


class _Failed(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(f"an operation ended with {answer.status}, and its change set with it")
        self.answer = answer


def _single(
    call: Call, part: Part, perform: Perform, refused: Refused, references: Mapping[str, str], *, inside: bool
) -> tuple[Answer, str]:
    """One operation and the Content-ID it came with."""
    head, _, rest = part.content.lstrip(b"\r\n").partition(_NEWLINE)
    method, _, address = head.decode().partition(" ")
    headers, body = _headers_and_body(rest)
    name = part.headers.get("content-id") or headers.get("content-id", "")
    asked_json = "application/json" in headers.get("accept", "")
    try:
        inner = _inner_call(call, method.upper(), address.rpartition(" HTTP/")[0] or address, headers, body, references)
        asked_json = inner.json_wanted
        if inside is (inner.method in ("GET", "HEAD")):
            raise ODataError(
                400, Message("/IWFND/CM_BEC/021", f"Operation {method} is not allowed at this place of $batch")
            )
        return perform(inner), name
    except ODataError as error:
        return refused(error, call.service.name, asked_json, {}), name


def _inner_call(
    call: Call, method: str, address: str, headers: dict[str, str], body: bytes, references: Mapping[str, str]
) -> Call:
    path, query = split_address(address)
    first, _, rest = path.lstrip("/").partition("/")
    if first.startswith("$") and first[1:] in references:
        path = references[first[1:]] + (f"/{rest}" if rest else "")
    method = headers.get("x-http-method", method).upper() if method == "POST" else method
    return replace(
        call, method=method, segments=read_segments(path), options=read_options(query), headers=headers, body=body
    )


# Multipart -----------------------------------------------------------------------------------------


def _parts(body: bytes, content_type: str) -> list[Part]:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise ODataError(400, Message("/IWFND/CM_BEC/020", "Content-Type of $batch names no boundary"))
    delimiter = b"--" + match[1].encode()
    found = []
    for piece in (b"\r\n" + body).split(b"\n" + delimiter)[1:]:
        if piece.startswith(b"--"):
            break
        _, _, content = piece.partition(b"\n")
        headers, inner = _headers_and_body(content.removesuffix(b"\r"))
        found.append(Part(headers, inner))
    return found


def _headers_and_body(text: bytes) -> tuple[dict[str, str], bytes]:
    headers: dict[str, str] = {}
    while text:
        line, _, text = text.partition(b"\n")
        stripped = line.strip()
        if not stripped:
            break
        name, _, value = stripped.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers, text.rstrip(b"\r\n")


def _wrapped(done: Answer, name: str = "") -> bytes:
    body = done.encoded()
    lines = [f"HTTP/1.1 {done.status} {HTTPStatus(done.status).phrase}"]
    if body:
        lines.append(f"Content-Type: {done.content_type}")
    lines += [f"{header}: {value}" for header, value in done.headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    inner = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    named = f"Content-ID: {name}\r\n" if name else ""
    outer = (
        f"Content-Type: application/http\r\nContent-Length: {len(inner)}\r\n{named}content-transfer-encoding: binary"
    )
    return outer.encode() + b"\r\n\r\n" + inner


def _joined(parts: list[bytes], boundary: str) -> bytes:
    delimiter = f"--{boundary}".encode()
    return b"".join(delimiter + _NEWLINE + part + _NEWLINE for part in parts) + delimiter + b"--" + _NEWLINE
