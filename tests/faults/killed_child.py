"""A worker in a process of its own, which kills itself with SIGKILL at its point: ``killed_child.py JSON``."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any, NoReturn

from tests.support.engine import Life, Points

from isthmus.store.clock import MovableClock


class DeadlyPoints(Points):
    """At its point the whole process is gone."""

    def end(self) -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise SystemExit


def main(said: dict[str, Any]) -> None:
    world = SimpleNamespace(url=said["vendor"], faults=[])
    place: Any = SimpleNamespace(
        url=said["database"], clock=MovableClock(), world=world, messages=said["messages"], people=None
    )
    with Life(place, DeadlyPoints(said["kill_at"])) as life:
        life.until_quiet()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
