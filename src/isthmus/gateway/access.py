"""Who calls our API: finds the caller by key, and holds each route to its scope."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from isthmus.governance.access import SCOPES, Caller, Keys
from isthmus.model.problems import PROBLEMS_AT, IsthmusError, Problem

_CALLER = "isthmus.caller"
_MEND = "send  Authorization: Bearer KEY;  isthmus keys create makes one"


class Unauthorized(IsthmusError):
    """401: nobody we know."""

    def __init__(self, title: str) -> None:
        super().__init__(Problem(type=PROBLEMS_AT + "unauthorized", title=title, status=401, mend=_MEND))


class Forbidden(IsthmusError):
    """403: somebody we know, who may not do this."""

    def __init__(self, caller: Caller, scope: str) -> None:
        title = f"The key of {caller.name} has not the scope {scope}"
        mend = f"use a key that may {SCOPES[scope]}"
        super().__init__(Problem(type=PROBLEMS_AT + "forbidden", title=title, status=403, mend=mend))


class Access:
    """Finds the caller of a request."""

    def __init__(self, keys: Keys, anonymous: str | None = None) -> None:
        """``anonymous`` names whoever calls without a key; only the demo has such a visitor."""
        self._keys, self._anonymous = keys, anonymous

    def needs(self, scope: str) -> "Needs":
        """A dependency: the caller, who must have ``scope``."""
        return Needs(self, scope)

    async def caller(self, request: Request) -> Caller:
        """The caller by ``Authorization: Bearer KEY`` or ``X-API-Key``. Raises Unauthorized."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        if not key:
            if self._anonymous:
                return Caller(self._anonymous, frozenset(SCOPES))
            raise Unauthorized("A key is needed")
        if (caller := await self._keys.caller(key)) is None:
            raise Unauthorized("This key is not known")
        return caller


class Needs:
    """What a route asks of its caller."""

    def __init__(self, access: Access, scope: str) -> None:
        assert scope in SCOPES, scope
        self._access, self.scope = access, scope

    async def __call__(self, request: Request) -> Caller:
        """The caller, if allowed; found once for each request. Raises Unauthorized, Forbidden."""
        caller: Caller | None = request.scope.get(_CALLER)
        if caller is None:
            caller = request.scope[_CALLER] = await self._access.caller(request)
        if self.scope not in caller.scopes:
            raise Forbidden(caller, self.scope)
        return caller


def gate_of(route: APIRoute) -> Needs | None:
    """What a route asks of its caller; None where it is open to everybody."""
    return next(_gates(route.dependant), None)


def _gates(dependant: Dependant) -> Iterator[Needs]:
    for each in dependant.dependencies:
        if isinstance(each.call, Needs):
            yield each.call
        yield from _gates(each)
