"""The script's side of a measurement, in a process of its own: reads what to do as JSON on stdin, prints what it took."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from typing import Any

import uvloop

from benchmarks.by_hand.door import Door, Forwarding, listen
from benchmarks.by_hand.ledger import Ledger
from benchmarks.by_hand.orders import Company
from benchmarks.enterprise import AT, CUSTOMERS, opportunity_id


async def work(company: Company, slots: int) -> None:
    """Play what the inbox holds, so many side by side."""
    rows = company.ledger.read("SELECT id, subject FROM inbox WHERE state = 'new' ORDER BY received_at")
    left = iter(rows)

    async def hand() -> None:
        for message_id, subject in left:
            await company.quote_to_cash(message_id, subject)

    await asyncio.gather(*(hand() for _ in range(min(slots, len(rows)))))


async def take_in(company: Company, numbers: range) -> None:
    """Store messages as the door would."""
    written = [
        company.ledger.write(
            "INSERT INTO inbox (id, subject, body, received_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            f"{opportunity_id(n)}@{AT}", opportunity_id(n), b"", AT,
        )
        for n in numbers
    ]  # fmt: skip
    await asyncio.gather(*written)


async def quote_to_cash(asked: dict[str, Any]) -> dict[str, Any]:
    """Play ``orders`` messages after ``warm`` others that make the customers."""
    company = Company(asked["url"], Ledger(asked["database"].removeprefix("sqlite:///")))
    await company.open()
    warm, orders = asked["warm"], asked["orders"]
    await take_in(company, range(warm))
    await work(company, asked["slots"])
    begun, cpu = time.perf_counter(), time.process_time()
    await take_in(company, range(warm, warm + orders))
    await work(company, asked["slots"])
    took = {"seconds": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu}
    counts = company.ledger.read("SELECT state, count(*) FROM inbox GROUP BY state")
    await company.close()
    return {**took, "states": dict(counts)}


async def accept(asked: dict[str, Any]) -> dict[str, Any]:
    """Take billing's events until told to stop: they only have to stand."""
    ledger = Ledger(asked["database"].removeprefix("sqlite:///"))
    runner, url = await listen(Door(ledger, "benchmark", "Stripe-Signature", "id", lambda _: None), "billing")
    await _serving(url)
    await runner.cleanup()
    ((stored,),) = ledger.read("SELECT count(*) FROM inbox")
    return {"stored": stored}


async def forward(asked: dict[str, Any]) -> dict[str, Any]:
    """Take the shop's orders and bring them to the ERP, until told to stop."""
    company = Company(asked["url"], Ledger(asked["database"].removeprefix("sqlite:///")))
    await company.open()
    company.links |= {(f"C-{n}", "erp"): str(17_200_000 + n) for n in range(CUSTOMERS)}
    forwarding = Forwarding(company, asked["slots"])
    door = Door(company.ledger, "benchmark", "Shop-Signature", "number", forwarding.arrived)
    runner, url = await listen(door, "shop")
    await _serving(url)
    await runner.cleanup()
    forwarding.stop()
    counts = company.ledger.read("SELECT state, count(*) FROM inbox GROUP BY state")
    await company.close()
    return {"states": dict(counts)}


async def _serving(url: str) -> None:
    """Say where, and serve until a line comes."""
    print(json.dumps({"url": url}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def main() -> None:
    """Do what stdin asks for."""
    asked = json.loads(sys.stdin.readline())
    # the collector as Isthmus sets it, so that neither side wins by that
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    took = uvloop.run(globals()[asked["what"]](asked))
    took["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
