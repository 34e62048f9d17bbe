"""Brings a database to the present schema (Alembic; the versions stand in ``migrations/``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from isthmus.store.store import Store, sqlite_path
from isthmus.store.transaction import StoreUnavailable

HEAD = "0001"


def migrate(url: str) -> None:
    """Create or upgrade the tables. Safe to call from many workers at once on PostgreSQL (it takes a lock).

    Raises StoreUnavailable where the database cannot be reached.
    """
    if _up_to_date(url):
        return
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import OperationalError

    if not url.startswith("postgres"):
        sqlite_path(url).parent.mkdir(parents=True, exist_ok=True)

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except OperationalError as error:
        raise StoreUnavailable(f"the database cannot be brought up to date: {error.orig}") from error


def migrate_apart(url: str) -> None:
    """As ``migrate``, in a process of its own: what a migration loads is a fifth of a worker's memory, and stays.

    Raises StoreUnavailable.
    """
    if _up_to_date(url):
        return
    command = [sys.executable, "-m", "isthmus.store.migrate"]
    done = subprocess.run(command, input=url, text=True, capture_output=True, check=False)
    if done.returncode:
        raise StoreUnavailable(done.stderr.strip().rpartition("\n")[2] or "the database cannot be brought up to date")


def _up_to_date(url: str) -> bool:
    store = Store(url)
    try:
        return bool(store._read_here(lambda tx: tx.value("SELECT version_num FROM alembic_version")) == HEAD)
    except Exception:
        return False
    finally:
        store.close()


def _main() -> None:
    """Migrate the database whose address is read from standard input."""
    try:
        migrate(sys.stdin.read())
    except StoreUnavailable as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    _main()
