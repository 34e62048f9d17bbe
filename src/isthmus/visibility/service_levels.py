"""Service levels, measured from the journal: from one business event to another of the same document.

``following`` keeps one row a promise, so a question costs what is open, not what was ever done. A promise whose run is stuck is in trouble before its time is over.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from isthmus.landscape.release import ServiceLevel
from isthmus.store import service_levels
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, Transaction

_PARKED = "isthmus.run.parked.v1"


@dataclass(frozen=True)
class Measured:
    """One level: open promises by state, those that ended in the time looked at, and how long the newest took (seconds)."""

    level: str
    on_time: int
    late: int
    at_risk: int
    met: int
    missed: int
    median_s: float | None
    p95_s: float | None

    @property
    def share_met(self) -> float | None:
        """The share of ended promises that were kept; None where none has ended."""
        ended = self.met + self.missed
        return self.met / ended if ended else None


def heard(tx: Transaction, levels: Iterable[ServiceLevel], event: Row, run: Row) -> None:
    """What a business event means for the levels: a promise begins, or was kept."""
    for level in levels:
        if event["type"] in (level.begins, _PARKED):
            _begin(tx, level, event, run)
        if event["type"] == level.ends:
            service_levels.kept(tx, level.name, about(event), event["at"])


def about(event: Row) -> str:
    """The business key that an event is about, without generation and part: what two events of one document share."""
    key = json.loads(event["data"]).get("key") or event["business_key"] or event["run_id"] or ""
    return str(key).partition("~")[0].partition(":")[0]


def measure(
    tx: Transaction, levels: Mapping[str, ServiceLevel], now: datetime, over: timedelta, *, newest: int = 10_000
) -> list[Measured]:
    """How each level stands now, and how it was kept over the last hours or days; how long the ``newest`` took."""
    since = instant(now - over)
    counted: dict[tuple[str, str], int] = {
        (row["level"], row["state"]): row["n"] for row in service_levels.counts(tx, since, instant(now))
    }
    stuck = service_levels.at_risk(tx, instant(now))
    found = []
    for name in levels:
        took = sorted(_seconds(row) for row in service_levels.spans(tx, name, since, newest))
        at_risk = stuck.get(name, 0)
        found.append(
            Measured(
                level=name,
                on_time=counted.get((name, "on_time"), 0) - at_risk,
                late=counted.get((name, "late"), 0),
                at_risk=at_risk,
                met=counted.get((name, "met"), 0),
                missed=counted.get((name, "missed"), 0),
                median_s=statistics.median(took) if took else None,
                p95_s=took[min(len(took) - 1, int(len(took) * 0.95))] if took else None,
            )
        )
    return found


def _begin(tx: Transaction, level: ServiceLevel, event: Row, run: Row) -> None:
    if event["type"] == _PARKED and (run.get("event") != level.begins or run["input"] is not None):
        return  # only what could not even be read has not said that it began
    begun = event["at"]
    if run and event["type"] in (run["event"], _PARKED):
        begun = service_levels.came_in_at(tx, run["id"], event["at"]) or begun
    facts = {name: run.get(name) for name in ("unit", "customer", "amount", "currency")}
    due = instant(moment(begun) + timedelta(seconds=level.within_s))
    row = {"level": level.name, "about": about(event), "run_id": event["run_id"] or "", **facts}
    service_levels.began(tx, {**row, "begun_at": begun, "due_at": due})


def _seconds(row: Row) -> float:
    return (moment(row["ended_at"]) - moment(row["begun_at"])).total_seconds()
