"""Versions of an experience API: the last one stands at the plain address, older ones below ``v1/``, ``v2/`` … until
their sunset. (RFC 9745: Deprecation, RFC 8594: Sunset, RFC 5829: successor-version.)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime


@dataclass(frozen=True, slots=True)
class Deprecated:
    """An old version: since when it is deprecated, when it ends (both aware), and what comes in its place."""

    since: datetime
    sunset: datetime
    successor: str

    def headers(self) -> dict[str, str]:
        """What each answer of the old version carries."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.sunset, usegmt=True),
            "Link": f'<{self.successor}>; rel="successor-version"',
        }
