"""The acts: deals are closed, goods leave and are invoiced, what is parked is mended. Each waits until it has settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from isthmus.cli.demo.script import filled
from isthmus.cli.demo.stage import Stage

MAIN = "quote-to-cash"
_NUMBERING = "invoice-numbering"
_PAGE = 500
_CHUNK_MAX = 50
OVER = ("done", "undone", "ignored")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Mend:
    """What a clerk does about one exception: the mend there, then the replay here."""

    exception: dict[str, Any]
    command: str | None

    @property
    def number(self) -> str:
        """``EX-3``."""
        return str(self.exception["number"])

    @property
    def commands(self) -> list[str]:
        """The two commands, as they are typed."""
        mend = [f"isthmus sandbox {self.command}"] if self.command else []
        return [*mend, f"isthmus exceptions retry {self.number}"]


def close_deals(stage: Stage, count: int, seed: int, progress: Progress) -> list[str]:
    """Win ``count`` opportunities and wait until every one is done or parked; their numbers."""
    deals, seeded = stage.script.whole["deals"], stage.script.seeded
    if count > seeded:
        stage.do(filled(deals["make"], {"first": seeded, "count": count - seeded, "seed": seed}))
    numbers = stage.script.numbers(count)
    chunk = max(1, min(_CHUNK_MAX, count // 5))
    for at in range(0, count, chunk):
        stage.do(filled(deals["win"], {"opportunities": ",".join(numbers[at : at + chunk])}))
        progress(0, count)
    until(lambda: _settled(stage, set(numbers)), count, progress, patience_s=60 + count / 5)
    return numbers


def deliver_and_bill(stage: Stage, orders: list[str], progress: Progress) -> int:
    """For a few of these orders goods leave, the ledger invoices, one is paid; wait until the legal numbers went round."""
    after = stage.script.whole["afterwards"]
    delivered = list(islice((order for order in orders if _delivered(stage, order)), int(after["orders"])))
    documents: list[str] = []
    for command in after["then"]:
        documents += stage.do(command).get("billing_documents", [])
    for order in delivered[:1]:
        with suppress(ValueError):  # its card has paid already
            stage.do(filled(after["paid"], {"order": order}))
    wanted = set(documents)
    until(lambda: len(wanted & _ended(stage, _NUMBERING)), len(wanted), progress, patience_s=60)
    return len(wanted)


def parked(stage: Stage, numbers: list[str]) -> list[Mend]:
    """What is parked among these opportunities, oldest first, each with its remedy."""
    wanted = set(numbers)
    rows = [row for row in stage.api("/api/exceptions?limit=1000")["exceptions"] if row["business_key"] in wanted]
    customers = {row["key"]: row["customer_number"] for row in _opportunities(stage)} if rows else {}
    facts = [{"customer_number": customers.get(row["business_key"], "")} for row in rows]
    return [Mend(row, stage.script.mend(row, each)) for row, each in zip(rows, facts, strict=True)]


def mend(stage: Stage, mends: list[Mend], progress: Progress) -> None:
    """Do the mends, replay, and wait until the replays have settled."""
    for one in mends:
        if one.command:
            stage.do(one.command)
    numbers = {str(one.exception["business_key"]) for one in mends if one.command}
    for one in mends:
        if one.command:
            stage.api(f"/api/exceptions/{one.number}/retry", body={})
    until(lambda: _settled(stage, numbers), len(numbers), progress, patience_s=60)


def runs(stage: Stage, process: str) -> Iterator[dict[str, Any]]:
    """All runs of a process, newest first."""
    before = ""
    while True:
        page = stage.api(f"/api/runs?process={process}&limit={_PAGE}{before}")
        yield from page["runs"]
        if not page["next"]:
            return
        before = f"&before={page['next']}"


def _delivered(stage: Stage, order: str) -> bool:
    """Whether its goods have left; an order of services has none."""
    try:
        for command in stage.script.whole["afterwards"]["each"]:
            stage.do(filled(command, {"order": order}))
    except ValueError:
        return False
    return True


def _settled(stage: Stage, numbers: set[str]) -> int:
    """How many of these are over, or wait for nobody but a person."""
    found = [run for run in runs(stage, MAIN) if run["key"] in numbers]
    # read after the runs: what is parked for good has an exception that no clock takes up again
    for_people = {row["run_id"] for row in stage.api("/api/exceptions?limit=1000")["exceptions"] if not row["retry_at"]}
    for_people |= {row["run_id"] for row in stage.api("/api/approvals")["approvals"]}
    return len({run["key"] for run in found if run["state"] in OVER or run["id"] in for_people})


def _ended(stage: Stage, process: str) -> set[str]:
    return {run["key"] for run in runs(stage, process) if run["state"] in (*OVER, "parked")}


def _opportunities(stage: Stage) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = stage.desk(stage.script.systems["crm"], "books")
    return [row for row in rows if row["kind"] == "opportunity"]


def until(measure: Callable[[], int], goal: int, progress: Progress, patience_s: float) -> None:
    """Look until the goal is reached and nothing is still to be delivered, or patience ends (the proof will tell)."""
    ends, pause_s = time.monotonic() + patience_s, 0.1
    while True:
        done = measure()
        progress(done, goal)
        if done >= goal or time.monotonic() > ends:
            return
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.1, 0.5)
