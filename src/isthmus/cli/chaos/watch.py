"""Looks at a store from outside while others work with it, and does what people do: decides, mends, replays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from isthmus.orchestration import approval, parked
from isthmus.store import approvals, exceptions
from isthmus.store.store import Store
from isthmus.store.transaction import Row, StoreUnavailable, Transaction

T = TypeVar("T")
MAIN = "quote-to-cash"
#: exceptions that trouble alone has caused: once it is over, a person replays them
TROUBLE = ("down", "limit", "locked")
POISON = "Three workers died"
_TRIES = 40
_PAUSE_S = 0.25


@dataclass(frozen=True)
class Unrest:
    """What has not come to rest, by kind; nothing where all is 0."""

    messages: int
    runs: int
    looks: int
    troubled: int

    def __bool__(self) -> bool:
        return bool(self.messages or self.runs or self.looks or self.troubled)

    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in vars(self).items() if count) or "nothing"


class Watch:
    """One who looks on. Reads wait and try again where the database is locked or away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Transaction | None = None
        self.approved = self.replayed = 0
        #: every access token that was seen in the store: connection, and the token under its seal
        self.tokens: set[tuple[str, str]] = set()

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection._connection.close()
            self._connection = None

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run a query on what is committed now. Raises StoreUnavailable after many tries."""
        for _ in range(_TRIES):
            try:
                self._connection = self._connection or Store.open_connection(self._url)
                found = work(self._connection)
                self._connection.rollback()
                return found
            except Exception as error:  # whatever a driver calls a lost or locked database
                self._connection, last = None, error
                time.sleep(_PAUSE_S)
        raise StoreUnavailable(f"the database cannot be looked at: {last}")

    def resting(self) -> int:
        """How many of the main process's runs are held by nobody and wait for nothing but a person."""
        sql = (
            "SELECT count(*) AS n FROM run WHERE process = :process AND owner IS NULL AND due_at IS NULL"
            " AND state IN ('done', 'parked', 'undone', 'ignored')"
        )
        return int(self.read(lambda tx: tx.value(sql, {"process": MAIN})))

    def unrest(self) -> Unrest:
        """What still moves."""

        def work(tx: Transaction) -> Unrest:
            return Unrest(
                messages=int(tx.value("SELECT count(*) AS n FROM message WHERE state = 'new'")) - _stuck_behind(tx),
                runs=int(
                    tx.value(
                        "SELECT count(*) AS n FROM run WHERE owner IS NOT NULL OR due_at IS NOT NULL"
                        " OR state IN ('ready', 'waiting')"
                    )
                ),
                looks=int(tx.value("SELECT count(*) AS n FROM effect WHERE look_at IS NOT NULL")),
                troubled=len([row for row in exceptions.list_exceptions(tx, limit=5000) if _of_trouble(row)]),
            )

        return self.read(work)

    def note_tokens(self) -> None:
        """Remember the access tokens of this moment: later they are searched for."""
        rows = self.read(lambda tx: tx.rows("SELECT connection, sealed FROM token WHERE sealed IS NOT NULL"))
        self.tokens |= {(row["connection"], row["sealed"]) for row in rows}

    # What people do -------------------------------------------------------------------------------

    def decide(self) -> None:
        """Approve whatever is asked."""
        for row in self.read(lambda tx: approvals.list_approvals(tx, "requested")):
            if self._done(lambda store, row=row: approval.decide(  # type: ignore[misc]
                store, row["id"], verdict="approved", who="chaos", comment=None
            )):  # fmt: skip
                self.approved += 1

    def replay(self) -> None:
        """Replay what trouble has parked."""
        for row in self.read(lambda tx: exceptions.list_exceptions(tx, limit=5000)):
            if _of_trouble(row) and self._done(
                lambda store, row=row: parked.retry(store, row["number"], who="chaos")  # type: ignore[misc]
            ):
                self.replayed += 1

    def _done(self, act: Callable[[Store], Awaitable[object]]) -> bool:
        """Do it with a store of one's own; False where somebody was quicker."""

        async def work() -> bool:
            store = Store(self._url)
            try:
                await act(store)
            except (ValueError, LookupError, StoreUnavailable):
                return False
            finally:
                store.close()
            return True

        return asyncio.run(work())


def _of_trouble(row: Row) -> bool:
    return row["error_class"] in TROUBLE or str(row["title"]).startswith(POISON)


def _stuck_behind(tx: Transaction) -> int:
    """New messages whose subject has a parked run: they wait for the person too."""
    return int(
        tx.value(
            "SELECT count(*) AS n FROM message m WHERE m.state = 'new' AND EXISTS"
            " (SELECT 1 FROM run r WHERE r.subject = m.subject AND r.state = 'parked')"
        )
    )
