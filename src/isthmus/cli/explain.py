"""``isthmus explain``: what became of anything, told in sentences, found by any id or number of any system."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, folder_of, with_store
from isthmus.cli.showing import AsJson

if TYPE_CHECKING:
    from isthmus.store.store import Store


def explain(
    anything: Annotated[str, typer.Argument(help="an opportunity's, order's or invoice's number, a vendor's id, a run's id, EX-3")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Tell what became of it, and what the same thing is called elsewhere.

    \b
    isthmus explain OPP-1017      by our number
    isthmus explain 4500002       by a vendor's number
    isthmus explain EX-3          by an exception
    """
    from isthmus.cli.showing import say, say_json
    from isthmus.visibility.sentences import account
    from isthmus.visibility.turn import turn

    async def work(store: Store) -> list[dict[str, Any]]:
        return await _runs(store, anything)

    titles = titles_of(folder_of(landscape))
    found = with_store(work, landscape, environment, database)
    told = [account(run, titles) for run in found]
    if as_json:
        say_json(
            [
                {"run": run["id"], "title": one.title, "state": run["state"], "next": turn(run), "elsewhere": one.elsewhere,
                 "trace_id": run["trace_id"], "lines": [{"at": line.at, "text": line.text} for line in one.lines]}
                for run, one in zip(found, told, strict=True)
            ]
        )  # fmt: skip
        return
    for run, one in zip(found, told, strict=True):
        say(one.title, "bold")
        for line in one.lines:
            say(f"  {line.time}  {line.text}")
        say(f"Next: {turn(run)}")
        same = " · ".join([*one.elsewhere, f"trace {run['trace_id']}"])
        say(f"Same thing elsewhere: {same}\n")


async def _runs(store: Store, text: str) -> list[dict[str, Any]]:
    from isthmus.cli.exceptions import number_of
    from isthmus.store import exceptions
    from isthmus.visibility.timeline import find_runs, timeline

    if text.upper().startswith("EX-"):
        row = await store.read(lambda tx: exceptions.get_exception(tx, number_of(text)))
        if row is None:
            raise LookupError(f"there is no exception {text}; see: isthmus exceptions list")
        text = row["run_id"]
    ids = [run["id"] for run in await find_runs(store, text)]
    found = [run for run_id in ids if (run := await timeline(store, run_id)) is not None]
    if not found:
        raise LookupError(f"nothing here is called {text!r}; see: isthmus runs list")
    return found


def titles_of(folder: Path | None) -> dict[str, str]:
    """Connection → what people call its application; empty where no landscape is near."""
    if folder is None:
        return {}
    from isthmus.catalogue.registry import registry
    from isthmus.landscape.reading import read_landscape

    read = read_landscape(folder, registry())
    kinds = [str(entry.get("connector")) for _, entry in read.entries("connections")]
    found = {}
    for connection, connector in read.connections.items():
        title = str((connector.document.value or {}).get("title") or connection)
        found[connection] = title if kinds.count(connector.name) == 1 else f"{title} ({connection})"
    return found
