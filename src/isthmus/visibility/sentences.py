"""A run in sentences, for people who know the business and not the program. Computed from what happened, never canned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from isthmus.visibility.timeline import Timeline

#: how a repeat was made harmless, in words
HARMLESS = {
    "native": "it knows our key and gave the same answer again",
    "upsert": "sent again under the same id, which changes nothing",
    "probe": "we looked for our number and found it",
    "repaired": "a second one was found and reversed",
    "skipped": "done by hand",
}
_STATES = {
    "done": "It is complete.", "parked": "It is parked.", "waiting": "It waits.", "undone": "It was undone.",
    "undoing": "It is being undone.", "ready": "It is about to be played.", "running": "It is being played.",
    "ignored": "It was no business of ours.",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened; ``at`` is an instant, ``time`` its time of day here."""

    at: str
    text: str

    @property
    def time(self) -> str:
        """``10:02:11.120``."""
        return datetime.fromisoformat(self.at).astimezone().strftime("%H:%M:%S.%f")[:-3]


@dataclass(frozen=True, slots=True)
class Account:
    """A run as it is told: what it is, what happened, and what the same thing is called elsewhere."""

    title: str
    lines: list[Line]
    elsewhere: list[str] = field(default_factory=list)


def account(run: Timeline, titles: Mapping[str, str] | None = None) -> Account:
    """Tell a run from its timeline. ``titles``: connection → what people call the application."""
    names = _Names(titles or {})
    lines = [
        *_heard(run, names),
        *_read(run, names),
        *_written(run, names),
        *_waited(run),
        *_parked(run),
        *_stopped(run),
        *_ended(run),
    ]
    lines.sort(key=lambda line: line.at)
    return Account(_title(run), lines, _elsewhere(run, names))


class _Names(dict[str, str]):
    """Connection → title; a connection nobody has named is called by its own name."""

    def __missing__(self, connection: str) -> str:
        return connection or "somebody"


def _title(run: Timeline) -> str:
    what = f' "{run["title"]}"' if run["title"] else ""
    whom = f" of {run['customer']}" if run["customer"] else ""
    money = f", {spelled(run['amount'])} {run['currency']}" if run["amount"] else ""
    unit = f", unit {run['unit']}" if run["unit"] else ""
    again = f" (generation {run['generation']})" if run["generation"] > 1 else ""
    state = _STATES.get(run["state"], run["state"])
    return f"{run['key'] or run['id']}{again}{what}{whom}{money}{unit}. {run['process']}: {state}"


def spelled(amount: str) -> str:
    """An amount with thousands apart, its digits untouched."""
    whole, dot, rest = amount.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}{dot}{rest}"


def _heard(run: Timeline, names: _Names) -> Iterator[Line]:
    accepted = next(iter(run["events"]), None)
    told = run["messages"]
    if told:
        said = f"told {len(told)} times, used once" if len(told) > 1 else "told once"
        yield Line(told[0]["received_at"], f"{names[run['connection']]} says: {_event(accepted)} ({said})")
    elif accepted is not None:
        yield Line(run["created_at"], f"asked for over the API: {_event(accepted)}")


def _event(event: Mapping[str, Any] | None) -> str:
    """``quote accepted`` of ``isthmus.quote.accepted.v1``."""
    return " ".join(event["type"].split(".")[1:3]).replace("_", " ") if event else "something happened"


def _read(run: Timeline, names: _Names) -> Iterator[Line]:
    for step in run["steps"]:
        if step["kind"] != "read":
            continue
        calls = [call for call in run["calls"] if call["step"] == step["name"]]
        who = ", ".join(names[one] for one in dict.fromkeys(c["connection"] for c in calls))
        asked = f": {who} answered" if who else ""
        yield Line(step["at"], f"{_spaced(step['name'])}{asked}{_trouble(calls)}")


def _written(run: Timeline, names: _Names) -> Iterator[Line]:
    events = {(e["data"].get("operation"), e["data"].get("key")): e for e in run["events"] if "operation" in e["data"]}
    for effect in run["effects"]:
        if effect["part"] or not effect["ended_at"]:
            continue
        parts = [e for e in run["effects"] if e["key"].startswith(effect["key"])]
        calls = [c for c in run["calls"] if c["step"] == effect["step"]]
        event = events.get((effect["operation"], effect["key"].partition("/")[2]))
        said = _spoken(effect, event, names[effect["connection"]])
        yield Line(effect["ended_at"], f"{said}{_trouble(calls)}{_harmless(parts)}")


