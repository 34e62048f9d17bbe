"""SAP Gateway's error answers: business messages with their class and number, and the protocol's own errors.

Body (JSON): ``{"error": {"code", "message": {"lang", "value"}, "innererror": {…, "errordetails": […]}}}``; the
Atom form has the same content. Codes that are 32 hexadecimal digits are the text ids of Gateway's exceptions.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

SEGMENT = "005056A509B11EE1B9A8FEC11C21D78E"
VALUE = "005056A509B11EE1B9A8FEC11C21578E"
PROPERTY = "005056A509B11EE1B9A8FEA8DE87F78E"
OPERAND = "005056A509B11EE1BB8AF4A65EC3CA20"
SYNTAX = "005056A509B11ED1B9BF94F386DD82E6"
METHOD = "/IWCOR/CX_OD_METHD_NOT_ALLOWED/005056A509B11ED199D8826D151FC0FE"
NOT_FOUND = "/IWBEP/CM_MGW_RT/020"
PARSE = "CX_SXML_PARSE_ERROR/001560AA0E081DEB8CA398CC1690D406"
_METADATA_NAMESPACE = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of SAP's message log. ``code`` is ``CLASS/NUMBER``; ``target`` names the property it is about."""

    code: str
    text: str
    severity: str = "error"
    target: str = ""

    def as_json(self) -> dict[str, Any]:
        """The message as an entry of ``errordetails``."""
        return {
            "ContentID": "",
            "code": self.code,
            "message": self.text,
            "propertyref": self.target,
            "severity": self.severity,
            "transition": False,
            "target": self.target,
        }


class ODataError(Exception):
    """Something that SAP refuses. The first message is the error's own; all are listed in ``errordetails``."""

    def __init__(self, status: int, *messages: Message, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(messages[0].text)
        self.status, self.messages, self.headers = status, messages, dict(headers or {})


def business(code: str, text: str, target: str = "") -> ODataError:
    """A refusal by the application itself: 400 with the message's class and number."""
    return ODataError(400, Message(code, text, target=target))


def business_all(messages: Sequence[Message]) -> ODataError:
    """A refusal for several reasons at once."""
    return ODataError(400, *messages)


def bad_value(name: str, value: object, edm: str) -> ODataError:
    """A value that does not fit its property."""
    return ODataError(400, Message(VALUE, f"Invalid value '{value}' for property '{name}' of type '{edm}'"))


def unread_property(name: str) -> ODataError:
    """A JSON value of the wrong JSON type (a number where OData v2 wants a string, or the reverse)."""
    text = f"Error while parsing an XML stream: 'Failed to read property '{name}' at offset '0'.'"
    return ODataError(400, Message(PARSE, text))


def invalid_property(name: str) -> ODataError:
    """A property in a body that the entity type does not have."""
    return ODataError(400, Message(VALUE, f"Property '{name}' is invalid", target=name))


def unknown_property(name: str, type_name: str) -> ODataError:
    """A property in a query option that the entity type does not have."""
    return ODataError(400, Message(PROPERTY, f"Property {name} not found in type {type_name}"))


def unknown_segment(name: str) -> ODataError:
    """A path segment that the service does not know."""
    return ODataError(404, Message(SEGMENT, f"Resource not found for the segment '{name}'."))


def no_entity(type_name: str) -> ODataError:
    """An entity that does not exist."""
    return ODataError(404, Message(NOT_FOUND, f"Resource not found for segment '{type_name}'"))


def syntax(text: str) -> ODataError:
    """A query option or key that cannot be parsed."""
    return ODataError(400, Message(SYNTAX, text))


def not_allowed() -> ODataError:
    """A method that the resource does not offer."""
    text = "The specified HTTP method is not allowed for the resource identified by the Data Service Request URI"
    return ODataError(405, Message(METHOD, text))


def precondition_required() -> ODataError:
    """A change without If-Match on an entity with an ETag."""
    text = 'The Data Service Request is required to be conditional. Try using the "If-Match" header.'
    return ODataError(428, Message("/IWFND/CM_BEC/026", text))


def precondition_failed() -> ODataError:
    """A change whose If-Match is stale."""
    return ODataError(412, Message("/IWFND/CM_BEC/027", "Precondition failed"))


def as_json(error: ODataError, service: str, timestamp: str) -> dict[str, Any]:
    """The error's JSON body."""
    first = error.messages[0]
    return {
        "error": {
            "code": first.code,
            "message": {"lang": "en", "value": first.text},
            "innererror": {
                "application": {
                    "component_id": "",
                    "service_namespace": "/SAP/",
                    "service_id": service,
                    "service_version": "0001",
                },
                "transactionid": uuid.uuid4().hex.upper(),
                "timestamp": timestamp,
                "Error_Resolution": {
                    "SAP_Transaction": "For backend administrators: use ADT feed reader or run transaction /IWFND/ERROR_LOG",
                    "SAP_Note": "See SAP Note 1797736 for error analysis (https://service.sap.com/sap/support/notes/1797736)",
                },
                "errordetails": [message.as_json() for message in error.messages],
            },
        }
    }


def as_xml(error: ODataError, timestamp: str) -> str:
    """The error's XML body."""
    first = error.messages[0]
    details = "".join(
        f"<errordetail><code>{escape(m.code)}</code><message>{escape(m.text)}</message>"
        f"<propertyref>{escape(m.target)}</propertyref><severity>{m.severity}</severity></errordetail>"
        for m in error.messages
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><error xmlns="{_METADATA_NAMESPACE}"><code>{escape(first.code)}</code>'
        f'<message xml:lang="en">{escape(first.text)}</message><innererror>'
        f"<transactionid>{uuid.uuid4().hex.upper()}</transactionid><timestamp>{timestamp}</timestamp>"
        f"<errordetails>{details}</errordetails></innererror></error>"
    )
