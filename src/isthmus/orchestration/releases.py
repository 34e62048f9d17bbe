"""The releases that runs were started with. A run keeps its own, except after a replay on the present one.

What a release was made of is kept in the store and compiled again when a run asks for it: the landscape's files, its own
code, and of every connector in use the files that run. Blueprints are installed code: a worker plays the versions it has.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from isthmus.catalogue.registry import registry
from isthmus.connectivity.outbound.outcome import Park, ParkedWork
from isthmus.landscape.finding import LandscapeProblems
from isthmus.landscape.release import Release, compile_release
from isthmus.orchestration.process import Process, load_process
from isthmus.orchestration.stopped_poll import stopped_poll
from isthmus.orchestration.system_call import system_call
from isthmus.store import releases
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Row

#: of a connector's folder what runs
_RUNS = ("connector.yaml", "operations/*.yaml", "quirks.py", "mappings/*", "schema/*.json")
#: of the landscape's folder what is read; never a secret
_READ = ("isthmus.yaml", "mappings/*/*", "rules/*.yaml")
#: processes that every release has
_OURS = {each.name: each for each in (system_call, stopped_poll)}
_MEND = "replay it on the present release"


class Releases:
    """The present release, and earlier ones by their id."""

    def __init__(self, store: Store, present: Release) -> None:
        self._store, self.present = store, present
        self._known: dict[str, Release] = {present.id: present}
        self._processes: dict[tuple[str, str], Process] = {}
        self._folders: list[tempfile.TemporaryDirectory[str]] = []
        self._compiling = asyncio.Lock()

    async def keep(self) -> None:
        """Keep the present release, so that its runs can be played with it when it is no longer the present one."""
        present, now = self.present, instant(self._store.clock())
        if await self._store.read(lambda tx: releases.is_kept(tx, present.id)):
            return
        files = dict(_files(present))
        versions = {name: plan.version for name, plan in present.processes.items()}
        await self._store.write(
            lambda tx: releases.keep(
                tx, id_=present.id, environment=present.environment.name, files=files, processes=versions, now=now
            )
        )

    async def of(self, id_: str) -> Release:
        """A release by its id. Raises Park where it is not kept, or cannot be compiled any more."""
        known = self._known.get(id_)
        if known is not None:
            return known
        async with self._compiling:
            if id_ not in self._known:
                row = await self._store.read(lambda tx: releases.get_release(tx, id_))
                if row is None:
                    raise Park(_missing(f"The release {id_}, with which this began, is not kept here", None))
                try:
                    self._known[id_] = await asyncio.to_thread(self._compiled, row)
                except LandscapeProblems as problems:
                    title = f"The release {id_}, with which this began, cannot be compiled any more"
                    raise Park(_missing(title, str(problems)[:2000])) from problems
        return self._known[id_]

    def process(self, release: Release, name: str, version: int) -> Process:
        """A process as the release has it. Raises Park where this worker has not got that version."""
        found = self._processes.get((release.id, name)) or self._loaded(release, name)
        if found is None or found.version != version:
            there = f"it has version {found.version}" if found else "it has none"
            raise Park(_missing(f"This worker plays no {name} version {version}; {there}", None))
        return found

    def processes(self) -> list[Process]:
        """The processes of the present release."""
        found = (self.process(self.present, name, plan.version) for name, plan in self.present.processes.items())
        return [*found, *_OURS.values()]

    def _loaded(self, release: Release, name: str) -> Process | None:
        plan = release.processes.get(name)
        found = _OURS.get(name) or (load_process(plan.code, plan.folder) if plan else None)
        if found is not None:
            self._processes[release.id, name] = found
        return found

    def _compiled(self, row: Row) -> Release:
        folder = tempfile.TemporaryDirectory(prefix="isthmus-release-")
        self._folders.append(folder)
        for name, text in row["files"].items():
            path = Path(folder.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        connectors = sorted(Path(folder.name, "connectors").iterdir())
        made = compile_release(Path(folder.name, "landscape"), row["environment"], registry=registry(connectors))
        # secrets stand beside the present landscape, and are read from there
        return dataclasses.replace(made, id=row["id"], folder=self.present.folder)


def _files(release: Release) -> Iterator[tuple[str, str]]:
    """Every file that a release was made of: its name in the copy, and its text."""
    for pattern in _READ:
        for path in release.folder.glob(pattern):
            yield f"landscape/{path.relative_to(release.folder).as_posix()}", path.read_text("utf-8")
    for plan in release.processes.values():
        place = plan.code.rpartition(":")[0]
        if place.endswith(".py"):
            for path in (plan.folder / place).parent.rglob("*"):
                if path.suffix in (".py", ".yaml"):
                    yield f"landscape/{path.relative_to(plan.folder).as_posix()}", path.read_text("utf-8")
    for connection in release.connections.values():
        folder = connection.folder
        for pattern in _RUNS:
            for path in folder.path.glob(pattern):
                yield f"connectors/{folder.name}/{path.relative_to(folder.path).as_posix()}", path.read_text("utf-8")


def _missing(title: str, said: str | None) -> ParkedWork:
    return ParkedWork(
        title=title,
        error_class="missing",
        mend=f"start a worker that has it, or {_MEND}",
        said=said,
        retry_s=60,
    )
