"""The tables that follow the journal: promises in time, the alerts that tell of those at risk, and counts by the hour."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table

from isthmus.store.columns import Serial, metadata, where
from isthmus.store.columns import number_column as _number
from isthmus.store.columns import text_column as _text

service_level = Table(
    "service_level",  # one document under one service level of the landscape
    metadata,
    _text("level", key=True),
    _text("about", key=True),  # the business key that both events name
    _text("run_id", key=True),
    _text("unit", null=True),
    _text("customer", null=True),
    _text("amount", null=True),
    _text("currency", null=True),
    _text("begun_at"),
    _text("due_at"),
    _text("ended_at", null=True),
    _text("state"),  # open, met, missed, withdrawn
    Index("service_level_open", "level", "about", **where("ended_at IS NULL")),
    Index("service_level_run", "run_id", **where("ended_at IS NULL")),
    Index("service_level_ended", "ended_at", "level", "state"),  # covers what the day counts
)

alert = Table(
    "alert",  # one incident, however many documents it holds up, and what its desk was told
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    _text("desk"),
    _text("level"),
    _text("group_key"),  # level and cause
    _text("state"),  # open, ended
    _text("title"),
    _text("data"),
    _number("documents"),
    _number("late"),
    _text("opened_at"),
    _text("ended_at", null=True),
    _text("tell_at", null=True),  # when it is to be told next
    _text("told_at", null=True),
    _number("tellings"),
    _number("told_documents"),
    _number("told_late"),
    _text("told_to"),  # who has this telling already, where somebody could not be reached
    _text("held_until", null=True),
    _text("said", null=True),  # why somebody could not be reached
    Index("alert_open", "group_key", unique=True, **where("state = 'open'")),
    Index("alert_tell", "tell_at", **where("tell_at IS NOT NULL")),
    sqlite_autoincrement=True,
)

tally = Table(
    "tally",  # business events by the hour
    metadata,
    _text("hour", key=True),  # 2026-11-23T10, UTC
    _text("type", key=True),
    _text("unit", key=True),
    _text("currency", key=True),
    _number("n"),
    _text("amount"),
)
