"""``isthmus sandbox``: stand-ins for the applications, and what people do in them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.showing import AsJson
from isthmus.cli.verbs import new_app

PORT = 8400
_HELP = """Stand in for the applications: every vendor's real protocol over a small world of its own, on one port.

\b
Serve all of them:      isthmus sandbox
Who can do what?        isthmus sandbox verbs
Look at something:      isthmus sandbox show sap_s4hana customer 17100010
Change it:              isthmus sandbox set sap_s4hana customer 17100010 order_block=none
Do what people do:      isthmus sandbox play salesforce win opportunity=OPP-1001
Make trouble:           isthmus sandbox faults limited:0.03 'cut_after:0.02:POST *'
Let days pass:          isthmus sandbox clock 3d
"""
app = new_app(help=_HELP, invoke_without_command=True)

Url = Annotated[
    str | None, typer.Option("--url", help=f"where it runs; default: what was started here, or http://127.0.0.1:{PORT}")
]
Vendor = Annotated[str, typer.Argument(help="a connector's name")]


@app.callback()
def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="port; 0 takes a free one")] = PORT,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    tls: Annotated[
        bool, typer.Option("--tls", help="speak HTTPS too, on the same port, under a CA of its own")
    ] = False,
    seed: Annotated[int, typer.Option(help="which company, and which faults")] = 1,
    only: Annotated[str, typer.Option(help="these vendors only, with commas")] = "",
    folder: Annotated[Path | None, typer.Option(help="keep the worlds here as files; default: in memory")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print one line of JSON once ready: addresses, credentials")
    ] = False,
) -> None:
    """Serve until stopped, unless a command is given."""
    if context.invoked_subcommand is not None:
        return
    import uvloop

    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    names = [name.strip() for name in only.split(",") if name.strip()] or None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(host, port, tls, seed, names, folder, as_json))


@app.command()
def show(
    vendor: Vendor,
    kind: Annotated[str, typer.Argument(help="what kind of row: customer, order, invoice …")],
    key: Annotated[str | None, typer.Argument(help="an id, number or name")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at rows as they stand there."""
    from isthmus.cli.showing import one, say_json, table

    rows = _ask(url, vendor, "show", kind, *([key] if key else []))
    if as_json:
        say_json(rows)
    elif len(rows) == 1:
        one(rows[0], title=f"{vendor} {kind}")
    else:
        filled = [n for n in (rows[0] if rows else {}) if any(row.get(n) not in (None, "") for row in rows)][:9]
        table(rows, [(n, n) for n in filled], empty=f"{vendor} has no {kind}{f' {key}' if key else ''}")


