"""A toy vendor: a small HTTP server in a thread, with books of its own, on which the core is tried in milliseconds.

It makes things under a key (as often as it is asked: nothing protects it), looks them up by that key, remembers native
keys where it is given one, upserts where it is told the key in the path, and fails in every way that matters.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from isthmus.catalogue.registry import registry
from isthmus.connectivity.system_api.operation import Operation
from isthmus.connectivity.system_api.roles import ROLES
from isthmus.landscape.release import Release, compile_release
from isthmus.model import Reference
from isthmus.store.clock import Clock

FOLDER = Path(__file__).parents[1] / "faults/toy"
for _name, _value in {"TOY_URL": "http://127.0.0.1:9", "TOY_KEY": "k", "TOY_SECRET": "s"}.items():
    os.environ.setdefault(_name, _value)


class _Canonical(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Plan(_Canonical):
    """What a run is about."""

    id: str | None = None
    number: str
    name: str = ""
    size: int = 1
    party: str = "none"
    allowed: bool = True
    business_unit: str
    source: Reference | None = None


class Thing(_Canonical):
    """Something to be made, or made."""

    number: str
    name: str = ""
    size: int = 1
    plan: str | None = None
    owner: str | None = None
    vendor_id: str | None = None
    living: bool = True


class Party(_Canonical):
    """Somebody to be known once."""

    id: str
    number: str


class Report(_Canonical):
    """What is told about a plan; told again, it is replaced."""

    size: int = 1
    said: str = ""


def _writes(name: str, takes: type[BaseModel], answers: type[BaseModel], **more: Any) -> Operation[Any, Any]:
    return Operation("toy", name, takes, answers, writes=True, **more)


_OPERATIONS: dict[str, Operation[Any, Any]] = {
    "read_plan": Operation("toy", "read_plan", Reference, Plan),
    "read_thing": Operation("toy", "read_thing", Reference, Thing),
    "ensure_party": _writes("ensure_party", Party, Reference, per="object"),
    "report": _writes("report", Report, Reference),
    **{
        name: _writes(name, Thing, Thing)
        for what in ("thing", "coin", "set")
        for name in (f"make_{what}", f"unmake_{what}")
    },
    **{name: _writes(name, Thing, Thing) for name in ("put_flag", "drop_flag", "for_party")},
}
ROLES["toy"] = _OPERATIONS
#: ``toy.make_thing`` in the processes, like ``erp.create_order``
toy = SimpleNamespace(**_OPERATIONS)


@cache
def toy_release() -> Release:
    """The toys' landscape, checked and compiled once."""
    known = registry(extra=[FOLDER / "connectors/toy"])
    return compile_release(FOLDER / "landscape", "dev", registry=known)


@dataclass
class Fault:
    """What goes wrong: before, after, late, broken, broken_after, limited, locked, refused, down, denied."""

    kind: str
    on: str = "POST things"
    times: int = 1
    after: int = 0
    delay_s: float = 1.0
    key: str | None = None


