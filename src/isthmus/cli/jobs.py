"""``isthmus jobs``: long work. Asked for as rows; whoever serves the same database carries it out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, database_of
from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.orchestration.jobs.desk import JobsDesk
    from isthmus.store.store import Store

_HELP = """Long work, in recorded steps: it goes on where it was when its worker dies.

\b
What is under way?        isthmus jobs list
Is every poll well?       isthmus jobs polls
Read the past again:      isthmus jobs backfill sap billing_documents --since 2026-01-01
Write thousands at once:  isthmus jobs bulk crm.put_customer customers.jsonl --unit emea
Forget old raw calls:     isthmus jobs forget --days 30          (done every night too)
"""
app = new_app(help=_HELP, no_args_is_help=True)


def _desk(landscape: Any, environment: str, database: str | None) -> JobsDesk:
    from isthmus.orchestration.jobs.desk import JobsDesk

    return JobsDesk(database_of(landscape, environment, database))


def _told(job_id: str, as_json: bool) -> None:
    from isthmus.cli.showing import say, say_json

    if as_json:
        say_json({"job": job_id})
    else:
        say(f"{job_id} is queued; follow it with  isthmus jobs list")


@app.command("list")
def list_jobs(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False
) -> None:
    """List jobs, newest first, with how many records each has done."""
    from isthmus.cli.showing import say_json, table

    desk = _desk(landscape, environment, database)
    found = [asdict(each) for each in desk.list()]
    desk.close()
    if as_json:
        say_json(found)
    else:
        table(
            found,
            [("Job", "id"), "kind", "state", ("Records", "done"), "error"],
            empty="No long work was ever asked for.",
        )


@app.command()
def polls(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False
) -> None:
    """Show what is polled: how the last poll of each channel ended, and how far it has read."""
    from isthmus.cli.place import with_store
    from isthmus.cli.showing import say_json, table
    from isthmus.store import polls as stored

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(stored.cursors)

    shown = ("connection", "channel", "outcome", "polled_at", "value", "said")
    found = [{name: row[name] for name in shown} for row in with_store(work, landscape, environment, database)]
    if as_json:
        say_json(found)
    else:
        table(
            found,
            ["connection", "channel", "outcome", ("Polled at", "polled_at"), ("Read up to", "value"), "said"],
            empty="Nothing was ever polled.",
        )


@app.command()
def backfill(
    connection: Annotated[str, typer.Argument(help="a connection of the landscape")],
    channel: Annotated[str, typer.Argument(help="a channel of its connector that is polled")],
    since: Annotated[datetime, typer.Option(help="from when on to read again")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Read a polled channel again from a day on; what is known already is dropped."""
    desk = _desk(landscape, environment, database)
    arguments = {"connection": connection, "channel": channel, "since": since.replace(tzinfo=UTC).isoformat()}
    key = f"{connection}.{channel}.{since:%Y%m%d}.{datetime.now(UTC):%H%M%S}"
    job_id = desk.enqueue("backfill", arguments, key=key)
    desk.close()
    _told(job_id, as_json)


@app.command()
def bulk(
    operation: Annotated[str, typer.Argument(help="role and operation, such as crm.put_customer")],
    file: Annotated[Path, typer.Argument(help="canonical objects as JSON, one a line; see isthmus schema")],
    unit: Annotated[str, typer.Option(help="the business unit for which they are written")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write many objects in one load; what the vendor refuses becomes an exception each, to be mended and retried."""
    from isthmus.cli.bulk import asked_for
    from isthmus.cli.place import folder_of, with_store

    arguments = with_store(
        lambda store: asked_for(store, folder_of(landscape), environment, operation, file, unit),
        landscape,
        environment,
        database,
    )
    desk = _desk(landscape, environment, database)
    job_id = desk.enqueue("bulk", arguments, key=arguments["load"])
    desk.close()
    _told(job_id, as_json)


@app.command()
def forget(
    days: Annotated[int, typer.Option(min=1, help="how many days of raw calls are kept")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Forget the bodies of raw calls older than so many days; what was decided by them stays."""
    desk = _desk(landscape, environment, database)
    job_id = desk.enqueue("retention", {"keep": {"calls": f"{days} days"}}, key=f"{datetime.now(UTC):%Y%m%d%H%M%S}")
    desk.close()
    _told(job_id, as_json)


@app.command()
def cancel(
    job: Annotated[str, typer.Argument(help="the job's id")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None,
) -> None:  # fmt: skip
    """Stop a job at its next step."""
    desk = _desk(landscape, environment, database)
    desk.cancel(job)
    desk.close()
