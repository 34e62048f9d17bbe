"""Faults on demand: which request meets which trouble, repeatably by seed.

A rule's decision depends on the seed, the rule and how many requests of one operation came before,
not on the clock, so the same traffic meets the same faults.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

FaultKind = Literal[
    "limited",  # 429 (or the vendor's own form of it), nothing happens
    "down",  # 503 before anything happens
    "broken",  # the effect happens, the answer is a 500
    "slow",  # the answer comes after delay_s
    "cut_before",  # the connection is cut, nothing happened
    "cut_after",  # the effect happened, then the connection is cut
    "late",  # the connection is cut, the effect happens delay_s later
    "expired",  # the caller's token stops working
    "locked",  # the row is locked by somebody else
]
PushFaultKind = Literal["push_twice", "push_reordered"]
KINDS: tuple[str, ...] = get_args(FaultKind) + get_args(PushFaultKind)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One sentence of trouble: at ``vendor``, for operations like ``POST */A_SalesOrder``, ``rate`` of them.

    ``rate`` is a share from 0 to 1; ``times`` ends the rule after so many hits; ``delay_s`` is the length of
    ``slow`` and ``late`` in seconds, drawn evenly up to ``delay_max_s`` where that is given.
    """

    kind: str
    vendor: str = "*"
    operation: str = "*"
    rate: float = 1.0
    times: int | None = None
    delay_s: float = 0.2
    delay_max_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault kind {self.kind!r} is unknown; expected one of {', '.join(KINDS)}")
        if not 0 <= self.rate <= 1:
            raise ValueError(f"fault rate {self.rate!r} is outside 0 to 1")


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    delay_s: float


class Faults:
    """The rules in force, and a count of what they did."""

    def __init__(self, seed: int | str = 0, rules: list[FaultRule] | None = None) -> None:
        self.seed = seed
        self.rules: list[FaultRule] = rules or []
        self.met: Counter[tuple[str, str]] = Counter()
        self._seen: Counter[tuple[int, str]] = Counter()
        self._hits: Counter[int] = Counter()

    def set(self, rules: list[FaultRule], seed: int | str | None = None) -> None:
        """Replace the rules (and the seed); counters of hits start again."""
        self.rules = rules
        self.seed = self.seed if seed is None else seed
        self._seen.clear()
        self._hits.clear()

    def pick(self, vendor: str, operation: str, *, push: bool = False) -> Fault | None:
        """The trouble that this request meets, or None. ``operation`` is ``METHOD path``."""
        for number, rule in enumerate(self.rules):
            if rule.kind.startswith("push_") is not push:
                continue
            if not fnmatchcase(vendor, rule.vendor) or not fnmatchcase(operation, rule.operation):
                continue
            if rule.times is not None and self._hits[number] >= rule.times:
                continue
            self._seen[(number, vendor)] += 1
            draw = random.Random(f"{self.seed}/{number}/{vendor}/{self._seen[(number, vendor)]}")
            if draw.random() < rule.rate:
                self._hits[number] += 1
                self.met[(vendor, rule.kind)] += 1
                delay = rule.delay_s
                if rule.delay_max_s is not None:
                    delay = draw.uniform(rule.delay_s, rule.delay_max_s)
                return Fault(rule.kind, delay)
        return None

    def late_max_s(self, vendor: str) -> float:
        """How late an effect can be at this vendor, in seconds: what a connection's ``settle`` must cover."""
        late = [r for r in self.rules if r.kind == "late" and fnmatchcase(vendor, r.vendor)]
        return max((r.delay_max_s or r.delay_s for r in late), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """The rules and what was met, for people and tests."""
        return {
            "seed": self.seed,
            "rules": [asdict(rule) for rule in self.rules],
            "met": [{"vendor": v, "kind": k, "count": n} for (v, k), n in sorted(self.met.items())],
        }
