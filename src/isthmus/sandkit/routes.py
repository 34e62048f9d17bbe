"""What a stand-in hears and says, and which of its functions answers: a small table of patterns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote


def _decimal_as_text(text: str) -> str:
    return text


@dataclass(slots=True)
class Request:
    """One HTTP request as a stand-in sees it.

    ``path`` is relative to the vendor's root and percent-decoded per segment, ``raw_path`` is not decoded;
    ``root`` is the absolute address of the vendor's root as the caller named it (after Host and
    X-Forwarded-Host/-Proto), without a trailing slash; header names are in lower case.
    """

    method: str
    path: str
    raw_path: str
    query_string: str
    headers: Mapping[str, str]
    body: bytes
    root: str
    params: dict[str, str] = field(default_factory=dict)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in order, decoded."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    def argument(self, name: str, default: str | None = None) -> str | None:
        """The last value of one query parameter."""
        return dict(self.query).get(name, default)

    def json(self) -> Any:
        """The body as JSON; numbers with a fraction stay text, so that money never becomes a float.

        Raises ValueError when the body is not JSON.
        """
        return json.loads(self.body or b"null", parse_float=_decimal_as_text)

    def form(self) -> list[tuple[str, str]]:
        """The body as application/x-www-form-urlencoded pairs in order."""
        return parse_qsl(self.body.decode(), keep_blank_values=True)


@dataclass(slots=True)
class Answer:
    """One HTTP answer. ``body`` that is not bytes or str is written as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=UTF-8"

    def encoded(self) -> bytes:
        """The body as it goes over the wire; None is an empty body."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class Refusal(Exception):
    """Raised inside a handler: what it wrote is rolled back, and this answer goes out."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"refused with {answer.status}")
        self.answer = answer


Handler = Callable[[Request], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    handler: Handler


class Routes:
    """Patterns such as ``/v1/invoices/{id}``; ``{name:path}`` takes slashes too. First match wins."""

    def __init__(self, *, ignore_case: bool = False) -> None:
        self._flags = re.IGNORECASE if ignore_case else 0
        self._exact: dict[tuple[str, str], Handler] = {}
        self._routes: list[Route] = []

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Let ``handler`` answer ``method`` on ``path``."""
        if "{" not in path and not self._flags:
            self._exact[(method, path)] = handler
            return
        parts = re.split(r"\{(\w+)(:path)?\}", path)
        expression = re.escape(parts[0])
        for name, wide, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            expression += f"(?P<{name}>{'.+' if wide else '[^/]+'})" + re.escape(literal)
        self._routes.append(Route(method, re.compile(expression, self._flags), handler))

    def find(self, request: Request) -> Handler | None:
        """The handler for a request, with ``request.params`` filled; None where nothing matches."""
        exact = self._exact.get((request.method, request.raw_path))
        if exact is not None:
            return exact
        for route in self._routes:
            if route.method == request.method and (match := route.pattern.fullmatch(request.raw_path)):
                request.params = {name: unquote(value) for name, value in match.groupdict().items()}
                return route.handler
        return None

    def methods(self, request: Request) -> list[str]:
        """The methods that would be answered on this path, for a 405."""
        found = {r.method for r in self._routes if r.pattern.fullmatch(request.raw_path)}
        found |= {method for method, path in self._exact if path == request.raw_path}
        return sorted(found)
