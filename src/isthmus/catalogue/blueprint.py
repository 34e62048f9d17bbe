"""What ``blueprint.yaml`` may say: a ready-made process, what it uses and what a landscape may set."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class BlueprintProcess(BaseModel):
    """One process of the blueprint: where it starts and what it asks of which role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(description="module:function, relative to the blueprint's package")
    version: int
    title: str
    starts_on: list[str] = Field(description="event types")
    uses: dict[str, list[str]] = Field(description="role → operations")


class Blueprint(BaseModel):
    """A business process in a folder of its own: blueprint.yaml, code, rules, README and a sample landscape."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blueprint: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int
    title: str
    roles: list[str]
    processes: dict[str, BlueprintProcess] = Field(description="by name, such as quote-to-cash")
    settings: dict[str, Any] = Field(default_factory=dict, description="JSON Schema of what a landscape may set")
