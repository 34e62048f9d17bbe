"""The way in: which account's key it is, whether the answer is stored already, and what goes out with every answer.

docs.stripe.com/api/authentication, /idempotent_requests, /versioning, /request_ids.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.routes import Answer, Handler, Refusal, Request
from isthmus.sandkit.world import Row, World

from .account import Account, as_json
from .errors import Declined, ParameterError, StripeError
from .events import API_VERSION, Events
from .expansion import expand
from .operation import Ask, Operation
from .parameters import form_pairs, read, tree

TABLES = """
CREATE TABLE IF NOT EXISTS account (
  id TEXT PRIMARY KEY, unit TEXT NOT NULL, name TEXT NOT NULL, country TEXT NOT NULL, currency TEXT NOT NULL,
  search_delay_s INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS api_key (key TEXT PRIMARY KEY, account TEXT NOT NULL, expired INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS idempotency (
  account TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, asked BLOB NOT NULL, status INTEGER NOT NULL, body TEXT,
  snapshot INTEGER, request_id TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (account, key));
CREATE INDEX IF NOT EXISTS idempotency_age ON idempotency (created);
"""
_KEPT_S = 24 * 3600
_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, under which idempotency key ("" for none), and the id that this request got."""

    account: Row
    key: str
    request_id: str


class Door:
    """Turns operations into handlers: authenticates, replays, reads parameters, plays, stores, answers."""

    def __init__(self, world: World, clock: Clock, events: Events) -> None:
        self._world, self._clock, self._events = world, clock, events
        self._numbers = 0
        self.root = ""  # as the last caller named it; addresses in what people bring about begin with it

    def handler(self, operation: Operation) -> Handler:
        """The handler for one operation."""

        def handle(request: Request) -> Answer:
            request_id = self.new_request_id()
            try:
                caller = self.caller(request, request_id)
                return self._replayed(caller, request) or self._played(operation, caller, request)
            except StripeError as error:
                raise Refusal(self.refused(error, request_id)) from None

        return handle

    def open(self, account: Row, root: str = "") -> Account:
        """The account, to work on its objects."""
        return Account(self._world, self._clock, self._events, account, root)

    def caller(self, request: Request, request_id: str) -> Caller:
        """Who asks. Raises StripeError 401 for a key that is missing, unknown or expired, 403 for another account."""
        key = _secret(request)
        row = self._world.row(
            "SELECT a.*, k.expired FROM api_key k JOIN account a ON a.id = k.account WHERE k.key = ?", (key,)
        )
        if row is None:
            raise StripeError(f"Invalid API Key provided: {_masked(key)}", status=401)
        if row["expired"]:
            raise expired_key(key)
        wanted = request.headers.get("stripe-account")
        if wanted not in (None, row["id"]):
            message = f"The provided key '{_masked(key)}' does not have access to account '{wanted}' (or that account "
            raise StripeError(message + "does not exist).", status=403, code="account_invalid")
        return Caller(row, idempotency_key(request), request_id)

    def new_request_id(self) -> str:
        """An id such as ``req_…`` for one request."""
        self._numbers += 1
        return f"req_{int(self._clock.timestamp() * 1000):x}{self._numbers:06d}"

    def refused(self, error: StripeError, request_id: str, **headers: str) -> Answer:
        """An error as an answer."""
        answer = self._answer(error.status, as_json(error.body(request_id)), request_id)
        if error.status == 401:
            answer.headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
        answer.headers.update(headers)
        return answer

    def store_instead(self, caller: Caller, error: StripeError) -> Answer:
        """Answer with ``error`` although the request did its work, now and whenever its key comes again."""
        answer = self.refused(error, caller.request_id, **{"Stripe-Should-Retry": "false"})
        self._world.execute(
            "UPDATE idempotency SET status = ?, body = ?, snapshot = NULL WHERE account = ? AND key = ?",
            (answer.status, answer.body, caller.account["id"], caller.key),
        )
        return answer

    def is_stored(self, caller: Caller) -> bool:
        """Whether an answer is kept under the request's key."""
        return bool(caller.key) and self._stored(caller) is not None

    # ---------------------------------------------------------------------------------------------------

    def _played(self, operation: Operation, caller: Caller, request: Request) -> Answer:
        given = read(operation.wanted, tree(_pairs(request)))
        account = self.open(caller.account, request.root)
        account.request_text = as_json({"id": caller.request_id, "idempotency_key": caller.key or None})
        ask = Ask(request.params, given)
        try:
            with self._world.transaction():
                answer = self._acted(operation.act, account, ask, caller)
        except StripeError as error:
            if not error.stored:
                raise
            answer = self.refused(error, caller.request_id)
        if request.method == "POST" and caller.key:
            self._store(account, caller, request, answer)
        return answer

    def _acted(self, act: Callable[[Account, Ask], Any], account: Account, ask: Ask, caller: Caller) -> Answer:
        try:
            result = act(account, ask)
        except Declined as declined:
            return self.refused(declined, caller.request_id)  # what was recorded of the attempt stays
        if paths := ask.get("expand"):
            result = expand(account, json.loads(result) if isinstance(result, str) else result, paths)
        text = result if isinstance(result, str) else account.answered(result)
        return self._answer(200, text, caller.request_id, caller.key)

    def _answer(self, status: int, text: str, request_id: str, key: str = "") -> Answer:
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION, "Cache-Control": "no-cache, no-store"}
        if key:
            headers |= {"Idempotency-Key": key, "Original-Request": request_id}
        return Answer(status, text, headers, content_type="application/json")

    # Stored answers ------------------------------------------------------------------------------------

    def _replayed(self, caller: Caller, request: Request) -> Answer | None:
        if request.method != "POST" or not caller.key:
            return None
        stored = self._stored(caller)
        if stored is None:
            return None
        path = request.raw_path
        if stored["path"] != path:
            first = stored["path"]
            raise _other_use(f"for the same endpoint they were first used for ('{first}' vs '{path}')", caller.key)
        if stored["asked"] != _asked(request):
            raise _other_use("with the same parameters they were first used with", caller.key)
        answer = self._answer(stored["status"], stored["text"], caller.request_id, caller.key)
        answer.headers |= {"Idempotent-Replayed": "true", "Original-Request": stored["request_id"]}
        if stored["status"] >= 500:
            answer.headers["Stripe-Should-Retry"] = "false"
        return answer

    def _stored(self, caller: Caller) -> Row | None:
        oldest = int(self._clock.timestamp()) - _KEPT_S
        return self._world.row(
            "SELECT i.*, coalesce(i.body, s.text) AS text FROM idempotency i LEFT JOIN snapshot s ON s.number = i.snapshot "
            "WHERE account = ? AND key = ? AND created >= ?",
            (caller.account["id"], caller.key, oldest),
        )

    def _store(self, account: Account, caller: Caller, request: Request, answer: Answer) -> None:
        """Keep the answer; an object that an event shows already is kept by that snapshot."""
        self._world.execute("DELETE FROM idempotency WHERE created < ?", (account.now - _KEPT_S,))
        snapshot = account.kept_snapshot(answer.body)
        body = answer.body if snapshot is None else None
        asked = (request.raw_path, _asked(request))
        self._world.execute(
            "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (account.id, caller.key, *asked, answer.status, body, snapshot, caller.request_id, account.now),
        )


def idempotency_key(request: Request) -> str:
    """The request's key, "" for none. Raises ParameterError for one of more than 255 characters."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > _KEY_LENGTH:
        raise ParameterError(f"Idempotency-Key must be at most {_KEY_LENGTH} characters; got {len(key)}.")
    return key


def expired_key(key: str) -> StripeError:
    """The answer to a key that was rolled."""
    return StripeError(f"Expired API Key provided: {_masked(key)}", status=401, code="api_key_expired")


def key_in_use(key: str) -> StripeError:
    """Another request with this key is being worked on."""
    return StripeError(
        f"There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later.",
        status=409,
        kind="idempotency_error",
        code="idempotency_key_in_use",
    )


def _other_use(how: str, key: str) -> ParameterError:
    return ParameterError(
        f"Keys for idempotent requests can only be used {how}. Try using a key other than '{key}' if you meant to "
        "execute a different request.",
        kind="idempotency_error",
    )


def _secret(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(value).decode().partition(":")[0]
        except (NotBase64, UnicodeDecodeError):
            raise StripeError("Invalid API Key provided: it is not base64.", status=401) from None
    raise StripeError(
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer "
        "auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        status=401,
    )


def _masked(key: str) -> str:
    return f"{key[:8]}{'*' * max(len(key) - 12, 0)}{key[-4:]}" if len(key) > 12 else "*" * len(key)


def _asked(request: Request) -> bytes:
    """The request's parameters as a digest, whatever their order."""
    parts = [*request.query_string.encode().split(b"&"), *request.body.split(b"&")]
    return blake2b(b"&".join(sorted(part for part in parts if part)), digest_size=16).digest()


def _pairs(request: Request) -> list[tuple[str, str]]:
    if not request.body:
        return form_pairs(request.query_string)
    if "json" in request.headers.get("content-type", ""):
        raise ParameterError(
            "Your request was sent as JSON. Requests to v1 of the API are sent as application/x-www-form-urlencoded."
        )
    try:
        form = form_pairs(request.body.decode())
    except UnicodeDecodeError:
        raise ParameterError("Invalid UTF-8 in the request's body.") from None
    return [*form_pairs(request.query_string), *form]
