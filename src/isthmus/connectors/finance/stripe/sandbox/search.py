"""Search: ``metadata['order']:'4711' AND status:"open"`` as Stripe reads it.

docs.stripe.com/search: exact ``:``, part ``~`` (three letters at least), ``> < >= <=`` on numbers, ``-`` for not,
``null`` for absent metadata; AND or OR, not both. New and changed objects appear after a while (here ``delay_s`` of
the account, 0 until somebody sets it), so Stripe warns against reading by search what was just written.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any

from .account import Account, terms_of
from .errors import ParameterError
from .lists import Selection, checked_limit, list_text, objects
from .operation import Ask, Operation, operation

_CLAUSE = re.compile(
    r"""\s*(?:(?P<word>AND|OR)\s+)?(?P<minus>-?)(?P<field>[a-z_.0-9]+)(?:\[\s*(?P<q>["'])(?P<key>.*?)(?P=q)\s*\])?\s*
    (?P<sign>:|~|>=|<=|>|<)\s*
    (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s"']+))\s*""",
    re.VERBOSE | re.IGNORECASE,
)
#: the fields that can be searched, by kind; a number's name ends in #
_FIELDS = {
    "charge": "amount# created# currency customer disputed refunded status payment_method_details.card.last4 "
    "payment_method_details.card.brand billing_details.address.postal_code",
    "customer": "created# email name phone",
    "invoice": "created# currency customer last_finalization_error_code last_finalization_error_type number "
    "receipt_number status subscription total#",
    "payment_intent": "amount# created# currency customer status",
    "price": "active currency lookup_key product type",
    "product": "active description name shippable url",
    "subscription": "canceled_at# created# status",
}
_SEARCHED = {kind: {word.rstrip("#"): word.endswith("#") for word in line.split()} for kind, line in _FIELDS.items()}


@dataclass(frozen=True, slots=True)
class Clause:
    negated: bool
    field: str
    key: str | None
    sign: str
    value: str | None  # None is null

    @property
    def name(self) -> str:
        """The term's name."""
        return self.field if self.key is None else f"metadata.{self.key}"

    def by_term(self, kind: str) -> bool:
        """Whether a term of the object says that this is true."""
        known = self.key is not None or self.field in terms_of(kind)
        return known and self.sign == ":" and self.value is not None and not self.negated


def searching(path: str, kind: str) -> Operation:
    """``GET path/search?query=…``."""

    def act(account: Account, ask: Ask) -> str:
        selection = objects(account, kind)
        clauses, word = parse(ask["query"], kind)
        if word == "AND" and (exact := next((one for one in clauses if one.by_term(kind)), None)):
            selection.having(account, kind, exact.name, exact.value)
        parts = [_condition(account, kind, clause) for clause in clauses]
        selection.where(f"({f' {word} '.join(sql for sql, _ in parts)})", *(v for _, values in parts for v in values))
        if delay_s := search_delay_s(account):
            selection.where("changed <= ?", account.now - delay_s)
        return _page(account, ask, selection, f"{path}/search")

    return operation("GET", f"{path}/search", act, "query! limit:int page")


def search_delay_s(account: Account) -> int:
    """How old a change must be, in seconds, to be found."""
    return int(account.world.value("SELECT search_delay_s FROM account WHERE id = ?", (account.id,)) or 0)


def parse(query: str, kind: str) -> tuple[list[Clause], str]:
    """The clauses of a query and the word between them. Raises ParameterError where it cannot be read."""
    clauses, words, at = [], set(), 0
    while at < len(query) and (match := _CLAUSE.match(query, at)):
        clauses.append(_clause(match, kind))
        if match["word"]:
            words.add(match["word"].upper())
        elif len(clauses) > 1:
            words.add("AND")
        at = match.end()
    if at < len(query) or not clauses:
        raise ParameterError(f"We were unable to parse your search query: {query}", param="query")
    if len(words) > 1:
        raise ParameterError("You may not mix AND and OR in one search query.", param="query")
    return clauses, words.pop() if words else "AND"


def _clause(match: re.Match[str], kind: str) -> Clause:
    name, key, sign = match["field"], match["key"], match["sign"]
    searched = _SEARCHED[kind]
    if name != "metadata" and name not in searched:
        raise ParameterError(
            f"Field `{name}` is an unsupported search field for resource `{kind}s`. See "
            "https://stripe.com/docs/search#query-fields-for-each-resource for a list of supported fields.",
            param="query",
        )
    if (name == "metadata") is (key is None):
        raise ParameterError("Metadata is searched as metadata['key']:'value'.", param="query")
    if sign not in ":~" and not searched.get(name):
        raise ParameterError(f"Field `{name}` is not a number: `{sign}` cannot be used.", param="query")
    quoted = match["double"] if match["double"] is not None else match["single"]
    value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match["bare"]
    if sign == "~" and len(value) < 3:
        raise ParameterError("A substring search needs at least three characters.", param="query")
    null = quoted is None and value.lower() == "null"
    return Clause(bool(match["minus"]), name, key, sign, None if null else value)


def _condition(account: Account, kind: str, clause: Clause) -> tuple[str, list[Any]]:
    sql, values = _positive(account, kind, clause)
    return (f"NOT ({sql})", values) if clause.negated else (sql, values)


def _positive(account: Account, kind: str, clause: Clause) -> tuple[str, list[Any]]:
    name = clause.name
    term = "SELECT number FROM term WHERE account = ? AND kind = ? AND field = ?"
    if clause.value is None:
        return f"number NOT IN ({term})", [account.id, kind, name]
    if clause.sign == ":" and (clause.key is not None or clause.field in terms_of(kind)):
        return f"number IN ({term} AND value = ?)", [account.id, kind, name, clause.value]
    path = "$." + (f'metadata."{clause.key}"' if clause.key is not None else clause.field)
    if clause.sign == "~":
        return "instr(lower(json_extract(body, ?)), lower(?)) > 0", [path, clause.value]
    if _SEARCHED[kind].get(clause.field):
        sign = "=" if clause.sign == ":" else clause.sign
        return f"CAST(json_extract(body, ?) AS INTEGER) {sign} CAST(? AS INTEGER)", [path, clause.value]
    return "lower(json_extract(body, ?)) = lower(?)", [path, clause.value]


def _page(account: Account, ask: Ask, selection: Selection, url: str) -> str:
    limit = checked_limit(ask)
    if ask.get("page"):
        selection.where("number < ?", _mark(ask["page"]))
    rows = selection.rows(account, False, limit + 1)
    has_more = len(rows) > limit
    mark = b64encode(str(rows[limit - 1]["number"]).encode()).decode() if has_more else None
    following = f'"next_page":"{mark}",' if mark else '"next_page":null,'
    return list_text(
        [row["body"] for row in rows[:limit]], url, has_more=has_more, kind="search_result", more=following
    )


def _mark(page: str) -> int:
    try:
        return int(b64decode(page))
    except ValueError:
        raise ParameterError(f"Invalid page: {page}", param="page") from None
