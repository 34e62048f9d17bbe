"""What goes wrong, and when: faults at the vendors, blows against the workers, deals in bursts. All drawn from the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: what the landscape of a chaos run says of its vendors, in seconds: how long they work on a call, how late effects land
DEADLINE_S, SETTLE_S = 2.0, 1.0
#: of the effects that land late, this share lands when nobody can expect it any more
BEYOND = 0.1
_LATE = 0.03
_BLOWS_EACH, _BLOWS_MIN, _BLOWS_MAX = 20, 4, 24
_FREEZE_S = (7.5, 10.0)
_BURST_MAX = 4

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blow:
    """One attack on a process of Isthmus, struck once ``at`` (a share) of the deals have come to rest."""

    at: float
    kind: Literal["kill", "freeze"]
    whom: float  # 0 to 1: which of the processes
    lasts_s: float  # until a frozen one is woken, or a killed one is started again


def rules(systems: Mapping[str, str]) -> list[Rule]:
    """The trouble at the vendors; ``systems``: role → vendor. Late effects that go beyond what can be expected included.

    Writes meet more of it than reads. A sign-in expires only where the vendor has tokens that expire: elsewhere it is
    a person who must mend it.
    """
    beyond_s = DEADLINE_S + SETTLE_S
    return [
        {"kind": "limited", "rate": 0.02},
        {"kind": "down", "rate": 0.02},
        {"kind": "slow", "rate": 0.02, "delay_s": 0.05, "delay_max_s": 0.8},
        {"kind": "expired", "rate": 0.01, "vendor": systems["crm"]},
        {"kind": "locked", "rate": 0.03, "vendor": systems["crm"], "operation": "PATCH *"},
        {"kind": "locked", "rate": 0.03, "vendor": systems["erp"], "operation": "POST *"},
        {"kind": "cut_before", "rate": 0.01},
        {"kind": "cut_after", "rate": 0.03, "operation": "P* *"},
        {"kind": "broken", "rate": 0.02, "operation": "P* *"},
        {"kind": "late", "rate": _LATE * (1 - BEYOND), "operation": "P* *", "delay_s": 0.1, "delay_max_s": SETTLE_S},
        {
            "kind": "late", "rate": _LATE * BEYOND, "operation": "P* *",
            "delay_s": beyond_s + 0.1, "delay_max_s": beyond_s + 1.5,
        },
        {"kind": "push_twice", "rate": 0.2},
        {"kind": "push_reordered", "rate": 0.1, "delay_s": 0.2, "delay_max_s": 2.0},
    ]  # fmt: skip


def latest_s() -> float:
    """How long after its request the latest effect can still land, in seconds."""
    return DEADLINE_S + SETTLE_S + 1.5


def blows(seed: int, orders: int, count: int | None = None) -> list[Blow]:
    """The attacks on the processes in their order: three kills, then a freeze, and so on. More for more ``orders``."""
    draw = random.Random(f"chaos/blows/{seed}")  # noqa: S311 - repeatable on purpose
    count = max(_BLOWS_MIN, min(_BLOWS_MAX, orders // _BLOWS_EACH)) if count is None else count
    places = sorted(draw.uniform(0.02, 0.9) for _ in range(count))
    found = []
    for number, at in enumerate(places, start=1):
        freezes = number % 4 == 0
        lasts_s = draw.uniform(*_FREEZE_S) if freezes else draw.uniform(0.0, 2.0)
        found.append(Blow(at, "freeze" if freezes else "kill", draw.random(), lasts_s))
    return found


def bursts(seed: int, numbers: list[str]) -> Iterator[list[str]]:
    """The deals as they are closed: one, or a few at once."""
    draw, at = random.Random(f"chaos/bursts/{seed}"), 0  # noqa: S311 - repeatable on purpose
    while at < len(numbers):
        size = draw.randint(1, _BURST_MAX)
        yield numbers[at : at + size]
        at += size
