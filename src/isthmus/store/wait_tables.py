"""The table of events that runs wait for."""

from __future__ import annotations

from sqlalchemy import Table

from isthmus.store.columns import metadata, number_column, text_column

awaited = Table(
    "awaited",  # which run looks again when an event about something comes
    metadata,
    text_column("event", key=True),
    text_column("about", key=True),
    text_column("run_id", key=True),
    number_column("heard", 1),  # it may have come since the run last looked
)
