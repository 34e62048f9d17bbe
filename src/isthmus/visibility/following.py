"""Follows the journal by position, and keeps what is asked again and again: promises in time, and counts by the hour.

So a page or a measure costs what it shows, not what was ever done.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from isthmus.landscape.release import ServiceLevel
from isthmus.store import journal, runs, service_levels, tallies
from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.service_levels import heard

PAGE = 500


def follow(tx: Transaction, levels: Iterable[ServiceLevel], now: datetime) -> int:
    """Go on to the journal's end, a page at a time; how many events were read."""
    if not service_levels.follow_alone(tx):
        return 0
    events, levels = journal.follow(tx, service_levels.position(tx), PAGE), tuple(levels)
    for event in events:
        run = runs.get_run(tx, event["run_id"]) if event["run_id"] else None
        heard(tx, levels, event, run or {})
        _count(tx, event, run or {})
    if events:
        service_levels.put_position(tx, events[-1]["position"])
        service_levels.withdraw(tx, instant(now))
    return len(events)


def _count(tx: Transaction, event: Row, run: Row) -> None:
    currency = run.get("currency") or ""
    tallies.add(
        tx,
        hour=event["at"][:13],
        type_=event["type"],
        unit=event["unit"] or "",
        currency=currency,
        amount=Decimal(run.get("amount") or 0) if currency else Decimal(0),
    )
