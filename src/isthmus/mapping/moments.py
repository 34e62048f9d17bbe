"""Days and instants in mappings: ISO 8601 text in and out, and the vendors' ways of counting time.

An instant has an offset (``2026-03-01T10:00:00Z``), a day has none (``2026-03-01``). A date-time without an offset is
refused: nobody knows when it was. Absent stays absent, null stays null.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from isthmus.mapping.decimals import number
from isthmus.mapping.errors import Refused, shown
from isthmus.mapping.values import ABSENT

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)
_ISO_DAY: Final = len("2026-03-01")


def epoch(iso: Any) -> Any:
    """Whole seconds since 1970 as text, fractions cut off; a day counts from its midnight in UTC."""
    return iso if iso is ABSENT or iso is None else str((_instant(iso) - _EPOCH) // _SECOND)


def from_epoch(seconds: Any) -> Any:
    """The instant of so many seconds since 1970 (integer or decimal text), in UTC: ``2026-03-01T10:00:00Z``."""
    if seconds is ABSENT or seconds is None:
        return seconds
    try:
        moment = _EPOCH + timedelta(microseconds=int(number(seconds) * 1_000_000))
    except OverflowError:
        raise Refused(f"{shown(seconds)} is not a time", "seconds since 1970", "divide milliseconds by 1000") from None
    return moment.isoformat().replace("+00:00", "Z")


def date_of(iso: Any, zone: Any = ABSENT) -> Any:
    """The calendar day of an instant in a time zone (IANA name; without one, UTC). A day stays that day."""
    if iso is ABSENT or iso is None:
        return iso
    if isinstance(iso, str) and len(iso) == _ISO_DAY:
        return _day(iso).isoformat()
    moment = _instant(iso)
    return (moment if zone is ABSENT or zone is None else moment.astimezone(_zone(zone))).date().isoformat()


def odata_datetime(when: Any) -> Any:
    """OData V2's ``/Date(milliseconds)/`` of a day (midnight UTC, as Edm.DateTime has no offset) or an instant."""
    return when if when is ABSENT or when is None else f"/Date({(_instant(when) - _EPOCH) // _MILLISECOND})/"


def day_after(day: Any) -> Any:
    """The next calendar day."""
    return day if day is ABSENT or day is None else (_day(day) + _DAY).isoformat()


def day_before(day: Any) -> Any:
    """The calendar day before."""
    return day if day is ABSENT or day is None else (_day(day) - _DAY).isoformat()


def _instant(iso: Any) -> datetime:
    if isinstance(iso, str):
        try:
            moment = datetime.fromisoformat(iso)
        except ValueError:
            pass
        else:
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
            if len(iso) == _ISO_DAY:
                return moment.replace(tzinfo=UTC)
            raise Refused(
                f"{shown(iso)} has no offset, so nobody knows when it was",
                "an instant such as 2026-03-01T10:00:00Z",
                "append Z or the offset that the vendor documents",
            )
    raise Refused(f"{shown(iso)} is not a time", "an ISO 8601 instant or day such as 2026-03-01T10:00:00Z")


def _day(text: Any) -> date:
    if isinstance(text, str) and len(text) == _ISO_DAY:
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise Refused(f"{shown(text)} is not a day", "an ISO 8601 date such as 2026-03-01", "use $date_of on an instant")


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Refused(f"{shown(name)} is not a time zone", "an IANA name such as Europe/Berlin") from None
