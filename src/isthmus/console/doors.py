"""Signing in and out."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from isthmus.console.desk import COOKIE, Desk
from isthmus.console.oidc import Provider
from isthmus.governance import people
from isthmus.governance.people import SESSION, SignInRefused

_BACK, _ATTEMPT, _ATTEMPT_S = "/oidc/back", "isthmus_sign_in", 600
Door = Callable[[Request], Awaitable[Response]]


def sign_in(desk: Desk) -> Door:
    """``/sign-in``: the form, and what it sends; or the way to the company's provider."""

    async def door(request: Request) -> Response:
        then = _inside(request.query_params.get("then"), desk)
        if request.method == "GET":
            return _form(request, desk, then)
        form = await request.form()
        name = str(form.get("name", "")).strip()
        then = _inside(str(form.get("then", "")), desk)
        try:
            if not desk.local_people:
                raise SignInRefused("Nobody signs in by password here")
            cookie = await people.sign_in(desk.store, name, str(form.get("password", "")))
        except SignInRefused as refused:
            return _form(request, desk, then, str(refused), name)
        return signed_in(request, desk, cookie, then)

    return door


def to_provider(desk: Desk) -> Door:
    """``/oidc/sign-in``: on to the company's provider, remembering where from."""

    async def door(request: Request) -> Response:
        then = _inside(request.query_params.get("then"), desk)
        try:
            address, remembered = await _provider(desk).begin(desk.outside(request, _BACK))
        except SignInRefused as refused:
            return _form(request, desk, then, str(refused))
        answer = RedirectResponse(address, 303)
        held = f"{remembered}.{urlsafe_b64encode(then.encode()).decode()}"
        # not strict: the provider's page, which is another site, leads back here
        _put(request, desk, answer, _ATTEMPT, held, _ATTEMPT_S, desk.root + _BACK, "lax")
        return answer

    return door


def from_provider(desk: Desk) -> Door:
    """``/oidc/back``: who it is, as the provider proves."""

    async def door(request: Request) -> Response:
        remembered, _, then = request.cookies.get(_ATTEMPT, "").rpartition(".")
        then = _inside(_decoded(then), desk)
        try:
            back = desk.outside(request, _BACK)
            name, roles = await _provider(desk).finish(dict(request.query_params), remembered, back)
            cookie = await people.begin_session(desk.store, name, roles)
        except SignInRefused as refused:
            answer = _form(request, desk, then, str(refused))
        else:
            # a page, not a redirect: only from a page of ours does the browser send the strict cookie along
            answer = desk.page(request, "signed_in.html", {"then": then, "name": name})
            _put(request, desk, answer, COOKIE, cookie, int(SESSION.total_seconds()), desk.root, "strict")
        answer.delete_cookie(_ATTEMPT, path=desk.root + _BACK)
        return answer

    return door


def _provider(desk: Desk) -> Provider:
    if desk.provider is None:
        raise SignInRefused("No sign-in provider is set up here")
    return desk.provider


def _form(request: Request, desk: Desk, then: str, refused: str | None = None, name: str = "") -> Response:
    facts = {"then": then, "refused": refused, "name": name, "local": desk.local_people, "provider": desk.provider}
    return desk.page(request, "sign_in.html", facts, 401 if refused else 200)


def signed_in(request: Request, desk: Desk, cookie: str, then: str) -> Response:
    """Into the console, with the cookie set."""
    answer = RedirectResponse(then, 303)
    _put(request, desk, answer, COOKIE, cookie, int(SESSION.total_seconds()), desk.root, "strict")
    return answer


def _put(
    request: Request,
    desk: Desk,
    answer: Response,
    name: str,
    value: str,
    age_s: int,
    path: str,
    site: Literal["lax", "strict"],
) -> None:
    secure = desk.outside(request, "").startswith("https:")
    answer.set_cookie(name, value, max_age=age_s, path=path, secure=secure, httponly=True, samesite=site)


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


def _decoded(text: str) -> str:
    try:
        return urlsafe_b64decode(text).decode()
    except ValueError:
        return ""


def _inside(then: str | None, desk: Desk) -> str:
    """Where to go after signing in: only ever a page of ours."""
    if then and then.startswith(desk.root + "/") and "\\" not in then:
        return then
    return desk.url("/")
