"""What a role can be asked to do: typed, vendor unknown. (EIP: canonical data model behind a messaging gateway.)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Asked = TypeVar("Asked", bound=BaseModel)
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class Operation(Generic[Asked, Answered]):
    """One thing to ask of a role: ``erp.create_order`` takes an Order and answers an Order.

    ``per`` says what a repeat is: ``run`` operations happen once for each generation of a run; ``object``
    operations (ensure a customer) once for each object, whoever asks. A read that finds nothing answers None
    where ``answers`` allows it. ``reversal`` names the operation that takes a second one away, should a repeat in
    doubt have made two: it takes what ``answers`` is.
    """

    role: str
    name: str
    takes: type[Asked]
    answers: type[BaseModel]
    writes: bool = False
    many: bool = False
    per: Literal["run", "object"] = "run"
    reversal: str | None = None

    def __str__(self) -> str:
        return f"{self.role}.{self.name}"


class Search(BaseModel):
    """What to look for. All given conditions must hold; ``limit`` bounds the answer (1 to 200)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str | None = None
    name: str | None = None
    customer_number: str | None = None
    request_number: str | None = None
    changed_since: datetime | None = None
    limit: int = Field(50, ge=1, le=200)


class CustomerSearch(Search):
    """Which customers to look for: also by the key of their account, a person's e-mail address or their domain."""

    account_key: str | None = None
    email: str | None = None
    domain: str | None = None
