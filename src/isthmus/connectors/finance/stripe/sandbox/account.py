"""One Stripe account as one request sees it: its objects, each kept as the very JSON that the API answers.

Lists and searches go through ``term``, a table of what is looked up (an object's customer, status, metadata …), so
that no lookup scans. What Stripe does not show of an object (a webhook secret, how a line is taxed) is its ``hidden``.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from os import urandom
from typing import Any

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.world import Row, World

from .errors import missing_object
from .events import Events
from .words import words

Body = dict[str, Any]

TABLES = """
CREATE TABLE IF NOT EXISTS object (
  number INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  created INTEGER NOT NULL, changed INTEGER NOT NULL, body TEXT NOT NULL, hidden TEXT, UNIQUE (account, kind, id));
CREATE INDEX IF NOT EXISTS object_order ON object (account, kind, number);
CREATE TABLE IF NOT EXISTS term (
  account TEXT NOT NULL, kind TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL COLLATE NOCASE,
  number INTEGER NOT NULL, PRIMARY KEY (account, kind, field, value, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS term_of ON term (number);
"""
_INSERT = (
    "INSERT INTO object (account, kind, id, created, changed, body, hidden) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "RETURNING number"
)
_UPDATE = "UPDATE object SET body = ?, changed = ? WHERE account = ? AND kind = ? AND id = ? RETURNING number"

#: kinds that people look up by their metadata
_BY_METADATA = frozenset(words("charge credit_note customer invoice payment_intent price product subscription"))
#: what is looked up, by kind: a field of the object, or name=path where the field lies deeper
_TERMS = {
    "balance_transaction": "currency source type",
    "charge": "customer payment_intent currency status disputed refunded",
    "credit_note": "customer invoice",
    "customer": "email name phone",
    "customer_balance_transaction": "customer",
    "dispute": "charge payment_intent",
    "invoice": "customer collection_method currency number status subscription=parent.subscription_details.subscription",
    "invoice_payment": "invoice status payment_intent=payment.payment_intent",
    "invoiceitem": "customer invoice",
    "payment_intent": "customer currency status",
    "payment_method": "customer type allow_redisplay",
    "price": "active currency lookup_key product type",
    "product": "active name description shippable url",
    "refund": "charge payment_intent",
    "setup_intent": "customer payment_method",
    "subscription": "customer status collection_method item=items.data.id price=items.data.price.id",
    "tax_id": "customer",
    "tax_rate": "active inclusive",
}
_PATHS = {
    kind: [(name, (path or name).split(".")) for name, _, path in (word.partition("=") for word in line.split())]
    for kind, line in _TERMS.items()
}
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_json(value: Any) -> str:
    """JSON as it goes over the wire."""
    return _dumps(value)


class Account:
    """Reads, writes and announces the objects of one account. One is made for each request.

    The dict that ``get`` and ``find`` return is the same one for the whole request; change it, then ``save`` it.
    """

    def __init__(self, world: World, clock: Clock, events: Events, row: Row, root: str = "") -> None:
        """``row`` is the account's own: id, name, country, currency; ``root`` begins addresses in answers."""
        self.row, self.root = row, root
        self.id: str = row["id"]
        self.now = int(clock.timestamp())
        self.request_text = '{"id":null,"idempotency_key":null}'  # the request, as its events name it
        self.endpoints: list[tuple[Body, str]] | None = None  # with their secrets, once an event has asked for them
        self.world = world
        self.events = events
        self._held: dict[tuple[str, str], Body] = {}
        self._written: dict[tuple[str, str], str] = {}
        self._snapshots: dict[str, int] = {}
        self.rates_of_data: dict[str, Body] = {}  # tax rates that this request found or made

    # Reading ---------------------------------------------------------------------------------------

    def find(self, kind: str, identity: str) -> Body | None:
        """The object, or None."""
        held = self._held.get((kind, identity))
        if held is None and (text := self.text(kind, identity)) is not None:
            held = self._held[(kind, identity)] = json.loads(text)
        return held

    def get(self, kind: str, identity: str, param: str = "id") -> Body:
        """The object. Raises StripeError ``resource_missing``, naming ``param``."""
        found = self.find(kind, identity)
        if found is None:
            raise missing_object(kind, identity, param)
        return found

    def text(self, kind: str, identity: str) -> str | None:
        """The object as JSON, or None."""
        found: str | None = self.world.value(
            "SELECT body FROM object WHERE account = ? AND kind = ? AND id = ?", (self.id, kind, identity)
        )
        return found

    def hidden(self, kind: str, identity: str) -> Body:
        """What Stripe does not show of the object."""
        found = self.world.value(
            "SELECT hidden FROM object WHERE account = ? AND kind = ? AND id = ?", (self.id, kind, identity)
        )
        return json.loads(found) if found else {}

    def answered(self, body: Body) -> str:
        """An answer as JSON: an object just kept is not written a second time."""
        written = self._written.get((body.get("object", ""), body.get("id", "")))
        held = self._held.get((body.get("object", ""), body.get("id", "")))
        return written if written is not None and held is body else _dumps(body)

    def having(self, kind: str, field: str, value: str) -> list[Body]:
        """The objects whose term is this, oldest first."""
        rows = self.world.rows(
            "SELECT o.id, o.body FROM term t JOIN object o ON o.number = t.number "
            "WHERE t.account = ? AND t.kind = ? AND t.field = ? AND t.value = ? ORDER BY t.number",
            (self.id, kind, field, value),
        )
        found = []
        for row in rows:
            held = self._held.get((kind, row["id"]))
            if held is None:
                held = self._held[(kind, row["id"])] = json.loads(row["body"])
            found.append(held)
        return found

    # Writing ---------------------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """An id as Stripe's look: the prefix and 24 letters and digits."""
        return f"{prefix}_1{b64encode(urandom(18), b'Qz').decode()}"

    def add(self, body: Body, event: str | None = None, *, hidden: Body | None = None) -> Body:
        """Keep a new object, and announce it as ``event``."""
        kind, text = body["object"], _dumps(body)
        created = body.get("created", self.now)
        unshown = _dumps(hidden) if hidden else None
        row = (self.id, kind, body["id"], created, self.now, text, unshown)
        self._write_terms(kind, int(self.world.value(_INSERT, row)), _terms(kind, body))
        self._held[(kind, body["id"])] = body
        self._written[(kind, body["id"])] = text
        if event is not None:
            self.events.announce(self, event, text)
        return body

    def add_all(self, bodies: list[Body]) -> None:
        """Keep many new objects of one kind in two statements, unannounced."""
        if not bodies:
            return
        kind = bodies[0]["object"]
        rows = [(self.id, kind, body["id"], self.now, self.now, _dumps(body)) for body in bodies]
        marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
        kept = self.world.rows(
            f"INSERT INTO object (account, kind, id, created, changed, body) VALUES {marks} "  # noqa: S608 - marks only
            "RETURNING number, id",
            [value for row in rows for value in row],
        )
        numbers = {row["id"]: int(row["number"]) for row in kept}
        terms = [(kind, field, text, numbers[body["id"]]) for body in bodies for field, text in _terms(kind, body)]
        self._insert_terms(terms)
        self._held.update({(kind, body["id"]): body for body in bodies})

    def save(self, body: Body, *events: str) -> Body:
        """Keep a changed object; each of ``events`` is announced with it, ``….updated`` with what changed."""
        kind, text = body["object"], _dumps(body)
        before = self.text(kind, body["id"]) if any(event.endswith(".updated") for event in events) else None
        number = int(self.world.value(_UPDATE, (text, self.now, self.id, kind, body["id"])))
        self._rewrite_terms(kind, number, body)
        self._written[(kind, body["id"])] = text
        for event in events:
            previous = _difference(json.loads(before), body) if before and event.endswith(".updated") else None
            if previous != {}:
                self.events.announce(self, event, text, None if previous is None else _dumps(previous))
        return body

    def snapshot(self, text: str) -> int:
        """The number under which a text is kept for events; the same text is kept once in a request."""
        if text not in self._snapshots:
            sql = "INSERT INTO snapshot (text) VALUES (?) RETURNING number"
            self._snapshots[text] = int(self.world.value(sql, (text,)))
        return self._snapshots[text]

    def kept_snapshot(self, text: str) -> int | None:
        """The number of a text, if this request has kept it."""
        return self._snapshots.get(text)

    def keep_hidden(self, kind: str, identity: str, hidden: Body) -> None:
        """Change what Stripe does not show of the object."""
        sql = "UPDATE object SET hidden = ? WHERE account = ? AND kind = ? AND id = ?"
        self.world.execute(sql, (_dumps(hidden), self.id, kind, identity))

    def remove(self, body: Body, event: str | None = None, *, remembered: bool = False) -> Body:
        """Take an object away; the stub that Stripe answers for it, and for ever after where it is ``remembered``."""
        kind, identity = body["object"], body["id"]
        stub, key = {"id": identity, "object": kind, "deleted": True}, (self.id, kind, identity)
        number = int(self.world.value("SELECT number FROM object WHERE account = ? AND kind = ? AND id = ?", key))
        self.world.execute("DELETE FROM term WHERE number = ?", (number,))
        if remembered:
            sql = "UPDATE object SET kind = 'deleted_' || kind, body = ? WHERE number = ?"
            self.world.execute(sql, (_dumps(stub), number))
        else:
            self.world.execute("DELETE FROM object WHERE number = ?", (number,))
        self._held.pop((kind, identity), None)
        if event is not None:
            self.events.announce(self, event, _dumps(body))
        return stub

    def _rewrite_terms(self, kind: str, number: int, body: Body) -> None:
        rows = self.world.rows("SELECT field, value FROM term WHERE number = ?", (number,))
        had = {(row["field"], row["value"]) for row in rows}
        has = _terms(kind, body)
        for field, value in had - has:
            self.world.execute(
                "DELETE FROM term WHERE account = ? AND kind = ? AND field = ? AND value = ? AND number = ?",
                (self.id, kind, field, value, number),
            )
        self._write_terms(kind, number, has - had)

    def _write_terms(self, kind: str, number: int, terms: set[tuple[str, str]]) -> None:
        self._insert_terms([(kind, field, text, number) for field, text in terms])

    def _insert_terms(self, terms: list[tuple[str, str, str, int]]) -> None:
        if terms:
            marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(terms))
            values = [value for row in terms for value in (self.id, *row)]
            self.world.execute(f"INSERT OR IGNORE INTO term VALUES {marks}", values)  # noqa: S608 - marks only


def terms_of(kind: str) -> set[str]:
    """The fields of a kind that are looked up by term, so that an exact search never scans."""
    return {name for name, _ in _PATHS.get(kind, ())}


def term(value: Any) -> str:
    """A value as the table of terms writes it."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _terms(kind: str, body: Body) -> set[tuple[str, str]]:
    metadata = body["metadata"] if kind in _BY_METADATA else {}
    found = {(f"metadata.{key}", value) for key, value in metadata.items()}
    for name, path in _PATHS.get(kind, ()):
        for value in _at(body, path):
            found.add((name, term(value)))
    return found


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    for depth, step in enumerate(path):
        if isinstance(value, list):
            for one in value:
                yield from _at(one, path[depth:])
            return
        value = value.get(step) if isinstance(value, dict) else None
    if value is not None:
        yield value


def _difference(before: Body, after: Body) -> Body:
    """``previous_attributes``: what the changed attributes were, hashes only as far as they changed."""
    changed: Body = {}
    for name in {**before, **after}:
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict) and "object" not in was:
            changed[name] = _difference(was, now)
        else:
            changed[name] = was
    return changed
