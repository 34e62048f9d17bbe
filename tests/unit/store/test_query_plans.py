"""Claim, take, due and what every worker asks all day find their rows by an index: no plan scans a large table."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.support.engine import Place

from isthmus.orchestration.dispatch import _anything
from isthmus.store import (
    approvals,
    audit,
    effects,
    exceptions,
    messages,
    runs,
    service_levels,
    tallies,
    waits,
    workers,
)
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction
from isthmus.visibility.timeline import found_by

LARGE = {"message", "run", "effect", "history", "journal", "attempt", "late_answer", "cross_reference", "awaited", "exception",
         "approval", "service_level", "audit", "tally"}  # fmt: skip
NOW = "2026-01-01T00:00:00.000000Z"
ASKED = {
    "claim": lambda tx: messages.claim_messages(tx, most=5, plan=lambda _: [], release="r", now=NOW),
    "take due": lambda tx: runs.take_due(tx, holder="w", most=5, now=NOW),
    "take one": lambda tx: runs.take(tx, "r", "w", NOW),
    "suspect": lambda tx: runs.suspect_due(tx, NOW),
    "anything": _anything(NOW),
    "abandoned": lambda tx: workers.abandoned(tx, "w"),
    "held": lambda tx: runs.held_by(tx, "w"),
    "look once more": lambda tx: effects.to_look_at(tx, NOW, 10),
    "retries": lambda tx: exceptions.due_retries(tx, NOW),
    "effects of a run": lambda tx: effects.effects_of(tx, "r"),
    "latest": lambda tx: runs.latest(tx, "s", "p"),
    "end of parts": lambda tx: effects.end_parts(tx, "k", {"doubt": 0}),
    "late answers": lambda tx: effects.compared(tx, "k", NOW),
    "wake who waits": lambda tx: waits.tell(tx, "e", "a", NOW),
    "found by words": lambda tx: runs.by_words(tx, "1,000.00", 50),
    "found by id": lambda tx: found_by(tx, "4500001", 50),
    "runs": lambda tx: runs.list_runs(tx, state=None, process="p", text=None, limit=50, before=NOW),
    "runs by state": lambda tx: runs.list_runs(tx, state="done", process=None, text=None, limit=50, before=None),
    "open runs": runs.open_counts,
    "groups": exceptions.open_groups,
    "equal ones": lambda tx: exceptions.count_open(tx, "g"),
    "ended exceptions": lambda tx: exceptions.list_exceptions(tx, state="ended", unit="u"),
    "decided": lambda tx: approvals.list_decided(tx, 50),
    "the day": lambda tx: (
        service_levels.at_risk(tx, NOW),
        service_levels.counts(tx, NOW, NOW),
        service_levels.spans(tx, "l", NOW, 9),
        tallies.since(tx, NOW),
    ),
    "audit": lambda tx: audit.lines(tx, "EX-7"),
    "next generation": lambda tx: runs._next_generation(tx, "r", NOW),
}


class Explaining(Transaction):
    """Runs what it is asked, and keeps the plan of each statement."""

    def __init__(self, inner: Transaction) -> None:
        super().__init__(inner._connection, inner.dialect)
        self.plans: list[str] = []

    def _execute(self, sql: str, values: Any) -> Any:
        explain = "EXPLAIN QUERY PLAN " if self.dialect == "sqlite" else "EXPLAIN "
        rows = super()._execute(explain + sql, values).fetchall()
        self.plans += [str(row.get("detail") or row.get("QUERY PLAN")) for row in rows]
        return super()._execute(sql, values)


@pytest.mark.parametrize("name", ASKED)
def test_no_scan_on_sqlite(name: str) -> None:
    with Place() as place:
        tx = Explaining(Store.open_connection(place.url))
        tx.begin()
        ASKED[name](tx)
        tx.rollback()
        tx._connection.close()
    scans = [
        plan for plan in tx.plans if re.match(r"SCAN \w+", plan) and "USING" not in plan and "CONSTANT" not in plan
    ]
    scans += [plan for plan in tx.plans if name == "the day" and plan.startswith("SCAN ")]
    aliases = {"m": "message", "e": "message", "r": "run", "a": "awaited", "o": "run", "n": "run", "s": "service_level"}
    assert [plan for plan in scans if aliases.get(plan.split()[1], plan.split()[1]) in LARGE] == []
    assert tx.plans


@pytest.mark.postgres
@pytest.mark.parametrize("name", ASKED)
def test_no_scan_on_postgresql(name: str) -> None:
    """On empty tables a scan is cheapest, so it is forbidden: where one is left, no index could have served."""
    with Place("postgresql") as place:
        tx = Explaining(Store.open_connection(place.url))
        tx._connection.execute("SET enable_seqscan = off")
        ASKED[name](tx)
        tx.rollback()
        tx._connection.close()
    found = [re.search(r"Seq Scan on (\w+)", plan) for plan in tx.plans]
    assert [scan[1] for scan in found if scan and scan[1] in LARGE] == []
