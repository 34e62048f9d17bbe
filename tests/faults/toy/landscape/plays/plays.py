"""What is played with toys: one order of seven calls, approvals, a loop, and what is refused in the end."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

from tests.support.toy import Party, Plan, Report, Thing, toy

from isthmus import Refused, Run, process
from isthmus.model import Reference


def thing(plan: Plan, /, **more: object) -> Thing:
    return Thing.model_validate({"number": plan.number, "name": plan.name, "size": plan.size, **more})


async def told(run: Run, plan: Plan) -> None:
    await run.step(toy.report, Report(said="undone"), name="report-undone", stays="it tells what happened")


@process("order", version=1, starts_on="isthmus.plan.ordered.v1", when_undone=told)
async def order(run: Run, plan: Plan) -> Thing:
    """Seven calls with the taking in: read, look and make a party, make, read again, make natively, put, report."""
    party = Party(id=f"party-{plan.party}", number=plan.party)
    await run.step(toy.ensure_party, party, stays="a party is master data")
    made = await run.step(toy.make_thing, thing(plan), undo=toy.unmake_thing)
    seen = await run.step(toy.read_thing, Reference(connection="toy", type="Thing", id=made.vendor_id))
    coin = await run.step(toy.make_coin, thing(plan, size=seen.size), undo=toy.unmake_coin)
    await run.step(toy.put_flag, thing(plan, size=coin.size), undo=toy.drop_flag)
    if not plan.allowed:
        raise Refused("it is not allowed")
    await run.step(toy.report, Report(said="done", size=plan.size), stays="the undo reports again")
    return made


@process("approvals", version=1, starts_on="isthmus.plan.asked.v1")
async def approvals(run: Run, plan: Plan) -> str:
    first = await run.approval("left", about="first", within=timedelta(days=2))
    if not first.approved:
        raise Refused(f"first {first.verdict}")
    await run.step(toy.make_thing, thing(plan), undo=toy.unmake_thing)
    second = await run.approval("right", about="second", within=timedelta(days=2))
    if not second.approved:
        raise Refused(f"second {second.verdict}")
    await run.step(toy.put_flag, thing(plan, name=f"{first.by}/{second.by}"), undo=toy.drop_flag)
    return f"{first.by}/{second.by}"


@process("side", version=1, starts_on="isthmus.plan.sided.v1")
async def side(run: Run, plan: Plan) -> str:
    left, right, waited = await run.together(
        run.approval("left", about="left", within=timedelta(days=2)),
        run.approval("right", about="right", within=timedelta(days=2)),
        run.wait("pause", until=run.opened_at + timedelta(hours=1)),
    )
    assert waited is None
    made = await run.together(
        *(run.step(toy.make_thing, thing(plan), key=side, undo=toy.unmake_thing) for side in ("l", "r"))
    )
    return f"{left.by}/{right.by}/{len(made)}"


@process("loop", version=1, starts_on="isthmus.plan.looped.v1")
async def loop(run: Run, plan: Plan) -> int:
    for number in (1, 2, 3):
        await run.step(toy.make_thing, thing(plan, size=number), key=f"D{number}", undo=toy.unmake_thing)
    return 3


@process("twice", version=1, starts_on="isthmus.plan.doubled.v1")
async def twice(run: Run, plan: Plan) -> None:
    for number in (1, 2):
        await run.step(toy.make_thing, thing(plan, size=number), undo=toy.unmake_thing)


@process("undo", version=1, starts_on="isthmus.plan.refused.v1", when_undone=told)
async def undo(run: Run, plan: Plan) -> None:
    await run.step(toy.make_thing, thing(plan), undo=toy.unmake_thing)
    await run.step(toy.make_coin, thing(plan), undo=toy.unmake_coin)
    await run.step(toy.put_flag, thing(plan), undo=toy.drop_flag)
    await run.step(toy.make_set, thing(plan, plan=plan.number), undo=toy.unmake_set)
    if not plan.allowed:
        raise Refused("it is not allowed")


@process("one", version=1, starts_on="isthmus.plan.simple.v1")
async def one(run: Run, plan: Plan) -> Thing:
    return await run.step(toy.make_thing, thing(plan), undo=toy.unmake_thing)


@process("mirror", version=1, starts_on="isthmus.plan.changed.v1", again=True)
async def mirror(run: Run, plan: Plan) -> None:
    await run.step(toy.report, Report(said=plan.name, size=plan.size), name="state", stays="it is replaced")


@process("deadly", version=1, starts_on="isthmus.plan.deadly.v1")
async def deadly(run: Run, plan: Plan) -> None:
    if os.environ.get("TOY_KILLS") == plan.number:
        os.kill(os.getpid(), signal.SIGKILL)
    await run.step(toy.make_thing, thing(plan), undo=toy.unmake_thing)
