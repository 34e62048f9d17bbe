"""The stage: a sandbox and an Isthmus, each a process of its own, set up as an administrator would."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from isthmus.cli.demo.script import Script, command_path, dig, filled
from isthmus.cli.desk import ask, call

_READY_S = 60.0
_END_S = 40.0
_VISITOR = "demo visitor"


@dataclass
class Stage:
    """What runs, and where."""

    script: Script
    folder: Path
    sandbox: str
    gateway: str
    vendors: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def desk(self, *path: str, body: Any = None) -> Any:
        """Ask the sandbox's desk."""
        return ask(self.sandbox, *path, body=body)

    def do(self, command: str) -> Any:
        """Do what ``isthmus sandbox <command>`` does."""
        path, values = command_path(command)
        return self.desk(*path, body=values)

    def api(self, path: str, body: Any = None, *, by: str | None = None) -> Any:
        """Ask Isthmus, as the visitor or ``by`` somebody who has a key."""
        headers = {"Authorization": f"Bearer {self.keys[by]}"} if by else {}
        return call(f"{self.gateway}{path}", body=body, headers=headers)

    def set_faults(self, rules: list[dict[str, Any]], seed: int) -> None:
        """Trouble from now on; none ends it."""
        self.desk("faults", body={"rules": rules, "seed": str(seed)})


@contextmanager
def standing(script: Script, folder: Path, cwd: Path, seed: int, port: int, gateway_port: int) -> Iterator[Stage]:
    """Start both, with the landscape that ``isthmus init`` writes; stop them at the end. Ports 0: free ones."""
    if folder.exists():
        shutil.rmtree(folder)
    keys = {name: secrets.token_urlsafe(24) for name in script.whole["people"]}
    landscape = write_landscape_of(script, folder, keys)
    with ExitStack() as ending:
        facts = _started(ending, folder, cwd, "sandbox", ["--port", str(port), "--seed", str(seed)], {})
        vendors = facts["vendors"]
        gateway_port = gateway_port or _free_port()
        gateway, secret = f"http://127.0.0.1:{gateway_port}", secrets.token_urlsafe(16)
        stage = Stage(script, folder, facts["url"], gateway, vendors, keys)
        environment = {**script.environment(vendors, secret), **_webhooks(stage, secret)}
        arguments = [str(landscape), "--port", str(gateway_port), "--visitor", _VISITOR]
        _started(ending, folder, cwd, "serve", arguments, environment)
        yield stage


def write_landscape_of(script: Script, folder: Path, keys: Mapping[str, str]) -> Path:
    """What ``isthmus init`` writes, with the people of the script. Raises ValueError where a change finds no place."""
    from isthmus.catalogue.registry import registry
    from isthmus.cli.init import write_landscape
    from isthmus.governance.access import key_hash

    known, landscape = registry(), (folder / "sonnwerk").resolve()
    write_landscape(landscape, known.blueprints["quote_to_cash"], known)
    facts = {"hash": {name: key_hash(key) for name, key in keys.items()}}
    for change in script.whole["landscape"]:
        file = landscape / change["in"]
        before, says, after = file.read_text("utf-8").partition(change["says"])
        if not says:
            raise ValueError(f"the demo's script changes {change['says']!r}, which {change['in']} does not say")
        file.write_text(before + filled(change["becomes"], facts) + after, "utf-8")
    return landscape


def _started(
    ending: ExitStack, folder: Path, cwd: Path, verb: str, arguments: list[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Start a verb of ours and wait for the line by which it says that it is ready."""
    log = ending.enter_context((folder / f"{verb}.log").open("wb"))
    command = [sys.executable, "-c", "from isthmus.cli import main; main()", verb, *arguments, "--json"]
    process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=log)
    ending.callback(_stop, process)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(_READY_S)
        said = (folder / f"{verb}.log").read_text("utf-8", "replace").strip()
        raise OSError(f"isthmus {verb} did not start:\n{said[-2000:]}")
    return cast(dict[str, Any], json.loads(line))


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _webhooks(stage: Stage, secret: str) -> dict[str, str]:
    """Tell every application where to push; the signing secrets that they give, by variable."""
    given: dict[str, str] = {}
    facts = {**stage.vendors, "gateway": stage.gateway, "secret": secret}
    for written in stage.script.whole["webhooks"]:
        one = filled(written, facts)
        if "desk" in one:
            path, _ = command_path(one["desk"])
            stage.desk(*path, body=one["values"])
            continue
        method, _, url = one["request"].partition(" ")
        login = base64.b64encode(f"{one['user']}:{one.get('password', '')}".encode()).decode()
        headers, body = {"Authorization": f"Basic {login}"}, one.get("json")
        if "form" in one:
            headers["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(one["form"]).encode()
        answer = call(url, body=body, headers=headers, method=method)
        given |= {name: str(dig(answer, place)) for name, place in one["gives"].items()}
    return given


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
