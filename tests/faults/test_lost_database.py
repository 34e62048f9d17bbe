"""A database that is full, locked, moved away or stopped: 503 with Retry-After, nothing acknowledged is lost, and work goes
on by itself once it is back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support import signing
from tests.support.house import KEY, ORGANIZATION, House
from tests.support.own_postgres import OwnPostgres
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import SECRETS, Whole

from isthmus.store import store as stores
from isthmus.store import transaction
from isthmus.store.store import Store
from isthmus.store.transaction import Row
from isthmus.store.workers import EXPIRY_MS

SALESFORCE = f"/webhooks/salesforce/{SECRETS['ISTHMUS_SF_WEBHOOK_SECRET']}"
DEALS = tuple(f"OPP-{number}" for number in range(1001, 1026))


async def tell(whole: Whole, id_: str, organization: str = ORGANIZATION) -> tuple[int, Any]:
    """One webhook; (status, Retry-After)."""
    body = signing.outbound_message(organization, f"006{id_}", id_=f"04l{id_}")
    async with whole.http.post(SALESFORCE, data=body, headers={"Content-Type": "text/xml"}) as answer:
        if answer.status == 503:
            assert answer.content_type == "application/problem+json"
            assert (await answer.json())["title"] == "The database cannot be reached; nothing was acknowledged"
        return answer.status, answer.headers.get("Retry-After")


async def asked(whole: Whole, id_: str) -> int:
    """A call that starts a process; its status."""
    about = {"quote": {"connection": "salesforce", "id": f"006{id_}"}}
    path = "/api/process/quote-to-cash"
    async with whole.http.post(path, json=about, headers={"X-API-Key": KEY}) as answer:
        if answer.status == 503:
            assert answer.headers["Retry-After"] == "2"
            assert answer.content_type == "application/problem+json"
        return answer.status


async def stored(whole: Whole) -> set[str]:
    rows: list[Row] = await whole.store.read(lambda tx: tx.rows("SELECT subject FROM message"))
    return {row["subject"].removeprefix("salesforce/Opportunity/006") for row in rows}


async def until(condition: Callable[[], Any], within_s: float = 30) -> None:
    end = asyncio.get_running_loop().time() + within_s
    while not await condition():
        assert asyncio.get_running_loop().time() < end, "it did not come to pass"
        await asyncio.sleep(0.05)


# SQLite -----------------------------------------------------------------------------------------------


class Disk:
    """A limit on the size of every SQLite database that is opened."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pages_max = 2**30
        original = stores.open_sqlite

        def open_sqlite(path: Path) -> sqlite3.Connection:
            connection = original(path)
            connection.execute(f"PRAGMA max_page_count = {self.pages_max}")
            return connection

        patch.setattr(stores, "open_sqlite", open_sqlite)

    def fill(self, whole: Whole) -> None:
        """No page more than there are."""
        found = whole.store._connect().value("PRAGMA page_count")
        self.pages_max = int(found)
        for connection in (whole.store._commit._transaction, whole.store._local):
            if connection is not None:
                connection.run(f"PRAGMA max_page_count = {self.pages_max}")

    def empty(self) -> None:
        """Room again."""
        self.pages_max = 2**30


async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    async with House(None, tmp_path, workers=0) as house:
        assert await tell(house, "before") == (200, None)
        disk.fill(house)
        answers = [(f"full{number}", await tell(house, f"full{number}")) for number in range(60)]
        refused = [id_ for id_, (status, _) in answers if status == 503]
        kept = {"before"} | {id_ for id_, (status, _) in answers if status == 200}
        assert len(refused) > 20, "what room was left in the last pages is soon used up"
        assert {again for _, (status, again) in answers if status == 503} == {"2"}
        starts = [await asked(house, f"asked{number}") for number in range(40)]
        assert set(starts) <= {202, 503} and starts[-1] == 503
        assert (await house.key("GET", "/api/runs"))[0] == 200, "what is there can be read"
        assert (await house.call("GET", "/health/ready"))[0] == 200
        assert await stored(house) == kept
        disk.empty()
        assert await tell(house, refused[0]) == (200, None), "it is sent again, and there is room again"
        assert await asked(house, "asked39") == 202
        runs = await _rows(house, "SELECT id FROM run")
        assert len(runs) == starts.count(202) + 1
        assert await stored(house) == kept | {refused[0]}


