"""What is measured, row by row: how, and what must be reached."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import console, experience, translate
from benchmarks.enterprise import CUSTOMERS
from benchmarks.measuring import (
    LANDSCAPE,
    Enterprise,
    Figure,
    Measured,
    NotEqual,
    Process,
    a_database,
    a_postgresql,
    compared,
    in_turns,
    references_to,
)

SCRIPT, ISTHMUS = "benchmarks.by_hand.run", "benchmarks.with_isthmus"
#: enough to make every customer first, so that a measured order meets known ones
WARM = 2 * CUSTOMERS
CONNECTIONS = 32


@dataclass(frozen=True)
class Effort:
    """How long to look: ``rounds`` of each side, and a part of the full counts."""

    rounds: int
    part: float

    def of(self, count: int) -> int:
        """So many of ``count``."""
        return max(int(count * self.part), 20)


@dataclass(frozen=True)
class Row:
    """One row: ``must`` and ``later`` are to be reached (at least, or ``at_most``)."""

    name: str
    title: str
    must: float
    later: float
    unit: str
    measure: Callable[[Enterprise, Effort], Figure]
    at_most: bool = False

    def reached(self, value: float) -> str:
        """In a word."""
        for word, target in (("later", self.later), ("must", self.must)):
            if value <= target if self.at_most else value >= target:
                return word
        return "missed"


# Webhooks -------------------------------------------------------------------------------------------------------------


def accepted(enterprise: Enterprise, effort: Effort) -> Figure:
    """1 KB, signed; the real ``isthmus serve --as web`` against the script's door."""
    count, measured = effort.of(4000), {"script": Measured(), "isthmus": Measured()}

    def script() -> None:
        with a_database() as database:
            server = Process("-m", SCRIPT, asked={"what": "accept", "database": database})
            _pushed(server, server.told()["url"], count, measured["script"], lambda: 0)
            server.say()
            _equal("stored by the script", server.told()["stored"], count + _FIRST)
            server.end()

    def isthmus() -> None:
        with a_database() as database:
            server = serve(enterprise, database, "web")
            url = server.told()["url"] + "/webhooks/billing"
            _pushed(server, url, count, measured["isthmus"], lambda: 0)
            server.end()
            with sqlite3.connect(database.removeprefix("sqlite:///")) as stored:
                ((messages,),) = stored.execute("SELECT count(*) FROM message")
            _equal("stored by Isthmus", messages, count + _FIRST)

    in_turns(effort.rounds, script, isthmus)
    return compared(measured["script"], measured["isthmus"], "webhooks")


_FIRST = 200


def _pushed(server: Process, url: str, count: int, measured: Measured, rest: Callable[[], int]) -> None:
    """Push a few that warm the server up, then ``count`` more that are measured."""
    for first, many in ((0, _FIRST), (_FIRST, count)):
        asked = {
            "kind": "event", "header": "Stripe-Signature", "url": url, "first": first, "count": many,
            "connections": CONNECTIONS,
        }  # fmt: skip
        load = Process("-m", "benchmarks.load", asked=asked)
        load.line()
        cpu = server.cpu_s()
        load.say()
        took = load.told()
        cpu = server.cpu_s() - cpu
        load.end()
        _equal("answers", took["told"], {"200": many})
    measured.add(count, took["seconds"], cpu)


def forwarded(enterprise: Enterprise, effort: Effort) -> Figure:
    """An order of 20 lines by webhook, translated, written to the ERP once; until the last one stands there."""
    count, measured = effort.of(1200), {SCRIPT: Measured(), ISTHMUS: Measured()}

    def side(module: str) -> None:
        enterprise.reset()
        with a_database() as database:
            asked = {"what": "forward", "url": enterprise.url, "database": database, "slots": 64}
            server = Process("-m", module, asked=asked)
            url = server.told()["url"]
            for first, many in ((0, 100), (100, count)):
                push = {"kind": "order", "header": "Shop-Signature", "url": url, "first": first, "count": many}
                load = Process("-m", "benchmarks.load", asked={**push, "connections": CONNECTIONS})
                load.line()
                begun, cpu = time.perf_counter(), server.cpu_s()
                load.say()
                _equal("answers", load.told()["told"], {"200": many})
                while enterprise.audit()["orders"] < first + many:
                    time.sleep(0.01)
                seconds, cpu = time.perf_counter() - begun, server.cpu_s() - cpu
                load.end()
            time.sleep(0.5)
            server.say()
            _equal("runs", server.told()["states"], {"done": count + 100})
            server.end()
        _equal("orders", [enterprise.audit()[name] for name in ("orders", "doubled_orders")], [count + 100, 0])
        measured[module].add(count, seconds, cpu)

    in_turns(effort.rounds, lambda: side(SCRIPT), lambda: side(ISTHMUS))
    return compared(measured[SCRIPT], measured[ISTHMUS], "orders")


