"""An order that a shop has taken goes to the ERP, once."""

from __future__ import annotations

from isthmus import Run, erp, process
from isthmus.model import Order, Reference


@process("forward", version=1, starts_on="isthmus.order.placed.v1")
async def forward(run: Run, order: Order) -> Reference:
    """The one write."""
    made = await run.step(erp.create_order, order, undo=erp.cancel_order)
    assert made.source is not None
    return made.source
