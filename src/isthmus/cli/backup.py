"""``isthmus backup``: the whole database in one file, while everything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.place import Database, Environment, Landscape, database_of
from isthmus.cli.showing import AsJson


def backup(
    file: Annotated[Path, typer.Argument(help="where to write it")],
    replace: Annotated[bool, typer.Option("--replace", help="write over a file that is there")] = False,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write the database to a file, as it is at one moment. Nothing needs to be stopped for it.

    SQLite: a copy by its online backup, which is again a SQLite database (and FILE.jobs, where there are jobs).
    PostgreSQL: what pg_dump --format=custom writes. It holds what people and customers said: keep it as you keep the
    database. Secrets are not in it, they stay where the landscape says.

    \b
    Every night:        isthmus backup /backups/acme-$(date +%F).backup -l acme -e prod
    And back again:     isthmus restore /backups/acme-2026-11-23.backup -l acme -e prod
    """
    from datetime import UTC, datetime

    from isthmus.cli.showing import say, say_json
    from isthmus.store.backup import back_up

    if file.exists() and not replace:
        raise ValueError(f"{file} is there already; --replace writes over it")
    if not file.absolute().parent.is_dir():
        raise LookupError(f"there is no folder {file.absolute().parent} to write {file.name} into")
    url = database_of(landscape, environment, database)
    with progress(f"Writing {file.name}", as_json) as told:
        kept = back_up(url, file, datetime.now(UTC), told)
    if as_json:
        say_json({"file": str(file), "bytes": kept.size, **held(kept.runs, kept.messages, kept.newest)})
        return
    say(f"{file}: {kept.runs:,} runs, {kept.messages:,} messages, {kept.size / 1e6:,.1f} MB")
    say(f"  back again: isthmus restore {file}")


def held(runs: int, messages: int, newest: str | None) -> dict[str, object]:
    """What a backup holds, for machines."""
    return {"runs": runs, "messages": messages, "newest_message_at": newest}


@contextmanager
def progress(title: str, as_json: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar for people at a terminal; nothing for machines and pipes."""
    from isthmus.cli.showing import console

    if as_json or not console().is_terminal:
        yield lambda done, of: None
        return
    from rich.progress import Progress

    with Progress(console=console(), transient=True) as bar:
        line = bar.add_task(title, total=None)
        yield lambda done, of: bar.update(line, completed=done, total=of)
