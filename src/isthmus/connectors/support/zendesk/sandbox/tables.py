"""The account's tables: each row is the vendor's object as JSON, beside the columns it is looked up by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from isthmus.sandkit.world import Row, World

TABLES = """
CREATE TABLE IF NOT EXISTS organization (id INTEGER PRIMARY KEY, name_key TEXT, external_key TEXT,
  created_at TEXT, updated_at TEXT, generated REAL, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS organization_name ON organization (name_key) WHERE deleted = 0;
CREATE UNIQUE INDEX IF NOT EXISTS organization_external ON organization (external_key) WHERE deleted = 0;
CREATE INDEX IF NOT EXISTS organization_generated ON organization (generated, id);
CREATE TABLE IF NOT EXISTS organization_domain (domain TEXT, organization_id INTEGER, PRIMARY KEY (domain, organization_id));
CREATE INDEX IF NOT EXISTS organization_domain_of ON organization_domain (organization_id);

CREATE TABLE IF NOT EXISTS user (id INTEGER PRIMARY KEY, external_key TEXT, organization_id INTEGER, role TEXT,
  created_at TEXT, updated_at TEXT, generated REAL, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS user_external ON user (external_key) WHERE deleted = 0;
CREATE INDEX IF NOT EXISTS user_organization ON user (organization_id);
CREATE INDEX IF NOT EXISTS user_generated ON user (generated, id);
CREATE TABLE IF NOT EXISTS identity (id INTEGER PRIMARY KEY, user_id INTEGER, type TEXT, value_key TEXT, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS identity_value ON identity (type, value_key);
CREATE INDEX IF NOT EXISTS identity_user ON identity (user_id);
CREATE TABLE IF NOT EXISTS membership (id INTEGER PRIMARY KEY, user_id INTEGER, organization_id INTEGER, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS membership_pair ON membership (user_id, organization_id);
CREATE INDEX IF NOT EXISTS membership_organization ON membership (organization_id);

CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY, external_id TEXT, requester_id INTEGER, organization_id INTEGER,
  assignee_id INTEGER, status TEXT, created_at TEXT, updated_at TEXT, generated REAL, deleted INTEGER NOT NULL DEFAULT 0,
  body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ticket_external ON ticket (external_id);
CREATE INDEX IF NOT EXISTS ticket_requester ON ticket (requester_id);
CREATE INDEX IF NOT EXISTS ticket_organization ON ticket (organization_id);
CREATE INDEX IF NOT EXISTS ticket_assignee ON ticket (assignee_id);
CREATE INDEX IF NOT EXISTS ticket_generated ON ticket (generated, id);
CREATE TABLE IF NOT EXISTS comment (id INTEGER PRIMARY KEY, ticket_id INTEGER, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS comment_ticket ON comment (ticket_id, id);
CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, ticket_id INTEGER, created_at TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_ticket ON audit (ticket_id, id);

CREATE TABLE IF NOT EXISTS field (id INTEGER PRIMARY KEY, owner TEXT, key TEXT, position INTEGER, body TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS field_key ON field (owner, key);
CREATE TABLE IF NOT EXISTS ticket_form (id INTEGER PRIMARY KEY, position INTEGER, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS organization_merge (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhook (id TEXT PRIMARY KEY, name TEXT, status TEXT, secret TEXT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rule (id INTEGER PRIMARY KEY, active INTEGER, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bulk (id TEXT PRIMARY KEY, created REAL, state TEXT, polls INTEGER, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS bulk_state ON bulk (state, created);
CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, digest TEXT, answer TEXT, expires REAL);
CREATE TABLE IF NOT EXISTS api_token (token TEXT PRIMARY KEY, description TEXT, active INTEGER);
CREATE TABLE IF NOT EXISTS oauth_client (identifier TEXT PRIMARY KEY, secret TEXT, user_id INTEGER);
CREATE TABLE IF NOT EXISTS oauth_token (token TEXT PRIMARY KEY, user_id INTEGER, scope TEXT, expires REAL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT);
"""


class Shelf:
    """Organizations, users or tickets: rows that are found, listed and never quite gone (deleted ones stay)."""

    def __init__(self, world: World, table: str, columns: Callable[[Row], Row]) -> None:
        """``columns`` gives the looked-up columns of a body (besides id, times and generated)."""
        self._world, self.table, self._columns = world, table, columns

    def get(self, row_id: int, *, deleted: bool = False) -> Row | None:
        """One body by id; a deleted one only where it is asked for."""
        found = self._world.row(f"SELECT body, deleted FROM {self.table} WHERE id = ?", (row_id,))  # noqa: S608
        return None if found is None or (found["deleted"] and not deleted) else dict(json.loads(found["body"]))

    def find(self, column: str, value: Any) -> Row | None:
        """The living row with this value in one indexed column."""
        sql = f"SELECT body FROM {self.table} WHERE {column} = ? AND deleted = 0"  # noqa: S608
        found = self._world.value(sql, (value,))
        return None if found is None else dict(json.loads(found))

    def where(self, condition: str, values: Sequence[Any] = ()) -> list[Row]:
        """All living rows that meet a condition, by id."""
        sql = f"SELECT body FROM {self.table} WHERE deleted = 0 AND {condition} ORDER BY id"  # noqa: S608
        return [json.loads(row["body"]) for row in self._world.rows(sql, values)]

    def add(self, body: Row, generated: float) -> None:
        """Put a new row down."""
        self._world.insert(self.table, {"id": body["id"], **self._row(body, generated)})

    def keep(self, body: Row, generated: float, *, deleted: bool = False) -> None:
        """Write a changed row back."""
        self._world.update(self.table, {**self._row(body, generated), "deleted": int(deleted)}, {"id": body["id"]})

    def _row(self, body: Row, generated: float) -> Row:
        times = {"created_at": body["created_at"], "updated_at": body["updated_at"], "generated": generated}
        return {**self._columns(body), **times, "body": as_text(body)}


def as_text(body: Any) -> str:
    """JSON as it is stored."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def key_of(value: str | None) -> str | None:
    """How names and external ids are compared: without regard to case."""
    return value.strip().casefold() if value else None
