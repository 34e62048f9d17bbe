"""A signed link in a mail: opening it shows what is asked, and only the form that it shows decides, once.

Mail scanners and previews follow links, so GET changes nothing. Nobody has to sign in: the link is for one person.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from isthmus.orchestration import approval_link
from isthmus.orchestration.approval import Verdict
from isthmus.store.store import Store
from isthmus.store.transaction import Row

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
}
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title>
<style>:root{{color-scheme:light dark;font:16px/1.5 system-ui}}body{{max-width:46rem;margin:2rem auto;padding:0 1rem}}
dt{{font-weight:600}}dd{{margin:0 0 .5rem;white-space:pre-wrap}}label{{display:block;margin:.6rem 0}}
input,textarea{{font:inherit;width:100%;box-sizing:border-box}}button{{font:inherit;padding:.4rem 1rem;margin-right:.6rem}}</style>
<main><h1>{title}</h1>{body}</main></html>"""
_FORM = """<form method="post"><input type="hidden" name="confirm" value="yes">{amount}
<label>Comment <textarea name="comment" rows="3" maxlength="2000"></textarea></label>
<p>Rejecting, or agreeing to another amount, needs a comment.</p>
<button name="verdict" value="approved">Approve</button><button name="verdict" value="rejected">Reject</button></form>"""


class DecisionLinks:
    """``/approvals/{token}``: GET shows, POST with the form's confirmation decides."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        self._store, self._wake = store, wake

    @property
    def routes(self) -> list[Route]:
        """The page and its form."""
        path = f"{approval_link.PATH}{{token}}"
        return [Route(path, self.show, methods=["GET"]), Route(path, self.decide, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """What is asked, with the form that answers it."""
        try:
            ticket, row = await approval_link.read_link(self._store, request.path_params["token"])
        except LookupError as error:
            return _page(410, "This link does not work any more", str(error))
        if row["state"] != "requested":
            return _page(410, "This is decided already", f"{row['state']} by {row['decided_by'] or 'nobody'}")
        return HTMLResponse(_PAGE.format(title=escape(row["about"]), body=_asked(row, ticket.who)), headers=_HEADERS)

    async def decide(self, request: Request) -> Response:
        """Decide, where the form was really sent."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        if form.get("confirm") != "yes" or form.get("verdict") not in ("approved", "rejected"):
            return _page(400, "Nothing was decided", "open the link and use its form")
        verdict: Verdict = "approved" if form["verdict"] == "approved" else "rejected"
        try:
            row = await approval_link.decide_by_link(
                self._store, request.path_params["token"], verdict=verdict, comment=form.get("comment"),
                amount=form.get("amount") or None,
            )  # fmt: skip
        except LookupError as error:
            return _page(410, "This link does not work any more", str(error))
        except PermissionError as error:
            return _page(403, "You may not decide this", str(error))
        except ValueError as error:
            return _page(409, "Nothing was decided", str(error))
        self._wake()
        waits = "" if row["state"] != "requested" else f"; {row['needed']} people must agree"
        return _page(200, "Thank you", f"{row['about']}: {verdict}{waits}")


def _asked(row: Row, who: str) -> str:
    facts = "".join(
        f"<dt>{escape(f['label'])}</dt><dd>{escape(f['words'])}{_link(f['link'])}</dd>" for f in row["facts"]
    )
    said = "".join(
        f"<dt>{escape(c['who'])}</dt><dd>{escape(c['verdict'])}: {escape(c['comment'] or '')}</dd>"
        for c in row["consents"]
    )
    because = f"<p>Asked because {escape(row['because'])}.</p>" if row["because"] else ""
    amount = ""
    if row["amount"] is not None:
        amount = (
            f"<label>Amount in {escape(row['currency'])}, at most {escape(row['most'])} "
            f'<input name="amount" inputmode="decimal" value="{escape(row["amount"])}"></label>'
        )
    until = f"<p>For {escape(who)}, of {escape(row['policy'])}; until {escape(row['due_at'] or 'decided')}.</p>"
    return f"{until}{because}<dl>{facts}{said}</dl>{_FORM.format(amount=amount)}"


def _link(address: str | None) -> str:
    good = address is not None and address.startswith(("https://", "http://"))
    return f' <a href="{escape(address or "")}" rel="noreferrer">open</a>' if good else ""


def _page(status: int, title: str, words: str) -> Response:
    body = f"<p>{escape(words[:1].upper() + words[1:])}.</p>"
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, headers=_HEADERS)