# Quote to cash --------------------------------------------------------------------------------------------------------


def quote_to_cash(enterprise: Enterprise, effort: Effort) -> Figure:
    """The whole process on SQLite, the vendors answering at once."""
    return _quotes(enterprise, effort, count=400, slots=64, latency_s=0.0)


def quote_to_cash_far(enterprise: Enterprise, effort: Effort) -> Figure:
    """The same, the vendors answering after 20 ms, 200 orders at once."""
    return _quotes(enterprise, effort, count=600, slots=200, latency_s=0.02)


def _quotes(enterprise: Enterprise, effort: Effort, *, count: int, slots: int, latency_s: float) -> Figure:
    orders, measured = effort.of(count), {SCRIPT: Measured(), ISTHMUS: Measured()}

    def side(module: str) -> None:
        enterprise.reset(latency_s)
        with a_database() as database:
            asked = {
                "what": "quote_to_cash", "url": enterprise.url, "database": database, "slots": slots, "warm": WARM,
                "orders": orders,
            }  # fmt: skip
            process = Process("-m", module, asked=asked)
            took = process.told()
            process.end()
        _equal("ends", took["states"], {"done": WARM + orders})
        _right(enterprise, WARM + orders)
        measured[module].add(orders, took["seconds"], took["cpu_s"])

    in_turns(effort.rounds, lambda: side(SCRIPT), lambda: side(ISTHMUS))
    return compared(measured[SCRIPT], measured[ISTHMUS], "orders")


def two_workers(enterprise: Enterprise, effort: Effort) -> Figure:
    """PostgreSQL, calls of 50 ms, 16 slots a worker: two workers against one."""
    orders, rates, names = effort.of(200), {1: Measured(), 2: Measured()}, itertools.count()
    with a_postgresql() as new_database:

        def side(workers: int) -> None:
            enterprise.reset(0.05)
            asked = {
                "url": enterprise.url, "database": new_database(f"bench{next(names)}"), "slots": 16, "warm": WARM,
                "orders": orders,
            }  # fmt: skip
            working = []
            for _ in range(workers):  # one by one: the first brings the database up to date
                working.append(Process("-m", ISTHMUS, asked={**asked, "what": "work"}))
                working[-1].told()
            filling = Process("-m", ISTHMUS, asked={**asked, "what": "fill"})
            took = filling.told()
            filling.end()
            for worker in working:
                worker.say()
            cpu_s = sum(worker.told()["cpu_s"] for worker in working)
            for worker in working:
                worker.end()
            _equal("ends", took["states"], {"done": WARM + orders})
            _right(enterprise, WARM + orders)
            rates[workers].add(orders, took["seconds"], cpu_s * orders / (WARM + orders))

        in_turns(effort.rounds, lambda: side(1), lambda: side(2))
    value = rates[2].rate / rates[1].rate
    facts = {"two_per_s": round(rates[2].rate, 1), "one_per_s": round(rates[1].rate, 1)}
    facts |= {"two_cpu_ms": round(rates[2].cpu, 2), "one_cpu_ms": round(rates[1].cpu, 2)}
    said = f"{rates[2].rate:.1f} orders/s against {rates[1].rate:.1f}; {rates[1].cpu:.1f} ms CPU each"
    return Figure(value, facts, said)


def _right(enterprise: Enterprise, orders: int) -> None:
    """Nothing lost, nothing doubled, every amount right; otherwise a figure says nothing."""
    audit = enterprise.audit()
    seen = {name: audit[name] for name in ("orders", "invoices", "reported")}
    _equal("books", seen, dict.fromkeys(seen, orders))
    wrong = {name: audit[name] for name in ("doubled_orders", "doubled_invoices", "cents_off")}
    _equal("books", wrong, dict.fromkeys(wrong, 0))


