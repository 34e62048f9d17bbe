"""``isthmus keys``: keys for callers of the API. A key is shown once; only its hash is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.place import Database, Environment, Landscape, with_store
from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.store.store import Store

_HELP = """Keys for callers of the API: each has a named holder and scopes.

\b
For a shop that starts processes:   isthmus keys create shop --scope process:start --scope runs:read
Then call with it:                  curl -H "Authorization: Bearer KEY" http://127.0.0.1:8410/api/runs
"""
app = new_app(help=_HELP, no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys for callers of the API."""


@app.command()
def create(
    holder: Annotated[str, typer.Argument(help="who will hold it, by the name that the audit shows")],
    scope: Annotated[list[str] | None, typer.Option(help="what it may do; may be given again. Default: runs:read")] = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a key. It is printed once and nowhere kept."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.governance.access import SCOPES, key_hash, new_key
    from isthmus.landscape.finding import did_you_mean
    from isthmus.store import audit
    from isthmus.store import keys as stored
    from isthmus.store.clock import instant
    from isthmus.store.transaction import Transaction

    scopes = scope or ["runs:read"]
    for one in scopes:
        if one not in SCOPES:
            raise ValueError(f"there is no scope {one!r}; {did_you_mean(one, SCOPES)}")
    key = new_key()

    async def work(store: Store) -> None:
        now = instant(store.clock())

        def put(tx: Transaction) -> None:
            stored.put_key(tx, hash_=key_hash(key), holder=holder, scopes=" ".join(scopes), now=now)
            audit.note(tx, at=now, who=who(), did="key.create", about=holder, after=scopes)

        await store.write(put)

    with_store(work, landscape, environment, database, make=True)
    if as_json:
        say_json({"holder": holder, "scopes": scopes, "key": key})
        return
    say(key)
    say(f"This is the only time it is shown. {holder} may: " + "; ".join(SCOPES[one] for one in scopes))
