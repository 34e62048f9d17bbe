"""``isthmus runs``: list runs, tell one from beginning to end, cancel one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, folder_of, with_store
from isthmus.cli.showing import AsJson, Column
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.store.store import Store

_HELP = """Runs: one execution of a process for one subject.

\b
What happens now?      isthmus runs list
What waits?            isthmus runs list --state parked
One customer's:        isthmus runs list --text kitamura
One from the start:    isthmus runs show OPP-1002
"""
app = new_app(help=_HELP, no_args_is_help=True)
Run = Annotated[str, typer.Argument(help="a run's id, or any number that leads to one run")]


@app.command("list")
def list_runs(
    state: Annotated[str | None, typer.Option(help="ready, waiting, parked, undoing, done, undone or ignored")] = None,
    process: Annotated[str | None, typer.Option(help="one process's only")] = None,
    text: Annotated[str | None, typer.Option(help="number, customer or title")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List runs, newest first."""
    from isthmus.cli.showing import clock_time, money, say_json, table
    from isthmus.store import runs
    from isthmus.visibility.timeline import summary

    async def work(store: Store) -> list[dict[str, Any]]:
        rows = await store.read(
            lambda tx: runs.list_runs(tx, state=state, process=process, text=text, limit=limit, before=None)
        )
        return [summary(row) for row in rows]

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    rows = [{**r, "sum": money(r["amount"], r["currency"]), "since": clock_time(r["updated_at"])} for r in found]
    columns: list[Column] = ["key", "title", "customer", ("Amount", "sum"), "state", "process", "since", ("Run", "id")]
    table(rows, columns, empty="There are no such runs.", right=("sum",))


@app.command()
def show(
    run: Run,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Tell one run: what happened in business terms, each call beneath, and a picture of who was asked."""
    from isthmus.cli.explain import titles_of
    from isthmus.cli.showing import say, say_json
    from isthmus.visibility.pictures import calls_picture
    from isthmus.visibility.sentences import account

    async def work(store: Store) -> dict[str, Any]:
        return await told_run(store, run)

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    titles = titles_of(folder_of(landscape))
    told = account(found, titles)
    say(told.title, "bold")
    for line in told.lines:
        say(f"  {line.time}  {line.text}")
    _calls(found)
    for row in calls_picture(found):
        say(row)
    say(f"\nrun {found['id']} · release {found['release']} · trace {found['trace_id']}")


@app.command()
def cancel(
    run: Run,
    why: Annotated[str, typer.Option(help="for the audit")] = "",
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Cancel a run: what it made is reversed, newest first. A call that is under way is never interrupted."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.orchestration import parked

    async def work(store: Store) -> dict[str, Any]:
        found = await told_run(store, run)
        await parked.cancel(store, found["id"], who=who(), why=why)
        return {"run": found["id"], "state": "undoing"}

    done = with_store(work, landscape, environment, database)
    say_json(done) if as_json else say(f"{done['run']} will be undone by a worker; see: isthmus runs show {run}")


async def told_run(store: Store, text: str) -> dict[str, Any]:
    """The timeline of the run that ``text`` means. Raises LookupError where none or several are meant."""
    from isthmus.visibility.timeline import find_runs, timeline

    exact = await timeline(store, text)
    if exact is not None:
        return exact
    found = await find_runs(store, text)
    if not found:
        raise LookupError(f"nothing here is called {text!r}; see: isthmus runs list")
    own = [run for run in found if run["business_key"] == text] or found
    first = [run for run in own if run["process"] == own[0]["process"]]
    if len(own) > 1 and len(first) != len(own):
        names = ", ".join(run["id"] for run in own)
        raise LookupError(f"{text!r} leads to several runs: {names}; name one, or: isthmus explain {text}")
    whole = await timeline(store, first[-1]["id"])
    assert whole is not None
    return whole


def _calls(found: dict[str, Any]) -> None:
    from isthmus.cli.showing import clock_time, say, table

    rows = [
        {**c, "time": clock_time(c["at"]), "ms": f"{c['took_us'] / 1000:.1f}", "part": c["part"] or "", "call": f"{c['method']} {c['path'][:70]}"}
        for c in found["calls"]
    ]  # fmt: skip
    say("\nCalls", "bold")
    table(
        rows,
        ["time", "step", "part", "connection", "call", "status", "outcome", "ms"],
        empty="  none yet",
        right=("ms",),
    )
