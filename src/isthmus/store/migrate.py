"""Brings a database to the present schema (Alembic; the versions stand in ``migrations/``)."""

from __future__ import annotations

from pathlib import Path

HEAD = "0001"


def migrate(url: str) -> None:
    """Create or upgrade the tables. Safe to call from many workers at once on PostgreSQL (it takes a lock)."""
    if _up_to_date(url):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


def _up_to_date(url: str) -> bool:
    from isthmus.store.store import Store

    store = Store(url)
    try:
        return bool(store._read_here(lambda tx: tx.value("SELECT version_num FROM alembic_version")) == HEAD)
    except Exception:
        return False
    finally:
        store.close()
