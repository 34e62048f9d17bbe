"""The JSON Schemas of the canonical objects: the contracts that Isthmus publishes, in dialect 2020-12.

The descriptions are the docstrings of the models, read from their source when a schema is asked for.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from isthmus.model.approval import Approval
from isthmus.model.customer import Customer
from isthmus.model.delivery import Delivery
from isthmus.model.invoice import CreditNote, Invoice
from isthmus.model.order import Order
from isthmus.model.party import BusinessUnit
from isthmus.model.payment import Payment
from isthmus.model.product import Price, PriceAnswer, Product
from isthmus.model.quote import Quote
from isthmus.model.support import Case, Entitlement

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS_AT = "https://isthmus.dev/schemas/"

OBJECTS: dict[str, type[BaseModel]] = {
    "approval": Approval,
    "business_unit": BusinessUnit,
    "case": Case,
    "credit_note": CreditNote,
    "customer": Customer,
    "delivery": Delivery,
    "entitlement": Entitlement,
    "invoice": Invoice,
    "order": Order,
    "payment": Payment,
    "price": Price,
    "price_answer": PriceAnswer,
    "product": Product,
    "quote": Quote,
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of an object by its word (``order``). KeyError, in words, where there is none."""
    if name not in OBJECTS:
        raise KeyError(f"there is no object {name!r}; there are {', '.join(OBJECTS)}")
    model = OBJECTS[name]
    version = getattr(model, "schema_version", 1)
    found = model.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    definitions = found.pop("$defs", {})
    return {"$schema": DIALECT, "$id": f"{SCHEMAS_AT}{name}/v{version}", **found, "$defs": definitions}
