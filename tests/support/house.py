"""Isthmus over the sample landscape, quick to build: the release is compiled once, the database copied, the clock movable.

``async with House(sandbox, folder, workers=2) as house``: as many engines and workers as are asked for on one store, and
the gateway as ``serve`` configures it. Without a sandbox its vendors are out of reach, and what comes in is only kept.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn

from isthmus.gateway.app import create_app
from isthmus.gateway.health import Presence
from isthmus.gateway.listening import configured
from isthmus.governance.access import SCOPES, key_hash
from isthmus.landscape.release import Release, compile_release
from isthmus.orchestration.dispatch import Worker
from isthmus.orchestration.engine import Engine
from isthmus.store import keys
from isthmus.store.clock import MovableClock, instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction
from tests.support.asking import _migrated
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import DISPUTE_IDS, SAMPLE, SECRETS, Whole, environment

#: whoever holds all scopes
KEY = "isthmus_test_everything"
ORGANIZATION = "00D000000000001EAA"
_NOWHERE = SECRETS | {"ISTHMUS_SF_ORGANIZATION_ID": ORGANIZATION} | {
    name: f"made-up-{name.lower()}"
    for name in (
        "ISTHMUS_SF_CLIENT_ID", "ISTHMUS_SF_CLIENT_SECRET", "ISTHMUS_SAP_USER", "ISTHMUS_SAP_PASSWORD",
        "ISTHMUS_STRIPE_EMEA_KEY", "ISTHMUS_STRIPE_APAC_KEY", "ISTHMUS_ZENDESK_EMAIL", "ISTHMUS_ZENDESK_TOKEN",
    )
} | {f"ISTHMUS_ZENDESK_{name.upper()}": "1" for name in DISPUTE_IDS} | {f"ISTHMUS_{vendor}_URL": "http://127.0.0.1:9" for vendor in ("SF", "SAP", "STRIPE", "ZENDESK")}  # fmt: skip


@cache
def sample_release(change: Callable[[str], str] | None = None) -> Release:
    """The sample landscape, compiled; ``change`` edits its text."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-house-")) / "landscape"
    shutil.copytree(SAMPLE, folder)
    file = folder / "isthmus.yaml"
    if change is not None:
        file.write_text(change(file.read_text()))
    return compile_release(folder, "dev")


class House(Whole):
    """The whole enterprise, built quickly. ``key`` calls as the holder of all scopes."""

    def __init__(
        self,
        sandbox: RunningSandbox | None,
        folder: Path,
        *,
        change: Callable[[str], str] | None = None,
        anonymous: str | None = None,
        workers: int = 1,
        engines: int = 1,
        polls: bool = True,
        clock: MovableClock | None = None,
    ) -> None:
        self.release, self.clock = sample_release(change), clock or MovableClock()
        self._anonymous, self._count, self._engines = anonymous, workers, max(engines, workers)
        self._polls = polls
        if sandbox is not None:
            self.sandbox = sandbox
        self.told = environment(sandbox) if sandbox else _NOWHERE
        folder.mkdir(parents=True, exist_ok=True)
        self.database = folder / "house.db"
        shutil.copy(_migrated(), self.database)

    async def __aenter__(self) -> House:
        self._patch = pytest.MonkeyPatch()
        for name, value in self.told.items():
            self._patch.setenv(name, value)
        self.settings = {name: self.release.secret_settings(name) for name in self.release.connections}
        self.store = Store(f"sqlite:///{self.database}", self.clock, getattr(self.clock, "sleep", asyncio.sleep))
        self.engines = [Engine(self.store, self.release, self.settings) for _ in range(self._engines)]
        self.engine = self.engines[0]
        self.workers = [Worker(engine, polls=self._polls) for engine in self.engines[: self._count]]
        await self.store.write(self._put_key)
        self.presence = Presence()
        self.app = create_app(self.engine, self.settings, self._wake, anonymous=self._anonymous, presence=self.presence)
        self._server = uvicorn.Server(configured(self.app, port=0))
        self._tasks = [asyncio.create_task(worker.run()) for worker in self.workers]
        self._tasks.append(asyncio.create_task(self._server.serve()))
        while not self._server.started:
            await asyncio.sleep(0.005)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = aiohttp.ClientSession(self.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        self._server.should_exit = True
        for worker in self.workers:
            worker.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for engine in self.engines:
            await engine.close()
        self.store.close()
        self._patch.undo()

    async def key(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Call the API as somebody who may do everything."""
        return await self.call(method, path, body, **{"Authorization": f"Bearer {KEY}", **headers})

    async def rows(self, sql: str, **values: Any) -> list[Row]:
        """Ask the database, behind what is queued to be written."""
        await self.store.write(lambda tx: None)
        return await self.store.read(lambda tx: tx.rows(sql, values))

    def _wake(self) -> None:
        for worker in self.workers:
            worker.wake()

    def _put_key(self, tx: Transaction) -> None:
        now = instant(self.clock())
        keys.put_key(tx, hash_=key_hash(KEY), holder="tester", scopes=" ".join(SCOPES), now=now)


class StandingHouse:
    """A house in a thread of its own, for callers that block: ``with StandingHouse(sandbox, folder) as standing``."""

    def __init__(self, sandbox: RunningSandbox | None, folder: Path, **options: Any) -> None:
        self._make = lambda: House(sandbox, folder, **options)
        self._ready = threading.Event()
        self.url = ""

    def __enter__(self) -> StandingHouse:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._stand()), daemon=True)
        self._thread.start()
        if not self._ready.wait(30):
            raise RuntimeError("the house did not stand within 30 s")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _stand(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._make() as self.house:
            self.url = self.house.url
            self._ready.set()
            await self._stop.wait()
