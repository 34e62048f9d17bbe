"""The tables of the read model: what was last read of customers and their documents."""

from __future__ import annotations

from sqlalchemy import Index, Table

from isthmus.store.columns import metadata
from isthmus.store.columns import number_column as _number
from isthmus.store.columns import text_column as _text

known = Table(
    "known",  # the read model: canonical objects as they were last read, from each connection that has them
    metadata,
    _text("id", key=True),  # canonical
    _text("connection", key=True),
    _text("kind"),
    _text("unit", null=True),
    _text("number", null=True),
    _text("request_number", null=True),
    _text("customer_id", null=True),
    _text("customer_number", null=True),
    _text("changed_at", null=True),  # at its source
    _text("asked_at"),  # when whoever read it began to ask
    _text("body"),
    Index("known_customer", "customer_id"),
    Index("known_customer_number", "customer_number"),
    Index("known_number", "number"),
    Index("known_request_number", "request_number"),
)

known_part = Table(
    "known_part",  # what was read of a customer in full, and when: nothing is missing of it
    metadata,
    _text("customer_id", key=True),
    _text("part", key=True),
    _text("asked_at"),
)

known_address = Table(
    "known_address",  # by what a customer is found: e-mail, domain, number, key
    metadata,
    _text("address", key=True),
    _text("customer_id", key=True),
    _text("connection", key=True),
    _number("exact"),  # two customers with the same one are the same customer
    Index("known_address_customer", "customer_id"),
)
