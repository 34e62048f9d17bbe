"""A release over a migrated store, and somebody who asks: the runtime's front door for tests of connectors.

``async with asking(tmp_path, running, {"billing": "stripe"}) as ask:`` builds a landscape of those connections for both
business units of the sample company, whose sandbox is ``running``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from isthmus.catalogue.registry import connectors
from isthmus.connectivity.outbound.binding import Asking
from isthmus.connectivity.system_api.operation import Operation
from isthmus.landscape.release import compile_release
from isthmus.orchestration.engine import Engine
from isthmus.store import runs
from isthmus.store.clock import MovableClock, instant
from isthmus.store.migrate import migrate
from isthmus.store.runs import Fence
from isthmus.store.store import Store
from isthmus.store.transaction import Row
from tests.support.landscapes import SAMPLE
from tests.support.running_sandbox import RunningSandbox

#: how late an effect can land at the stand-ins, and how long they may work on a call, in the landscape's words
SETTLE, DEADLINE = "400ms", "2s"


class Asker:
    """Asks through the runtime as runs do. Each ``run`` is a run row of its own, taken and never played."""

    def __init__(self, engine: Engine, clock: MovableClock) -> None:
        self.engine, self.store, self.release, self.clock = engine, engine.store, engine.release, clock
        self._runs: dict[str, Row] = {}

    async def read(
        self, operation: Operation[Any, Any], argument: BaseModel, *, unit: str = "emea", at: str | None = None
    ) -> Any:
        """The canonical object that a read gives, or None. Raises Park or Later."""
        asking = Asking(self.release, unit)
        return await self.engine.reader.read(asking, operation, argument, at=at)

    async def change(
        self, operation: Operation[Any, Any], argument: BaseModel, *, key: str, unit: str = "emea", round: int = 1
    ) -> Any:
        """What a write answers, under the business key ``key``. Raises Park or Later."""
        asking = await self.asking(key, unit)
        asking.round = round
        own_key = getattr(argument, "id", None) or key
        return await self.engine.sender.change(
            asking, operation, argument, key=own_key if operation.per == "object" else key
        )

    async def asking(self, key: str, unit: str) -> Asking:
        """A run under this business key, held by us."""
        if key not in self._runs:
            self._runs[key] = await self._taken(key, unit)
        row = self._runs[key]
        return Asking(self.release, unit, row, Fence(row["id"], row["fence"]), 1, "test")

    async def _taken(self, key: str, unit: str) -> Row:
        now = instant(self.store.clock())
        new = runs.NewRun("quote-to-cash", 1, f"test/{key}", "test", None, "{}", self.release.id, None)

        def work(tx: Any) -> Row:
            runs.insert_run(tx, new, now)
            tx.run(
                "UPDATE run SET business_key = :key, unit = :unit WHERE id = :id",
                {"key": key, "unit": unit, "id": new.id},
            )
            taken = runs.take(tx, new.id, "tester", now)
            assert taken is not None
            return taken

        return await self.store.write(work)

    async def effect(self, key: str) -> Row:
        """The row of an effect, by its whole key: ``billing.create_invoice/OPP-1``."""
        await self.store.write(lambda tx: None)
        found = await self.store.read(lambda tx: tx.row("SELECT * FROM effect WHERE key = :key", {"key": key}))
        assert found is not None, f"there is no effect {key}"
        return found

    async def attempts(self, key: str) -> list[Row]:
        """The calls made for a business key, in order."""
        await self.store.write(lambda tx: None)
        run = self._runs[key]["id"]
        return await self.store.read(
            lambda tx: tx.rows("SELECT * FROM attempt WHERE run_id = :run ORDER BY at", {"run": run})
        )


@asynccontextmanager
async def asking(
    folder: Path,
    running: RunningSandbox,
    roles: Mapping[str, str],
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    fields: Mapping[str, Any] | None = None,
) -> AsyncIterator[Asker]:
    """An asker over a landscape in which ``roles`` are filled by these vendors; ``settings`` adds to a vendor's own,
    ``fields`` are the company's."""
    release = compile_release(write_landscape(folder, running, roles, settings or {}, fields or {}), "dev")
    shutil.copy(_migrated(), folder / "isthmus.db")
    clock = MovableClock()
    store = Store(f"sqlite:///{folder / 'isthmus.db'}", clock)
    engine = Engine(store, release, {name: release.secret_settings(name) for name in release.connections})
    try:
        yield Asker(engine, clock)
    finally:
        await engine.close()
        store.close()


def write_landscape(
    folder: Path,
    running: RunningSandbox,
    roles: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
    fields: Mapping[str, Any],
) -> Path:
    """The sample landscape, left with the connections that fill ``roles``, pointing at the running sandbox."""
    landscape = folder / "landscape"
    landscape.mkdir()
    sample = yaml.safe_load((SAMPLE / "isthmus.yaml").read_text("utf-8"))
    connections: dict[str, Any] = {}
    for unit, about in sample["business_units"].items():
        filled = {}
        for role, vendor in roles.items():
            name = about["roles"].get(role, vendor) if sample_vendor(sample, about, role) == vendor else vendor
            filled[role] = name
            connections[name] = {
                "connector": vendor,
                "settings": _kept(
                    landscape, name, vendor, settings_of(running, vendor, unit) | dict(settings.get(vendor, {}))
                ),
                "settle": SETTLE,
                "deadline": DEADLINE,
            }
        about["roles"] = filled
    told = {
        "landscape": "tests",
        "environments": {"dev": {"database": "sqlite"}},
        "connections": connections,
        "business_units": sample["business_units"],
        "fields": {path: dict(entry) for path, entry in fields.items()},
    }
    (landscape / "isthmus.yaml").write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), "utf-8")
    return landscape


def sample_vendor(sample: Mapping[str, Any], unit: Mapping[str, Any], role: str) -> str | None:
    """The connector that fills a role of a unit in the sample landscape."""
    name = unit["roles"].get(role)
    return sample["connections"][name]["connector"] if name in sample["connections"] else None


def settings_of(running: RunningSandbox, vendor: str, unit: str) -> dict[str, Any]:
    """What a connection to the sandbox needs; a credential ``api_key_apac`` is that unit's ``api_key``, and whatever
    else is secret is made up."""
    known = {"base_url": running.base_url(vendor), **running.credentials(vendor)}
    known |= {name.removesuffix(f"_{unit}"): value for name, value in known.items() if name.endswith(f"_{unit}")}
    properties = connectors()[vendor].descriptor.settings["properties"]
    made_up = {name: f"made-up-{name}" for name, about in properties.items() if about.get("writeOnly")}
    return made_up | {name: value for name, value in known.items() if name in properties}


def _kept(landscape: Path, name: str, vendor: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with every secret in a file of its own."""
    secrets = landscape / "secrets"
    secrets.mkdir(exist_ok=True)
    for setting, about in connectors()[vendor].descriptor.settings["properties"].items():
        if about.get("writeOnly") and setting in settings:
            (secrets / f"{name}-{setting}").write_text(str(settings[setting]), "utf-8")
            settings[setting] = f"file:secrets/{name}-{setting}"
    return settings


@cache
def _migrated() -> Path:
    """An empty database of the present schema, made once."""
    file = Path(tempfile.mkdtemp(prefix="isthmus-tests-")) / "empty.db"
    migrate(f"sqlite:///{file}")
    return file
