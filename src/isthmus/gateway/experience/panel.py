"""The support desk's panel: a customer beside a ticket, inside the support tool's own page.

``GET /experience/support-desk/{connection}/panel?ticket=…&token=…`` is what the tool puts into an iframe. The tool signs a
token (JWT, HS256, at most five minutes) with the secret that it shares with this connection; it names the ticket and the
agent. The page is plain HTML without any script, and lets only that tool frame it (CSP ``frame-ancestors``).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from html import escape
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from isthmus.gateway.experience.desk_shapes import CustomerView, OrderSeen
from isthmus.gateway.experience.support_desk import SupportDesk
from isthmus.model.problems import IsthmusError
from isthmus.store.clock import Clock

SECRET = "panel_secret"  # noqa: S105 - the name of the setting that holds it
#: how long a token may live, whatever it says
LIFE = timedelta(minutes=5)
_STYLE = (
    "body{font:14px/1.45 system-ui,sans-serif;margin:0;padding:.25rem;color:#2f3941}h1{font-size:1.05rem;margin:.2rem 0}"
    "h2{font-size:.85rem;margin:.8rem 0 .2rem;color:#68737d}ul{margin:0;padding-left:1.1rem}small{color:#68737d}"
    ".bad{color:#a3152c;font-weight:600}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


class Panel:
    """The panel over the support desk, for each connection whose settings share a secret with its tool."""

    def __init__(self, desk: SupportDesk, settings: Mapping[str, Mapping[str, Any]], clock: Clock) -> None:
        self._desk, self._clock = desk, clock
        self._tools = {
            name: (OctKey.import_key(str(own[SECRET])), _origin(str(own.get("base_url", ""))))
            for name, own in settings.items()
            if own.get(SECRET)
        }

    @property
    def routes(self) -> list[Route]:
        """The panel's door; none where no tool shares a secret."""
        at = "/experience/support-desk/{connection}/panel"
        return [Route(at, self.show, methods=["GET"])] if self._tools else []

    async def show(self, request: Request) -> HTMLResponse:
        """The page, for the ticket that the token names."""
        tool = self._tools.get(request.path_params["connection"])
        if tool is None:
            return _page("<p>No support tool is set up here.</p>", 404, "'none'")
        key, origin = tool
        ticket = self._ticket(key, request.query_params.get("token", ""))
        if ticket is None or ticket != request.query_params.get("ticket"):
            return _page(
                "<p class=bad>The token of this panel is not valid any more; load the ticket again.</p>", 401, origin
            )
        try:
            found = await self._desk.customer("ticket", ticket)
        except IsthmusError as error:
            return _page(f"<p>{escape(error.problem.title)}</p>", error.problem.status, origin)
        return _page(_customer(found), 200, origin)

    def _ticket(self, key: OctKey, token: str) -> str | None:
        """The ticket that a token names; None where it is forged, over, or lives too long."""
        now = int(self._clock().timestamp())
        try:
            claims = jwt.decode(token, key, algorithms=["HS256"]).claims
            times = {name: {"essential": True} for name in ("exp", "iat")}
            jwt.JWTClaimsRegistry(now=now, ticket={"essential": True}, **times).validate(claims)  # type: ignore[arg-type]
        except (JoseError, ValueError):
            return None
        return str(claims["ticket"]) if claims["exp"] - claims["iat"] <= LIFE.total_seconds() else None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'none'"


def _page(content: str, status: int, framed_by: str) -> HTMLResponse:
    policy = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}"
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Customer</title><style>{_STYLE}</style></head>'
    return HTMLResponse(f"{page}<body>{content}</body></html>", status, headers)


def _customer(found: CustomerView) -> str:
    """What an agent needs while he reads a ticket; no bank data, no tax numbers, no limits."""
    credit = escape(", ".join(found.credit.blocks)) if found.credit.blocks else "free"
    owed = " + ".join(f"{each.amount:f} {each.currency}" for each in found.credit.overdue)
    parts = [
        f"<h1>{escape(found.customer.name)}</h1><small>{escape(found.customer.number or '')} {escape(found.customer.business_unit)}</small>",
        f"<p>Credit: <span class={'bad' if found.credit.blocks else 'ok'}>{credit}</span>"
        + (f" <span class=bad>overdue {escape(owed)}</span>" if owed else "")
        + "</p>",
        _list("Orders", [_order(each) for each in found.orders]),
        _list("Invoices", [_invoice(each) for each in found.invoices]),
        _list("Plan", [f"{escape(each.plan)} until {each.until or 'further notice'}" for each in found.entitlements]),
        _list("Cases", [f"#{escape(each.number)} {escape(each.subject)} ({escape(each.status)})" for each in found.cases]),
        _list("Disputes", [escape(f"{each.kind} {each.about or ''} {each.reason or ''}") for each in found.disputes]),
        _list("Not up to date", [escape(f"{name}: {each.unavailable}") for name, each in found.sources.items() if each.unavailable]),
    ]  # fmt: skip
    return "".join(parts)


def _list(title: str, items: list[str]) -> str:
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{each}</li>' for each in items)}</ul>" if items else ""


def _order(order: OrderSeen) -> str:
    parcels = [
        f"{parcel.carrier or ''} {parcel.tracking_number or ''}".strip()
        for each in order.deliveries
        for parcel in each.packages
    ]
    day = f", next {order.next_date}" if order.next_date else ""
    lines = "; ".join(f"{each.product or each.name}: {each.shipped:f} of {each.ordered:f}" for each in order.lines)
    said = f"{order.number or order.request_number} {order.status}{day}: {lines} {' '.join(parcels)}"
    return escape(said.strip())


def _invoice(invoice: Any) -> str:
    open_ = f", open {invoice.open.amount:f}" if invoice.open and invoice.open.amount else ""
    return escape(f"{invoice.number}: {invoice.total.amount:f} {invoice.total.currency}, {invoice.status}{open_}")