async def test_a_locked_file_refuses_within_its_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty callers at once wait for the lock once, not one after the other."""
    for module in (stores, transaction):
        monkeypatch.setattr(module, "PATIENCE_MS", 400)
    async with House(None, tmp_path, workers=0) as house:
        assert (await tell(house, "before"))[0] == 200
        other = sqlite3.connect(house.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begun = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(tell(house, f"locked{number}") for number in range(50)))
        took_s = asyncio.get_running_loop().time() - begun
        assert {status for status, _ in answers} == {503}
        assert took_s < 0.4 * 25, "one patience for all who wait, not one for each"
        assert (await house.key("GET", "/api/runs"))[0] == 200
        other.execute("ROLLBACK")
        other.close()
        assert (await tell(house, "after"))[0] == 200
        assert await stored(house) == {"before", "after"}


async def test_a_file_that_was_moved_away_is_not_written_any_more(tmp_path: Path) -> None:
    """Without this, webhooks would be acknowledged into a file that nobody finds again."""
    async with House(None, tmp_path, workers=0) as house:
        assert (await tell(house, "before"))[0] == 200
        aside = house.database.with_name("aside")
        house.database.rename(aside)
        assert (await tell(house, "away"))[0] == 503
        assert (await house.call("GET", "/health/ready"))[0] == 503
        assert not house.database.exists(), "no empty one is made in its place"
        aside.rename(house.database)
        assert (await tell(house, "after"))[0] == 200
        assert (await house.call("GET", "/health/ready"))[0] == 200
        assert await stored(house) == {"before", "after"}


# PostgreSQL -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with OwnPostgres() as started:
        yield started


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as started:
        yield started


@pytest.mark.postgres
@pytest.mark.parametrize("away_s", [0.5, pytest.param(EXPIRY_MS / 1000 + 1, marks=pytest.mark.long)])
async def test_a_stopped_database_is_waited_for(
    server: OwnPostgres, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away_s: float
) -> None:
    """Stopped in the middle of deals, also for longer than a lease: all go on, and nobody counts as dead."""
    deals = DEALS[:8] if away_s < 1 else DEALS[8:]
    organization = sandbox.credentials("salesforce")["organization_id"]
    async with Whole(sandbox, tmp_path, monkeypatch, database=server.new(f"stopped_{len(deals)}")) as whole:
        await whole.faults({"kind": "slow", "delay_s": 0.1})
        await whole.win(*deals)
        await until(lambda: _count(whole, "SELECT count(*) AS n FROM run WHERE owner IS NOT NULL"))
        (run,) = (await _rows(whole, "SELECT owner FROM run WHERE owner IS NOT NULL LIMIT 1"))[:1]
        server.stop()
        assert await tell(whole, "lost", organization) == (503, "2")
        assert await asked(whole, "lost") == 503
        assert (await whole.call("GET", "/api/runs"))[0] == 503
        assert (await whole.call("GET", "/health/ready"))[0] == 503
        assert (await whole.call("GET", "/health/live"))[0] == 200
        await asyncio.sleep(away_s)  # the leases run out by the database's own clock
        server.start()
        await until(lambda: _none(whole, "SELECT count(*) AS n FROM message WHERE state = 'new'"))
        await until(lambda: _at_rest(whole, len(deals)), 60)
        assert (await whole.call("GET", "/health/ready"))[0] == 200
        assert {row["deaths"] for row in await _rows(whole, "SELECT deaths FROM run")} == {0}
        assert whole.worker.holder == run["owner"], "nobody has taken its slot: it goes on under its name"
        done = await _count(whole, "SELECT count(*) AS n FROM run WHERE process = 'quote-to-cash' AND state = 'done'")
        assert done >= 3
        assert not await _rows(whole, "SELECT subject FROM message WHERE subject LIKE '%006lost'")
    orders = [row["key"] for row in await whole.books("sap_s4hana", "order")]
    assert len(orders) == len(set(orders)) >= done


@pytest.mark.postgres
async def test_every_open_connection_is_replaced_after_a_restart(server: OwnPostgres, monkeypatch: Any) -> None:
    """Reads that ran side by side before it left connections open; not one of them fails a read afterwards."""
    address = server.new("restarted")
    store = Store(address)

    def slow(tx: Any) -> int:
        return int(tx.value("SELECT 1 AS one FROM pg_sleep(0.1)"))

    assert await asyncio.gather(*(store.read(slow) for _ in range(4))) == [1] * 4
    server.stop()
    server.start()
    for _ in range(6):
        assert await store.read(slow) == 1
    assert await store.write(slow) == 1
    store.close()


@pytest.mark.postgres
async def test_a_disk_that_is_full_there(
    server: OwnPostgres, sandbox: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No quota can be set on it here, so the server itself says what it says of a full disk (53100, disk_full)."""
    organization = sandbox.credentials("salesforce")["organization_id"]
    address = server.new("full_disk")
    async with Whole(sandbox, tmp_path, monkeypatch, database=address) as whole:
        with psycopg.connect(address, autocommit=True) as administrator:
            administrator.execute(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING"
                " ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device'; END $$"
            )
            administrator.execute("CREATE TRIGGER no_room BEFORE INSERT ON call EXECUTE FUNCTION no_room()")
            assert await tell(whole, "full", organization) == (503, "2")
            assert (await whole.call("GET", "/api/runs"))[0] == 200
            administrator.execute("DROP TRIGGER no_room ON call")
        assert (await tell(whole, "room", organization))[0] == 200
        assert "full" not in await stored(whole)


async def _rows(whole: Whole, sql: str) -> list[Row]:
    return await whole.store.read(lambda tx: tx.rows(sql))


async def _count(whole: Whole, sql: str) -> int:
    return int((await _rows(whole, sql))[0]["n"])


async def _none(whole: Whole, sql: str) -> bool:
    return not await _count(whole, sql)


async def _at_rest(whole: Whole, deals: int) -> bool:
    """Every deal came in, and every run is done, or waits for people or for the ledger's invoice."""
    rows = await _rows(whole, "SELECT state, owner, due_at FROM run WHERE process = 'quote-to-cash'")
    return len(rows) >= deals and not any(row["owner"] or row["state"] == "ready" for row in rows)
