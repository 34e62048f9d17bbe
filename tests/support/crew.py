"""Processes of ``isthmus serve`` on one database and one set of sandboxes: started, killed, frozen, restarted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isthmus.catalogue.registry import registry
from isthmus.cli.init import write_landscape
from isthmus.store.migrate import migrate
from isthmus.store.store import Store
from isthmus.store.transaction import Row, Transaction
from tests.support.command import COMMAND
from tests.support.postgres import drop_database, new_database
from tests.support.running_sandbox import RunningSandbox
from tests.support.whole import environment


class Hand:
    """One process. ``facts`` is what it said when it was ready."""

    def __init__(self, folder: Path, arguments: list[str], variables: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *arguments, "--json"], cwd=folder, env={**os.environ, **variables},
            stdout=subprocess.PIPE, stderr=self.log.open("ab"), text=True,
        )  # fmt: skip
        self.facts: dict[str, Any] = {}

    def ready(self) -> Hand:
        """Wait until it says that it is ready."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-3000:]
        self.facts = json.loads(line)
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    def signal(self, number: signal.Signals) -> float:
        """Send a signal; the time, of the monotonic clock."""
        self.process.send_signal(number)
        return time.monotonic()

    def ended(self, within_s: float = 40) -> int:
        """Wait until it has ended; its exit code."""
        return self.process.wait(within_s)


class Crew:
    """``with Crew(sandbox, folder) as crew: crew.start("worker", "worker")``; ``change`` edits the landscape's text.

    The database is a PostgreSQL of its own unless another is given.
    """

    def __init__(
        self, sandbox: RunningSandbox, folder: Path, *, change: Callable[[str], str] = str, database: str = ""
    ) -> None:
        self.sandbox, self.folder, self._change = sandbox, folder, change
        self.database, self._own = database, not database
        self.variables = environment(sandbox)
        self._beside: Transaction | None = None
        self.hands: list[Hand] = []

    def __enter__(self) -> Crew:
        known = registry()
        write_landscape(self.folder / "acme", known.blueprints["quote_to_cash"], known)
        file = self.folder / "acme/isthmus.yaml"
        file.write_text(self._change(file.read_text()))
        self.database = self.database or new_database()
        if not self._own:
            migrate(self.database)
        self._beside = Store.open_connection(self.database)
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self.hands:
            if hand.process.poll() is None:
                hand.process.send_signal(signal.SIGCONT)
                hand.process.kill()
            hand.process.wait()
            if hand.process.stdout is not None:
                hand.process.stdout.close()
        self.let_go()
        if self._own:
            drop_database(self.database)

    def begin(self, as_: str, *more: str) -> Hand:
        """Begin to start a process."""
        where = [str(self.folder / "acme"), "--database", self.database, "--as", as_]
        where += ["--port", "0"] if as_ != "worker" and "--port" not in more else []
        hand = Hand(self.folder / f"{as_}-{len(self.hands)}", [*where, *more], self.variables)
        self.hands.append(hand)
        return hand

    def start(self, *kinds: str, more: tuple[str, ...] = ()) -> list[Hand]:
        """Start processes side by side; all are ready."""
        begun = [self.begin(kind, *more) for kind in kinds]
        return [hand.ready() for hand in begun]

    # What the database says -----------------------------------------------------------------------

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """Ask the database beside all of them."""
        if self._beside is None:
            self._beside = Store.open_connection(self.database)
        found = self._beside.rows(sql, values)
        self._beside.rollback()
        return found

    def let_go(self) -> None:
        """Close our own connection to the database."""
        if self._beside is not None:
            self._beside.close()
        self._beside = None

    def count(self, sql: str, **values: Any) -> int:
        """The number of a ``SELECT count(*) AS n``."""
        return int(self.rows(sql, **values)[0]["n"])

    def holder(self, hand: Hand) -> str:
        """Under what name a worker holds its runs."""
        sql = "SELECT holder FROM worker WHERE name LIKE :name"
        return str(self.until(lambda: self.rows(sql, name=f"%:{hand.pid}"))[0]["holder"])

    def held(self, *holders: str) -> int:
        """How many runs these hold."""
        return sum(self.count("SELECT count(*) AS n FROM run WHERE owner = :holder", holder=each) for each in holders)

    def at_rest(self, deals: int) -> bool:
        """Every deal came in, and nothing is to be done for any of them now."""
        rows = self.rows("SELECT state, owner, due_at FROM run WHERE process = 'quote-to-cash'")
        return len(rows) >= deals and not any(row["owner"] or row["due_at"] or row["state"] == "ready" for row in rows)

    def until(self, condition: Callable[[], Any], within_s: float = 60, pause_s: float = 0.05) -> Any:
        """Wait until something is so."""
        ends = time.monotonic() + within_s
        while not (found := condition()):
            if time.monotonic() > ends:
                states = self.rows("SELECT business_key, state, owner, due_at, problem FROM run ORDER BY id")
                raise AssertionError(f"it did not come to pass within {within_s:.0f} s: {states[:10]}")
            time.sleep(pause_s)
        return found


def quick_vendors(text: str) -> str:
    """A landscape whose vendors work and settle quickly."""
    text = re.sub(r"^    deadline: .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^    settle: .*\n", "    deadline: 2s\n    settle: 1s\n", text, flags=re.MULTILINE)
