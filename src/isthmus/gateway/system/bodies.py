"""Canonical objects as bodies: read straight from JSON text, so that no digit is lost; told field by field if wrong."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from isthmus.gateway.problems import for_callers, problem
from isthmus.model.problems import InvalidObject, IsthmusError


class CanonicalBody:
    """A dependency: the body as ``takes``."""

    def __init__(self, takes: type[BaseModel]) -> None:
        self.takes = takes

    async def __call__(self, request: Request) -> BaseModel:
        """The object. Raises 415, 400 and 422 problems."""
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise problem(
                415, "not-readable", f"The body is {kind[:100]}", field="content-type", expected="application/json"
            )
        try:
            return self.takes.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                title = f"The body is no JSON: {first.get('ctx', {}).get('error', 'it cannot be read')}"
                raise problem(400, "not-readable", title, field="body", expected="well-formed JSON") from None
            wrong = InvalidObject(error, self.takes.__name__.lower())
            raise IsthmusError(for_callers(wrong.problem)) from None


def body_of(route: APIRoute) -> type[BaseModel] | None:
    """The canonical object that a route takes as its body; None where it takes none."""
    return next((each.takes for each in _bodies(route.dependant)), None)


def _bodies(dependant: Dependant) -> Iterator[CanonicalBody]:
    for each in dependant.dependencies:
        if isinstance(each.call, CanonicalBody):
            yield each.call
        yield from _bodies(each)
