"""How asking a vendor can end, other than with an answer: parked for people, or tried later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ParkedWork:
    """Why work waits for a person, in words an order clerk knows.

    ``error_class`` is one of limit, locked, down, access, business, missing, conflict, format, program;
    ``said`` is the vendor's own sentence; ``retry_s`` is set where time alone may mend it.
    """

    title: str
    error_class: str
    mend: str
    operation: str | None = None
    connection: str | None = None
    code: str | None = None
    field: str | None = None
    said: str | None = None
    step: str | None = None
    retry_s: float | None = None

    @property
    def group(self) -> str:
        """Equal failures have an equal group: operation, class, code and field."""
        return "/".join(part or "-" for part in (self.operation, self.error_class, self.code, self.field))


class Park(Exception):
    """This run cannot go on until somebody mends something."""

    def __init__(self, work: ParkedWork) -> None:
        super().__init__(work.title)
        self.work = work


class Later(Exception):
    """Nothing to be done now: the play ends, and the run is due again ``at``. It holds nothing meanwhile."""

    def __init__(self, at: datetime, why: str) -> None:
        super().__init__(why)
        self.at, self.why = at, why


class CancelAsked(Exception):
    """Somebody cancelled the run; looked at before every write."""
