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
What upon?         isthmus approvals show 21.finance
Say yes:           isthmus approvals approve OPP-1002.deal-desk
Yes, but less:     isthmus approvals approve 21.finance --amount 80.00 --comment "two of three were broken"
Say no, and why:   isthmus approvals reject OPP-1002.deal-desk --comment "too cheap"
Somebody else:     isthmus approvals delegate 21.finance --to maria
By mail:           isthmus approvals link 21.finance --for maria
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
def show(
    approval: Id,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """What is decided, upon which facts, by whom and by when; what people said so far."""
    from isthmus.cli.showing import local_time, say, say_json
    from isthmus.orchestration import approval as approving
    from isthmus.store import approvals

    async def work(store: Store) -> dict[str, Any]:
        def read(tx: Any) -> dict[str, Any]:
            row = approvals.get_approval(tx, approval)
            if row is None:
                raise LookupError(f"no approval is called {approval!r}; see: isthmus approvals list")
            return {name: value for name, value in approving.shown(tx, row).items() if name != "row"}

        return await store.read(read)

    row = with_store(work, landscape, environment, database)
    if as_json:
        say_json(row)
        return
    say(f"{row['id']} is {row['state']}: {row['about']}")
    say(f"  asks {row['policy']}, {row['needed']} must agree, until {local_time(row['due_at'])}")
    for fact in row["facts"]:
        say(f"  {fact['label']}: {fact['words']}" + (f" ({fact['link']})" if fact["link"] else ""))
    for one in row["consents"]:
        say(f"  {one['who']}: {one['verdict']} {one['amount'] or ''} {one['comment'] or ''}".rstrip())


@app.command()
def approve(
    approval: Id, comment: Comment = None,
    amount: Annotated[str | None, typer.Option(help="agree to another amount, with a comment")] = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say yes."""
    _decide(approval, "approved", comment, landscape, environment, database, as_json, amount)


@app.command()
def reject(
    approval: Id, comment: Comment = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say no."""
    _decide(approval, "rejected", comment, landscape, environment, database, as_json)


@app.command()
def delegate(
    approval: Id, to: Annotated[str, typer.Option(help="who shall decide too")], comment: Comment = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let somebody else decide too."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.orchestration import approval as approving

    async def work(store: Store) -> dict[str, Any]:
        return await approving.delegate(store, approval, who=who(), to=to, comment=comment)

    row = with_store(work, landscape, environment, database)
    say_json(row) if as_json else say(f"{to} may decide {row['id']} too")


@app.command()
def link(
    approval: Id, for_: Annotated[str, typer.Option("--for", help="who shall decide by it")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a signed link by which one person decides, once, within a week."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.orchestration.approval_link import make_link

    async def work(store: Store) -> str:
        return await make_link(store, approval, for_=for_, made_by=who())

    path = with_store(work, landscape, environment, database)
    say_json({"path": path}) if as_json else say(path)


def _decide(
    approval_id: str, verdict: Literal["approved", "rejected"], comment: str | None,
    landscape: Any, environment: str, database: Any, as_json: bool, amount: str | None = None,
) -> None:  # fmt: skip
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.orchestration import approval

    async def work(store: Store) -> dict[str, Any]:
        return await approval.decide(
            store, approval_id, verdict=verdict, who=who(), comment=comment, amount=amount, way="command"
        )

    row = with_store(work, landscape, environment, database)
    if as_json:
        say_json(row)
    elif row["state"] == "requested":
        say(f"{row['id']}: you agree; {row['needed']} must, {len(row['consents'])} did")
    else:
        say(f"{row['id']} is {verdict} by {row['decided_by']}: {row['about']}")
