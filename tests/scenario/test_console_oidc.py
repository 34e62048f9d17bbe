"""Signing in at the company's provider: a real little one, which also forges, delays and mistakes."""

from __future__ import annotations

import hashlib
import json
import socket
from base64 import b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from tests.support.house import House

from isthmus.console.app import ROOT, create_console
from isthmus.store import audit

SECRET = "s3cret/with:signs"
Claims = dict[str, Any]


@cache
def _port() -> int:
    """One port for all providers of this file, so that the landscape is compiled once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Provider:
    """Authorization endpoint (asked by the test, as a browser would), token endpoint, discovery and keys."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.key, self.now = RSAKey.generate_key(2048, {"kid": "one"}), now
        self.issuer, self.shown_issuer, self.claims, self.asked = "", "", {}, {}
        self.signed: Callable[[Claims], str] = self.sign

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        app.router.add_post("/token", self._token)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", _port())
        await site.start()
        self.issuer = self.shown_issuer = f"http://127.0.0.1:{_port()}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def sign(self, claims: Claims, key: RSAKey | None = None) -> str:
        used = key or self.key
        return jwt.encode({"alg": "RS256", "kid": used.kid}, claims, used)

    async def _discovery(self, _: web.Request) -> web.Response:
        places = {name: f"{self.issuer}/{path}" for name, path in (("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "keys"))}  # fmt: skip
        return web.json_response({"issuer": self.shown_issuer, **places})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        basic = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        challenge = urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=")
        if basic != "isthmus:s3cret%2Fwith%3Asigns" or form["redirect_uri"] != self.asked["redirect_uri"]:
            return web.json_response({"error": "invalid_client"}, status=401)
        if form["code"] != "right" or challenge.decode() != self.asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(self.now())
        claims = {"iss": self.issuer, "aud": "isthmus", "sub": "7", "iat": now, "exp": now + 300,
                  "nonce": self.asked["nonce"], "email": "anna@example.com", "groups": ["desk", "others"]}  # fmt: skip
        return web.json_response(
            {
                "access_token": "x",
                "token_type": "Bearer",
                "id_token": self.signed(
                    {name: each for name, each in (claims | self.claims).items() if each is not None}
                ),
            }
        )


class Place:
    """A console that knows the provider, and a visitor of it."""

    def __init__(self, house: House, provider: Provider) -> None:
        self.house, self.provider = house, provider
        self.browser = aiohttp.ClientSession(house.url, cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def begin(self, then: str = "/console/runs") -> None:
        async with self.browser.get(f"{ROOT}/oidc/sign-in", params={"then": then}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            split = urlsplit(answer.headers["Location"])
            self.provider.asked = {name: values[0] for name, values in parse_qs(split.query).items()}

    async def back(self, **query: str) -> tuple[int, str]:
        asked = {"state": self.provider.asked["state"], "code": "right"} | query
        async with self.browser.get(f"{ROOT}/oidc/back", params=asked) as answer:
            return answer.status, await answer.text()

    async def sign_in(self) -> tuple[int, str]:
        await self.begin()
        return await self.back()

    async def comes_in(self) -> bool:
        async with self.browser.get(f"{ROOT}/runs", allow_redirects=False) as answer:
            return answer.status == 200


@cache
def with_provider(issuer: str, local: bool) -> Callable[[str], str]:
    console = {
        "local": local,
        "oidc": {"issuer": issuer, "client_id": "isthmus", "client_secret": "env:ISTHMUS_OIDC_SECRET",
                 "roles": {"desk": "operator", "heads": "approver"}},
    }  # fmt: skip
    return lambda text: f"{text}\nconsole: {json.dumps(console)}\n"


@pytest.fixture(params=[True])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setenv("ISTHMUS_OIDC_SECRET", SECRET)
    provider = Provider(lambda: house.clock().timestamp())
    await provider.start()
    house = House(None, tmp_path, workers=0, change=with_provider(provider.issuer, request.param))
    async with house:
        house.app.mount(ROOT, create_console(house.engine, house._wake))
        found = Place(house, provider)
        yield found
        await found.browser.close()
    await provider.stop()


async def test_who_the_provider_proves_comes_in_with_the_roles_of_the_landscape(place: Place) -> None:
    status, text = await place.sign_in()
    assert status == 200 and 'url=/console/runs"' in text and await place.comes_in()
    asked = place.provider.asked
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", "isthmus")
    assert "openid" in asked["scope"].split() and len(asked["nonce"]) > 30 and len(asked["state"]) > 30
    async with place.browser.get(f"{ROOT}/audit") as answer:
        shown = await answer.text()
    assert "operator" in shown and "approver" not in shown
    lines = await place.house.store.read(lambda tx: audit.lines(tx, "anna@example.com"))
    assert [line["did"] for line in lines] == ["console.sign_in"]
    assert SECRET not in shown


WRONG: dict[str, Callable[[Place], None]] = {
    "nonce": lambda p: p.provider.claims.update(nonce="another"),
    "no nonce": lambda p: p.provider.claims.update(nonce=None),
    "audience": lambda p: p.provider.claims.update(aud="another"),
    "made for another": lambda p: p.provider.claims.update(aud=["isthmus", "another"], azp="another"),
    "for several and nobody": lambda p: p.provider.claims.update(aud=["isthmus", "another"]),
    "issuer": lambda p: p.provider.claims.update(iss="https://evil.example"),
    "expired": lambda p: p.provider.claims.update(exp=int(p.provider.now()) - 3600),
    "never expires": lambda p: p.provider.claims.update(exp=None),
    "unsigned": lambda p: setattr(p.provider, "signed", unsigned),
    "another's key": lambda p: setattr(p.provider, "signed", lambda claims: p.provider.sign(claims, OTHER)),
    "a key that everybody knows": lambda p: setattr(p.provider, "signed", lambda claims: confused(p, claims)),
    "nobody's role": lambda p: p.provider.claims.update(groups=["others"]),
    "unproved address": lambda p: p.provider.claims.update(email_verified=False),
    "a reserved name": lambda p: p.provider.claims.update(email="the clock"),
}
OTHER = RSAKey.generate_key(2048, {"kid": "one"})


def unsigned(claims: Claims) -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims))
    return f"{'.'.join(parts)}."


def confused(place: Place, claims: Claims) -> str:
    """Signed with the provider's public key, as if it were a secret that is shared."""
    public = OctKey.import_key(place.provider.key.as_pem(private=False))
    return jwt.encode({"alg": "HS256", "kid": "one"}, claims, public)


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_not_proved_lets_nobody_in(place: Place, wrong: str) -> None:
    WRONG[wrong](place)
    status, text = await place.sign_in()
    assert status == 401 and "Sign in" in text and not await place.comes_in()


async def test_an_answer_counts_once_and_only_for_who_asked(place: Place) -> None:
    await place.begin()
    assert (await place.back(state="another"))[0] == 401 and not await place.comes_in()
    assert (await place.back())[0] == 401, "the attempt is over"
    await place.begin()
    assert (await place.back(code="wrong"))[0] == 401 and not await place.comes_in()
    await place.begin()
    place.browser.cookie_jar.clear()  # somebody else's browser
    assert (await place.back())[0] == 401 and not await place.comes_in()
    await place.begin(then="https://evil.example/")
    status, text = await place.back()
    assert status == 200 and 'url=/console/"' in text and "evil" not in text


async def test_new_keys_are_asked_for_and_another_issuer_is_not_believed(place: Place) -> None:
    assert (await place.sign_in())[0] == 200
    place.provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert (await place.sign_in())[0] == 200, "providers change their keys"
    place.provider.shown_issuer = "https://evil.example"
    place.house.clock.advance(timedelta(hours=2))
    async with place.browser.get(f"{ROOT}/oidc/sign-in", allow_redirects=False) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("place", [False], indirect=True)
async def test_a_landscape_may_close_the_door_of_passwords(place: Place) -> None:
    async with place.browser.get(f"{ROOT}/sign-in") as answer:
        assert "Password" not in await answer.text()
    async with place.browser.post(f"{ROOT}/sign-in", data={"name": "anna", "password": "x"}) as answer:
        assert answer.status == 401
