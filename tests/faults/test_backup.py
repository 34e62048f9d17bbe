"""A backup is one moment, whoever writes; restored in the middle of traffic, it doubles nothing and loses no deal."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import isthmus, said
from tests.support.crew import Crew, quick_vendors
from tests.support.engine import Place
from tests.support.own_postgres import OwnPostgres
from tests.support.running_sandbox import RunningSandbox

from isthmus.sandbox.proof import Verdict, judge
from isthmus.store import dumping, epoch, workers
from isthmus.store.backup import back_up, restore
from isthmus.store.migrate import migrate
from isthmus.store.store import Store, connected
from isthmus.store.transaction import StoreUnavailable, Transaction

SYSTEMS = {"crm": "salesforce", "erp": "sap_s4hana", "billing": "stripe", "support": "zendesk"}
DEALS = tuple(f"OPP-{number}" for number in range(1001, 1009))
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def now() -> datetime:
    return datetime.now(UTC)


def nobody(done: int, of: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with OwnPostgres() as started:
        yield started


def put(name: str, value: str) -> Any:
    return lambda tx: tx.insert("setting", {"name": name, "value": value})


# In the middle of traffic -------------------------------------------------------------------------


def test_restored_in_the_middle_of_traffic(tmp_path: Path) -> None:
    with RunningSandbox() as sandbox:
        _restored_mid_traffic(sandbox, tmp_path, database=f"sqlite:///{tmp_path}/acme.sqlite")


@pytest.mark.long
@pytest.mark.postgres
def test_restored_in_the_middle_of_traffic_on_postgresql(tmp_path: Path) -> None:
    with RunningSandbox() as sandbox:
        _restored_mid_traffic(sandbox, tmp_path, database="")


def _restored_mid_traffic(sandbox: RunningSandbox, folder: Path, database: str) -> None:
    """Backed up while some deals are under way; more come; everything dies; the backup comes back: the books agree."""
    with Crew(sandbox, folder, change=quick_vendors, database=database) as crew:
        where = ["-l", str(folder / "acme"), "--database", crew.database]
        sandbox.desk("faults", {"seed": 1, "rules": [{"kind": "slow", "vendor": "sap_s4hana", "delay_s": 0.15}]})
        _win(sandbox, DEALS[:4])
        (serving,) = crew.start("worker", more=("--slots", "3"))
        crew.until(lambda: crew.count("SELECT count(*) AS n FROM effect WHERE state = 'done'") >= 2)
        kept = said("backup", "acme.backup", *where, cwd=folder)
        assert kept["runs"] >= 1
        _win(sandbox, DEALS[4:])
        made = len(_orders(sandbox))
        crew.until(lambda: len(_orders(sandbox)) >= made + 2, 90)
        refused = isthmus("restore", "acme.backup", *where, "--replace", cwd=folder)
        assert refused.returncode == 1 and "works on this database; stop it first" in refused.stderr
        serving.signal(signal.SIGKILL)
        serving.ended()
        held = crew.count("SELECT count(*) AS n FROM run")
        crew.until(lambda: not _living(crew), 20)
        crew.let_go()
        restored = said("restore", "acme.backup", *where, "--replace", cwd=folder)
        assert restored["runs"] < held, "the store has lost what came since"
        sandbox.desk("faults", {"seed": 1, "rules": []})
        crew.start("worker")
        crew.until(lambda: crew.at_rest(len(DEALS)), 120)
        verdict = _judged(sandbox, crew)
        assert verdict.holds, verdict.findings
        assert verdict.completed >= len(DEALS) // 2
        assert crew.count("SELECT count(*) AS n FROM effect WHERE rule = 'probe'") >= 2, "what was there was found"


def _living(crew: Crew) -> list[Any]:
    with connected(crew.database) as transaction:
        return workers.living(transaction)


def _win(sandbox: RunningSandbox, deals: tuple[str, ...]) -> None:
    sandbox.desk("salesforce/play/win_many", {"opportunities": ",".join(deals)})


def _orders(sandbox: RunningSandbox) -> list[Any]:
    return [row for row in sandbox.desk("sap_s4hana/books") if row["kind"] == "order" and row["sender"]]


def _judged(sandbox: RunningSandbox, crew: Crew) -> Verdict:
    books = {role: sandbox.desk(f"{vendor}/books") for role, vendor in SYSTEMS.items()}
    parked = crew.rows("SELECT business_key FROM run WHERE process = 'quote-to-cash' AND state = 'parked'")
    return judge(books, [str(row["business_key"]) for row in parked], asked=DEALS)


# One moment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES)
def test_a_backup_is_one_moment_whoever_writes(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Pairs are written all the time, each in one transaction: no backup holds half a pair."""
    url, again = _two(database, tmp_path, request)
    stop = threading.Event()

    def write() -> None:
        transaction, number = Store.open_connection(url), 0
        while not stop.is_set():
            transaction.begin()
            for half in ("a", "b"):
                put(f"{half}{number}", "x" * 2000)(transaction)
            transaction.commit()
            number += 1
        transaction.close()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        _until_pairs(url, 200)
        heard: list[tuple[int, int]] = []
        kept = back_up(url, tmp_path / "one.backup", now(), lambda done, of: heard.append((done, of)))
        with connected(url) as transaction:
            assert _pairs(transaction) > 200, "it was written meanwhile"
    finally:
        stop.set()
        writing.join()
    assert kept.size == (tmp_path / "one.backup").stat().st_size > 0
    assert heard[-1][0] == heard[-1][1] > 0
    assert not list(tmp_path.glob(".*half*"))
    restore(again, tmp_path / "one.backup", now(), nobody, replace=False)
    with connected(again) as transaction:
        names = {row["name"] for row in transaction.rows("SELECT name FROM setting")} - {epoch.MARK}
        assert epoch.is_copy(transaction)
    assert len(names) >= 400
    assert {name[1:] for name in names if name[0] == "a"} == {name[1:] for name in names if name[0] == "b"}


