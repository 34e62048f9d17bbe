"""What one address of the API does: its parameters and the function that plays it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .account import Account, Body
from .errors import StripeError, missing_object
from .parameters import Shape, shape


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks: the ids in its address and its parameters, read after the operation's shape."""

    ids: Mapping[str, str]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id in the address."""
        return self.ids["id"]

    def __contains__(self, name: str) -> bool:
        return name in self.given

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The parameter's value; ``otherwise`` where it is not given."""
        return self.given.get(name, otherwise)


Act = Callable[[Account, Ask], "Body | str"]


@dataclass(frozen=True, slots=True)
class Operation:
    """``method`` on ``path``; ``act`` answers an object, or JSON that is ready. ``expand`` every one of them takes."""

    method: str
    path: str
    act: Act
    wanted: Shape


def operation(method: str, path: str, act: Act, parameters: str = "") -> Operation:
    """An operation whose parameters are written as words (see ``parameters``)."""
    return Operation(method, path, act, shape(f"{parameters} expand[]"))


def retrieval(path: str, kind: str) -> Operation:
    """``GET path`` answers the object as it is kept."""

    def retrieve(account: Account, ask: Ask) -> str:
        text = account.text(kind, ask.id)
        if text is None:
            raise missing_object(kind, ask.id, "id")
        return text

    return operation("GET", path, retrieve)


def merge(body: Body, ask: Ask, *names: str) -> None:
    """Take over the parameters that are kept as they come."""
    for name in names:
        if name in ask:
            body[name] = ask[name]


def merge_metadata(body: Body, ask: Ask) -> None:
    """Set, change and (by an empty value) remove metadata; an empty ``metadata`` clears all of it."""
    if "metadata" not in ask:
        return
    kept = {**body["metadata"], **ask["metadata"]} if ask["metadata"] is not None else {}
    body["metadata"] = {key: value for key, value in kept.items() if value != ""}


def new_metadata(ask: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of something new."""
    return {key: value for key, value in (ask.get("metadata") or {}).items() if value != ""}


def refuse_unless(possible: bool, message: str, code: str | None = None, param: str | None = None) -> None:
    """Raise a 400 with ``message`` unless the state of things allows it."""
    if not possible:
        raise StripeError(message, code=code, param=param)
