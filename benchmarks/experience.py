"""One call of the support desk against the calls that it replaces, each of which takes a vendor 50 ms.

``python -m benchmarks.experience`` prints p50 and p99 of: the seven calls one after the other (what an agent's tools do
today), the one call cold (every part asked anew, side by side), and warm (from the read model, no call to any vendor).
The vendors are the stand-ins, each of whose answers is held back by 50 ms; all over HTTP on this machine.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.house import House
from tests.support.running_sandbox import RunningSandbox

from benchmarks.measuring import Enterprise, Figure
from isthmus.connectivity.outbound.binding import Asking
from isthmus.gateway.experience.desk_reading import plan_for
from isthmus.orchestration.enrich import Part

if TYPE_CHECKING:
    from benchmarks.rows import Effort

CALL_MS = 50
#: the questions of the support desk's plan
CALLS = 7
PATH = "/api/experience/support-desk/customers/"
SOLD = ("OPP-1001", "OPP-1003", "OPP-1005")
Times = list[float]


async def figures(direct: int = 15, cold: int = 30, warm: int = 1000) -> dict[str, Times]:
    """Milliseconds of each: ``direct`` (the sum of the calls), ``cold``, ``warm``."""
    with RunningSandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        async with House(sandbox, Path(folder), polls=False) as house:
            await house._listen()
            await house.win(*SOLD)
            for key in SOLD:
                await house.until(key, "done", "parked", timeout_s=120)
            account = sandbox.company.account("C-1001")
            await _asked(house, str(account.number), "no-cache")
            await house.faults({"kind": "slow", "delay_s": CALL_MS / 1000, "rate": 1})
            found = {
                "direct": await _timed(direct, lambda: _one_by_one(house, account.unit, str(account.number))),
                "cold": await _timed(cold, lambda: _asked(house, str(account.number), "no-cache")),
            }
            await house.faults({"kind": "down", "rate": 1})  # a warm answer needs no vendor: it would be told
            found["warm"] = await _timed(warm, lambda: _asked(house, str(account.number), "max-age=600"))
            return found


async def _asked(house: House, number: str, fresh: str) -> None:
    status, found = await house.key("GET", PATH + number, **{"Prefer": "wait=10", "Cache-Control": fresh})
    late = {name: each["unavailable"] for name, each in found["sources"].items() if "unavailable" in each}
    if status != 200 or late or not found["orders"]:
        raise RuntimeError(f"the answer is not whole, so its time says nothing: {status} {late}")


async def _one_by_one(house: House, unit: str, number: str) -> None:
    """Every question of the plan, one after the other."""
    rows = await house.rows("SELECT id FROM known WHERE kind = 'customer' AND number = :number", number=number)
    plan = plan_for(rows[0]["id"], house.release.units[unit])
    assert len(plan.parts) == CALLS
    answers: dict[str, Any] = {}
    for part in plan.parts:
        answers[part.name] = await house.engine.reader.read(
            Asking(house.release, unit), part.operation, _argument(part, answers)
        )


def _argument(part: Part, answers: dict[str, Any]) -> Any:
    return part.argument(answers) if callable(part.argument) else part.argument


async def _timed(times: int, ask: Callable[[], Awaitable[None]]) -> Times:
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - begun) * 1000)
    return took


def percentile(times: Times, part: int) -> float:
    """The time that ``part`` per cent stay below."""
    return statistics.quantiles(times, n=100, method="inclusive")[part - 1]


def said(found: dict[str, Times]) -> str:
    """The figures in one line."""
    shown = (f"{name} p50 {percentile(t, 50):.1f} ms, p99 {percentile(t, 99):.1f} ms" for name, t in found.items())
    return "; ".join(shown)


def times_faster(found: dict[str, Times]) -> float:
    """How many times faster the warm answer is (p50) than the calls would be that it replaces, at 50 ms each."""
    return CALLS * CALL_MS / percentile(found["warm"], 50)


def one_call(_enterprise: Enterprise, effort: Effort) -> Figure:
    """The row of ``make bench``."""
    found = asyncio.run(figures(warm=effort.of(1000)))
    facts = {f"{name}_p{part}_ms": round(percentile(t, part), 2) for name, t in found.items() for part in (50, 99)}
    return Figure(times_faster(found), facts, said(found))


if __name__ == "__main__":
    measured = asyncio.run(figures())
    print(said(measured))
    print(f"warm is {times_faster(measured):.0f} times faster than the calls it replaces, at {CALL_MS} ms each")
