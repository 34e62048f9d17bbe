"""SOQL's date literals (TODAY, LAST_N_DAYS:7, THIS_QUARTER …) as spans of days.

Vendor: "Date Formats and Date Literals in WHERE". Weeks begin on Sunday there (en_US), quarters are calendar ones.
"""

from __future__ import annotations

from datetime import date, timedelta


def span(word: str, today: date) -> tuple[date, date]:
    """First day and the day after the last of a literal in lower case, seen from ``today``."""
    name, _, number = word.partition(":")
    count = int(number) if number else 90 if name.endswith("_90_days") else 1
    if name in ("today", "yesterday", "tomorrow"):
        start = today + timedelta(days={"today": 0, "yesterday": -1, "tomorrow": 1}[name])
        return start, start + timedelta(days=1)
    if name == "n_days_ago":
        start = today - timedelta(days=count)
        return start, start + timedelta(days=1)
    if name in ("last_90_days", "last_n_days"):
        return today - timedelta(days=count), today + timedelta(days=1)
    if name in ("next_90_days", "next_n_days"):
        return today + timedelta(days=1), today + timedelta(days=count + 1)
    which, _, unit = name.replace("_n_", "_").partition("_")
    unit = unit.removesuffix("s")
    if which == "this":
        return _start(unit, today, 0), _start(unit, today, 1)
    if which == "last":
        return _start(unit, today, -count), _start(unit, today, 0)
    return _start(unit, today, 1), _start(unit, today, 1 + count)


def _start(unit: str, today: date, steps: int) -> date:
    """The first day of the unit that is ``steps`` after the one in which ``today`` falls."""
    if unit == "week":
        return today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=steps)
    if unit == "year":
        return date(today.year + steps, 1, 1)
    months = {"month": 1, "quarter": 3}[unit]
    first = (today.month - 1) // months * months
    year, month = divmod(today.year * 12 + first + steps * months, 12)
    return date(year, month + 1, 1)
