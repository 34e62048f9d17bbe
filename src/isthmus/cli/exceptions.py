"""``isthmus exceptions``: what waits for a person's mend, and how it goes on. Commands are rows; workers play them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, with_store
from isthmus.cli.showing import AsJson, Column
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.store.store import Store

_HELP = """Exceptions: work that waits for a person, each with a reason and a remedy.

\b
What is parked?            isthmus exceptions list
One of them:               isthmus exceptions show EX-3
It is mended, go on:       isthmus exceptions retry EX-3
All of the same kind:      isthmus exceptions retry EX-3 --all
Change what it works on:   isthmus exceptions edit EX-3 lines.0.product.number=X-101
Done by hand:              isthmus exceptions skip EX-3 --result '{"number": "4500009"}'
Give it up, reverse it:    isthmus exceptions cancel EX-3
"""
app = new_app(help=_HELP, no_args_is_help=True)
Number = Annotated[str, typer.Argument(help="EX-3, or 3")]


@app.command("list")
def list_exceptions(
    state: Annotated[str, typer.Option(help="open or ended")] = "open",
    group: Annotated[str | None, typer.Option(help="one group's only")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 200,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List what is parked, oldest first."""
    from isthmus.cli.showing import local_time, money, say_json, table
    from isthmus.store import exceptions

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(lambda tx: exceptions.list_exceptions(tx, state=state, group=group, limit=limit))

    found = [named(row) for row in with_store(work, landscape, environment, database)]
    if as_json:
        say_json(found)
        return
    rows = [{**r, "sum": money(r["amount"], r["currency"]), "since": local_time(r["opened_at"])} for r in found]
    columns: list[Column] = [
        ("Exception", "number"),
        ("For", "business_key"),
        "customer",
        ("Amount", "sum"),
        ("What", "title"),
        "since",
    ]
    table(rows, columns, empty="Nothing is parked." if state == "open" else "None has ended.", right=("sum",))


