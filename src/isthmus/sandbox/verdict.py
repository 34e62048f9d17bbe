"""What a proof finds, and how it reads rows of books. Imports nothing of Isthmus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
_PLACES = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3, "OMR": 3}


@dataclass
class Verdict:
    """What the books say. ``findings`` are sentences; the numbers count what was found."""

    opportunities: int = 0
    completed: int = 0
    parked: int = 0
    lost: int = 0
    doubled: int = 0
    unasked: int = 0
    unreported: int = 0
    cents_off: int = 0
    invoices_equal: int = 0
    entitlements: int = 0
    numbered: int = 0
    disputes: int = 0
    credited: int = 0
    sums: dict[str, str] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing lost, doubled, made unasked, a cent off, or kept from the salespeople."""
        return not (self.lost or self.doubled or self.unasked or self.unreported or self.cents_off)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {"holds": self.holds, **vars(self)}


def equal(found: Verdict, what: str, one: Row, first: str, other: Row, second: str) -> bool:
    """Whether two amounts agree, currency and all; else the difference is counted in cents and told."""
    wanted, made = Decimal(one[first]), Decimal(other[second])
    if one["currency"] == other["currency"] and wanted == made:
        return True
    off = abs(wanted - made).scaleb(_PLACES.get(str(one["currency"]), 2)).to_integral_value()
    found.cents_off += max(int(off), 1)
    found.findings.append(f"{what}: {made:f} {other['currency']}, expected {wanted:f} {one['currency']}")
    return False


def number(key: str) -> str:
    """``OPP-1002`` of ``OPP-1002~2``: generations of one sale."""
    return str(key).partition("~")[0]


def listed(rows: Sequence[Row]) -> str:
    """The rows' ids, for a sentence."""
    return ", ".join(str(row["id"]) for row in rows)


def said(row: Row) -> set[str]:
    """What somebody has noted on a document, whatever the notes are called."""
    return {str(value) for value in (row.get("metadata") or {}).values()}
