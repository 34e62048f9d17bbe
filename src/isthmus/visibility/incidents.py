"""Incidents: promises in trouble for one reason are one thing to tell, however many documents it holds up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from isthmus.landscape.release import ConnectionPlan, Release, ServiceLevel
from isthmus.store.clock import instant, moment
from isthmus.store.transaction import Row

#: how many keys and customers an alert names one by one
NAMED = 10


@dataclass(frozen=True)
class Incident:
    """What one desk is told: how many documents, whose, how much money, why, by when, and what to do."""

    desk: str
    level: str
    group_key: str
    cause: str
    mend: str
    late: int
    at_risk: int
    keys: tuple[str, ...]
    customers: tuple[str, ...]
    #: currency → sum, as text
    money: Mapping[str, str]
    first_due: str
    within_s: float
    #: numbers of the exceptions that hold them up
    exceptions: tuple[str, ...] = ()

    @property
    def documents(self) -> int:
        """How many documents it holds up."""
        return self.late + self.at_risk

    def title(self) -> str:
        """One line: ``order-created: 3 late, 1 at risk · Item X-200 is not sold in this sales area``."""
        parts = [f"{number} {word}" for number, word in ((self.late, "late"), (self.at_risk, "at risk")) if number]
        return f"{self.level}: {', '.join(parts)} · {self.cause}"

    def body(self, look: str | None = None) -> str:
        """What the desk reads, in plain text."""
        money = " · ".join(f"{Decimal(amount):,} {currency}" for currency, amount in self.money.items())
        verb = "was" if self.late else "is"
        lines = [
            f"Promised within {_words(self.within_s)}; the first {verb} due at {self.first_due[:16].replace('T', ' ')} UTC.",
            f"{self.documents} documents{f', {money}' if money else ''}: {_listed(self.keys, self.documents)}",
            f"Customers: {_listed(self.customers, len(self.customers))}" if self.customers else "",
            f"Why: {self.cause}",
            f"What to do: {self.mend}" if self.mend else "",
            f"Exceptions: {_listed(self.exceptions, len(self.exceptions))}" if self.exceptions else "",
            f"Look: {look}" if look else "",
        ]
        return "\n".join(line for line in lines if line)

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {**asdict(self), "documents": self.documents, "title": self.title()}


#: reads what ``to_json`` wrote
INCIDENT = TypeAdapter(Incident)


def incidents(release: Release, troubled: Iterable[Row], unread: Mapping[str, Row], now: datetime) -> list[Incident]:
    """What is in trouble now, grouped by desk, level and cause; the most urgent first."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in troubled:
        if row["level"] in release.service_levels:
            groups[row["level"], row["cause"] or f"late:{row['run_state']}"].append(row)
    found = [_of_runs(release.service_levels[level], cause, rows, now) for (level, cause), rows in groups.items()]
    for level in release.service_levels.values():
        for plan in release.connections.values():
            if plan.name in unread and _begins_there(level, plan):
                found += _of_messages(level, plan, unread[plan.name], now)
    return sorted(found, key=lambda incident: incident.first_due)


def _of_runs(level: ServiceLevel, cause: str, rows: list[Row], now: datetime) -> Incident:
    first = rows[0]
    money: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["amount"] is not None and row["currency"]:
            money[row["currency"]] += Decimal(row["amount"])
    late = sum(row["due_at"] < instant(now) for row in rows)
    customers = tuple(dict.fromkeys(row["customer"] for row in rows if row["customer"]))
    return Incident(
        desk=level.tell,
        level=level.name,
        group_key=f"{level.name}|{cause}",
        cause=first["said"] or _waits(first),
        mend=first["mend"] or "",
        late=late,
        at_risk=len(rows) - late,
        keys=tuple(row["about"] for row in rows[:NAMED]),
        customers=customers[:NAMED],
        money={currency: str(total) for currency, total in sorted(money.items())},
        first_due=first["due_at"],
        within_s=level.within_s,
        exceptions=tuple(f"EX-{row['exception']}" for row in rows[:NAMED] if row["exception"]),
    )


def _of_messages(level: ServiceLevel, plan: ConnectionPlan, waiting: Row, now: datetime) -> list[Incident]:
    """Messages that nobody has read yet, where the oldest is late already: no run of theirs could tell it."""
    due = moment(waiting["since"]) + timedelta(seconds=level.within_s)
    if due >= now:
        return []
    title = plan.connector.title
    return [
        Incident(
            desk=level.tell,
            level=level.name,
            group_key=f"{level.name}|unread:{plan.name}",
            cause=f"Messages of {title} wait unread, the oldest since {waiting['since'][:16].replace('T', ' ')} UTC",
            mend=f"see that workers run and that {title} can be reached",
            late=waiting["n"],
            at_risk=0,
            keys=(),
            customers=(),
            money={},
            first_due=instant(due),
            within_s=level.within_s,
        )
    ]


def _begins_there(level: ServiceLevel, plan: ConnectionPlan) -> bool:
    return any(take.event == level.begins for channel in plan.connector.inbound.values() for take in channel.takes)


def _waits(row: Row) -> str:
    if row["run_state"] == "waiting":
        until = f" until {row['goes_on_at'][:16].replace('T', ' ')} UTC" if row["goes_on_at"] else ""
        return f"It waits{until}"
    if row["run_state"] == "done":
        return "What comes next has not happened"
    return "It takes longer than promised"


def _words(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit if number > 1 else unit[:-1]}"
    return f"{seconds:g} seconds"


def _listed(names: tuple[str, ...], number: int) -> str:
    more = number - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 and names else "")
