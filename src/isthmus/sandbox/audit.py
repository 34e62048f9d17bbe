"""Traces every row in the systems to an intended effect here, and every effect, run and message to its end.

Beside ``proof``, which knows nothing of Isthmus: this holds the books against our store. Pure functions over rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
#: (role, kind of its books) → operations whose effects make such a row
MADE_BY = {
    ("erp", "customer"): ("erp.ensure_customer",),
    ("erp", "order"): ("erp.create_order",),
    ("billing", "customer"): ("billing.ensure_customer",),
    ("billing", "invoice"): ("billing.create_invoice",),
    ("support", "customer"): ("support.grant_entitlement",),
    ("support", "entitlement"): ("support.grant_entitlement",),
}
_ENDED = ("done", "undone", "ignored")


@dataclass
class Traces:
    """What was found. A finding is a sentence and the business key (or id) by which its history is told."""

    traced: int = 0
    unasked: int = 0
    unended: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def hold(self) -> bool:
        """Nothing unasked, nothing without an end."""
        return not (self.unasked or self.unended)


def trace(before: Mapping[str, Sequence[Row]], after: Mapping[str, Sequence[Row]], effects: Iterable[Row]) -> Traces:
    """Hold what came into the books (role → rows) between ``before`` and ``after`` against the effects of the store."""
    found = Traces()
    made = _References(effects)
    for (role, kind), operations in MADE_BY.items():
        there = {_identity(row) for row in before.get(role, ()) if row["kind"] == kind}
        for row in after.get(role, ()):
            if row["kind"] != kind or _identity(row) in there:
                continue
            if made.knows(role, operations, row):
                found.traced += 1
            else:
                found.unasked += 1
                text = f"{kind} {row['id']} stands in {role} under {row.get('key') or 'no key'}, but no effect here made it"
                found.findings.append((text, str(row.get("key") or row["id"])))
    _people(before, after, found)
    return found


def ends(
    found: Traces, *, messages: Iterable[Row], runs: Iterable[Row], effects: Iterable[Row], open_runs: set[str]
) -> None:
    """Every message ended in a run (or behind a parked one), every run ended or is parked with an open exception."""
    all_runs = list(runs)
    parked = {row["subject"] for row in all_runs if row["state"] == "parked"}
    for row in messages:
        if row["state"] == "new" and row["subject"] not in parked:
            _unended(
                found, f"message {row['source_id']} of {row['subject']} was taken in and never claimed", row["subject"]
            )
    for row in all_runs:
        if row["owner"] is not None or row["due_at"] is not None or row["state"] not in (*_ENDED, "parked"):
            _unended(found, f"run {row['id']} is {row['state']} and has not come to rest", row["id"])
        elif row["state"] == "parked" and row["id"] not in open_runs:
            _unended(found, f"run {row['id']} is parked without an exception that a person could see", row["id"])
    states = {row["id"]: row["state"] for row in all_runs}
    for row in effects:
        if row["state"] == "intended" and row["doubt"] and states.get(row["run_id"]) in _ENDED:
            _unended(found, f"effect {row['key']} was left in doubt, though its run has ended", row["run_id"])


def _unended(found: Traces, sentence: str, key: str) -> None:
    found.unended += 1
    found.findings.append((sentence, key))


class _References:
    """What effects made, by operation: ids of what was recorded, and keys under which a second one may have stood."""

    def __init__(self, effects: Iterable[Row]) -> None:
        self._ids: set[tuple[str, str]] = set()
        self._keys: set[tuple[str, str]] = set()
        #: role and id of all that was made or undone
        self._met: set[tuple[str, str]] = set()
        for row in effects:
            operation = f"{row['role']}.{row['operation']}"
            if row["reference_id"] and not row["part"]:
                self._ids.add((operation, str(row["reference_id"])))
                self._met.add((row["role"], str(row["reference_id"])))
            if row["state"] in ("done", "undone") and row["rule"] == "repaired":
                self._keys.add((operation, str(row["business_key"])))

    def knows(self, role: str, operations: Sequence[str], row: Row) -> bool:
        """Made and recorded by an effect; or a second one that was reversed and lives no more, which may cost its key."""
        if any((operation, str(row["id"])) in self._ids for operation in operations):
            return True
        reversed_ = (role, str(row["id"])) in self._met or any(
            (o, str(row.get("key"))) in self._keys for o in operations
        )
        return reversed_ and not row.get("living", True)


def _people(before: Mapping[str, Sequence[Row]], after: Mapping[str, Sequence[Row]], found: Traces) -> None:
    """New users in support must be contacts whom the CRM knows."""
    known = {str(row["email"]).lower() for row in after.get("crm", ()) if row["kind"] == "contact"}
    there = {_identity(row) for row in before.get("support", ()) if row["kind"] == "user"}
    for row in after.get("support", ()):
        if row["kind"] == "user" and _identity(row) not in there:
            if str(row["email"]).lower() in known:
                found.traced += 1
            else:
                found.unasked += 1
                found.findings.append(
                    (f"user {row['email']} stands in support, but is nobody's contact", str(row["id"]))
                )


def _identity(row: Row) -> tuple[str, str]:
    return str(row.get("account", "")), str(row["id"])
