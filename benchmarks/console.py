"""The console with 100,000 runs against the console with 1,000: each page may take twice its time, and no more.

``python -m benchmarks.console`` prints for each page the median of nine, in both stores: the seconds that the thread
itself computed, since others use this machine too. What is filled in is what a month leaves behind: runs with effects,
calls, events, references, promises, tallies and audit lines; one in twenty has had an exception. What waits for people
is the same in both, as it is in a company: 500 exceptions and 50 approvals.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.support.house import House

from benchmarks.measuring import Enterprise, Figure
from isthmus.console.app import ROOT, create_console
from isthmus.store import audit, tallies
from isthmus.store.clock import instant
from isthmus.store.transaction import Row, Transaction

if TYPE_CHECKING:
    from benchmarks.rows import Effort

FEW, MANY, DAYS, ROUNDS, OPEN, ASKED, _BATCH = 1_000, 100_000, 30, 9, 500, 50, 1_000
PAGES = {
    "today": "/",
    "runs": "/runs",
    "runs by state": "/runs?state=done",
    "runs by process": "/runs?process=quote-to-cash",
    "older runs": "/runs?before={middle}",
    "found by id": "/runs?text=SO-500",
    "found by customer": "/runs?text=customer+0005",
    "found by amount": "/runs?text=1500.00",
    "nothing found": "/runs?text=nothing",
    "run": "/runs/quote-to-cash.crm.500",
    "exceptions": "/exceptions",
    "exceptions of a unit": "/exceptions?unit=emea",
    "ended exceptions": "/exceptions?state=ended",
    "exception": "/exceptions/1",
    "group": "/exceptions/group?group=group-1",
    "approvals": "/approvals",
    "decided approvals": "/approvals?state=decided",
    "approval": "/approvals/approval-1",
    "landscape": "/landscape",
    "catalogue": "/catalogue",
    "audit": "/audit",
    "audit of a run": "/audit?about=quote-to-cash.crm.500",
}
Times = dict[str, float]


async def times(runs: int) -> Times:
    """Milliseconds of each page, the median of nine, in a store with so many runs."""
    with tempfile.TemporaryDirectory() as folder:
        async with House(None, Path(folder), workers=0) as house:
            for first in range(0, runs, _BATCH):
                await house.store.write(lambda tx, first=first: _fill(tx, house, runs, range(first, first + _BATCH)))  # type: ignore[misc]
            middle = instant(house.clock() - timedelta(days=DAYS / 2))
            console = create_console(house.engine, lambda: None, anonymous="visitor")
            found: dict[str, list[float]] = {name: [] for name in PAGES}
            for _ in range(ROUNDS + 1):
                for name, path in PAGES.items():
                    begun = time.thread_time()
                    await _asked(console, path.format(middle=middle))
                    found[name].append((time.thread_time() - begun) * 1000)
            return {name: statistics.median(each[1:]) for name, each in found.items()}


async def _asked(console: Any, path: str) -> None:
    """One page, without the wire. Raises RuntimeError where it is not well."""
    split, told = urlsplit(path), []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": ROOT + split.path,
        "root_path": ROOT, "query_string": split.query.encode(), "headers": [(b"host", b"here")],
    }  # fmt: skip
    await console(scope, receive, send)
    if told[0]["status"] != 200:
        raise RuntimeError(f"{path} answers {told[0]['status']}")


# What a month leaves behind -------------------------------------------------------------------------------------------


def _fill(tx: Transaction, house: House, runs: int, numbers: range) -> None:
    spread = timedelta(days=DAYS) / runs
    rows: dict[str, list[Row]] = {name: [] for name in ("run", "effect", "attempt", "journal", "cross_reference",
                                                        "service_level", "exception", "approval")}  # fmt: skip
    for number in numbers:
        at = instant(house.clock() - timedelta(days=DAYS) + spread * (number + 1))
        for table, row in _of_one(number, runs, at, house.release.id):
            rows[table].append(row)
        if number % 10 == 0:
            audit.note(
                tx, at=at, who="anna", did="exception.retry", about=f"quote-to-cash.crm.{number}", after={"round": 2}
            )
        for type_ in ("quote.accepted", "order.created", "invoice.created") if number % (runs // FEW) == 0 else ():
            tallies.add(tx, hour=at[:13], type_=f"isthmus.{type_}.v1", unit="emea", currency="EUR", amount=100)  # type: ignore[arg-type]
    for table, found in rows.items():
        if found:
            tx.insert_many(table, found)


def _of_one(number: int, runs: int, at: str, release: str) -> Iterator[tuple[str, Row]]:
    id_, key = f"quote-to-cash.crm.{number}", f"OPP-{number}"
    parked, asked = number % (runs // OPEN) == 0, number % (runs // ASKED) == 1
    about: Row = {
        "customer": f"Customer {number:06} Ltd",
        "amount": f"{1000 + number}.00",
        "currency": "EUR",
        "unit": "emea",
    }
    lines = [
        {"position": place, "name": f"Line {place}", "quantity": {"value": "3", "unit": "C62"}} for place in range(4)
    ]
    yield "run", {
        "id": id_, "process": "quote-to-cash", "subject": f"crm/{number}", "connection": "salesforce",
        "business_key": key, "title": f"Deal {number}", **about, "event": "isthmus.quote.accepted.v1",
        "input": json.dumps({"number": key, "lines": lines}), "release": release,
        "state": "parked" if parked else "done", "created_at": at, "updated_at": at, "ended_at": None if parked else at,
    }  # fmt: skip
    for role, operation, connection, prefix in _CHANGED:
        yield "effect", {
            "key": f"{role}.{operation}/{key}/", "role": role, "operation": operation, "business_key": key, "part": "",
            "run_id": id_, "step": operation, "unit": "emea", "connection": connection, "release": release, "epoch": 1,
            "state": "done", "arguments_hash": "x", "arguments": "{}", "intended_at": at, "ended_at": at, "result": "{}",
            "reference_id": f"{prefix}-{number}", "reference_number": f"N{prefix}-{number}",
        }  # fmt: skip
        yield "attempt", {
            "run_id": id_, "step": operation, "operation": f"{role}.{operation}", "part": "", "connection": connection,
            "method": "POST", "path": "/", "at": at, "took_us": 900, "status": 201, "outcome": "answered",
        }  # fmt: skip
        yield "journal", {"at": at, "type": f"isthmus.{operation}.v1", "run_id": id_, "process": "quote-to-cash",
                          "business_key": key, "unit": "emea", "data": "{}"}  # fmt: skip
        yield "cross_reference", {"connection": connection, "type": operation, "id": f"{prefix}-{number}",
                                  "number": f"N{prefix}-{number}", "kind": "order", "canonical_id": f"order_{number}", "at": at}  # fmt: skip
    yield "service_level", {
        "level": "order-created", "about": key, "run_id": id_, **about, "begun_at": at, "due_at": at,
        "ended_at": None if parked else at, "state": "open" if parked else "met",
    }  # fmt: skip
    if parked or number % 20 == 1:
        yield "exception", {
            "run_id": id_, "state": "open" if parked else "ended", "group_key": f"group-{number % 7 + 1}",
            "title": "The ERP has blocked this customer", "error_class": "business", "business_key": key, **about,
            "connection": "sap", "opened_at": at, "ended_at": None if parked else at,
        }  # fmt: skip
    if asked or number % 20 == 3:
        yield "approval", {
            "id": f"approval-{number}", "run_id": id_, "name": "price", "policy": "deal-desk", "about": key,
            "state": "requested" if asked else "approved", "requested_at": at,
            "facts": "[]", "decided_at": None if asked else at,
        }  # fmt: skip


_CHANGED = (
    ("erp", "create_order", "sap", "SO"),
    ("billing", "create_invoice", "stripe-emea", "in"),
    ("support", "grant_entitlement", "zendesk", "org"),
)


# ----------------------------------------------------------------------------------------------------------------------


async def both() -> tuple[Times, Times]:
    """The times with few and with many runs."""
    return await times(FEW), await times(MANY)


def pages(_enterprise: Enterprise, _effort: Effort) -> Figure:
    """The row of ``make bench``: the page that grows most."""
    few, many = asyncio.run(both())
    ratios = {name: many[name] / few[name] for name in PAGES}
    worst = max(ratios, key=lambda name: ratios[name])
    facts = {name.replace(" ", "_"): round(ratio, 2) for name, ratio in ratios.items()}
    said = f"{worst}: {many[worst]:.1f} ms against {few[worst]:.1f} ms; " + ", ".join(
        f"{name} {ratio:.2f}" for name, ratio in ratios.items()
    )
    return Figure(ratios[worst], facts, said)


if __name__ == "__main__":
    few, many = asyncio.run(both())
    print(f"{'page':24}{FEW:>10,}{MANY:>10,}   ratio")
    for name in PAGES:
        print(f"{name:24}{few[name]:7.1f} ms{many[name]:7.1f} ms{many[name] / few[name]:8.2f}")
