"""Which database a command means: that of a landscape, of what is served from this folder, or one that is named.

Commands beside a running ``serve`` open the same database, read it, and write commands as rows; they never play.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from isthmus.cli.nearby import found_nearby

if TYPE_CHECKING:
    from isthmus.store.store import Store

T = TypeVar("T")
_FILE = "isthmus.yaml"

Landscape = Annotated[
    Path | None,
    typer.Option(
        "--landscape", "-l", help="the landscape's folder; default: here, or the one that is served from here"
    ),
]
Environment = Annotated[str, typer.Option("--environment", "-e", help="which of the landscape's environments")]
Database = Annotated[
    str | None, typer.Option("--database", help="sqlite:///file or postgresql://…, instead of the landscape's")
]


def with_store(
    work: Callable[[Store], Awaitable[T]],
    landscape: Path | None,
    environment: str,
    database: str | None,
    *,
    make: bool = False,
) -> T:
    """Open the database that is meant and do ``work`` with it; ``make`` makes it where there is none yet."""
    url = database_of(landscape, environment, database, make=make)

    async def opened() -> T:
        from isthmus.store.store import Store

        store = Store(url)
        try:
            return await work(store)
        finally:
            store.close()

    return asyncio.run(opened())


def database_of(
    landscape: Path | None, environment: str, database: str | None, *, make: bool = False, may_be_missing: bool = False
) -> str:
    """The address of the database that is meant. Raises LookupError in words where there is none yet."""
    from isthmus.store.store import sqlite_path

    url = database or _landscapes(landscape, environment)
    if not url.startswith("postgres"):
        url = url if url.startswith("sqlite:") else f"sqlite:///{url}"
        if not make and not may_be_missing and not sqlite_path(url).exists():
            raise LookupError(f"there is no database at {sqlite_path(url)} yet; isthmus serve makes it")
    if make:
        from isthmus.store.migrate import migrate

        migrate(url)
    return url


def folder_of(landscape: Path | None) -> Path | None:
    """The landscape's folder that is meant; None where none is near."""
    if landscape is not None:
        return landscape
    if Path(_FILE).exists():
        return Path()
    served = found_nearby("serve")
    return Path(served["landscape"]) if served else None


def _landscapes(landscape: Path | None, environment: str) -> str:
    if landscape is None and not Path(_FILE).exists():
        served = found_nearby("serve")
        if served is None:
            raise LookupError(
                f"no landscape is named, none is here ({_FILE}) and nothing is served from here; "
                "say --landscape FOLDER or --database URL"
            )
        return str(served["database"])
    from isthmus.catalogue.registry import registry
    from isthmus.cli.bootstrap import database_url
    from isthmus.landscape.reading import read_landscape

    folder = landscape or Path()
    read = read_landscape(folder, registry())
    if read.missing:
        raise LookupError(f"{folder} is no landscape: it has no {_FILE}")
    known = dict(read.entries("environments"))
    if environment not in known and known:
        raise LookupError(f"the landscape has no environment {environment!r}; it has {', '.join(known)}")
    return database_url(folder, environment, str(known.get(environment, {}).get("database", "sqlite")))
