"""Today: what the business sees. Orders, invoices and credits by the hour, money parked, promises at risk, vendors' health."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.console.drawing import bars
from isthmus.store import exceptions, permits, polls, runs, service_levels, tallies, workers
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.service_levels import measure

HOURS = 24
#: business events that are counted, and what they are called
SERIES = {
    "isthmus.quote.accepted.v1": "Deals won",
    "isthmus.order.created.v1": "Orders",
    "isthmus.invoice.created.v1": "Invoices",
    "isthmus.credit.created.v1": "Credits",
}


async def today(request: Request, desk: Desk) -> Response:
    """The day at a glance; every number leads to what it counts."""
    release, now = desk.engine.release, desk.store.clock()
    hours = [f"{now - timedelta(hours=HOURS - 1 - back):%Y-%m-%dT%H}" for back in range(HOURS)]

    def work(tx: Transaction) -> dict[str, Any]:
        counted = tallies.since(tx, hours[0])
        groups = exceptions.open_groups(tx)
        return {
            "open": runs.open_counts(tx),
            "chart": bars(hours, _by_hour(counted)),
            "totals": _totals(counted),
            "groups": groups[:8],
            "exceptions": sum(group["count"] for group in groups),
            "at_risk": _money(groups),
            "levels": measure(tx, release.service_levels, now, timedelta(hours=HOURS), newest=0),
            "alerts": service_levels.open_alerts(tx),
            "connections": _health(tx, desk, now),
            "workers": len(workers.living(tx)),
        }

    return desk.page(request, "today.html", {**await desk.store.read(work), "series": SERIES})


def _by_hour(counted: list[Row]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {title: defaultdict(int) for title in SERIES.values()}
    for row in counted:
        if row["type"] in SERIES:
            found[SERIES[row["type"]]][row["hour"]] += row["n"]
    return found


def _totals(counted: list[Row]) -> list[dict[str, Any]]:
    numbers: dict[str, int] = defaultdict(int)
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in counted:
        numbers[row["type"]] += row["n"]
        if row["currency"]:
            sums[row["type"]][row["currency"]] += Decimal(row["amount"])
    return [
        {"type": type_, "title": title, "n": numbers[type_], "money": sorted(sums[type_].items())}
        for type_, title in SERIES.items()
    ]


def _money(groups: list[dict[str, Any]]) -> list[tuple[str, Decimal]]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for group in groups:
        for currency, amount in group["at_risk"].items():
            found[currency] += Decimal(amount)
    return sorted(found.items())


def _health(tx: Transaction, desk: Desk, now: datetime) -> list[dict[str, Any]]:
    rows = {row["connection"]: row for row in permits.all_permits(tx)}
    polled = polls.latest(tx)
    unread = service_levels.unread(tx)
    return [
        _of_connection(name, rows.get(name), polled.get(name), unread.get(name), now)
        for name in desk.engine.release.connections
    ]


def _of_connection(
    name: str, permit: Row | None, poll: Row | None, unread: Row | None, now: datetime
) -> dict[str, Any]:
    state, until = "well", None
    for column, word in (("open_until", "broken"), ("blocked_until", "throttled")):
        if permit and permit[column] and moment(permit[column]) > now:
            state, until = word, permit[column]
            break
    if state == "well" and poll and str(poll["outcome"] or "").startswith("failed"):
        state = "poll failed"
    left = permit["remaining"] if permit and permit["remaining"] is not None and permit["remaining"] >= 0 else None
    return {
        "name": name, "state": state, "until": until, "left": left, "unread": unread["n"] if unread else 0,
        "polled_at": poll and poll["polled_at"], "said": poll and poll["said"], "now": instant(now),
    }  # fmt: skip
