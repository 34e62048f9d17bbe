"""Counts what each unmodified client asks its stand-in, and holds it to what was promised: enough calls of every kind.

Counted is what goes over the wire: all four clients send by ``requests``. A call counts once, whatever is tried with it:
the same method at the same place (ids left out) with the same status.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

#: what every client's tests show at least, each in calls of its own
PROMISED = {"calls": 20, "writes": 5, "errors": 4, "pages": 2, "expiries": 1}
_SIGN_IN = re.compile(r"/(oauth2?/tokens?|sec/oauth2/token|Soap/u/)|/services/oauth2/")
_NEXT = re.compile(
    r"skiptoken=|starting_after=|ending_before=|page(\[|%5B)after|[?&](page|cursor|locator)=|/query(All)?/01g"
)
_EXPIRED = re.compile(
    r"INVALID_SESSION_ID|[Ee]xpired|invalid_token|CSRF token validation failed|no valid session", re.I
)
_ID = re.compile(r"\([^)]*\)|(?<=/)[^/?]*\d[^/?]*(?=/|\?|$)")


@pytest.fixture(scope="module", autouse=True)
def counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Counts a module's calls; where all of its tests have run, there are as many as promised."""
    met: dict[str, Counter[str]] = {kind: Counter() for kind in PROMISED}
    send = HTTPAdapter.send

    def counting(self: HTTPAdapter, asked: PreparedRequest, *more: Any, **options: Any) -> Response:
        answer = send(self, asked, *more, **options)
        for kind in _kinds(asked, answer):
            met[kind][f"{asked.method} {_place(asked)} {answer.status_code}"] += 1
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", counting)
        yield
    numbers = {kind: len(found) for kind, found in met.items()}
    if told := os.environ.get("ISTHMUS_CONFORMANCE"):
        name = Path(str(request.node.path)).stem
        (Path(told) / f"{name}.json").write_text(json.dumps({"numbers": numbers, "met": met}, indent=1))
    if _whole(request):
        assert not {kind: numbers[kind] for kind, least in PROMISED.items() if numbers[kind] < least}


def _kinds(asked: PreparedRequest, answer: Response) -> Iterator[str]:
    if _SIGN_IN.search(asked.url or ""):
        return
    yield "calls"
    if answer.status_code >= 400:
        yield "errors"
    elif asked.method not in ("GET", "HEAD"):
        yield "writes"
    elif _NEXT.search(asked.url or ""):
        yield "pages"
    if answer.status_code in (401, 403) and _EXPIRED.search(answer.text):
        yield "expiries"


def _place(asked: PreparedRequest) -> str:
    """The path without ids and without what follows the question mark."""
    return _ID.sub("…", asked.path_url.partition("?")[0])


def _whole(request: pytest.FixtureRequest) -> bool:
    """Whether all tests of the module were asked for."""
    config = request.config
    return not config.getoption("keyword") and not any("::" in each for each in config.args)
