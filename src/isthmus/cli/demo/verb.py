"""``isthmus demo``: watch four systems work together in two minutes, with faults, and have it proved."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.showing import AsJson

if TYPE_CHECKING:
    from isthmus.cli.demo.acts import Mend
    from isthmus.cli.demo.outcome import Outcome
    from isthmus.cli.demo.stage import Stage

_PORT, _GATEWAY_PORT = 8400, 8410


def demo(
    opportunities: Annotated[int, typer.Option(min=1, max=5000, help="how many deals are closed")] = 25,
    seed: Annotated[int, typer.Option(help="which company, and which faults")] = 1,
    once: Annotated[bool, typer.Option("--once", help="mend what is parked, prove, and end; non-zero where a proof fails")] = False,
    port: Annotated[int | None, typer.Option(help="the sandboxes' port (0: a free one)")] = None,
    gateway_port: Annotated[int | None, typer.Option(help="Isthmus's port (0: a free one)")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Start four stand-ins and Isthmus on this machine, close deals with faults on, and prove the result.

    What you see is computed from what happened; the proof reads the systems' own books and knows nothing of Isthmus.

    \b
    Watch it:        isthmus demo              (runs on until Ctrl-C; in another terminal: isthmus explain OPP-1017)
    For machines:    isthmus demo --once --json
    A bigger day:    isthmus demo --opportunities 200 --seed 7
    """
    from isthmus.cli.demo.script import read_script
    from isthmus.cli.demo.stage import standing

    once = once or as_json
    if not as_json:
        from isthmus.cli.demo.show import opening

        opening()
    place = tempfile.TemporaryDirectory(prefix="isthmus-demo-") if once else nullcontext(".isthmus")
    with place as home:
        here = Path(home) if once else Path()
        ports = [0 if once else _PORT, 0 if once else _GATEWAY_PORT]
        ports = [usual if given is None else given for given, usual in zip((port, gateway_port), ports, strict=True)]
        with standing(read_script(), Path(home) / "demo", here, seed, *ports) as stage:
            holds = _played(stage, opportunities, seed, once, as_json)
    if not holds:
        raise typer.Exit(1)


def _played(stage: Stage, count: int, seed: int, once: bool, as_json: bool) -> bool:
    """All acts; whether the proofs hold."""
    from isthmus.cli.demo import acts, show
    from isthmus.cli.demo import disputes as second
    from isthmus.cli.demo.outcome import look
    from isthmus.cli.showing import say_json

    begun = time.monotonic()
    titles = {} if as_json else show.systems(stage)
    stage.set_faults(stage.script.whole["faults"]["rules"], seed)
    with _bar(as_json, f"Closing {count} opportunities", count) as bar:
        numbers = acts.close_deals(stage, count, seed, bar)
    mends = acts.parked(stage, numbers)
    orders = [deal.order for deal in look(stage, numbers, mends).deals if deal.order]
    with _bar(as_json, "Goods leave, the ledger invoices, customers pay", 0) as bar:
        billed = acts.deliver_and_bill(stage, orders, bar)
    with _bar(as_json, "Customers dispute invoices, people decide", 0) as bar:
        disputes = second.open_disputes(stage, orders, bar)
        second.decide(stage, disputes, bar)
    first = look(stage, numbers, mends, disputes)
    if not as_json:
        show.table(first, titles)
        show.disputes(first)
        show.proof(first, billed)
    if not once:
        show.closing(stage, first)
        _until_stopped()
        return first.verdict.holds
    with _bar(as_json, "Mending what is parked", len(mends)) as bar:
        acts.mend(stage, mends, bar)
        second.decide(stage, disputes, bar, all_by=stage.script.whole["disputes"]["once"])
    last = look(stage, numbers, acts.parked(stage, numbers), disputes)
    if as_json:
        say_json(_document(first, last, mends, billed, seed, time.monotonic() - begun), lines=True)
    else:
        show.disputes(last)
        show.proof(last, billed)
    return first.verdict.holds and last.verdict.holds


def _document(
    first: Outcome, last: Outcome, mends: list[Mend], billed: int, seed: int, seconds: float
) -> dict[str, Any]:
    """The result for machines. Counts of the first proof, before the mends; failures of both."""
    one, two = first.verdict, last.verdict
    worst = {
        name: max(getattr(one, name), getattr(two, name))
        for name in ("lost", "doubled", "unasked", "unreported", "cents_off")
    }
    still = {deal.number for deal in last.parked}
    states = Counter(each.state for each in last.disputes)
    mended = sum(deal.number not in still for deal in first.parked)
    return {
        "holds": one.holds and two.holds,
        "opportunities": one.opportunities,
        "completed": one.completed,
        "parked": one.parked,
        "mended": mended,
        **worst,
        "repaired": last.repaired,
        "repeats_harmless": sum(last.repeats.values()),
        "repeats_harmless_by": last.repeats,
        "heard_again": last.heard_again,
        "faults": sum(last.faults.values()),
        "faults_by_kind": last.faults,
        "legal_invoices": billed,
        "numbered": two.numbered,
        "disputes": len(last.disputes),
        **{state: states[state] for state in ("credited", "rejected", "waiting")},
        "sums": two.sums,
        "findings": [*one.findings, *two.findings],
        "parked_for": [
            {"opportunity": m.exception["business_key"], "exception": m.number, "title": m.exception["title"], "commands": m.commands}
            for m in mends
        ],
        "disputed": [
            {"ticket": d.dispute.ticket, "invoice": d.dispute.invoice, "amount": d.dispute.amount, "currency": d.dispute.currency,
             "kind": d.dispute.kind["name"], "state": d.state, "became": d.words}
            for d in last.disputes
        ],
        "seed": seed,
        "seconds": round(seconds, 1),
    }  # fmt: skip


def _bar(as_json: bool, title: str, goal: int) -> Any:
    if as_json:
        return nullcontext(lambda done, of: None)
    from isthmus.cli.demo.show import progress

    return progress(title, goal)


def _until_stopped() -> None:
    """Leave everything running until Ctrl-C or SIGTERM."""
    import asyncio

    from isthmus.cli.signals import until_stopped

    asyncio.run(until_stopped())
