"""``isthmus keys``: keys for callers of the API. A key is shown once; only its hash is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, with_store
from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.store.store import Store

_HELP = """Keys for callers of the API: each has a named holder and scopes.

\b
For a shop that starts processes:   isthmus keys create shop --scope process:start --scope runs:read
Who holds one?                      isthmus keys list
It has leaked:                      isthmus keys revoke shop
Then call with it:                  curl -H "Authorization: Bearer KEY" http://127.0.0.1:8410/api/runs
"""
app = new_app(help=_HELP, no_args_is_help=True)


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
    from isthmus.store.actors import checked
    from isthmus.store.clock import instant
    from isthmus.store.transaction import Transaction

    checked(holder)
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


@app.command("list")
def list_keys(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List who holds keys and what they may do. The landscape's own holders stand in its isthmus.yaml."""
    from isthmus.cli.showing import local_time, say_json, table
    from isthmus.store import keys as stored

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(stored.list_keys)

    rows = [{**row, "hash": row["hash"][:12]} for row in with_store(work, landscape, environment, database)]
    if as_json:
        say_json(rows)
        return
    shown = [{**r, "made": local_time(r["created_at"]), "revoked": local_time(r["revoked_at"])} for r in rows]
    table(shown, ["holder", "scopes", "made", "revoked", "hash"], empty="Nobody holds a key.")


@app.command()
def revoke(
    holder: Annotated[str, typer.Argument(help="whose keys end now")],
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """End every key of a holder, at once."""
    from isthmus.cli.nearby import who
    from isthmus.cli.showing import say, say_json
    from isthmus.store import audit
    from isthmus.store import keys as stored
    from isthmus.store.clock import instant
    from isthmus.store.transaction import Transaction

    async def work(store: Store) -> int:
        now = instant(store.clock())

        def end(tx: Transaction) -> int:
            ended = stored.revoke_keys(tx, holder, now)
            if ended:
                audit.note(tx, at=now, who=who(), did="key.revoke", about=holder, before=ended)
            return ended

        return await store.write(end)

    ended = with_store(work, landscape, environment, database)
    if not ended:
        raise LookupError(f"{holder!r} holds no living key; see: isthmus keys list")
    say_json({"holder": holder, "revoked": ended}) if as_json else say(f"{ended} of {holder}'s keys ended now")
