"""What all parts of a descriptor are made of: nothing unknown is taken, durations and expressions are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from isthmus.catalogue.durations import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
#: an expression; ``isthmus check`` compiles every field of this type and points at what it cannot read
Jsonata = Annotated[str, Field(json_schema_extra={"format": "jsonata"})]


class Described(BaseModel):
    """A part of a descriptor."""

    model_config = ConfigDict(frozen=True, extra="forbid")
