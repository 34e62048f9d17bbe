"""What a route says that it answers: kept as the models themselves, whose schemas are made when somebody asks for them.

The framework makes a validator of each such model as the app is built, which nothing uses and which takes 10 MB.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel

_MODEL = "model"


class AnsweringRoute(APIRoute):
    """A route whose ``responses`` may name models: status → model in ``answers``."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        responses: Mapping[int | str, dict[str, Any]] | None = None,
        **settings: Any,
    ) -> None:
        said = dict(responses or {})
        self.answers: dict[str, type[BaseModel]] = {
            str(status): each[_MODEL] for status, each in said.items() if _MODEL in each
        }
        plain = {status: {name: it for name, it in each.items() if name != _MODEL} for status, each in said.items()}
        super().__init__(path, endpoint, responses=plain, **settings)
