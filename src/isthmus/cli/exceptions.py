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
Equal failures together:   isthmus exceptions groups
It is mended for all:      isthmus exceptions retry --group GROUP
Whose is it, by when?      isthmus exceptions assign EX-3 order-desk --due 2h
Change what it works on:   isthmus exceptions edit EX-3 lines.0.product.number=X-101
Done by hand:              isthmus exceptions skip EX-3 --result '{"number": "4500009"}'
Give it up, reverse it:    isthmus exceptions cancel EX-3
"""
app = new_app(help=_HELP, no_args_is_help=True)
Number = Annotated[str, typer.Argument(help="EX-3, or 3")]
Group = Annotated[str | None, typer.Option(help="all of this group (see: isthmus exceptions groups)")]


@app.command("list")
def list_exceptions(
    state: Annotated[str, typer.Option(help="open or ended")] = "open",
    group: Group = None,
    assignee: Annotated[str | None, typer.Option(help="what this one looks after")] = None,
    unit: Annotated[str | None, typer.Option(help="one business unit's")] = None,
    connection: Annotated[str | None, typer.Option(help="of one connection")] = None,
    error_class: Annotated[str | None, typer.Option("--class", help="limit, locked, down, access, business, missing, conflict, format or program")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 200,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List what is parked, oldest first."""
    from isthmus.cli.showing import local_time, money, say_json, table
    from isthmus.store import exceptions

    async def work(store: Store) -> list[dict[str, Any]]:
        wanted = {"group": group, "assignee": assignee, "unit": unit, "connection": connection}
        return await store.read(
            lambda tx: exceptions.list_exceptions(tx, state=state, error_class=error_class, limit=limit, **wanted)
        )

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
        "assignee",
        "since",
    ]
    table(rows, columns, empty="Nothing is parked." if state == "open" else "None has ended.", right=("sum",))


@app.command()
def show(
    number: Number,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show one like a colleague's note: what, for whom, what was said, what to do, what was done to it."""
    from isthmus.cli.showing import local_time, say, say_json
    from isthmus.store import audit

    async def work(store: Store) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        row, alike = await _read(store, number)
        done = await store.read(lambda tx: audit.lines(tx, about=row["number"], limit=1000))
        return row, alike, list(reversed(done))

    row, alike, history = with_store(work, landscape, environment, database)
    if as_json:
        say_json({**row, "alike": [each["number"] for each in alike], "history": history})
        return
    for line, style in _note(row, alike):
        say(line, style)
    for each in history:
        what = " → ".join(filter(None, (each["before"], each["after"])))
        say(f"  {local_time(each['at'])}  {each['who']}: {each['did'].partition('.')[2]} {what}")


@app.command()
def groups(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Equal failures together: how many, how much money waits, and the one command that replays them."""
    from isthmus.cli.showing import money, say, say_json
    from isthmus.store import exceptions

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(exceptions.open_groups)

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    for each in found:
        risk = " + ".join(money(amount, currency) for currency, amount in each["at_risk"].items())
        say(f"{each['count']} × {each['title']}" + (f" ({risk})" if risk else ""), "bold")
        say(f"  Do: {each['mend'] or 'see what was said'}", "green")
        say(f"      isthmus exceptions retry --group '{each['group']}'")
    if not found:
        say("Nothing is parked.")


@app.command()
def retry(
    number: Annotated[str | None, typer.Argument(help="EX-3, or 3; not with --group")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="and all others that wait for the same reason")] = False,
    group: Group = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Play it again after the mend, or all of a group in order of opening; without the mend it parks again."""
    from isthmus.cli.nearby import who
    from isthmus.orchestration import parked
    from isthmus.store import releases

    if (number is None) == (group is None):
        raise ValueError("name one exception (EX-3) or a group (--group GROUP)")

    async def work(store: Store) -> list[dict[str, Any]]:
        present = await store.read(releases.newest)
        if number is not None and not everyone:
            return [await parked.retry(store, number_of(number), who=who(), release=present)]
        which = group or (await _read(store, number or ""))[0]["group_key"]
        return await parked.retry_group(store, which, who=who(), release=present)

    rows = [named(row) for row in with_store(work, landscape, environment, database)]
    _done(
        [{"exception": row["number"], "run": row["run_id"], "state": "ready"} for row in rows],
        "will be played again",
        as_json,
    )


@app.command()
def edit(
    words: Annotated[list[str], typer.Argument(help="EX-3 (not with --group), then: dotted path into the run's input = new value (text or JSON)", metavar="[NUMBER] PATH=VALUE…")],
    group: Group = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what it works on, of one or of a whole group (all or none); retry plays it."""
    from isthmus.cli.nearby import who
    from isthmus.cli.sandbox import pairs
    from isthmus.orchestration import parked

    number, changes = ("", words) if group else (words[0], words[1:])
    wanted = {path: _value(text) for path, text in pairs(changes).items()}
    if not wanted:
        raise ValueError("say what to change: lines.0.product.number=X-101")

    async def work(store: Store) -> list[dict[str, Any]]:
        if group:
            return await parked.edit_group(store, group, who=who(), changes=wanted)
        return [await parked.edit(store, number_of(number), who=who(), changes=wanted)]

    rows = [named(row) for row in with_store(work, landscape, environment, database)]
    how = f"--group '{group}'" if group else rows[0]["number"]
    done = [{"exception": row["number"], "run": row["run_id"], "state": "parked"} for row in rows]
    _done(done, f"is changed; play it with: isthmus exceptions retry {how}", as_json)


@app.command()
def assign(
    number: Number,
    assignee: Annotated[str, typer.Argument(help="who looks after it: a person or a desk; '' for nobody")],
    due: Annotated[str | None, typer.Option(help="within which time it should have ended: 2h, 1d")] = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say who looks after it, and by when."""
    from isthmus.catalogue.durations import parse_duration
    from isthmus.orchestration import parked
    from isthmus.store.clock import instant

    within = parse_duration(due) if due else None

    async def act(store: Store, which: int, name: str) -> dict[str, Any]:
        values: dict[str, Any] = {"assignee": assignee or None}
        if within is not None:
            values["due_at"] = instant(store.clock() + within)
        return await parked.assign(store, which, who=name, values=values)

    row = _change(act, number, landscape, environment, database)
    done = {"exception": row["number"], "run": row["run_id"], "assignee": row["assignee"], "due_at": row["due_at"]}
    _done([done], f"is looked after by {row['assignee'] or 'nobody'}", as_json)


@app.command()
def comment(
    number: Number,
    text: Annotated[str, typer.Argument(help="what is to be said")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say something about it; show tells it to the next one."""
    from isthmus.orchestration import parked

    row = _change(lambda s, n, w: parked.comment(s, n, who=w, text=text), number, landscape, environment, database)
    _done([{"exception": row["number"], "run": row["run_id"], "comment": text}], "has your comment", as_json)


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
    if row["assignee"] or row["due_at"]:
        due = f", due {local_time(row['due_at'])}" if row["due_at"] else ""
        lines.append((f"  looked after by {row['assignee'] or 'nobody yet'}{due}", None))
    if row["retry_at"]:
        lines.append(
            (f"  it is tried again by itself {local_time(row['retry_at'])} ({row['retries']} times so far)", None)
        )
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
