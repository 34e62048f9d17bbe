"""What a vendor calls the things that an answer is about, kept as cross-references. (EIP: correlation identifier.)"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from isthmus.connectivity.identity import Known
from isthmus.connectivity.outbound.binding import Bound
from isthmus.model import Reference


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


def known_by(bound: Bound, argument: BaseModel, reference: Reference | None) -> list[Known]:
    """That what was asked about is this object there; nothing where either has no id."""
    id_ = getattr(argument, "id", None)
    if reference is None or id_ is None:
        return []
    kind = getattr(argument, "object_word", type(argument).__name__.lower())
    return [Known(kind, id_, bound.plan.name, reference.type, reference.id, reference.number)]


def others_known(bound: Bound, found: Any) -> list[Known]:
    """What the vendor calls the other objects that its answer tells about, by the descriptor's ``links``."""
    context, known = {**bound.context, "body": found}, []
    for shape in bound.requests.links:
        canonical_id, id_ = bound.evaluate(shape.of, context), bound.evaluate(shape.id, context)
        if canonical_id is None or id_ is None:
            continue
        number = bound.evaluate(shape.number, context) if shape.number else None
        type_ = bound.evaluate(shape.type, context)
        kind = canonical_id.rpartition("_")[0]
        known.append(Known(kind, canonical_id, bound.plan.name, type_, str(id_), number))
    return known
