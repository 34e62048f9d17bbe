"""What a chaos run tells: its progress, the figures, and the history of every offender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from isthmus.cli.chaos.crew import Crew
from isthmus.cli.chaos.ground import Ground
from isthmus.cli.chaos.verdict import Outcome
from isthmus.cli.chaos.watch import Watch
from isthmus.cli.demo.outcome import RULES as _OF_EFFECTS

#: what makes a repeat harmless: the ``once`` of an effect, the id of a message, the run that its subject has already
RULES = {**_OF_EFFECTS, "message": "message id", "subject": "run of the subject"}
Progress = Callable[[int, int], None]
_HISTORIES_MAX = 10
_STEP = 10  # percent


def progress(as_json: bool, goal: int) -> Progress:
    """Tells how far it is, a line for each tenth; to nobody where a machine reads."""
    from isthmus.cli.showing import say

    last = 0

    def tell(done: int, of: int) -> None:
        nonlocal last
        tenth = 100 * done // of // _STEP * _STEP
        if tenth > last:
            last = tenth
            say(f"  {tenth:3d} %   {done} of {of} deals rest")

    if as_json:
        return lambda done, of: None
    say(f"Isthmus chaos · {goal} deals while everything fails", "bold")
    return tell


def facts(ground: Ground, watch: Watch, crew: Crew, outcome: Outcome, *, seconds: float) -> dict[str, Any]:
    """Everything as one JSON-like object; histories of offenders where there are any."""
    found = outcome.verdict
    return {
        "holds": outcome.holds,
        "accepted": outcome.orders,
        "completed": found.completed,
        "parked": found.parked,
        "lost": outcome.lost,
        "doubled": found.doubled,
        "repaired": outcome.repaired,
        "cents_off": found.cents_off,
        "unasked": outcome.unasked,
        "unreported": found.unreported,
        "traced": outcome.traces.traced,
        "kills": crew.kills,
        "freezes": crew.freezes,
        "faults": sum(outcome.faults.values()),
        "faults_by_kind": dict(sorted(outcome.faults.items())),
        "repeats_harmless": sum(n for rule, n in outcome.repeats.items() if rule in RULES),
        "repeats_harmless_by": {RULES[r]: n for r, n in sorted(outcome.repeats.items()) if r in RULES},
        "secrets_searched": outcome.secrets,
        "webhooks": outcome.webhooks,
        "messages": outcome.messages,
        "approved": watch.approved,
        "replayed": watch.replayed,
        "parked_for": outcome.parked_for,
        "sums": found.sums,
        "seconds": round(seconds, 1),
        "findings": [sentence for sentence, _ in outcome.findings],
        "histories": _histories(ground, (key for _, key in outcome.findings if key)),
    }


def told(found: dict[str, Any], folder: Path, as_json: bool) -> None:
    """Print it all."""
    from isthmus.cli.showing import say, say_json

    if as_json:
        say_json(found if found["holds"] else {**found, "folder": str(folder)}, lines=True)
        return
    say()
    say(f"  seed {found['seed']} · {found['workers']} worker(s) · {found['database']} · {found['seconds']} s")
    say(f"  Faults met: {found['faults']}   ({_counted(found['faults_by_kind'])})")
    say(
        f"  Survived: {found['kills']} kills, {found['freezes']} freezes; {found['webhooks']} calls in, {found['messages']} messages"
    )
    say(f"  Repeats made harmless: {found['repeats_harmless']}   ({_counted(found['repeats_harmless_by'])})")
    say(
        f"  Parked for a person: {found['parked']}   ({_counted(found['parked_for'])}; replayed after trouble: {found['replayed']})"
    )
    say(
        f"  Traced to an effect of ours: {found['traced']} rows in the systems, {found['unasked']} that nobody asked for"
    )
    say(f"  Searched for {found['secrets_searched']} secrets: rows, logs, traces and what was printed")
    figures = ("accepted", "completed", "parked", "lost", "doubled", "repaired", "cents_off")
    style = "bold green" if found["holds"] else "bold red"
    say("  " + " · ".join(f"{found[name]} {name.replace('_', ' ')}" for name in figures), style)
    for sentence in found["findings"]:
        say(f"  ✗ {sentence}", "red")
    for history in found["histories"]:
        say(f"\n{history['title']}", "bold")
        for line in history["lines"]:
            say(f"  {line}")
    if not found["holds"]:
        say(f"\nEverything is kept in {folder}")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()) or "none"


def _histories(ground: Ground, keys: Iterable[str]) -> list[dict[str, Any]]:
    """The runs behind some keys, told in sentences, with every call beneath."""
    wanted = list(dict.fromkeys(keys))[:_HISTORIES_MAX]
    return asyncio.run(_told_of(ground.database, wanted)) if wanted else []


async def _told_of(database: str, keys: list[str]) -> list[dict[str, Any]]:
    from isthmus.store.store import Store
    from isthmus.visibility.sentences import account
    from isthmus.visibility.timeline import find_runs, timeline

    store, found = Store(database), []
    try:
        for key in keys:
            for run in await find_runs(store, key):
                told_run = await timeline(store, run["id"])
                if told_run is None:
                    continue
                one = account(told_run)
                lines = [(line.at, line.text) for line in one.lines] + [_call(call) for call in told_run["calls"]]
                found.append(
                    {
                        "key": key,
                        "run": run["id"],
                        "title": one.title,
                        "lines": [f"{at}  {text}" for at, text in sorted(lines)],
                    }
                )
    finally:
        store.close()
    return found


def _call(call: dict[str, Any]) -> tuple[str, str]:
    detail = f": {call['detail']}" if call["detail"] else ""
    status = call["status"] or ""
    return call[
        "at"
    ], f"    {call['method']} {call['path'][:80]} {status} {call['outcome']} in {call['took_us'] / 1e6:.3f} s{detail}"
