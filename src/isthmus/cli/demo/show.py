"""The demo as people see it: what runs, how it goes, the table, the proof. Everything shown was read from somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from isthmus.cli.demo.acts import Progress
from isthmus.cli.demo.outcome import Deal, Outcome
from isthmus.cli.demo.stage import Stage
from isthmus.cli.showing import console, money, say


def opening() -> None:
    """The first line, before anything runs."""
    say("Isthmus demo · one company, two business units, four systems, all on this machine\n", "bold")


def systems(stage: Stage) -> dict[str, str]:
    """What stands where; role → title."""
    vendors: dict[str, Any] = stage.desk()["vendors"]
    for name, about in vendors.items():
        address = stage.vendors[name]["base_url"].removeprefix("http://")
        say(f"  [ok] {about['title']:<14} {address:<28} {about['summary']}".replace("[ok]", "✔"))
    say(f"  ✔ {'Isthmus':<14} {stage.gateway.removeprefix('http://')}")
    say(f"  Faults on: {stage.script.whole['faults']['said']}\n")
    return {role: vendors[vendor]["title"] for role, vendor in stage.script.systems.items()}


@contextmanager
def progress(title: str, goal: int) -> Iterator[Progress]:
    """A bar while an act is played."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("  {task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console()) as bar:
        task = bar.add_task(title, total=goal or None)

        def show(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield show


def table(outcome: Outcome, titles: dict[str, str]) -> None:
    """One line for each opportunity; what is parked says why, and the two commands."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0), header_style="bold")
    headings = ("Opportunity", "Customer", "Amount", f"{titles['erp']} order", "Invoice", "Entitlement", "Took")
    for heading in headings:
        drawn.add_column(heading, justify="right" if heading in ("Amount", "Took") else "left", overflow="fold")
    for deal in outcome.deals:
        if not deal.mend:
            cells = (deal.order, deal.invoice, deal.entitlement, deal.took)
            drawn.add_row(f"{deal.number} {deal.name}", deal.customer, money(deal.amount, deal.currency), *cells)
    say()
    console().print(drawn)
    for deal in outcome.parked:
        say()
        console().print(Text(f"  {deal.number} {deal.name}, {deal.customer}, {money(deal.amount, deal.currency)}"))
        for line, style in _why(deal):
            say(line, style)


def disputes(outcome: Outcome) -> None:
    """One line for each dispute: what became of it, and where a decision waits."""
    from rich.table import Table
    from rich.text import Text

    if not outcome.disputes:
        return
    drawn = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Ticket", "Customer", "Invoice", "Disputed", "What became of it"):
        drawn.add_column(heading, justify="right" if heading == "Disputed" else "left", overflow="fold")
    for one in outcome.disputes:
        each = one.dispute
        words = Text(f"{each.kind['name']}: {one.words}", "yellow" if one.state in ("waiting", "parked") else "")
        drawn.add_row(each.ticket, one.customer, each.invoice, money(each.amount, each.currency), words)
    say("\nDisputed invoices", "bold")
    console().print(drawn)
    for one in outcome.disputes:
        if one.address:
            say(f"  Ticket {one.dispute.ticket} waits for you: {one.address}", "bold yellow")


def proof(outcome: Outcome, billed: int) -> None:
    """What the books prove, in sentences."""
    found, repeats = outcome.verdict, sum(outcome.repeats.values())
    how = ", ".join(f"{count} {rule}" for rule, count in outcome.repeats.items())
    made = found.opportunities - found.parked
    sums = " · ".join(f"{money(amount, currency)}" for currency, amount in found.sums.items())
    say("\nProof, from the systems' own books", "bold")
    say(f"  {found.completed} of {made} orders exist exactly once")
    say(f"  {found.invoices_equal} of {made} invoices equal their orders")
    say(f"  {sums}")
    if billed:
        say(f"  {found.numbered} of {billed} legal invoices went round: the ledger's number stands in CRM and billing")
    if outcome.disputes:
        states = [one.state for one in outcome.disputes]
        told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        say(f"  {len(states)} disputes: {told}")
        say(f"  {found.credited} of {states.count('credited')} credits equal their credit notes and refunds, once each")
    if found.parked:
        say(f"  {found.parked} parked, each with a reason and a remedy")
    met = ", ".join(f"{count} × {kind.replace('_', ' ')}" for kind, count in outcome.faults.items())
    say(f"  Trouble met: {met or 'none'}")
    say(
        f"  Repeats made harmless: {repeats}{f' ({how})' if how else ''}; {outcome.heard_again} messages heard again, used once"
    )
    verdict = f"  {found.lost} lost · {found.doubled} doubled · {found.cents_off} cents off"
    say(f"{verdict}   ({outcome.repaired} found double and reversed)", "bold green" if found.holds else "bold red")
    for sentence in found.findings:
        say(f"  ✗ {sentence}", "red")


def closing(stage: Stage, outcome: Outcome) -> None:
    """Where to look, until somebody stops it."""
    example = outcome.parked[0].number if outcome.parked else outcome.deals[0].number
    say(f"\n  Look: {stage.gateway}/api/runs     Ask: isthmus explain {example}     Stop: Ctrl-C", "bold")
    say(f"  The landscape: {stage.folder / 'sonnwerk'}     Logs: {stage.folder}/*.log")


def _why(deal: Deal) -> list[tuple[str, str | None]]:
    assert deal.mend is not None
    lines: list[tuple[str, str | None]] = [(f"    parked: {deal.mend.exception['title']}", "yellow")]
    words = ["mend", "then"] if deal.mend.command else ["then"]
    lines += [(f"    {word}: {command}", None) for word, command in zip(words, deal.mend.commands, strict=True)]
    if not deal.mend.command:
        lines.insert(1, (f"    to do: {deal.mend.exception['mend']}", None))
    return lines
