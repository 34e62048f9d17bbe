"""``isthmus approvals``: what people are asked, and their answers. Who answers is the operating system's user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isthmus.cli.place import Database, Environment, Landscape, with_store
from isthmus.cli.showing import AsJson, Column
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.store.store import Store

_HELP = """Approvals: what a process asks people before it goes on.

\b
What is asked?     isthmus approvals list
Say yes:           isthmus approvals approve OPP-1002.deal-desk
Say no, and why:   isthmus approvals reject OPP-1002.deal-desk --comment "too cheap"
"""
app = new_app(help=_HELP, no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="the approval's id, as the list shows it")]
Comment = Annotated[str | None, typer.Option(help="why")]


@app.command("list")
def list_approvals(
    state: Annotated[str, typer.Option(help="requested, approved, rejected, expired, withdrawn, or all")] = "requested",
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List approvals, oldest first."""
    from isthmus.cli.showing import local_time, say_json, table
    from isthmus.store import approvals

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(lambda tx: approvals.list_approvals(tx, None if state == "all" else state))

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    rows = [{**row, "until": local_time(row["due_at"])} for row in found]
    columns: list[Column] = [
        ("Approval", "id"),
        ("Asks", "policy"),
        "about",
        "until",
        "state",
        ("By", "decided_by"),
        "comment",
    ]
    table(rows, columns, empty="Nothing is asked.")


@app.command()
def approve(
    approval: Id, comment: Comment = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say yes."""
    _decide(approval, "approved", comment, landscape, environment, database, as_json)


@app.command()
def reject(
    approval: Id, comment: Comment = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say no."""
    _decide(approval, "rejected", comment, landscape, environment, database, as_json)


def _decide(
    approval_id: str, verdict: Literal["approved", "rejected"], comment: str | None,
    landscape: Any, environment: str, database: Any, as_json: bool,
) -> None:  # fmt: skip
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.orchestration import approval

    async def work(store: Store) -> dict[str, Any]:
        return await approval.decide(store, approval_id, verdict=verdict, who=who(), comment=comment)

    row = with_store(work, landscape, environment, database)
    say_json(row) if as_json else say(f"{row['id']} is {verdict} by {row['decided_by']}: {row['about']}")
