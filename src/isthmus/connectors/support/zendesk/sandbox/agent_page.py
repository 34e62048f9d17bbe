"""A ticket as an agent sees it: one plain page for people, with room at its side for a panel."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from html import escape
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account
from isthmus.connectors.support.zendesk.sandbox.fields import Fields
from isthmus.sandkit.routes import Answer, Request, Routes
from isthmus.sandkit.world import Row

#: how long a signed address is good, in seconds
LIFE_S = 240

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Ticket #{id}: {subject}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 0; display: grid; grid-template-columns: 1fr 22rem; color: #2f3941; }}
main, aside {{ padding: 1.5rem 2rem; }} aside {{ border-left: 1px solid #d8dcde; min-height: 100vh; }}
article {{ border: 1px solid #d8dcde; border-radius: 6px; padding: .75rem 1rem; margin: 1rem 0; white-space: pre-line; }}
article.internal {{ background: #fff7ed; }} small, dt {{ color: #68737d; }} dd {{ margin: 0 0 .5rem; }}
</style></head><body>
<main><small>Ticket #{id} · {status}</small><h1>{subject}</h1>{comments}</main>
<aside><h2>Details</h2><dl>{details}</dl><section id="panel">{panel}</section></aside>
</body></html>
"""


class AgentPage:
    """``GET /agent/tickets/{id}``, for everybody who can reach the sandbox."""

    def __init__(self, account: Account, fields: Fields) -> None:
        self._account, self._fields = account, fields

    def serve(self, routes: Routes) -> None:
        """Register the page."""
        routes.add("GET", "/agent/tickets/{id}", self._page)

    def _page(self, request: Request) -> Answer:
        text = request.params["id"]
        ticket = self._account.tickets.get(int(text)) if text.isdigit() else None
        if ticket is None:
            return Answer(404, f"There is no ticket {escape(text)}.", content_type="text/html; charset=utf-8")
        sql = "SELECT body FROM comment WHERE ticket_id = ? ORDER BY id"
        comments = [json.loads(row["body"]) for row in self._account.world.rows(sql, (ticket["id"],))]
        page = _PAGE.format(
            id=ticket["id"],
            subject=escape(ticket["subject"]),
            status=escape(ticket["status"]),
            comments="".join(self._comment(comment) for comment in comments),
            panel=self._panel(ticket),
            details="".join(
                f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self._details(ticket)
            ),
        )
        return Answer(200, page, content_type="text/html; charset=utf-8")

    def _panel(self, ticket: Row) -> str:
        """The app in the ticket's side bar: a frame whose address carries a signed token, as signed URLs do.

        (Zendesk's apps are signed with RS256 and the app's own key; this one with HS256 and a secret that both know.)
        """
        url, secret = self._account.setting("panel_url", ""), self._account.setting("panel_secret", "")
        if not url or not secret:
            return ""
        token = signed({"ticket": str(ticket["id"]), "sub": "agent"}, secret, int(self._account.clock.timestamp()))
        address = escape(f"{url}?ticket={ticket['id']}&token={token}", quote=True)
        return f'<iframe title="Isthmus" sandbox src="{address}" style="border:0;width:100%;height:40rem"></iframe>'

    def _comment(self, row: Row) -> str:
        author, kind = self._name(row["author_id"]), "public" if row["public"] else "internal"
        heading = f"<small>{escape(author)} · {escape(row['created_at'])} · {kind}</small>"
        return f'<article class="{kind}">{heading}\n{escape(row["body"])}</article>'

    def _details(self, ticket: Row) -> list[tuple[str, str]]:
        organization = self._account.organizations.get(ticket["organization_id"] or 0) or {"name": "–"}
        details = [("Requester", self._name(ticket["requester_id"])), ("Organization", str(organization["name"]))]
        details += [("Assignee", self._name(ticket["assignee_id"])), ("Priority", ticket["priority"] or "–")]
        values = ticket["custom_fields"]
        return details + [(f.title, str(values[h])) for h, f in self._fields.of("ticket").items() if values.get(h)]

    def _name(self, user_id: int | None) -> str:
        user = self._account.users.get(user_id or 0, deleted=True)
        return str(user["name"]) if user else "–"


def signed(claims: dict[str, Any], secret: str, now: int) -> str:
    """A JWT (RFC 7519) over claims, signed with HMAC-SHA256."""
    parts = [{"alg": "HS256", "typ": "JWT"}, {**claims, "iat": now, "exp": now + LIFE_S}]
    text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_encoded(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
