"""Search over tickets, users and organizations.

Source: developer.zendesk.com, "Search". A thousand results are as deep as numbered pages go; the export form goes on
by cursor. The vendor's index lags behind; here by the setting ``search_lag_s``, 0 out of the box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On
from isthmus.connectors.support.zendesk.sandbox.answers import listed_error, ok, refusal
from isthmus.connectors.support.zendesk.sandbox.pages import cursor_size, link, numbered, read_cursor, written_cursor
from isthmus.connectors.support.zendesk.sandbox.query import Term, held_by, matches, parsed
from isthmus.connectors.support.zendesk.sandbox.tables import key_of
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row

RESULTS_MAX = 1000
_EXPORT_PAGE_MAX = 1000
KINDS = ("ticket", "user", "organization")
_SORTS = {"created_at": "created_at", "updated_at": "updated_at", "status": "status", "priority": "priority"}
Hit = tuple[str, Row]


class Search:
    """Endpoints ``/search``, ``/search/count``, ``/search/export`` and ``/users/search``."""

    def __init__(self, account: Account, shows: Mapping[str, Callable[[Row, str], Row]]) -> None:
        """``shows`` turns a stored body into what goes out, by kind of row."""
        self._account, self._shows = account, shows
        self._shelves = {"ticket": account.tickets, "user": account.users, "organization": account.organizations}

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        on("GET", "/search", self._searched)
        on("GET", "/search/count", self._counted)
        on("GET", "/search/export", self._exported)
        on("GET", "/users/search", self._users)
        on("GET", "/users/autocomplete", self._users)

    def found(self, query: str, kinds: tuple[str, ...] = KINDS) -> list[Hit]:
        """All rows that meet a query, as (kind, body), by id."""
        terms = parsed(query)
        asked = [term.value for term in terms if term.key == "type" and not term.negated]
        terms = [term for term in terms if term.key not in ("type", "order_by", "sort")]
        hits: list[Hit] = []
        for kind in kinds:
            if asked and kind not in asked:
                continue
            resolved = [self._resolved(term) for term in terms]
            rows = self._candidates(kind, terms)
            hits += [(kind, row) for row in rows if self._meets(kind, row, resolved)]
        return hits

    def _candidates(self, kind: str, terms: list[Term]) -> list[Row]:
        """The rows worth comparing: few where an external id or an address is asked for."""
        plain = {term.key: term.value for term in terms if term.operator == ":" and not term.negated}
        fresh = self._account.clock.timestamp() - float(self._account.setting("search_lag_s", "0"))
        where, values = "generated <= ?", [fresh]
        keys = [term.key for term in terms]
        if keys.count("external_id") == 1 and "external_id" in plain and "*" not in plain["external_id"]:
            column = "external_id" if kind == "ticket" else "external_key"
            value = plain["external_id"] if kind == "ticket" else key_of(plain["external_id"])
            return self._shelves[kind].where(f"{where} AND {column} = ?", [*values, value])
        if kind == "user" and keys.count("email") == 1 and "email" in plain and "*" not in plain["email"]:
            owner = "id IN (SELECT user_id FROM identity WHERE type = 'email' AND value_key = ?)"
            return self._shelves[kind].where(f"{where} AND {owner}", [*values, key_of(plain["email"])])
        return self._shelves[kind].where(where, values)

    def _meets(self, kind: str, row: Row, terms: list[Term]) -> bool:
        def values(key: str) -> list[object] | None:
            return held_by(kind, row, key, lambda user_id: self._account.users.get(user_id or 0) or {})

        return matches(terms, values, self._account.clock.timestamp())

    def _resolved(self, term: Term) -> Term:
        """Organizations are asked for by id or by name; rows know the id."""
        if term.key != "organization" or term.value.isdigit() or term.value.lower() == "none":
            return term
        named = self._account.organizations.find("name_key", key_of(term.value))
        return Term(term.key, term.operator, str(named["id"]) if named else "0", term.negated)

    # What callers ask -----------------------------------------------------------------------------

    def _show(self, request: Request, hit: Hit) -> Row:
        kind, row = hit
        return {**self._shows[kind](row, request.root), "result_type": kind}

    def _searched(self, request: Request, caller: Caller) -> Answer:
        hits = self._sorted(request, self.found(_query(request)))
        answer = numbered(request, "results", hits, lambda hit: self._show(request, hit), most=RESULTS_MAX)
        return ok({**answer, "facets": None})

    def _counted(self, request: Request, caller: Caller) -> Answer:
        return ok({"count": len(self.found(_query(request)))})

    def _exported(self, request: Request, caller: Caller) -> Answer:
        arguments = dict(request.query)
        kind = arguments.get("filter[type]")
        if kind not in KINDS:
            detail = f"filter[type] must be one of {', '.join(KINDS)}"
            raise listed_error(400, "InvalidParameter", "Invalid filter", detail)
        size, cursor = cursor_size(arguments, _EXPORT_PAGE_MAX), arguments.get("page[after]")
        after = read_cursor(cursor, 1)[0] if cursor else 0
        rows = [hit for hit in self.found(_query(request), (kind,)) if hit[1]["id"] > after]
        more, rows = len(rows) > size, rows[:size]
        last = written_cursor([rows[-1][1]["id"]]) if rows else None
        turned = {"page[after]": last or "", "page[size]": str(size)}
        return ok(
            {
                "results": [self._show(request, hit) for hit in rows],
                "facets": None,
                "meta": {"has_more": more, "after_cursor": last, "before_cursor": None},
                "links": {"prev": None, "next": link(request, turned) if more else None},
            }
        )

    def _users(self, request: Request, caller: Caller) -> Answer:
        external_id = request.argument("external_id")
        if external_id is not None:
            one = self._account.users.find("external_key", key_of(external_id))
            found: list[Hit] = [("user", one)] if one else []
        else:
            text = request.argument("query") or request.argument("name") or ""
            found = self.found(f"email:{text}", ("user",)) if _is_address(text) else self.found(text, ("user",))
        return ok(numbered(request, "users", found, lambda hit: self._shows["user"](hit[1], request.root), most=10_000))

    def _sorted(self, request: Request, hits: list[Hit]) -> list[Hit]:
        name = _SORTS.get(request.argument("sort_by") or "", "created_at")
        falling = request.argument("sort_order") != "asc"
        return sorted(hits, key=lambda hit: (str(hit[1].get(name) or ""), hit[1]["id"]), reverse=falling)


def _query(request: Request) -> str:
    text = request.argument("query")
    if text is None:
        raise refusal(422, "invalid", "Invalid search: the parameter query is required")
    return text


def _is_address(text: str) -> bool:
    return "@" in text and ":" not in text and " " not in text