@app.command()
def show(
    number: Number,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show one like a colleague's note: what, for whom, what was said, what to do."""
    from isthmus.cli.showing import say, say_json

    async def work(store: Store) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return await _read(store, number)

    row, alike = with_store(work, landscape, environment, database)
    if as_json:
        say_json({**row, "alike": [each["number"] for each in alike]})
        return
    for line, style in _note(row, alike):
        say(line, style)


@app.command()
def retry(
    number: Number,
    everyone: Annotated[bool, typer.Option("--all", help="and all others that wait for the same reason")] = False,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Play it again after the mend; without the mend it parks again."""
    from isthmus.cli.nearby import who
    from isthmus.orchestration import parked

    async def work(store: Store) -> list[dict[str, Any]]:
        row, alike = await _read(store, number)
        wanted = [row, *(alike if everyone else [])]
        return [named(await parked.retry(store, number_of(each["number"]), who=who())) for each in wanted]

    rows = with_store(work, landscape, environment, database)
    _done(
        [{"exception": row["number"], "run": row["run_id"], "state": "ready"} for row in rows],
        "will be played again",
        as_json,
    )


@app.command()
def edit(
    number: Number,
    changes: Annotated[list[str], typer.Argument(help="dotted path into the run's input = new value (text or JSON)", metavar="PATH=VALUE…")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what the run works on; retry plays it."""
    from isthmus.cli.nearby import who
    from isthmus.cli.sandbox import pairs
    from isthmus.orchestration import parked

    wanted = {path: _value(text) for path, text in pairs(changes).items()}

    async def work(store: Store) -> dict[str, Any]:
        return await parked.edit(store, number_of(number), who=who(), changes=wanted)

    row = with_store(work, landscape, environment, database)
    done = [{"exception": f"EX-{row['number']}", "run": row["run_id"], "state": "parked"}]
    _done(done, f"is changed; play it with: isthmus exceptions retry EX-{row['number']}", as_json)


@app.command()
def skip(
    number: Number,
    result: Annotated[str | None, typer.Option(help="what was done by hand, as JSON, where the process needs it")] = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Go on without the parked step: it counts as done by hand."""
    from isthmus.orchestration import parked

    by_hand = json.loads(result) if result else None
    row = _change(lambda s, n, w: parked.skip(s, n, who=w, result=by_hand), number, landscape, environment, database)
    _done([{"exception": row["number"], "run": row["run_id"], "state": "ready"}], "goes on without that step", as_json)


@app.command()
def cancel(
    number: Number,
    why: Annotated[str, typer.Option(help="for the audit")] = "",
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give it up: what was made is reversed."""
    from isthmus.orchestration import parked

    async def act(store: Store, which: int, name: str) -> dict[str, Any]:
        row, _ = await _read(store, str(which))
        await parked.cancel(store, row["run_id"], who=name, why=why or row["number"])
        return {**row, "number": which}

    row = _change(act, number, landscape, environment, database)
    _done([{"exception": row["number"], "run": row["run_id"], "state": "undoing"}], "will be undone", as_json)


def number_of(text: str) -> int:
    """``EX-7`` or ``7``. Raises LookupError in words."""
    digits = text.upper().removeprefix("EX-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise LookupError(f"{text!r} is no exception; they are called EX-1, EX-2, …")
    return int(digits)


def named(row: dict[str, Any]) -> dict[str, Any]:
    """An exception's row with the number that people say."""
    return {**row, "number": f"EX-{row['number']}"}


def _change(
    act: Callable[[Store, int, str], Awaitable[dict[str, Any]]],
    number: str,
    landscape: Any,
    environment: str,
    database: Any,
) -> dict[str, Any]:
    from isthmus.cli.nearby import who

    return named(with_store(lambda store: act(store, number_of(number), who()), landscape, environment, database))


async def _read(store: Store, number: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An exception, and the other open ones of its group."""
    from isthmus.store import exceptions

    which = number_of(number)
    row = await store.read(lambda tx: exceptions.get_exception(tx, which))
    if row is None:
        raise LookupError(f"there is no exception EX-{which}; see: isthmus exceptions list")
    group = row["group_key"]
    alike = await store.read(lambda tx: exceptions.list_exceptions(tx, group=group, limit=10_000))
    return named(row), [named(each) for each in alike if each["number"] != which]


def _note(row: dict[str, Any], alike: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    from isthmus.cli.showing import local_time, money

    about = ", ".join(filter(None, (row["business_key"], row["customer"], money(row["amount"], row["currency"]))))
    lines: list[tuple[str, str | None]] = [(f"{row['number']} · {row['title']}", "bold"), (f"  {about}", None)]
    ended = f", ended {local_time(row['ended_at'])} by {row['ended_by']}" if row["state"] == "ended" else ""
    lines.append((f"  parked {local_time(row['opened_at'])} at step {row['step'] or 'start'}{ended}", None))
    if row["said"]:
        who = " ".join(filter(None, (row["connection"], row["code"])))
        lines.append((f"  {who or 'It'} answered to {row['operation'] or 'the step'}: {row['said']}", None))
    if alike:
        lines.append((f"  {len(alike)} other{'s wait' if len(alike) > 1 else ' waits'} for the same reason", None))
    lines.append((f"  Do: {row['mend'] or 'see what was said'}", "green"))
    also = f"   all {len(alike) + 1}: --all" if alike else ""
    lines.append((f"      isthmus exceptions retry {row['number']}{also}", None))
    return lines


def _value(text: str) -> Any:
    """JSON where it is an object, a list or one of JSON's words; any other text, numbers too, is itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(found, int | float) and not isinstance(found, bool) else found


def _done(rows: list[dict[str, Any]], what: str, as_json: bool) -> None:
    from isthmus.cli.showing import say, say_json

    if as_json:
        say_json(rows[0] if len(rows) == 1 else rows)
        return
    for row in rows:
        say(f"{row['exception']} {what} ({row['run']})")
