"""Which verbs there are, and in which file each stands. A verb's file is imported only when it is played."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

#: coloured panels for people, plain lines for pipes (which are five times faster to draw)
MARKUP: Any = "rich" if sys.stdout.isatty() else None

_HELP = """Isthmus: the land bridge between a company's SaaS applications and its ERP.

\b
See it work:       isthmus demo
Begin your own:    isthmus init acme; isthmus check acme; isthmus serve acme
Ask why:           isthmus explain OPP-1017
See what waits:    isthmus exceptions list

Every command takes --help, and --json where a machine may want to read along.
"""


class Verb(NamedTuple):
    """A verb of the command. ``place`` is ``module:name`` of a function or of a typer app with verbs of its own."""

    name: str
    place: str
    says: str
    panel: str

    def command(self) -> Any:
        """The verb, imported now."""
        module, _, attribute = self.place.partition(":")
        found: Callable[..., Any] | typer.Typer = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            app = new_app()
            app.command(self.name)(found)
            found = app
        return get_command(found)

    def line(self) -> TyperCommand:
        """The verb as it stands in the list, without its file."""
        return TyperCommand(self.name, help=self.says, rich_help_panel=self.panel, rich_markup_mode=MARKUP)


_BEGIN, _RUN, _PEOPLE, _BUILD = "To begin", "To run", "For people", "To build"
_CLI = "isthmus.cli"
VERBS = (
    Verb("demo", f"{_CLI}.demo.verb:demo", "Four systems, one company, 25 deals with faults: watch it in two minutes", _BEGIN),
    Verb("init", f"{_CLI}.init:init", "Write a landscape to begin with", _BEGIN),
    Verb("check", f"{_CLI}.check:check", "Find every mistake of a landscape, offline", _BEGIN),
    Verb("serve", f"{_CLI}.serve:serve", "Run a landscape: take calls, play processes", _RUN),
    Verb("sandbox", f"{_CLI}.sandbox:app", "Stand in for the applications: serve, show, set, play", _RUN),
    Verb("backup", f"{_CLI}.backup:backup", "Write the database to a file, while everything runs", _RUN),
    Verb("restore", f"{_CLI}.restore:restore", "Put a backup in the database's place", _RUN),
    Verb("keys", f"{_CLI}.keys:app", "Make keys for callers of the API", _RUN),
    Verb("people", f"{_CLI}.people:app", "Let people sign in to the console", _RUN),
    Verb("explain", f"{_CLI}.explain:explain", "Tell what became of anything, by any id or number", _PEOPLE),
    Verb("runs", f"{_CLI}.runs:app", "List, show and cancel runs", _PEOPLE),
    Verb("exceptions", f"{_CLI}.exceptions:app", "List, mend and replay what is parked", _PEOPLE),
    Verb("approvals", f"{_CLI}.approvals:app", "List and decide approvals", _PEOPLE),
    Verb("sla", f"{_CLI}.sla:app", "What was promised in time, how it is kept, who was told", _PEOPLE),
    Verb("audit", f"{_CLI}.audit:app", "Who did what, and the proof that nobody has changed it", _PEOPLE),
    Verb("retention", f"{_CLI}.retention:app", "Forget what is kept no longer, and who asks to be forgotten", _RUN),
    Verb("jobs", f"{_CLI}.jobs:app", "Long work: read a channel's past again, forget old calls", _RUN),
    Verb("chaos", f"{_CLI}.chaos.verb:chaos", "Close deals while everything fails, then audit the books", _BUILD),
    Verb("map", f"{_CLI}.map:app", "Try a mapping: what goes in, what comes out", _BUILD),
    Verb("schema", f"{_CLI}.schema:schema", "Print the JSON Schema of a canonical object", _BUILD),
    Verb("connectors", f"{_CLI}.connectors:app", "List the connectors, and hold them to what they claim", _BUILD),
)  # fmt: skip
_BY_NAME = {verb.name: verb for verb in VERBS}


class Verbs(TyperGroup):
    """The top of the command: lists verbs by their lines, imports the one that is played."""

    listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order in which they are told."""
        return list(_BY_NAME)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of a name, or its line while help is drawn."""
        verb = _BY_NAME.get(cmd_name)
        if verb is None:
            return None
        return verb.line() if self.listing else verb.command()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that was typed; a near miss is asked back."""
        if args and not args[0].startswith("-") and args[0] not in _BY_NAME:
            from isthmus.landscape.finding import did_you_mean

            ctx.fail(f"isthmus has no verb {args[0]!r}; {did_you_mean(args[0], _BY_NAME)}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw help without importing any verb."""
        self.listing = True
        super().format_help(ctx, formatter)


def new_app(**settings: Any) -> typer.Typer:
    """A typer app of ours: same looks everywhere."""
    return typer.Typer(
        rich_markup_mode=MARKUP,
        add_completion=False,
        pretty_exceptions_enable=False,
        **{"no_args_is_help": False, **settings},
    )


def top() -> typer.Typer:
    """The whole command."""
    app = new_app(cls=Verbs, help=_HELP, no_args_is_help=True)

    @app.callback()
    def isthmus(
        version: bool = typer.Option(False, "--version", help="print the version", is_eager=True, callback=_version),
    ) -> None:
        """The whole command."""

    return app


def _version(asked: bool) -> None:
    if asked:
        from isthmus import __version__

        typer.echo(f"isthmus {__version__}")
        raise typer.Exit


def run() -> None:
    """Play what the command line says. What went wrong is told in a sentence, and ends with 1."""
    try:
        get_command(top())(prog_name="isthmus")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except Exception as error:
        from isthmus.cli.troubles import told

        raise SystemExit(told(error)) from None
