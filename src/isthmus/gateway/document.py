"""The OpenAPI document: what the routes say of themselves, and what holds for all of them.

Every error is a problem (RFC 9457); every route says which scope it needs; a webhook's door is described by its
connection's rule. Framework defaults that are not served here are taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from isthmus.catalogue.connector import HmacVerify
from isthmus.gateway.access import gate_of
from isthmus.gateway.answers import AnsweringRoute
from isthmus.gateway.idempotency import HEADER, KEY_MAX, REPLAYED
from isthmus.gateway.system.bodies import body_of
from isthmus.gateway.webhooks import Door
from isthmus.governance.access import SCOPES
from isthmus.model.problems import MEDIA_TYPE, Problem

_NAMES = "#/components/schemas/"
_TAGS = {
    "health": "Whether it lives, and what is going on",
    "process": "Start processes, follow and cancel their runs",
    "attention": "What needs a person: exceptions to mend, approvals to decide",
    "system": "Each role's objects, whatever vendor fills the role",
    "experience": "What one consumer needs, in one call",
    "webhooks": "Where the vendors push to; each proves who it is by its own rule",
}
_SAID = {
    400: "It cannot be read",
    401: "Nobody we know, or no proof of who calls",
    403: "The key has not the scope",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "It is not possible now",
    413: "The body is too large",
    415: "The body is no JSON",
    422: "A value is wrong",
    502: "The system behind it is down, or does not let us in",
    503: "Not now; ask again after the time that Retry-After names",
}


def document(app: FastAPI, landscape: str, doors: Iterable[Door]) -> dict[str, Any]:
    """The document of an app, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _document(app, landscape, doors)
    return app.openapi_schema


def _document(app: FastAPI, landscape: str, doors: Iterable[Door]) -> dict[str, Any]:
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    scopes = "; ".join(f"`{scope}`: {what}" for scope, what in SCOPES.items())
    made = get_openapi(
        title=app.title,
        version=app.version,
        routes=routes,
        description=f"System and process APIs of landscape {landscape}, and the doors for its vendors. Scopes: {scopes}.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=[{"name": name, "description": what} for name, what in _TAGS.items()],
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _schema_of(Problem, schemas, "serialization", "")
    for route, operation in _operations(made, routes):
        _complete(route, operation, schemas)
    made["paths"]["/openapi.json"] = {"get": _about_itself()}
    for door in doors:
        path = f"/webhooks/{door.connection}" + ("/{secret}" if door.secret_in_path else "")
        made["paths"][path] = {"post": _webhook(door)}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "a key from  isthmus keys create  or the landscape",
        },
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key"},
    }
    return made


def _operations(made: dict[str, Any], routes: list[APIRoute]) -> Iterator[tuple[APIRoute, dict[str, Any]]]:
    for route in routes:
        for method in route.methods or ():
            yield route, made["paths"][route.path_format][method.lower()]


def _complete(route: APIRoute, operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say what the framework does not know: scope, body, idempotency, and every error as a problem."""
    operation["tags"] = [_tag(route.path)]
    for code, answer in route.answers.items() if isinstance(route, AnsweringRoute) else ():
        media = operation["responses"][code].setdefault("content", {}).setdefault("application/json", {})
        media["schema"] = _named(answer, schemas)
    gate = gate_of(route)
    operation["security"] = [{"bearer": [gate.scope]}, {"header": [gate.scope]}] if gate else []
    errors = {503} | ({401, 403} if gate else set())
    if route.methods != {"GET"}:
        errors |= {408, 413}
    if (takes := body_of(route)) is not None:
        errors.add(415)
        schema = _schema_of(takes, schemas, "validation", "Given")
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if "requestBody" in operation:
        errors |= {400, 422}
    if operation.get("parameters"):
        errors.add(422)
    if gate and route.methods != {"GET"}:
        errors |= {400, 409, 422}
        operation.setdefault("parameters", []).append(_KEY_PARAMETER)
        for status, said in operation["responses"].items():
            if status.startswith("2"):
                said["headers"] = _REPLAYED_HEADER
    for status in sorted(errors | {int(each) for each in operation["responses"] if each >= "400"}):
        own = (route.responses.get(status) or {}).get("description")
        operation["responses"][str(status)] = _problem(status, own)
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _problem(status: int, said: str | None = None) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": f"{_NAMES}Problem"}}}
    found: dict[str, Any] = {"description": said or _SAID.get(status, HTTPStatus(status).phrase), "content": content}
    if status == 503:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    if status == 401:
        found["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return found


def _schema_of(model: type[BaseModel], schemas: dict[str, Any], mode: Any, suffix: str) -> dict[str, Any]:
    """A model's schema, its parts put among ``schemas`` under their names with ``suffix``."""
    schema = model.model_json_schema(mode=mode, ref_template=f"{_NAMES}{{model}}{suffix}")
    for name, part in schema.pop("$defs", {}).items():
        schemas.setdefault(name + suffix, part)
    if not suffix:
        return schema
    schemas.setdefault(model.__name__ + suffix, schema)
    return {"$ref": f"{_NAMES}{model.__name__}{suffix}"}


def _named(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a model that is answered; it stands among ``schemas`` under the model's name."""
    if model.__name__ not in schemas:
        schemas[model.__name__] = _schema_of(model, schemas, "serialization", "")
    return {"$ref": f"{_NAMES}{model.__name__}"}


def _tag(path: str) -> str:
    first = re.split("[/{]", path.removeprefix("/api/"))[0]
    return {"system": "system", "experience": "experience", "exceptions": "attention", "approvals": "attention"}.get(
        first, "process" if path.startswith("/api/") else "health"
    )


def _about_itself() -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "openapi",
        "summary": "This document",
        "tags": ["health"],
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1", "content": content}},
    }


def _webhook(door: Door) -> dict[str, Any]:
    """One door: what a vendor has to show, and how its call is acknowledged."""
    rule, acknowledge = door.rule, door.inbound.acknowledge
    content_type = "application/json" if door.inbound.format == "json" else "text/xml"
    names = dict.fromkeys([rule.header, rule.timestamp_header]) if isinstance(rule, HmacVerify) else {}
    parameters = [_text_parameter(name, "header", "HMAC-SHA256 over time and body, or their time") for name in names]
    if door.secret_in_path:
        parameters = [_text_parameter("secret", "path", "the secret part of the address that the vendor was given")]
    answer: dict[str, Any] = {"description": "Stored; it will not be lost"}
    if acknowledge.content_type:
        answer["content"] = {acknowledge.content_type: {}}
    return {
        "operationId": f"webhook_{door.connection.replace('-', '_')}",
        "summary": f"Take what {door.connection} pushes ({door.channel})",
        "tags": ["webhooks"],
        "security": [],
        "parameters": parameters,
        "requestBody": {"required": True, "content": {content_type: {}}},
        "responses": {
            str(acknowledge.status): answer,
            **{str(status): _problem(status) for status in (400, 401, 408, 413, 503)},
        },
    }


def _text_parameter(name: str, place: str, said: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "description": said, "schema": {"type": "string"}}


_KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "sent again with the same key, a request is executed once and its answer replayed",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_MAX},
}
_REPLAYED_HEADER = {
    REPLAYED: {"description": "true where the answer was kept from before", "schema": {"type": "string"}}
}
