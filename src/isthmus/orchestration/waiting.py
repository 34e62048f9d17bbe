"""What a play ends with when it must wait: a row, and nothing held. (EIP: claim check for time.)"""

from __future__ import annotations

from datetime import datetime


class Waiting(Exception):
    """The run waits for an answer under its name, or for the time; it is due again ``at``, or when it is woken."""

    def __init__(self, at: datetime | None, why: str) -> None:
        super().__init__(why)
        self.at, self.why = at, why
