"""Speaks to the desk of a running sandbox: JSON over HTTP, with nothing but the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from isthmus.cli.nearby import found_nearby

_DEFAULT = "http://127.0.0.1:8400"
_TIMEOUT_S = 120.0


def desk_address(url: str | None) -> str:
    """Where the sandbox runs: as said, as it told when it was started here, or at the usual port."""
    return (url or (found_nearby("sandbox") or {}).get("url") or _DEFAULT).rstrip("/")


def ask(address: str, *path: str, body: Any = None) -> Any:
    """Ask the desk; a ``body`` is posted. Raises ValueError with the desk's sentence, OSError where nobody answers."""
    return call(f"{address}/_sandbox/{'/'.join(quote(part, safe='') for part in path)}", body=body)


def call(url: str, *, body: Any = None, headers: dict[str, str] | None = None, method: str | None = None) -> Any:
    """One request with a JSON answer; ``body`` is sent as JSON, or as it is where it is bytes."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if data is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, {**kind, **(headers or {})}, method=method)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        raise ValueError(_said(error)) from None
    except urllib.error.URLError as error:
        where = url.partition("/_sandbox")[0]
        raise OSError(f"nobody answers at {where} ({error.reason}); start one with: isthmus sandbox") from None


def _said(error: urllib.error.HTTPError) -> str:
    text = error.read().decode("utf-8", "replace")
    try:
        found = json.loads(text)
        return str(found["title"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}: {text[:300]}"
