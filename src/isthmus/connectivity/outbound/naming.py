"""What a vendor calls the things that an answer is about, kept as cross-references. (EIP: correlation identifier.)"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from isthmus.connectivity.identity import Identities
from isthmus.connectivity.outbound.binding import Bound
from isthmus.model import Reference
from isthmus.store.runs import Fence


def reference_of(bound: Bound, found: Any) -> Reference | None:
    """What the vendor calls the object that it answered; None where the descriptor does not say."""
    shape = bound.requests.reference
    if shape is None:
        return None
    context = {**bound.context, "body": found}
    id_ = bound.evaluate(shape.id, context)
    if id_ is None:
        return None
    number = bound.evaluate(shape.number, context) if shape.number else None
    return Reference(
        connection=bound.plan.name,
        type=bound.evaluate(shape.type, context),
        id=str(id_),
        number=None if number is None else str(number),
    )


def link(
    bound: Bound, identities: Identities, argument: BaseModel, reference: Reference | None, fence: Fence | None
) -> None:
    """Remember that what was asked about is this object there; nothing where either has no id."""
    id_ = getattr(argument, "id", None)
    if reference is not None and id_ is not None:
        kind = type(argument).__name__.lower()
        identities.link(kind, id_, bound.plan.name, reference.type, reference.id, reference.number, fence=fence)


def link_others(bound: Bound, identities: Identities, found: Any, fence: Fence | None) -> None:
    """Remember what the vendor calls the other objects that its answer tells about, by the descriptor's ``links``."""
    context = {**bound.context, "body": found}
    for shape in bound.requests.links:
        canonical_id, id_ = bound.evaluate(shape.of, context), bound.evaluate(shape.id, context)
        if canonical_id is None or id_ is None:
            continue
        kind = canonical_id.rpartition("_")[0]
        number = bound.evaluate(shape.number, context) if shape.number else None
        type_ = bound.evaluate(shape.type, context)
        identities.link(kind, canonical_id, bound.plan.name, type_, str(id_), number, fence=fence)
