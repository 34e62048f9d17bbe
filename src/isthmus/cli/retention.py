"""``isthmus retention``: what is kept no longer, and a person's right to be forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, folder_of, with_store
from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from datetime import timedelta

    from isthmus.store.store import Store

_HELP = """How long contents are kept, and the erasure of a person. Contents go; numbers, states and hashes stay.

\b
What would be forgotten now?   isthmus retention plan
Forget it (every night too):   isthmus retention apply
Where is a person mentioned?   isthmus retention plan --person anna@acme.example --person "Anna Berg"
Forget that person:            isthmus retention apply --person anna@acme.example --request DSR-12

How long stands in isthmus.yaml:  retention: {calls: 30 days, runs: 400 days, attempts: 90 days}
Nothing of a run that is still in work is touched: end it first. What the vendors hold is theirs to erase.
"""
app = new_app(help=_HELP, no_args_is_help=True)
Person = Annotated[
    list[str] | None,
    typer.Option(help="what names the person: e-mail address, full name, telephone number; may be given again"),
]


@app.command()
def plan(
    person: Person = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what would be forgotten now. Nothing is changed."""
    from isthmus.governance import retention

    if person:
        found = with_store(lambda store: retention.mentions(store, person), landscape, environment, database)
        _show_mentions(found, as_json, done=False)
        return
    keep = _keep(landscape, environment)
    _show_due(with_store(lambda store: retention.plan(store, keep), landscape, environment, database), as_json)


@app.command("apply")
def apply_now(
    person: Person = None,
    request: Annotated[str | None, typer.Option(help="under which number the person asked; the audit names it")] = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Forget what the plan shows. Ends with 1 where a person is still mentioned by what is in work."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.governance import retention

    if person:
        if not request:
            raise ValueError(
                "say --request: under which number the person asked; the audit names it instead of the person"
            )

        async def erase(store: Store) -> list[retention.Mentions]:
            return await retention.erase(store, person, who=who(), request=request)

        found = with_store(erase, landscape, environment, database)
        _show_mentions(found, as_json, done=True)
        raise typer.Exit(1 if any(each.in_work for each in found) else 0)
    done = with_store(_forgetting(_keep(landscape, environment), as_json), landscape, environment, database)
    if as_json:
        say_json(done)
    else:
        say(f"Forgotten: {', '.join(f'{rows} of {kind}' for kind, rows in done.items() if rows) or 'nothing was due'}.")


def _forgetting(keep: dict[str, timedelta], as_json: bool) -> Any:
    """The work of ``apply``, with a bar that moves for each page."""
    from rich.progress import Progress

    from isthmus.cli.nearby import who
    from isthmus.cli.showing import console
    from isthmus.governance import retention

    async def work(store: Store) -> dict[str, int]:
        total = sum(each.rows for each in await retention.plan(store, keep))
        with Progress(console=console(), transient=True, disable=as_json) as bar:
            line = bar.add_task("Forgetting", total=total)
            return await retention.apply(store, keep, who=who(), told=lambda kind, rows: bar.advance(line, rows))

    return work


def _keep(landscape: Any, environment: str) -> dict[str, timedelta]:
    from isthmus.landscape.release import compile_release

    folder = folder_of(landscape)
    if folder is None:
        raise LookupError("how long things are kept stands in a landscape; say --landscape FOLDER")
    return dict(compile_release(folder, environment).retention)


def _show_due(found: list[Any], as_json: bool) -> None:
    from isthmus.cli.showing import say_json, table

    if as_json:
        say_json(
            [{"kind": e.kind, "keep_days": e.keep and e.keep.total_seconds() / 86400, "rows": e.rows} for e in found]
        )
        return
    table(
        [_due_row(each) for each in found],
        ["kind", ("What", "says"), ("Kept for", "keep"), ("Due now", "rows")],
        empty="",
        right=["rows"],
    )


def _due_row(due: Any) -> dict[str, Any]:
    keep = "ever" if due.keep is None else f"{due.keep.days} days"
    return {"kind": due.kind, "says": due.says, "keep": keep, "rows": due.rows}


def _show_mentions(found: list[Any], as_json: bool, *, done: bool) -> None:
    from dataclasses import asdict

    from isthmus.cli.showing import say, say_json, table

    rows = [asdict(each) for each in found if each.over or each.in_work]
    if as_json:
        say_json(rows)
        return
    over = "Forgotten" if done else "Can be forgotten"
    columns = [("Where", "table"), (over, "over"), ("Still in work", "in_work")]
    table(rows, columns, empty="The person is mentioned nowhere.", right=["over", "in_work"])
    if any(each.in_work for each in found):
        say("What is still in work is kept until it has ended: see  isthmus runs list  and  isthmus exceptions list")
