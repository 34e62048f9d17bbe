"""Approval: people's yes or no to something, with four eyes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from isthmus.model.money import Value
from isthmus.model.problems import Findings
from isthmus.model.scalars import Code, Instant, Name, Text
from isthmus.model.values import Link


class Decision(Value):
    """What one person said."""

    by: Name
    at: Instant
    verdict: Literal["approved", "rejected"]
    comment: Text | None = None


class Approval(Value):
    """A request for ``needed`` people's consent. Whoever asked may not decide, and nobody decides twice.

    One read from a vendor may state its ``status`` without naming who decided; where decisions are given, ``approved``
    and ``rejected`` must follow from them.
    """

    object_word: ClassVar[str] = "approval"

    id: Code
    subject: Link | None = None
    """What is to be approved."""
    policy: Code | None = None
    """The landscape's rule that asked for it."""
    requested_by: Name | None = None
    requested_at: Instant | None = None
    needed: Annotated[int, Field(ge=1)] = 1
    decisions: tuple[Decision, ...] = ()
    due_at: Instant | None = None
    status: Literal["requested", "approved", "rejected", "withdrawn", "expired", "escalated"] = "requested"

    @model_validator(mode="after")
    def _four_eyes(self) -> Approval:
        found = Findings("Approval")
        seen: set[str] = set()
        for index, decision in enumerate(self.decisions):
            if decision.by == self.requested_by:
                found.add("decisions", index, "by", value=decision.by, expected="somebody other than who asked")
            if decision.by in seen:
                found.add("decisions", index, "by", value=decision.by, expected="somebody who has not decided yet")
            seen.add(decision.by)
        outcome = self.outcome
        if self.decisions and self.status in ("approved", "rejected") and self.status != outcome:
            found.add("status", value=self.status, expected=f"{outcome}, as the decisions say")
        found.check()
        return self

    @property
    def outcome(self) -> Literal["requested", "approved", "rejected"]:
        """What the decisions say: rejected by any no, approved by ``needed`` times yes."""
        if any(decision.verdict == "rejected" for decision in self.decisions):
            return "rejected"
        return "approved" if len(self.decisions) >= self.needed else "requested"
