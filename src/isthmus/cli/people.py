"""``isthmus people``: who may sign in to the console, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, with_store
from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.store.store import Store

_HELP = """People who may sign in to the console, by access role: viewer, operator, approver, admin.

\b
Let somebody in:        isthmus people add anna --role operator --role approver      (asks for a password)
Who may come in?        isthmus people list
She has left:           isthmus people remove anna
"""
app = new_app(help=_HELP, no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="the name that the audit shows")],
    role: Annotated[list[str] | None, typer.Option(help="access role; may be given again. Default: viewer")] = None,
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, envvar="ISTHMUS_PASSWORD")
    ] = "",
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let a person in, or change password and roles of one. The password may come from ISTHMUS_PASSWORD."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.governance.people import ROLES, password_text
    from isthmus.landscape.finding import did_you_mean
    from isthmus.store import audit, people
    from isthmus.store.clock import instant
    from isthmus.store.transaction import Transaction

    roles = role or ["viewer"]
    for one in roles:
        if one not in ROLES:
            raise ValueError(f"there is no access role {one!r}; {did_you_mean(one, ROLES)}")
    kept = password_text(password)

    async def work(store: Store) -> None:
        now = instant(store.clock())

        def put(tx: Transaction) -> None:
            people.put_person(tx, {"name": name, "password": kept, "roles": " ".join(roles), "now": now})
            audit.note(tx, at=now, who=who(), did="person.add", about=name, after=roles)

        await store.write(put)

    with_store(work, landscape, environment, database, make=True)
    say_json({"name": name, "roles": roles}) if as_json else say(f"{name} may sign in as {', '.join(roles)}")


@app.command("list")
def list_people(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False
) -> None:
    """List who may sign in, and who might."""
    from isthmus.cli.showing import local_time, say_json, table
    from isthmus.store import people

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(people.list_people)

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    rows = [{**r, "since": local_time(r["created_at"]), "until": local_time(r["ended_at"])} for r in found]
    table(rows, ["name", "roles", "since", "until"], empty="Nobody; let somebody in with  isthmus people add NAME")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="who may come in no more")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let a person in no more; their sessions end at once."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.store import audit, people
    from isthmus.store.clock import instant
    from isthmus.store.transaction import Transaction

    async def work(store: Store) -> bool:
        now = instant(store.clock())

        def end(tx: Transaction) -> bool:
            ended = people.end_person(tx, name, now)
            if ended:
                audit.note(tx, at=now, who=who(), did="person.remove", about=name)
            return ended

        return await store.write(end)

    if not with_store(work, landscape, environment, database):
        raise LookupError(f"nobody called {name!r} may sign in; see: isthmus people list")
    say_json({"removed": name}) if as_json else say(f"{name} may sign in no more")