@dataclass
class World:
    """One account at the toy vendor, with its books."""

    name: str
    url: str
    clock: Clock
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    #: calls at once that are allowed, and how many others take of them
    places: int | None = None
    busy: int = 0
    busy_most: int = 0
    slow_s: float = 0.0
    #: every call has to show this token (None: none is asked for); fetched at /token
    token: str | None = None
    #: calls in order, as ``(at, line, status)``
    log: list[tuple[datetime, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._books = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._books.row_factory = sqlite3.Row
        self._books.execute(
            "CREATE TABLE thing (id INTEGER PRIMARY KEY, key TEXT, kind TEXT, size INT, name TEXT, living INT)"
        )
        self._native: dict[str, tuple[str, int, Any] | None] = {}
        self._late: list[tuple[datetime, Callable[[], object]]] = []
        self._lock = threading.RLock()

    def plan(self, id_: str, **values: Any) -> dict[str, Any]:
        """Put a plan there; its number is its id if nothing else is said."""
        self.plans[id_] = {"id": id_, "number": id_, "name": "", "size": 1, "party": "P1", "allowed": True} | values
        return self.plans[id_]

    def fault(self, kind: str, **values: Any) -> Fault:
        """Have something go wrong."""
        made = Fault(kind, **values)
        self.faults.append(made)
        return made

    def things(self, kind: str | None = None, *, living: bool = True, key: str | None = None) -> list[dict[str, Any]]:
        """What stands in the books; what is still under way has landed if it is time."""
        with self._lock:
            self._land()
            rows = [dict(row) for row in self._books.execute("SELECT * FROM thing ORDER BY id")]
        return [
            row
            for row in rows
            if (kind is None or row["kind"] == kind)
            and (not living or row["living"])
            and (key is None or row["key"] == key)
        ]

    def doubled(self) -> list[tuple[str, str]]:
        """Kind and key under which more than one object lives."""
        counts = Counter((row["kind"], row["key"]) for row in self.things())
        return [at for at, number in counts.items() if number > 1]

    def merge(self) -> None:
        """What a person does with those that stand twice: the first stays."""
        for kind, key in self.doubled():
            for other in self.things(kind, key=key)[1:]:
                self._books.execute("UPDATE thing SET living = 0 WHERE id = ?", (other["id"],))

    @property
    def under_way(self) -> int:
        """Effects that have not landed yet."""
        with self._lock:
            self._land()
            return len(self._late)

    # Asked over HTTP ------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict[str, str], headers: Any, body: Any) -> tuple[int, Any, Any]:
        """(status, body, headers); status 0: the connection breaks without an answer."""
        with self._lock:
            self._land()
            line = f"{method} {path.split('/')[0]}"
            self.calls[line] += 1
            status, found, more = self._answered(line, method, path, query, headers, body)
            self.log.append((self.clock(), f"{method} {path}", status))
            return status, found, more

    def _answered(
        self, line: str, method: str, path: str, query: dict[str, str], headers: Any, body: Any
    ) -> tuple[int, Any, Any]:
        if self.token is not None and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, _error("unauthorized", "the token is not good"), {}
        native = headers.get("Idempotency-Key") if method == "POST" else None
        if native in self._native:
            return self._again(native, json.dumps(body, sort_keys=True))
        fault = self._fault(line, body)
        if fault is None:
            return *self._kept(native, body, *self._do(method, path, query, body)), {}
        return self._failing(fault, native, lambda: self._do(method, path, query, body), body)

    def _failing(self, fault: Fault, native: str | None, do: Callable[[], Any], body: Any) -> tuple[int, Any, Any]:
        clear = {"limited": 429, "locked": 423, "refused": 422, "down": 503, "denied": 401}
        if fault.kind in clear:
            more = {"Retry-After": str(int(fault.delay_s))} if fault.kind == "limited" else {}
            return clear[fault.kind], _error("too_big" if fault.kind == "refused" else fault.kind, "no"), more
        if fault.kind == "late":
            if native:
                self._native[native] = None
            self._late.append(
                (self.clock() + timedelta(seconds=fault.delay_s), lambda: self._kept(native, body, *do()))
            )
            return 0, None, {}
        if fault.kind in ("after", "broken_after"):
            self._kept(native, body, *do())
            return (0 if fault.kind == "after" else 500), _error("broken", "after"), {}
        if fault.kind == "broken":
            return *self._kept(native, body, 500, _error("broken", "before")), {}
        return 0, None, {}

    def _again(self, native: str, text: str) -> tuple[int, Any, Any]:
        stored = self._native[native]
        if stored is None:
            return 409, _error("in_progress", "the first call under this key is under way"), {}
        if stored[0] != text:
            return 400, _error("idempotency", "the key was used with another body"), {}
        return stored[1], stored[2], {"Idempotent-Replayed": "true"}

    def _kept(self, native: str | None, body: Any, status: int, found: Any) -> tuple[int, Any]:
        if native:
            self._native[native] = (json.dumps(body, sort_keys=True), status, found)
        return status, found

    def forget_native_keys(self) -> None:
        """A day has passed."""
        self._native.clear()

    def _fault(self, line: str, body: Any) -> Fault | None:
        for fault in self.faults:
            if fault.on not in (line, "*") or (fault.key and (body or {}).get("key") != fault.key):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times > 0:
                fault.times -= 1
                self.met[fault.kind] += 1
                return fault
        return None

    def _land(self) -> None:
        now = self.clock()
        due = [entry for entry in self._late if entry[0] <= now]
        self._late = [entry for entry in self._late if entry[0] > now]
        for _, do in due:
            do()

    def _do(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        what, _, rest = path.partition("/")
        if what == "plans":
            plan = self.plans.get(rest)
            return (200, plan) if plan else (404, _error("missing", f"no plan {rest}"))
        if method == "GET":
            return self._found(rest, query)
        if method == "PUT":
            rows = self._rows("key = ? AND kind = ?", rest, body["kind"])
            if rows:
                self._books.execute(
                    "UPDATE thing SET size = ?, name = ?, living = 1 WHERE id = ?",
                    (body["size"], body["name"], rows[0]["id"]),
                )
                return 200, self._rows("id = ?", rows[0]["id"])[0]
            return 201, self._made(body)
        if not rest:
            return 201, self._made(body)
        return self._changed(*rest.split("/"))

    def _changed(self, number: str, verb: str) -> tuple[int, Any]:
        rows = self._rows("id = ?", number)
        if not rows:
            return 404, _error("missing", f"no thing {number}")
        if verb == "close":
            return 200, rows[0]
        self._books.execute("UPDATE thing SET living = 0 WHERE id = ?", (number,))
        if verb == "drop_all":
            self._books.execute("UPDATE thing SET living = 0 WHERE kind = 'line' AND name = ?", (number,))
        return 200, self._rows("id = ?", number)[0]

    def _found(self, number: str, query: dict[str, str]) -> tuple[int, Any]:
        if number:
            rows = self._rows("id = ?", number)
            return (200, rows[0]) if rows else (404, _error("missing", f"no thing {number}"))
        return 200, {"items": self._rows("living = 1 AND key = ? AND kind = ?", query.get("key"), query.get("kind"))}

    def _made(self, body: Any) -> dict[str, Any]:
        values = (body["key"], body["kind"], body["size"], body["name"])
        made = self._books.execute("INSERT INTO thing (key, kind, size, name, living) VALUES (?, ?, ?, ?, 1)", values)
        return self._rows("id = ?", made.lastrowid)[0]

    def _rows(self, where: str, *values: Any) -> list[dict[str, Any]]:
        found = self._books.execute(f"SELECT * FROM thing WHERE {where} ORDER BY id", values)
        return [{**dict(row), "id": str(row["id"]), "living": bool(row["living"])} for row in found]


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class ToyVendor:
    """The server, once for a test session; each test has a world of its own in it."""

    def __init__(self) -> None:
        self._worlds: dict[str, World] = {}
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._main()), name="toy-vendor", daemon=True).start()
        if not self._ready.wait(10):
            raise RuntimeError("the toy vendor did not start")

    def world(self, clock: Clock) -> World:
        """A new account."""
        name = f"w{len(self._worlds) + 1}"
        self._worlds[name] = World(name, f"http://127.0.0.1:{self._port}/{name}", clock)
        return self._worlds[name]

    async def _main(self) -> None:
        server = web.Server(self._handle)
        runner = web.ServerRunner(server)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._ready.set()
        await asyncio.Event().wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        _, name, path = request.path.split("/", 2)
        world = self._worlds[name]
        raw = await request.read()
        if path == "token":
            return self._token(world)
        if world.places is not None and world.busy >= world.places:
            return web.json_response(_error("concurrency", "too many at once"), status=429)
        world.busy += 1
        world.busy_most = max(world.busy_most, world.busy)
        try:
            body = json.loads(raw) if raw else None
            status, found, more = world.answer(request.method, path, dict(request.query), request.headers, body)
            if world.slow_s:
                await asyncio.sleep(world.slow_s)
        finally:
            world.busy -= 1
        if status == 0:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.json_response(found, status=status, headers=more)

    @staticmethod
    def _token(world: World) -> web.Response:
        world.calls["POST token"] += 1
        world.token = f"token-{world.calls['POST token']}"
        return web.json_response({"access_token": world.token, "token_type": "Bearer", "expires_in": 3600})


@cache
def toy_vendor() -> ToyVendor:
    """The one server of this test session."""
    return ToyVendor()
