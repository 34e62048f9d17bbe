"""What Zendesk answers, above all when it refuses.

Its errors come in three shapes, and a caller must understand them all: ``{"error": "Name", "description": …}``,
``{"error": {"title", "message"}}`` and ``{"errors": [{"code", "title", "detail"}]}``
(developer.zendesk.com, introduction to the ticketing API and to the webhooks API).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.sandkit.routes import Answer, Refusal, Request
from isthmus.sandkit.world import Row

CONTENT_TYPE = "application/json; charset=utf-8"
#: records in one ``*_many`` or ``show_many`` request
MANY_MAX = 100


def ok(body: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, body, content_type=CONTENT_TYPE)


def no_content() -> Answer:
    """What a DELETE says."""
    return Answer(204, content_type=CONTENT_TYPE)


def refusal(status: int, error: str, description: str, **more: Any) -> Refusal:
    """The commonest shape: ``error`` is a name, ``description`` a sentence."""
    return Refusal(ok({"error": error, "description": description, **more}, status))


def not_found() -> Refusal:
    """A row that is not there."""
    return refusal(404, "RecordNotFound", "Not found")


def forbidden() -> Refusal:
    """The caller's role does not allow this."""
    sentence = (
        "You do not have access to this page. Please contact the account owner of this help desk for further help."
    )
    return refusal(403, "Forbidden", sentence)


def invalid(attribute: str, description: str, error: str = "InvalidValue") -> Refusal:
    """One attribute that was refused, as 422 ``RecordInvalid`` with its details."""
    return invalid_many({attribute: [(description, error)]})


def invalid_many(faults: Mapping[str, Sequence[tuple[str, str]]]) -> Refusal:
    """Several attributes that were refused: attribute → (description, error name) each."""
    details = {name: [{"description": d, "error": e} for d, e in found] for name, found in faults.items()}
    return refusal(422, "RecordInvalid", "Record validation errors", details=details)


def duplicate(attribute: str, description: str) -> Refusal:
    """A value that must be unique and is not."""
    return invalid(attribute, description, "DuplicateValue")


def bad_attribute(name: str, expected: str) -> Refusal:
    """A parameter of the wrong type: the second shape of error, 400."""
    message = f"You passed an invalid value for the {name} attribute. Invalid parameter: {name} must be {expected}"
    return Refusal(ok({"error": {"title": "Invalid attribute", "message": message}}, 400))


def listed_error(status: int, code: str, title: str, detail: str) -> Refusal:
    """The third shape: a list of errors, which newer endpoints use."""
    return Refusal(ok({"errors": [{"code": code, "title": title, "detail": detail}]}, status))


def too_many_values() -> Refusal:
    """More than a hundred records at once."""
    return refusal(400, "TooManyValues", f"Too many values: at most {MANY_MAX} are allowed")


def limited(retry_after_s: int) -> Answer:
    """429; its body is plain text, unlike every other error."""
    text = "Number of allowed API requests per minute exceeded"
    return Answer(429, text, {"Retry-After": str(retry_after_s)}, content_type="text/plain; charset=utf-8")


def sent(request: Request) -> Any:
    """The JSON that came in; refuses what is not JSON."""
    try:
        return request.json()
    except ValueError as error:
        raise refusal(400, "InvalidJSON", f"There was a problem in the JSON you submitted: {error}") from None


def sent_object(request: Request, name: str) -> Row:
    """The object under the key ``name`` of what came in."""
    return part(sent(request), name)


def part(body: Any, name: str) -> Row:
    """The object under a key; refuses a body without it."""
    found = body.get(name) if isinstance(body, dict) else None
    if found is None:
        message = f"Parameter {name} is required"
        raise Refusal(ok({"error": {"title": "Missing required parameter", "message": message}}, 400))
    if not isinstance(found, dict):
        raise bad_attribute(name, "an object")
    return found


def parts(body: Any, name: str) -> list[Row]:
    """The list of objects under a key, a hundred at most."""
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise bad_attribute(name, "an array of objects")
    if len(found) > MANY_MAX:
        raise too_many_values()
    return found


def as_id(value: Any, name: str = "id") -> int:
    """An id as sent, which may be a number or its text."""
    try:
        return int(str(value))
    except ValueError:
        raise bad_attribute(name, "an integer") from None


def path_id(request: Request, name: str = "id") -> int:
    """The id in a path."""
    return as_id(request.params[name], name)


def listed_values(request: Request, name: str) -> list[str]:
    """The values of a comma-separated query parameter, a hundred at most."""
    values = [value.strip() for value in (request.argument(name) or "").split(",") if value.strip()]
    if len(values) > MANY_MAX:
        raise too_many_values()
    return values


def sentence_of(answer: Answer) -> str:
    """A refusal's reasons as one line, for results of bulk work and for people."""
    body = answer.body
    if not isinstance(body, dict):
        return str(body)
    if "details" in body:
        return " ".join(fault["description"] for found in body["details"].values() for fault in found)
    if "errors" in body:
        return " ".join(str(fault["detail"]) for fault in body["errors"])
    error = body.get("error")
    return str(error["message"] if isinstance(error, dict) else body.get("description", error))
