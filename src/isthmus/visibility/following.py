"""Follows the journal by position, and keeps what is asked again and again: promises in time, and counts by the hour.

So a page or a measure costs what it shows, not what was ever done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from isthmus.landscape.release import ServiceLevel
from isthmus.store import journal, runs, service_levels, tallies
from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.service_levels import heard

PAGE = 500
APPROVAL = "approval"
#: what of an approval its deciders are told, and in which words
_ASKED = {
    "isthmus.approval.requested.v1": "Approval asked",
    "isthmus.approval.reminded.v1": "Still to be decided",
    "isthmus.approval.escalated.v1": "Nobody has decided yet",
}


def follow(tx: Transaction, levels: Iterable[ServiceLevel], now: datetime) -> int:
    """Go on to the journal's end, a page at a time; how many events were read."""
    if not service_levels.follow_alone(tx):
        return 0
    events, levels = journal.follow(tx, service_levels.position(tx), PAGE), tuple(levels)
    for event in events:
        run = runs.get_run(tx, event["run_id"]) if event["run_id"] else None
        heard(tx, levels, event, run or {})
        _count(tx, event, run or {})
        if (word := _ASKED.get(event["type"])) is not None:
            _ask(tx, event, word)
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


def _ask(tx: Transaction, event: Row, word: str) -> None:
    """A message to a desk about an approval: told once, by the same ways as alerts."""
    asked = json.loads(event["data"])
    row = {
        "desk": asked.get("to") or asked["policy"],
        "level": APPROVAL,
        "group_key": f"{APPROVAL}|{asked['approval']}|{event['position']}",
        "title": f"{word}: {asked['about']}",
        "data": {"approval": asked["approval"], "due_at": asked.get("due_at"), "type": event["type"]},
        "opened_at": event["at"],
        "ended_at": event["at"],
        "tell_at": event["at"],
    }
    service_levels.tell_once(tx, row)
