"""SOQL over REST: query, queryAll, and the pages behind a locator.

Vendor: "Query", "Query More Results": up to 2,000 rows a page, ``Sforce-Query-Options: batchSize=200..2000`` asks for
fewer; of a user's ten cursors the oldest closes when an eleventh opens.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError, no_such_object
from isthmus.connectors.crm.salesforce.sandbox.ids import new_id
from isthmus.connectors.crm.salesforce.sandbox.org import Org, base_of
from isthmus.connectors.crm.salesforce.sandbox.plans import Plan, Values
from isthmus.sandkit.routes import Answer, Request

_PAGE_MAX, _PAGE_MIN = 2000, 200
_CURSORS_MAX = 10
_CURSOR_S = 2 * 24 * 60 * 60


@dataclass(slots=True)
class Cursor:
    """What a locator stands for: the rows as they were when the query ran."""

    user: str | None
    plan: Plan
    literals: Sequence[str]
    rows: list[Values]
    page: int
    opened_at: float


class Queries:
    """Handlers of ``/query`` and ``/queryAll``. Cursors live in memory: a restart loses them, as real ones expire."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()

    def query(self, request: Request) -> Answer:
        """GET query?q=…"""
        return self._run(request, deleted=False)

    def query_all(self, request: Request) -> Answer:
        """GET queryAll?q=…: deleted rows too."""
        return self._run(request, deleted=True)

    def more(self, request: Request) -> Answer:
        """GET query/{locator}."""
        name, _, start = request.params["locator"].rpartition("-")
        cursor = self._cursors.get(name)
        now = self._org.clock.timestamp()
        if (
            cursor is None
            or not start.isdigit()
            or cursor.user != self._org.rows.user
            or now - cursor.opened_at > _CURSOR_S
        ):
            raise VendorError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(request, cursor, name, int(start))

    def _run(self, request: Request, *, deleted: bool) -> Answer:
        text = request.argument("q")
        if not text:
            raise VendorError("MALFORMED_QUERY", "A query string has to be specified")
        try:
            plan, literals = self._org.plans.of(text, deleted=deleted)
            if plan.kind.name in self._org.unreadable:
                raise no_such_object(plan.kind.name)
            rows = plan.rows(self._org.world, literals, self._org.today())
        except VendorError as error:
            raise placed(error, text) from None
        if plan.counts:
            return Answer(200, f'{{"totalSize":{rows[0][0]},"done":true,"records":[]}}')
        page = _page_size(request.headers.get("sforce-query-options", ""))
        cursor = Cursor(self._org.rows.user, plan, literals, rows, page, self._org.clock.timestamp())
        return self._page(request, cursor, self._opened(cursor) if len(rows) > page else "", 0)

    def _page(self, request: Request, cursor: Cursor, name: str, start: int) -> Answer:
        shown = cursor.rows[start : start + cursor.page]
        base = base_of(request)
        texts = cursor.plan.render(self._org.world, shown, cursor.literals, self._org.today(), base)
        end = start + len(shown)
        done = end >= len(cursor.rows)
        more = "" if done else f'"nextRecordsUrl":"{base}/query/{name}-{end}",'
        head = f'{{"totalSize":{len(cursor.rows)},"done":{"true" if done else "false"},{more}'
        return Answer(200, f'{head}"records":[{",".join(texts)}]}}')

    def _opened(self, cursor: Cursor) -> str:
        name = new_id(self._org.world, "01g")
        self._cursors[name] = cursor
        mine = [key for key, other in self._cursors.items() if other.user == cursor.user]
        for old in mine[:-_CURSORS_MAX]:
            del self._cursors[old]
        return name


def placed(error: VendorError, text: str) -> VendorError:
    """The error with the place of the word it complains about, as SOQL's messages show it."""
    named = re.search(r"'([^']+)'", error.message)
    at = text.lower().find(named[1].lower()) if named and error.code in ("INVALID_FIELD", "MALFORMED_QUERY") else -1
    if at < 0:
        return error
    around = text[max(0, at - 30) : at + 30]
    mark = " " * (at - max(0, at - 30)) + "^"
    return VendorError(error.code, f"\n{around}\n{mark}\nERROR at Row:1:Column:{at + 1}\n{error.message}")


def _page_size(options: str) -> int:
    asked = re.search(r"batchSize\s*=\s*(\d+)", options, re.IGNORECASE)
    return min(_PAGE_MAX, max(_PAGE_MIN, int(asked[1]))) if asked else _PAGE_MAX
