"""A sandbox server in a thread of its own, for tests that speak to it over real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from typing import Any

from isthmus.sandbox.server import SandboxServer
from isthmus.sandbox.worlds import open_sandboxes
from isthmus.sandkit.clock import Clock
from isthmus.sandkit.company import Company, build
from isthmus.sandkit.faults import Faults
from isthmus.sandkit.standin import Sandbox


class RunningSandbox:
    """``with RunningSandbox(only=["stripe"]) as running: running.base_url("stripe")``."""

    def __init__(self, only: list[str] | None = None, *, seed: int = 1, tls: Any = None) -> None:
        self.company: Company = build(seed)
        self.clock, self.faults = Clock(), Faults(seed)
        self._only, self._tls = only, tls
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> RunningSandbox:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        if not self._ready.wait(30):
            raise RuntimeError("the sandbox server did not start within 30 s")
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self) -> None:
        try:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            self.sandboxes: dict[str, Sandbox] = open_sandboxes(self.company, self.clock, self.faults, only=self._only)
            self.server = SandboxServer(self.sandboxes)
            await self.server.start(0, tls=self._tls)
        except BaseException as failure:
            self._failure = failure
            raise
        finally:
            self._ready.set()
        await self._stop.wait()
        await self.server.close()

    def base_url(self, vendor: str, scheme: str = "http") -> str:
        return self.server.base_url(vendor, scheme)

    def credentials(self, vendor: str) -> dict[str, str]:
        return self.sandboxes[vendor].credentials()

    def desk(self, path: str, body: Any = None) -> Any:
        """Ask the sandbox's desk: ``desk("faults", {"rules": [...]})``, ``desk("stripe/show/invoice")``."""
        url = f"http://127.0.0.1:{self.server.ports['http']}/_sandbox/{path}"
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=data)) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read())["title"]) from None
