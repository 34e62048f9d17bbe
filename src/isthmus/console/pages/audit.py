"""Audit: who did what, when, before and after."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.store import audit

PAGE = 100


async def listed(request: Request, desk: Desk) -> Response:
    """Lines, newest first; about one thing or all."""
    about = request.query_params.get("about", "").strip() or None
    rows = await desk.store.read(lambda tx: audit.lines(tx, about, PAGE))
    return desk.page(request, "audit.html", {"rows": rows, "about": about or "", "full": len(rows) == PAGE})
