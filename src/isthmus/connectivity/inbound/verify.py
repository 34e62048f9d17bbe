"""Who calls? A webhook is believed only when it proves that it comes from the vendor's account of this connection.

Two proofs: a signature over time and body (HMAC-SHA256, in one header or two, by the rule in the descriptor), or a
secret in the path together with values in the message, for vendors that sign nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from isthmus.catalogue.connector import HmacVerify, PathVerify
from isthmus.mapping.expression import Expression, MappingError, compile_expression
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected


class NotBelieved(Rejected):
    """A call that is not taken: ``problem.status`` is 401 (no proof, or a wrong or old one) or 400 (not readable)."""


def verify(
    rule: HmacVerify | PathVerify,
    *,
    headers: Mapping[str, str],
    body: bytes,
    settings: Mapping[str, str],
    now: datetime,
    path_secret: str | None = None,
    parsed: Callable[[], Any] = lambda: None,
) -> None:
    """Raise NotBelieved unless the call proves by ``rule`` that it is genuine.

    ``headers`` have lower-case names; ``body`` is raw; ``settings`` hold the secret that the rule names; ``path_secret``
    is what followed the connection's name in the path; ``parsed`` parses the body and is asked only where the rule looks
    into the message, after the secret has been found right.
    """
    secret = settings.get(rule.secret, "")
    if not secret:
        raise Rejected(
            Problem(
                type=PROBLEMS_AT + "no-secret",
                title=f"The setting {rule.secret} is not given, so no call can be believed",
                status=500,
                field=rule.secret,
                expected="the secret that the vendor shows for this webhook",
                mend=f"give {rule.secret} in the landscape's secrets",
            )
        )
    if isinstance(rule, HmacVerify):
        _verify_signature(rule, headers, body, secret, now)
    else:
        _verify_path(rule, secret, settings, path_secret, parsed)


def _verify_signature(rule: HmacVerify, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    signatures = _picked(rule.header, rule.pair, headers)
    stamps = _picked(rule.timestamp_header, rule.timestamp_pair, headers)
    stamp = stamps[0]
    moment = _moment(stamp, rule)
    digest = hmac.new(secret.encode(), _signed(rule.signed, stamp, body), hashlib.sha256).digest()
    ours = digest.hex() if rule.encoding == "hex" else base64.b64encode(digest).decode()
    # several stand there while a secret changes
    if not any(hmac.compare_digest(ours.encode(), theirs.encode()) for theirs in signatures):
        raise _not_believed(401, "The signature does not fit", rule.header, "HMAC-SHA256 with this connection's secret")
    age_s = (now - moment).total_seconds()
    if abs(age_s) > rule.tolerance.total_seconds():
        title = f"The call was signed {abs(age_s):.0f} s {'ago' if age_s > 0 else 'in the future'}"
        expected = f"at most {rule.tolerance.total_seconds():.0f} s from now"
        raise _not_believed(401, title, rule.timestamp_header, expected, value=stamp)


def _picked(header: str, pair: str | None, headers: Mapping[str, str]) -> list[str]:
    """The values in a header: the whole of it, or each ``pair=`` in a list by commas."""
    text = headers.get(header.lower(), "").strip()
    if not text:
        raise _not_believed(401, f"The call has no header {header}", header, "a signed call")
    if pair is None:
        return [text]
    parts = [part.partition("=") for part in text.split(",")]
    found = [value.strip() for name, _, value in parts if name.strip() == pair]
    if not found:
        raise _not_believed(400, f"The header {header} has no {pair}=", header, f"a list with {pair}=…")
    return found


def _moment(stamp: str, rule: HmacVerify) -> datetime:
    try:
        if rule.timestamp_format == "unix":
            return datetime.fromtimestamp(int(stamp), UTC)
        moment = datetime.fromisoformat(stamp)
    except (ValueError, OverflowError, OSError):
        expected = "seconds since 1970" if rule.timestamp_format == "unix" else "an ISO 8601 instant"
        header = rule.timestamp_header
        raise _not_believed(400, f"{header} has no readable time", header, expected, value=stamp) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _signed(template: str, stamp: str, body: bytes) -> bytes:
    """The bytes that the vendor has signed, by the template over {timestamp} and {body}."""
    before, _, after = template.partition("{body}")
    ends = [text.replace("{timestamp}", stamp).encode() for text in (before, after)]
    return ends[0] + body + ends[1] if "{body}" in template else ends[0]


def _verify_path(
    rule: PathVerify, secret: str, settings: Mapping[str, str], given: str | None, parsed: Callable[[], Any]
) -> None:
    if not hmac.compare_digest(secret.encode(), (given or "").encode()):
        raise _not_believed(
            401, "The address of this call is not the one we gave the vendor", "path", "its secret part"
        )
    for expression, setting in rule.equals.items():
        try:
            found = _compiled(expression)(parsed())
        except MappingError:
            found = None
        values = found if isinstance(found, list) and found else [found]
        wanted = settings.get(setting, "")
        if not wanted or not all(hmac.compare_digest(wanted.encode(), str(value).encode()) for value in values):
            raise _not_believed(401, f"The message comes from elsewhere: {expression} differs", expression, setting)


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Expression:
    return compile_expression(expression, file="connector.yaml verify.equals")


def _not_believed(status: int, title: str, field: str, expected: str, value: str | None = None) -> NotBelieved:
    return NotBelieved(
        Problem(
            type=PROBLEMS_AT + ("not-believed" if status == 401 else "not-readable"),
            title=title,
            status=status,
            field=field,
            value=None if value is None else value[:100],
            expected=expected,
        )
    )
