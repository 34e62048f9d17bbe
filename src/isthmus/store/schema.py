"""All tables. Instants are text (see ``clock.instant``), documents are JSON text, ids are text.

Indexes serve the known queries: claim, take, due, find; a test reads their plans.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, UniqueConstraint, text

from isthmus.store import alert_tables, approval_tables, bulk_tables, known_tables, people_tables, wait_tables
from isthmus.store.columns import Serial as _Serial
from isthmus.store.columns import metadata
from isthmus.store.columns import number_column as _number
from isthmus.store.columns import text_column as _text
from isthmus.store.columns import where as _where

__all__ = ["alert_tables", "approval_tables", "bulk_tables", "known_tables", "metadata", "people_tables", "wait_tables"]

call = Table(
    "call",
    metadata,
    _text("id", key=True),
    _text("connection"),
    _text("channel"),
    _text("received_at"),
    _text("headers"),
    Column("body", LargeBinary, nullable=True),
    _text("traceparent", null=True),
    Index("call_age", "received_at"),
)

message = Table(
    "message",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    _text("call_id", null=True),
    _text("connection"),
    _text("channel"),
    _text("source_id"),
    _text("subject"),
    _text("type", null=True),
    _text("version", null=True),
    _text("body"),
    _text("traceparent", null=True),
    _text("received_at"),
    _text("state"),  # new, claimed, joined, seen, ignored, superseded, unreadable
    _number("newest_wins"),  # it takes the place of what is parked
    _text("run_id", null=True),
    UniqueConstraint("connection", "channel", "source_id", name="message_once"),
    Index("message_new", "id", **_where("state = 'new'")),
    Index("message_new_subject", "subject", "id", **_where("state = 'new'")),
    Index("message_run", "run_id"),
    sqlite_autoincrement=True,
)

run = Table(
    "run",
    metadata,
    _text("id", key=True),
    _text("process"),
    _number("version", 1),
    _text("subject"),
    _text("connection"),
    _number("generation", 1),
    _text("business_key", null=True),
    _text("title", null=True),
    _text("customer", null=True),
    _text("amount", null=True),
    _text("currency", null=True),
    _text("unit", null=True),
    _text("event", null=True),
    _text("hint", null=True),  # the message that started it
    _text("source_version", null=True),  # the object's version at its source, as that message has it
    _text("input", null=True),  # the canonical object
    _text("result", null=True),
    _text("release"),
    _text("state"),  # ready, waiting, parked, undoing, done, undone, ignored
    _text("owner", null=True),
    _number("fence"),
    _number("wake"),
    _text("due_at", null=True),
    _number("round", 1),
    _number("deaths"),
    _number("cancel"),
    _text("problem", null=True),
    _text("traceparent", null=True),
    _text("created_at"),
    _text("updated_at"),
    _text("ended_at", null=True),
    Index("run_held", "subject", unique=True, **_where("owner IS NOT NULL")),
    Index("run_owner", "owner", **_where("owner IS NOT NULL")),
    Index("run_due", "due_at", **_where("owner IS NULL AND due_at IS NOT NULL")),
    Index("run_subject", "subject", "process", "generation"),
    Index("run_state", "state", "updated_at"),
    Index("run_key", "business_key"),
    Index("run_updated", "updated_at"),
    Index("run_amount", "amount"),
    # by bytes, so that the beginning of a name is a range of it
    Index("run_customer", text("lower(customer)")).ddl_if(dialect="sqlite"),
    Index("run_customer_c", text('lower(customer) COLLATE "C"')).ddl_if(dialect="postgresql"),
)

release = Table(
    "release",  # what runs were started with, so that they can be played with it again
    metadata,
    _text("id", key=True),
    _text("environment"),
    _text("files"),  # path → text, as JSON
    _text("processes"),  # process → version, as JSON
    _text("kept_at"),
)

history = Table(
    "history",
    metadata,
    _text("run_id", key=True),
    _text("name", key=True),
    _text("key", key=True),
    _text("kind"),  # read, wait, edit, comment
    _text("arguments_hash", null=True),
    _text("result", null=True),
    _text("due_at", null=True),
    _number("round", 1),
    _text("at"),
    _text("who", null=True),
)

effect = Table(
    "effect",
    metadata,
    _text("key", key=True),  # role.operation/business key/part
    _text("role"),
    _text("operation"),
    _text("business_key"),
    _text("part"),
    _text("run_id"),
    _text("step"),
    _text("unit"),
    _text("connection"),
    _text("release"),
    _number("epoch"),
    _text("state"),  # intended, done, refused, undone
    _number("round", 1),
    _number("attempt", 1),
    _text("arguments_hash"),
    _text("arguments"),
    _text("request", null=True),
    _number("doubt", 1),
    _text("intended_at"),
    _text("send_by", null=True),
    _text("clear_at", null=True),  # when nothing can be under way any more
    _text("look_at", null=True),  # when to look once more for a second one
    _number("repeats"),  # under one native key
    _number("looks"),  # at what stands, after it has ended
    _text("rule", null=True),  # how a repeat was made harmless
    _number("sends"),
    _text("ended_at", null=True),
    _text("result", null=True),
    _text("reference_type", null=True),
    _text("reference_id", null=True),
    _text("reference_number", null=True),
    _text("problem", null=True),
    _text("undo", null=True),  # operation that reverses it, role.name
    _text("undone_by", null=True),
    Index("effect_run", "run_id", "ended_at"),
    Index("effect_reference", "reference_id"),
    Index("effect_number", "reference_number"),
    Index("effect_look", "look_at", **_where("look_at IS NOT NULL")),
)

late_answer = Table(
    "late_answer",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    _text("effect_key"),
    _text("at"),
    _number("status"),
    _text("body"),
    _text("compared_at", null=True),
    Index("late_answer_effect", "effect_key"),
    Index("late_answer_open", "id", **_where("compared_at IS NULL")),
    sqlite_autoincrement=True,
)

cross_reference = Table(
    "cross_reference",
    metadata,
    _text("connection", key=True),
    _text("type", key=True),
    _text("id", key=True),
    _text("kind"),
    _text("canonical_id"),
    _text("number", null=True),
    _text("version", null=True),
    _text("at"),
    Index("cross_reference_object", "canonical_id", "connection"),
    Index("cross_reference_number", "number"),
    Index("cross_reference_id", "id"),
)

journal = Table(
    "journal",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("position", BigInteger, nullable=True),
    _text("at"),
    _text("type"),
    _text("run_id", null=True),
    _text("process", null=True),
    _text("business_key", null=True),
    _text("unit", null=True),
    _text("connection", null=True),
    _text("data"),
    _text("trace_id", null=True),
    Index("journal_position", "position", unique=True),
    Index("journal_unsealed", "id", **_where("position IS NULL")),
    Index("journal_run", "run_id", "id"),
    Index("journal_type", "type", "at"),
    sqlite_autoincrement=True,
)

attempt = Table(
    "attempt",  # one call to a vendor, for the timeline
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    _text("run_id"),
    _text("step"),
    _text("operation"),
    _text("part"),
    _text("connection"),
    _text("method"),
    _text("path"),
    _text("at"),
    _number("took_us"),
    Column("status", Integer, nullable=True),
    _text("outcome"),  # answered, refused, retried, cut, not sent, looked
    _text("detail", null=True),
    _text("trace_id", null=True),
    Index("attempt_run", "run_id", "id"),
    Index("attempt_at", "at"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    _text("at"),
    _text("who"),
    _text("did"),
    _text("about"),
    _text("before", null=True),
    _text("after", null=True),
    _text("salt", null=True),  # goes with the contents, so that nobody can guess them from their digests
    _text("before_digest"),
    _text("after_digest"),
    _text("previous"),
    _text("hash"),
    Index("audit_about", "about"),
    sqlite_autoincrement=True,
)

worker = Table(
    "worker",
    metadata,
    _number("slot", 0),
    _text("holder", null=True),
    _text("name", null=True),
    Column("expires_at", BigInteger, nullable=False, server_default=text("0")),  # database clock, milliseconds
    Column("since", BigInteger, nullable=False, server_default=text("0")),  # since when it has beaten without a break
    _text("progress", null=True),
    UniqueConstraint("slot", name="worker_slot"),
    Index("worker_holder", "holder"),
)

exception = Table(
    "exception",
    metadata,
    Column("number", _Serial, primary_key=True, autoincrement=True),
    _text("run_id"),
    _text("state"),  # open, ended
    _text("group_key"),
    _text("title"),
    _text("error_class"),
    _text("operation", null=True),
    _text("code", null=True),
    _text("field", null=True),
    _text("step", null=True),
    _text("connection", null=True),
    _text("unit", null=True),
    _text("business_key", null=True),
    _text("customer", null=True),
    _text("amount", null=True),
    _text("currency", null=True),
    _text("said", null=True),
    _text("mend", null=True),
    _text("assignee", null=True),
    _text("due_at", null=True),
    _text("retry_at", null=True),
    _number("retries"),  # by itself, without a person
    _text("opened_at"),
    _text("ended_at", null=True),
    _text("ended_by", null=True),
    Index("exception_open", "run_id", unique=True, **_where("state = 'open'")),
    Index("exception_group", "state", "group_key"),
    Index("exception_state", "state", "number"),
    Index("exception_run", "run_id"),
    Index("exception_retry", "retry_at", **_where("state = 'open' AND retry_at IS NOT NULL")),
    sqlite_autoincrement=True,
)

permit = Table(
    "permit",  # what a connection may still call, shared by all workers
    metadata,
    _text("connection", key=True),
    _text("free_at"),  # when the next call may start
    _text("blocked_until", null=True),  # Retry-After, for all
    _number("failures"),
    _text("open_until", null=True),  # circuit breaker
    Column("remaining", Integer, nullable=True),  # calls left until full_at, once they are few
    _text("full_at", null=True),
)

token = Table(
    "token",
    metadata,
    _text("connection", key=True),
    _text("sealed", null=True),
    _text("expires_at", null=True),
    _text("base_url", null=True),
    _number("generation"),
    _text("holder", null=True),
    _text("held_until", null=True),
)

cursor = Table(
    "cursor",
    metadata,
    _text("connection", key=True),
    _text("channel", key=True),
    _text("start", null=True),  # from when on the first poll looked
    _text("value", null=True),  # how far the source was read, in its own words
    _text("tie", null=True),
    _text("holder", null=True),
    _text("held_until", null=True),
    _text("polled_at", null=True),
    _text("begun_at", null=True),
    _text("seen_at", null=True),  # when the last poll began that came to the end: nothing before it is missing
    _text("outcome", null=True),  # of the last poll: ok, paused, failed: access, …
    _text("said", null=True),
    _number("failures"),  # in a row
)

poll_day = Table(
    "poll_day",  # what the polls of a day brought
    metadata,
    _text("connection", key=True),
    _text("channel", key=True),
    _text("day", key=True),
    _number("polls"),
    _number("failed"),
    _number("new"),
)

answered = Table(
    "answered",  # Idempotency-Key of our own API: replays an answer, is not the business key
    metadata,
    _text("holder", key=True),
    _text("key", key=True),
    _text("request_hash"),
    _number("status"),
    _text("body"),
    _text("at"),
)

api_key = Table(
    "api_key",
    metadata,
    _text("hash", key=True),
    _text("holder"),
    _text("scopes"),
    _text("created_at"),
    _text("revoked_at", null=True),
)

setting = Table("setting", metadata, _text("name", key=True), _text("value"))
