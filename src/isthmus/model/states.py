"""The state machines: which word may follow which. Every move is an event ``isthmus.<object>.<past tense>.v1``.

Order and order line are not here: their words are derived from quantities (see ``order``) and may go back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: machine to state to the states it may go to; a state that leads nowhere is final
MACHINES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "quote": {
        "draft": ("in_approval", "sent", "cancelled"),
        "in_approval": ("draft", "sent", "rejected"),
        "sent": ("accepted", "rejected", "expired", "superseded"),
        "accepted": (),
        "rejected": (),
        "expired": (),
        "cancelled": (),
        "superseded": (),
    },
    "delivery": {
        "planned": ("picking", "cancelled"),
        "picking": ("packed", "cancelled"),
        "packed": ("shipped", "cancelled"),
        "shipped": ("in_transit", "lost", "returned", "planned"),
        "in_transit": ("delivered", "lost", "returned"),
        "delivered": (),
        "lost": (),
        "returned": (),
        "cancelled": (),
    },
    "invoice": {
        "draft": ("issued",),
        "issued": ("paid", "void", "uncollectible"),
        "paid": ("issued",),
        "uncollectible": ("paid",),
        "void": (),
    },
    "credit_note": {
        "requested": ("draft", "rejected"),
        "draft": ("issued",),
        "issued": ("used", "void"),
        "used": (),
        "void": (),
        "rejected": (),
    },
    "payment": {
        "pending": ("authorized", "failed", "cancelled"),
        "authorized": ("succeeded", "failed", "cancelled"),
        "succeeded": ("failed",),
        "failed": (),
        "cancelled": (),
    },
    "subscription": {
        "draft": ("scheduled",),
        "scheduled": ("trialing",),
        "trialing": ("active", "cancelled", "ended"),
        "active": ("past_due", "paused", "cancelled", "ended"),
        "past_due": ("active", "cancelled", "ended"),
        "paused": ("active", "cancelled", "ended"),
        "cancelled": (),
        "ended": (),
    },
    "contract": {
        "draft": ("in_approval", "cancelled"),
        "in_approval": ("signed", "cancelled"),
        "signed": ("active",),
        "active": ("expired", "terminated"),
        "expired": (),
        "terminated": (),
        "cancelled": (),
    },
    "entitlement": {
        "planned": ("active", "revoked"),
        "active": ("suspended", "expired", "revoked"),
        "suspended": ("active", "expired", "revoked"),
        "expired": ("revoked",),
        "revoked": (),
    },
    "case": {
        "new": ("open", "closed"),
        "open": ("waiting_customer", "waiting_internal", "solved", "closed"),
        "waiting_customer": ("open", "waiting_internal", "solved", "closed"),
        "waiting_internal": ("open", "waiting_customer", "solved", "closed"),
        "solved": ("open", "closed"),
        "closed": (),
    },
    "dispute": {
        "open": ("accepted", "partly", "rejected", "won", "lost"),
        "rejected": ("open",),
        "accepted": (),
        "partly": (),
        "won": (),
        "lost": (),
    },
    "approval": {
        "requested": ("approved", "rejected", "withdrawn", "expired", "escalated"),
        "escalated": ("approved", "rejected", "withdrawn", "expired", "requested"),
        "approved": ("requested",),
        "rejected": ("requested",),
        "withdrawn": (),
        "expired": (),
    },
}

#: words that are derived from amounts, and the state in which each holds
DERIVED: Final[Mapping[str, Mapping[str, str]]] = {
    "invoice": {"partly_paid": "issued", "overdue": "issued"},
    "payment": {
        "refunded": "succeeded",
        "partly_refunded": "succeeded",
        "disputed": "succeeded",
        "charged_back": "succeeded",
    },
}


def may_go(machine: str, start: str, end: str) -> bool:
    """Whether ``start`` may become ``end`` in one move. Staying is no move, so it is False.

    A derived word moves like the state it holds in, and freely among the words of that state. Raises ValueError for
    a machine or a state that does not exist.
    """
    moves, derived = states(machine), DERIVED.get(machine, {})
    for word in (start, end):
        if word not in moves and word not in derived:
            raise ValueError(f"{machine} has no state {word!r}; it has {', '.join((*moves, *derived))}")
    before, after = derived.get(start, start), derived.get(end, end)
    if before == after:
        return start != end
    return after in moves[before]


def is_final(machine: str, state: str) -> bool:
    """Whether nothing follows this state. ValueError as ``may_go``."""
    may_go(machine, state, state)
    return not states(machine).get(state, ("derived",))


def states(machine: str) -> Mapping[str, tuple[str, ...]]:
    """The states of a machine, each with those it may go to. ValueError where there is no such machine."""
    if machine not in MACHINES:
        raise ValueError(f"there is no state machine {machine!r}; there are {', '.join(MACHINES)}")
    return MACHINES[machine]
