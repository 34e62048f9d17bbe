"""What answers look like, for the OpenAPI document and for whoever reads it. More may be added by name."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_ID = Field(examples=["quote-to-cash.crm.Opportunity.0061"])
#: an instant as the store writes it: UTC, microseconds
At = str


class Shown(BaseModel):
    """Something shown; a later version may show more of it."""

    model_config = ConfigDict(extra="allow")


class Underway(Shown):
    """A run, how it stands, and where to look at it."""

    run: str = _ID
    state: str = Field(examples=["ready"])
    title: str | None = Field(None, description="what it waits for, where it is parked")
    links: dict[str, str] = Field(examples=[{"self": "/api/runs/quote-to-cash.crm.Opportunity.0061"}])


class RunShown(Shown):
    """The line of a run in lists."""

    id: str = _ID
    process: str
    connection: str
    state: str = Field(description="ready, running, waiting, parked, undoing, done, undone or ignored")
    key: str | None = Field(description="the business key", examples=["OPP-1002"])
    generation: int
    title: str | None
    customer: str | None
    amount: str | None
    currency: str | None
    unit: str | None
    round: int
    created_at: At
    updated_at: At
    ended_at: At | None
    trace_id: str | None = Field(examples=["4bf92f3577b34da6a3ce929d0e0e4736"])


class Runs(Shown):
    """A page of runs; ``next`` is what to give as ``before`` for the page after, None on the last."""

    runs: list[RunShown]
    next: At | None


class MessageShown(Shown):
    """A message that belongs to a run."""

    id: int
    source_id: str
    type: str | None
    version: str | None
    received_at: At
    state: str


class EventShown(Shown):
    """A business event; ``position`` is given a moment after it happened."""

    at: At
    type: str = Field(examples=["isthmus.order.created.v1"])
    position: int | None
    data: dict[str, Any]


class StepShown(Shown):
    """What a run read, waited for, was answered or had edited."""

    at: At
    name: str
    key: str
    kind: str
    who: str | None
    due_at: At | None


class EffectShown(Shown):
    """One intended change outside, and what became of it."""

    key: str = Field(examples=["erp.create_order/OPP-1002"])
    step: str
    operation: str
    connection: str
    state: Literal["intended", "done", "refused", "undone"]
    in_doubt: bool
    made_harmless_by: str | None
    sends: int
    reference: str | None
    number: str | None


class CallShown(Shown):
    """One call to a vendor."""

    at: At
    step: str
    operation: str
    connection: str
    method: str
    path: str
    status: int | None
    outcome: str
    took_us: int
    detail: str | None
    trace_id: str | None


class ParkedBriefly(Shown):
    """An exception in a run's timeline."""

    number: str = Field(examples=["EX-7"])
    state: Literal["open", "ended"]
    title: str
    mend: str | None


class RunTimeline(RunShown):
    """One run with all that happened, oldest first."""

    problem: dict[str, Any] | None
    result: Any = None
    input: dict[str, Any] | None
    messages: list[MessageShown]
    events: list[EventShown]
    steps: list[StepShown]
    effects: list[EffectShown]
    calls: list[CallShown]
    exceptions: list[ParkedBriefly]


class ParkedShown(Shown):
    """What is parked: what it is about, what was said, and what to do."""

    number: str = Field(examples=["EX-7"])
    run_id: str = _ID
    state: Literal["open", "ended"]
    title: str
    mend: str | None
    said: str | None = Field(description="the vendor's own words")
    error_class: str
    operation: str | None
    code: str | None
    field: str | None
    step: str | None
    connection: str | None
    unit: str | None
    business_key: str | None
    customer: str | None
    amount: str | None
    currency: str | None
    group_key: str = Field(description="equal failures have an equal group")
    assignee: str | None
    due_at: At | None = Field(description="until when somebody should have ended it")
    retry_at: At | None = Field(description="when it is tried again by itself; None: it is a person's turn")
    retries: int = Field(description="how often it was tried again by itself, in vain")
    opened_at: At
    ended_at: At | None
    ended_by: str | None


class Exceptions(Shown):
    """Exceptions, oldest first."""

    exceptions: list[ParkedShown]


class Fact(Shown):
    """Something that those who decide should know."""

    label: str = Field(examples=["Delivery"])
    words: str
    link: str | None


class ConsentShown(Shown):
    """What one person said."""

    who: str
    verdict: Literal["approved", "rejected"]
    amount: str | None
    comment: str | None
    way: Literal["api", "command", "console", "link"]
    at: At


class ApprovalShown(Shown):
    """Something that people decide."""

    id: str = Field(examples=["OPP-1002.deal-desk"])
    run_id: str = _ID
    policy: str = Field(description="the desk that decides")
    about: str
    because: str | None = Field(description="why the rule asks people")
    amount: str | None = Field(description="what is decided about, a decimal", examples=["119.00"])
    most: str | None = Field(description="how far the amount may be changed")
    currency: str | None
    facts: list[Fact]
    needed: int = Field(description="so many people must agree")
    consents: list[ConsentShown]
    requested_by: list[str] = Field(description="who asked, and so may not decide")
    deciders: list[str] = Field(description="who may decide; none: whoever has the scope")
    delegates: list[str] = Field(description="who may too, because somebody of the desk asked them to")
    escalate_to: str | None
    escalated_at: At | None
    state: Literal["requested", "approved", "rejected", "expired", "withdrawn"]
    requested_at: At
    due_at: At | None
    decided_at: At | None
    decided_by: str | None
    decided_amount: str | None
    comment: str | None


class Approvals(Shown):
    """Approvals, oldest first."""

    approvals: list[ApprovalShown]


class Health(Shown):
    """How it stands."""

    status: Literal["alive", "ready"]
