"""How Salesforce refuses: a JSON array of ``{message, errorCode, fields}`` with a fitting HTTP status.

In the answers of collections the same error has the key ``statusCode`` instead of ``errorCode``
(vendor: REST API Developer Guide, "Status Codes and Error Responses", "Create Multiple Records").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isthmus.sandkit.routes import Answer

#: every code that is not answered with 400
_STATUS = {
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "METHOD_NOT_ALLOWED": 405,
    "PRECONDITION_FAILED": 412,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNKNOWN_EXCEPTION": 500,
    "SERVER_UNAVAILABLE": 503,
}


class VendorError(Exception):
    """One refusal. ``fields`` is None for refusals that are not about a row (they leave the key out)."""

    def __init__(
        self, code: str, message: str, fields: Sequence[str] | None = None, *, status: int | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.fields = code, message, fields
        self.status = status or _STATUS.get(code, 400)

    def as_json(self) -> dict[str, Any]:
        """The error as most resources say it."""
        told: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return told if self.fields is None else {**told, "fields": list(self.fields)}

    def in_collection(self) -> dict[str, Any]:
        """The error as the collections' results say it."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}

    def in_csv(self) -> str:
        """The error as bulk results say it: ``CODE:message:fields --``."""
        return f"{self.code}:{self.message}:{','.join(self.fields or ())} --"

    def answer(self) -> Answer:
        """The whole HTTP answer."""
        return Answer(self.status, [self.as_json()])


def not_found() -> VendorError:
    """What an unknown address or row is answered with."""
    return VendorError("NOT_FOUND", "The requested resource does not exist")


def no_such_object(name: str) -> VendorError:
    """An object type that does not exist, in a query."""
    return VendorError(
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
        "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
    )


def no_such_column(name: str, entity: str) -> VendorError:
    """A field that does not exist, in a query."""
    return VendorError(
        "INVALID_FIELD",
        f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to "
        "append the '__c' after the custom field name. Please reference your WSDL or the describe call for the "
        "appropriate names.",
    )
