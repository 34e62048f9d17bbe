"""``isthmus chaos``: quote to cash while everything fails, then an audit that finds whatever was lost or doubled."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.showing import AsJson

if TYPE_CHECKING:
    from isthmus.cli.chaos import report
    from isthmus.cli.chaos.crew import Crew
    from isthmus.cli.chaos.ground import Ground
    from isthmus.cli.chaos.plan import Blow
    from isthmus.cli.chaos.verdict import Outcome
    from isthmus.cli.chaos.watch import Watch

_SLOTS = 16
_AHEAD_EACH = 24
_STALLED_S = 120.0
_LOOK_S = 0.1
_RESEND_S = 5.0


def chaos(
    orders: Annotated[int, typer.Option(min=1, max=100_000, help="how many deals are closed")] = 100,
    seed: Annotated[int, typer.Option(help="which company, deals, faults and blows")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=32, help="1: one process that does everything; more: a gateway and so many workers")] = 1,
    postgres: Annotated[bool, typer.Option("--postgres", help="on the bundled PostgreSQL, which starts by itself; else SQLite")] = False,
    blows: Annotated[int | None, typer.Option(min=0, help="how often processes are killed or frozen", show_default="by the orders")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try to make Isthmus lose or double something, and audit the books of all systems.

    \b
    Deals are closed at stand-ins that limit, fail, cut answers, deliver twice and out of order, and let effects land
    late; processes of Isthmus are killed with SIGKILL and frozen with SIGSTOP. Then the trouble ends, everything comes
    to rest, and every row in every system is held against what was asked for. Ends with 1 on any breach.

    \b
    isthmus chaos --orders 300 --seed 7 --workers 3 --postgres
    isthmus chaos --orders 100 --seed 2 --json
    """
    from isthmus.cli.chaos import report
    from isthmus.cli.chaos.ground import ground
    from isthmus.cli.chaos.watch import Watch
    from isthmus.cli.demo.script import read_script

    folder = Path(tempfile.mkdtemp(prefix="isthmus-chaos-"))
    begun = time.monotonic()
    holds = False
    try:
        with ground(read_script(), folder, seed, postgres=postgres) as place:
            watch = Watch(place.database)
            try:
                crew, outcome = _played(place, watch, orders, seed, workers, blows, report.progress(as_json, orders))
                facts = report.facts(place, watch, crew, outcome, seconds=time.monotonic() - begun)
                facts = {"seed": seed, "workers": workers, "database": "postgresql" if postgres else "sqlite", **facts}
            finally:
                watch.close()
        holds = outcome.holds
        report.told(facts, folder, as_json)
    finally:
        if holds:
            shutil.rmtree(folder, ignore_errors=True)
    if not holds:
        raise typer.Exit(1)


def _played(
    ground: Ground, watch: Watch, orders: int, seed: int, workers: int, blows: int | None, progress: report.Progress
) -> tuple[Crew, Outcome]:
    """Faults on, deals and blows; faults off, rest; the audit."""
    from isthmus.cli.chaos import plan
    from isthmus.cli.chaos.crew import Crew
    from isthmus.cli.chaos.verdict import books_of, judged
    from isthmus.cli.demo.script import filled

    serve = [str(ground.landscape), "--database", ground.database, "--slots", str(_SLOTS)]
    crew = Crew(ground.folder, serve, ground.port, workers)
    try:
        crew.start()
        deals, seeded = ground.stage.script.whole["deals"], ground.stage.script.seeded
        if orders > seeded:
            ground.stage.do(filled(deals["make"], {"first": seeded, "count": orders - seeded, "seed": seed}))
        before = books_of(ground)
        ground.stage.set_faults(plan.rules(ground.stage.script.systems), seed)
        numbers = ground.stage.script.numbers(orders)
        coming = plan.bursts(seed, numbers)
        _deal(ground, watch, crew, coming, plan.blows(seed, orders, blows), orders, workers, progress)
        ground.stage.set_faults([], seed)
        unrest = _rest(ground, watch, crew, orders)
    finally:
        crew.stop()
    outcome = judged(ground, watch, before, numbers)
    outcome.breaches += [(f"after the trouble it did not come to rest: {unrest}", "")] if unrest else []
    outcome.breaches += [(sentence, "") for sentence in crew.ended]
    return crew, outcome


def _deal(
    ground: Ground, watch: Watch, crew: Crew, coming: Iterator[list[str]], blows: list[Blow], orders: int, workers: int,
    progress: report.Progress,
) -> None:  # fmt: skip
    """Close all deals, never too many ahead, and strike as planned, until all rest or nothing moves any more."""
    from isthmus.cli.demo.script import filled

    win = ground.stage.script.whole["deals"]["win"]
    closed = resting = 0
    moved = time.monotonic()
    while time.monotonic() - moved < _STALLED_S:
        crew.tend()
        watch.decide()
        now = watch.resting()
        if now != resting:
            resting, moved = now, time.monotonic()
            progress(resting, orders)
        watch.note_tokens()
        if blows and (resting / orders >= blows[0].at or resting == closed == orders) and crew.strike(blows[0]):
            blows.pop(0)
        while closed - resting < _AHEAD_EACH * workers and (burst := next(coming, None)):
            ground.stage.do(filled(win, {"opportunities": ",".join(burst)}))
            closed += len(burst)
        if not blows and closed == resting == orders:
            return
        time.sleep(_LOOK_S)


def _rest(ground: Ground, watch: Watch, crew: Crew, orders: int) -> str:
    """Wait until nothing moves any more, while a person replays what trouble has parked; what still moves, in words."""
    from isthmus.cli.chaos.plan import latest_s

    begun = asked = time.monotonic()
    quiet_since: float | None = None
    while True:
        crew.tend()
        watch.note_tokens()
        watch.decide()
        watch.replay()
        unrest = watch.unrest()
        waiting = sum(about["pushes_waiting"] for about in ground.stage.desk()["vendors"].values())
        now = time.monotonic()
        if waiting and crew.all_back() and now - asked > _RESEND_S and _answers(ground):
            asked = now
            _redeliver(ground)
        if unrest or waiting or not crew.all_back():
            quiet_since = None
        elif quiet_since is None:
            quiet_since = now
        elif now - quiet_since > latest_s():
            return ""
        if now - begun > _STALLED_S + orders:
            return f"{unrest}; {waiting} deliveries wait"
        time.sleep(_LOOK_S * 3)


def _redeliver(ground: Ground) -> None:
    """Press the vendors' resend buttons: some would wait an hour before their next attempt."""
    for vendor in ground.stage.script.systems.values():
        ground.stage.desk(vendor, "redeliver")


def _answers(ground: Ground) -> bool:
    from isthmus.cli.desk import call

    try:
        call(f"{ground.stage.gateway}/health/ready")
    except (OSError, ValueError):
        return False
    return True
