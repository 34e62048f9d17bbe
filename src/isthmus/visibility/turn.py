"""Whose turn it is: who acts next in a run, what they are to do, and when it goes on by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from isthmus.visibility.timeline import Timeline


def turn(run: Timeline) -> str:
    """One sentence: a person and what to do, the clock and when, a vendor, or nobody."""
    state = run["state"]
    parked = next((one for one in run["exceptions"] if one["state"] == "open"), None)
    asked = next((one for one in run["approvals"] if one["state"] == "requested"), None)
    if state in ("ready", "running"):
        return "Isthmus plays it now; nobody needs to do anything."
    if parked is not None and state in ("parked", "undoing"):
        return _mender(parked)
    if asked is not None and state == "waiting":
        by = f" by {_when(asked['due_at'])}" if asked["due_at"] else ""
        return f"{asked['policy']} decides{by}: isthmus approvals approve {asked['id']} (or reject)"
    if state in ("waiting", "undoing"):
        what = f" ({run['problem']['waiting_for']})" if (run["problem"] or {}).get("waiting_for") else ""
        when = f"goes on by itself at {_when(run['due_at'])}" if run["due_at"] else "goes on when it is answered"
        return f"It {when}{what}."
    if state == "undone":
        return "Nobody; it is reversed. Win it again, or start it again, for the next generation."
    return "Nobody; it is complete." if state == "done" else "Nobody."


def _mender(parked: dict[str, Any]) -> str:
    number = parked["number"]
    if parked["retry_at"]:
        times = f", {parked['retries']} times so far" if parked["retries"] else ""
        return f"It is tried again by itself at {_when(parked['retry_at'])}{times}; sooner: isthmus exceptions retry {number}"
    who = parked["assignee"] or "A person (nobody has taken it yet)"
    due = f" by {_when(parked['due_at'])}" if parked["due_at"] else ""
    do = f"{parked['mend']}; command: " if parked["mend"] else ""
    return f"{who}{due}: {do}isthmus exceptions retry {number}"


def _when(instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")
