"""The table of bulk writes."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, UniqueConstraint

from isthmus.store.columns import metadata, text_column, where

bulk_row = Table(
    "bulk_row",  # one object of a bulk write
    metadata,
    text_column("load_id", key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    text_column("key"),  # by what a result is tied to its row
    text_column("input"),  # the canonical object, as long as the row is new
    text_column("state"),  # new, done, refused
    text_column("reference_id", null=True),
    text_column("run_id", null=True),  # by which a refused one is mended
    UniqueConstraint("load_id", "key", name="bulk_row_once"),
    Index("bulk_row_new", "load_id", "number", **where("state = 'new'")),
)
