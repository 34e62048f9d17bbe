"""``isthmus audit``: who did what, and the proof that nobody has changed it since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.place import Database, Environment, Landscape, folder_of, with_store
from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

if TYPE_CHECKING:
    from isthmus.landscape.release import Release
    from isthmus.store.store import Store

_HELP = """Who did what, when, before and after: a chain of hashes, verifiable by anybody.

\b
What was done?                 isthmus audit list
To one exception?              isthmus audit list EX-7
Was any line changed?          isthmus audit verify
Was the whole chain rewritten? isthmus audit verify --heads heads.txt --key audit.pub
Publish where it stands now:   isthmus audit publish        (serve does it every day)

Publishing needs a key and a place outside, once:  isthmus audit key  says how.
"""
app = new_app(help=_HELP, no_args_is_help=True)


@app.command("list")
def list_lines(
    about: Annotated[str | None, typer.Argument(help="a run, an exception (EX-7), an approval, a key's holder")] = None,
    limit: Annotated[int, typer.Option(min=1, help="how many lines")] = 50,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """List what was done, newest first."""
    from isthmus.cli.showing import local_time, say_json, table
    from isthmus.store import audit

    async def work(store: Store) -> list[dict[str, Any]]:
        return await store.read(lambda tx: audit.lines(tx, about, limit))

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json(found)
        return
    rows = [{**row, "when": local_time(row["at"])} for row in found]
    table(
        rows, [("Line", "id"), "when", "who", "did", "about", "before", "after"], empty="Nobody has done anything yet."
    )


@app.command()
def verify(
    heads: Annotated[Path | None, typer.Option(help="published heads: the file, or the git repository with the tags")] = None,
    key: Annotated[Path | None, typer.Option(help="the public key; default: the one that belongs to the landscape's")] = None,
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Recompute the chain and find the line that was changed, removed or slipped in. Ends with 1 where there is one.

    The chain alone cannot show that its last lines were cut off, or that all of it was rewritten: published heads can.
    """
    from dataclasses import asdict

    from isthmus.cli.showing import say, say_json
    from isthmus.governance import audit_heads

    published = _published(heads, key, landscape, environment) if heads else []

    async def work(store: Store) -> audit_heads.Verdict:
        return await store.read(lambda tx: audit_heads.verify(tx, published))

    found = with_store(work, landscape, environment, database)
    if as_json:
        say_json({"holds": found.holds, **asdict(found)})
    elif found.holds:
        against = f", and it agrees with {found.heads} published heads" if heads else ""
        say(f"{found.lines} lines hold{against}. Contents of {found.erased} were erased; their hashes stand.")
    else:
        say(f"Line {found.broken_at} does not hold: {found.why}.", "bold red")
        say(f"The {found.lines} lines before it are as they were written.")
    raise typer.Exit(0 if found.holds else 1)


@app.command()
def publish(
    landscape: Landscape = None, environment: Environment = "dev", database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Sign the end of the chain and publish it where the landscape says. A broken chain is not signed."""
    from dataclasses import asdict

    from isthmus.cli.showing import say, say_json
    from isthmus.governance import audit_heads

    release = _release(landscape, environment)
    if release.audit is None:
        raise LookupError("the landscape does not say where to publish; write  audit:  as  isthmus audit key  shows")

    async def work(store: Store) -> audit_heads.PublishedHead:
        now = store.clock()
        return await store.read(lambda tx: audit_heads.head_now(tx, release.name, environment, now))

    head = with_store(work, landscape, environment, database)
    places = audit_heads.publish(head, release.audit, release.folder)
    if as_json:
        say_json({**asdict(head), "places": places})
    else:
        say(f"{head.lines} lines, hash {head.hash[:12]}…, published: {'; '.join(places)}")


@app.command("key")
def make_key(landscape: Landscape = None) -> None:
    """Make the pair of keys: the private one into secrets/, the public one for whoever verifies."""
    from isthmus.cli.showing import say
    from isthmus.governance import audit_heads

    folder = folder_of(landscape)
    if folder is None:
        raise LookupError("no landscape is named and none is here; say --landscape FOLDER")
    private, public = folder / "secrets" / "audit.pem", folder / "audit.pub"
    if private.exists():
        raise LookupError(f"{private} is there already; heads signed by it could not be verified with another")
    private.parent.mkdir(exist_ok=True)
    secret, open_ = audit_heads.new_key()
    private.touch(0o600)
    private.write_text(secret, "utf-8")
    public.write_text(open_, "utf-8")
    say(f"{private} signs; keep it where only Isthmus reads it. {public} verifies; give it to your auditors.")
    say("Now write into isthmus.yaml:\n")
    say("audit:\n  key: file:secrets/audit.pem\n  publish:\n    - {git: /srv/audit}      # or {file: …}, {tell: env:…}")


def _release(landscape: Path | None, environment: str) -> Release:
    from isthmus.landscape.release import compile_release

    folder = folder_of(landscape)
    if folder is None:
        raise LookupError("no landscape is named and none is here; say --landscape FOLDER")
    return compile_release(folder, environment)


def _published(heads: Path, key: Path | None, landscape: Path | None, environment: str) -> list[Any]:
    from isthmus.governance import audit_heads
    from isthmus.landscape.secrets import resolve

    if key is not None:
        public = key.read_text("utf-8")
    else:
        release = _release(landscape, environment)
        if release.audit is None:
            raise LookupError("the landscape has no audit key; say which with --key audit.pub")
        public = audit_heads.public_of(resolve(release.audit.key, setting="audit.key", folder=release.folder))
    found = audit_heads.heads_in_git(heads) if heads.is_dir() else heads.read_text("utf-8").split()
    if not found:
        raise LookupError(f"{heads} holds no published head")
    return [audit_heads.read_head(line, public) for line in found]