# Small ones -----------------------------------------------------------------------------------------------------------


def translated(_enterprise: Enterprise, effort: Effort) -> Figure:
    """A 20-line order, money exact, against Python by hand; the canonical check of the same order beside it."""
    figures = [translate.figures() for _ in range(effort.rounds)]
    middle = {name: statistics.median(each[name] for each in figures) for name in figures[0]}
    value = max(middle["exact"] / middle["exact_by_hand"], middle["plain"] / middle["plain_by_hand"])
    said = (
        f"{middle['exact']:.0f} µs against {middle['exact_by_hand']:.0f} with decimals and codes,"
        f" {middle['plain']:.0f} against {middle['plain_by_hand']:.0f} copying;"
        f" checking the canonical order {middle['checked']:.0f} µs"
    )
    return Figure(value, {name: round(each, 1) for name, each in middle.items()}, said)


def idle_memory(enterprise: Enterprise, effort: Effort) -> Figure:
    """``isthmus serve`` as it stands after a while without work."""
    found = []
    for _ in range(min(effort.rounds, 3)):
        with a_database() as database:
            server = serve(enterprise, database, "all")
            server.told()
            time.sleep(4)
            found.append(server.memory_mb())
            server.end()
    return Figure(statistics.median(found), {"each_mb": [round(each, 1) for each in found]}, "resident set")


def help_answers(_enterprise: Enterprise, effort: Effort) -> Figure:
    """``isthmus --help`` against ``python -c pass``, wall time."""
    took: dict[str, list[float]] = {"help": [], "pass": []}
    commands = {
        "help": [str(Path(sys.executable).with_name("isthmus")), "--help"],
        "pass": [sys.executable, "-c", "pass"],
    }
    for _ in range(effort.rounds * 4):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            took[name].append(time.perf_counter() - begun)
    help_s, pass_s = (statistics.median(took[name]) for name in ("help", "pass"))
    facts = {"help_ms": round(help_s * 1000, 1), "pass_ms": round(pass_s * 1000, 1)}
    return Figure(help_s / pass_s, facts, f"{help_s * 1000:.0f} ms against {pass_s * 1000:.0f}")


# ----------------------------------------------------------------------------------------------------------------------


def serve(enterprise: Enterprise, database: str, as_: str) -> Process:
    """The real thing, on the benchmarks' landscape."""
    command = ("-c", "from isthmus.cli import main; main()", "serve", str(LANDSCAPE), "--as", as_, "--port", "0")
    return Process(*command, "--database", database, "--json", env=references_to(enterprise.url))


def _equal(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise NotEqual(f"{what}: {json.dumps(found)}, but {json.dumps(wanted)} were wanted")


ROWS = (
    Row("accept", "webhook accepted durably (1 KB, signed), one worker", 0.6, 0.9, "of the script", accepted),
    Row("forward", "webhook → mapped 20-line order → one ERP write", 0.4, 0.7, "of the script", forwarded),
    Row("quote-to-cash", "quote to cash, vendors answer at once, SQLite", 0.5, 0.85, "of the script", quote_to_cash),
    Row("far", "the same, 20 ms a call, 200 at once", 0.8, 0.95, "of the script", quote_to_cash_far),
    Row("two-workers", "PostgreSQL, 50 ms a call, 16 slots: two workers", 1.8, 1.95, "× one", two_workers),
    Row("translate", "translating a 20-line order", 3.0, 2.0, "× by hand", translated, at_most=True),
    Row(
        "experience", "the support desk in one call, warm", 20.0, 100.0, "× the calls it replaces", experience.one_call
    ),
    Row("console", "the console's slowest page, 100,000 runs", 2.0, 1.2, "× with 1,000", console.pages, at_most=True),
    Row("memory", "idle memory of serve", 120.0, 90.0, "MB", idle_memory, at_most=True),
    Row("help", "isthmus --help", 20.0, 12.0, "× python -c pass", help_answers, at_most=True),
)
CORES = os.cpu_count() or 1
