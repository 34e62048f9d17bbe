"""Heads of the audit's chain, signed and published outside, so that not even the operator can rewrite the chain unseen.

A head is a compact JSON Web Signature (RFC 7515) by an Ed25519 key (RFC 9864) over ``{"landscape", "environment",
"line", "lines", "hash", "at"}``. Whoever holds the public key and yesterday's head can tell whether a line was changed,
removed (at the end too) or slipped in since.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isthmus.landscape.release import AuditPlan
from isthmus.landscape.secrets import resolve
from isthmus.model.problems import Problem, Rejected
from isthmus.store import audit
from isthmus.store.transaction import Transaction

_ALGORITHM = "Ed25519"


@dataclass(frozen=True)
class PublishedHead:
    """The chain's end as it was at an instant."""

    landscape: str
    environment: str
    line: int
    lines: int
    hash: str
    at: str


@dataclass(frozen=True)
class Verdict:
    """What was verified: how many lines hold, of how many the contents were erased, how many heads agree; what is wrong."""

    lines: int
    erased: int
    heads: int
    broken_at: int | None
    why: str | None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.why is None


def new_key() -> tuple[str, str]:
    """A new pair of Ed25519 keys as PEM: the private one to sign with, the public one for those who verify."""
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("Ed25519")
    return key.as_pem(private=True).decode(), key.as_pem(private=False).decode()


def signed(head: PublishedHead, private_pem: str) -> str:
    """The head as one line of text. Raises Rejected where the key is none."""
    from joserfc import jws

    text = json.dumps(asdict(head), sort_keys=True)
    return jws.serialize_compact({"alg": _ALGORITHM}, text, _key(private_pem), algorithms=[_ALGORITHM])


def read_head(line: str, public_pem: str) -> PublishedHead:
    """A published head. Raises Rejected where it was not signed by that key."""
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        found = jws.deserialize_compact(line.strip(), _key(public_pem), algorithms=[_ALGORITHM])
    except (JoseError, ValueError) as error:
        problem = Problem(
            title=f"A published head was not signed by this key ({error})",
            field="head",
            expected="a line that isthmus audit publish wrote",
            mend="see whether it is the right public key; else the head was forged or changed",
        )
        raise Rejected(problem) from None
    return PublishedHead(**json.loads(found.payload))


def head_now(tx: Transaction, landscape: str, environment: str, now: datetime) -> PublishedHead:
    """The chain's end at this moment. Raises Rejected where the chain does not hold: a broken one is not signed."""
    chain = audit.walk(tx)
    if chain.first_break:
        problem = Problem(
            title=f"Line {chain.first_break.line} of the audit is broken: {chain.first_break.why}",
            field="audit",
            expected="a chain that holds",
            mend="find out who changed the table; isthmus audit verify shows the place",
        )
        raise Rejected(problem)
    return PublishedHead(landscape, environment, *chain.head, at=now.astimezone(UTC).isoformat(timespec="seconds"))


def verify(tx: Transaction, heads: Iterable[PublishedHead] = ()) -> Verdict:
    """Recompute the chain, and hold it against heads that were published before."""
    chain, agreed = audit.walk(tx), 0
    broken_at, why = chain.first_break or (None, None)
    for head in heads:
        then = audit.hash_at(tx, head.line) if head.line else audit.Head(0, 0, head.hash)
        if then == (head.line, head.lines, head.hash):
            agreed += 1
        elif why is None:
            broken_at, why = head.line, _disagrees(head, then)
    return Verdict(chain.head.lines, chain.erased, agreed, broken_at, why)


def _disagrees(head: PublishedHead, then: audit.Head | None) -> str:
    published = f"the head published at {head.at} names it as line number {head.lines} with the hash {head.hash[:12]}…"
    if then is None:
        return f"{published}, and it is gone"
    return f"{published}, and here it is number {then.lines} with {then.hash[:12]}…: the chain was rewritten since"


def publish(head: PublishedHead, plan: AuditPlan, folder: Path) -> list[str]:
    """Sign the head and publish it everywhere the landscape says; where it stands now, in words.

    Relative paths are meant from the landscape's ``folder``. Raises SecretMissing, or Rejected where a place refuses:
    the other places have it all the same.
    """
    line = signed(head, resolve(plan.key, setting="audit.key", folder=folder))
    done, refused = [], None
    for kind, written in plan.publish:
        try:
            place = resolve(written, setting=f"audit.publish.{kind}", folder=folder)
            done.append(_PLACES[kind](line, head, folder / place if kind != "tell" else place))
        except (Rejected, OSError) as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return done


def _to_file(line: str, head: PublishedHead, file: Any) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(line + "\n")
    return str(file)


def _to_apprise(line: str, head: PublishedHead, address: Any) -> str:
    from apprise import Apprise

    told = Apprise()
    title = f"Audit of {head.landscape} ({head.environment}): {head.lines} lines at {head.at}"
    if not told.add(address) or not told.notify(body=line, title=title):
        problem = Problem(
            title="The audit's head could not be told",
            field="audit.publish.tell",
            expected="an address that Apprise knows and that answers",
            mend="try the address with the apprise command, then  isthmus audit publish",
        )
        raise Rejected(problem)
    return "told"


def _to_git(line: str, head: PublishedHead, repository: Any) -> str:
    stamp = head.at.replace(":", "").replace("+0000", "Z")
    tag = f"audit/{head.landscape}/{head.environment}/{stamp}"
    _git(repository, "tag", "--annotate", tag, "--message", line)
    if remote := _git(repository, "remote").split():
        _git(repository, "push", "--quiet", remote[0], f"refs/tags/{tag}")
    return f"tag {tag} in {repository}"


_PLACES: dict[str, Callable[[str, PublishedHead, Any], str]] = {"file": _to_file, "git": _to_git, "tell": _to_apprise}


def heads_in_git(repository: Path) -> list[str]:
    """The heads that stand in a repository's tags."""
    return _git(repository, "tag", "--list", "audit/*", "--format", "%(contents:subject)").split()


def public_of(private_pem: str) -> str:
    """The public key that belongs to a private one."""
    public: bytes = _key(private_pem).as_pem(private=False)
    return public.decode()


def _git(repository: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        problem = Problem(
            title=f"git could not publish the audit's head in {repository}: {said}",
            field="audit.publish.git",
            value=str(repository),
            expected="a git repository in which this user may tag and push",
            mend="mend the repository, then  isthmus audit publish",
        )
        raise Rejected(problem) from None
    return done.stdout


def _key(pem: str) -> Any:
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey

    try:
        return OKPKey.import_key(pem)
    except (JoseError, ValueError, TypeError):
        problem = Problem(
            title="The audit's key is no Ed25519 key in PEM",
            field="audit.key",
            expected="what isthmus audit key wrote",
            mend="make one with  isthmus audit key",
        )
        raise Rejected(problem) from None
