"""Isthmus's side of a measurement, in a process of its own: reads what to do as JSON on stdin, prints what it took.

Everything is put together as ``isthmus serve`` does it; only the benchmarks' own connector is found beside them.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from benchmarks.enterprise import AT, CUSTOMERS, opportunity_id
from benchmarks.measuring import LANDSCAPE, references_to
from isthmus.catalogue.registry import registry
from isthmus.cli.bootstrap import System, open_system, tune_memory
from isthmus.connectivity.identity import canonical_id
from isthmus.gateway.app import create_app
from isthmus.gateway.listening import configured
from isthmus.landscape.release import compile_release
from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.store import calls, messages, references, runs
from isthmus.store.clock import instant, system_clock
from isthmus.store.migrate import migrate
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

HERE = Path(__file__).parent
ENDED = ("done", "parked", "undone", "ignored")


# Quote to cash --------------------------------------------------------------------------------------------------------


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


async def take_in(store: Store, numbers: range) -> None:
    """Store messages as the gateway would."""
    row = calls.call_row("crm", "outbound_messages", b"", store.clock())
    await store.write(lambda tx: messages.store_call(tx, row, won(numbers)))


async def until_done(store: Store, total: int) -> dict[str, int]:
    """Wait until so many runs have ended."""
    while True:
        counts = await store.read(runs.counts)
        if sum(counts.get(state, 0) for state in ENDED) >= total:
            return counts
        await asyncio.sleep(0.02)


async def quote_to_cash(asked: dict[str, Any]) -> dict[str, Any]:
    """Play ``orders`` runs after ``warm`` others that fill the memories and make the customers."""
    system, worker, working = await _worker(asked)
    store, warm, orders = system.store, asked["warm"], asked["orders"]
    await take_in(store, range(warm))
    worker.wake()
    await until_done(store, warm)
    begun, cpu = time.perf_counter(), time.process_time()
    await take_in(store, range(warm, warm + orders))
    worker.wake()
    counts = await until_done(store, warm + orders)
    took = {"seconds": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu, "states": counts}
    worker.stop()
    await working
    await system.close()
    return took


async def work(asked: dict[str, Any]) -> dict[str, Any]:
    """Be one of several workers, until a line comes."""
    system, worker, working = await _worker(asked)
    cpu = time.process_time()
    await _told({})
    worker.stop()
    await working
    await system.close()
    return {"cpu_s": time.process_time() - cpu}


async def fill(asked: dict[str, Any]) -> dict[str, Any]:
    """Store the messages that workers elsewhere play, and wait for the end; first ``warm``, then ``orders``."""
    store = Store(asked["database"])
    warm, orders = asked["warm"], asked["orders"]
    await take_in(store, range(warm))
    await until_done(store, warm)
    begun = time.perf_counter()
    await take_in(store, range(warm, warm + orders))
    counts = await until_done(store, warm + orders)
    seconds = time.perf_counter() - begun
    store.close()
    return {"seconds": seconds, "states": counts}


async def _worker(asked: dict[str, Any]) -> tuple[System, Worker, asyncio.Task[None]]:
    os.environ |= references_to(asked["url"])
    system = await open_system(LANDSCAPE, "dev", asked["database"])
    tune_memory()
    worker = Worker(system.engine, slots=asked["slots"], polls=False)
    return system, worker, asyncio.create_task(worker.run())


# One webhook, one write -----------------------------------------------------------------------------------------------


async def forward(asked: dict[str, Any]) -> dict[str, Any]:
    """Take the shop's orders and bring them to the ERP, until a line comes."""
    os.environ |= references_to(asked["url"])
    release = compile_release(HERE / "forwarding", "dev", registry=registry(extra=[HERE / "shop"]))
    settings = {name: release.secret_settings(name) for name in release.connections}
    migrate(asked["database"])
    store = Store(asked["database"])
    engine = Engine(store, release, settings)
    await store.write(_know_customers)
    worker = Worker(engine, slots=asked["slots"], polls=False)
    server = uvicorn.Server(configured(create_app(engine, settings, worker.wake), port=0))
    tune_memory()
    tasks = [asyncio.create_task(worker.run()), asyncio.create_task(server.serve())]
    while not server.started:
        await asyncio.sleep(0.01)
    await _told({"url": f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/webhooks/shop"})
    counts = await store.read(runs.counts)
    server.should_exit = True
    worker.stop()
    await asyncio.gather(*tasks)
    await engine.close()
    store.close()
    return {"states": counts}


def _know_customers(tx: Transaction) -> None:
    """The shop's customers, as the ERP knows them."""
    for number in range(CUSTOMERS):
        known = canonical_id("customer", "shop", "Customer", f"C-{number}")
        for connection, type_, id_ in (("shop", "Customer", f"C-{number}"), ("erp", "A_Customer", 17_200_000 + number)):
            references.link(
                tx, connection=connection, type_=type_, id_=str(id_), kind="customer", canonical_id=known,
                number=None, version=None, at=instant(system_clock()),
            )  # fmt: skip


async def _told(facts: dict[str, Any]) -> None:
    """Say that all is ready, and go on until a line comes."""
    print(json.dumps(facts), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def main() -> None:
    """Do what stdin asks for."""
    asked = json.loads(sys.stdin.readline())
    took = uvloop.run(globals()[asked["what"]](asked))
    took["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