def _two(database: str, folder: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A migrated database, and an empty place for another."""
    if database == "sqlite":
        first, second = f"sqlite:///{folder}/one.sqlite", f"sqlite:///{folder}/two.sqlite"
    else:
        server: OwnPostgres = request.getfixturevalue("server")
        first, second = server.new("moment_one"), server.new("moment_two")
    migrate(first)
    return first, second


def _pairs(tx: Transaction) -> int:
    return int(tx.value("SELECT count(*) AS n FROM setting WHERE name LIKE 'a%'"))


def _until_pairs(url: str, number: int) -> None:
    found = 0
    while found < number:
        with connected(url) as transaction:
            found = _pairs(transaction)


# What a restored copy knows -----------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES)
def test_the_first_worker_opens_the_epoch_and_nobody_holds_anything(database: str) -> None:
    with Place(database) as place:
        place.world.plan("A1")
        place.post("A1", "one")
        with place.life() as life:
            life.do(life.engine.prepare())
            life.do(life.worker.lease())
            life.do(life.deliver())
            assert life.do(life.worker.claim(1)), "a run is held as the backup is made"
            life.do(life.store.write(lambda tx: epoch.mark(tx, "2026-11-23T00:00:00Z")))
        with place.life() as one, place.life() as two:
            one.do(one.engine.prepare())
            two.do(two.engine.prepare())
            assert one.engine.deliverer.epoch == two.engine.deliverer.epoch
            assert one.engine.deliverer.epoch is not None and one.engine.deliverer.epoch.number == 1
        (run,) = place.sql("SELECT owner, deaths, due_at FROM run")
        assert run["owner"] is None and run["deaths"] == 0 and run["due_at"]
        assert place.sql("SELECT slot FROM worker WHERE holder IS NOT NULL") == []
        assert place.live()
        place.audit()


# What is refused ----------------------------------------------------------------------------------


def test_what_is_refused_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/acme.sqlite"
    migrate(url)
    where = ("--database", url)
    assert isthmus("backup", "acme.backup", *where, cwd=tmp_path).returncode == 0
    twice = isthmus("backup", "acme.backup", *where, cwd=tmp_path)
    assert "is there already; --replace" in twice.stderr
    assert "there is no folder" in isthmus("backup", "nowhere/x", *where, cwd=tmp_path).stderr
    assert "there is no backup" in isthmus("restore", "other", *where, cwd=tmp_path).stderr
    with connected(url) as transaction:
        transaction.insert("audit", _audit_row(transaction))
    filled = isthmus("restore", "acme.backup", *where, cwd=tmp_path)
    assert filled.returncode == 1 and "not empty; --replace" in filled.stderr
    store = Store(url)
    asyncio.run(store.read(lambda tx: None))
    used = isthmus("restore", "acme.backup", *where, "--replace", cwd=tmp_path)
    assert used.returncode == 1 and "has" in used.stderr and "open (isthmus serve?)" in used.stderr
    store.close()
    done = isthmus("restore", "acme.backup", *where, "--replace", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (aside,) = tmp_path.glob("acme.sqlite.before-*")
    with sqlite3.connect(aside) as kept:
        assert kept.execute("SELECT count(*) FROM audit").fetchone() == (1,)


def _audit_row(tx: Transaction) -> dict[str, Any]:
    columns = [row["name"] for row in tx.rows("PRAGMA table_info(audit)") if row["notnull"] and not row["pk"]]
    return dict.fromkeys(columns, "x")


def test_a_file_that_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/acme.sqlite"
    migrate(url)
    before = (tmp_path / "acme.sqlite").read_bytes()
    for name, content, why in (
        ("text", b"no backup at all", "is no backup"),
        ("dump", dumping.MAGIC + b"\x01" * 40, "is a backup of PostgreSQL, the database is SQLite"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=why):
            restore(url, tmp_path / name, now(), nobody, replace=True)
    damaged = bytearray(before)
    damaged[5000:9000] = os.urandom(4000)
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(StoreUnavailable, match=r"damaged|cannot be copied"):
        restore(url, tmp_path / "damaged", now(), nobody, replace=True)
    assert (tmp_path / "acme.sqlite").exists()
    with connected(url) as transaction:
        assert transaction.value("SELECT version_num FROM alembic_version")
        assert not epoch.is_copy(transaction)


@pytest.mark.postgres
def test_a_damaged_dump_changes_nothing_on_postgresql(server: OwnPostgres, tmp_path: Path) -> None:
    url = server.new("damaged")
    migrate(url)
    with connected(url) as transaction:
        for number in range(300):
            put(f"kept{number}", os.urandom(500).hex())(transaction)
        transaction.commit()
    back_up(url, tmp_path / "whole", now(), nobody)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(StoreUnavailable):
        restore(url, tmp_path / "cut", now(), nobody, replace=True)
    with connected(url) as transaction:
        assert not epoch.is_copy(transaction), "rolled back as a whole"
        assert int(transaction.value("SELECT count(*) AS n FROM setting")) == 300
        transaction.commit()
        with pytest.raises(ValueError, match="1 connections of Isthmus are open"):
            restore(url, tmp_path / "whole", now(), nobody, replace=True)
    restore(url, tmp_path / "whole", now(), nobody, replace=True)
    with connected(url) as transaction:
        assert epoch.is_copy(transaction)


@pytest.mark.postgres
def test_missing_programs_are_named(server: OwnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one on PATH is no help: it would refuse the server. Without any, it is said what to install."""
    url = server.new("programs")
    migrate(url)
    assert dumping.program("pg_dump", url).startswith(("/", "."))
    monkeypatch.setattr(dumping, "_BUNDLED", "no_such_package")
    old = tmp_path / "bin/pg_dump"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(old.parent))
    with pytest.raises(LookupError, match=r"pg_dump of PostgreSQL 18 or newer is needed.*is of release 9"):
        back_up(url, tmp_path / "none", now(), nobody)
    with pytest.raises(LookupError, match=r"no pg_restore is on PATH. Install PostgreSQL's client programs"):
        dumping.program("pg_restore", url)
    assert not (tmp_path / "none").exists()
