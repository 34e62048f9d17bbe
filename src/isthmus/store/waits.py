"""Events that end waits before their time: who waits for which event about what, and whether it came.

An event only means "look again". So one that comes twice, or for a run that waits for something else by now, is
harmless; one that comes between a run's look and its wait is not missed, because whoever begins to listen has heard
something already: it looks once more before it waits.
"""

from __future__ import annotations

from collections.abc import Iterable

from isthmus.store.runs import OPEN, Fence, hold, wake
from isthmus.store.transaction import Transaction


def listen(tx: Transaction, fence: Fence, event: str, about: Iterable[str]) -> bool:
    """Wait for an event about any of these; whether one may have come since the run last looked. Raises FenceLost."""
    hold(tx, fence)
    heard = 0
    for each in sorted(set(about)):
        row = {"event": event, "about": each, "run_id": fence.run_id}
        tx.insert_new("awaited", row)
        heard += tx.run(
            "UPDATE awaited SET heard = 0 WHERE event = :event AND about = :about AND run_id = :run_id AND heard = 1",
            row,
        )
    return heard > 0


def tell(tx: Transaction, event: str, about: str, now: str) -> list[str]:
    """An event came: whoever waits for it is woken; the runs. Runs that have ended wait for nothing any more."""
    found = tx.rows(
        "SELECT a.run_id, r.state FROM awaited a JOIN run r ON r.id = a.run_id"
        " WHERE a.event = :event AND a.about = :about ORDER BY a.run_id",
        {"event": event, "about": about},
    )
    for row in found:
        key = {"event": event, "about": about, "run_id": row["run_id"]}
        if row["state"] in OPEN:
            wake(tx, row["run_id"], now)  # the run's row first, as listen does
            tx.run("UPDATE awaited SET heard = 1 WHERE event = :event AND about = :about AND run_id = :run_id", key)
        else:
            tx.run("DELETE FROM awaited WHERE event = :event AND about = :about AND run_id = :run_id", key)
    return [row["run_id"] for row in found if row["state"] in OPEN]
