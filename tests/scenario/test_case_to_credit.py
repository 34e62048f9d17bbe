"""Case to credit through the front door: a disputed invoice, its evidence, its decision, and credits equal to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support import disputes
from tests.support.disputes import disputed, sold, started, ticket_of
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import Whole


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def whole(sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(**options: Any) -> Whole:
        return Whole(sandbox, tmp_path, monkeypatch, **options)

    return make


async def test_a_small_dispute_is_credited_by_rule_to_the_cent(whole: Any) -> None:
    async with whole() as w:
        invoice = await sold(w, proved=True)
        ticket = await disputed(w, invoice, reason="wrong_price", disputed_amount="119.00 EUR")
        await started(w, ticket)
        await disputes.until(w, ticket, "done", "parked")
        (request,) = await disputes.credits_of(w, invoice["id"])
        (note,) = await disputes.credit_notes(w)
        assert not request["blocked"]
        assert Decimal(note["net"]) == Decimal(request["net_amount"]) == 100
        assert Decimal(note["total"]) == 119
        said = await ticket_of(w, ticket)
        assert said["status"] == "solved"
        print(said)
