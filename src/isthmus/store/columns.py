"""Columns as all tables have them, and the one schema that they are of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, text

metadata = MetaData()
Serial = BigInteger().with_variant(Integer, "sqlite")


def text_column(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    """A text, which has to be there unless it says ``null``."""
    return Column(name, Text, nullable=null, primary_key=key)


def number_column(name: str, default: int = 0) -> Column[int]:
    """A whole number that is always there."""
    return Column(name, Integer, nullable=False, server_default=text(str(default)))


def where(condition: str) -> dict[str, Any]:
    """An index over some of the rows."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
