"""The sandbox's own desk at ``/_sandbox``: look, change and act as people there would, set faults, move the clock.

Nothing here is a vendor's protocol; ``isthmus sandbox show|set|play`` and tests speak to it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

from isthmus.sandkit.faults import FaultRule
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.standin import Sandbox


class Desk:
    """Answers the paths below ``/_sandbox``: ``faults``, ``clock``, ``VENDOR/{show|set|play|books|verbs|redeliver}/…``."""

    def __init__(self, sandboxes: Mapping[str, Sandbox]) -> None:
        self._sandboxes = sandboxes

    async def answer(self, request: Request) -> Answer:
        """One JSON answer; 400 with a sentence where something is unknown or wrong."""
        parts = [unquote(part) for part in request.raw_path.split("/") if part][1:]
        try:
            return Answer(200, await self._answer(request, parts))
        except (ValueError, KeyError, StopIteration) as error:
            return Answer(400, {"title": str(error) or type(error).__name__})

    async def _answer(self, request: Request, parts: list[str]) -> Any:
        first = next(iter(self._sandboxes.values()))
        if parts == ["faults"]:
            if request.method == "POST":
                asked = json.loads(request.body)  # rates and delays are numbers here, not money
                first.faults.set([_rule(rule) for rule in asked["rules"]], asked.get("seed"))
            return first.faults.as_json()
        if parts == ["clock"]:
            if request.method == "POST":
                first.clock.advance(timedelta(seconds=float(request.json()["advance_s"])))
            return {"now": first.clock.now().isoformat()}
        if not parts:
            return {"vendors": {name: self._about(sandbox) for name, sandbox in self._sandboxes.items()}}
        if parts[0] not in self._sandboxes:
            raise ValueError(f"no sandbox is called {parts[0]!r}; there are {', '.join(self._sandboxes)}")
        return await self._vendor(self._sandboxes[parts[0]], parts[1:], request)

    def _about(self, sandbox: Sandbox) -> dict[str, Any]:
        return {
            "title": sandbox.title,
            "summary": sandbox.summary(),
            "late_max_s": sandbox.faults.late_max_s(sandbox.name),
            "pushes_waiting": sum(push.waiting() for push in sandbox.pushes),
        }

    async def _vendor(self, sandbox: Sandbox, parts: list[str], request: Request) -> Any:
        match parts:
            case []:
                return self._about(sandbox)
            case ["verbs"]:
                return {n: {"summary": v.summary, "arguments": v.arguments} for n, v in sandbox.verbs().items()}
            case ["show", kind, *rest]:
                return sandbox.show(kind, rest[0] if rest else None)
            case ["set", kind, key]:
                with sandbox.world.transaction():
                    return sandbox.change(kind, key, _texts(request.json()))
            case ["play", name]:
                verb = sandbox.verbs().get(name)
                if verb is None:
                    raise ValueError(f"{sandbox.name} has no verb {name!r}; there are {', '.join(sandbox.verbs())}")
                with sandbox.world.transaction():
                    return verb.act(_texts(request.json() or {}))
            case ["redeliver"]:
                return {"redelivered": sum(push.redeliver() for push in sandbox.pushes)}
            case ["books"]:
                return await _books(sandbox, request)
        raise ValueError(f"nothing here: {'/'.join(parts)}; there are show, set, play, verbs, redeliver and books")


async def _books(sandbox: Sandbox, request: Request) -> Any:
    """Read the books through the vendor's own HTTP API, in a thread, as any outsider would."""
    package = type(sandbox).__module__.rsplit(".sandbox", 1)[0] + ".sandbox.books"
    books = importlib.import_module(package)
    root = request.root if request.root.endswith(sandbox.name) else f"{request.root}/{sandbox.name}"
    return await asyncio.get_running_loop().run_in_executor(None, books.read, root, sandbox.credentials())


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Arguments as text, whatever JSON they came as."""
    given = {name: value for name, value in values.items() if value is not None}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _rule(values: Mapping[str, Any]) -> FaultRule:
    try:
        return FaultRule(**values)
    except TypeError as error:
        raise ValueError(f"fault rule {dict(values)!r}: {error}") from error
