"""Whom a webhook believes: signatures as the vendors' own libraries make them, and secrets in paths."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from isthmus.catalogue.connector import HmacVerify, PathVerify
from isthmus.connectivity.inbound.verify import NotBelieved, verify
from isthmus.model.problems import Rejected

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BODY = b'{"id": "evt_1", "name": "M\xc3\xbcller {timestamp}"}'
SETTINGS = {"webhook_secret": "whsec_1", "organization": "00D1"}
LIST = HmacVerify(
    kind="hmac",
    header="Stripe-Signature",
    pair="v1",
    timestamp_header="Stripe-Signature",
    timestamp_pair="t",
    timestamp_format="unix",
    signed="{timestamp}.{body}",
    encoding="hex",
    secret="webhook_secret",
)
TWO = HmacVerify(
    kind="hmac",
    header="X-Signature",
    timestamp_header="X-Signature-Timestamp",
    timestamp_format="iso8601",
    signed="{timestamp}{body}",
    encoding="base64",
    secret="webhook_secret",
)
PATH = PathVerify(kind="path_secret", secret="webhook_secret", equals={"Envelope.OrganizationId": "organization"})


def believed(rule: Any, headers: dict[str, str], body: bytes = BODY, now: datetime = NOW, **more: Any) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    verify(rule, headers=lower, body=body, settings=SETTINGS, now=now, **more)


def listed(secret: str = "whsec_1", body: bytes = BODY, at: datetime = NOW, more: str = "") -> dict[str, str]:
    stamp = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest},v0=old{more}"}


def pair_of_headers(secret: str = "whsec_1", stamp: str = "2026-11-23T12:00:00Z", body: bytes = BODY) -> dict[str, str]:
    digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
    return {"X-Signature": base64.b64encode(digest).decode(), "X-Signature-Timestamp": stamp}


def test_signed_calls_are_believed() -> None:
    believed(LIST, listed())
    believed(TWO, pair_of_headers())
    believed(TWO, pair_of_headers(body=b""), body=b"")


def test_we_agree_with_the_vendors_own_library() -> None:
    """A header that stripe-python accepts is accepted here, and one that it refuses is refused."""
    now = datetime.now(UTC)
    good, bad = listed(at=now)["Stripe-Signature"], listed(secret="other", at=now)["Stripe-Signature"]
    text = BODY.decode()
    assert stripe.WebhookSignature.verify_header(text, good, "whsec_1", tolerance=300)
    believed(LIST, {"Stripe-Signature": good}, now=now)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(text, bad, "whsec_1", tolerance=300)
    with pytest.raises(NotBelieved):
        believed(LIST, {"Stripe-Signature": bad}, now=now)


def test_one_of_several_signatures_suffices() -> None:
    """While a secret changes, the vendor signs with both."""
    other = listed("whsec_0")["Stripe-Signature"].split(",")[1]
    believed(LIST, listed(more="," + other))
    ours = listed()["Stripe-Signature"].split(",")[1]
    believed(LIST, {"Stripe-Signature": listed("whsec_0")["Stripe-Signature"] + ", " + ours})


@pytest.mark.parametrize(
    ("rule", "headers", "status"),
    [
        (LIST, listed("another"), 401),
        (LIST, listed(body=b"other"), 401),
        (LIST, {}, 401),
        (LIST, {"Stripe-Signature": "t=1"}, 400),
        (LIST, {"Stripe-Signature": "nonsense"}, 400),
        (LIST, {"Stripe-Signature": "t=noon,v1=ab"}, 400),
        (LIST, {"Stripe-Signature": f"t={10**30},v1=ab"}, 400),
        (LIST, {"Stripe-Signature": f"t={int(NOW.timestamp())},v1=ü"}, 401),
        (TWO, pair_of_headers("another"), 401),
        (TWO, {"X-Signature": "x"}, 401),
        (TWO, pair_of_headers(stamp="yesterday"), 400),
        (TWO, {**pair_of_headers(), "X-Signature-Timestamp": "2026-11-23T12:00:01Z"}, 401),
    ],
)
def test_others_are_not(rule: Any, headers: dict[str, str], status: int) -> None:
    with pytest.raises(NotBelieved) as refused:
        believed(rule, headers)
    problem = refused.value.problem
    assert (problem.status, bool(problem.field and problem.expected and problem.title)) == (status, True)
    assert "whsec" not in problem.model_dump_json()


@pytest.mark.parametrize("off", [-301, 301])
def test_an_old_or_future_call_is_not_believed(off: int) -> None:
    at = NOW + timedelta(seconds=off)
    with pytest.raises(NotBelieved, match="301 s") as refused:
        believed(LIST, listed(at=at))
    assert refused.value.problem.status == 401
    with pytest.raises(NotBelieved):
        believed(TWO, pair_of_headers(stamp=at.isoformat()))
    for within in (-299, 299):
        believed(LIST, listed(at=NOW + timedelta(seconds=within)))
        believed(TWO, pair_of_headers(stamp=(NOW + timedelta(seconds=within)).isoformat()))


def message(organization: Any) -> dict[str, Any]:
    return {"parsed": lambda: {"Envelope": {"OrganizationId": organization}}}


def test_a_secret_in_the_path() -> None:
    believed(PATH, {}, path_secret="whsec_1", **message("00D1"))
    believed(PATH, {}, path_secret="whsec_1", **message(["00D1", "00D1"]))
    for secret, said in (("whsec_2", "00D1"), ("whsec_1", "00D2"), ("whsec_1", None), ("whsec_1", ["00D1", "00D2"])):
        with pytest.raises(NotBelieved) as refused:
            believed(PATH, {}, path_secret=secret, **message(said))
        assert refused.value.problem.status == 401
    with pytest.raises(NotBelieved):
        believed(PATH, {}, path_secret=None, **message("00D1"))


def test_nothing_is_parsed_for_who_does_not_know_the_secret() -> None:
    with pytest.raises(NotBelieved):
        believed(PATH, {}, path_secret="guess", parsed=lambda: pytest.fail("parsed"))


@pytest.mark.parametrize("rule", [LIST, PATH])
def test_without_a_secret_nobody_is_believed(rule: Any) -> None:
    empty = hmac.new(b"", f"{int(NOW.timestamp())}.".encode() + BODY, hashlib.sha256).hexdigest()
    headers = {"stripe-signature": f"t={int(NOW.timestamp())},v1={empty}"}
    for settings in ({}, {"webhook_secret": ""}):
        with pytest.raises(Rejected, match="webhook_secret") as refused:
            verify(rule, headers=headers, body=BODY, settings=settings, now=NOW, path_secret="")
        assert refused.value.problem.status == 500


def test_a_large_body_is_verified_quickly() -> None:
    body = json.dumps({"data": "x" * 1_000_000}).encode()
    headers = listed(body=body)
    begun = time.perf_counter()
    believed(LIST, headers, body=body)
    assert time.perf_counter() - begun < 0.1
