"""The JSON Schemas of the canonical objects: the contracts that Isthmus publishes, in dialect 2020-12.

Descriptions are the docstrings of models and fields, read from their source when a schema is asked for, so that they
cost nothing when the models are imported.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
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
from isthmus.model.support import Case, Dispute, Entitlement

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMAS_AT = "https://isthmus.dev/schemas/"
_LONG_LIST = 40

OBJECTS: dict[str, type[BaseModel]] = {
    "approval": Approval,
    "business_unit": BusinessUnit,
    "case": Case,
    "credit_note": CreditNote,
    "customer": Customer,
    "delivery": Delivery,
    "dispute": Dispute,
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
    """The JSON Schema of an object by its word (``order``). KeyError, in words, where there is none.

    It says what an object looks like; that its sums agree, only the model itself checks.
    """
    if name not in OBJECTS:
        raise KeyError(f"there is no object {name!r}; there are {', '.join(OBJECTS)}")
    model = OBJECTS[name]
    found = model.model_json_schema()
    definitions: dict[str, Any] = found.pop("$defs", {})
    models = {each.__name__: each for each in _models(model)}
    for title, shape in {model.__name__: found, **definitions}.items():
        _describe(models[title], shape)
    whole = {"$id": f"{SCHEMAS_AT}{name}/v{getattr(model, 'schema_version', 1)}", **found, "$defs": definitions}
    lists: dict[str, Any] = {}
    _lift_lists(whole, lists)
    definitions.update(sorted(lists.items()))
    return {"$schema": DIALECT, **whole}


def _describe(model: type[BaseModel], shape: dict[str, Any]) -> None:
    """Put the docstrings of a model's fields into its schema; a field's own words win over those of its type."""
    for field, said in _docstrings(model).items():
        if field in shape.get("properties", {}):
            shape["properties"][field] = {**shape["properties"][field], "description": said}


@cache
def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field to the docstring that stands below it, of the model and those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if not (issubclass(each, BaseModel) and each.__module__.startswith(__package__ or "")):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, below in zip(body.body, body.body[1:], strict=False):
            if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
                continue
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                found[statement.target.id] = inspect.cleandoc(str(below.value.value))
    return found


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model of this room that may appear in a schema, the one asked for included."""
    yield model
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{__package__}."):
            for each in vars(module).values():
                if inspect.isclass(each) and issubclass(each, BaseModel):
                    yield each


def _lift_lists(node: Any, lists: dict[str, Any]) -> None:
    """Long code lists (currencies, countries) stand once, in ``$defs``, and are referred to."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        if isinstance(child, dict) and len(child.get("enum", ())) > _LONG_LIST:
            title = str(child["title"])
            listed = {key: child.pop(key) for key in ("title", "description", "type", "enum") if key in child}
            if "description" in listed:
                child["description"] = listed["description"]
            lists[title] = listed | {"description": child.pop("$comment")}
            child["$ref"] = f"#/$defs/{title}"
        _lift_lists(child, lists)
