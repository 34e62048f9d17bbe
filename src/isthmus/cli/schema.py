"""``isthmus schema``: the contracts of the canonical objects, as JSON Schema 2020-12."""

from __future__ import annotations

from typing import Annotated

import typer

from isthmus.cli.showing import AsJson


def schema(
    name: Annotated[
        str | None, typer.Argument(help="order, invoice, customer, …; none: list them", metavar="[OBJECT]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the JSON Schema of a canonical object, or list the objects.

    \b
    All of them:   isthmus schema
    One contract:  isthmus schema order > order.schema.json
    """
    from isthmus.cli.showing import say_json, table
    from isthmus.model.schemas import OBJECTS
    from isthmus.model.schemas import schema as schema_of

    if name is not None:
        say_json(schema_of(name))
        return
    rows = [{"object": word, "is": (model.__doc__ or "").split("\n")[0]} for word, model in OBJECTS.items()]
    say_json(rows) if as_json else table(rows, ["object", "is"], empty="none")
