"""``isthmus serve``: runs a landscape. Takes calls (web), plays processes (worker), or both in one process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from isthmus.cli.place import Database, Environment
from isthmus.cli.showing import AsJson

if TYPE_CHECKING:
    import uvicorn

    from isthmus.cli.bootstrap import System
    from isthmus.gateway.health import Presence
    from isthmus.orchestration.dispatch import Worker

As = Literal["web", "worker", "all"]
PORT = 8410
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    landscape: Annotated[Path, typer.Argument(help="the landscape's folder", show_default="here")] = Path(),
    environment: Environment = "dev",
    database: Database = None,
    as_: Annotated[As, typer.Option("--as", help="web takes calls, worker plays, all does both")] = "all",
    port: Annotated[int, typer.Option(help="port of the gateway; 0 takes a free one")] = PORT,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    slots: Annotated[int, typer.Option(min=1, help="how many runs one worker plays side by side")] = 64,
    linger: Annotated[
        float,
        typer.Option(
            min=0, max=60, help="seconds in which calls are still taken after SIGTERM, while readiness says no"
        ),
    ] = 0.0,
    visitor: Annotated[
        str, typer.Option("--visitor", hidden=True, help="let callers in without a key, under this name")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Run a landscape until stopped. SIGTERM drains: plays reach their next step, what is left is handed back.

    Any number of processes may share one PostgreSQL: who dies is replaced by the others within seconds. Behind a
    balancer give those that take calls time to be noticed as they go: --linger.

    \b
    On one machine:        isthmus serve acme
    Spread out:            isthmus serve acme -e prod --as web --host 0.0.0.0 --linger 10
                           isthmus serve acme -e prod --as worker        (as many as you like)
    """
    import uvloop

    if visitor and host not in _LOOPBACK:
        raise ValueError(f"--visitor opens the API without keys and is for demos on this machine only, not on {host}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(landscape, environment, database, as_, host, port, slots, linger, visitor or None, as_json))


async def _serve(
    folder: Path, environment: str, database: str | None, as_: As, host: str, port: int, slots: int, linger: float,
    visitor: str | None, as_json: bool,
) -> None:  # fmt: skip
    from isthmus.cli.bootstrap import open_system, set_up_log, tune_memory
    from isthmus.cli.nearby import told_nearby
    from isthmus.gateway.health import Presence
    from isthmus.orchestration.dispatch import Worker
    from isthmus.orchestration.jobs.keeper import keep_jobs

    set_up_log()
    system = await open_system(folder, environment, database, to_stay=True)
    worker = Worker(system.engine, slots=slots) if as_ in ("worker", "all") else None
    presence = Presence()
    web = _web(system, worker, host, port, visitor, presence) if as_ in ("web", "all") else None
    tune_memory()
    tasks = [asyncio.create_task(worker.run())] if worker else []
    jobs = asyncio.create_task(keep_jobs(system.engine, worker, system.database)) if worker else None
    lingers = 0.0
    try:
        if web is not None:
            tasks.append(asyncio.create_task(_listening(web, host, port)))
            await _started(web, tasks)
        facts = _facts(system, web, folder, environment, as_)
        with told_nearby("serve", **facts):
            _introduce(facts, system, as_json)
            if await _until_stopped_or_failed(tasks) is signal.SIGTERM:
                presence.leaving = True
                lingers = linger
    finally:
        if worker is not None:
            worker.stop()
        if jobs is not None:
            jobs.cancel()
        if web is not None:
            await asyncio.sleep(lingers)
            web.should_exit = True
        results = await asyncio.gather(*tasks, *([jobs] if jobs else []), return_exceptions=True)
        await system.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def _web(
    system: System, worker: Worker | None, host: str, port: int, visitor: str | None, presence: Presence
) -> uvicorn.Server:
    import uvicorn

    from isthmus.console.app import ROOT, create_console
    from isthmus.gateway.app import create_app
    from isthmus.gateway.listening import configured

    class Server(uvicorn.Server):
        """Signals are ours: the worker must drain too."""

        def capture_signals(self) -> Any:
            """Nothing to capture."""
            return nullcontext()

    wake = worker.wake if worker else _nobody
    app = create_app(system.engine, system.settings, wake, anonymous=visitor, presence=presence)
    app.mount(ROOT, create_console(system.engine, wake, anonymous=visitor))
    return Server(configured(app, host=host, port=port))


async def _listening(web: uvicorn.Server, host: str, port: int) -> None:
    try:
        await web.serve()
    except SystemExit:
        raise OSError(f"port {port} of {host} cannot be had; --port takes another") from None


async def _started(web: uvicorn.Server, tasks: list[asyncio.Task[None]]) -> None:
    while not web.started:
        await asyncio.sleep(0.01)
        for task in tasks:
            if task.done():
                task.result()
                raise OSError("the gateway ended before it began")


async def _until_stopped_or_failed(tasks: list[asyncio.Task[None]]) -> signal.Signals | None:
    """The signal by which we are to stop; None where something ended by itself."""
    from isthmus.cli.signals import until_stopped

    stopped = asyncio.create_task(until_stopped())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        return stopped.result()
    stopped.cancel()
    return None


def _facts(system: System, web: uvicorn.Server | None, folder: Path, environment: str, as_: As) -> dict[str, Any]:
    url = None
    if web is not None:
        address = web.servers[0].sockets[0].getsockname()
        url = f"http://{address[0]}:{address[1]}"
    return {
        "url": url,
        "landscape": str(folder.resolve()),
        "environment": environment,
        "database": system.database,
        "release": system.release.id,
        "as": as_,
    }


def _introduce(facts: dict[str, Any], system: System, as_json: bool) -> None:
    from isthmus.cli.showing import say, say_json

    if as_json:
        say_json(facts, lines=True)
        return
    release = system.release
    say(f"Isthmus serves {release.name}, release {release.id}", "bold")
    say(f"  plays      {', '.join(release.processes)}" if facts["as"] != "web" else "  plays nothing here (--as web)")
    say(f"  connected  {', '.join(release.connections)}")
    if facts["url"]:
        say(f"  console    {facts['url']}/console     (isthmus people add NAME lets somebody in)")
        say(
            f"  gateway    {facts['url']}     webhooks {facts['url']}/webhooks/CONNECTION     API {facts['url']}/openapi.json"
        )
    say("  Ask: isthmus runs list · isthmus exceptions list · isthmus explain ID     Stop: Ctrl-C")


def _nobody() -> None:
    """Workers elsewhere look by themselves."""
