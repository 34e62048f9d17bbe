"""People and their access roles. A password is kept as scrypt, a session's cookie as a hash: neither can be read back.

Local people are the default; an OpenID Connect provider may say who somebody is instead.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from isthmus.governance.access import SCOPES, Caller
from isthmus.store import audit, people
from isthmus.store.clock import instant, moment
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction

#: access role → what it may do
ROLES: dict[str, frozenset[str]] = {
    "viewer": frozenset({"runs:read", "support-desk:read"}),
    "operator": frozenset({"runs:read", "support-desk:read", "exceptions:write", "process:start"}),
    "approver": frozenset({"runs:read", "support-desk:read", "approvals:decide"}),
    "admin": frozenset(SCOPES),
}
SESSION = timedelta(hours=10)
#: after so many wrong passwords in a row a name is blocked, for longer each time
FAILURES_MAX, _BLOCK, _BLOCK_MAX = 5, timedelta(seconds=30), timedelta(hours=1)
_COST, _BLOCK_SIZE, _PARALLEL = 2**14, 8, 1
PASSWORD_MIN = 10


class SignInRefused(Exception):
    """Nobody is let in. Says the same whether the name or the password is wrong."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in: by what name, with which roles, and the token that their forms bring back."""

    name: str
    roles: tuple[str, ...]
    token: str

    @property
    def scopes(self) -> frozenset[str]:
        """What they may do."""
        return scopes_of(self.roles)

    @property
    def caller(self) -> Caller:
        """The same person, as the API knows callers."""
        return Caller(self.name, self.scopes)

    def may(self, scope: str) -> bool:
        """Whether they may do it."""
        return scope in self.scopes


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """What somebody with these access roles may do."""
    return frozenset[str]().union(*(ROLES.get(role, frozenset()) for role in roles))


def password_text(password: str) -> str:
    """A password as it is kept. Raises ValueError where it is too short."""
    if len(password) < PASSWORD_MIN:
        raise ValueError(f"a password of at least {PASSWORD_MIN} characters is expected")
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_stretched(password, salt).hex()}"


def password_is(password: str, kept: str | None) -> bool:
    """Whether it is the one that is kept; takes as long where there is none."""
    _, salt, digest = (kept or "scrypt$00$00").split("$")
    return hmac.compare_digest(_stretched(password, bytes.fromhex(salt)), bytes.fromhex(digest))


async def sign_in(store: Store, name: str, password: str) -> str:
    """The cookie of a new session. Raises SignInRefused."""
    now = store.clock()
    found = await store.read(lambda tx: people.get_person(tx, name))
    if found and found["blocked_until"] and moment(found["blocked_until"]) > now:
        raise SignInRefused("Too many wrong passwords; wait a while")
    if not password_is(password, found["password"] if found else None) or found is None or not found["password"]:
        if found:
            failures = found["failures"] + 1
            over = failures - FAILURES_MAX
            until = instant(now + min(_BLOCK * 2**over, _BLOCK_MAX)) if over >= 0 else None
            await store.write(lambda tx: people.count_failure(tx, name, failures, until))
        raise SignInRefused("Name or password is wrong")
    return await begin_session(store, name, found["roles"].split())


async def begin_session(store: Store, name: str, roles: Iterable[str]) -> str:
    """The cookie of a new session of somebody whose name is proved."""
    cookie, now = secrets.token_urlsafe(32), store.clock()
    row = {
        "hash": _hash(cookie), "name": name, "roles": " ".join(roles), "token": secrets.token_urlsafe(24),
        "created_at": instant(now), "expires_at": instant(now + SESSION),
    }  # fmt: skip

    def work(tx: Transaction) -> None:
        people.put_session(tx, row)
        people.count_failure(tx, name, 0, None)
        audit.note(tx, at=row["created_at"], who=name, did="console.sign_in", about=name)

    await store.write(work)
    return cookie


async def visitor(store: Store, cookie: str) -> Visitor | None:
    """Who a cookie belongs to; None where the session is over."""
    now = instant(store.clock())
    row: Row | None = await store.read(lambda tx: people.get_session(tx, _hash(cookie), now))
    return Visitor(row["name"], tuple(row["roles"].split()), row["token"]) if row else None


async def sign_out(store: Store, cookie: str) -> None:
    """End a session."""
    await store.write(lambda tx: people.end_session(tx, _hash(cookie)))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _stretched(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK_SIZE, p=_PARALLEL, maxmem=64 * 1024 * 1024)
