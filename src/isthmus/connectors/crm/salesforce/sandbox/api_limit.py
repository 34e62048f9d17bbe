"""The organization's daily allowance of API calls, told on every answer.

Vendor: ``Sforce-Limit-Info: api-usage=18/5000``; over it 403 REQUEST_LIMIT_EXCEEDED. The day is a rolling one there; here it
begins with the first call and ends 24 hours later.
"""

from __future__ import annotations

from typing import Any

from isthmus.connectors.crm.salesforce.sandbox.errors import VendorError
from isthmus.sandkit.clock import Clock

_DAY_S = 24 * 60 * 60
DAILY_MAX = 1_000_000


class ApiLimit:
    """Counts calls. Lives in memory: a restart forgives."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.timestamp()
        self.used, self.most = 0, DAILY_MAX

    def count(self) -> None:
        """One more call. Raises VendorError REQUEST_LIMIT_EXCEEDED where the day's allowance is used up."""
        now = self._clock.timestamp()
        if now - self._since >= _DAY_S:
            self._since, self.used, self.most = now, 0, DAILY_MAX
        if self.used >= self.most:
            raise VendorError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used += 1

    def leave(self, remaining: int) -> None:
        """Let exactly so many calls remain today."""
        self.most = self.used + remaining

    @property
    def header(self) -> str:
        """The value of ``Sforce-Limit-Info``."""
        return f"api-usage={self.used}/{self.most}"

    def as_json(self) -> dict[str, Any]:
        """GET limits."""
        return {
            "ConcurrentAsyncGetReportInstances": {"Max": 200, "Remaining": 200},
            "DailyApiRequests": {"Max": self.most, "Remaining": self.most - self.used},
            "DailyBulkApiBatches": {"Max": 15000, "Remaining": 15000},
            "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 10000},
            "DailyBulkV2QueryFileStorageMB": {"Max": 976562, "Remaining": 976562},
            "DataStorageMB": {"Max": 10240, "Remaining": 10000},
            "FileStorageMB": {"Max": 10240, "Remaining": 10240},
            "HourlyLongTermIdMapping": {"Max": 100000, "Remaining": 100000},
        }
