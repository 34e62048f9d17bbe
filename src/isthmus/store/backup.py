"""A database in a file, while everything runs, and back again: the same two verbs for SQLite and PostgreSQL.

What is restored knows that it is a copy (``epoch.py``), so that its first workers look before they send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from isthmus.store import copying, dumping, workers
from isthmus.store.clock import instant
from isthmus.store.migrate import migrate
from isthmus.store.store import connected, sqlite_path
from isthmus.store.transaction import StoreUnavailable, Transaction

T = TypeVar("T")
Progress = Callable[[int, int], None]
_OTHERS = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name = 'isthmus'"
)
_FILLED = ("call", "run", "effect", "audit")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a database holds: how many runs and messages, when the newest message came, in how many bytes of a file."""

    runs: int
    messages: int
    newest: str | None
    size: int = 0


def back_up(url: str, file: Path, now: datetime, told: Progress) -> Kept:
    """Write the database to a file as it is at one moment. Raises StoreUnavailable, LookupError; no half file is left."""
    kept = _asked(url, _kept)
    half = file.with_name(f".{file.name}.half")
    jobs, half_jobs = _jobs(file), _jobs(half)
    try:
        if _is_postgresql(url):
            dumping.dump(url, half, told)
            dumping.contents(url, half)
        else:
            source = sqlite_path(url)
            copying.copy(source, half, told, copied_at=instant(now))
            kept = copying.asked(half, _kept)
            if _jobs_beside(source).exists():
                copying.copy(_jobs_beside(source), half_jobs, lambda done, of: None)
                half_jobs.replace(jobs)
        half.replace(file)
    finally:
        for left in (half, half_jobs):
            left.unlink(missing_ok=True)
    return Kept(kept.runs, kept.messages, kept.newest, file.stat().st_size)


def restore(url: str, file: Path, now: datetime, told: Progress, *, replace: bool) -> tuple[Kept, Path | None]:
    """Put a backup in the database's place; what it holds, and where the file that was there is kept.

    Raises ValueError where a worker or another process is on the database, where it holds something and not
    ``replace``, or where the file is no backup of this kind; StoreUnavailable, LookupError. Nothing is changed then.
    """
    _fits(url, file)
    aside = None
    if _is_postgresql(url):
        _refuse_if_used(url, replace)
        dumping.load(url, file, told, copied_at=instant(now))
    else:
        aside = _restore_sqlite(sqlite_path(url), file, now, told, replace)
    migrate(url)
    return _asked(url, _kept), aside


def _restore_sqlite(target: Path, file: Path, now: datetime, told: Progress, replace: bool) -> Path | None:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"{target.name}.before-{now:%Y%m%d-%H%M%S}")
    coming = target.with_name(f".{target.name}.coming")
    there = target.exists()
    if there:
        _refuse_if_used(f"sqlite:///{target}", replace)
        if copying.is_open(target):
            raise ValueError(f"some process has {target} open (isthmus serve?); stop it first")
    try:
        copying.copy(file, coming, told, copied_at=instant(now))
        _restore_jobs(target, file, aside)
        copying.put_in_place(coming, target, aside)
    finally:
        coming.unlink(missing_ok=True)
    return aside if there else None


def _restore_jobs(target: Path, file: Path, aside: Path) -> None:
    """The jobs of the same moment; where the backup has none, those that are there go too: they speak of what is gone."""
    there, backed_up = _jobs_beside(target), _jobs(file)
    if there.exists():
        copying.is_open(there)
        there.rename(_jobs(aside))
    if backed_up.exists():
        copying.copy(backed_up, there, lambda done, of: None)


def _fits(url: str, file: Path) -> None:
    if not file.is_file():
        raise LookupError(f"there is no backup {file}")
    with file.open("rb") as opened:
        head = opened.read(16)
    kind = "PostgreSQL" if head.startswith(dumping.MAGIC) else "SQLite" if head == copying.MAGIC else None
    wanted = "PostgreSQL" if _is_postgresql(url) else "SQLite"
    if kind is None:
        raise ValueError(f"{file} is no backup; isthmus backup {file} makes one")
    if kind != wanted:
        raise ValueError(f"{file} is a backup of {kind}, the database is {wanted}; say --database with one of {kind}")


def _refuse_if_used(url: str, replace: bool) -> None:
    """Raise ValueError where somebody works on the database, or where something is in it."""
    names, others, filled = _asked(url, _used)
    if names:
        raise ValueError(
            f"{' and '.join(names)} works on this database; stop it first (one that was killed counts as living for"
            f" {workers.EXPIRY_MS // 1000} s more)"
        )
    if others:
        raise ValueError(f"{others} connections of Isthmus are open to this database; stop what serves it first")
    if filled and not replace:
        raise ValueError("this database is not empty; --replace puts the backup in the place of what is there")


def _used(tx: Transaction) -> tuple[list[str], int, bool]:
    if not _has_tables(tx):
        return [], 0, False
    names = [str(row["name"]) for row in workers.living(tx)]
    others = int(tx.value(_OTHERS)) if tx.dialect == "postgresql" else 0
    return names, others, any(tx.value(f"SELECT 1 AS found FROM {table} LIMIT 1") for table in _FILLED)


def _kept(tx: Transaction) -> Kept:
    if not _has_tables(tx):
        raise StoreUnavailable("the database holds no tables of Isthmus")
    runs = tx.value("SELECT count(*) AS n FROM run")
    messages = tx.row("SELECT count(*) AS n, max(received_at) AS newest FROM message") or {}
    return Kept(int(runs), int(messages["n"]), messages["newest"])


def _has_tables(tx: Transaction) -> bool:
    if tx.dialect == "postgresql":
        return bool(tx.value("SELECT to_regclass('public.run')::text AS found"))
    return bool(tx.value("SELECT 1 AS found FROM sqlite_master WHERE name = 'run'"))


def _asked(url: str, work: Callable[[Transaction], T]) -> T:
    with connected(url) as transaction:
        return work(transaction)


def _is_postgresql(url: str) -> bool:
    return url.startswith("postgres")


def _jobs_beside(database: Path) -> Path:
    return database.with_name(f"{database.stem}.jobs.sqlite")


def _jobs(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.jobs")
