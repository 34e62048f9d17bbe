"""Runs: found by any id, customer or amount; one run as a picture of who was asked what, with everything beneath."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from isthmus.console.desk import Desk
from isthmus.console.drawing import sequence
from isthmus.store import effects, runs
from isthmus.store.transaction import Row, Transaction
from isthmus.visibility.timeline import found_by, summary, timeline
from isthmus.visibility.turn import turn

PAGE = 50
STATES = ("ready", "waiting", "parked", "undoing", "done", "undone", "ignored")


async def listed(request: Request, desk: Desk) -> Response:
    """A page of runs, newest first; or what a search finds."""
    query = request.query_params
    text, state, process = query.get("text", "").strip(), query.get("state") or None, query.get("process") or None
    before = query.get("before") or None

    def work(tx: Transaction) -> list[Row]:
        if text:
            return found_by(tx, text, limit=PAGE + 1)
        return runs.list_runs(tx, state=state, process=process, text=None, limit=PAGE + 1, before=before)

    rows = await desk.store.read(work)
    if text and len(rows) == 1:
        return await one(request, desk, rows[0]["id"])
    older = rows[PAGE - 1]["updated_at"] if len(rows) > PAGE and not text else None
    facts = {"runs": [summary(row) for row in rows[:PAGE]], "older": older, "text": text, "state": state or "",
             "process": process or "", "states": STATES, "more": text and len(rows) > PAGE}  # fmt: skip
    return desk.page(request, "runs.html", facts)


async def one(request: Request, desk: Desk, run_id: str | None = None) -> Response:
    """One run. Raises LookupError."""
    run_id = run_id or request.path_params["run_id"]
    run = await timeline(desk.store, run_id)
    if run is None:
        raise LookupError(f"No run is called {run_id}.")
    rows = await desk.store.read(lambda tx: effects.effects_of(tx, run["id"]))
    titles = {name: plan.connector.title for name, plan in desk.engine.release.connections.items()}
    facts = {"run": run, "turn": turn(run), "picture": sequence(run["calls"], titles), "effects": rows}
    return desk.page(request, "run.html", facts)
