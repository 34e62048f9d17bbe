"""Signing in and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from isthmus.console.desk import COOKIE, Desk
from isthmus.governance import people
from isthmus.governance.people import SESSION, SignInRefused

Door = Callable[[Request], Awaitable[Response]]


def sign_in(desk: Desk) -> Door:
    """``/sign-in``: the form, and what it sends."""

    async def door(request: Request) -> Response:
        then = _inside(request.query_params.get("then"), desk)
        if request.method == "GET":
            return desk.page(request, "sign_in.html", {"then": then, "refused": None, "name": ""})
        form = await request.form()
        name = str(form.get("name", "")).strip()
        then = _inside(str(form.get("then", "")), desk)
        try:
            cookie = await people.sign_in(desk.store, name, str(form.get("password", "")))
        except SignInRefused as refused:
            return desk.page(request, "sign_in.html", {"then": then, "refused": str(refused), "name": name}, 401)
        return signed_in(request, desk, cookie, then)

    return door


def signed_in(request: Request, desk: Desk, cookie: str, then: str) -> Response:
    """Into the console, with the cookie set."""
    answer = RedirectResponse(then, 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, cookie, max_age=int(SESSION.total_seconds()), path=desk.root, secure=secure, httponly=True,
        samesite="strict",
    )  # fmt: skip
    return answer


def sign_out(desk: Desk) -> Door:
    """``/sign-out``."""

    async def door(request: Request) -> Response:
        visitor = await desk.visitor(request)
        if visitor is not None:
            request.state.visitor = visitor
            try:
                await desk.check_token(request)
            except PermissionError as error:
                return desk.says(request, "You may not do this", str(error), 403)
            await people.sign_out(desk.store, request.cookies.get(COOKIE, ""))
        answer = RedirectResponse(desk.url("/sign-in"), 303)
        answer.delete_cookie(COOKIE, path=desk.root)
        return answer

    return door


def _inside(then: str | None, desk: Desk) -> str:
    """Where to go after signing in: only ever a page of ours."""
    if then and then.startswith(desk.root + "/") and "\\" not in then:
        return then
    return desk.url("/")
