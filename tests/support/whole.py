"""The whole enterprise for a test: four sandboxes in a thread, Isthmus over the sample landscape in the test's loop."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn

from isthmus.cli.bootstrap import System, open_system
from isthmus.console.app import ROOT, create_console
from isthmus.gateway.app import create_app
from isthmus.orchestration.dispatch import Worker
from isthmus.store import effects, exceptions, journal, runs
from isthmus.store.transaction import Row
from tests.support.running_sandbox import RunningSandbox

SAMPLE = Path(__file__).parents[2] / "src/isthmus/blueprints/quote_to_cash/landscape"
SECRETS = {
    "ISTHMUS_SF_WEBHOOK_SECRET": "sf-path-secret-1f3a",
    "ISTHMUS_STRIPE_EMEA_WEBHOOK_SECRET": "whsec_not_yet",
    "ISTHMUS_STRIPE_APAC_WEBHOOK_SECRET": "whsec_not_yet",
    "ISTHMUS_ZENDESK_WEBHOOK_SECRET": "zd-secret-77",
}

#: what the sample landscape must know of the form by which invoices are disputed
DISPUTE_IDS = (
    *("dispute_form", "invoice_field", "order_field", "dispute_field"),
    *("amount_field", "line_field", "quantity_field"),
)


def environment(sandbox: RunningSandbox) -> dict[str, str]:
    """The variables that the sample landscape asks for, as the sandboxes answer them."""
    sf, sap = sandbox.credentials("salesforce"), sandbox.credentials("sap_s4hana")
    stripe, zendesk = sandbox.credentials("stripe"), sandbox.credentials("zendesk")
    return SECRETS | {
        "ISTHMUS_SF_URL": sandbox.base_url("salesforce"),
        "ISTHMUS_SF_CLIENT_ID": sf["client_id"],
        "ISTHMUS_SF_CLIENT_SECRET": sf["client_secret"],
        "ISTHMUS_SF_ORGANIZATION_ID": sf["organization_id"],
        "ISTHMUS_SAP_URL": sandbox.base_url("sap_s4hana"),
        "ISTHMUS_SAP_USER": sap["user"],
        "ISTHMUS_SAP_PASSWORD": sap["password"],
        "ISTHMUS_STRIPE_URL": sandbox.base_url("stripe"),
        "ISTHMUS_STRIPE_EMEA_KEY": stripe["api_key"],
        "ISTHMUS_STRIPE_APAC_KEY": stripe["api_key_apac"],
        "ISTHMUS_ZENDESK_URL": sandbox.base_url("zendesk"),
        "ISTHMUS_ZENDESK_EMAIL": zendesk["email"],
        "ISTHMUS_ZENDESK_TOKEN": zendesk["api_token"],
        **{f"ISTHMUS_ZENDESK_{name.upper()}": zendesk[name] for name in DISPUTE_IDS},
    }


class Whole:
    """``async with Whole(sandbox, tmp_path, monkeypatch, change=…) as whole``; ``change`` edits the landscape's text."""

    def __init__(
        self,
        sandbox: RunningSandbox,
        folder: Path,
        patch: pytest.MonkeyPatch,
        *,
        change: Callable[[str], str] | None = None,
        database: str | None = None,
        anonymous: str | None = "visitor",
    ) -> None:
        self.sandbox, self.landscape, self._database = sandbox, folder / "landscape", database
        self._anonymous = anonymous
        for name, value in environment(sandbox).items():
            patch.setenv(name, value)
        if not self.landscape.exists():
            shutil.copytree(SAMPLE, self.landscape)
        if change is not None:
            file = self.landscape / "isthmus.yaml"
            file.write_text(change(file.read_text()))

    async def __aenter__(self) -> Whole:
        self.system: System = await open_system(self.landscape, "dev", self._database)
        self.store, self.engine = self.system.store, self.system.engine
        self.worker = Worker(self.engine)
        app = create_app(self.engine, self.system.settings, self.worker.wake, anonymous=self._anonymous)
        app.mount(ROOT, create_console(self.engine, self.worker.wake, anonymous=self._anonymous))
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
        self._tasks = [asyncio.create_task(self.worker.run()), asyncio.create_task(self._server.serve())]
        while not self._server.started:
            await asyncio.sleep(0.01)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")
        await self._listen()
        return self

    async def _listen(self) -> None:
        """Have the CRM tell us of won opportunities, as its administrator would."""
        address = f"http://127.0.0.1:{self.port}/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
        message = {
            "url": address,
            "object": "Opportunity",
            "fields": "Id,StageName,SystemModstamp",
            "when": "IsWon = true",
        }
        await self.desk("salesforce/set/outbound_message/isthmus", message)

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        self._server.should_exit = True
        self.worker.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.system.close()

    # The sandboxes --------------------------------------------------------------------------------

    async def desk(self, path: str, body: Any = None) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, self.sandbox.desk, path, body)

    async def faults(self, *rules: dict[str, Any], seed: int = 7) -> None:
        await self.desk("faults", {"seed": seed, "rules": list(rules)})

    async def win(self, *numbers: str) -> None:
        await self.desk("salesforce/play/win_many", {"opportunities": ",".join(numbers)})

    async def books(self, vendor: str, kind: str, key: str | None = None) -> list[dict[str, Any]]:
        rows = await self.desk(f"{vendor}/books")
        return [r for r in rows if r["kind"] == kind and (key is None or r.get("key") == key)]

    # Isthmus --------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        async with self.http.request(method, path, json=body, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw) if raw[:1] in (b"{", b"[") else raw.decode()

    async def run_of(self, key: str, process: str = "quote-to-cash") -> Row | None:
        found = await self.store.read(
            lambda tx: runs.list_runs(tx, state=None, process=process, text=key, limit=5, before=None)
        )
        return max(found, key=lambda row: row["generation"]) if found else None

    async def until(
        self, key: str, *states: str, timeout_s: float = 20, process: str = "quote-to-cash", generation: int = 1
    ) -> Row:
        """Wait until a run is let go in one of the states."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        run = None
        while loop.time() < end:
            run = await self.run_of(key, process)
            if run is not None and run["owner"] is None and run["state"] in states and run["generation"] >= generation:
                return run
            await asyncio.sleep(0.03)
        raise AssertionError(f"{key} is {run and (run['state'], run['problem'])}, not {' or '.join(states)}")

    async def exception_of(self, key: str) -> Row:
        rows = await self.store.read(lambda tx: exceptions.list_exceptions(tx))
        return next(row for row in rows if row["business_key"] == key)

    async def effects(self, run_id: str) -> list[Row]:
        return await self.store.read(lambda tx: effects.effects_of(tx, run_id))

    async def events(self, run_id: str) -> list[str]:
        return [row["type"] for row in await self.store.read(lambda tx: journal.events_of(tx, run_id))]

    async def calls(self, run_id: str) -> list[Row]:
        return await self.store.read(lambda tx: effects.attempts_of(tx, run_id))


def setting(name: str, value: str) -> Callable[[str], str]:
    """A change of the landscape: one setting of the quote-to-cash process."""

    def change(text: str) -> str:
        changed = re.sub(rf"(      {name}: )[^#\n]*", rf"\g<1>{value}  ", text)
        if changed == text:
            changed = text.replace(
                "    settings:\n      price_tolerance",
                f"    settings:\n      {name}: {value}\n      price_tolerance",
                1,
            )
        assert changed != text, f"the sample landscape has no {name}"
        return changed

    return change
