"""The isthmus command as a process: run to its end, or kept running until the test is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from isthmus.cli import main; main()"]


def isthmus(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def said(*arguments: str, cwd: Path) -> Any:
    """What a command prints with --json; it must end well."""
    done = isthmus(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def running(*arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """A command that serves: gives the line of JSON by which it says that it is ready, and ``process``.

    It is ended by SIGTERM and must end with 0.
    """
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--json"], cwd=cwd, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield {**json.loads(line), "process": process}
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0, process.stderr.read()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()
