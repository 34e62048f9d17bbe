"""``isthmus sla``: what was promised in time, how it is kept, and what people were told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, folder_of, with_store
from isthmus.cli.showing import AsJson, Column
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.landscape.release import Release
    from isthmus.store.store import Store

_HELP = """Service levels: from one business event to another within a time, measured from the journal.

\b
How are they kept?            isthmus sla show
Over the last 30 days?        isthmus sla show --over 30d
What is in trouble now?       isthmus sla trouble
What was told, and to whom?   isthmus sla alerts

They stand in isthmus.yaml:   service_levels: {order-created: {from: quote.accepted, to: order.created, within: 5 minutes, tell: order-desk}}
"""
app = new_app(help=_HELP, no_args_is_help=True)


@app.command()
def show(
    over: Annotated[str, typer.Option(help="the time looked back on")] = "24h",
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show each level: what is open, what was kept and missed, and how long it took."""
    from dataclasses import asdict

    from isthmus.catalogue.durations import parse_duration
    from isthmus.cli.showing import say_json, table
    from isthmus.visibility.service_levels import Measured, measure

    release, span = _release(landscape, environment), parse_duration(over)

    async def work(store: Store) -> list[Measured]:
        now = store.clock()
        return await store.read(lambda tx: measure(tx, release.service_levels, now, span))

    found = with_store(work, landscape, environment, database)
    levels = release.service_levels
    if as_json:
        say_json(
            [{**asdict(each), "within_s": levels[each.level].within_s, "share_met": each.share_met} for each in found]
        )
        return
    rows = [
        {
            **asdict(each), "within": _span(levels[each.level].within_s), "tells": levels[each.level].tell,
            "kept": "" if each.share_met is None else f"{each.share_met:.1%}",
            "median": _span(each.median_s), "p95": _span(each.p95_s),
        }
        for each in found
    ]  # fmt: skip
    counts = ["on_time", "at_risk", "late", "met", "missed"]
    columns = ["level", "within", *counts, "kept", "median", "p95", "tells"]
    table(rows, columns, empty="The landscape promises nothing; see  isthmus sla --help", right=[*counts, "kept"])


@app.command()
def trouble(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what is late or cannot be in time, and why; the most urgent first. Ends with 1 where there is any."""
    from isthmus.cli.showing import say, say_json
    from isthmus.store import service_levels
    from isthmus.store.clock import instant
    from isthmus.store.transaction import Transaction
    from isthmus.visibility.incidents import Incident, incidents

    release = _release(landscape, environment)

    async def work(store: Store) -> list[Incident]:
        now = store.clock()

        def found(tx: Transaction) -> list[Incident]:
            return incidents(release, service_levels.troubled(tx, instant(now)), service_levels.unread(tx), now)

        return await store.read(found)

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json([each.to_json() for each in found])
    for each in () if as_json else found:
        say(each.title(), "bold red" if each.late else "bold yellow")
        say("  " + each.body().replace("\n", "\n  ") + "\n")
    if not found and not as_json:
        say("Everything that was promised can be in time.")
    raise typer.Exit(1 if found else 0)


@app.command()
def alerts(
    limit: Annotated[int, typer.Option(min=1, help="how many")] = 50,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List alerts, open ones first: what was told to which desk, and when."""
    from isthmus.cli.showing import local_time, say_json, table
    from isthmus.store import service_levels

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(lambda tx: service_levels.list_alerts(tx, limit))

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    rows = [{**row, "opened": local_time(row["opened_at"]), "told": local_time(row["told_at"])} for row in found]
    columns: list[Column] = [
        ("Alert", "number"),
        "state",
        "desk",
        "title",
        "opened",
        "told",
        ("Not told because", "said"),
    ]
    table(rows, columns, empty="Nobody had to be told of anything.")


def _release(landscape: Any, environment: str) -> Release:
    from isthmus.landscape.release import compile_release

    folder = folder_of(landscape)
    if folder is None:
        raise LookupError("service levels stand in a landscape; say --landscape FOLDER")
    return compile_release(folder, environment)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"