@app.command("set")
def change(
    vendor: Vendor,
    kind: Annotated[str, typer.Argument(help="what kind of row")],
    key: Annotated[str, typer.Argument(help="an id, number or name")],
    values: Annotated[list[str], typer.Argument(help="name=value …", metavar="NAME=VALUE…")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change a row as an administrator there would."""
    _told(_ask(url, vendor, "set", kind, key, body=pairs(values)), f"{vendor} {kind} {key}", as_json)


@app.command()
def play(
    vendor: Vendor,
    verb: Annotated[str, typer.Argument(help="what somebody does; see: isthmus sandbox verbs VENDOR")],
    values: Annotated[list[str] | None, typer.Argument(help="name=value …", metavar="NAME=VALUE…")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Do what people do there: win a deal, unblock a customer, run billing, pay an invoice."""
    _told(_ask(url, vendor, "play", verb, body=pairs(values or [])), f"{vendor}: {verb}", as_json)


@app.command()
def verbs(
    vendor: Annotated[str | None, typer.Argument(help="one vendor's only")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List what people can do, at one vendor or at all."""
    from isthmus.cli.showing import say_json, table

    names = [vendor] if vendor else list(_ask(url)["vendors"])
    found = {name: _ask(url, name, "verbs") for name in names}
    if as_json:
        say_json(found[vendor] if vendor else found)
        return
    rows = [
        {"vendor": name, "verb": verb, "does": v["summary"], "with": " ".join(f"{a}=" for a in v["arguments"])}
        for name, all_of_them in found.items()
        for verb, v in all_of_them.items()
    ]
    table(rows, ["vendor", "verb", "does", "with"], empty="nothing")


@app.command()
def books(vendor: Vendor, url: Url = None) -> None:
    """Print what it holds as neutral rows, read by its own API (JSON)."""
    from isthmus.cli.showing import say_json

    say_json(_ask(url, vendor, "books"))


@app.command()
def faults(
    rules: Annotated[
        list[str] | None, typer.Argument(help="KIND:RATE[:OPERATION[:VENDOR]] …; 'none' ends them", metavar="RULE…")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="which requests meet them")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the faults in force and what they did, or set new ones."""
    from isthmus.cli.showing import say, say_json, table

    body = None
    if rules:
        body = {"rules": [_fault(rule) for rule in rules if rule != "none"], **({"seed": seed} if seed else {})}
    found = _ask(url, "faults", body=body)
    if as_json:
        say_json(found)
        return
    table(found["rules"], ["kind", "rate", "vendor", "operation", "delay_s", "times"], empty="No faults are in force.")
    if found["met"]:
        say("Met so far: " + ", ".join(f"{m['count']} × {m['vendor']} {m['kind']}" for m in found["met"]))


@app.command()
def clock(
    by: Annotated[str | None, typer.Argument(help="how far: 90s, 15m, 12h, 3d")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the sandboxes' clock, or move it on."""
    from isthmus.catalogue.durations import parse_duration
    from isthmus.cli.showing import say, say_json

    body = {"advance_s": parse_duration(by).total_seconds()} if by else None
    found = _ask(url, "clock", body=body)
    say_json(found) if as_json else say(found["now"])


def pairs(values: list[str]) -> dict[str, str]:
    """``name=value`` words as a mapping. Raises ValueError that shows the word."""
    found = {}
    for word in values:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"{word!r} is not name=value")
        found[name] = value
    return found


def _told(row: Any, title: str, as_json: bool) -> None:
    from isthmus.cli.showing import one, say_json

    say_json(row) if as_json else one(row, title=title)


def _fault(text: str) -> dict[str, Any]:
    kind, _, rest = text.partition(":")
    rate, _, rest = rest.partition(":")
    operation, _, vendor = rest.rpartition(":") if ":" in rest else (rest, "", "")
    try:
        return {"kind": kind, "rate": float(rate or 1), "operation": operation or "*", "vendor": vendor or "*"}
    except ValueError:
        raise ValueError(f"fault {text!r}: the rate {rate!r} is no number; write e.g. limited:0.03") from None


def _ask(url: str | None, *path: str, body: Any = None) -> Any:
    from isthmus.cli.desk import ask, desk_address

    return ask(desk_address(url), *path, body=body)


async def _serve(
    host: str, port: int, tls: bool, seed: int, only: list[str] | None, folder: Path | None, as_json: bool
) -> None:
    from isthmus.cli.nearby import FOLDER, told_nearby
    from isthmus.cli.signals import until_stopped
    from isthmus.sandbox.server import SandboxServer
    from isthmus.sandbox.tls import server_context
    from isthmus.sandbox.worlds import open_sandboxes
    from isthmus.sandkit.clock import Clock
    from isthmus.sandkit.company import build
    from isthmus.sandkit.faults import Faults

    world_clock = Clock()
    company = build(seed, world_clock.now().date())
    sandboxes = open_sandboxes(company, world_clock, Faults(seed), only=only, folder=folder)
    server = SandboxServer(sandboxes, host=host)
    context, ca = server_context(FOLDER / "ca", sandboxes) if tls else (None, None)
    try:
        await server.start(port, tls=context, one_port=tls)
    except OSError as error:
        raise OSError(f"port {port} of {host} cannot be had ({error.strerror}); --port takes another") from None
    scheme = "https" if tls else "http"
    url = f"http://{host}:{server.ports['http']}"
    with told_nearby("sandbox", url=url):
        vendors = {n: {"base_url": server.base_url(n, scheme), **s.credentials()} for n, s in sandboxes.items()}
        facts = {"url": url, "vendors": vendors, **({"ca": str(ca.resolve())} if ca else {})}
        if as_json:
            typer.echo(json.dumps(facts))
        else:
            _introduce({n: (s.title, s.summary()) for n, s in sandboxes.items()}, facts)
        await until_stopped()
        await server.close()


def _introduce(titles: dict[str, tuple[str, str]], facts: dict[str, Any]) -> None:
    from isthmus.cli.showing import say

    say("Isthmus sandbox: every vendor's protocol, on this machine", "bold")
    say()
    for name, (title, summary) in titles.items():
        say(f"  ✔ {title:<14} {facts['vendors'][name]['base_url']:<40} {summary}")
    if "ca" in facts:
        say(f"\n  Trust {facts['ca']} to speak HTTPS with it.")
    say(
        "\n  Credentials: isthmus sandbox --json     What people do there: isthmus sandbox verbs VENDOR     Stop: Ctrl-C"
    )
