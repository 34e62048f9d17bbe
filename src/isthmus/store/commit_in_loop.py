"""Group commit for a database in this process: statements run in the event loop, only the commit in a thread.

A statement on SQLite takes microseconds, but in a thread of its own it waits for the interpreter's lock before and
after: with a busy loop that was up to 5 ms each, and the loop ran slower too. The commit is what takes time (its fsync),
and gives the lock back meanwhile. Where the database is held by another process, or a member fails, the batch goes
through the thread as a whole, with patience and one by one.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable

from isthmus.store.commit import BATCH_MAX, GroupCommit, Member, answer, resolve

_Hand = Callable[[list[Member]], None]


class CommitInLoop(GroupCommit):
    """One writer like ``GroupCommit``; a batch is whatever came in while the one before was committed."""

    def _start(self) -> None:
        self._waiting: deque[Member] = deque()
        self._busy = False
        self._turn_lock = threading.Lock()
        self._handed: queue.SimpleQueue[tuple[_Hand, list[Member], asyncio.AbstractEventLoop] | None]
        self._handed = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_what_is_handed, name="isthmus-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, then stop."""
        with self._turn_lock:
            self._busy = True
        self._handed.put(None)
        self._thread.join(30)
        while self._waiting:
            batch = self._next()
            self._commit(batch)
            answer(batch)

    def _put(self, member: Member) -> None:
        self._waiting.append(member)
        with self._turn_lock:
            begins, self._busy = not self._busy, True
        if begins:
            member.loop.call_soon(self._turn, member.loop)

    def _next(self) -> list[Member]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]

    # In the loop ----------------------------------------------------------------------------------

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what waits, and hand it over for its commit."""
        batch = self._next()
        hand: _Hand = self._commit
        try:
            if all(member.whole is None or member.whole not in self._torn for member in batch):
                self._begun(batch)
                hand = self._finish
        except Exception:
            # somebody else has the database, or a member failed: again in the thread, where it may take its time
            for member in batch:
                member.result = None
        self._handed.put((hand, batch, loop))

    def _begun(self, batch: list[Member]) -> None:
        if self._transaction is None:
            raise sqlite3.OperationalError("there is no connection yet")
        transaction = self._transaction
        try:
            transaction.begin(patient=False)
            for member in batch:
                member.result = member.work(transaction)
        except BaseException:
            transaction.rollback()
            raise

    def _turned(self, loop: asyncio.AbstractEventLoop, batch: list[Member]) -> None:
        resolve([member for member in batch if member.loop is loop])
        if others := [member for member in batch if member.loop is not loop]:
            answer(others)
        with self._turn_lock:
            self._busy = bool(self._waiting)
        if self._busy:
            self._turn(loop)

    # In the thread --------------------------------------------------------------------------------

    def _commit_what_is_handed(self) -> None:
        while (handed := self._handed.get()) is not None:
            hand, batch, loop = handed
            hand(batch)
            try:
                loop.call_soon_threadsafe(self._turned, loop, batch)
            except RuntimeError:
                # its loop was closed meanwhile: the next who writes begins a turn in a loop that lives
                with self._turn_lock:
                    self._busy = False

    def _finish(self, batch: list[Member]) -> None:
        """Commit what ran in the loop; where that fails, once more as a whole, and then one by one."""
        transaction = self._transaction
        assert transaction is not None
        try:
            transaction.commit()
        except Exception as error:
            self._abandon(transaction, error)
            for member in batch:
                member.result = None
            self._commit(batch)
        else:
            self.batches += 1
            self.members += len(batch)
