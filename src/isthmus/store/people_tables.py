"""The tables of people who sign in to the console, and of their sessions."""

from __future__ import annotations

from sqlalchemy import Index, Table

from isthmus.store.columns import metadata
from isthmus.store.columns import number_column as _number
from isthmus.store.columns import text_column as _text

person = Table(
    "person",
    metadata,
    _text("name", key=True),  # as the audit shows it
    _text("password", null=True),  # scrypt, salt and parameters; none: signs in elsewhere
    _text("roles"),  # access roles, by spaces
    _text("created_at"),
    _text("ended_at", null=True),
    _number("failures"),  # wrong passwords in a row
    _text("blocked_until", null=True),
)

session = Table(
    "session",
    metadata,
    _text("hash", key=True),  # of the cookie
    _text("name"),
    _text("roles"),
    _text("token"),  # that each form must bring back
    _text("created_at"),
    _text("expires_at"),
    Index("session_expires", "expires_at"),
)
