"""What ``connector.yaml`` may say of many writes in one load: opened, filled with CSV, closed, and answered row by row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import Field

from isthmus.catalogue.described import Described, Duration, Jsonata


class LoadCall(Described):
    """One request about a load; placeholders over {settings} and {load}, what the vendor calls it."""

    request: str = Field(description="METHOD path")
    query: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] | None = Field(None, description="sent as JSON")


class Bulk(Described):
    """How a vendor takes many of one write. The rows are what the operation's mapping makes; a repeat is harmless, for
    the operation is an upsert.

    ``key`` ties a result to its row: it stands in ``column`` on the way out and comes back in every result.
    """

    most: int = Field(10_000, description="rows in one load")
    key: Jsonata = Field(description="JSONata over the input")
    column: str
    open: LoadCall
    load: Jsonata = Field(description="JSONata over the answer to open: what the vendor calls the load")
    fill: LoadCall
    close: LoadCall
    look: LoadCall
    ended: Jsonata = Field(description="JSONata over the answer to look: whether every row has been dealt with")
    said: Jsonata = Field(description="JSONata over the answer to look: why the load as a whole failed, if it did")
    every: Duration = Field(timedelta(seconds=5), description="how often it is looked at")
    accepted: LoadCall
    refused: LoadCall
    id: str = Field(description="column of an accepted row with the vendor's id")
    type: str = Field(description="what the vendor calls such an object")
    code: Jsonata = Field(description="JSONata over a refused row")
    message: Jsonata = Field(description="JSONata over a refused row")
    field: Jsonata = Field(description="JSONata over a refused row: the field that was wrong, if it says so")
