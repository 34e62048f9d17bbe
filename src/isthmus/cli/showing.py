"""Tables and JSON: the same rows for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for machines")]
Row = Mapping[str, Any]
Column = str | tuple[str, str]


@cache
def console() -> Console:
    """Where people read. Imported late: rich costs more than most commands."""
    import sys

    from rich.console import Console

    # a pipe has no width; rows that are cut for one would be lost
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def say(text: str = "", style: str | None = None) -> None:
    """One line for people."""
    console().print(text, style=style, markup=False)


def say_json(value: Any, *, lines: bool = False) -> None:
    """One JSON document; with ``lines`` on one line, for a reader that waits for it."""
    text = json.dumps(value, ensure_ascii=False, indent=None if lines else 2, default=str)
    typer.echo(text)


def table(rows: Iterable[Row], columns: Sequence[Column], *, empty: str, right: Sequence[str] = ()) -> None:
    """Rows as a table. A column is a key, or (heading, key); ``empty`` is said where there are no rows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:
        say(empty)
        return
    pairs = [
        (column.replace("_", " ").capitalize(), column) if isinstance(column, str) else column for column in columns
    ]
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading, key in pairs:
        drawn.add_column(heading, justify="right" if key in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(as_text(row.get(key)), style=_STYLES.get(str(row.get(key)), "")) for _, key in pairs))
    console().print(drawn)


def one(row: Row, *, title: str | None = None) -> None:
    """One row as name and value, for reading."""
    if title:
        say(title, "bold")
    width = max((len(name) for name in row), default=0)
    for name, value in row.items():
        if value not in (None, "", [], {}):
            say(f"  {name.replace('_', ' '):<{width}}  {as_text(value)}")


def as_text(value: Any) -> str:
    """A value in a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def money(amount: Any, currency: Any) -> str:
    """``12,480.00 EUR``; empty where there is no amount."""
    if amount in (None, ""):
        return ""
    from decimal import Decimal

    return f"{Decimal(str(amount)):,f} {currency or ''}".rstrip()


def clock_time(instant: str | None) -> str:
    """The local time of day of an instant, to the millisecond."""
    if not instant:
        return ""
    from datetime import datetime

    return datetime.fromisoformat(instant).astimezone().strftime("%H:%M:%S.%f")[:-3]


def local_time(instant: str | None) -> str:
    """Date and time of an instant here, to the second."""
    if not instant:
        return ""
    from datetime import datetime

    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")


_PIPE_WIDTH = 200
_STYLES = {
    "done": "green", "parked": "yellow", "undone": "magenta", "waiting": "cyan", "running": "bold", "undoing": "magenta",
    "ready": "cyan", "open": "yellow", "requested": "yellow", "approved": "green", "rejected": "magenta",
}  # fmt: skip
