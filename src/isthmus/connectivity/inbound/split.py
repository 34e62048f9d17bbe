"""One call, many messages (EIP: splitter): parse what came, and give each part its id, subject, type and version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isthmus.catalogue.connector import Inbound
from isthmus.connectivity.transport.json_text import parse_json
from isthmus.mapping.expression import Expression, MappingError, compile_expression
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected

#: bytes of a call; vendors' webhooks stay far below (the largest, 100 objects in one, have some 100 kB)
LARGEST = 10 * 1024 * 1024
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class NotReadable(Rejected):
    """A call that is no JSON or XML, or whose parts lack an id or subject; ``problem.status`` is 400 (413: too large)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One message: ``id`` to tell repeats, ``subject`` the object it is about at its source, ``body`` what it says."""

    id: str
    subject: str
    type: str | None
    version: str | None
    body: Any


def parse(body: bytes, form: str) -> Any:
    """The value of a body whose ``form`` is "json" or "xml". Raises NotReadable."""
    if len(body) > LARGEST:
        raise _not_readable("The call is too large", f"{len(body)} bytes", f"at most {LARGEST} bytes", status=413)
    try:
        return parse_json(body) if form == "json" else parse_xml(body)
    except ValueError as error:
        raise _not_readable(f"The body is no {form.upper()}: {error}", None, f"well-formed {form.upper()}") from None


def parse_xml(body: bytes) -> Any:
    """XML as a dict by local names, the root's name first: ``{"Envelope": {"Body": …}}``.

    Repeated children are a list; an element without children is its text (empty: ""), with ``xsi:nil`` None; attributes
    are "@name" (and then text is "#text"). Raises ValueError where it is not well-formed, or has a document type:
    entities are never resolved, and nothing is fetched.
    """
    from lxml import etree  # 4 MB, for connections whose vendors speak XML

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("it has a document type, which no vendor sends")
    return {_local(root.tag): _value(root)}


class Splitter:
    """The rules of one way in, compiled: body (or polled page) → messages."""

    def __init__(self, inbound: Inbound, *, file: str = "connector.yaml inbound") -> None:
        def compiled(name: str) -> Expression | None:
            text = getattr(inbound, name)
            return compile_expression(text, file=f"{file}.{name}") if text else None

        self._form = inbound.format
        self._rules = {name: compiled(name) for name in ("split", "id", "subject", "type", "version")}
        self._texts = {"id": inbound.id, "subject": inbound.subject}

    def parse(self, body: bytes) -> Any:
        """The call's body. Raises NotReadable."""
        return parse(body, self._form)

    def split(self, parsed: Any) -> list[Part]:
        """The messages in a parsed body, in their order; none where there are none. Raises NotReadable."""
        found = self._applied("split", parsed)
        messages = found if isinstance(found, list) else [] if found is None else [found]
        return [self._part(message, number) for number, message in enumerate(messages)]

    def _part(self, message: Any, number: int) -> Part:
        named = {name: _text(self._applied(name, message)) for name in ("id", "subject", "type", "version")}
        for name, expression in self._texts.items():
            if not named[name]:
                title = f"Message {number + 1} of the call has no {name}"
                raise _not_readable(title, None, f"a value at {expression}", field=name)
        return Part(named["id"] or "", named["subject"] or "", named["type"], named["version"], message)

    def _applied(self, name: str, value: Any) -> Any:
        rule: Callable[[Any], Any] | None = self._rules[name]
        if rule is None:
            return None
        try:
            return rule(value)
        except MappingError as error:
            raise _not_readable(f"The call does not have the shape that {name} expects: {error}", None, name) from None


def _value(element: Any) -> Any:
    if element.get(_NIL) in ("true", "1"):
        return None
    held: dict[str, Any] = {f"@{_local(name)}": text for name, text in element.attrib.items() if name != _NIL}
    children = [child for child in element if isinstance(child.tag, str)]
    if not children and not held:
        return element.text or ""
    for child in children:
        name, value = _local(child.tag), _value(child)
        if name not in held:
            held[name] = value
        elif isinstance(held[name], list):
            held[name].append(value)
        else:
            held[name] = [held[name], value]
    if not children and element.text:
        held["#text"] = element.text
    return held


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _text(value: Any) -> str | None:
    """A single value as text; what is no single value is none."""
    if isinstance(value, bool) or value is None or value == "":
        return None
    return str(value) if isinstance(value, str | int) else None


def _not_readable(
    title: str, value: str | None, expected: str, *, field: str = "body", status: int = 400
) -> NotReadable:
    return NotReadable(
        Problem(
            type=PROBLEMS_AT + "not-readable", title=title, status=status, field=field, value=value, expected=expected
        )
    )
