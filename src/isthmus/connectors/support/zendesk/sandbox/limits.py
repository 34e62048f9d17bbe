"""How many requests a minute: the account's own limit, and those of single endpoints.

Limits count in windows of one minute of the sandbox's clock. A limit of 0 is off. Out of the box only
the documented limit of incremental exports (10 a minute) bites; the account is on a plan so high that
a benchmark does not meet it. Source: developer.zendesk.com, "Rate limits"; header names verified there.
"""

from __future__ import annotations

import math
import re
from collections import Counter

from isthmus.connectors.support.zendesk.sandbox.account import Account
from isthmus.connectors.support.zendesk.sandbox.answers import limited
from isthmus.sandkit.routes import Answer, Request

_WINDOW_S = 60
#: name → (requests a minute, method, path); the vendor's figures are 10, 100, 5 and 30
ENDPOINTS: dict[str, tuple[int, str, re.Pattern[str]]] = {
    "incremental": (10, "GET", re.compile(r"/api/v2/incremental/.+")),
    "update_ticket": (0, "PUT", re.compile(r"/api/v2/tickets/\d+")),
    "update_organization": (0, "PUT", re.compile(r"/api/v2/organizations/\d+")),
    "tickets_index": (0, "GET", re.compile(r"/api/v2/tickets")),
}
ACCOUNT_LIMIT = 100_000
NAMES = ("account", *ENDPOINTS)


class Limits:
    """Counts requests and says no. Counts live in memory: nothing of them is the account's data."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._window = 0
        self._counts: Counter[str] = Counter()
        self._figures: dict[str, int] = {}

    def refuse(self, request: Request) -> Answer | None:
        """Count one request; the 429 where a limit is used up."""
        self._turn()
        self._counts["account"] += 1
        names = ["account"]
        for name, (_, method, pattern) in ENDPOINTS.items():
            if request.method == method and pattern.fullmatch(request.raw_path):
                self._counts[name] += 1
                names.append(name)
        if any(self._left(name) < 0 for name in names if self.figure(name)):
            return limited(self._resets_s())
        return None

    def stamp(self, request: Request, answer: Answer) -> Answer:
        """Write the account's limit, and the endpoint's own, on an answer."""
        self._turn()
        limit, left, resets = self.figure("account"), max(0, self._left("account")), self._resets_s()
        answer.headers |= {
            "X-Rate-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(left),
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(resets),
        }
        for name, (_, method, pattern) in ENDPOINTS.items():
            if request.method == method and (own := self.figure(name)) and pattern.fullmatch(request.raw_path):
                text = f"total={own}; remaining={max(0, self._left(name))}; resets={resets}"
                answer.headers[f"zendesk-ratelimit-{name.replace('_', '-')}"] = text
        return answer

    def figure(self, name: str) -> int:
        """Requests a minute that are allowed, 0 for any number."""
        if name not in self._figures:
            usual = ACCOUNT_LIMIT if name == "account" else ENDPOINTS[name][0]
            self._figures[name] = int(self._account.setting(f"limit/{name}", str(usual)))
        return self._figures[name]

    def set(self, name: str, per_minute: int) -> None:
        """Change one limit and start its count again. Raises ValueError for an unknown name."""
        if name not in NAMES:
            raise ValueError(f"limit {name!r} is unknown; there are {', '.join(NAMES)}")
        self._account.set(f"limit/{name}", str(per_minute))
        self._figures.pop(name, None)
        self._counts[name] = 0

    def _turn(self) -> None:
        window = int(self._account.clock.timestamp() // _WINDOW_S)
        if window != self._window:
            self._window = window
            self._counts.clear()

    def _left(self, name: str) -> int:
        return self.figure(name) - self._counts[name]

    def _resets_s(self) -> int:
        return max(1, math.ceil((self._window + 1) * _WINDOW_S - self._account.clock.timestamp()))
