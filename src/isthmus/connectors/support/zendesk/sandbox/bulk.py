"""Work on up to a hundred records at once: the ``*_many`` endpoints, and the job statuses they answer with.

The work is not done when the answer goes out: a job is queued, then working, then completed, as its status is
asked for; after two seconds of the clock it is done in any case. Results keep the order of the request, and
a record that was refused is a result among others. Source: developer.zendesk.com, "Job statuses"; order and the
three result statuses after the vendor's staff, support.zendesk.com post 4408861015066.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from isthmus.connectors.support.zendesk.sandbox.account import Account, Caller, On, address
from isthmus.connectors.support.zendesk.sandbox.answers import (
    as_id,
    listed_values,
    not_found,
    ok,
    part,
    parts,
    refusal,
    sent,
    sentence_of,
)
from isthmus.connectors.support.zendesk.sandbox.organizations import Organizations
from isthmus.connectors.support.zendesk.sandbox.pages import all_of
from isthmus.connectors.support.zendesk.sandbox.people import People
from isthmus.connectors.support.zendesk.sandbox.tables import as_text, key_of
from isthmus.connectors.support.zendesk.sandbox.ticketing import Ticketing
from isthmus.sandkit.routes import Answer, Refusal, Request
from isthmus.sandkit.world import Row

#: queued and working jobs of an account at one time
JOBS_MAX = 30
_DONE_AFTER_S = 2.0
_DONE_AFTER_POLLS = 3
_KINDS = ("ticket", "user", "organization")
Deed = Callable[[Row, Caller], Row]


class Bulk:
    """Queues bulk work, plays it, and tells how it went."""

    def __init__(self, account: Account, ticketing: Ticketing, people: People, organizations: Organizations) -> None:
        self._account, self._ticketing = account, ticketing
        self._people, self._organizations = people, organizations
        self._waiting = True
        self._deeds: dict[str, Deed] = {
            "ticket create": lambda item, caller: _made(ticketing.create(item, caller)[0]),
            "ticket update": self._update_ticket,
            "ticket destroy": self._destroy_ticket,
            "ticket merge": self._merge_ticket,
            "user create": lambda item, _: _made(people.create(item)),
            "user update": lambda item, _: _changed(people.update(self._found("user", item), item)),
            "user destroy": lambda item, _: _gone(people.delete(self._found("user", item))),
            "user create_or_update": lambda item, _: _either(*people.create_or_update(item)),
            "organization create": lambda item, _: _made(organizations.create(item)),
            "organization update": lambda item, _: _changed(
                organizations.update(self._found("organization", item), item)
            ),
            "organization destroy": self._destroy_organization,
        }

    def serve(self, on: On) -> None:
        """Register the endpoints."""
        for kind in _KINDS:
            on("POST", f"/{kind}s/create_many", self._created)
            on("PUT", f"/{kind}s/update_many", self._updated)
            on("DELETE", f"/{kind}s/destroy_many", self._destroyed)
        on("POST", "/users/create_or_update_many", self._created)
        on("POST", "/tickets/{id}/merge", self._merged)
        on("GET", "/job_statuses", self._listed)
        on("GET", "/job_statuses/show_many", self._shown_many)
        on("GET", "/job_statuses/{job}", self._shown)

    def play_due(self) -> None:
        """Do what has waited long enough; called before every request."""
        if not self._waiting:
            return
        world = self._account.world
        sql = "SELECT id FROM bulk WHERE state != 'completed' AND created <= ?"
        for row in world.rows(sql, (self._account.clock.timestamp() - _DONE_AFTER_S,)):
            self._play(self._job(row["id"]))
        self._waiting = bool(world.value("SELECT count(*) FROM bulk WHERE state != 'completed'"))

    # Deeds ----------------------------------------------------------------------------------------

    def _found(self, kind: str, item: Row) -> Row:
        shelf = self._account.users if kind == "user" else self._account.organizations
        found = shelf.get(as_id(item["id"])) if item.get("id") else None
        if found is None and item.get("external_id"):
            found = shelf.find("external_key", key_of(str(item["external_id"])))
        if found is None:
            raise not_found()
        return found

    def _update_ticket(self, item: Row, caller: Caller) -> Row:
        before = self._ticketing.one(as_id(item.get("id")))
        return _changed(self._ticketing.update(before, item, caller)[0])

    def _destroy_ticket(self, item: Row, caller: Caller) -> Row:
        row = self._ticketing.one(as_id(item.get("id")))
        self._ticketing.delete(row, caller)
        return _gone(row)

    def _merge_ticket(self, item: Row, caller: Caller) -> Row:
        target, source = self._ticketing.one(item["target"]), self._ticketing.one(as_id(item["id"]))
        self._ticketing.merge(target, source, item, caller)
        return _changed(source)

    def _destroy_organization(self, item: Row, caller: Caller) -> Row:
        row = self._found("organization", item)
        self._organizations.delete(row)
        return _gone(row)

    # Playing --------------------------------------------------------------------------------------

    def _queue(self, request: Request, kind: str, deed: str, items: list[Row], caller: Caller) -> Answer:
        world = self._account.world
        if world.value("SELECT count(*) FROM bulk WHERE state != 'completed'") >= JOBS_MAX:
            raise refusal(429, "TooManyJobs", f"At most {JOBS_MAX} jobs may be queued or running at a time")
        job: Row = {"id": secrets.token_hex(16), "deed": f"{kind} {deed}", "items": items, "results": None}
        job |= {"state": "queued", "user_id": caller.user_id, "role": caller.role}
        stored = {"id": job["id"], "created": self._account.clock.timestamp(), "state": "queued", "polls": 0}
        world.insert("bulk", {**stored, "body": as_text(job)})
        self._waiting = True
        return ok({"job_status": _status(job, request.root)})

    def _play(self, job: Row) -> Row:
        caller = Caller(job["user_id"], job["role"])
        deed, kind = self._deeds[job["deed"]], job["deed"].split()[0]
        job["results"] = [self._result(deed, kind, index, item, caller) for index, item in enumerate(job["items"])]
        job["state"] = "completed"
        self._account.world.update("bulk", {"state": "completed", "body": as_text(job)}, {"id": job["id"]})
        return job

    def _result(self, deed: Deed, kind: str, index: int, item: Row, caller: Caller) -> Row:
        try:
            with self._account.world.transaction():
                return {"index": index, **deed(item, caller)}
        except Refusal as refused:
            what = "Update" if item.get("id") else "Create"
            named = item.get("id") if kind == "ticket" and item.get("id") else index
            said = {"error": f"{kind.capitalize()}{what}Error", "details": sentence_of(refused.answer)}
            return {"index": index, "id": named, **said, "status": "Failed", "success": False}

    def _job(self, job_id: str) -> Row:
        found = self._account.world.value("SELECT body FROM bulk WHERE id = ?", (job_id,))
        if found is None:
            raise not_found()
        return dict(json.loads(found))

    def _polled(self, job_id: str) -> Row:
        job, world = self._job(job_id), self._account.world
        if job["state"] == "completed":
            return job
        world.execute("UPDATE bulk SET polls = polls + 1 WHERE id = ?", (job_id,))
        polls = world.value("SELECT polls FROM bulk WHERE id = ?", (job_id,))
        if polls >= _DONE_AFTER_POLLS:
            return self._play(job)
        job["state"] = "queued" if polls == 1 else "working"
        world.update("bulk", {"state": job["state"], "body": as_text(job)}, {"id": job_id})
        return job

    # What callers ask -----------------------------------------------------------------------------

    def _created(self, request: Request, caller: Caller) -> Answer:
        kind, what = _kind(request), request.raw_path.rpartition("/")[2].removesuffix("_many")
        return self._queue(request, kind, what, parts(sent(request), f"{kind}s"), caller)

    def _updated(self, request: Request, caller: Caller) -> Answer:
        kind, body = _kind(request), sent(request)
        named = _named(request)
        if named and isinstance(body, dict) and kind in body:
            given = part(body, kind)
            return self._queue(request, kind, "update", [{**given, **one} for one in named], caller)
        return self._queue(request, kind, "update", parts(body, f"{kind}s"), caller)

    def _destroyed(self, request: Request, caller: Caller) -> Answer:
        return self._queue(request, _kind(request), "destroy", _named(request), caller)

    def _merged(self, request: Request, caller: Caller) -> Answer:
        target, given = self._ticketing.one(as_id(request.params["id"])), sent(request)
        ids = given.get("ids") if isinstance(given, dict) else None
        items = [{**given, "ids": None, "target": target["id"], "id": row_id} for row_id in ids or []]
        return self._queue(request, "ticket", "merge", items, caller)

    def _shown(self, request: Request, caller: Caller) -> Answer:
        return ok({"job_status": _status(self._polled(request.params["job"]), request.root)})

    def _shown_many(self, request: Request, caller: Caller) -> Answer:
        found = [self._polled(job_id) for job_id in listed_values(request, "ids")]
        return ok(all_of("job_statuses", [_status(job, request.root) for job in found]))

    def _listed(self, request: Request, caller: Caller) -> Answer:
        rows = self._account.world.rows("SELECT body FROM bulk ORDER BY created DESC LIMIT 100")
        return ok(all_of("job_statuses", [_status(json.loads(row["body"]), request.root) for row in rows]))


def _status(job: Row, root: str) -> Row:
    total, done = len(job["items"]), job["state"] == "completed"
    progress: Any = None
    if job["state"] != "queued":
        progress = total if done else total // 2
    shown: Row = {"id": job["id"], "url": address(root, "job_statuses", job["id"]), "total": total}
    shown |= {
        "job_type": f"Bulk {job['deed']}",
        "progress": progress,
        "status": job["state"],
        "results": job["results"],
    }
    shown["message"] = f"Completed at {total} of {total}" if done else None
    return shown


def _kind(request: Request) -> str:
    return request.raw_path.split("/")[3].removesuffix("s")


def _named(request: Request) -> list[Row]:
    named: list[Row] = [{"id": as_id(value, "ids")} for value in listed_values(request, "ids")]
    return named + [{"external_id": value} for value in listed_values(request, "external_ids")]


def _made(row: Row) -> Row:
    return {"id": row["id"], **_known_by(row), "status": "Created", "success": True}


def _changed(row: Row) -> Row:
    return {"action": "update", "id": row["id"], **_known_by(row), "status": "Updated", "success": True}


def _gone(row: Row) -> Row:
    return {"action": "destroy", "id": row["id"], "status": "Deleted", "success": True}


def _either(row: Row, new: bool) -> Row:
    return _made(row) if new else _changed(row)


def _known_by(row: Row) -> Row:
    return {name: row[name] for name in ("email", "external_id") if row.get(name)}
