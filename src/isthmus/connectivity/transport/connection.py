"""One account at a vendor: renders, signs and sends calls, and says what the answers mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from isthmus import __version__
from isthmus.catalogue.connector import Connector
from isthmus.connectivity.transport import addresses, odata_v2, pages, rendering
from isthmus.connectivity.transport.answer import Answer, Budget, Call, Failure, NoAnswer, NotSent, SignedIn
from isthmus.connectivity.transport.body import parsed
from isthmus.connectivity.transport.failures import Failures, retry_after
from isthmus.connectivity.transport.sign_in import SignIn
from isthmus.connectivity.transport.template import fill, header_value
from isthmus.connectivity.transport.tokens import TokenStore
from isthmus.connectivity.transport.wire import Received, Wire
from isthmus.mapping.mapping import Mapping as CompiledMapping
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_AGENT = f"Isthmus/{__version__}"
_CSRF_S = 20.0
_SHORTEST_SECRET = 4
_RENEWALS_MAX = {"sign in": 3, "fetch token": 1}


class Connection:
    """One account at a vendor, over one HTTP session. Calls go to its own host and nowhere else.

    ``settings`` include the secrets, resolved; neither texts nor traces of this object show a value of them.
    ``mappings`` finds a compiled mapping by its file below ``mappings/``; ``hosts`` are further hosts to which a sign-in
    may send calls.
    """

    def __init__(
        self,
        name: str,
        connector: Connector,
        settings: Mapping[str, str],
        tokens: TokenStore,
        clock: Callable[[], datetime],
        *,
        mappings: Callable[[str], CompiledMapping],
        hosts: Sequence[str] = (),
    ) -> None:
        self.name, self.connector = name, connector
        self.settings: Mapping[str, str] = Settings(settings)
        self._clock, self._mappings = clock, mappings
        self._odata = connector.transport.kind == "odata_v2"
        self._wire = Wire(name, limit=connector.limits.concurrency, cookies=self._odata)
        self._sign_in = SignIn(
            name,
            connector,
            self.settings,
            wire=self._wire,
            tokens=tokens,
            clock=clock,
            base_url=self._configured_base(),
            hosts=hosts,
        )
        self._failures = Failures(connector, self._redacted)
        self._csrf = odata_v2.CsrfToken()
        self._fixed = self._fixed_headers()

    def __repr__(self) -> str:
        return f"Connection({self.name!r}, {self.connector.connector!r})"

    def render(
        self,
        request: rendering.Renderable,
        context: Mapping[str, Any],
        *,
        idempotency: tuple[str, str] | None = None,
    ) -> Call:
        """The call that ``request`` makes of ``context``; the same context gives the same bytes.

        ``idempotency`` is a header's name and value. Raises Rejected naming the placeholder that has no value, and
        the mapping's own MappingError.
        """
        return rendering.render(
            request,
            context,
            connection=self.name,
            transport=self.connector.transport,
            mapping=self._mappings,
            idempotency=idempotency,
        )

    async def send(self, call: Call, *, timeout_s: float, send_by: datetime | None = None) -> Answer:
        """Sign ``call``, send it, and read the whole answer, all within ``timeout_s`` seconds.

        A sign-in that ran out and a CSRF token that is required are renewed, and the call is sent again: both answers
        mean that nothing has happened. A new sign-in may run out too, since all workers share it; so it is renewed a
        few times. With ``send_by`` the clock is looked at right before the first
        byte. Raises NotSent (nothing was written; SignInRefused where we are not let in) or NoAnswer (doubt).
        """
        end = monotonic() + timeout_s
        renewed: Counter[str] = Counter()
        while True:
            signed = await self._sign_in.current(min(timeout_s, end - monotonic()))
            answer, token = await self._attempt(call, signed, end, send_by)
            remedy = self._remedy(answer)
            if remedy is None or renewed[remedy] >= _RENEWALS_MAX[remedy]:
                return answer
            renewed[remedy] += 1
            if remedy == "sign in":
                if await self._sign_in.refused(signed):
                    self._wire.forget_cookies()
                    self._csrf.forget()
            else:
                self._csrf.forget(refused=token)

    def failure(self, answer: Answer, context: Mapping[str, Any]) -> Failure | None:
        """What ``answer`` means by the descriptor's rules, in order; None for any 2xx. Redirects are failures."""
        return self._failures.judge(answer, context, self._clock())

    def refusal(self, code: str, message: str, field: str | None) -> Failure:
        """What the refusal of one record among many means."""
        return self._failures.refusal(code, message, field)

    def next_page(self, answer: Answer) -> Call | None:
        """The call for the page after ``answer``, or None. Raises Rejected where it would leave this host."""
        return pages.next_page(answer, self.connector, base_url=self._sign_in.base_url, connection=self.name)

    def budget(self, answer: Answer) -> Budget | None:
        """What the answer's headers say about the calls that are left, or None."""
        return self._failures.budget(answer, self._clock())

    async def close(self) -> None:
        """Close the session. A later call opens a new one."""
        await self._wire.close()

    async def _attempt(self, call: Call, signed: SignedIn, end: float, send_by: datetime | None) -> tuple[Answer, str]:
        """One sending; the answer, and the CSRF token that it carried."""
        headers = {**self._fixed, **call.headers, **signed.headers}
        token = ""
        if self._odata and call.method not in odata_v2.SAFE_METHODS:
            try:
                token = await self._csrf.value(lambda: self._fetched_csrf(call, signed, end))
            except _SignedOut as signed_out:
                return self._understood(call, signed_out.received), ""
            if token:
                headers[odata_v2.CSRF] = token
        url = self._url(signed.base_url, call.path)
        received = await self._wire.exchange(
            call.method, url, headers, call.body, timeout_s=end - monotonic(), last_look=self._last_look(send_by)
        )
        return self._understood(call, received), token

    def _understood(self, call: Call, received: Received) -> Answer:
        """The answer with its body parsed. Raises NoAnswer where a success cannot be read to its end."""
        try:
            raw = odata_v2.with_iso_dates(received.raw) if self._odata else received.raw
            body = parsed(raw, received.headers)
        except ValueError as error:
            if 200 <= received.status < 300:
                text = f"{self.name}: {call.method} was answered {received.status} with broken JSON ({error})"
                raise NoAnswer(text) from None
            body = received.raw.decode(errors="replace")
        if self._odata:
            body = odata_v2.unwrap(body)
        return Answer(received.status, received.headers, body, received.raw, call)

    async def _fetched_csrf(self, call: Call, signed: SignedIn, end: float) -> str:
        """A new CSRF token of the call's service, or empty text where it hands out none."""
        url = self._url(signed.base_url, odata_v2.service_root(call.path))
        headers = {**self._fixed, **signed.headers, odata_v2.CSRF: "Fetch"}
        try:
            received = await self._wire.exchange("GET", url, headers, None, timeout_s=min(_CSRF_S, end - monotonic()))
        except NoAnswer as error:
            raise NotSent(f"{self.name}: no CSRF token was given ({error})") from None
        token = received.headers.get(odata_v2.CSRF, "")
        if token and token.lower() != "required":
            return token
        if received.status == 401:
            raise _SignedOut(received)
        if received.status in (408, 429) or received.status >= 500:
            pause_s = retry_after(received.headers, self._clock())
            raise NotSent(
                f"{self.name}: no CSRF token was given, the service answered {received.status}", pause_s=pause_s
            )
        return ""

    def _remedy(self, answer: Answer) -> str | None:
        """What would mend a refusal that means: nothing has happened."""
        if answer.status < 400:
            return None
        if self._odata and odata_v2.csrf_required(answer.status, answer.headers):
            return "fetch token"
        failure = self._failures.judge(answer, {}, self._clock()) if self._sign_in.by_token else None
        return "sign in" if failure and failure.verdict == "reauthenticate" else None

    def _last_look(self, send_by: datetime | None) -> Callable[[], None] | None:
        if send_by is None:
            return None

        def look() -> None:
            if self._clock() > send_by:
                raise NotSent(f"{self.name}: it was too late to send, the call had to leave by {send_by.isoformat()}")

        return look

    def _url(self, base_url: str, path: str) -> str:
        """The whole address. A path never leaves the base address: it is appended, not resolved."""
        if bad := _FORBIDDEN.search(path):
            raise self._unfit("path", f"a call's path cannot contain {bad[0]!r}", "an encoded path")
        return base_url + path if path.startswith("?") else f"{base_url}/{path.lstrip('/')}"

    def _configured_base(self) -> str:
        """The address that the settings give, checked. Raises Rejected."""
        template = self.connector.transport.base_url
        base_url = fill(template, {"settings": self.settings}, what=self.name).strip().rstrip("/")
        if wrong := addresses.unfit_base(base_url):
            raise self._unfit("base_url", f"the base address {wrong}", "an address such as https://example.com")
        return base_url

    def _fixed_headers(self) -> dict[str, str]:
        """Headers of every call; one whose setting is not given is left out."""
        headers = {"Accept": "application/json", "User-Agent": _AGENT}
        for name, template in self.connector.transport.headers.items():
            text = fill(template, {"settings": self.settings}, what=self.name, missing="").strip()
            if text:
                headers[name] = header_value(text, name=name, what=self.name)
        return headers

    def _redacted(self, text: str) -> str:
        for secret in [*self._secret_values(), *self._sign_in.secrets_held()]:
            text = text.replace(secret, "•••")
        return text

    def _secret_values(self) -> Iterator[str]:
        properties = self.connector.settings.get("properties", {})
        for name, value in self.settings.items():
            if properties.get(name, {}).get("writeOnly") and len(str(value)) >= _SHORTEST_SECRET:
                yield str(value)

    def _unfit(self, field: str, title: str, expected: str) -> Rejected:
        problem = Problem(type=PROBLEMS_AT + "cannot-ask", title=f"{self.name}: {title}", status=422, field=field)
        return Rejected(problem.model_copy(update={"expected": expected}))


class _SignedOut(Exception):
    """The request for a CSRF token was answered 401: so would be the call, which is spared a failed logon."""

    def __init__(self, received: Received) -> None:
        super().__init__()
        self.received = received


class Settings(Mapping[str, str]):
    """Settings with secrets among them: used like a mapping, shown by names alone."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Settings({', '.join(self._values)})"
