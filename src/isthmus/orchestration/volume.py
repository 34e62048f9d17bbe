"""Whether a day brought strikingly little: a source that lets us in and shows nothing looks like a quiet one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from statistics import median_low
from typing import Any

from isthmus.store.transaction import Row

#: days that must be known, what is little (a share of the usual), and below what nothing is said
DAYS_MIN, SHARE, USUAL_MIN = 7, 5, 10


def unusual(days: Sequence[Row]) -> dict[str, Any] | None:
    """What is striking about the latest of these days (the latest first), or None.

    It is held against the median of the two weeks before, and against its own weekday of last week: a quiet Sunday is
    none of anybody's business.
    """
    if len(days) <= DAYS_MIN:
        return None
    latest, before = days[0], days[1:15]
    usual = median_low(row["new"] for row in before)
    week_ago = (date.fromisoformat(latest["day"]) - timedelta(days=7)).isoformat()
    same_weekday = next((row["new"] for row in before if row["day"] == week_ago), usual)
    if min(usual, same_weekday) < USUAL_MIN or latest["new"] * SHARE >= min(usual, same_weekday):
        return None
    return {"day": latest["day"], "new": latest["new"], "usual": usual, "failed": latest["failed"]}
