"""Group commit: one writer, first in first out, a batch a transaction.

A member that fails, fails alone: after a failed batch its members are run again one by one. Writes that nobody waits
for belong to somebody (a play by its fence): where one of them is lost, the next write of theirs that must stand on the
whole is refused with the same error, so that no play ends on a memory with a hole in it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from isthmus.store.transaction import StoreUnavailable, Transaction

Work = Callable[[Transaction], Any]
T = TypeVar("T")
BATCH_MAX = 256


class Member:
    """One piece of work in a batch; ``rides``: nobody need wait for its ``future``."""

    __slots__ = ("failure", "future", "loop", "of", "result", "rides", "whole", "work")

    def __init__(
        self,
        work: Work,
        loop: asyncio.AbstractEventLoop,
        rides: bool,
        of: Hashable | None,
        whole: Hashable | None,
    ) -> None:
        self.work, self.loop, self.rides, self.of, self.whole = work, loop, rides, of, whole
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.failure: BaseException | None = None


class GroupCommit:
    """Takes work from any thread's loop, runs it in order in its own thread, answers after the commit."""

    def __init__(self, connect: Callable[[], Transaction], unavailable: tuple[type[BaseException], ...]) -> None:
        """``connect`` opens the writer's connection (again after a loss); ``unavailable`` are the errors of a loss."""
        self._connect, self._unavailable = connect, unavailable
        self._transaction: Transaction | None = None
        self._torn: dict[Hashable, BaseException] = {}
        self.batches = 0
        self.members = 0
        self.lost = 0
        self._start()

    def submit(
        self, work: Work, *, rides: bool = False, of: Hashable | None = None, whole: Hashable | None = None
    ) -> asyncio.Future[Any]:
        """Queue work; the future is done after its commit. Of what ``rides`` along a failure is only counted.

        ``of``: whose write it is. ``whole``: fail if a write of theirs was lost since they last asked.
        """
        member = Member(work, asyncio.get_running_loop(), rides, of, whole)
        self._put(member)
        return member.future

    def close(self) -> None:
        """Write what is queued, then stop."""
        self._queue.put(None)
        self._thread.join(30)

    def _start(self) -> None:
        self._queue: queue.SimpleQueue[Member | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="isthmus-writer", daemon=True)
        self._thread.start()

    def _put(self, member: Member) -> None:
        self._queue.put(member)

    def _run(self) -> None:
        while True:
            batch, last = self._collect()
            if batch:
                self._commit(batch)
                answer(batch)
            if last:
                return

    def _collect(self) -> tuple[list[Member], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < BATCH_MAX:
            try:
                member = self._queue.get_nowait()
            except queue.Empty:
                break
            if member is None:
                return batch, True
            batch.append(member)
        return batch, False

    def _commit(self, batch: list[Member]) -> None:
        self.batches += 1
        self.members += len(batch)
        batch = [member for member in batch if not self._refused(member)]
        try:
            self._together(batch)
        except StoreUnavailable as gone:
            self._one_by_one(batch, gone)
        except Exception:
            self._one_by_one(batch, None)

    def _one_by_one(self, batch: list[Member], gone: Exception | None) -> None:
        """Each alone; but once the database is ``gone``, so that not even a beginning can be made, all fail of that."""
        for member in batch:
            if self._refused(member):
                continue
            failure = gone
            if gone is None:
                member.result = None
                try:
                    self._together([member])
                    continue
                except StoreUnavailable as error:
                    failure = gone = error
                except Exception as error:
                    failure = self._translated(error)
            member.failure = failure
            self.lost += member.rides
            if member.of is not None and failure is not None:
                self._torn[member.of] = failure

    def _refused(self, member: Member) -> bool:
        """Whether a member must stand on the whole of writes of which one was lost; that is told once."""
        if member.whole is not None:
            member.failure = self._torn.pop(member.whole, None)
        return member.failure is not None

    def _together(self, batch: list[Member]) -> None:
        transaction = self._begin()
        try:
            for member in batch:
                member.result = member.work(transaction)
            transaction.commit()
        except BaseException as error:
            self._abandon(transaction, error)
            raise

    def _begin(self) -> Transaction:
        """The writer's connection, in a transaction. Raises StoreUnavailable where there is none to be had."""
        try:
            if self._transaction is None:
                self._transaction = self._connect()
            self._transaction.begin()
        except self._unavailable as error:
            self._transaction = None
            raise StoreUnavailable(f"the database cannot be written: {type(error).__name__}: {error}") from error
        return self._transaction

    def _abandon(self, transaction: Transaction, error: BaseException) -> None:
        try:
            transaction.rollback()
        except self._unavailable:
            self._transaction = None
        if isinstance(error, self._unavailable):
            self._transaction = None

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, self._unavailable):
            return StoreUnavailable(f"the database cannot be written: {type(error).__name__}: {error}")
        return error


def answer(batch: list[Member]) -> None:
    """Tell everybody who waits, each in the loop of its own."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Member]] = {}
    for member in batch:
        by_loop.setdefault(member.loop, []).append(member)
    for loop, members in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(resolve, members)


def resolve(members: list[Member]) -> None:
    """Tell those who wait in this loop."""
    for member in members:
        if member.future.done():
            continue
        if member.failure is not None:
            member.future.set_exception(member.failure)
            if member.rides:
                member.future.exception()
        else:
            member.future.set_result(member.result)