def _spoken(effect: Mapping[str, Any], event: Mapping[str, Any] | None, who: str) -> str:
    number = effect["number"] or effect["reference"] or ""
    if effect["state"] == "refused":
        return f"{who} refused {_spaced(effect['operation'].partition('.')[2])}"
    if event is None:
        return f"{who}: {_spaced(effect['operation'].partition('.')[2])} {number}".rstrip()
    what, _, how = _event(event).rpartition(" ")
    if effect["state"] == "undone":
        how = f"{how}, and undone since"
    return f"{who}: {what} {number} {how}"


def _harmless(parts: list[Mapping[str, Any]]) -> str:
    rules = Counter(part["made_harmless_by"] for part in parts if part["made_harmless_by"])
    if not rules:
        return ""
    return "; " + "; ".join(HARMLESS.get(rule, rule) for rule in rules)


def _trouble(calls: list[Mapping[str, Any]]) -> str:
    """What went wrong on the way, counted: ``; the answer was lost once, asked to wait twice``."""
    kinds = Counter(filter(None, (_kind(call) for call in calls)))
    told = ", ".join(f"{kind} {_times(count)}" for kind, count in kinds.items())
    return f". On the way: {told}" if told else ""


def _kind(call: Mapping[str, Any]) -> str | None:
    if call["outcome"] == "cut":
        return "the answer was lost"
    if call["outcome"] == "not sent":
        return "no connection"
    if call["outcome"] == "troubled":
        return {429: "asked us to wait", 403: "asked us to wait", 401: "asked us to sign in"}.get(
            call["status"], "was not available" if (call["status"] or 0) >= 500 else "was locked"
        )
    return None


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _waited(run: Timeline) -> Iterator[Line]:
    for step in run["steps"]:
        name = _spaced(step["name"])
        if step["kind"] == "wait":
            by = f", answered by {step['who']}" if step["who"] else ""
            yield Line(step["at"], f"waits: {name}{by}")
        elif step["kind"] == "edit":
            yield Line(step["at"], f"{step['who']} changed the {name}")


def _parked(run: Timeline) -> Iterator[Line]:
    for one in run["exceptions"]:
        remedy = f". To do: {one['mend']}" if one["state"] == "open" and one["mend"] else ""
        yield Line(one["opened_at"], f"parked as {one['number']}: {one['title']}{remedy}")
        if one["ended_at"]:
            yield Line(one["ended_at"], f"{one['number']} was taken up again by {one['ended_by']}")


def _stopped(run: Timeline) -> Iterator[Line]:
    """Who or what had it undone, and why."""
    for event in run["events"]:
        why = event["data"].get("why") or ""
        if event["type"] == "isthmus.run.cancelled.v1":
            yield Line(
                event["at"], f"cancelled by {event['data'].get('who', 'somebody')}" + (f": {why}" if why else "")
            )
        elif event["type"] == "isthmus.run.refused.v1" and why != "cancelled":
            yield Line(event["at"], f"given up: {why}")


def _ended(run: Timeline) -> Iterator[Line]:
    if run["ended_at"] and run["state"] in ("done", "undone"):
        word = "complete" if run["state"] == "done" else "undone"
        yield Line(run["ended_at"], f"{word}, {took(run)} after it was heard of")
    waiting = (run["problem"] or {}).get("waiting_for")
    if waiting and run["state"] in ("waiting", "undoing"):
        yield Line(run["updated_at"], f"waits: {waiting}")


def took(run: Mapping[str, Any]) -> str:
    """How long a run took from the first word to the last: ``0.41 s``."""
    heard = min((m["received_at"] for m in run.get("messages", [])), default=run["created_at"])
    if not run["ended_at"]:
        return ""
    seconds = (datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(heard)).total_seconds()
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _elsewhere(run: Timeline, names: _Names) -> list[str]:
    found: dict[str, None] = {}
    for effect in run["effects"]:
        if effect["reference"] and not effect["part"]:
            number = f" ({effect['number']})" if effect["number"] not in (None, effect["reference"]) else ""
            found[f"{names[effect['connection']]} {effect['reference']}{number}"] = None
    return list(found)


def _spaced(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")
