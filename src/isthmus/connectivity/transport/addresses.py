"""Where calls may go: to the connection's own host, and to those that its connector or the landscape names.

What a vendor answers is not believed about where to go: an address in an answer (a sign-in's, the next page's, a
redirect's) that names another host would carry our credentials there. (CWE-918, server-side request forgery.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from isthmus.connectivity.transport.answer import SignInRefused
from isthmus.model.problems import PROBLEMS_AT, Problem, Rejected

#: the code of every refusal to follow an answer elsewhere
FOREIGN = "foreign-address"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9.-]+")


def unfit_base(base_url: str) -> str | None:
    """What is wrong with a base address, or None."""
    try:
        address = urlsplit(base_url)
        port = address.port
    except ValueError:
        return "is none"
    if address.scheme not in _PORTS:
        return "does not begin with http:// or https://"
    if not address.hostname or port == 0:
        return "names no host"
    if address.username or address.password:
        return "contains a user; give user and password as settings of their own"
    return "has a query or fragment" if address.query or address.fragment else None


def signed_in_at(found: str, base_url: str, hosts: Sequence[str], connection: str) -> str:
    """Where a sign-in sends calls: where they go anyway, or by https to one of ``hosts``. Raises SignInRefused.

    ``hosts`` are names, or ``*.example.com`` for whatever is below example.com.
    """
    ours = urlsplit(base_url)
    address = urlsplit("" if unfit_base(found) else found)
    host = address.hostname or ""
    if address.scheme == ours.scheme and _same_host(address, ours):
        return found.rstrip("/")
    known = [*hosts, ours.hostname] if ours.port in (None, 80, 443) else hosts
    if address.scheme == "https" and address.port in (None, 443) and _among(host, known):
        return found.rstrip("/")
    raise SignInRefused(
        f"{connection}: the sign-in sends calls to {host or found[:100]}, which is none of this connection's hosts;"
        " nothing was sent there",
        code=FOREIGN,
        mend=f"ask who answers at {ours.hostname}; if that place is yours, write  hosts: [{host or 'its name'}]"
        f"  at connections.{connection} (calls go there by https), then replay",
    )


def below(base_url: str, asked: str, found: str, connection: str) -> str:
    """The path of the address ``found``, relative to ``base_url``; ``asked`` is the page that named it.

    Raises Rejected where it is not below ``base_url``.
    """
    base = urlsplit(base_url)
    prefix = base.path.rstrip("/") + "/"
    if found.startswith("/") and not found.startswith("//") and not found.startswith(prefix):
        # a path from the vendor's root, while we reach that root below a prefix
        found = prefix + found.lstrip("/")
    try:
        target = urlsplit(urljoin(f"{base_url}/{asked.lstrip('/')}", found))
        climbs = any(unquote(segment) == ".." for segment in target.path.split("/"))
        fits = _same_host(target, base) and target.path.startswith(prefix) and not climbs
    except ValueError:  # not even an address
        target, fits = urlsplit(""), False
    if not fits:
        raise Rejected(
            Problem(
                type=PROBLEMS_AT + FOREIGN,
                title=f"{connection}: the next page is said to be at another place than the connection's own",
                status=502,
                field="next",
                value=f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}"[:200],
                expected=f"an address below {base_url}",
                mend="nothing was sent there; ask who answers at our address, or set base_url to the address"
                " that the vendor uses in its answers; then replay",
            )
        )
    path = target.path[len(prefix) :]
    return f"{path}?{target.query}" if target.query else path


def _same_host(target: SplitResult, base: SplitResult) -> bool:
    """Same host and port. The scheme may differ where ports are the usual ones: behind a proxy vendors get it wrong,
    and we keep ours."""
    if target.scheme not in _PORTS or target.username or target.hostname != base.hostname:
        return False
    return (target.port or _PORTS[target.scheme]) == (base.port or _PORTS[base.scheme]) or not (
        target.port or base.port
    )


def _among(host: str, known: Sequence[str | None]) -> bool:
    if not _HOST.fullmatch(host):
        return False
    return any(name and (host.endswith(name[1:]) if name.startswith("*.") else host == name) for name in known)
