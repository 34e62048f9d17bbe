"""The audit after a chaos run: the systems' own books, our store, and what the vendors say they delivered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.cli.chaos.ground import Ground
from isthmus.cli.chaos.leaks import leaks, left_behind, secrets_of
from isthmus.cli.chaos.watch import MAIN, Watch
from isthmus.landscape.release import Release, compile_release
from isthmus.sandbox import audit
from isthmus.sandbox.proof import Verdict, judge
from isthmus.store.transaction import Row, Transaction

Books = Mapping[str, Sequence[Mapping[str, Any]]]
_OURS = ("program", "format", "access")
#: messages that found the run of their subject
_AGAIN = ("seen", "joined", "superseded")


@dataclass
class Outcome:
    """Everything that chaos tells at the end. ``findings`` are breaches: a sentence, and what its history is under."""

    verdict: Verdict
    traces: audit.Traces
    orders: int
    webhooks: int = 0
    messages: int = 0
    repaired: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    parked_for: dict[str, int] = field(default_factory=dict)
    secrets: int = 0
    breaches: list[tuple[str, str]] = field(default_factory=list)

    @property
    def findings(self) -> list[tuple[str, str]]:
        """All breaches, each with the key of its history."""
        return [*((text, _key_in(text)) for text in self.verdict.findings), *self.traces.findings, *self.breaches]

    @property
    def lost(self) -> int:
        """Deals without their documents, and work without an end."""
        return self.verdict.lost + self.traces.unended

    @property
    def unasked(self) -> int:
        """Rows that nobody asked for."""
        return self.verdict.unasked + self.traces.unasked

    @property
    def holds(self) -> bool:
        """No breach of any kind."""
        return self.verdict.holds and self.traces.hold and not self.findings


def books_of(ground: Ground) -> Books:
    """The books by role, read from outside by each vendor's own API."""
    return {role: ground.stage.desk(vendor, "books") for role, vendor in ground.stage.script.systems.items()}


def judged(ground: Ground, watch: Watch, before: Books, numbers: list[str]) -> Outcome:
    """Read everything once more, and judge."""
    after, kept = books_of(ground), watch.read(_kept)
    stopped = {row["business_key"] for row in kept["runs"] if row["process"] == MAIN and row["state"] == "parked"}
    traces = audit.trace(before, after, kept["effects"])
    open_runs = {row["run_id"] for row in kept["open"]}
    audit.ends(traces, messages=kept["messages"], runs=kept["runs"], effects=kept["effects"], open_runs=open_runs)
    outcome = Outcome(judge(after, {str(key) for key in stopped}, asked=numbers), traces, len(numbers))
    release = compile_release(ground.landscape, "dev")
    heard = _webhooks(release, kept["calls"])
    outcome.messages, outcome.webhooks = len(kept["messages"]), sum(heard.values())
    outcome.repaired = kept["repaired"]
    outcome.repeats = Counter(row["rule"] for row in kept["effects"] if row["rule"])
    outcome.repeats["message"] = sum(_webhooks(release, kept["repeated"]).values())
    outcome.repeats["subject"] = sum(row["state"] in _AGAIN for row in kept["messages"])
    outcome.parked_for = dict(Counter(row["error_class"] for row in kept["open"]))
    for met in ground.stage.desk("faults")["met"]:
        outcome.faults[met["kind"]] = outcome.faults.get(met["kind"], 0) + met["count"]
    secrets = secrets_of(release, ground.environment, watch.tokens)
    outcome.secrets = len(secrets)
    leaked = [(sentence, "") for sentence in leaks(secrets, left_behind(ground.folder, watch))]
    outcome.breaches = [*_our_own(kept["open"]), *_unheard(ground, heard), *_missing(outcome, numbers), *leaked]
    return outcome


def _kept(tx: Transaction) -> dict[str, Any]:
    """All that the store holds of the play."""
    calls = "SELECT connection, channel, count(*) AS n FROM call c WHERE {} GROUP BY connection, channel"
    nothing_new = "NOT EXISTS (SELECT 1 FROM message m WHERE m.call_id = c.id)"
    repaired = tx.rows("SELECT data FROM journal WHERE type = 'isthmus.effect.repaired.v1'")
    return {
        "messages": tx.rows("SELECT source_id, subject, state, connection, channel FROM message"),
        "runs": tx.rows("SELECT id, process, subject, business_key, state, owner, due_at FROM run"),
        "effects": tx.rows(
            "SELECT key, role, operation, business_key, part, run_id, state, doubt, rule, reference_id FROM effect"
        ),
        "open": tx.rows("SELECT number, run_id, title, error_class, said FROM exception WHERE state = 'open'"),
        "calls": _counted(tx.rows(calls.format("1 = 1"))),
        "repeated": _counted(tx.rows(calls.format(nothing_new))),
        "repaired": len(repaired),
    }


def _counted(rows: Sequence[Row]) -> dict[tuple[str, str], int]:
    return {(row["connection"], row["channel"]): int(row["n"]) for row in rows}


def _webhooks(release: Release, calls: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """How many calls came in by webhook, by connection; what was polled is not counted."""
    found: Counter[str] = Counter()
    for (connection, channel), count in calls.items():
        if release.connections[connection].connector.inbound[channel].channel == "webhook":
            found[connection] += count
    return found


def _our_own(exceptions: Sequence[Row]) -> list[tuple[str, str]]:
    """What is parked for a reason of our own making, which no deal of the company has."""
    return [
        (f"EX-{row['number']} is parked by a fault of ours: {row['title']}", row["run_id"])
        for row in exceptions
        if row["error_class"] in _OURS
    ]


def _unheard(ground: Ground, calls: Mapping[str, int]) -> list[tuple[str, str]]:
    """Deliveries that the CRM says we acknowledged, more than we have."""
    vendor = ground.stage.script.systems["crm"]
    taken = [row for row in ground.stage.desk(vendor, "show", "push") if row["state"] == "taken"]
    kept = calls.get(vendor, 0)
    return (
        [(f"{vendor} says that {len(taken)} calls were acknowledged, {kept} are here", "")] if len(taken) > kept else []
    )


def _missing(outcome: Outcome, numbers: Sequence[str]) -> list[tuple[str, str]]:
    found = outcome.verdict.opportunities
    return [] if found == len(numbers) else [(f"{len(numbers)} deals were closed, the CRM has {found} of them", "")]


def _key_in(sentence: str) -> str:
    """The first word that looks like a business key."""
    return next((word.strip(",.") for word in sentence.split() if word.startswith("OPP-")), "")
