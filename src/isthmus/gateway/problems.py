"""Every error as RFC 9457 problem details."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from isthmus.model.problems import MEDIA_TYPE, PROBLEMS_AT, IsthmusError, Problem
from isthmus.store.transaction import StoreUnavailable

log = logging.getLogger("isthmus.gateway")


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem as an HTTP answer."""
    return JSONResponse(problem.to_json(), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def not_found(what: str, mend: str = "see the list") -> IsthmusError:
    """404 in words."""
    return IsthmusError(Problem(type=PROBLEMS_AT + "not-found", title=what, status=404, mend=mend))


def conflict(what: str, mend: str | None = None) -> IsthmusError:
    """409 in words."""
    return IsthmusError(Problem(type=PROBLEMS_AT + "conflict", title=what, status=409, mend=mend))


def install(app: FastAPI) -> None:
    """Have the app answer every error as a problem."""

    @app.exception_handler(IsthmusError)
    async def ours(_: Request, error: IsthmusError) -> JSONResponse:
        return problem_response(error.problem)

    @app.exception_handler(StoreUnavailable)
    async def unavailable(_: Request, error: StoreUnavailable) -> JSONResponse:
        log.warning("%s", error)
        title = "The database cannot be reached; nothing was acknowledged"
        return problem_response(
            Problem(type=PROBLEMS_AT + "unavailable", title=title, status=503), {"Retry-After": "2"}
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [_field(each) for each in error.errors()]
        first = found[0]
        return problem_response(first.model_copy(update={"problems": tuple(found) if len(found) > 1 else ()}))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return problem_response(Problem(title=str(error.detail), status=error.status_code), dict(error.headers or {}))

    @app.exception_handler(LookupError)
    async def missing(_: Request, error: LookupError) -> JSONResponse:
        return problem_response(not_found(str(error.args[0] if error.args else error)).problem)

    @app.exception_handler(ValueError)
    async def wrong(_: Request, error: ValueError) -> JSONResponse:
        return problem_response(conflict(str(error)).problem)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path)
        return problem_response(
            Problem(title=f"Isthmus failed in its own program ({type(error).__name__})", status=500)
        )


def _field(error: dict[str, Any]) -> Problem:
    place = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    return Problem(
        type=PROBLEMS_AT + "invalid-field",
        title=f"{place}: {error['msg']}",
        status=422,
        field=place,
        value=None
        if error.get("input") is None or isinstance(error["input"], dict | list)
        else str(error["input"])[:200],
    )
