"""A poll whose source sends us elsewhere: it stops, and waits for a person among the exceptions like any other work.

Nobody knows who answers there, so nobody asks again before somebody has found out. The poll gets a run of its own that
is parked; while it is, nobody polls. A retry plays it, which only says: go on.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from isthmus.connectivity.outbound.outcome import ParkedWork
from isthmus.landscape.release import Release
from isthmus.orchestration.parked import exception_row
from isthmus.orchestration.process import process
from isthmus.orchestration.run import Run
from isthmus.store import exceptions, journal, runs
from isthmus.store.clock import instant
from isthmus.store.store import Store
from isthmus.store.transaction import Transaction

NAME = "poll"


class Channel(BaseModel):
    """What is polled: a connection's channel, by its ``number`` for people."""

    model_config = ConfigDict(frozen=True)

    number: str


@process(NAME, version=1, starts_on=())
async def stopped_poll(run: Run, channel: Channel) -> Channel:
    """Somebody has mended it: whoever polls next goes on."""
    return channel


def is_stopped(tx: Transaction, connection: str, channel: str) -> bool:
    """Whether the poll waits for a person."""
    row = runs.latest(tx, _subject(connection, channel), NAME)
    return row is not None and row["state"] == "parked"


async def stop(store: Store, release: Release, connection: str, channel: str, work: ParkedWork) -> None:
    """Stop a poll until somebody retries the exception that is opened for it."""
    now = store.clock()
    at, subject = instant(now), _subject(connection, channel)
    new = runs.NewRun(NAME, 1, subject, connection, None, "{}", release.id, None)
    unit = next((code for code, each in release.units.items() if connection in each.roles.values()), "")
    about = Channel(number=subject)
    columns = {"input": about.model_dump_json(), "business_key": subject, "title": f"Poll of {subject}", "unit": unit}

    def write(tx: Transaction) -> None:
        runs.insert_run(tx, new, at, due=False, **columns)
        run = runs.get_run(tx, new.id)
        assert run is not None
        entry = exception_row(run, work, now)
        runs.park(tx, new.id, entry["problem"], at)
        exceptions.open_exception(tx, entry["row"])
        data = {"title": work.title, "mend": work.mend, "class": work.error_class}
        journal.append(tx, at=at, type_="isthmus.run.parked.v1", data=data, run=run)

    await store.write(write)


def _subject(connection: str, channel: str) -> str:
    return f"{NAME}/{connection}/{channel}"
