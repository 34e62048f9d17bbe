"""``isthmus restore``: a backup in the place of the database; its first worker looks before it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.place import Database, Environment, Landscape, database_of
from isthmus.cli.showing import AsJson


def restore(
    file: Annotated[Path, typer.Argument(help="what isthmus backup wrote")],
    replace: Annotated[bool, typer.Option("--replace", help="put it in the place of what the database holds")] = False,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Put a backup in the database's place. All that serves it must be stopped before.

    The applications have gone on since the backup was made: they hold orders that it has never heard of. So whoever
    works on it first opens a new epoch, in which nothing is sent before it was looked for. Nothing is doubled by that;
    what came in since the backup is not in it, and is read again from where it is polled:

    \b
    1.  stop whatever serves the database
    2.  isthmus restore FILE --replace
    3.  isthmus serve …
    4.  isthmus jobs backfill CONNECTION CHANNEL --since DAY-OF-THE-BACKUP     (for each channel that is polled)

    What stood in a SQLite file is kept beside it; PostgreSQL is changed in one transaction, or not at all.
    """
    from datetime import UTC, datetime

    from isthmus.cli.backup import held, progress
    from isthmus.cli.showing import local_time, say, say_json
    from isthmus.store.backup import restore as put_back

    url = database_of(landscape, environment, database, may_be_missing=True)
    with progress(f"Restoring {file.name}", as_json) as told:
        kept, aside = put_back(url, file, datetime.now(UTC), told, replace=replace)
    if as_json:
        aside_told = str(aside) if aside else None
        say_json({"database": url, "kept_aside": aside_told, **held(kept.runs, kept.messages, kept.newest)})
        return
    say(f"Restored {kept.runs:,} runs and {kept.messages:,} messages; the newest came {local_time(kept.newest)}")
    if aside is not None:
        say(f"  what was there is kept as {aside}")
    say("  Its first worker looks for everything before it sends it. What came in since then is not in it:")
    say("  isthmus jobs backfill CONNECTION CHANNEL --since DAY reads a polled channel again")
