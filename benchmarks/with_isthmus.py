"""Isthmus's side of a measurement, in a process of its own: reads what to do as JSON on stdin, prints what it took."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.enterprise import AT, opportunity_id
from isthmus.cli.bootstrap import System, open_system
from isthmus.orchestration.dispatch import Worker
from isthmus.store import calls, messages, runs

LANDSCAPE = Path(__file__).parent / "landscape"


def point_at(url: str) -> None:
    """Let the landscape's references point at the mock enterprise."""
    os.environ["BENCH_SECRET"] = "benchmark"
    os.environ |= {f"BENCH_{name.upper()}": f"{url}/{name}" for name in ("crm", "erp", "billing", "support")}


def won(numbers: range) -> list[messages.NewMessage]:
    """Messages saying that opportunities were won, as the CRM's webhook is split."""
    return [
        messages.NewMessage(
            f"{opportunity_id(n)}@{AT}",
            f"Opportunity/{opportunity_id(n)}",
            None,
            AT,
            {"sObject": {"Id": opportunity_id(n)}},
        )
        for n in numbers
    ]


async def take_in(system: System, worker: Worker, numbers: range) -> None:
    """Store messages as the gateway would."""
    row = calls.call_row("crm", "outbound_messages", b"", system.store.clock())
    await system.store.write(lambda tx: messages.store_call(tx, row, won(numbers)))
    worker.wake()


async def until_done(system: System, worker: Worker, total: int) -> dict[str, int]:
    """Wait until so many runs have ended."""
    while True:
        await asyncio.sleep(0.005)
        if worker.played >= total and worker.active == 0:
            counts = await system.store.read(runs.counts)
            if sum(counts.get(state, 0) for state in ("done", "parked", "undone", "ignored")) >= total:
                return counts


async def quote_to_cash(asked: dict[str, Any]) -> dict[str, Any]:
    """Play ``orders`` runs after ``warm`` others that fill the memories and make the customers."""
    point_at(asked["url"])
    system = await open_system(LANDSCAPE, "dev", asked["database"])
    worker = Worker(system.engine, slots=asked["slots"], polls=False)
    working = asyncio.create_task(worker.run())
    warm, orders = asked["warm"], asked["orders"]
    await take_in(system, worker, range(warm))
    await until_done(system, worker, warm)
    begun, cpu = time.perf_counter(), time.process_time()
    await take_in(system, worker, range(warm, warm + orders))
    counts = await until_done(system, worker, warm + orders)
    took = {"seconds": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu, "states": counts}
    worker.stop()
    await working
    await system.close()
    return took


def main() -> None:
    """Do what stdin asks for."""
    asked = json.loads(sys.stdin.readline())
    took = uvloop.run(globals()[asked["what"]](asked))
    took["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
