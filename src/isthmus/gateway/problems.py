"""Every error as RFC 9457 problem details."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from isthmus.model.problems import MAP_IT, MEDIA_TYPE, PROBLEMS_AT, IsthmusError, Problem, problems_in
from isthmus.store.transaction import StoreUnavailable

log = logging.getLogger("isthmus.gateway")
#: seconds after which it is worth while to ask again
RETRY_AFTER_S = 2
#: where a vendor's secret may stand in the path, it is shown to nobody
WEBHOOKS = "/webhooks/"


def problem(status: int, kind: str, title: str, **members: Any) -> IsthmusError:
    """An error in words, to be raised: ``kind`` is the last part of its type."""
    return IsthmusError(Problem(type=PROBLEMS_AT + kind, title=title, status=status, **members))


def not_found(what: str, mend: str = "see the list") -> IsthmusError:
    """404 in words."""
    return problem(404, "not-found", what, mend=mend)


@contextmanager
def in_words() -> Iterator[None]:
    """What orchestration says of people's wishes, as HTTP says it: LookupError is 404, PermissionError 403, ValueError 409."""
    try:
        yield
    except PermissionError as error:
        raise problem(403, "forbidden", str(error), mend="have somebody else do it") from None
    except LookupError as error:
        raise not_found(str(error.args[0]).partition("; see:")[0]) from None
    except ValueError as error:
        raise problem(409, "conflict", str(error)) from None


def problem_response(found: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem as an HTTP answer."""
    more = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_S)}}.get(found.status, {})
    return JSONResponse(found.to_json(), found.status, {**more, **(headers or {})}, media_type=MEDIA_TYPE)


def unavailable() -> Problem:
    """The database cannot be reached."""
    title = "The database cannot be reached; nothing was acknowledged"
    return Problem(type=PROBLEMS_AT + "unavailable", title=title, status=503, mend="send it again in a moment")


def install(app: FastAPI) -> None:
    """Have the app answer every error as a problem."""

    @app.exception_handler(IsthmusError)
    async def ours(_: Request, error: IsthmusError) -> JSONResponse:
        return problem_response(error.problem)

    @app.exception_handler(StoreUnavailable)
    async def no_store(_: Request, error: StoreUnavailable) -> JSONResponse:
        log.warning("%s", error)
        return problem_response(unavailable())

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_not_as_described(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        found = Problem(type=PROBLEMS_AT + kind, title=str(error.detail), status=error.status_code)
        return problem_response(found, dict(error.headers or {}))

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, error: ClientDisconnect) -> JSONResponse:
        return problem_response(Problem(title="The caller went away before the body was there", status=400))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        path = WEBHOOKS + "…" if request.url.path.startswith(WEBHOOKS) else request.url.path
        log.exception("%s %s failed", request.method, path)
        title = f"Isthmus failed in its own program ({type(error).__name__})"
        return problem_response(Problem(type=PROBLEMS_AT + "program", title=title, status=500))


def _not_as_described(errors: Sequence[Any]) -> Problem:
    """400 for a body that is no JSON, else 422 with each field that is wrong."""
    if any(each["type"] == "json_invalid" for each in errors):
        told = errors[0].get("ctx", {}).get("error", "it cannot be read")
        title, expected = f"The body is no JSON: {told}", "well-formed JSON"
        return Problem(type=PROBLEMS_AT + "not-readable", title=title, status=400, field="body", expected=expected)
    # the first part of a location is where in the request: body, query, path, header
    found = problems_in([cast(ErrorDetails, {**each, "loc": tuple(each["loc"][1:])}) for each in errors])
    return for_callers(found[0] if len(found) == 1 else found[0].model_copy(update={"problems": tuple(found)}))


def for_callers(found: Problem) -> Problem:
    """The same problem without advice for whoever writes mappings."""
    parts = tuple(for_callers(each) for each in found.problems)
    detail = found.detail and found.detail.replace(f"; {MAP_IT}", "")
    return found.model_copy(
        update={"problems": parts, "detail": detail, "mend": None if found.mend == MAP_IT else found.mend}
    )
